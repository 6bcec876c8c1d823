//! Where Athena writes results: the query's place, the profile's, or the workgroup's own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_athena::types::WorkGroupConfiguration;

use super::api::Api;
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;

/// What a workgroup says of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WorkGroup {
    /// Its own place holds whatever a client names.
    is_enforced: bool,
    /// It has a place, or keeps results itself.
    has_place: bool,
}

/// The workgroups that were asked for; a running process does not notice that one changes.
#[derive(Debug, Default)]
pub(super) struct WorkGroups {
    known: Mutex<HashMap<String, Option<WorkGroup>>>,
}

impl WorkGroups {
    /// Returns the place to name when a query is started in a workgroup; none to leave it to the workgroup, which it must be
    /// where the workgroup enforces its own: Athena passes over another one in silence, and a token that is sent again with
    /// another place is refused.
    ///
    /// # Errors
    /// `InvalidInput` when nobody names a place, the workgroup is not there, or its engine runs other statements than ours.
    pub(super) async fn place(&self, api: &Api, workgroup: &str, named: Option<&Location>) -> Result<Option<Location>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(workgroup).copied();
        let group = if let Some(group) = known {
            group
        } else {
            let group = match api.workgroup(workgroup).await {
                Ok(configuration) => {
                    runs_our_statements(workgroup, &configuration)?;
                    Some(WorkGroup::of(&configuration))
                }
                // Who may run queries need not be allowed to read the workgroup; Athena says what is missing then.
                Err(error) if error.kind == ErrorKind::PermissionDenied => None,
                Err(error) => return Err(error),
            };
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(workgroup.to_owned(), group);
            group
        };
        match (group, named) {
            (Some(WorkGroup { is_enforced: true, .. }), _) => Ok(None),
            (Some(WorkGroup { has_place: false, .. }), None) => Err(Error::new(
                ErrorKind::InvalidInput,
                "start a query",
                format!("there is no place for the results of Athena: the workgroup `{workgroup}` has none"),
            )
            .help("set `output_location: s3://BUCKET/PREFIX/` in the profile, or give the workgroup one")),
            (_, named) => Ok(named.map(Location::as_prefix)),
        }
    }
}

/// The version whose SQL our statements are written in:
/// <https://docs.aws.amazon.com/athena/latest/ug/engine-versions-reference-0003.html>.
const ENGINE_VERSION: u32 = 3;

/// Looks at the engine of a workgroup: one of Spark takes no SQL, and an older one of SQL gives other answers.
fn runs_our_statements(workgroup: &str, configuration: &WorkGroupConfiguration) -> Result<()> {
    let version = configuration.engine_version.as_ref().and_then(|engine| engine.effective_engine_version.as_deref());
    // Who does not tell, runs what is current.
    let Some(version) = version else { return Ok(()) };
    let number = version.strip_prefix("Athena engine version ").map(|number| number.trim().parse::<u32>());
    if number.is_some_and(|number| number.is_ok_and(|number| number >= ENGINE_VERSION)) {
        return Ok(());
    }
    let message = format!(
        "expected Athena engine version {ENGINE_VERSION} or later, found `{version}` in the workgroup `{workgroup}`"
    );
    Err(Error::new(ErrorKind::InvalidInput, "start a query", message)
        .help("name another one with `workgroup:`, or set the engine version of this one to `AUTO`"))
}

impl WorkGroup {
    fn of(configuration: &WorkGroupConfiguration) -> Self {
        let result = configuration.result_configuration.as_ref();
        let has_location =
            result.is_some_and(|result| result.output_location.as_ref().is_some_and(|text| !text.is_empty()));
        let is_managed =
            configuration.managed_query_results_configuration.as_ref().is_some_and(|managed| managed.enabled);
        let has_place = has_location || is_managed;
        Self { is_enforced: has_place && configuration.enforce_work_group_configuration == Some(true), has_place }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_athena::types::EngineVersion;

    use super::*;

    #[test]
    fn a_workgroup_whose_engine_takes_other_statements_is_refused() {
        let of = |version: Option<&str>| {
            let engine = version.map(|version| EngineVersion::builder().effective_engine_version(version).build());
            let configuration = WorkGroupConfiguration::builder().set_engine_version(engine).build();
            runs_our_statements("etl", &configuration).map_err(|error| error.message)
        };
        for version in [None, Some("Athena engine version 3"), Some("Athena engine version 4")] {
            assert_eq!(of(version), Ok(()));
        }
        for version in ["Athena engine version 2", "PySpark engine version 3", "Apache Spark version 3.5"] {
            let refused =
                format!("expected Athena engine version 3 or later, found `{version}` in the workgroup `etl`");
            assert_eq!(of(Some(version)), Err(refused));
        }
    }
}
