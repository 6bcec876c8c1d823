//! What an operator looks up of the secrets is nowhere afterwards, however careless the operator is.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::diagnostic::code;
use crate::operator::error::Retry;
use crate::operator::{TaskContext, TaskError, TaskErrorKind, TaskOutcome, TaskResult, TypedOperator};
use crate::secret::{SecretSource, Secrets};

const SECRET: &str = "hunter2\"x";

#[derive(Debug)]
struct OneSecret;

impl SecretSource for OneSecret {
    fn secret(&self, name: &str) -> Option<String> {
        (name == "redis").then(|| SECRET.to_owned())
    }

    fn help(&self, name: &str) -> String {
        format!("set the variable of {name}")
    }
}

/// Looks a secret up and gives it away in every way there is.
#[derive(Debug)]
struct Careless;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CarelessParams {
    /// The text with the secret.
    #[serde(rename = "_command")]
    text: String,
    /// How it ends.
    #[serde(default)]
    end: String,
}

impl TypedOperator for Careless {
    const NAME: &'static str = "careless";
    const SUMMARY: &'static str = "Gives secrets away.";
    const COMMAND: Option<&'static str> = Some("the text");
    const DETAILS: &'static str = "";
    const EXAMPLE: &'static str = "+x:\n  careless>: ${secret:redis}\n";

    type Params = CarelessParams;

    async fn run(&self, context: &TaskContext, params: CarelessParams) -> Result<TaskOutcome, TaskError> {
        let text = context.reveal(&params.text)?.reveal().to_owned();
        assert!(text.contains(SECRET));
        if context.state != Value::Null {
            return Ok(TaskResult {
                store: Params::from_iter([("stored".to_owned(), json!(text))]),
                ..TaskResult::default()
            }
            .done());
        }
        context.host.log(&format!("log {text} {text:?}"));
        context.host.warn(&format!("warn {text}"));
        context.host.output(format!("output {text}\n").as_bytes());
        context.host.checkpoint(&json!({"kept": text})).await?;
        match params.end.as_str() {
            "panics" => panic!("cannot log in with {text}"),
            "fails" => {
                let message = format!("cannot log in with {text}");
                let mut error =
                    TaskError::new(TaskErrorKind::Failed, Retry::Never, code::STORAGE, message).help(text.clone());
                error.details.insert("login".to_owned(), json!(text));
                Err(error)
            }
            _ => Ok(TaskOutcome::Wait { state: json!({"waits with": text}), after: Duration::ZERO }),
        }
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

fn careless_project(workflow: &str) -> Project {
    let mut project = Project::new(workflow);
    let mut registry = Registry::default();
    register_builtin(&mut registry);
    registry.register(Careless);
    project.registry = Arc::new(registry);
    project
}

/// Fails when a file below a folder holds the secret.
fn search(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path);
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains("hunter2"), "{} holds the secret", path.display());
        }
    }
}

#[tokio::test]
async fn a_secret_is_neither_printed_nor_stored_nor_logged() {
    let project = careless_project(
        "+a:\n  careless>: a ${secret:redis} b\n+b:\n  echo>: ${stored} and ${secret:redis}\n+c:\n  careless>: ${secret:redis}\n  \
         end: fails\n  _error:\n    echo>: ${error.message} ${error.login}\n",
    );
    let engine = project.engine_with(|settings| settings.secrets = Secrets::new(Arc::new(OneSecret))).await;
    let attempt = engine.submit(project.request()).await.unwrap().attempt();
    assert_eq!(engine.advance(Deadline::End).await.unwrap(), Progress::Ended);
    let summary = engine.summary(attempt).await.unwrap();
    let reference = "${secret:redis}";
    let failure = summary.failed().next().unwrap().failure.clone().unwrap();
    assert_eq!(failure.message, format!("cannot log in with {reference}"));
    assert_eq!(
        project.output(),
        format!(
            "output a {reference} b\na {reference} b and {reference}\noutput {reference}\n\
             cannot log in with {reference} {reference}\n"
        )
    );
    let log = summary.tasks.iter().find(|task| task.name == "+t+a").unwrap().log.clone().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    for line in [format!("log a {reference} b \"a {reference} b\""), format!("warning: warn a {reference} b")] {
        assert!(log.contains(&line), "{log}");
    }
    assert!(!serde_json::to_string(&summary).unwrap().contains("hunter2"));
    search(&project.path().join(".suiro"));
}

#[tokio::test]
async fn a_panic_gives_no_secret_away() {
    let project = careless_project("+a:\n  careless>: ${secret:redis}\n  end: panics\n");
    let engine = project.engine_with(|settings| settings.secrets = Secrets::new(Arc::new(OneSecret))).await;
    let attempt = engine.submit(project.request()).await.unwrap().attempt();
    engine.advance(Deadline::End).await.unwrap();
    let summary = engine.summary(attempt).await.unwrap();
    let failure = summary.failed().next().unwrap().failure.clone().unwrap();
    assert_eq!(failure.message, "the operator panicked: cannot log in with ${secret:redis}");
    search(&project.path().join(".suiro"));
}

#[tokio::test]
async fn a_secret_that_is_not_set_is_an_error_of_its_author() {
    let project = careless_project("+a:\n  careless>: ${secret:other}\n+b:\n  echo>: no\n");
    let (_, summary) = project.run().await;
    let failure = summary.failed().next().unwrap().failure.clone().unwrap();
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("T0113", "the secret `other` is not set"));
    assert_eq!(project.output(), "");
}
