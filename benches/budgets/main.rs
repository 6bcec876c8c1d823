//! The budgets of the product, measured: `cargo bench` prints every figure beside its budget, met or not.
//!
//! `cargo bench -- csv hop` measures only what has such a word in its name, `-- --quick` a tenth of the data. What needs a
//! memory of its own runs in a process of its own ([`worker`]). Everything is generated, the same bytes every time, below
//! the target folder; `docs/benchmarks.md` holds the figures of a known machine.

mod attempts;
mod aws;
mod commands;
mod data;
mod figure;
mod loads;
mod machine;
mod metrics;
mod process;
mod queries;
mod worker;

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use figure::Figure;

/// What went wrong, for a person to read: nothing here is recovered from.
type Failure = Box<dyn Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failure>;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// The generated data is divided by this.
    divisor: u64,
    /// How often something is measured; the median counts.
    runs: usize,
}

/// The binary that users run.
const SUIRO: &str = env!("CARGO_BIN_EXE_suiro");

/// One group of figures.
type Group = fn(&Path, Scale) -> Result<Vec<Figure>>;

/// The groups in the order of the table of budgets.
const GROUPS: [(&str, Group); 13] = [
    ("disk", |folder, _scale| Ok(vec![machine::flush(folder)?])),
    ("start", commands::start),
    ("hop", attempts::hop),
    ("no-op tasks", attempts::no_op),
    ("100,000 tasks", attempts::large),
    ("check", commands::check),
    ("csv to parquet", loads::csv),
    ("csv.gz to parquet", loads::csv_gz),
    ("apache log to parquet", loads::apache),
    ("many partitions", loads::partitions),
    ("query", queries::embedded),
    ("metrics", self::metrics::measure),
    ("aws", aws::measure),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == worker::ARGUMENT => worker::work(rest),
        _ => measure(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be told when this fails too.
            let _lost = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures the groups that were asked for, one after the other, and prints the table.
fn measure(arguments: &[String]) -> Result<()> {
    let quick = arguments.iter().any(|argument| argument == "--quick");
    // Cargo itself passes `--bench`.
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let scale = if quick { Scale { divisor: 10, runs: 3 } } else { Scale { divisor: 1, runs: 5 } };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut out = std::io::stdout();
    writeln!(out, "{}\n", machine::describe())?;
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    for (name, group) in GROUPS {
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        writeln!(std::io::stderr(), "measuring: {name}")?;
        let own = folder.path().join(name.replace([' ', ','], "_"));
        std::fs::create_dir(&own)?;
        match group(&own, scale) {
            Ok(measured) => figures.extend(measured),
            Err(error) => {
                writeln!(std::io::stderr(), "error: {name}: {error}")?;
                failed.push(name);
                figures.push(Figure::failed(name));
            }
        }
        std::fs::remove_dir_all(&own)?;
    }
    writeln!(out, "{}", figure::table(&figures))?;
    let load = machine::load_average();
    writeln!(out, "\nload average at the end: {load}")?;
    if failed.is_empty() { Ok(()) } else { Err(format!("stopped before the end: {}", failed.join(", ")).into()) }
}
