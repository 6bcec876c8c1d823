//! What an operator may look at before anything runs: the files that its parameters name, and the tasks around its own.

use std::sync::Arc;

use serde_json::Value;

use crate::document::{ProjectFiles, ProjectPath, ReadError, Span};
use crate::params::template::{self, Part};
use crate::params::{Params, syntax};

/// The files around a task, by paths that start where the task's relative paths do.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    files: &'a dyn ProjectFiles,
    directory: ProjectPath,
    tasks: Arc<[WrittenTask]>,
    here: Option<Span>,
}

/// A task with an operator as its file has it, nothing evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenTask {
    /// The operator's name without `>`.
    pub operator: String,
    /// Its keys and the operator's value, which is `_command`.
    pub params: Params,
    /// Where the operator's name stands.
    pub place: Span,
    /// What it is in, from the file inwards.
    pub within: Vec<Within>,
}

/// A task or a list of tasks that another one is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// Where it stands.
    pub place: Span,
    /// Whether what is in it runs at once, or may.
    pub is_parallel: bool,
    /// Whether what is in it runs only when a condition holds.
    pub is_conditional: bool,
}

impl WrittenTask {
    /// Tells whether the task, which is written above another one, is done whenever that one begins: both are not in a group
    /// whose tasks run at once, and no condition decides about this one alone. A task that says what it waits for (`_after`) is
    /// taken at its word.
    pub fn is_done_before(&self, other: &Self) -> bool {
        let common =
            self.within.iter().zip(&other.within).take_while(|(left, right)| left.place == right.place).count();
        let is_beside = common.checked_sub(1).is_some_and(|last| self.within[last].is_parallel);
        let waits = other.params.contains_key("_after");
        (!is_beside || waits) && !self.within[common..].iter().any(|within| within.is_conditional)
    }
}

/// A text file that a parameter names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// Its path in the project.
    pub path: ProjectPath,
    /// What it holds.
    pub text: Arc<str>,
}

/// A piece of a text that a parameter holds or names, in bytes, end excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The file of the text; none when the text is the parameter's value.
    pub file: Option<NamedFile>,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// An expression of a text that is no JavaScript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongExpression {
    /// The first byte of its `${`.
    pub start: usize,
    /// The byte after its `}`.
    pub end: usize,
    /// Why it is none.
    pub message: String,
}

impl<'a> Surroundings<'a> {
    /// Takes the files of a project, the directory in it where relative paths start, and the tasks of the workflow's file in
    /// the order in which they are written.
    pub fn new(files: &'a dyn ProjectFiles, directory: ProjectPath, tasks: Vec<WrittenTask>) -> Self {
        Self { files, directory, tasks: tasks.into(), here: None }
    }

    /// Returns the same as the task sees it whose operator's name stands here.
    #[must_use]
    pub fn seen_from(&self, here: Span) -> Self {
        Self { here: Some(here), ..self.clone() }
    }

    /// Returns the tasks of the workflow's file that are written above this one.
    pub fn tasks_above(&self) -> &[WrittenTask] {
        let at = self.tasks.iter().position(|task| Some(task.place) == self.here);
        at.and_then(|at| self.tasks.get(..at)).unwrap_or_default()
    }

    /// Returns this task as its file has it.
    pub fn task(&self) -> Option<&WrittenTask> {
        self.tasks.iter().find(|task| Some(task.place) == self.here)
    }

    /// Reads a text file by its path as a parameter names it; nothing when a program of the workflow (the command of a `sh>`
    /// task) names it too, and so may write it first.
    ///
    /// # Errors
    /// When it is missing, no text, too long, or outside the project.
    pub fn read(&self, path: &str) -> Result<Option<NamedFile>, ReadError> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let mut programs = self.tasks.iter().filter(|task| task.operator == "sh");
        let command = |task: &WrittenTask| task.params.get("_command").and_then(Value::as_str).map(str::to_owned);
        if programs.any(|task| command(task).is_some_and(|command| command.contains(name))) {
            return Ok(None);
        }
        let path = self.directory.join(path).map_err(|_| ReadError::OutsideProject)?;
        let text = self.files.read(&path)?;
        Ok(Some(NamedFile { path, text: text.into() }))
    }

    /// Returns how users call the directory where relative paths start.
    pub fn directory_name(&self) -> String {
        if self.directory.as_str().is_empty() {
            "the project's folder".to_owned()
        } else {
            format!("`{}`", self.directory)
        }
    }
}

impl Piece {
    /// Returns the 1-based line and column, in characters, of the first byte in the text that holds the piece.
    pub fn line_column(&self, text: &str) -> (u32, u32) {
        template::line_and_column(text, self.start.min(text.len()))
    }
}

/// Says what a text becomes whatever the parameters are; none when that depends on them.
pub fn constant(text: &str) -> Option<String> {
    template::parts(text)
        .into_iter()
        .map(|part| match part {
            Part::Text(text) => Some(text),
            Part::Expression { source: "", .. } => Some("".into()),
            Part::Expression { .. } => None,
        })
        .collect()
}

/// Finds the expressions of a text that are no JavaScript, whatever the parameters are.
pub fn wrong_expressions(text: &str) -> Vec<WrongExpression> {
    let wrong = |part| {
        let Part::Expression { source, offset } = part else { return None };
        let end = offset + source.len() + "${}".len();
        Some(WrongExpression { start: offset, end, message: syntax::problem(source)? })
    };
    template::parts(text).into_iter().filter_map(wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_constant_when_no_parameter_can_change_it() {
        assert_eq!(constant("a $$ b ${}").as_deref(), Some("a $ b "));
        assert_eq!(constant("${secret:x}").as_deref(), Some("${secret:x}"));
        assert_eq!(constant("SELECT ${a}"), None);
    }

    #[test]
    fn wrong_expressions_have_their_places() {
        let text = "SELECT ${a} FROM ${b c}";
        let [wrong] = wrong_expressions(text).try_into().unwrap();
        assert_eq!(&text[wrong.start..wrong.end], "${b c}");
    }
}
