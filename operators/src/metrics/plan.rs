//! What `suiro plan` says of `metrics.…>` tasks: from where to where, and which windows are due by what the ledger knows now.
//! No store is opened and nothing is noted.

use engine::operator::TaskError;
use engine::operator::typed::read_params;
use engine::params::{ParamPath, Params};
use lake::words::counted;
use lake::{ErrorKind, Lake};
use metrics::config::{Period, TierConfig, TiersConfig};
use metrics::{Metrics, RollupSource, TierName, TimeRange, Window};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config::read_config;
use super::door::{open_to_look, tier};
use super::params::{TiersParams, WindowParams};
use super::route::Work;
use super::{dump, expire, flush, output, rollup, verify};
use crate::error::task_error;

/// The operators of which a plan says more than their parameters.
pub(crate) const PLANNED: [&str; 5] =
    ["metrics.dump", "metrics.expire", "metrics.flush", "metrics.rollup", "metrics.verify"];

/// How many windows are named in a line.
const NAMED: usize = 8;

/// What a task would do with windows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlannedWindows {
    /// The tier that is read, or whose points go.
    pub from: String,
    /// The tier that is written, or compared; none for an expiry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The table of the windows, where they are partitions of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The windows that are due, by the values of their partition key; none where that is not known yet.
    pub due: Option<Vec<String>>,
}

/// What is known of a task.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    pub(crate) windows: Option<PlannedWindows>,
    pub(crate) lines: Vec<String>,
}

/// Everything that a plan of a task is made from.
pub(crate) struct Sources<'a> {
    pub(crate) lake: Option<&'a Lake>,
    /// The operator's name, one of [`PLANNED`].
    pub(crate) operator: &'a str,
    /// The parameters as far as they are known.
    pub(crate) params: &'a Params,
    /// The time of the session.
    pub(crate) session: jiff::Timestamp,
    /// The name and the text of the file of tiers.
    pub(crate) tiers: (&'a str, &'a str),
}

/// Says what a task would do.
///
/// # Errors
/// What is wrong with its parameters or with the file of tiers; those of the ledger.
pub(crate) async fn plan(
    sources: &Sources<'_>,
    evaluate: &mut (dyn FnMut(&str) -> Result<String, TaskError> + Send),
) -> Result<Planned, TaskError> {
    let (name, text) = sources.tiers;
    let config = read_config(name, text, &mut |text| evaluate(text))?;
    let step = match sources.operator {
        "metrics.dump" => Step::of_dump(&read(sources.params)?),
        "metrics.rollup" => Step::of_rollup(&read(sources.params)?, &config),
        "metrics.verify" => Step::of_verify(read(sources.params)?)?,
        "metrics.expire" => Step::of_expire(&read(sources.params)?, &config),
        "metrics.flush" => {
            let params: flush::Params = read(sources.params)?;
            check(Work::Flush, &config, name, &[("_command", &params.command), ("to", &params.to)])?;
            let line = format!("moves series of `{}` to `{}`", params.command, params.to);
            return Ok(Planned { lines: vec![line], ..Planned::default() });
        }
        _ => return Ok(Planned::default()),
    };
    let named: Vec<(&str, &str)> = step.named.iter().map(|(path, tier)| (path.as_str(), tier.as_str())).collect();
    check(step.work, &config, name, &named)?;
    let due = match look(sources.lake, &config).await.map_err(task_error)? {
        Some(metrics) => Some(step.due(&metrics, sources.params, sources.session).await?),
        None => None,
    };
    Ok(step.planned(&config, due.as_deref()))
}

/// Reads the parameters of an operator, whose own check has found nothing wrong with them.
fn read<P: DeserializeOwned + JsonSchema>(params: &Params) -> Result<P, TaskError> {
    read_params("task", params).map_err(TaskError::wrong_params)
}

fn check(work: Work, config: &TiersConfig, file: &str, named: &[(&str, &str)]) -> Result<(), TaskError> {
    let named: Vec<(ParamPath, &str)> = named.iter().map(|(path, tier)| (ParamPath::from(*path), *tier)).collect();
    work.check(config, file, &named)
}

/// One window after the other: what is done, from which tier to which.
struct Step {
    work: Work,
    /// The parameters that name tiers.
    named: Vec<(String, String)>,
    kind: Kind,
    /// Whether windows of Parquet go.
    is_parquet: bool,
}

enum Kind {
    Dump,
    Rollup(RollupSource),
    Verify,
    Expire { older_than_ms: i64 },
}

impl Step {
    fn of_dump(params: &dump::Params) -> Self {
        Self { work: Work::Dump, named: pair(&params.command, &params.to), kind: Kind::Dump, is_parquet: false }
    }

    fn of_rollup(params: &rollup::Params, config: &TiersConfig) -> Self {
        let source = params.source(rollup::is_raw(config, &params.command));
        Self {
            work: Work::Rollup,
            named: pair(&params.command, &params.to),
            kind: Kind::Rollup(source),
            is_parquet: false,
        }
    }

    fn of_verify(params: verify::Params) -> Result<Self, TaskError> {
        let [from, to]: [String; 2] = params.command.try_into().map_err(|_| super::params::two_tiers())?;
        let named = vec![("_command[0]".to_owned(), from), ("_command[1]".to_owned(), to)];
        Ok(Self { work: Work::Verify, named, kind: Kind::Verify, is_parquet: false })
    }

    fn of_expire(params: &expire::Params, config: &TiersConfig) -> Self {
        let keep = config.tiers.get(&params.command).map_or(Period::ZERO, TierConfig::keep);
        let older_than_ms = params.older_than.unwrap_or(keep).as_millis();
        let named = vec![("_command".to_owned(), params.command.clone())];
        let is_parquet = config.tiers.get(&params.command).is_some_and(|tier| tier.as_parquet().is_some());
        Self { work: Work::Expire, named, kind: Kind::Expire { older_than_ms }, is_parquet }
    }

    fn from(&self) -> &str {
        self.named.first().map_or("", |(_, tier)| tier)
    }

    fn to(&self) -> Option<&str> {
        self.named.get(1).map(|(_, tier)| tier.as_str())
    }

    /// Lists the windows that are due.
    async fn due(
        &self,
        metrics: &Metrics,
        params: &Params,
        session: jiff::Timestamp,
    ) -> Result<Vec<Window>, TaskError> {
        let now = read::<TiersParams>(params)?.now_at(session)?;
        let range: Option<TimeRange> = read::<WindowParams>(params)?.range(now)?;
        let from: TierName = tier(self.from())?;
        let to = self.to().map(tier).transpose()?.unwrap_or_else(|| from.clone());
        let due = match self.kind {
            Kind::Dump => metrics.known_dumps(&from, &to, range, now).await,
            Kind::Rollup(source) => metrics.due_rollups(&from, &to, range, source).await,
            Kind::Verify => metrics.due_verifications(&to, range).await,
            Kind::Expire { older_than_ms } if self.is_parquet => {
                metrics.due_drops(&from, range, older_than_ms, now).await
            }
            Kind::Expire { older_than_ms } => metrics.due_expiries(&from, range, older_than_ms, now).await,
        };
        due.map_err(task_error)
    }

    fn planned(&self, config: &TiersConfig, due: Option<&[Window]>) -> Planned {
        let table = |tier: Option<&str>| Some(config.tiers.get(tier?)?.as_parquet()?.table.to_lowercase());
        let table = table(self.to()).or_else(|| table(Some(self.from())));
        let windows = PlannedWindows {
            from: self.from().to_owned(),
            to: self.to().map(str::to_owned),
            table: table.clone(),
            due: due.map(|due| due.iter().map(Window::label).collect()),
        };
        let place = |tier: &str| match &table {
            Some(table) => format!("`{tier}` ({table})"),
            None => format!("`{tier}`"),
        };
        let (from, to) = (self.from(), self.to().unwrap_or_default());
        let what = match self.kind {
            Kind::Dump => format!("dumps windows of `{from}` to {}", place(to)),
            Kind::Rollup(_) => format!("rolls windows of `{from}` up to {}", place(to)),
            Kind::Verify => format!("compares windows of {} with `{from}`", place(to)),
            Kind::Expire { .. } => format!("deletes windows of {}", place(from)),
        };
        let lines = vec![what, told(windows.due.as_deref())];
        Planned { windows: Some(windows), lines }
    }
}

/// Tells which windows are due.
fn told(due: Option<&[String]>) -> String {
    let Some(due) = due else { return "nothing was written to the tiers yet: no window is due by now".to_owned() };
    let count = counted(output::number(due.len()), "window");
    match due {
        [] => "no window is due by now".to_owned(),
        some if some.len() <= NAMED => format!("{count} due by now: {}", some.join(", ")),
        [first, .., last] => format!("{count} due by now: {first} to {last}"),
        [only] => format!("{count} due by now: {only}"),
    }
}

fn pair(from: &str, to: &str) -> Vec<(String, String)> {
    vec![("_command".to_owned(), from.to_owned()), ("to".to_owned(), to.to_owned())]
}

/// Opens the tiers to look at them; none where nothing was written yet, or the ledger cannot be read from here.
async fn look(lake: Option<&Lake>, config: &TiersConfig) -> lake::Result<Option<Metrics>> {
    match open_to_look(lake, config).await {
        Err(error) if error.kind == ErrorKind::PermissionDenied => Ok(None),
        opened => opened,
    }
}
