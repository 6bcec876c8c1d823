//! Sessions, attempts and tasks, and the pure state machine that moves them.
