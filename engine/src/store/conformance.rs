//! The suite that every store passes: what the engine relies on, one test a promise.
