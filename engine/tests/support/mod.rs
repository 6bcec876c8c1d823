//! Operators with the parameters of the real ones, which do nothing: `check` is what is tested.

use std::time::Duration;

use engine::operator::{Registry, TaskContext, TaskError, TaskOutcome, TypedOperator};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

macro_rules! operator {
    ($type:ident, $name:literal, $params:ty) => {
        #[derive(Debug)]
        struct $type;

        impl TypedOperator for $type {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = "Does nothing.";
            const COMMAND: Option<&'static str> = None;
            const DETAILS: &'static str = "";
            const EXAMPLE: &'static str = "";
            type Params = $params;

            async fn run(&self, _context: &TaskContext, _params: $params) -> Result<TaskOutcome, TaskError> {
                Ok(TaskOutcome::Wait { state: Value::Null, after: Duration::ZERO })
            }

            async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
                Ok(())
            }
        }
    };
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TextParams {
    _command: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LoopParams {
    _command: u32,
    _do: Map<String, Value>,
    _parallel: Option<Value>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ForEachParams {
    _command: Map<String, Value>,
    _do: Map<String, Value>,
    _parallel: Option<Value>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IfParams {
    _command: bool,
    _do: Option<Map<String, Value>>,
    _else_do: Option<Map<String, Value>>,
}

operator!(Echo, "echo", TextParams);
operator!(Sh, "sh", TextParams);
operator!(Call, "call", TextParams);
operator!(Loop, "loop", LoopParams);
operator!(ForEach, "for_each", ForEachParams);
operator!(If, "if", IfParams);

pub(crate) fn register(registry: &mut Registry) {
    registry.register(Echo);
    registry.register(Sh);
    registry.register(Call);
    registry.register(Loop);
    registry.register(ForEach);
    registry.register(If);
}
