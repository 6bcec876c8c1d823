//! What the Trino query engine is opened with.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// The settings of the Trino query engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrinoSettings {
    /// The address of the coordinator, or of what stands before it: `https://trino.example.com`.
    pub url: String,
    /// Who the queries run as.
    pub user: String,
    /// How that is proved.
    pub login: TrinoLogin,
    /// The catalog whose tables are those of the lake, as Trino names it.
    pub catalog: String,
    /// The database that tables are made in while a query writes; it is made when it is not there.
    pub scratch_database: String,
    /// A file of certificates (PEM) that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// Session properties: `query_max_run_time`, or `CATALOG.name` for one of a catalog.
    pub session_properties: IndexMap<String, String>,
    /// How long a query may wait for its turn before it is stopped; none for as long as Trino lets it.
    pub queue_timeout: Option<Duration>,
    /// How long a query may run before it is stopped, the time in the queue not counted; none for Trino's own limit.
    pub run_timeout: Option<Duration>,
    /// How many bytes a query may read before it is stopped; none for what Trino says.
    pub max_scan_bytes: Option<u64>,
}

/// How a user proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrinoLogin {
    /// Not at all: Trino believes the name.
    Nothing,
    /// With a password.
    Password(Secret),
    /// With a JSON web token.
    Jwt(Secret),
}

/// The database for tables that are made while a query writes.
const SCRATCH_DATABASE: &str = "default";

impl TrinoSettings {
    /// Makes settings with the defaults: nobody is asked for a password, the tables of queries that write are made in the
    /// database `default`, and nothing is limited but by Trino.
    pub fn new(url: impl Into<String>, user: impl Into<String>, catalog: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            user: user.into(),
            login: TrinoLogin::Nothing,
            catalog: catalog.into(),
            scratch_database: SCRATCH_DATABASE.to_owned(),
            ca_file: None,
            session_properties: IndexMap::new(),
            queue_timeout: None,
            run_timeout: None,
            max_scan_bytes: None,
        }
    }

    /// Checks what no server needs to be asked for.
    ///
    /// # Errors
    /// `InvalidInput` for an address that is none, a secret that would go over the network in the clear, or a session
    /// property that cannot be sent.
    pub fn check(&self) -> Result<()> {
        let url = Self::check_url(&self.url)?;
        if self.login != TrinoLogin::Nothing && url.scheme() != "https" {
            return Err(wrong(format!(
                "a password or token only goes over an encrypted connection: expected `https://…`, found `{}`",
                self.url
            )));
        }
        if self.user.is_empty() {
            return Err(wrong("expected the name of a user of Trino, found an empty one".to_owned()));
        }
        self.session_properties.keys().try_for_each(|name| Self::check_property(name))
    }

    /// Reads the address of a coordinator.
    ///
    /// # Errors
    /// `InvalidInput` for one that is none, or that holds a user or a password; neither is repeated.
    pub fn check_url(url: &str) -> Result<reqwest::Url> {
        let found = reqwest::Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
        let Some(found) = found else {
            return Err(wrong(format!(
                "expected an address of Trino such as `https://trino.example.com:8443`, found `{}`",
                url.escape_debug()
            )));
        };
        if !found.username().is_empty() || found.password().is_some() {
            return Err(wrong("expected an address of Trino without user and password".to_owned())
                .help("the user stands in `user`, the name of the variable with the password in `password_env`"));
        }
        Ok(found)
    }

    /// Checks that the name of a session property can be sent.
    ///
    /// # Errors
    /// `InvalidInput` with the name.
    pub fn check_property(name: &str) -> Result<()> {
        // `name=value,name=value` is how they are sent; values are escaped, names are not
        // (<https://trino.io/docs/476/develop/client-protocol.html>, `X-Trino-Session`).
        let is_plain = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
        if is_plain {
            return Ok(());
        }
        Err(wrong(format!(
            "expected a session property of letters, digits and `_`, perhaps behind `CATALOG.`, found `{}`",
            name.escape_debug()
        )))
    }
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "read settings", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_over_no_open_connection_and_into_no_text() {
        let open = TrinoSettings {
            login: TrinoLogin::Password(Secret::new("hunter2")),
            ..TrinoSettings::new("http://trino.example.com", "me", "lake")
        };
        assert!(!format!("{open:?}").contains("hunter2"));
        assert_eq!(
            open.check().unwrap_err().message,
            "a password or token only goes over an encrypted connection: expected `https://…`, found \
             `http://trino.example.com`"
        );
        TrinoSettings { url: "https://trino.example.com".to_owned(), ..open }.check().unwrap();
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let settings = |url: &str| TrinoSettings::new(url, "me", "lake");
        for url in ["", "trino:8080", "ftp://trino/", "http://"] {
            let error = settings(url).check().unwrap_err();
            assert!(error.message.starts_with("expected an address of Trino such as"), "{url}: {error}");
        }
        let error = settings("https://me:pw@trino/").check().unwrap_err();
        assert_eq!(error.message, "expected an address of Trino without user and password");
        let mut wrong = settings("http://127.0.0.1:8080");
        wrong.session_properties.insert("a=b,c".to_owned(), "1".to_owned());
        assert!(wrong.check().unwrap_err().message.ends_with("found `a=b,c`"));
    }
}
