//! What can be wrong with a template, with its place.

use std::fmt;

use crate::diagnostic::{Code, code};
use crate::operator::{ParamProblem, TaskError};
use crate::params::ParamPath;

/// What is wrong with an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TemplateErrorKind {
    /// It is not JavaScript.
    Syntax,
    /// It uses a name that nothing defines.
    UnknownName,
    /// It failed while it ran.
    Failed,
    /// It needs its own value, perhaps by way of others.
    Cycle,
    /// It did not end within the limit of steps.
    TooLong,
    /// It needed more memory, or went deeper, than allowed.
    TooBig,
    /// Its result has no text: a function, say.
    NoText,
}

impl TemplateErrorKind {
    /// Returns the code whose page explains it.
    pub const fn code(self) -> Code {
        match self {
            Self::Syntax => code::TEMPLATE_SYNTAX,
            Self::UnknownName => code::TEMPLATE_UNKNOWN_NAME,
            Self::Failed => code::TEMPLATE_FAILED,
            Self::Cycle => code::TEMPLATE_CYCLE,
            Self::TooLong => code::TEMPLATE_TOO_LONG,
            Self::TooBig => code::TEMPLATE_TOO_BIG,
            Self::NoText => code::TEMPLATE_NO_TEXT,
        }
    }
}

/// One expression that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong.
    pub kind: TemplateErrorKind,
    /// What was expected and what was found.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// What stands between `${` and `}`.
    pub expression: String,
    /// The parameter whose text holds it; empty for a text that is no parameter, such as a file.
    pub path: ParamPath,
    /// The full name of the task that defines the parameter; empty when no task does.
    pub defined_by: String,
    /// The parameters that lead to it, the task's own key first; empty when `path` itself was asked for.
    pub used_by: Vec<ParamPath>,
    /// Where its `${` stands in the text, in bytes from the start.
    pub offset: usize,
    /// The line of the text, 1-based.
    pub line: u32,
    /// The column in that line, 1-based, in characters.
    pub column: u32,
}

impl TemplateError {
    /// Returns the code whose page explains it.
    pub fn code(&self) -> Code {
        self.kind.code()
    }

    /// Says what to do about a parameter that is made of itself alone.
    pub(crate) fn help_for_own_value(path: &ParamPath) -> String {
        let name = &path.0;
        if name.contains(['.', '[']) {
            return format!(
                "`{name}` stands in the mapping that it is made of: take its value from a parameter with another name"
            );
        }
        format!(
            "nothing above the task gives `{name}` a value: leave the key away where an exported mapping of the operator has it, which \
             reaches the task anyway, or name what it is to be made of, such as `${{my_{name}}}` with `_export: {{my_{name}: …}}`"
        )
    }

    /// Returns the parameter that was asked for: the task's own key that leads to the expression.
    pub fn asked_for(&self) -> &ParamPath {
        self.used_by.first().unwrap_or(&self.path)
    }
}

/// Returns the line and column (1-based, in characters) of a byte of a text.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == TemplateErrorKind::Cycle {
            return f.write_str(&self.message);
        }
        write!(f, "cannot evaluate `${{{}}}`", self.expression)?;
        if !self.used_by.is_empty() {
            write!(f, " of `{}`", self.path)?;
            if !self.defined_by.is_empty() {
                write!(f, " (`_export` of `{}`)", self.defined_by)?;
            }
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for TemplateError {}

/// Everything that is wrong with the templates of a task; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateErrors {
    first: Box<TemplateError>,
    rest: Vec<TemplateError>,
}

impl TemplateErrors {
    /// Gathers errors; none when there are none.
    pub fn gather(errors: Vec<TemplateError>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let first = Box::new(errors.next()?);
        Some(Self { first, rest: errors.collect() })
    }

    /// Returns the errors, in the order of the task's keys.
    pub fn iter(&self) -> impl Iterator<Item = &TemplateError> {
        std::iter::once(&*self.first).chain(&self.rest)
    }

    /// Returns the first of them.
    pub fn first(&self) -> &TemplateError {
        &self.first
    }
}

impl From<TemplateError> for TemplateErrors {
    fn from(error: TemplateError) -> Self {
        Self { first: Box::new(error), rest: Vec::new() }
    }
}

impl fmt::Display for TemplateErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.iter().enumerate() {
            write!(f, "{}{error}", if i > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for TemplateErrors {}

impl From<TemplateErrors> for TaskError {
    fn from(errors: TemplateErrors) -> Self {
        let mut error = Self::config(errors.first.code(), errors.first.to_string());
        for template in errors.iter() {
            error = error.param(ParamProblem {
                help: template.help.clone(),
                ..ParamProblem::new(template.asked_for().clone(), template.to_string()).code(template.code())
            });
        }
        error.source(errors)
    }
}

impl From<TemplateError> for TaskError {
    fn from(template: TemplateError) -> Self {
        let mut error = Self::config(template.code(), template.to_string());
        if let Some(help) = &template.help {
            error = error.help(help.clone());
        }
        error.source(template)
    }
}
