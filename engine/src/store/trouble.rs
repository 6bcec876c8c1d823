//! What keeps the state from being read or written, as far as it decides what to do about it.

use std::io;

/// Why the disk or `SQLite` did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Whoever runs suiro may not.
    Refused,
    /// There is no room left.
    Full,
    /// The file is damaged, or is none of `SQLite`'s.
    Damaged,
    /// A directory stands where the file should be.
    InTheWay,
    /// Something else.
    Other,
}

impl Trouble {
    /// Reads it out of an error of `SQLite` (<https://sqlite.org/rescode.html>).
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        if let sqlx::Error::Io(error) = error {
            return Self::of_io(error);
        }
        let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
        match code {
            // `IOERR_SHMSIZE`: the index of the log is grown by writing to it, which finds no room.
            Some(4874) => Self::Full,
            Some(code) => match code & 0xff {
                13 => Self::Full,
                11 | 26 => Self::Damaged,
                3 | 8 | 14 | 23 => Self::Refused,
                _ => Self::Other,
            },
            None => Self::Other,
        }
    }

    /// Reads it out of an error of the system.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Refused,
            _ => Self::Other,
        }
    }

    /// Says what to do about it.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::Refused => "make the directory writable for whoever runs suiro",
            Self::Full => {
                "free some room on the disk that holds the state directory; then the same command goes on from what is stored"
            }
            Self::Damaged => {
                "put a copy of `state.db` back, or move it away together with `state.db-wal`: without it no session is known to \
                 have run; tables and their data do not depend on it"
            }
            Self::InTheWay => "move the directory away: the state is a file of that name",
            Self::Other => {
                "see that the disk that holds the state directory works and can be written; then the same command goes on from \
                 what is stored"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_refused_one() {
        for (kind, trouble) in [
            (io::ErrorKind::StorageFull, Trouble::Full),
            (io::ErrorKind::ReadOnlyFilesystem, Trouble::Refused),
            (io::ErrorKind::PermissionDenied, Trouble::Refused),
            (io::ErrorKind::TimedOut, Trouble::Other),
        ] {
            assert_eq!(Trouble::of_io(&io::Error::from(kind)), trouble, "{kind}");
            assert_eq!(Trouble::of(&sqlx::Error::Io(io::Error::from(kind))), trouble, "{kind}");
        }
    }
}
