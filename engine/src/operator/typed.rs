//! What the author of an operator writes, and how it becomes an [`Operator`].

use std::fmt::Debug;
use std::future::Future;
use std::sync::OnceLock;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::schema::{self, Owner, Schema, Stage};
use super::{Exports, Operator, OperatorInfo, ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome};
use crate::diagnostic::{code, suggest};
use crate::params::{ParamPath, Params};

/// An operator as its author writes it.
pub trait TypedOperator: Debug + Send + Sync + 'static {
    /// The name without `>`.
    const NAME: &'static str;
    /// One sentence in the third person.
    const SUMMARY: &'static str;
    /// What the value after `name>:` is, or `None` when it takes none.
    const COMMAND: Option<&'static str>;
    /// The rest of the docs page, in Markdown.
    const DETAILS: &'static str;
    /// An example task in YAML that `check` passes.
    const EXAMPLE: &'static str;

    /// The exported mappings that give defaults for keys that a task has not, the nearer ones last: `athena`, then
    /// `athena.ctas` (a mapping in a mapping, or one key). Keys of theirs that the operator does not know are passed over.
    const DEFAULTS: &'static [&'static str] = &[];

    /// Whether its work is done outside of this process, by calls of which each may be cut off anywhere: a step is not waited
    /// for long when the process is told to stop, and [`TypedOperator::leave`] is called then.
    const WORKS_ELSEWHERE: bool = false;

    /// The parameters: `#[serde(deny_unknown_fields)]`; field docs are the user manual. The value after `name>:` is the
    /// field `_command`.
    type Params: DeserializeOwned + JsonSchema + Send + 'static;

    /// Looks at the files and texts that the parameters name or hold; see [`Operator::inspect`]. The parameters are fitted to
    /// the schema as far as they fit. Most operators have nothing to look at.
    fn inspect(&self, _params: &Params, _surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        Vec::new()
    }

    /// Does one step; see [`Operator::run`].
    fn run(
        &self,
        context: &TaskContext,
        params: Self::Params,
    ) -> impl Future<Output = Result<TaskOutcome, TaskError>> + Send;

    /// Stops the work; see [`Operator::cancel`].
    fn cancel(&self, context: &TaskContext) -> impl Future<Output = Result<(), TaskError>> + Send;

    /// Leaves the work to the next holder; see [`Operator::leave`]. Most operators have nothing that goes on without them.
    fn leave(&self, _context: &TaskContext) -> impl Future<Output = Result<(), TaskError>> + Send {
        std::future::ready(Ok(()))
    }
}

/// Makes an [`Operator`] of a [`TypedOperator`].
#[derive(Debug)]
pub(super) struct Typed<T> {
    operator: T,
    /// Made when it is first asked for: a workflow uses a few of all operators, and their schemas take milliseconds.
    info: OnceLock<OperatorInfo>,
}

impl<T: TypedOperator> Typed<T> {
    pub(super) fn new(operator: T) -> Self {
        Self { operator, info: OnceLock::new() }
    }

    /// Returns the names of the parameters.
    fn known_keys(&self) -> Option<&Params> {
        self.info().schema.get("properties").and_then(Value::as_object)
    }

    fn schema(&self, stage: Stage) -> Schema<'_> {
        Schema { owner: Owner::Operator(T::NAME), root: &self.info().schema, stage }
    }
}

/// Reads a config: keys that stand somewhere else than in a task, such as in a file of their own, and are evaluated. They are
/// fitted to their schema as a task's parameters are. `what` is what messages call the whole: `file of tiers`.
///
/// # Errors
/// All problems, with their paths.
pub fn read_params<P: DeserializeOwned + JsonSchema>(what: &str, params: &Params) -> Result<P, Vec<ParamProblem>> {
    let root = schemars::schema_for!(P).to_value();
    let owner = Owner::Config(what);
    let (fitted, problems) = Schema { owner, root: &root, stage: Stage::Run }.fit_params(params);
    if !problems.is_empty() {
        return Err(problems);
    }
    read(owner, fitted).map_err(|problem| vec![problem])
}

/// Checks the keys and types of a config before it is evaluated: texts with a `${…}` may become anything. Returns all problems
/// with their paths; `what` is what messages call the whole.
pub fn check_params<P: JsonSchema>(what: &str, params: &Params) -> Vec<ParamProblem> {
    let root = schemars::schema_for!(P).to_value();
    Schema { owner: Owner::Config(what), root: &root, stage: Stage::Check }.fit_params(params).1
}

/// Returns whether something in a value is still to be evaluated.
pub fn is_unevaluated(value: &Value) -> bool {
    match value {
        Value::String(text) => schema::has_template(text),
        Value::Array(items) => items.iter().any(is_unevaluated),
        Value::Object(map) => map.values().any(is_unevaluated),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Reads parameters of the right shape.
fn read<P: DeserializeOwned>(owner: Owner<'_>, params: Params) -> Result<P, ParamProblem> {
    serde_path_to_error::deserialize(Value::Object(params)).map_err(|error| {
        let mut path = ParamPath::default();
        for segment in error.path() {
            path = match segment {
                Segment::Map { key } => path.key(key),
                Segment::Seq { index } => path.index(*index),
                Segment::Enum { .. } | Segment::Unknown => path,
            };
        }
        let name = match path.0.as_str() {
            "" | "_command" => owner.to_string(),
            name => format!("`{name}`"),
        };
        ParamProblem::new(path, format!("wrong value for {name}: {}", error.into_inner()))
    })
}

/// Fills in what a task has not from exported mappings.
fn with_defaults(names: &[&str], known: Option<&Params>, context: &TaskContext, mut own: Params) -> Params {
    if names.is_empty() {
        return own;
    }
    let scope = context.scope();
    for name in names.iter().rev() {
        let nested = name.split_once('.').and_then(|(outer, inner)| scope.get(outer)?.get(inner));
        let Some(Value::Object(defaults)) = scope.get(*name).or(nested) else { continue };
        for (key, value) in defaults {
            if known.is_some_and(|known| known.contains_key(key)) && !own.contains_key(key) {
                own.insert(key.clone(), value.clone());
            }
        }
    }
    own
}

/// Returns whether a parameter holds tasks, whose templates are evaluated when they run.
fn is_body(name: &str) -> bool {
    matches!(name, "_do" | "_else_do")
}

#[async_trait]
impl<T: TypedOperator> Operator for Typed<T> {
    fn info(&self) -> &OperatorInfo {
        self.info.get_or_init(|| OperatorInfo {
            name: T::NAME,
            summary: T::SUMMARY,
            command: T::COMMAND,
            details: T::DETAILS,
            example: T::EXAMPLE,
            schema: schemars::schema_for!(T::Params).to_value(),
            works_elsewhere: T::WORKS_ELSEWHERE,
        })
    }

    fn defaults(&self) -> &'static [&'static str] {
        T::DEFAULTS
    }

    fn check(&self, params: &Params, exports: &Exports<'_>) -> Vec<ParamProblem> {
        let (fitted, mut problems) = self.schema(Stage::Check).fit_params(params);
        if let Some(defaults) = T::DEFAULTS.first() {
            let is_missing = |problem: &ParamProblem| problem.code == code::PARAM_MISSING;
            let n_missing = problems.iter().filter(|problem| is_missing(problem)).count();
            let unknown = problems.iter().filter(|problem| problem.code == code::PARAM_UNKNOWN);
            let unknown: Vec<String> = unknown.map(|problem| problem.path.0.clone()).collect();
            // One that is misspelt is told of as such.
            let is_misspelt = |key: &str| unknown.iter().any(|found| suggest::nearest(found, [key]).is_some());
            problems.retain(|problem| {
                let key = problem.path.0.as_str();
                !is_missing(problem) || !(exports.may_give(T::DEFAULTS, key) || is_misspelt(key))
            });
            for problem in problems.iter_mut().filter(|problem| is_missing(problem) && problem.path.0 != "_command") {
                let key = &problem.path;
                problem.help = Some(format!(
                    "write it in the task, or for all tasks below: `_export: {{{defaults}: {{{key}: …}}}}`"
                ));
            }
            if n_missing > 0 {
                return problems;
            }
        }
        if !problems.is_empty() || fitted.iter().any(|(name, value)| !is_body(name) && is_unevaluated(value)) {
            return problems;
        }
        // Nothing is left to evaluate: the values can be read as they will be, which finds what a schema cannot say.
        read::<T::Params>(Owner::Operator(T::NAME), fitted).err().into_iter().collect()
    }

    fn inspect(&self, params: &Params, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let (fitted, _) = self.schema(Stage::Check).fit_params(params);
        self.operator.inspect(&fitted, surroundings)
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let params = with_defaults(T::DEFAULTS, self.known_keys(), context, params);
        let (fitted, problems) = self.schema(Stage::Run).fit_params(&params);
        if !problems.is_empty() {
            return Err(TaskError::wrong_params(problems));
        }
        let params = read::<T::Params>(Owner::Operator(T::NAME), fitted)
            .map_err(|problem| TaskError::wrong_params(vec![problem]))?;
        self.operator.run(context, params).await
    }

    async fn cancel(&self, context: &TaskContext) -> Result<(), TaskError> {
        self.operator.cancel(context).await
    }

    async fn leave(&self, context: &TaskContext) -> Result<(), TaskError> {
        self.operator.leave(context).await
    }
}
