//! Decisions of a publish, as pure functions of what was asked and what is there.

use crate::error::{Error, ErrorKind};
use crate::words::counted;
use serde::{Deserialize, Serialize};

/// What to do when the partition (or table) is in the catalog already. Objects that lie around loose never count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SaveMode {
    /// Replace it.
    #[default]
    Overwrite,
    /// Leave it as it is, and be content.
    SkipIfExists,
    /// Fail.
    ErrorIfExists,
}

/// What to do when the query gives no rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnEmpty {
    /// Publish no rows: "it ran, and there was nothing" can be told from "it did not run".
    #[default]
    Publish,
    /// Fail; what is there stays.
    Error,
    /// Keep what is there.
    Skip,
    /// Drop the partition (or table) from the catalog.
    Drop,
}

/// How a version becomes visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishMode {
    /// By pointing the catalog to a new prefix: atomic.
    #[default]
    Versioned,
    /// By copying the objects to the place where they always are, for readers that go by path: not atomic.
    InPlace,
}

/// What to do before anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// Go on.
    Proceed,
    /// End well, having done nothing.
    Skip,
    /// Fail: it is there.
    Refuse,
}

/// What to do with what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Publish it.
    Publish,
    /// End well; what is there stays.
    Keep,
    /// Fail: no rows.
    Refuse,
    /// Drop what is there.
    Drop,
}

/// Decides by the save mode.
pub fn beginning(save_mode: SaveMode, exists: bool) -> Beginning {
    match (save_mode, exists) {
        (SaveMode::Overwrite, _) | (_, false) => Beginning::Proceed,
        (SaveMode::SkipIfExists, true) => Beginning::Skip,
        (SaveMode::ErrorIfExists, true) => Beginning::Refuse,
    }
}

/// Decides by the number of rows.
pub fn ending(on_empty: OnEmpty, rows: u64) -> Ending {
    match (on_empty, rows) {
        (OnEmpty::Publish, _) | (_, 1..) => Ending::Publish,
        (OnEmpty::Error, 0) => Ending::Refuse,
        (OnEmpty::Skip, 0) => Ending::Keep,
        (OnEmpty::Drop, 0) => Ending::Drop,
    }
}

/// Limits of how many rows a version must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RowLimits {
    /// At least so many.
    pub min_rows: Option<u64>,
    /// At most so many per cent fewer than in the version before.
    pub max_drop_percent: Option<u8>,
}

/// The limit that a number of rows is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLimit {
    /// There must be rows at all: [`OnEmpty::Error`].
    Empty,
    /// [`RowLimits::min_rows`].
    MinRows,
    /// [`RowLimits::max_drop_percent`].
    MaxDrop,
}

impl RowLimit {
    /// Returns the operation of an error about it: what tells whoever set the limit which one it was.
    pub fn operation(self) -> &'static str {
        match self {
            Self::Empty => "check that there are rows",
            Self::MinRows => "check the least number of rows",
            Self::MaxDrop => "check how many fewer rows there are",
        }
    }

    /// Returns the limit that an error is about.
    pub fn of(error: &Error) -> Option<Self> {
        [Self::Empty, Self::MinRows, Self::MaxDrop].into_iter().find(|limit| limit.operation() == error.operation)
    }

    /// Makes the error.
    pub(super) fn error(self, message: String) -> Error {
        Error::new(ErrorKind::DataQuality, self.operation(), message)
    }
}

/// Says what is wrong with a number of rows; none when it is within the limits.
pub fn out_of_limits(limits: RowLimits, rows: u64, previous_rows: Option<u64>) -> Option<(RowLimit, String)> {
    if let Some(min_rows) = limits.min_rows.filter(|min_rows| rows < *min_rows) {
        return Some((RowLimit::MinRows, format!("expected at least {}, found {rows}", counted(min_rows, "row"))));
    }
    let (percent, previous) = (limits.max_drop_percent?, previous_rows?);
    let kept = u128::from(rows) * 100;
    let wanted = u128::from(previous) * u128::from(100_u8.saturating_sub(percent));
    (kept < wanted).then(|| {
        let message =
            format!("expected at most {percent}% fewer rows than the {previous} of the version before, found {rows}");
        (RowLimit::MaxDrop, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn save_modes() {
        use Beginning::{Proceed, Refuse, Skip};
        for (mode, absent, present) in [
            (SaveMode::Overwrite, Proceed, Proceed),
            (SaveMode::SkipIfExists, Proceed, Skip),
            (SaveMode::ErrorIfExists, Proceed, Refuse),
        ] {
            assert_eq!((beginning(mode, false), beginning(mode, true)), (absent, present), "{mode:?}");
        }
    }

    #[test]
    fn empty_results() {
        for (on_empty, none) in [
            (OnEmpty::Publish, Ending::Publish),
            (OnEmpty::Error, Ending::Refuse),
            (OnEmpty::Skip, Ending::Keep),
            (OnEmpty::Drop, Ending::Drop),
        ] {
            assert_eq!((ending(on_empty, 0), ending(on_empty, 1)), (none, Ending::Publish), "{on_empty:?}");
        }
    }

    #[test]
    fn row_limits() {
        let limits = |min_rows, max_drop_percent| RowLimits { min_rows, max_drop_percent };
        assert_eq!(out_of_limits(limits(None, None), 0, Some(9)), None);
        assert_eq!(
            out_of_limits(limits(Some(1), None), 0, None).unwrap(),
            (RowLimit::MinRows, "expected at least 1 row, found 0".to_owned())
        );
        assert_eq!(out_of_limits(limits(None, Some(10)), 90, Some(100)), None);
        assert_eq!(out_of_limits(limits(None, Some(10)), 89, None), None);
        assert_eq!(
            out_of_limits(limits(None, Some(10)), 89, Some(100)).unwrap(),
            (
                RowLimit::MaxDrop,
                "expected at most 10% fewer rows than the 100 of the version before, found 89".to_owned()
            )
        );
    }
}
