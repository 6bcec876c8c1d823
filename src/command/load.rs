//! `suiro load run`: the loader without a workflow.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::diagnostic::code;
use engine::operator::TaskError;
use engine::params::template::TemplateSettings;
use engine::params::{Params, command_line, scope};
use engine::run::ProcessGroups;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lake::load::{self, LoadConfig, LoadControl, LoadReport, LoadToken};
use lake::words::{bytes, figure};
use lake::{Lake, Place};
use serde_json::json;

use crate::cli;
use crate::compose::Base;
use crate::failure::{Exit, Failure};
use crate::output::{Output, counted, duration, right, stderr_width, table, text};
use crate::progress::{Every, Pace};
use crate::signals::Signals;

/// Runs the command.
pub(crate) async fn run(base: &Base, command: &cli::Load) -> Result<(), Failure> {
    let cli::Load::Run { config: file, params } = command;
    let settings = base.settings(Some(file))?;
    let params =
        command_line::parse(params).map_err(|error| Failure::of_code(code::PARAM_ARGUMENT, error.to_string()))?;
    let text = std::fs::read_to_string(file).map_err(|error| {
        let message = format!("cannot read the load's config `{}`: {error}", file.display());
        Failure::of_code(code::UNREADABLE_FILE, message)
    })?;
    let config = read(file, &text, &params)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|error| {
        Failure::of_code(code::UNREADABLE_FILE, format!("cannot open the folder `{}`: {error}", folder.display()))
    })?;
    let lake = base.lake(&settings).await?;
    let path = folder.join(file.file_name().unwrap_or_default());
    let scope = name(path.strip_prefix(&settings.project).unwrap_or(&path), &params);
    let token = LoadToken { token: uuid::Uuid::new_v4().to_string(), scope };
    let started = Instant::now();
    let report = match load(base, &lake, &config, token, &folder).await? {
        Ok(report) => report,
        Err(error) => {
            let placed = operators::load_config_error(&file.to_string_lossy(), &text, &error);
            return Err(placed.map_or_else(|| Failure::from(error), Failure::from));
        }
    };
    tell(base, &report, started.elapsed())?;
    Ok(())
}

/// Returns what names a load: its file in the project, and the parameters, in whatever order they were given. Running it again replaces
/// what it appended; with other parameters it is another load.
fn name(path: &Path, params: &Params) -> String {
    let mut pairs: Vec<String> = params
        .iter()
        .map(|(name, value)| format!(" {name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    pairs.sort();
    // It becomes the value of a partition.
    format!("{}{}", path.to_string_lossy(), pairs.concat()).replace(['/', '\\'], ".")
}

/// Reads the config; `-p` gives `${…}` in it their values.
fn read(file: &Path, text: &str, params: &Params) -> Result<LoadConfig, Failure> {
    let mut scope = scope::Scope::new();
    scope.push(scope::Layer::command_line(params.clone()));
    let templates = TemplateSettings { zone: jiff::tz::TimeZone::UTC, now: jiff::Timestamp::UNIX_EPOCH, seed: 0 };
    let values = scope.task("load", &Params::new(), &Params::new(), templates);
    let mut evaluate = |text: &str| values.render_text(text).map_err(|error| TaskError::from(*error));
    operators::read_load_config(&file.to_string_lossy(), text, &mut evaluate).map_err(|error| {
        let failure = Failure::from(error);
        if !text.lines().any(|line| line.starts_with('+')) {
            return failure;
        }
        failure.help(format!("tasks are a workflow's: run it with `suiro run {}`", file.display()))
    })
}

/// Loads with a bar of the bytes read, until it is done or interrupted. What comes of the load is within: its error is placed in the
/// config.
async fn load(
    base: &Base,
    lake: &Lake,
    config: &LoadConfig,
    token: LoadToken,
    folder: &Path,
) -> Result<lake::Result<LoadReport>, Failure> {
    let target = if base.output.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(None, target);
    let style = ProgressStyle::with_template("{msg}  {bytes} of {total_bytes}  {binary_bytes_per_sec} {wide_bar}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let shown = bar.clone();
    let control = LoadControl {
        progress: if bar.is_hidden() {
            said_now_and_then(base.output)
        } else {
            Arc::new(move |progress| {
                shown.set_length(progress.bytes_total);
                shown.set_position(progress.bytes_read);
                shown.set_message(counted(progress.rows, "row"));
            })
        },
        notice: said_at_once(base.output, bar.clone()),
        ..LoadControl::default()
    };
    let farewell = "stopped at once; what was written is collected by a later run";
    let mut signals = Signals::listen(base.output, ProcessGroups::default(), farewell)?;
    let work = load::run(config, lake, token, folder, &control);
    tokio::pin!(work);
    let done = tokio::select! {
        done = &mut work => done,
        () = signals.asked_to_stop() => {
            control.cancel.cancel();
            // The threads end at the next chunk; what they wrote is given up before this returns.
            let stopped = match &lake.settings.place {
                Place::Folder { .. } => work.await,
                // Nobody may answer any more.
                Place::Aws(_) => if let Ok(stopped) = tokio::time::timeout(STOPPING, work).await { stopped } else {
                    bar.finish_and_clear();
                    base.output.note("the load was left; what it wrote is collected by a later run");
                    return Err(Failure::said(Exit::Interrupted));
                },
            };
            bar.finish_and_clear();
            if stopped.is_err() {
                base.output.note("the load was stopped; nothing was published");
                return Err(Failure::said(Exit::Interrupted));
            }
            stopped
        }
    };
    bar.finish_and_clear();
    Ok(done)
}

/// How long a load may take to give up on S3 what it wrote.
const STOPPING: Duration = Duration::from_secs(2);

/// How often a load says how far it is where there is no terminal.
const PROGRESS_PAUSE: Duration = Duration::from_secs(10);

/// Says now and then how far a load is, on a line or as JSON.
fn said_now_and_then(output: Output) -> Arc<dyn Fn(load::Progress) + Send + Sync> {
    let now = Instant::now();
    let going = Mutex::new((Every::new(PROGRESS_PAUSE, now), Pace::new(now)));
    Arc::new(move |progress| {
        let now = Instant::now();
        let (is_due, rate) = {
            let (every, pace) = &mut *going.lock().unwrap_or_else(PoisonError::into_inner);
            (every.is_due(now), pace.note(progress.bytes_read, now))
        };
        if is_due && output.json {
            // A reader that has gone must not end the load.
            let _lost = output.json_line(&json!({"event": "progress", "progress": progress}));
        } else if is_due {
            let rate = rate.map_or_else(String::new, |rate| format!(", {}/s", bytes(rate)));
            let (read, total) = (bytes(progress.bytes_read), bytes(progress.bytes_total));
            output.note(&format!("… {} from {read} of {total}{rate}", counted(progress.rows, "row")));
        }
    })
}

/// Says at once, on a line or as JSON, what a user wants to know though the load goes on.
fn said_at_once(output: Output, bar: ProgressBar) -> Arc<dyn Fn(&load::Notice) + Send + Sync> {
    Arc::new(move |notice| {
        let notice = notice.to_string();
        if output.json {
            // A reader that has gone must not end the load.
            let _lost = output.json_line(&json!({"event": "notice", "notice": notice}));
        } else {
            bar.suspend(|| output.note(&notice));
        }
    })
}

/// Says what was done.
fn tell(base: &Base, report: &LoadReport, took: Duration) -> Result<(), Failure> {
    if base.output.json {
        base.output.json_line(&json!({"event": "loaded", "report": report}))?;
        return Ok(());
    }
    let mut rows = table(&["published", "partition", "rows", "bytes"]);
    for part in report.published.iter().chain(&report.rejected_kept) {
        let pairs: Vec<String> = part.partition.iter().map(|(key, value)| format!("{key}={value}")).collect();
        rows.add_row(vec![
            part.table.clone().unwrap_or_else(|| part.location.clone()),
            pairs.join("/"),
            figure(part.rows),
            bytes(part.bytes),
        ]);
    }
    right(&mut rows, &[2, 3]);
    if !rows.is_empty() {
        base.output.note(&text(&rows, stderr_width()));
    }
    for line in &report.first_rejected {
        base.output.note(&format!("rejected {line}\n  | {}", line.line));
    }
    let shown = u64::try_from(report.first_rejected.len()).unwrap_or(u64::MAX);
    if report.rejected > shown {
        base.output.note(&format!("rejected … and {} more", figure(report.rejected - shown)));
    }
    base.output.note(&format!(
        "{}, {} rejected, from {} of {} in {}",
        counted(report.rows, "row"),
        figure(report.rejected),
        bytes(report.bytes_read),
        counted(report.files, "file"),
        duration(took)
    ));
    Ok(())
}
