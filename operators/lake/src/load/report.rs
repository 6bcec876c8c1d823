//! What a load tells while it runs and when it is done.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// How far a load is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Rows so far.
    pub rows: u64,
    /// Rejected records so far.
    pub rejected: u64,
    /// Bytes of the files, as stored, that were read so far.
    pub bytes_read: u64,
    /// Bytes of all files as stored.
    pub bytes_total: u64,
    /// Files that were read to their end.
    pub files_read: u64,
    /// All files.
    pub files_total: u64,
}

/// What a load did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// The database of the output; none for files.
    pub database: Option<String>,
    /// The table of the output; none for files.
    pub table: Option<String>,
    /// Rows in the output.
    pub rows: u64,
    /// Rejected records, kept apart.
    pub rejected: u64,
    /// Skipped lines: headers, blank lines, comments.
    pub skipped: u64,
    /// Files that were read.
    pub files: u64,
    /// Their bytes as stored.
    pub bytes_read: u64,
    /// What was published, in the order of the partitions' values.
    pub published: Vec<PublishedPart>,
    /// Where the rejected records are; none when there are none.
    pub rejected_kept: Option<PublishedPart>,
    /// The first rejected lines.
    pub first_rejected: Vec<RejectedLine>,
}

/// A line that could not be read, its texts shortened and without control characters; written as `file:line: reason`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedLine {
    /// The file, as the input names it.
    pub file: String,
    /// The number of the record's first line, from 1.
    pub line_number: u64,
    /// What was expected and what was found.
    pub reason: String,
    /// The start of the line itself.
    pub line: String,
}

impl fmt::Display for RejectedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line_number, self.reason)
    }
}

/// A partition, a whole table or a file that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPart {
    /// The table as [`crate::name::TableName::to_text`] writes it; none for `out: {type: file}`.
    pub table: Option<String>,
    /// The keys and values of the partition; empty for a whole table or a file.
    pub partition: IndexMap<String, String>,
    /// Its rows.
    pub rows: u64,
    /// The bytes of its objects.
    pub bytes: u64,
    /// Where it is.
    pub location: String,
}
