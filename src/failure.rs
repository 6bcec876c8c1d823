//! Why a command fails, and with which exit code.

use clap::error::ErrorKind;
use engine::diagnostic::{Code, Diagnostic, code};
use engine::document::SourceMap;
use engine::operator::TaskErrorKind;
use engine::run::EngineError;

/// The exit codes of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Success = 0,
    /// A task or query failed.
    Failed = 1,
    /// The workflow, config or command line is wrong.
    Usage = 2,
    /// Rejected rows over the limit, or a check that did not hold.
    DataQuality = 3,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command fails.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What to say.
    pub(crate) what: What,
}

/// What a failure says.
#[derive(Debug)]
pub(crate) enum What {
    /// One message, with its code and what to do.
    Message {
        /// The page that explains it.
        code: Code,
        /// One line, or more.
        text: String,
        /// What to do, a line each.
        help: Vec<String>,
    },
    /// Problems of documents.
    Diagnostics {
        /// The documents.
        sources: Box<SourceMap>,
        /// The problems.
        diagnostics: Vec<Diagnostic>,
    },
    /// All was said already.
    Said,
}

impl Failure {
    /// Makes a failure of the command line.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::of_code(code::COMMAND_LINE, text)
    }

    /// Makes a failure of the command line or what it names, explained under a code.
    pub(crate) fn of_code(code: Code, text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, what: What::Message { code, text: text.into(), help: Vec::new() } }
    }

    /// Makes a failure of a command line that cannot be read: what is wrong, and then what the parser advises, a line each.
    pub(crate) fn of_command_line(error: &clap::Error) -> Self {
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            // What it says is the page of help.
            return Self::usage("expected a command, found none").help("for more information, try '--help'");
        }
        let said = error.render().to_string();
        let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
        let first = lines.next().unwrap_or_default();
        let mut message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
        if message.ends_with(':') {
            // A list follows: the arguments that are missing, say.
            let is_item = |line: &&str| !["tip:", "Usage:", "For more"].iter().any(|start| line.starts_with(start));
            let items: Vec<&str> = std::iter::from_fn(|| lines.next_if(is_item)).collect();
            message = format!("{message} {}", items.join(", "));
        }
        lines.fold(Self::usage(message), |failure, line| failure.help(advice(line)))
    }

    /// Makes a failure of documents.
    pub(crate) fn diagnostics(sources: SourceMap, diagnostics: Vec<Diagnostic>) -> Self {
        Self { exit: Exit::Usage, what: What::Diagnostics { sources: Box::new(sources), diagnostics } }
    }

    /// Makes a failure that needs no more words.
    pub(crate) fn said(exit: Exit) -> Self {
        Self { exit, what: What::Said }
    }

    /// Says what to do.
    pub(crate) fn help(mut self, line: impl Into<String>) -> Self {
        if let What::Message { help, .. } = &mut self.what {
            help.push(line.into());
        }
        self
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        // A reader that has gone (`| head`) has all that it wanted: what is printed ends there, and ends well.
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::said(Exit::Success);
        }
        let text = format!("cannot write the output: {error}");
        Self { exit: Exit::Failed, what: What::Message { code: code::STORAGE, text, help: Vec::new() } }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let what = What::Message { code: error.code(), text: error.to_string(), help: error.help() };
        Self { exit: Exit::Usage, what }
    }
}

impl From<lake::Error> for Failure {
    fn from(error: lake::Error) -> Self {
        let (code, kind) = operators::explain(error.kind);
        // As in a workflow: a full disk or a refused access stays until somebody acts.
        let machine = matches!(error.kind, lake::ErrorKind::ResourcesExhausted | lake::ErrorKind::PermissionDenied);
        let exit = if machine { Exit::Usage } else { exit_of(kind) };
        let text = error.to_string();
        Self { exit, what: What::Message { code, text, help: error.help.into_iter().collect() } }
    }
}

impl From<engine::operator::TaskError> for Failure {
    fn from(error: engine::operator::TaskError) -> Self {
        let exit = exit_of(error.kind);
        Self { exit, what: What::Message { code: error.code, text: error.message, help: error.help } }
    }
}

/// Writes a line of the command line's parser as our own are written.
fn advice(line: &str) -> String {
    if let Some(usage) = line.strip_prefix("Usage: ") {
        return format!("usage: {usage}");
    }
    if let Some(rest) = line.strip_prefix("For more") {
        return format!("for more{}", rest.trim_end_matches('.'));
    }
    let line = line.strip_prefix("tip: ").unwrap_or(line);
    // `[possible values: …]`
    line.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(line).to_owned()
}

/// The exit code of a kind of error.
fn exit_of(kind: TaskErrorKind) -> Exit {
    match kind {
        TaskErrorKind::Config => Exit::Usage,
        TaskErrorKind::DataQuality => Exit::DataQuality,
        TaskErrorKind::Canceled => Exit::Interrupted,
        _ => Exit::Failed,
    }
}
