//! The error of the lake: kind × retryable × context.

/// The result of the lake's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A database, table, partition, object or query is not there.
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// It was changed by another writer since it was read.
    Conflict,
    /// A name, location, partition value or option cannot be used.
    InvalidInput,
    /// The SQL text is wrong: syntax, unknown names, types.
    InvalidSql,
    /// The SQL is right for Athena, and this engine does not know it yet.
    UnsupportedSql,
    /// The query stopped on the data: division by zero, a value out of range.
    QueryFailed,
    /// The query would write more partitions than one query may.
    TooManyPartitions,
    /// The query's columns do not fit the table.
    SchemaMismatch,
    /// A check on the data did not hold; too many rejected rows.
    DataQuality,
    /// Input data is broken: a truncated archive, bytes that are not what they should be.
    InvalidData,
    /// Lines of an input cannot be read, and none may be rejected.
    UnreadableLines,
    /// The limit of memory, disk or time was reached.
    ResourcesExhausted,
    /// The work was cancelled.
    Canceled,
    /// Access was refused.
    PermissionDenied,
    /// The disk, the network or a service failed.
    External,
}

/// Whether the same call may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retryable {
    /// No: something must be changed first.
    No,
    /// Yes, after a pause.
    Yes,
}

/// An error of the lake.
#[derive(Debug)]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Whether the same call may succeed later.
    pub retryable: Retryable,
    /// What was being done: `read object`, `plan query`.
    pub operation: &'static str,
    /// What was expected and what was found: lower case, no full stop, literals in backticks.
    pub message: String,
    /// On what: `("location", "s3://…")`.
    pub context: Vec<(&'static str, String)>,
    /// The 1-based line and column in the SQL text, where there is one.
    pub position: Option<(u32, u32)>,
    /// What to do about it: lower case, no full stop.
    pub help: Option<String>,
    /// The cause.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Makes an error that a retry does not mend.
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            retryable: Retryable::No,
            operation,
            message: message.into(),
            context: Vec::new(),
            position: None,
            help: None,
            source: None,
        }
    }

    /// Says that the same call may succeed later.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = Retryable::Yes;
        self
    }

    /// Says on what; what stands there already is not said twice.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        let on = (key, value.into());
        if !self.context.contains(&on) {
            self.context.push(on);
        }
        self
    }

    /// Says where in the SQL text.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Self {
        self.position = Some((line, column));
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Makes the error of a failed system call on a file: a full disk and a refused access have their own kinds.
    #[must_use]
    pub fn io(operation: &'static str, path: &std::path::Path, error: std::io::Error) -> Self {
        let is_full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        let made = Self::new(io_kind(&error), operation, format!("cannot {operation}: {}", io_text(&error)))
            .with("path", path.display().to_string())
            .source(error);
        if is_full { made.help(WHEN_FULL) } else { made }
    }

    /// Makes the error of a folder that cannot be made or opened. What stands in its place is named: a file, or a link that leads
    /// nowhere.
    #[must_use]
    pub fn folder(operation: &'static str, path: &std::path::Path, error: std::io::Error) -> Self {
        match Self::in_the_way(operation, path) {
            Some(found) => found.source(error),
            None => Self::io(operation, path, error),
        }
    }

    /// Makes the error of a folder in whose place something else stands; none when nothing is seen there.
    pub(crate) fn in_the_way(operation: &'static str, path: &std::path::Path) -> Option<Self> {
        let (at, found) = in_the_way(path)?;
        let at = at.display();
        let error = Self::new(ErrorKind::InvalidInput, operation, format!("cannot {operation}: `{at}` is {found}"));
        let help = format!("move `{at}` away, or name another folder");
        Some(error.with("path", path.display().to_string()).help(help))
    }

    /// Returns a copy without the cause, which has none.
    #[must_use]
    pub fn without_source(&self) -> Self {
        Self {
            kind: self.kind,
            retryable: self.retryable,
            operation: self.operation,
            message: self.message.clone(),
            context: self.context.clone(),
            position: self.position,
            help: self.help.clone(),
            source: None,
        }
    }

    /// Keeps the cause.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// Finds what is no folder, at a path of one or above it, and says what it is.
fn in_the_way(path: &std::path::Path) -> Option<(&std::path::Path, String)> {
    let (at, found) = path.ancestors().find_map(|at| at.symlink_metadata().ok().map(|found| (at, found)))?;
    let found = if found.is_symlink() {
        let to = at.read_link().ok()?;
        match at.metadata() {
            Ok(behind) if behind.is_dir() => return None,
            Ok(_) => format!("a link to `{}`, which is no folder", to.display()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                format!("a link to `{}`, which is not there", to.display())
            }
            Err(_) => return None,
        }
    } else if found.is_dir() {
        return None;
    } else {
        "no folder but a file".to_owned()
    };
    Some((at, found))
}

/// Returns the kind of a failed system call.
pub(crate) fn io_kind(error: &std::io::Error) -> ErrorKind {
    use std::io::ErrorKind as Io;
    match error.kind() {
        Io::NotFound => ErrorKind::NotFound,
        Io::AlreadyExists => ErrorKind::AlreadyExists,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge | Io::OutOfMemory => ErrorKind::ResourcesExhausted,
        Io::InvalidFilename => ErrorKind::InvalidInput,
        _ => ErrorKind::External,
    }
}

/// Returns what a user should read about a failed system call.
pub(crate) fn io_text(error: &std::io::Error) -> String {
    use std::io::ErrorKind as Io;
    match error.kind() {
        Io::StorageFull => "the disk is full".to_owned(),
        Io::QuotaExceeded => "the disk quota is used up".to_owned(),
        Io::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        Io::PermissionDenied => "permission denied".to_owned(),
        Io::NotFound => "no such file or directory".to_owned(),
        _ => error.to_string(),
    }
}

/// What to do about a full disk: nothing that was stored is lost by it.
pub(crate) const WHEN_FULL: &str =
    "make room on the disk, then give the same command again: it goes on where it stopped";

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some((line, column)) = self.position {
            write!(f, "line {line}:{column}: ")?;
        }
        f.write_str(&self.message)?;
        for (key, value) in &self.context {
            write!(f, "\n  {key}: {value}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}
