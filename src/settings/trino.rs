//! The settings of a profile of Trino, as written in `suiro.yml`: S3 and Glue as on AWS, and the Trino that runs queries.
//!
//! Nothing secret stands here: the file names the variable that holds a password or a token.

use std::path::{Path, PathBuf};

use engine::diagnostic::{Diagnostic, code};
use engine::document::{Key, Node, NodeKind};
use indexmap::IndexMap;
use lake::Secret;
use lake::aws::{AwsSettings, EngineKind};
use lake::query::trino::{TrinoLogin, TrinoSettings};

use super::aws;
use crate::failure::Failure;

/// The keys of a profile on AWS that speak of Athena, or of who runs queries.
const OF_ATHENA: [&str; 7] =
    ["engine", "workgroup", "output_location", "data_catalog", "max_queries", "max_ddl_queries", "usd_per_tb"];

/// A key, and how its value is read; the reader says what it expected.
type Reader = fn(&Node, &mut Written) -> Result<(), String>;

/// What is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Written {
    url: Option<String>,
    user: Option<String>,
    password_env: Option<String>,
    jwt_env: Option<String>,
    catalog: Option<String>,
    scratch_database: Option<String>,
    ca_file: Option<PathBuf>,
    session_properties: IndexMap<String, String>,
}

/// The keys of a profile of Trino, besides those that it has as one on AWS; `docs/settings.md` lists them.
const KEYS: &[(&str, Reader)] = &[
    ("url", |node, written| {
        let url = aws::address(node)?;
        TrinoSettings::check_url(&url).map_err(aws::as_expected)?;
        written.url = Some(url);
        Ok(())
    }),
    ("user", |node, written| aws::set(&mut written.user, aws::text(node))),
    ("password_env", |node, written| aws::set(&mut written.password_env, aws::text(node))),
    ("jwt_env", |node, written| aws::set(&mut written.jwt_env, aws::text(node))),
    ("catalog", |node, written| aws::set(&mut written.catalog, aws::text(node))),
    ("scratch_database", |node, written| aws::set(&mut written.scratch_database, aws::text(node))),
    ("ca_file", |node, written| aws::set(&mut written.ca_file, aws::text(node).map(PathBuf::from))),
    ("session_properties", |node, written| {
        for (name, value) in aws::mapping(node)? {
            TrinoSettings::check_property(&name.name).map_err(aws::as_expected)?;
            written.session_properties.insert(name.name.clone(), plain(value)?);
        }
        Ok(())
    }),
];

/// What a profile of Trino cannot do without.
const NEEDED: [&str; 3] = ["url", "user", "catalog"];

/// Returns the names of the keys.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(name, _)| *name).chain(aws::keys().filter(|name| !OF_ATHENA.contains(name)))
}

/// Tells whether a key is one of Trino alone.
pub(super) fn is_own(key: &str) -> bool {
    KEYS.iter().any(|(name, _)| *name == key)
}

/// Reads the keys of a profile of Trino: those of [`keys`]; the others are somebody else's. `profile` is its name.
pub(super) fn read(profile: &Key, entries: &[(Key, Node)], problems: &mut Vec<Diagnostic>) -> (AwsSettings, Written) {
    let mut written = Written::default();
    for (key, value) in entries {
        let Some((name, read)) = KEYS.iter().find(|(name, _)| *name == key.name) else { continue };
        if let Err(what) = read(value, &mut written) {
            let message = format!("expected for `{name}` {what}");
            problems.push(Diagnostic::error(code::KEY_VALUE, value.span, message));
        }
    }
    let missing: Vec<String> = NEEDED
        .iter()
        .filter(|name| !entries.iter().any(|(key, _)| key.name == **name))
        .map(|name| format!("`{name}`"))
        .collect();
    if !missing.is_empty() {
        let message = format!("the profile `{}` of Trino needs {}", profile.name, missing.join(" and "));
        problems.push(Diagnostic::error(code::KEY_VALUE, profile.span, message).help(
            "`url` is the address of the coordinator, `user` who queries run as, `catalog` the name of the catalog over this lake",
        ));
    }
    if let Some((key, _)) = entries.iter().find(|(key, _)| key.name == "jwt_env" && written.password_env.is_some()) {
        let message = "`password_env` and `jwt_env` cannot both be given";
        problems.push(Diagnostic::error(code::KEY_VALUE, key.span, message));
    }
    (aws::read(entries, problems), written)
}

impl Written {
    /// Puts the settings together; `variable` reads the environment.
    ///
    /// # Errors
    /// When a variable that is named is not set, or the settings exclude each other.
    pub(super) fn settings(
        self,
        aws: AwsSettings,
        project: &Path,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<AwsSettings, Failure> {
        let secret = |key: &str, name: &Option<String>| {
            name.as_ref()
                .map(|name| {
                    variable(name).map(Secret::new).ok_or_else(|| {
                        Failure::usage(format!("the variable `{name}`, which `{key}` of the profile names, is not set"))
                    })
                })
                .transpose()
        };
        let password = secret("password_env", &self.password_env)?.map(TrinoLogin::Password);
        let login = password.or(secret("jwt_env", &self.jwt_env)?.map(TrinoLogin::Jwt)).unwrap_or(TrinoLogin::Nothing);
        let made = TrinoSettings::new(
            self.url.unwrap_or_default(),
            self.user.unwrap_or_default(),
            self.catalog.unwrap_or_default(),
        );
        let trino = TrinoSettings {
            login,
            scratch_database: self.scratch_database.unwrap_or(made.scratch_database),
            ca_file: self.ca_file.map(|file| project.join(file)),
            session_properties: self.session_properties,
            queue_timeout: aws.athena.queue_timeout,
            run_timeout: aws.athena.run_timeout,
            max_scan_bytes: aws.athena.max_scan_bytes,
            ..made
        };
        trino.check().map_err(|error| {
            let failure = Failure::usage(error.message);
            match error.help {
                Some(help) => failure.help(help),
                None => failure,
            }
        })?;
        Ok(AwsSettings { engine: EngineKind::Trino(Box::new(trino)), ..aws })
    }
}

/// Reads a value that is sent as text: `true`, `8`, `2h`.
fn plain(node: &Node) -> Result<String, String> {
    match &node.kind {
        NodeKind::Bool(value) => Ok(value.to_string()),
        NodeKind::Int(value) => Ok(value.to_string()),
        NodeKind::Float(value) => Ok(value.to_string()),
        _ => aws::text(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Written {
        Written {
            url: Some("https://trino.example.com".to_owned()),
            user: Some("etl".to_owned()),
            catalog: Some("lake".to_owned()),
            password_env: Some("TRINO_PASSWORD".to_owned()),
            ca_file: Some(PathBuf::from("ca.pem")),
            ..Written::default()
        }
    }

    #[test]
    fn a_password_comes_from_the_variable_that_is_named() {
        let known = |name: &str| (name == "TRINO_PASSWORD").then(|| "s3cret".to_owned());
        let settings = written().settings(AwsSettings::default(), Path::new("/p"), known).unwrap();
        let EngineKind::Trino(trino) = &settings.engine else { panic!("{settings:?}") };
        assert_eq!(trino.login, TrinoLogin::Password(Secret::new("s3cret")));
        assert_eq!(trino.ca_file.as_deref(), Some(Path::new("/p/ca.pem")));
        assert_eq!(trino.scratch_database, "default");
        assert!(!format!("{settings:?}").contains("s3cret"));
        let failure = written().settings(AwsSettings::default(), Path::new("/p"), |_| None).unwrap_err();
        assert!(
            format!("{failure:?}").contains("the variable `TRINO_PASSWORD`, which `password_env` of the profile names")
        );
    }

    #[test]
    fn a_password_goes_over_no_open_connection() {
        let open = Written { url: Some("http://trino.example.com".to_owned()), ..written() };
        let failure = open.settings(AwsSettings::default(), Path::new("/p"), |_| Some("x".to_owned())).unwrap_err();
        assert!(format!("{failure:?}").contains("only goes over an encrypted connection"), "{failure:?}");
    }
}
