//! `suiro metrics`: time series from all tiers at once, and how far their windows are.

pub(super) mod astray;
mod plot;

use std::io::{self, IsTerminal, Write};

use engine::diagnostic::{code, suggest};
use engine::operator::TaskError;
use engine::params::template::TemplateSettings;
use engine::params::{Params, command_line, scope};
use engine::time::{Clock as _, SystemClock};
use jiff::Timestamp;
use lake::words::{bytes, figure};
use metrics::config::Period;
use metrics::point::value_text;
use metrics::stream::{KeptRecord, RejectedRecord};
use metrics::{
    AcceptedLoss, Aggregate, Fault, Gap, GivenUp, Instead, Metrics, OnGap, ReadAnswer, ReadRequest, SeriesAnswer,
    SeriesName, Step, TierName, TimeRange, WindowStatus,
};
use operators::{Purpose, metrics_left_out, metrics_lives_on};
use serde_json::json;

use crate::cli::{self, MetricsAggregate, MetricsFormat};
use crate::compose::Base;
use crate::failure::Failure;
use crate::output::{counted, right, stdout_width, table, text};

/// The step as a command line writes it.
const STEP: &str = "--step";

/// How many rows a table for people shows at most.
const TABLE_ROWS: usize = 1_000;

/// How much of a record is shown to people; `--json` has all of it.
const RECORD_CHARACTERS: usize = 200;

/// How wide a drawing is where the terminal does not say.
const WIDTH: usize = 100;

/// Runs the command.
pub(crate) async fn run(base: &Base, command: &cli::Metrics) -> Result<(), Failure> {
    match command {
        cli::Metrics::Read(command) => Box::pin(read(base, command)).await,
        cli::Metrics::Status(tiers) => Box::pin(status(base, tiers)).await,
        cli::Metrics::Rejected(tiers) => Box::pin(rejected(base, tiers)).await,
        cli::Metrics::AcceptLoss { tier, tiers } => Box::pin(accept_loss(base, tier, tiers)).await,
    }
}

/// Opens the tiers of a file, in which `-p` gives `${…}` their values.
async fn open(base: &Base, cli::TiersArgs { file, params }: &cli::TiersArgs) -> Result<Metrics, Failure> {
    let params =
        command_line::parse(params).map_err(|error| Failure::of_code(code::PARAM_ARGUMENT, error.to_string()))?;
    let text = std::fs::read_to_string(file).map_err(|error| {
        let message = format!("cannot read the file of tiers `{}`: {error}", file.display());
        Failure::of_code(code::UNREADABLE_FILE, message).help("say which one: `--tiers FILE`")
    })?;
    let templates = TemplateSettings { zone: jiff::tz::TimeZone::UTC, now: Timestamp::UNIX_EPOCH, seed: 0 };
    let mut scope = scope::Scope::new();
    scope.push(scope::Layer::command_line(params));
    let values = scope.task("metrics", &Params::new(), &Params::new(), templates);
    let mut is_wrong = false;
    let mut evaluate = |text: &str| {
        let rendered = values.render_text(text);
        is_wrong |= rendered.is_err();
        rendered.map_err(|error| TaskError::from(*error))
    };
    let config = operators::read_tiers_config(&file.to_string_lossy(), &text, &mut evaluate).map_err(|error| {
        let failure = Failure::from(error);
        // What stands in `_export` of a workflow is not known here.
        if is_wrong { failure.help("`-p NAME=VALUE` says what a workflow gives to the file of tiers") } else { failure }
    })?;
    let settings = base.settings(Some(file))?;
    let Some(lake) = base.existing_lake(&settings, Purpose::Work).await? else {
        if metrics::were_kept_in(&settings.state_dir) {
            let message = format!(
                "points were written to the tiers of `{}`, and the catalog of this project is gone: `catalog.sqlite` in `{}`",
                file.display(),
                settings.state_dir.display()
            );
            return Err(Failure::of_code(code::NOT_FOUND, message).help(
                "put a copy of it back: the ledger of metrics and the objects are there, and nothing else says where",
            ));
        }
        let message = format!("nothing was written to the tiers of `{}` yet", file.display());
        return Err(Failure::of_code(code::NOT_FOUND, message).help("run the workflow that fills them first"));
    };
    Ok(operators::open_metrics(&lake, &config, &base.environment.secrets.secrets()).await?)
}

/// Takes into the ledger what the catalog knows better, and says so.
async fn catch_up(base: &Base, metrics: &Metrics) -> lake::Result<()> {
    for taken in metrics.catch_up().await? {
        base.output.note(&operators::metrics_taken_in(&taken));
    }
    Ok(())
}

/// Goes on with what a server has left.
async fn accept_loss(base: &Base, tier: &str, tiers: &cli::TiersArgs) -> Result<(), Failure> {
    let tier = TierName::new(tier)?;
    let metrics = open(base, tiers).await?;
    let loss = metrics.accept_loss(&tier).await.map_err(|error| {
        let known = metrics.tiers().all().iter().map(|tier| tier.name.as_str());
        let meant = suggest::did_you_mean(tier.as_str(), known).filter(|_| error.kind == lake::ErrorKind::NotFound);
        let failure = Failure::from(error);
        meant.into_iter().fold(failure, Failure::help)
    })?;
    if base.output.json {
        let were_lost = loss != AcceptedLoss::Nothing;
        return Ok(base.output.json_line(&json!({"tier": tier.as_str(), "were_lost": were_lost}))?);
    }
    let told = match loss {
        AcceptedLoss::Points => {
            format!("`{tier}` is taken for whole again: bring the points that may be lost once more")
        }
        AcceptedLoss::Store => {
            format!("`{tier}` is no store of this project any more: bring the points that it may have held once more")
        }
        AcceptedLoss::Nothing => format!("nothing of `{tier}` was known to be lost"),
    };
    Ok(base.output.line(&told)?)
}

async fn read(base: &Base, command: &cli::MetricsRead) -> Result<(), Failure> {
    let now = SystemClock.now();
    let time = |text: &str| operators::read_metrics_time(text, now).map_err(Failure::usage);
    let range = TimeRange::new(time(&command.from)?, time(&command.to)?);
    if range.is_empty() {
        return Err(Failure::usage(format!("expected `--to` after `--from`, found {range}")));
    }
    let name = SeriesName::new(&command.name)?;
    let metrics = open(base, &command.tiers).await?;
    let asked = asked(command, metrics.tiers().raw_step())?;
    let request = ReadRequest {
        names: vec![name],
        range,
        step: asked.step,
        aggregate: asked.aggregate,
        on_gap: if command.partial { OnGap::Name } else { OnGap::Fail },
    };
    let read = async {
        match catch_up(base, &metrics).await {
            Err(error) if command.partial => {
                base.output.note(&format!("the catalog was not compared with the ledger of metrics: {error}"));
            }
            caught_up => caught_up?,
        }
        metrics.read(&request, now).await
    };
    let answer = read.await.map_err(|error| {
        // What is not there or out of reach, rather than what was asked for.
        let may_be_left_out = !command.partial && error.kind != lake::ErrorKind::InvalidInput;
        let failure = Failure::from(error);
        if may_be_left_out { failure.help("`--partial` reads the rest, and names what is missing") } else { failure }
    })?;
    operators::refuse_unknown_series(&metrics, &answer).await?;
    let Some(series) = answer.series.first() else { return Ok(()) };
    let format = command.format.unwrap_or_else(|| {
        if base.output.json {
            MetricsFormat::Json
        } else if io::stdout().is_terminal() {
            MetricsFormat::Plot
        } else {
            MetricsFormat::Csv
        }
    });
    let heading = if answer.are_points {
        format!("{}, its points", command.name)
    } else {
        format!("{}, one value each {}", command.name, answer.step)
    };
    print(format, &heading, range, &answer, series)?;
    tell(base, &command.name, &answer, series);
    Ok(())
}

/// The step and what is made of its points, as the command line says them.
struct Asked {
    step: Option<Step>,
    aggregate: Option<Aggregate>,
}

/// Reads `--step` and `--aggregate`. A length gives one value for each so much time, that of the points as well; only `raw`, and a
/// span for which that is chosen, gives the points as they are.
fn asked(command: &cli::MetricsRead, raw_step: Step) -> Result<Asked, Failure> {
    let given = command.aggregate.map(aggregate);
    let Some(text) = command.step.as_deref() else { return Ok(Asked { step: None, aggregate: given }) };
    if text == "raw" {
        if given.is_some() {
            let message = "`--aggregate` says what is made of the points of a step, and `--step raw` prints the points as they are";
            let help = format!("give a step: `--step {raw_step}` makes one value of the points of each {raw_step}");
            return Err(Failure::usage(message).help(help));
        }
        return Ok(Asked { step: Some(raw_step), aggregate: None });
    }
    if Period::has_months(text) {
        let message = format!(
            "expected a step of whole seconds that divides a day, like `1m` or `1h`, for `--step`, found `{text}`"
        );
        return Err(Failure::usage(message).help("months are no step; a minute is `1m`"));
    }
    let period = Period::parse(text).ok_or_else(|| {
        Failure::usage(format!("expected {} or `raw` for `--step`, found `{text}`", Period::EXPECTED))
    })?;
    let step = Step::from_ms(period.as_millis()).map_err(|_| {
        let expected = "a step of whole seconds that divides a day, like `1m` or `1h`";
        Failure::usage(format!("expected {expected}, for `--step`, found `{text}`"))
    })?;
    Ok(Asked { step: Some(step), aggregate: Some(given.unwrap_or_default()) })
}

fn aggregate(aggregate: MetricsAggregate) -> Aggregate {
    match aggregate {
        MetricsAggregate::Avg => Aggregate::Mean,
        MetricsAggregate::Sum => Aggregate::Sum,
        MetricsAggregate::Min => Aggregate::Min,
        MetricsAggregate::Max => Aggregate::Max,
        MetricsAggregate::Count => Aggregate::Count,
        MetricsAggregate::First => Aggregate::First,
        MetricsAggregate::Last => Aggregate::Last,
    }
}

/// Prints the rows.
fn print(
    format: MetricsFormat,
    heading: &str,
    range: TimeRange,
    answer: &ReadAnswer,
    series: &SeriesAnswer,
) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout());
    let tier = |index: usize| answer.tiers.get(index).map_or("", |tier| tier.as_str());
    match format {
        MetricsFormat::Csv => {
            writeln!(out, "timestamp,value,tier")?;
            for row in &series.rows {
                writeln!(out, "{},{},{}", moment(row.time_ms), value_text(row.value), tier(row.tier))?;
            }
        }
        MetricsFormat::Json => {
            for row in &series.rows {
                // What JSON has no number for is a text.
                let value = if row.value.is_finite() { json!(row.value) } else { json!(value_text(row.value)) };
                let row = json!({"timestamp": moment(row.time_ms), "value": value, "tier": tier(row.tier)});
                json_line(&mut out, &row)?;
            }
            // Whoever reads rows by a program is told beside them what they are not.
            for Gap { range, tier, why } in &answer.gaps {
                json_line(&mut out, &json!({"gap": span(*range, tier, why)}))?;
            }
            for Instead { range, tier, why } in &answer.instead {
                json_line(&mut out, &json!({"instead": span(*range, tier, why)}))?;
            }
            for left_out in &answer.left_out {
                let why = metrics_left_out(left_out, STEP);
                json_line(&mut out, &json!({"left_out": span(left_out.range, &left_out.tier, &why)}))?;
            }
            for given_up in &answer.given_up {
                json_line(
                    &mut out,
                    &json!({"given_up": span(given_up.range, &given_up.tier, &metrics_lives_on(given_up, STEP))}),
                )?;
            }
        }
        MetricsFormat::Table => {
            let mut rows = table(&["timestamp", "value", "tier"]);
            for row in series.rows.iter().take(TABLE_ROWS) {
                rows.add_row(vec![moment(row.time_ms), value_text(row.value), tier(row.tier).to_owned()]);
            }
            right(&mut rows, &[1]);
            writeln!(out, "{}", text(&rows, stdout_width()))?;
            if series.rows.len() > TABLE_ROWS {
                let more = u64::try_from(series.rows.len() - TABLE_ROWS).unwrap_or(u64::MAX);
                writeln!(out, "… and {}; `--format csv` prints all", counted(more, "more row"))?;
            }
        }
        MetricsFormat::Plot => {
            let points: Vec<(i64, f64)> = series.rows.iter().map(|row| (row.time_ms, row.value)).collect();
            let width = console::Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| usize::from(columns));
            writeln!(out, "{heading}")?;
            match plot::draw(&points, (range.start_ms, range.end_ms), width) {
                Some(drawing) => writeln!(out, "{drawing}")?,
                None => writeln!(out, "there is nothing to draw")?,
            }
            if let Some(left_out) = plot::left_out(&points) {
                writeln!(out, "{left_out}")?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn json_line(out: &mut impl Write, value: &serde_json::Value) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// A span of which something is to be said.
fn span(range: TimeRange, tier: &TierName, why: &str) -> serde_json::Value {
    json!({"from": moment(range.start_ms), "to": moment(range.end_ms), "tier": tier.as_str(), "why": why})
}

/// Says where the rows come from, and what could not be read.
fn tell(base: &Base, name: &str, answer: &ReadAnswer, series: &SeriesAnswer) {
    let tier = |index: usize| answer.tiers.get(index).map_or("", |tier| tier.as_str());
    if series.rows.is_empty() && answer.gaps.is_empty() {
        base.output.note(&format!("there are no points of `{name}` in that time"));
    }
    for GivenUp { range, tier, .. } in &answer.coarser_for {
        base.output.note(&format!("{range}  {tier}  given up: read with one value each {} in its place", answer.step));
    }
    for given_up in &answer.given_up {
        base.output.note(&format!(
            "{}  {}  GIVEN UP: {}",
            given_up.range,
            given_up.tier,
            metrics_lives_on(given_up, STEP)
        ));
    }
    for left_out in &answer.left_out {
        base.output.note(&format!(
            "{}  {}  LEFT OUT: {}",
            left_out.range,
            left_out.tier,
            metrics_left_out(left_out, STEP)
        ));
    }
    for segment in &series.segments {
        let (first, last) = (moment(segment.range.start_ms), moment(segment.range.end_ms - 1));
        base.output.note(&format!("{first} … {last}  {}  {}", tier(segment.tier), counted(segment.rows, "row")));
    }
    for Instead { range, tier, why } in &answer.instead {
        base.output.note(&format!("{range}  {tier}  DAMAGED, read from where its points are still held: {why}"));
    }
    for gap in &answer.gaps {
        base.output.note(&format!("{}  {}  NOT READ: {}", gap.range, gap.tier, gap.why));
    }
}

async fn status(base: &Base, tiers: &cli::TiersArgs) -> Result<(), Failure> {
    let metrics = open(base, tiers).await?;
    catch_up(base, &metrics).await?;
    let windows = metrics.status(SystemClock.now()).await?;
    if windows.is_empty() && !base.output.json {
        base.output.note("there are no windows yet");
        return Ok(());
    }
    let mut rows = table(&["tier", "window", "points", "series", "bytes", "checksum", "state"]);
    for status in &windows {
        if base.output.json {
            base.output.json_line(&json!({
                "tier": status.tier.as_str(),
                "window": status.window.label(),
                "state": status.state.word(),
                "late": status.is_late,
                "fault": status.fault.map(Fault::word),
                "astray": status.astray.is_some(),
                "stale": status.is_stale,
                "due": status.is_due,
                "generation": status.generation,
                "points": status.figures.count,
                "series": status.figures.series,
                "bytes": status.bytes,
                "checksum": status.figures.checksum.to_string(),
            }))?;
            continue;
        }
        let is_archived = status.generation > 0;
        let figure = |number: u64| if is_archived { figure(number) } else { String::new() };
        rows.add_row(vec![
            status.tier.to_string(),
            status.window.label(),
            figure(status.figures.count),
            figure(status.figures.series),
            if is_archived { bytes(status.bytes) } else { String::new() },
            if is_archived { status.figures.checksum.to_string() } else { String::new() },
            state(status),
        ]);
    }
    if !base.output.json {
        right(&mut rows, &[2, 3, 4, 5]);
        base.output.line(&text(&rows, stdout_width()))?;
        for note in astray::notes(&windows, metrics.tiers()) {
            base.output.note(&note);
        }
    }
    Ok(())
}

/// Shows the records that were kept apart.
async fn rejected(base: &Base, tiers: &cli::TiersArgs) -> Result<(), Failure> {
    let kept = open(base, tiers).await?.rejected_records().await?;
    if base.output.json {
        for KeptRecord { stream, tier, record } in &kept {
            base.output.json_line(&json!({
                "stream": stream,
                "tier": tier,
                "shard": record.shard,
                "sequence": record.sequence,
                "reason": record.reason,
                "record": record.record,
            }))?;
        }
        return Ok(());
    }
    if kept.is_empty() {
        base.output.note("no record was kept apart");
        return Ok(());
    }
    for KeptRecord { stream, tier, record } in &kept {
        let RejectedRecord { shard, sequence, reason, record } = record;
        base.output.line(&format!("{stream} {shard} {sequence}, into {tier}: {reason}"))?;
        base.output
            .line(&format!("  | {}", record.chars().take(RECORD_CHARACTERS).collect::<String>().escape_debug()))?;
    }
    Ok(())
}

/// Says how far a window is.
fn state(status: &WindowStatus) -> String {
    let word = status.state.word();
    let word = match status.fault {
        Some(Fault::Objects) => format!("{word}, damaged"),
        Some(Fault::Store) if status.generation == 0 => format!("{word}, its points are gone"),
        Some(Fault::Store) => format!("{word}, not as the store"),
        None => word.to_owned(),
    };
    let word = if status.astray.is_some() { format!("{word}, not what the catalog points to") } else { word };
    let word = if status.is_stale { format!("{word}, made of older windows") } else { word };
    match (status.is_late, status.is_due) {
        (true, _) => format!("{word}, late: points came since"),
        (false, true) => format!("{word}, due"),
        (false, false) => word,
    }
}

/// Writes a time.
fn moment(time_ms: i64) -> String {
    metrics::time::shown(time_ms)
}
