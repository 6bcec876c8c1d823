//! Secrets of workflows, in the environment: `${secret:db.password}` is in `SUIRO_SECRET_DB_PASSWORD`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use engine::secret::{SecretSource, Secrets};

/// How their variables begin.
const PREFIX: &str = "SUIRO_SECRET_";

/// The secrets that the environment holds.
#[derive(Clone, Default)]
pub(crate) struct EnvironmentSecrets {
    by_variable: Arc<BTreeMap<String, String>>,
}

/// Shows the names alone.
impl fmt::Debug for EnvironmentSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_variable.keys()).finish()
    }
}

impl EnvironmentSecrets {
    /// Reads the process's environment.
    pub(crate) fn read() -> Self {
        Self::of(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    fn of(variables: impl Iterator<Item = (String, String)>) -> Self {
        let secrets = variables.filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty());
        Self { by_variable: Arc::new(secrets.collect()) }
    }

    /// Returns what looks them up.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::new(Arc::new(self.clone()))
    }
}

impl SecretSource for EnvironmentSecrets {
    fn secret(&self, name: &str) -> Option<String> {
        self.by_variable.get(&variable(name)).cloned()
    }

    fn help(&self, name: &str) -> String {
        format!("set the environment variable {} where suiro runs", variable(name))
    }
}

fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase().replace(['.', '-'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_the_variable_of_its_name() {
        let variables = [("SUIRO_SECRET_DB_PASSWORD", "hunter2"), ("SUIRO_SECRET_EMPTY", ""), ("REDIS", "other")];
        let secrets =
            EnvironmentSecrets::of(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter());
        assert_eq!(secrets.secrets().resolve("x${secret:db.password}").unwrap().reveal(), "xhunter2");
        assert_eq!(secrets.secrets().resolve("${secret:Db-Password}").unwrap().reveal(), "hunter2");
        for name in ["redis", "empty"] {
            let error = secrets.secrets().resolve(&format!("${{secret:{name}}}")).unwrap_err();
            assert_eq!(error.to_string(), format!("the secret `{name}` is not set"));
            let variable = name.to_ascii_uppercase();
            assert_eq!(error.help(), format!("set the environment variable SUIRO_SECRET_{variable} where suiro runs"));
        }
        assert_eq!(format!("{secrets:?}"), "{\"SUIRO_SECRET_DB_PASSWORD\"}");
    }
}
