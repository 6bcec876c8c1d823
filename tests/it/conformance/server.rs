//! Servers that stand in for AWS, each on a free port of this machine, stopped at the end of the test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lake::aws::{AthenaSettings, AwsEndpoints, AwsKeys, AwsSettings};
use lake::name::Location;
use serde_json::Value;

use crate::support::Project;

/// A server that stands in for AWS.
pub(crate) trait OnAws {
    /// Its host and port.
    fn address(&self) -> &str;

    /// The settings of a lake on it.
    fn settings(&self) -> AwsSettings {
        AwsSettings {
            region: Some("us-east-1".to_owned()),
            keys: Some(AwsKeys { id: "AKIDEXAMPLE".to_owned(), secret: "secret".to_owned() }),
            endpoints: AwsEndpoints { all: Some(format!("http://{}", self.address())), ..AwsEndpoints::default() },
            warehouse: Some(Location::parse("s3://bucket-b/warehouse/").unwrap()),
            athena: AthenaSettings {
                output_location: Some(Location::parse("s3://bucket-c/athena/").unwrap()),
                ..AthenaSettings::default()
            },
            ..AwsSettings::default()
        }
    }

    /// Makes the buckets of the tests.
    fn make_buckets(&self) {
        for bucket in ["bucket-b", "bucket-c"] {
            let answer = self.ask("PUT", &format!("/{bucket}"));
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    }

    /// Sends a request without a body, as somebody of the account, and returns the answer as it came.
    fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let host = self.address();
        // Neither server looks at the signature, and moto lets nobody without one read what is private.
        let signer = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/s3/aws4_request, \
                      SignedHeaders=host, Signature=0";
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {signer}\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// `suiro emulate`.
pub(crate) struct Emulated {
    child: Child,
    address: String,
    project: Project,
}

impl Emulated {
    pub(crate) fn start() -> Self {
        Self::of(Project::new(), &[])
    }

    /// Starts one at which calls fail: by these rules, the same ones each time.
    pub(crate) fn with_faults(rules: &str) -> Self {
        let project = Project::new();
        project.write("fault.yml", format!("seed: 7\nrules:\n{rules}"));
        Self::of(project, &["--fault", "fault.yml"])
    }

    /// Starts one for a project, with more arguments.
    pub(crate) fn of(project: Project, arguments: &[&str]) -> Self {
        let mut command = project.command(&["emulate", "--port", "0", "--json"]);
        command.args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let url = listening["environment"]["AWS_ENDPOINT_URL"].as_str().unwrap();
        Self { address: url.strip_prefix("http://").unwrap().to_owned(), child, project }
    }

    /// Returns a folder that goes with it.
    pub(crate) fn folder(&self) -> &Path {
        self.project.path()
    }
}

impl OnAws for Emulated {
    fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Emulated {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// moto's server.
pub(crate) struct Moto {
    child: Child,
    address: String,
}

impl Moto {
    /// Starts it; none when it is not installed.
    #[expect(clippy::print_stdout, reason = "a test says what it skips")]
    pub(crate) fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("SUIRO_TEST_MOTO") else {
            println!("skipped: no SUIRO_TEST_MOTO (`./test` sets it)");
            return None;
        };
        let mut command = Command::new(python);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.split_once("Running on http://").map(|(_, address)| address.trim().to_owned()));
        // It tells of each request, and would wait for somebody to read that.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, address: address.unwrap() })
    }
}

impl OnAws for Moto {
    fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
