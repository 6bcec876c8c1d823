//! Tasks that a running task asks for: the body of a loop, of an `if>`, of a program's answer.

use indexmap::IndexMap;
use serde_json::Value;

use super::compile::{Compiler, Origin};
use super::{Place, TaskDef};
use crate::diagnostic::{Code, Diagnostic, Severity, code};
use crate::document::value::Generated;
use crate::operator::{Registry, TaskError};
use crate::params::ParamPath;

/// Tasks that a running task asked for and that are wrong.
#[derive(Debug)]
pub struct CompileError {
    /// The problems with their places, as far as these are known; at least one.
    pub problems: Vec<(Diagnostic, Option<Place>)>,
}

impl CompileError {
    /// Returns the code of the first problem.
    #[must_use]
    pub fn code(&self) -> Code {
        self.problems.first().map_or(code::TASK_SHAPE, |(diagnostic, _)| diagnostic.code)
    }
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (diagnostic, place)) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            if let Some(place) = place {
                write!(f, "{}:{}:{}: ", place.file, place.line, place.column)?;
            }
            f.write_str(&diagnostic.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for CompileError {}

impl From<CompileError> for TaskError {
    fn from(error: CompileError) -> Self {
        let mut task_error = Self::config(error.code(), error.to_string());
        for (diagnostic, _) in &error.problems {
            task_error.help.extend(diagnostic.help.iter().cloned());
        }
        task_error
    }
}

/// Compiles the body of a running task into one task `^sub`: an action when the body is one, else a group.
///
/// `value` is the parameter at the path `at` (such as `_do`) of the task whose `param_places` are given; pass an empty map
/// for tasks that no file holds.
///
/// # Errors
/// With all problems when the body is wrong.
pub fn compile_body(
    value: &Value,
    at: &ParamPath,
    places: &IndexMap<String, Place>,
    registry: &Registry,
) -> Result<TaskDef, CompileError> {
    let generated = Generated::new(value, at);
    let origin = Origin::Generated(&generated, places);
    let mut compiler = Compiler::new(origin, registry);
    let body = compiler.body("^sub", generated.node.span, &generated.node);
    let errors: Vec<_> = compiler
        .diagnostics
        .into_iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| {
            let place = origin.place(diagnostic.primary.span);
            (diagnostic, place)
        })
        .collect();
    match body {
        Some(task) if errors.is_empty() => Ok(task),
        _ => Err(CompileError { problems: errors }),
    }
}
