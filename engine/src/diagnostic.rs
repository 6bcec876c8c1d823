//! Diagnostics: the only error type for documents. Each has a code, a place and, where there is one, a way out.
//!
//! They are made in `document` and `workflow` alone, and rendered in [`render`] alone.

pub mod code;
pub mod render;
pub mod suggest;

pub use code::Code;

use crate::document::Span;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; the document is used all the same.
    Note,
    /// Probably a mistake; the document is used all the same.
    Warning,
    /// The document cannot be used.
    Error,
}

/// A piece of source with a remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The piece of source.
    pub span: Span,
    /// The remark; may be empty.
    pub text: String,
}

/// One problem of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which problem it is; `suiro explain CODE` shows its page.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What was expected and what was found: lower case, no full stop, literals in backticks.
    pub message: String,
    /// Where it is.
    pub primary: Label,
    /// Other places that matter, such as the first of two duplicates.
    pub secondary: Vec<Label>,
    /// What to do about it, a line each.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// Makes an error at a place.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: Label { span, text: String::new() },
            secondary: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Makes a warning at a place.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// Makes a note at a place.
    pub fn note(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, span, message) }
    }

    /// Says something right at the place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// Points at another place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }
}
