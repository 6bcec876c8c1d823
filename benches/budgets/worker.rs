//! Measurements that need a process of their own: this binary again, with the name of the work.
//!
//! A worker prints one JSON object of numbers, with the process's own peak of memory and its processor time added.

use std::future::Future;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use crate::{Result, attempts, aws, loads, metrics, process, queries};

/// The first argument of a worker.
pub(crate) const ARGUMENT: &str = "--worker";

/// The stack of the threads, as the product's binary has it.
const STACK_BYTES: usize = 8 << 20;

/// The numbers that a worker found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(Map<String, Value>);

impl Numbers {
    /// Adds a number.
    pub(crate) fn with(mut self, name: &str, value: f64) -> Self {
        self.0.insert(name.to_owned(), json!(value));
        self
    }

    /// Returns a number.
    ///
    /// # Errors
    /// When the worker did not find it.
    pub(crate) fn get(&self, name: &str) -> Result<f64> {
        self.0.get(name).and_then(Value::as_f64).ok_or_else(|| format!("the worker told no `{name}`").into())
    }

    /// Reads what a process printed last.
    pub(crate) fn of_output(output: &std::process::Output, what: &str) -> Result<Self> {
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        match serde_json::from_str(last) {
            Ok(numbers) if output.status.success() => Ok(Self(numbers)),
            _ => Err(format!("{what} failed: {}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }
}

/// Starts a worker and waits for its numbers.
pub(crate) fn run(name: &str, folder: &Path, size: u64) -> Result<Numbers> {
    let output = Command::new(std::env::current_exe()?)
        .args([ARGUMENT, name])
        .arg(folder)
        .arg(size.to_string())
        .stdin(Stdio::null())
        .output()?;
    Numbers::of_output(&output, &format!("the worker `{name}`"))
}

/// Does the work that the arguments name, in this process.
pub(crate) fn work(arguments: &[String]) -> Result<()> {
    let [name, folder, size] = arguments else { return Err("a worker needs its name, a folder and a size".into()) };
    let (folder, size) = (Path::new(folder), size.parse::<u64>()?);
    let numbers = match name.as_str() {
        "chain" => on_threads(attempts::chain(folder, size)),
        "parallel" => on_threads(attempts::parallel(folder, size)),
        "load" => on_threads(loads::load(folder)),
        "query" => on_threads(queries::compare(folder, size)),
        "metric-write" => on_threads(metrics::write(folder, size)),
        "metric-dump" => on_threads(metrics::dump(folder, size)),
        "metric-redis" => on_threads(metrics::write_redis(folder, size)),
        "metric-read" => on_threads(metrics::read(folder, size)),
        "stream" => on_threads(aws::send(folder, size)),
        _ => Err(format!("no worker is called `{name}`").into()),
    }?;
    let peak = process::memory_kib("self", "VmHWM").unwrap_or_default();
    let numbers = numbers.with("peak_kib", peak).with("processor_s", process::processor_seconds());
    writeln!(std::io::stdout(), "{}", Value::Object(numbers.0))?;
    Ok(())
}

/// Runs work as the product's binary runs its commands.
fn on_threads(work: impl Future<Output = Result<Numbers>>) -> Result<Numbers> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build()?;
    runtime.block_on(work)
}
