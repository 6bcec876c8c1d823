//! The product as its users meet it: the real binary, the shipped examples and workflows, the written pages.
//!
//! One binary, so that everything is linked once. `UPDATE=1` writes what is generated and what is expected to the letter;
//! the difference is then read as any other change.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stops at the first thing it did not expect, and reads its own switches"
)]

mod aws_collect;
mod aws_crash;
mod aws_credentials;
mod aws_engine;
mod aws_faults;
mod aws_lost_state;
mod aws_roles;
mod aws_stop;
mod aws_writers;
mod aws_zombie;
mod bad_input;
mod cases;
mod cli;
mod clients;
mod closed_stdout;
mod conformance;
mod crash;
mod endpoint;
mod endpoint_crash;
mod examples;
mod generated;
mod interrupt;
mod log;
mod metrics;
mod metrics_input;
mod profiles;
mod project;
mod read_only;
mod readers;
mod secrets;
mod single_faults;
mod stop;
mod support;
mod tidy;
mod trino;
mod undo;
