//! Results of earlier queries that are given again, to those who ask for it.
//!
//! What must be the same is what the service says
//! (<https://docs.aws.amazon.com/athena/latest/ug/reusing-query-results.html>): the text and its parameters, the database, the
//! workgroup, the place of results. Whether the tables have changed since is not asked, there as here.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::athena::Athena;
use crate::athena::model::{Execution, State};
use crate::athena::refusal::constraint;
use crate::error::ApiResult;

/// How old a result may be when the call does not say, and at most: an hour, seven days.
const DEFAULT_MINUTES: u32 = 60;
const MOST_MINUTES: u32 = 7 * 24 * 60;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ByAge {
    enabled: bool,
    max_age_in_minutes: Option<u32>,
}

/// Reads how old an earlier result may be; none when the call does not ask for one.
pub(super) fn minutes(configuration: Option<&Value>) -> ApiResult<Option<u32>> {
    let Some(by_age) = configuration.and_then(|value| value.get("ResultReuseByAgeConfiguration")) else {
        return Ok(None);
    };
    let by_age: ByAge = super::input(by_age.clone())?;
    let minutes = by_age.max_age_in_minutes.unwrap_or(DEFAULT_MINUTES);
    if minutes > MOST_MINUTES {
        return Err(constraint(
            "resultReuseConfiguration.resultReuseByAgeConfiguration.maxAgeInMinutes",
            &format!("have value less than or equal to {MOST_MINUTES}"),
        ));
    }
    Ok(by_age.enabled.then_some(minutes))
}

/// Writes what a query asked for.
pub(super) fn output(minutes: Option<u32>) -> Value {
    let by_age = match minutes {
        Some(minutes) => json!({ "Enabled": true, "MaxAgeInMinutes": minutes }),
        None => json!({ "Enabled": false }),
    };
    json!({ "ResultReuseByAgeConfiguration": by_age })
}

impl Athena {
    /// Returns the newest query whose result may be given to another one.
    pub(super) async fn reusable(&self, execution: &Execution) -> ApiResult<Option<Execution>> {
        let Some(minutes) = execution.reuse_minutes else { return Ok(None) };
        let oldest_ms = execution.submitted_ms.saturating_sub(i64::from(minutes) * 60_000);
        let folder =
            |execution: &Execution| execution.output_location.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        let before = self.inner.store.asked_before(&execution.workgroup, &execution.query).await?;
        Ok(before.into_iter().find(|before| {
            before.state == State::Succeeded
                && !before.reused
                && before.substatement == "SELECT"
                && before.completed_ms.is_some_and(|completed_ms| completed_ms >= oldest_ms)
                && (&before.database, &before.parameters) == (&execution.database, &execution.parameters)
                && folder(before) == folder(execution)
        }))
    }
}
