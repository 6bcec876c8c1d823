//! The workflow engine: turns a YAML document into an attempt of tasks and carries it to an end, whatever crashes.
//!
//! It knows nothing of AWS, Arrow, SQL, HTTP or any concrete data operator. Arrows between its modules:
//! `diagnostic, time, params, secret` ← `document`, `operator` ← `workflow`, `session` ← `store` ← `run`.

pub mod diagnostic;
pub mod document;
pub mod operator;
pub mod params;
pub mod schedule;
pub mod secret;
pub mod session;
pub mod store;
pub mod time;
pub mod workflow;

pub mod run;
