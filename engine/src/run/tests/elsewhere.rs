//! Work that is done outside of the process: what becomes of it when the process is told to stop.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::operator::{TaskContext, TaskError, TaskOutcome, TypedOperator};

/// Begins work elsewhere and waits for it; a step that hangs does not end.
#[derive(Debug, Default)]
struct Elsewhere {
    left: Arc<Mutex<Vec<(String, Value)>>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ElsewhereParams {
    /// Whether its calls are answered.
    #[serde(rename = "_command")]
    command: String,
}

impl TypedOperator for Elsewhere {
    const NAME: &'static str = "elsewhere";
    const SUMMARY: &'static str = "Works elsewhere.";
    const COMMAND: Option<&'static str> = Some("`waits` or `hangs`");
    const DETAILS: &'static str = "";
    const EXAMPLE: &'static str = "+a: {elsewhere>: waits}\n";
    const WORKS_ELSEWHERE: bool = true;

    type Params = ElsewhereParams;

    async fn run(&self, context: &TaskContext, params: ElsewhereParams) -> Result<TaskOutcome, TaskError> {
        let state = json!({"id": params.command});
        context.host.checkpoint(&state).await?;
        if params.command == "hangs" {
            std::future::pending::<()>().await;
        }
        Ok(TaskOutcome::Wait { state, after: Duration::from_hours(1) })
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }

    async fn leave(&self, context: &TaskContext) -> Result<(), TaskError> {
        self.left.lock().unwrap().push((context.task_name.clone(), context.state.clone()));
        if context.state["id"] == "waits" {
            context.host.warn("it goes on");
            return Ok(());
        }
        std::future::pending().await
    }
}

/// Keeps the warnings.
#[derive(Debug, Default)]
struct Warnings(Mutex<Vec<String>>);

impl RunObserver for Warnings {
    fn event(&self, event: &RunEvent<'_>) {
        if let RunEvent::Warning { task, line } = event {
            self.0.lock().unwrap().push(format!("{} {line}", task.name));
        }
    }
}

#[tokio::test]
async fn work_that_goes_on_elsewhere_is_left_to_the_next_holder() {
    let left: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let mut registry = Registry::default();
    register_builtin(&mut registry);
    registry.register(Elsewhere { left: Arc::clone(&left) });
    let project = Project {
        registry: Arc::new(registry),
        ..Project::new(
            "_parallel: true\n+here: {wait>: 1h}\n+hangs: {elsewhere>: hangs}\n+waits: {elsewhere>: waits}\n",
        )
    };
    let warnings = Arc::new(Warnings::default());
    let engine = |patience: Duration| {
        let mut settings = EngineSettings::new(project.path());
        (settings.call_grace, settings.leave_grace) = (patience, patience);
        let observer = Arc::clone(&warnings) as Arc<dyn RunObserver>;
        Engine::open(Arc::clone(&project.registry), Arc::new(SystemClock), observer, settings)
    };
    let first = Arc::new(engine(Duration::from_millis(1)).await.unwrap());
    let attempt = first.submit(project.request()).await.unwrap().attempt();
    let running = tokio::spawn({
        let first = Arc::clone(&first);
        async move { first.advance(Deadline::End).await }
    });
    // Both have begun by then.
    loop {
        let tasks = first.store().tasks(attempt).await.unwrap();
        let begun = tasks.iter().filter(|task| task.operator_state.get("id").is_some()).count();
        if begun == 2 {
            break;
        }
        tokio::task::yield_now().await;
    }
    first.interrupt();
    assert_eq!(running.await.unwrap().unwrap(), Progress::Interrupted);
    assert_eq!(
        std::mem::take(&mut *left.lock().unwrap()),
        [("+t+hangs".to_owned(), json!({"id": "hangs"})), ("+t+waits".to_owned(), json!({"id": "waits"})),],
        "a step that hangs is cut off, and what it began is left too"
    );
    let mut said = std::mem::take(&mut *warnings.0.lock().unwrap());
    said.sort();
    assert_eq!(
        said,
        ["+t+hangs what it started elsewhere did not answer in time, and may go on", "+t+waits it goes on"]
    );

    // The next one goes on with the same states, and a kill leaves nothing.
    let second = engine(Duration::from_secs(1)).await.unwrap();
    let continued = second.submit(project.request()).await.unwrap();
    assert!(matches!(continued, Submitted::Continued { number: 1, .. }), "{continued:?}");
    assert!(second.cancel(attempt).await.unwrap());
    assert_eq!(second.advance(Deadline::End).await.unwrap(), Progress::Ended);
    assert!(left.lock().unwrap().is_empty());
}
