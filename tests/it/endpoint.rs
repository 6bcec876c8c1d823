//! `suiro emulate` as a process of its own, and programs that call it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Outcome, Project, root};

/// An endpoint over a project's lake.
pub(crate) struct Endpoint<'p> {
    project: &'p Project,
    child: Child,
    environment: Vec<(String, String)>,
}

impl<'p> Endpoint<'p> {
    /// Starts it and waits until it listens.
    pub(crate) fn start(project: &'p Project, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = project.command(&["emulate", "--port", "0", "--json"]);
        command.args(arguments).envs(environment.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(listening["event"], "listening");
        let variables = listening["environment"].as_object().unwrap();
        let environment =
            variables.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        Self { project, child, environment }
    }

    /// Runs a client to its end, which must be a good one.
    pub(crate) fn run(&self, program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let mut command = self.project.program(program);
        self.name_to(&mut command);
        command.envs(environment.iter().copied()).args(arguments);
        let outcome = Outcome::of(self.project, &command.output().unwrap());
        assert_eq!(outcome.exit, Some(0), "{} {}\n{outcome}", program.display(), arguments.join(" "));
        outcome
    }

    /// Lets a program call this endpoint and no other: without the configuration of whoever runs the tests.
    pub(crate) fn name_to(&self, command: &mut Command) {
        alone(command);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Returns its address.
    pub(crate) fn url(&self) -> &str {
        let url = self.environment.iter().find(|(name, _)| name == "AWS_ENDPOINT_URL");
        url.map(|(_, url)| url.as_str()).unwrap()
    }

    /// Runs a script of `tests/clients`.
    pub(crate) fn script(&self, python: &Path, name: &str, environment: &[(&str, &str)]) -> String {
        let script = root().join("tests/clients").join(name);
        self.run(python, &[script.to_str().unwrap()], environment).stdout
    }

    /// Stops the endpoint as a user does, and returns how it ended.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Endpoint<'_> {
    fn drop(&mut self) {
        // After a test that failed; one that was stopped is gone already.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Takes from a program all that leads to AWS: keys, profiles, addresses and the metadata services.
pub(crate) fn alone(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true");
}
