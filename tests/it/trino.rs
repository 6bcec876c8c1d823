//! A real Trino over our Glue and S3 endpoint: as suiro's query engine, and as an outside client of the endpoint.
//!
//! `./test --trino` downloads and starts one, and names its address in `SUIRO_TEST_TRINO`, a Python with its client in
//! `SUIRO_TEST_TRINO_PYTHON`, the folder of its users in `SUIRO_TEST_TRINO_LOGINS`; without them these tests say that they are
//! skipped.

mod checksum;
mod login;
mod outside;
pub(crate) mod profiles;
mod stop;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::root;

/// A running Trino.
#[derive(Debug, Clone)]
pub(crate) struct Trino {
    url: String,
    python: PathBuf,
    /// What a user needs who comes over TLS (tests/trino/server).
    logins: PathBuf,
}

/// A catalog of it over an endpoint; dropped at the end.
#[derive(Debug)]
pub(crate) struct Connected {
    trino: Trino,
    pub(crate) catalog: String,
}

impl Trino {
    /// Returns the one that `./test --trino` started; none without it.
    #[expect(clippy::print_stdout, reason = "a test says what it skips")]
    pub(crate) fn find() -> Option<Self> {
        let found = || {
            let url = std::env::var("SUIRO_TEST_TRINO").ok()?;
            let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
            Some(Self { url, python: path("SUIRO_TEST_TRINO_PYTHON")?, logins: path("SUIRO_TEST_TRINO_LOGINS")? })
        };
        let found = found();
        if found.is_none() {
            println!("skipped: no SUIRO_TEST_TRINO (`./test --trino` sets it)");
        }
        found
    }

    /// Makes a catalog over an endpoint: its Hive connector on that Glue and S3, as a user sets it up who follows
    /// `docs/trino.md`.
    pub(crate) fn connect(&self, endpoint: &str) -> Connected {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let catalog = format!("lake_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let properties: Vec<String> = [
            ("hive.metastore", "glue"),
            ("hive.metastore.glue.region", "us-east-1"),
            ("hive.metastore.glue.endpoint-url", endpoint),
            ("hive.metastore.glue.aws-access-key", "suiro"),
            ("hive.metastore.glue.aws-secret-key", "suiro"),
            ("fs.native-s3.enabled", "true"),
            ("s3.endpoint", endpoint),
            ("s3.region", "us-east-1"),
            ("s3.path-style-access", "true"),
            ("s3.aws-access-key", "suiro"),
            ("s3.aws-secret-key", "suiro"),
            ("hive.non-managed-table-writes-enabled", "true"),
            ("hive.allow-register-partition-procedure", "true"),
        ]
        .iter()
        .map(|(name, value)| format!("\"{name}\" = '{value}'"))
        .collect();
        self.ask("system", &[&format!("CREATE CATALOG {catalog} USING hive WITH ({})", properties.join(", "))]);
        Connected { trino: self.clone(), catalog }
    }

    /// Runs statements by Trino's own client; returns the rows of the last one.
    pub(crate) fn ask(&self, catalog: &str, statements: &[&str]) -> Value {
        let mut command = Command::new(&self.python);
        command.arg(root().join("tests/trino/ask.py")).args([&self.url, catalog]).args(statements);
        let output = command.env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statements:?}\n{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Connected {
    /// Returns the address of Trino.
    pub(crate) fn url(&self) -> &str {
        &self.trino.url
    }

    /// Runs statements in the catalog; returns the rows of the last one.
    pub(crate) fn ask(&self, statements: &[&str]) -> Value {
        self.trino.ask(&self.catalog, statements)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.trino.ask("system", &[&format!("DROP CATALOG {}", self.catalog)]);
        }
    }
}
