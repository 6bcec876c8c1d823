//! suiro: loads data into a lake and keeps it there, correct and on time.
//!
//! The binary holds the commands; what they do is in `engine`, `operators` and `lake`.

mod cli;
mod command;
mod compose;
mod failure;
mod output;
mod progress;
mod settings;
mod signals;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use engine::diagnostic::code;

use crate::cli::{Cli, Color, Command};
use crate::compose::Base;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::Environment;

/// How much stack the threads get: planning a deep query in an unoptimised build needs more than the default 2 MiB.
const STACK_BYTES: usize = 8 << 20;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let environment = Environment::read();
    let output = Output::new(cli.global.json, cli.global.color, environment.no_color);
    report_errors(environment.log.as_deref());
    let base = Base { global: cli.global, environment, output };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build();
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(dispatch(&base, cli.command));
            // A blocking read (of a terminal, say) must not keep the process.
            runtime.shutdown_background();
            done
        }
        Err(error) => Err(Failure::of_code(code::RESOURCES, format!("cannot start the threads: {error}"))),
    };
    match done {
        Ok(()) => Exit::Success.into(),
        Err(failure) => {
            command::say(base.output, &failure);
            failure.exit.into()
        }
    }
}

/// Says what is wrong with the command line, or what was asked of it: the help, the version.
fn refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nobody reads stdout any more when this fails.
        let _lost = error.print();
        return Exit::Success.into();
    }
    // The line is wrong, so that what it says of JSON is known by its words alone.
    let json = std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json");
    if !json && error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nobody reads stderr when this fails.
        let _lost = error.print();
    } else {
        let output = Output::new(json, Color::Auto, Environment::read().no_color);
        command::say(output, &Failure::of_command_line(error));
    }
    Exit::Usage.into()
}

/// Sends what the libraries have to report beside their results to stderr: temporary files that cannot be removed, a collection
/// that failed. What comes with an error is not said here: the error is. `SUIRO_LOG` takes another filter (<https://docs.rs/tracing-subscriber/latest/tracing_subscriber/filter/struct.EnvFilter.html>).
fn report_errors(filter: Option<&str>) {
    // The SDK reports each try that ends twice, as one does that is given up while it cannot connect.
    let filter = filter.unwrap_or("error,engine=warn,aws_smithy_runtime_api=off");
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time()
        .init();
}

/// Runs one command.
async fn dispatch(base: &Base, command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(command) => command::run::run(base, &command).await,
        Command::Check(command) => command::check::run(base, &command),
        Command::Plan(command) => command::plan::run(base, &command).await,
        Command::Query(command) => command::query::run(base, &command).await,
        Command::Load(command) => Box::pin(command::load::run(base, &command)).await,
        Command::Table(command) => command::table::run(base, &command).await,
        Command::Partition(command) => command::partition::run(base, &command).await,
        Command::Metrics(command) => command::metrics::run(base, &command).await,
        Command::Emulate(command) => command::emulate::run(base, &command).await,
        Command::Log(command) => command::log::run(base, &command).await,
        Command::Init(command) => command::init::run(base, &command),
        Command::Explain(command) => command::explain::run(base, &command),
    }
}
