//! The command line: its doc comments are the help.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Loads data into a lake and keeps it there, correct and on time.
///
/// A workflow is a YAML file of tasks; it runs here, on a lake in a folder, with no account and no server.
#[derive(Debug, Parser)]
#[command(name = "suiro", version, max_term_width = 100, propagate_version = false)]
#[command(
    after_help = "Start with `suiro init`, or run one of the examples: `suiro run examples/01_daily_access/daily_access.dig`.\n\n\
    Exit codes: 0 success, 1 a task failed, 2 the workflow, config, input or command line is wrong, 3 data quality (a failed \
    check, more rejected lines than allowed), 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "For every command")]
pub(crate) struct Global {
    /// The project: the folder that holds the workflows, `suiro.yml` and the state in `.suiro/`.
    ///
    /// Without it: the folder of the given file's nearest `suiro.yml` or `.suiro/`, or of the file itself.
    #[arg(long, global = true, value_name = "DIR", env = "SUIRO_PROJECT")]
    pub(crate) project: Option<PathBuf>,
    /// The profile of `suiro.yml` to use.
    #[arg(long, global = true, value_name = "NAME", env = "SUIRO_PROFILE", default_value = "local")]
    pub(crate) profile: String,
    /// Print one JSON object a line instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to colour the output.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// When to colour the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a workflow here to its end; continue an unfinished session.
    Run(Run),
    /// Check workflows: all problems with their places; nothing runs.
    Check(Check),
    /// Show the tasks, rendered SQL and partitions that a run would change; nothing runs.
    Plan(Plan),
    /// Run a SELECT and print its result.
    Query(Query),
    /// Load files without a workflow.
    #[command(subcommand)]
    Load(Load),
    /// Look at the tables of the catalog, or drop one.
    #[command(subcommand)]
    Table(Table),
    /// Look at the partitions of a table, or go back to the version before.
    #[command(subcommand)]
    Partition(Partition),
    /// Read time series from all tiers of metrics at once, or see how far their windows are.
    #[command(subcommand)]
    Metrics(Metrics),
    /// Serve Athena, Glue and S3 over the project's lake, for any AWS client.
    Emulate(Emulate),
    /// Show what the tasks of a run logged.
    Log(Log),
    /// Make a project, from a ready-made workflow if wanted.
    Init(Init),
    /// Explain an error code.
    Explain(Explain),
}

/// How a session is chosen and what it is given.
#[derive(Debug, Clone, Args)]
pub(crate) struct SessionArgs {
    /// The session's time: `daily`, `hourly`, `schedule`, `last`, `now`, `2024-03-01`, `"2024-03-01 05:00:00"` or an
    /// ISO time with its zone.
    ///
    /// Without it: the latest slot of the workflow's schedule, or today at 00:00 in its time zone.
    #[arg(long, value_name = "WHEN")]
    pub(crate) session: Option<String>,
    /// Set a parameter (a string); wins over `_export`. Repeatable; `a.b=c` makes a mapping.
    #[arg(short = 'p', long = "param", value_name = "KEY=VALUE")]
    pub(crate) params: Vec<String>,
    /// Read parameters from a YAML or JSON file; `-p` wins over it.
    #[arg(short = 'P', long = "params-file", value_name = "FILE")]
    pub(crate) params_file: Vec<PathBuf>,
}

/// `suiro run`.
#[derive(Debug, Args)]
#[command(
    after_help = "A session is the run of a workflow for one time. The same command again continues a session that is unfinished, and \
    skips the tasks that succeeded; when all have, there is nothing to do.\n\n\
    What tasks print goes to stdout, everything else to stderr: a live tree on a terminal, a line a task elsewhere. \
    `suiro log FILE` shows what the tasks logged, `suiro explain CODE` what an error means."
)]
pub(crate) struct Run {
    /// The workflow's file, `.dig` or `.yml`.
    pub(crate) file: PathBuf,
    /// Run only this task and its children, such as `+load`.
    #[arg(value_name = "+TASK")]
    pub(crate) task: Option<String>,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
    /// Run all tasks again, also those that succeeded in this session.
    #[arg(long, short = 'a')]
    pub(crate) rerun: bool,
    /// The most tasks that run at once.
    #[arg(long, value_name = "N", env = "SUIRO_MAX_TASKS", value_parser = at_least_one)]
    pub(crate) max_tasks: Option<NonZeroUsize>,
    /// Print nothing but the tasks' own output, warnings and errors.
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,
}

/// `suiro check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Files or folders; without any, all workflows of the project's folder.
    pub(crate) files: Vec<PathBuf>,
}

/// `suiro plan`.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The workflow's file.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
}

/// `suiro query`.
#[derive(Debug, Args)]
pub(crate) struct Query {
    /// The SELECT in quotes, or a file (`….sql`) that holds it.
    pub(crate) sql: String,
    /// The database of tables without one.
    #[arg(long, short = 'd', value_name = "NAME", default_value = "default")]
    pub(crate) database: String,
    /// How to print the result; a table on a terminal, CSV elsewhere.
    #[arg(long, short = 'f', value_name = "FORMAT")]
    pub(crate) format: Option<QueryFormat>,
    /// Where to write the result; required for Parquet.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// How `suiro query` prints its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryFormat {
    /// A table for people.
    Table,
    /// CSV with a header.
    Csv,
    /// One JSON object a row.
    Json,
    /// A Parquet file.
    Parquet,
}

/// `suiro load …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Load {
    /// Load the files that a config names, as `load>` does in a workflow.
    ///
    /// The config is a YAML mapping: `in` (the files and their parser), `out` (the table or folder), `max_rejected`. Running it
    /// again replaces what it loaded before, or with `mode: append` what it added.
    #[command(after_help = "An example, `sales.yml`:\n\n  \
        in: {type: file, path: sales-*.csv.gz, parser: {type: csv}}\n  \
        out: {type: table, database: shop, table: sale, mode: replace}\n  \
        max_rejected: 0.1%\n\n\
        A line that cannot be read ends the load with exit code 2. `max_rejected` allows some and keeps them in \
        `sale__rejected`; with more of them the load ends with 3.")]
    Run {
        /// The config's file; paths in it start at its folder.
        config: PathBuf,
        /// Set a parameter for `${…}` in the config. Repeatable.
        #[arg(short = 'p', long = "param", value_name = "KEY=VALUE")]
        params: Vec<String>,
    },
}

/// `suiro table …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Table {
    /// List the tables.
    List {
        /// Only those of this database.
        database: Option<String>,
    },
    /// Show a table: columns, partition keys, location, parameters.
    Show {
        /// `database.table`; the database is `default` when left out.
        table: String,
    },
    /// Drop a table from the catalog.
    Drop {
        /// `database.table`.
        table: String,
        /// Also delete its data, as far as suiro wrote it.
        #[arg(long)]
        with_location: bool,
        /// Do not ask.
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

/// `suiro partition …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Partition {
    /// List the partitions of a table with rows, bytes and version, and whether they can be undone.
    #[command(
        after_help = "Under `undo`: `yes` when the version before is there to go back to, `redo` when the partition was \
        undone and can go forward again, `gone` when that other version is no longer kept, nothing when there never was one."
    )]
    List {
        /// `database.table`.
        table: String,
    },
    /// Show a partition: location, version, what it replaced.
    Show {
        /// `database.table`.
        table: String,
        /// `dt=2024-03-01`, or `dt=2024-03-01/hour=5`.
        partition: String,
    },
    /// Go back to the version before, while it is kept. Once undone, doing it again changes nothing.
    Undo {
        /// `database.table`.
        table: String,
        /// `dt=2024-03-01`.
        partition: String,
    },
    /// Go forward to the version that was undone, while it is kept.
    Redo {
        /// `database.table`.
        table: String,
        /// `dt=2024-03-01`.
        partition: String,
    },
}

/// `suiro metrics …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Metrics {
    /// Read a series from all tiers at once; each piece of time is named with the tier that it comes from.
    Read(MetricsRead),
    /// Show the windows of the tiers: points, series, bytes, and how far each is.
    Status(TiersArgs),
    /// Show the records of streams that held no points, and that `metrics.replay>` with `max_rejected` has passed over.
    Rejected(TiersArgs),
    /// Go on with what the server of a tier has left, after it threw keys away, or without a tier that is gone for good.
    ///
    /// Until then nothing of the tier is read, moved or deleted. Bring the points again from where they came: of a stream with
    /// `start: trim_horizon` or a time, as `metrics.replay>` without it goes on behind what it has read.
    ///
    /// A store that the project has kept points in, and that the file of tiers names no more, keeps windows from being archived: what it
    /// holds would be passed over. From here on it counts as empty.
    AcceptLoss {
        /// The tier.
        #[arg(value_name = "TIER")]
        tier: String,
        #[command(flatten)]
        tiers: TiersArgs,
    },
}

/// Which tiers.
#[derive(Debug, Args)]
pub(crate) struct TiersArgs {
    /// The file of the tiers.
    #[arg(long = "tiers", value_name = "FILE", default_value = "tiers.yml")]
    pub(crate) file: PathBuf,
    /// Set a parameter for `${…}` in the file of the tiers, as `suiro run` does. Repeatable.
    #[arg(short = 'p', long = "param", value_name = "KEY=VALUE")]
    pub(crate) params: Vec<String>,
}

/// `suiro metrics read`.
#[derive(Debug, Args)]
#[command(after_help = "An example:\n\n  \
    suiro metrics read --tiers tiers.yml --name web-1.cpu --from 2024-03-01 --to 2024-03-04 --step 1h")]
pub(crate) struct MetricsRead {
    #[command(flatten)]
    pub(crate) tiers: TiersArgs,
    /// The series.
    #[arg(long, value_name = "SERIES")]
    pub(crate) name: String,
    /// The first time: `2024-03-01`, `2024-03-01T05:00:00Z` (UTC unless it says a zone), or `-3d` before now.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) from: String,
    /// The time to end before.
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true)]
    pub(crate) to: String,
    /// One value for each so much time, such as `5m` or `1h`, or `raw` for the points as they are, at their own times. Unless given it
    /// is the finest that the span of time makes sense with and that the tiers still hold all of it in.
    #[arg(long, value_name = "LENGTH")]
    pub(crate) step: Option<String>,
    /// What is made of the points of a step; `avg` unless given.
    #[arg(long, value_name = "WHAT")]
    pub(crate) aggregate: Option<MetricsAggregate>,
    /// Leave out what tiers hold that cannot be reached, or is damaged or missing, and say so, where it would be an error.
    #[arg(long)]
    pub(crate) partial: bool,
    /// How to print the result; a plot on a terminal, CSV elsewhere.
    #[arg(long, short = 'f', value_name = "FORMAT")]
    pub(crate) format: Option<MetricsFormat>,
}

/// What is made of the points of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MetricsAggregate {
    /// Their mean.
    Avg,
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// How many there are.
    Count,
    /// The first.
    First,
    /// The last.
    Last,
}

/// How `suiro metrics read` prints its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MetricsFormat {
    /// A table for people.
    Table,
    /// CSV with the header `timestamp,value,tier`.
    Csv,
    /// One JSON object a row.
    Json,
    /// A drawing.
    Plot,
}

/// `suiro emulate`.
#[derive(Debug, Args)]
pub(crate) struct Emulate {
    /// The port to listen on; 0 takes one that is free and says which.
    #[arg(long, value_name = "N", default_value_t = 5055)]
    pub(crate) port: u16,
    /// The address to listen on. One that other machines reach needs `--access-key`.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) address: std::net::IpAddr,
    /// The folder of the data; the project's unless given. The catalog is in the project's `.suiro/` always.
    #[arg(long, value_name = "DIR")]
    pub(crate) warehouse: Option<PathBuf>,
    /// Take only requests signed with this access key; its secret is in `SUIRO_EMULATE_SECRET_KEY`.
    #[arg(long, value_name = "ID")]
    pub(crate) access_key: Option<String>,
    /// The region that answers name.
    #[arg(long, value_name = "NAME", default_value = "us-east-1")]
    pub(crate) region: String,
    /// A file of rules that say which calls go wrong, and how; for tests of what calls them.
    #[arg(long, value_name = "FILE")]
    pub(crate) fault: Option<PathBuf>,
    /// How many queries of each kind (DML, DDL) may be active at a time before Athena refuses more; no limit unless given.
    #[arg(long, value_name = "N")]
    pub(crate) max_queries: Option<usize>,
    /// How often an operation may be called before its service refuses more: `athena.StartQueryExecution=20/80` for 20 calls a
    /// second and 80 at once after a rest, or `aws` for the quotas that Athena documents; may be given several times.
    #[arg(long, value_name = "QUOTA")]
    pub(crate) call_quota: Vec<emulator::CallQuotas>,
}

/// `suiro log`.
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// The workflow's file.
    pub(crate) file: PathBuf,
    /// Only this task, such as `+load`; without it, all of the latest attempt.
    #[arg(value_name = "+TASK")]
    pub(crate) task: Option<String>,
    /// The attempt, by the number that `suiro run --json` gives it among all attempts of the project; the latest of the workflow
    /// unless given.
    #[arg(long, value_name = "ID")]
    pub(crate) attempt: Option<i64>,
}

/// `suiro init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder to make; the current one unless given.
    pub(crate) dir: Option<PathBuf>,
    /// The ready-made workflow to start from; `--list` shows them.
    #[arg(long, value_name = "NAME", default_value = "daily_access")]
    pub(crate) from: String,
    /// List the ready-made workflows.
    #[arg(long)]
    pub(crate) list: bool,
}

/// `suiro explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The code, such as `E0201`; without it, all codes with their titles.
    pub(crate) code: Option<String>,
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number from 1 on".to_owned())
}
