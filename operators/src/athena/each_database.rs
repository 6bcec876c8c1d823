//! `athena.each_database>`: runs `_do` once for each database of the catalog.

use std::sync::Arc;

use engine::operator::{TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use engine::params::ParamPath;
use engine::workflow::{Parallel, TaskDef};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::AccessParams;
use crate::door::LakeDoor;
use crate::error::task_error;

/// The operator.
#[derive(Debug)]
pub(crate) struct EachDatabase {
    door: Arc<LakeDoor>,
}

impl EachDatabase {
    pub(crate) fn new(door: Arc<LakeDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `athena.each_database>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// Takes no value.
    #[serde(rename = "_command", default)]
    _command: Option<Value>,
    /// The task or tasks to run for each database.
    #[serde(rename = "_do")]
    body: Value,
    /// The most databases at once.
    #[serde(default = "one")]
    parallel_slice: u32,
    /// In whose name it acts.
    #[serde(flatten)]
    access: AccessParams,
}

/// The default of `parallel_slice`.
fn one() -> u32 {
    1
}

impl TypedOperator for EachDatabase {
    const NAME: &'static str = "athena.each_database";
    const SUMMARY: &'static str = "Runs `_do` once for each database of the catalog.";
    const COMMAND: Option<&'static str> = None;
    const DETAILS: &'static str = "\
Each run sees `athena.each_database.name`, `.created_at` (milliseconds since 1970), `.description` and `.parameters`, and the \
same below `athena.each_database.export`. At most `parallel_slice` run at once, as a sliding window.

IAM actions on AWS: `glue:GetDatabases`.";
    const EXAMPLE: &'static str = "\
+all:
  athena.each_database>:
  parallel_slice: 4
  _do:
    echo>: ${athena.each_database.name}
";
    const DEFAULTS: &'static [&'static str] = &[super::DEFAULTS, "athena.each_database"];
    const WORKS_ELSEWHERE: bool = true;

    type Params = Params;

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let lake = &self.door.open_as(&params.access.access()?).await?;
        let mut group = TaskDef::group("^sub");
        // DIFFERENCE(digdag-operator-athena): slices there wait for their slowest; here the next one starts when one ends.
        group.parallel = Parallel::Limit(params.parallel_slice.max(1));
        for database in lake.catalog.databases().await.map_err(task_error)? {
            let export = json!({
                "name": database.name,
                "created_at": database.created_ms,
                "description": database.description,
                "parameters": database.parameters,
            });
            let mut each = export.clone();
            each["export"] = export;
            let mut child = context.host.compile_body(&params.body, &ParamPath::from("_do"))?;
            child.name = format!("+{}", database.name);
            child.bound.insert("athena".to_owned(), json!({"each_database": each}));
            group.children.push(child);
        }
        Ok(TaskResult { subtasks: vec![group], ..TaskResult::default() }.done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
