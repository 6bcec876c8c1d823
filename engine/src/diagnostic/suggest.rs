//! The nearest name, for "did you mean".
