//! The engine at work: submit, advance, cancel.
