//! The operators that need nothing but the engine; `register` is their list.
