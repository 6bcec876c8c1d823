//! Whose name a task acts in, and on which catalog: the options that every `athena.…>` operator has.

use engine::operator::TaskError;
use engine::params::Params;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::options::problem;
use crate::door::{Access, Role};

/// How many digits the id of an account has.
const ACCOUNT_DIGITS: usize = 12;

/// The parameters that say in whose name a task acts.
// DIFFERENCE(digdag-operator-athena): `auth_method` and keys do not stand in workflows; keys come from the SDK's places.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct AccessParams {
    /// A role that this task acts as: `arn:aws:iam::123456789012:role/etl`. It is assumed by who the profile acts as, once for
    /// all tasks with the same one. On the embedded lake it has no effect.
    #[serde(default)]
    role_arn: Option<String>,
    /// What the trust policy of `role_arn` asks for, when it is of another company.
    #[serde(default)]
    external_id: Option<String>,
    /// How the session of `role_arn` is called in the logs of AWS; `suiro` unless given.
    #[serde(default)]
    role_session_name: Option<String>,
    /// The region; the profile's unless given. On the embedded lake it has no effect.
    #[serde(default)]
    region: Option<String>,
    /// The catalog, as the id of its AWS account: of Glue, and of the queries of Athena. The profile's unless given. On the
    /// embedded lake there is one catalog and this has no effect.
    #[serde(default)]
    catalog_id: Option<String>,
}

impl AccessParams {
    /// Reads the parameters of a task that is planned only; those that cannot be read count as absent.
    pub(crate) fn of(params: &Params) -> Self {
        let names = ["role_arn", "external_id", "role_session_name", "region", "catalog_id"];
        let own = names.iter().filter_map(|name| Some(((*name).to_owned(), params.get(*name)?.clone())));
        serde_json::from_value(Value::Object(own.collect())).unwrap_or_default()
    }

    /// Says in whose name the task acts.
    pub(crate) fn access(&self) -> Result<Access, TaskError> {
        let role = match &self.role_arn {
            Some(arn) if arn.starts_with("arn:") && arn.contains(":role/") => Some(Role {
                arn: arn.clone(),
                external_id: self.external_id.clone(),
                session_name: self.role_session_name.clone(),
            }),
            Some(arn) => {
                let message = format!("expected a role such as `arn:aws:iam::123456789012:role/etl`, found `{arn}`");
                return Err(problem("role_arn", message));
            }
            None => {
                for (name, value) in
                    [("external_id", &self.external_id), ("role_session_name", &self.role_session_name)]
                {
                    if value.is_some() {
                        return Err(problem(name, format!("`{name}` means nothing without `role_arn`")));
                    }
                }
                None
            }
        };
        if let Some(id) = &self.catalog_id
            && (id.len() != ACCOUNT_DIGITS || !id.bytes().all(|byte| byte.is_ascii_digit()))
        {
            let message = format!("expected the {ACCOUNT_DIGITS} digits of an account, in quotes, found `{id}`");
            return Err(problem("catalog_id", message));
        }
        Ok(Access { role, region: self.region.clone(), catalog_id: self.catalog_id.clone() })
    }
}
