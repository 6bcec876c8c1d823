//! The state store: what must survive.
