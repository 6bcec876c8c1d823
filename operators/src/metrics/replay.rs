//! `metrics.replay>`: points that were written once come again, from files or from a stream.

mod source;
mod stream;
mod two_values;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::operator::surroundings::constant;
use engine::operator::{
    ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskProgress, TaskReport, TaskResult,
    TypedOperator,
};
use engine::params::Params as EngineParams;
use lake::words::counted;
use metrics::replay::csv::{self, Reader};
use metrics::{DuplicateRule, Merged, SeriesName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batch::{BATCH_ROWS, Rows};
use super::door::{MetricsDoor, Opened, tier};
use super::output::{path, store};
use super::params::TiersParams;
use super::route::Work;
use super::{inspect, output};
use crate::error::{AtParam as _, task_error};
use crate::state;

/// What a stream's name begins with.
const STREAM: &str = "kinesis://";

/// Where a stream begins that is read whole.
const TRIM_HORIZON: &str = "trim_horizon";

/// How many places of a file that are not in order are named at once; the log and the result name all of them.
const NAMED_PLACES: usize = 10;

/// The operator.
#[derive(Debug)]
pub(crate) struct Replay {
    door: Arc<MetricsDoor>,
}

impl Replay {
    pub(crate) fn new(door: Arc<MetricsDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `metrics.replay>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// A folder of `.csv` files, or one file: each is a series, named for the file, its first line `timestamp,value`. Of a folder,
    /// files whose names begin with `.` or `_` are left out, and a note says how many. Paths start at the workflow's folder. Times are ISO 8601 with a zone, or UTC without; other columns are passed over.
    ///
    /// Or a stream of Kinesis, `kinesis://NAME`, whose records are points as JSON.
    #[serde(rename = "_command")]
    command: String,
    /// Of a stream: the time at which it begins, or `trim_horizon` for the oldest record that it has. Without it the replay goes on
    /// behind the last record that was read into the tier, and begins at the oldest one when there was none.
    #[serde(default)]
    start: Option<String>,
    /// Of a stream: how many records that hold no points may be passed over in a session; they are kept apart, and `suiro metrics
    /// rejected` shows them. Not given: such a record is an error.
    #[serde(default)]
    max_rejected: Option<u64>,
    /// Of a stream: its region; the profile's unless given.
    #[serde(default)]
    region: Option<String>,
    /// Of a stream: the address of a server in place of AWS.
    #[serde(default)]
    endpoint: Option<String>,
    /// The tier that takes the points: a store.
    to: String,
    #[serde(flatten)]
    tiers: TiersParams,
}

/// A file that is replayed.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    path: PathBuf,
    name: String,
    bytes: u64,
}

/// How far the task is.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    files: Vec<File>,
    /// How many files are done.
    next: usize,
    rows: u64,
    added: u64,
    same: u64,
    changed: u64,
    bytes: u64,
    /// The places that are not in order: `file:lines: what`.
    places: Vec<String>,
    /// How many files are left out, as their names begin with `.` or `_`.
    #[serde(default)]
    hidden: u64,
}

impl TypedOperator for Replay {
    const NAME: &'static str = "metrics.replay";
    const SUMMARY: &'static str =
        "Writes time series from files or a stream into a tier; again and again without harm.";
    const COMMAND: Option<&'static str> = Some("the folder of CSV files, one file, or `kinesis://STREAM`");
    const DETAILS: &'static str = "\
The same series, time and value any number of times is one point, so a replay may be repeated after any failure. Rows that repeat a \
time, or stand below a later one, are taken all the same and named as `file:line`; of two values of one time `duplicate` in the file \
of tiers chooses. A line that cannot be read is an error of the input (exit code 2), with the first ten named.

With `duplicate: error` all files are read before the first point is written: where a time has two values in one of them, nothing is \
written, and the lines are named. So is the line of a value that a tier contradicts; what comes before it is written by then. Both are \
errors of the input (exit code 2).

Points are moved on to the next tier meanwhile when the tier's `flush` says so.

Of a stream everything up to the time at which the task began is read, shard by shard; how far it is is stored after each piece, with \
the first and last sequence number of every shard, and the next session goes on behind the last one. Records that the stream no longer \
has are an error, as is another stream of the same name: the gap is named, and never passed over. With `start` the replay begins there \
instead, in every session. A record that holds no points is an error that names its shard and sequence number (exit code 2), and the \
replay stays before it; with `max_rejected: 10` as many of them are passed over in a session and kept apart with the reason, and one more \
is an error (exit code 3).

Stores `metrics.last_replay`: `shards` and `rejected` (of a stream: the sequence numbers by shard, and how many records were kept apart), `files`, `series`, `rows`, `added`, `same` (times that had the value already), `changed` (times that \
had another one), `places`, the list of what is not in order, and `left_out`, how many files were.

A folder's `.csv` files are read, not those in folders below it; what else is there, but for names that begin with `.` or `_`, is named in the log, and the first of it in a warning.";
    const EXAMPLE: &'static str = "\
+replay:
  metrics.replay>: data/cloudwatch
  to: hot
";

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let mut problems = inspect::task(Some(Work::Write), &["to"], params, surroundings);
        let start = params.get("start").and_then(Value::as_str).and_then(constant);
        problems.extend(start.and_then(|start| stream::read_start(&start).err()));
        let command = params.get("_command").and_then(Value::as_str).and_then(constant);
        problems.extend(command.as_deref().and_then(source::problem));
        let is_of_files = command.is_some_and(|command| !command.starts_with(STREAM));
        if is_of_files && params.get("max_rejected").is_some_and(|value| !value.is_null()) {
            let message = "`max_rejected` belongs to a stream: a line of a file that cannot be read is an error";
            let help = "`metrics.write>` with `in` takes files, and keeps such lines apart";
            problems.push(ParamProblem::new("max_rejected".into(), message.to_owned()).help(help));
        }
        problems
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let opened = self.door.open(context, &params.tiers, Work::Write, &[("to", &params.to)]).await?;
        if let Some(problem) = source::problem(&params.command) {
            return Err(TaskError::wrong_params(vec![problem]));
        }
        if let Some(stream) = params.command.strip_prefix(STREAM) {
            return stream::replay(context, &opened, &params, stream).await;
        }
        let Some(mut progress) = state::read::<Progress>(context)? else {
            let (progress, others) = Progress::begin(&context.work_dir, &params.command)?;
            let bytes: u64 = progress.files.iter().map(|file| file.bytes).sum();
            context.host.log(&format!(
                "replaying {} with {} into `{}`",
                counted(output::number(progress.files.len()), "file"),
                counted(bytes, "byte"),
                params.to
            ));
            if progress.hidden > 0 {
                context.host.warn(&format!(
                    "left out {} of `{}` whose names begin with `.` or `_`",
                    counted(progress.hidden, "file"),
                    params.command
                ));
            }
            for other in &others {
                context.host.log(&format!("passed over `{other}`"));
            }
            if !others.is_empty() {
                context.host.warn(&format!(
                    "passed over what is no `.csv` file in `{}`: {}; `metrics.write>` with `in` reads compressed files, and folders in folders",
                    params.command,
                    csv::some(&others)
                ));
            }
            if opened.config.duplicate == DuplicateRule::Error {
                two_values::refuse(context, &progress.files)?;
            }
            return state::wait(&progress, Duration::ZERO);
        };
        if progress.next >= progress.files.len() {
            return Ok(progress.done());
        }
        progress.replay_next(context, &opened, &params.to).await?;
        state::wait(&progress, Duration::ZERO)
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        // What is written is written, and writing it again changes nothing.
        Ok(())
    }
}

impl Progress {
    /// Lists the files; the names of what else is there come second.
    fn begin(work_dir: &Path, folder: &str) -> Result<(Self, Vec<String>), TaskError> {
        let listed = source::list(work_dir, folder)?;
        let files = listed.files.into_iter().map(|file| {
            let bytes = std::fs::metadata(&file.path).map_or(0, |found| found.len());
            let path = Path::new(folder);
            // The folder as it was written, so that messages name files as users do.
            let path = if work_dir.join(folder).is_dir() {
                path.join(file.path.file_name().unwrap_or_default())
            } else {
                path.to_owned()
            };
            File { path, name: file.name.as_str().to_owned(), bytes }
        });
        let progress = Self {
            files: files.collect(),
            next: 0,
            rows: 0,
            added: 0,
            same: 0,
            changed: 0,
            bytes: 0,
            places: Vec::new(),
            hidden: listed.hidden,
        };
        Ok((progress, listed.others))
    }

    /// Replays one file.
    async fn replay_next(&mut self, context: &TaskContext, opened: &Opened, to: &str) -> Result<(), TaskError> {
        let Some(file) = self.files.get(self.next) else { return Ok(()) };
        let shown = file.path.display().to_string();
        let name = SeriesName::new(&file.name).map_err(task_error)?;
        let to = tier(to)?;
        let rule = opened.config.duplicate;
        let mut reader =
            Reader::open(&context.work_dir.join(&file.path), &shown).map_err(task_error).at_param("_command")?;
        let (mut rows, mut total, mut merged) = (Rows::default(), 0_u64, Merged::default());
        while let Some(read) = reader.next_rows(BATCH_ROWS).map_err(task_error).at_param("_command")? {
            refuse_cancelled(context)?;
            total += output::number(read.len());
            rows.add(&name, &read);
            let (batch, repeated) = rows.take(rule).map_err(task_error)?;
            merged += repeated;
            let written = opened.write(context, &to, &batch).await;
            merged += written.map_err(|error| two_values::at_line(error, context, file, &name))?;
            context.host.progress(TaskProgress { rows: self.rows + total, bytes: self.bytes, bytes_total: None });
        }
        if reader.is_out_of_order() {
            let again = Reader::open(&context.work_dir.join(&file.path), &shown).map_err(task_error);
            reader.name_repeats(again.at_param("_command")?).map_err(task_error).at_param("_command")?;
        }
        context.host.log(&format!("{shown}: {}, {} new", counted(total, "row"), merged.added));
        for (index, place) in reader.places().iter().enumerate() {
            let place = format!("{shown}:{}", place.tell(rule));
            if index < NAMED_PLACES {
                context.host.warn(&place);
            } else {
                context.host.log(&place);
            }
            self.places.push(place);
        }
        if reader.places().len() > NAMED_PLACES {
            context.host.warn(&format!(
                "{shown}: … and {} more places; the log names them",
                reader.places().len() - NAMED_PLACES
            ));
        }
        self.next += 1;
        self.bytes += file.bytes;
        self.rows += total;
        self.added += merged.added;
        self.same += merged.same;
        self.changed += merged.changed;
        Ok(())
    }

    fn done(self) -> TaskOutcome {
        let last_replay = json!({
            "files": self.files.len(),
            "series": self.files.len(),
            "rows": self.rows,
            "added": self.added,
            "same": self.same,
            "changed": self.changed,
            "places": self.places,
            "left_out": self.hidden,
        });
        TaskResult {
            store: store("last_replay", last_replay),
            reset: vec![path("last_replay")],
            report: TaskReport { rows: Some(self.rows), scanned_bytes: Some(self.bytes), ..TaskReport::default() },
            ..TaskResult::default()
        }
        .done()
    }
}

/// Ends a replay that somebody has cancelled.
fn refuse_cancelled(context: &TaskContext) -> Result<(), TaskError> {
    if context.cancellation.is_cancelled() {
        let error = lake::Error::new(lake::ErrorKind::Canceled, "replay", "the replay was cancelled");
        return Err(task_error(error));
    }
    Ok(())
}
