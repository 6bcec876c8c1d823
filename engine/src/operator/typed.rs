//! What the author of an operator writes, and how it becomes an [`Operator`].

use std::fmt::Debug;
use std::future::Future;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Operator, OperatorInfo, ParamProblem, TaskContext, TaskError, TaskOutcome};
use crate::diagnostic::Code;
use crate::params::Params;

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

    /// The parameters: `#[serde(deny_unknown_fields)]`; field docs are the user manual. The value after `name>:` is the
    /// field `_command`.
    type Params: DeserializeOwned + JsonSchema + Send + 'static;

    /// Does one step; see [`Operator::run`].
    fn run(
        &self,
        context: &TaskContext,
        params: Self::Params,
    ) -> impl Future<Output = Result<TaskOutcome, TaskError>> + Send;

    /// Stops the work; see [`Operator::cancel`].
    fn cancel(&self, context: &TaskContext) -> impl Future<Output = Result<(), TaskError>> + Send;
}

/// Makes an [`Operator`] of a [`TypedOperator`].
#[derive(Debug)]
pub(super) struct Typed<T> {
    operator: T,
    info: OperatorInfo,
}

impl<T: TypedOperator> Typed<T> {
    pub(super) fn new(operator: T) -> Self {
        let info = OperatorInfo {
            name: T::NAME,
            summary: T::SUMMARY,
            command: T::COMMAND,
            details: T::DETAILS,
            example: T::EXAMPLE,
            schema: schemars::schema_for!(T::Params).to_value(),
        };
        Self { operator, info }
    }
}

#[async_trait]
impl<T: TypedOperator> Operator for Typed<T> {
    fn info(&self) -> &OperatorInfo {
        &self.info
    }

    fn check(&self, _params: &Params) -> Vec<ParamProblem> {
        Vec::new()
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let params = serde_json::from_value(serde_json::Value::Object(params))
            .map_err(|error| TaskError::config(Code("E0301"), error.to_string()))?;
        self.operator.run(context, params).await
    }

    async fn cancel(&self, context: &TaskContext) -> Result<(), TaskError> {
        self.operator.cancel(context).await
    }
}
