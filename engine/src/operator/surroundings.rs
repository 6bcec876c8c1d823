//! What an operator may look at before anything runs: the files that its parameters name.

use std::sync::Arc;

use crate::document::{ProjectFiles, ProjectPath, ReadError};
use crate::params::syntax;
use crate::params::template::{self, Part};

/// The files around a task, by paths that start where the task's relative paths do.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    files: &'a dyn ProjectFiles,
    directory: ProjectPath,
    /// The commands of the workflow's `sh>` tasks.
    programs: Vec<String>,
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
    /// Takes the files of a project, the directory in it where relative paths start, and the commands of the workflow's
    /// programs, which may write files before others read them.
    pub fn new(files: &'a dyn ProjectFiles, directory: ProjectPath, programs: Vec<String>) -> Self {
        Self { files, directory, programs }
    }

    /// Reads a text file by its path as a parameter names it; nothing when a program of the workflow names it too, and so may
    /// write it first.
    ///
    /// # Errors
    /// When it is missing, no text, too long, or outside the project.
    pub fn read(&self, path: &str) -> Result<Option<NamedFile>, ReadError> {
        let name = path.rsplit('/').next().unwrap_or(path);
        if self.programs.iter().any(|program| program.contains(name)) {
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
