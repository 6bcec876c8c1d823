//! What a load tells its user in passing: it goes well, and all the same somebody wants to know.

use std::fmt;

use crate::words::counted;

/// Something that happened on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The config leaves it to the input what its columns are.
    Guessed {
        /// What was guessed from the first lines.
        what: String,
    },
    /// Another writer published to the table first: all is written again, on what is there now.
    WritesAgain {
        /// The table as `database.table`.
        table: String,
        /// How often that has happened.
        times: u32,
        /// How often it may.
        most: u32,
    },
    /// `mode: append`, and the load has run before: what it added then is gone.
    Replaces {
        /// The table as `database.table`.
        table: String,
        /// How many rows went.
        rows: u64,
    },
    /// No rows were found, and `on_empty: skip` leaves the table as it is.
    LeftAsItIs {
        /// The table as `database.table`.
        table: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guessed { what } => write!(f, "guessed from the first lines: {what}"),
            Self::WritesAgain { table, times, most } => write!(
                f,
                "another writer published to table `{table}` first: the load writes again ({times} of at most {most} times)"
            ),
            Self::Replaces { table, rows } => {
                write!(f, "replaced {} that this load had appended to table `{table}` before", counted(*rows, "row"))
            }
            Self::LeftAsItIs { table } => {
                write!(f, "the load found no rows: table `{table}` stays as it is (`on_empty: skip`)")
            }
        }
    }
}
