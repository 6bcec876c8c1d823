//! A stream that is read again: everything up to the time at which the task began.

use std::sync::Arc;
use std::time::Duration;

use engine::diagnostic::suggest;
use engine::operator::{ParamProblem, TaskContext, TaskError, TaskOutcome, TaskProgress, TaskReport, TaskResult};
use jiff::Timestamp;
use metrics::replay::csv::parse_time;
use metrics::stream::{KinesisSettings, KinesisStream, RejectedRecord, StreamPosition, StreamStart};
use metrics::{Merged, ReplayStream as _};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Params, TRIM_HORIZON};
use crate::error::{AtParam as _, task_error};
use crate::metrics::batch::{BATCH_ROWS, Rows};
use crate::metrics::door::{Opened, tier};
use crate::metrics::output::{number, path, store};
use crate::metrics::params::wrong;
use crate::metrics::stores::aws;
use crate::state;

/// How many records that hold no points are told; the log names all of them.
const NAMED_RECORDS: u64 = 10;

/// How far the task is.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    /// Where it ends: records that came later are left.
    until_ms: i64,
    /// Where it was to begin: another place begins anew.
    #[serde(default)]
    start: Option<String>,
    position: StreamPosition,
    rows: u64,
    added: u64,
    same: u64,
    changed: u64,
    /// How many records were kept apart.
    #[serde(default)]
    rejected: u64,
}

/// Replays the next piece of a stream.
pub(super) async fn replay(
    context: &TaskContext,
    opened: &Opened,
    params: &Params,
    stream: &str,
) -> Result<TaskOutcome, TaskError> {
    let start = match &params.start {
        Some(text) => read_start(text).map_err(|problem| TaskError::wrong_params(vec![problem]))?,
        None => StreamStart::TrimHorizon,
    };
    let (to, aws) = (tier(&params.to)?, aws(&opened.lake, params.region.as_ref()));
    let noted_as = format!("{stream}@{}", aws.region.as_deref().unwrap_or_default());
    let begun = state::read::<Progress>(context)?.filter(|progress| progress.start == params.start);
    let Some(mut progress) = begun else {
        let until_ms = context.clock.now().as_millisecond();
        if let (StreamStart::At(at), Some(text)) = (start, &params.start)
            && at.as_millisecond() > until_ms
        {
            let found = text.escape_debug();
            return Err(wrong("start", format!("expected a time that has come for `start`, found `{found}`")));
        }
        context.host.log(&format!("replaying the stream `{stream}` into `{}`", params.to));
        let position = match &params.start {
            Some(_) => StreamPosition::default(),
            None => opened.metrics.stream_position(&noted_as, &to).await.map_err(task_error)?,
        };
        for (shard, of) in &position.shards {
            context.host.log(&format!("{shard}: goes on behind {}", of.last.as_deref().unwrap_or("its begin")));
        }
        let start = params.start.clone();
        let progress = Progress { until_ms, start, position, rows: 0, added: 0, same: 0, changed: 0, rejected: 0 };
        return state::wait(&progress, Duration::ZERO);
    };
    let settings = KinesisSettings {
        stream: stream.to_owned(),
        start,
        until: Timestamp::from_millisecond(progress.until_ms).unwrap_or(Timestamp::MAX),
        keeps_rejected: params.max_rejected.is_some(),
        endpoint: params.endpoint.clone(),
        aws,
    };
    let clock = Arc::clone(&opened.lake.settings.clock);
    let opening = Box::pin(KinesisStream::open(&settings, clock));
    let source = opening.await.map_err(task_error).at_param("_command")?;
    // Several pieces a step: what was written is written, and the position is stored when all of it is.
    let mut taken = 0;
    loop {
        let piece = source.next(&progress.position).await.map_err(task_error).at_param("_command")?;
        taken += piece.points.len();
        progress.reject(context, stream, params.max_rejected, &piece.rejected)?;
        progress.write(context, opened, &params.to, &piece.points).await?;
        progress.position = piece.position;
        let mut position = progress.position.clone();
        if params.start.is_some() {
            // A start behind what was read before must not lead the next replay back to the oldest record.
            position.keep_unread(&opened.metrics.stream_position(&noted_as, &to).await.map_err(task_error)?);
        }
        let note = opened.metrics.note_stream_position(&noted_as, &to, &position, &piece.rejected);
        note.await.map_err(task_error)?;
        if piece.is_end {
            return Ok(progress.done());
        }
        if taken >= BATCH_ROWS || context.cancellation.is_cancelled() {
            return state::wait(&progress, Duration::ZERO);
        }
        state::write(context, &progress).await?;
    }
}

/// Reads where a stream begins.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_start(text: &str) -> Result<StreamStart, ParamProblem> {
    if text.eq_ignore_ascii_case(TRIM_HORIZON) {
        return Ok(StreamStart::TrimHorizon);
    }
    let time = parse_time(text).and_then(|time_ms| Timestamp::from_millisecond(time_ms).ok());
    time.map(StreamStart::At).ok_or_else(|| {
        let message = format!(
            "expected `trim_horizon` or a time such as `2024-03-01 05:00:00` for `start`, found `{}`",
            text.escape_debug()
        );
        let problem = ParamProblem::new("start".into(), message);
        match suggest::did_you_mean(text, [TRIM_HORIZON]) {
            Some(help) => problem.help(help),
            None => problem,
        }
    })
}

impl Progress {
    /// Counts records that hold no points, and names them.
    ///
    /// # Errors
    /// That there are more of them than may be: what was read with these is not written, and is read again by the next try.
    fn reject(
        &mut self,
        context: &TaskContext,
        stream: &str,
        most: Option<u64>,
        rejected: &[RejectedRecord],
    ) -> Result<(), TaskError> {
        for record in rejected {
            self.rejected += 1;
            let RejectedRecord { shard, sequence, reason, .. } = record;
            if let Some(most) = most.filter(|most| self.rejected > *most) {
                let most =
                    if most == 1 { "1 record that holds".to_owned() } else { format!("{most} records that hold") };
                let message = format!("expected at most {most} no points, found one more: {reason}");
                let error = lake::Error::new(lake::ErrorKind::DataQuality, "replay a stream", message)
                    .with("stream", stream)
                    .with("shard", shard)
                    .with("record", sequence)
                    .help(
                        "mend what writes them, and take a larger `max_rejected` to go on behind these; `suiro metrics rejected` shows \
                         those that are kept apart",
                    );
                return Err(task_error(error).at_param("max_rejected"));
            }
            let told = format!("rejected the record {sequence} of {shard}: {reason}");
            if self.rejected <= NAMED_RECORDS {
                context.host.warn(&told);
            } else {
                context.host.log(&told);
            }
        }
        Ok(())
    }

    async fn write(
        &mut self,
        context: &TaskContext,
        opened: &Opened,
        to: &str,
        points: &[metrics::stream::StreamPoint],
    ) -> Result<(), TaskError> {
        let mut rows = Rows::default();
        for point in points {
            rows.add(&point.name, &[(point.time_ms, point.value)]);
        }
        let (batch, repeated) = rows.take(opened.config.duplicate).map_err(task_error)?;
        let mut merged: Merged = repeated;
        if !batch.is_empty() {
            merged += opened.write(context, &tier(to)?, &batch).await?;
        }
        self.rows += number(points.len());
        self.added += merged.added;
        self.same += merged.same;
        self.changed += merged.changed;
        context.host.progress(TaskProgress { rows: self.rows, bytes: 0, bytes_total: None });
        Ok(())
    }

    fn done(self) -> TaskOutcome {
        let last_replay = json!({
            "shards": self.position.shards,
            "rows": self.rows,
            "added": self.added,
            "same": self.same,
            "changed": self.changed,
            "rejected": self.rejected,
            "places": [],
        });
        TaskResult {
            store: store("last_replay", last_replay),
            reset: vec![path("last_replay")],
            report: TaskReport {
                rows: Some(self.rows),
                rejected: Some(self.rejected).filter(|rejected| *rejected > 0),
                ..TaskReport::default()
            },
            ..TaskResult::default()
        }
        .done()
    }
}
