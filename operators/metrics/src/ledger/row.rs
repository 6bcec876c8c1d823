//! A row of the ledger.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use lake::Result;

use super::{Archived, Fault, Ledger, damaged, unit_of};
use crate::tiers::TierName;
use crate::time::TimeRange;
use crate::window::{PartitionUnit, Window};

/// How far a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WindowState {
    /// Its points are in stores alone.
    Open,
    /// Its points are archived too.
    Written,
    /// What is archived was read back and compared with the store.
    Verified,
    /// The stores hold nothing of it any more.
    Expired,
}

impl WindowState {
    /// Returns its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Written => "written",
            Self::Verified => "verified",
            Self::Expired => "expired",
        }
    }

    /// Reads a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::Open, Self::Written, Self::Verified, Self::Expired].into_iter().find(|state| state.word() == word)
    }
}

/// What the ledger knows of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// The window.
    pub window: Window,
    /// How far it is.
    pub state: WindowState,
    /// The number of the last generation that was begun; 0 for none.
    pub generation: u32,
    /// How many writes began.
    pub begun: u64,
    /// How many writes ended.
    pub ended: u64,
    /// [`LedgerRow::touched`] when the dump of what stands began.
    pub dumped_touched: Option<u64>,
    /// Whether points are being deleted from a store.
    pub expiring: bool,
    /// What readers are pointed to.
    pub standing: Option<Archived>,
    /// What is being made.
    pub making: Option<Archived>,
    /// What was found wrong with what stands.
    pub fault: Option<Fault>,
}

impl LedgerRow {
    /// Returns how often writes touched it.
    pub fn touched(&self) -> u64 {
        self.begun + self.ended
    }

    /// Tells whether points may have come in since its dump began.
    pub fn is_late(&self) -> bool {
        self.state != WindowState::Open && self.dumped_touched != Some(self.touched())
    }

    /// Tells whether all its points are archived and verified, and nothing was found wrong since: a reader needs no store.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, WindowState::Verified | WindowState::Expired) && !self.is_late() && self.fault.is_none()
    }

    /// Tells whether points came for sure: a write into it ended, or points of it were found in a store. A write that only began may
    /// have brought none.
    pub fn had_points(&self) -> bool {
        self.ended > 0
    }

    /// Tells whether points came for sure since what stands was last compared with the stores: more writes have ended than had begun by
    /// then, so that one of them is later. What came with the others may be archived. While points are being deleted nothing is known:
    /// those that came meanwhile are deleted, too, where the archive has them.
    pub fn had_points_since(&self) -> bool {
        let begun = self.standing.as_ref().and_then(|standing| standing.begun);
        !self.expiring && begun.is_some_and(|begun| self.ended > begun)
    }

    /// Tells whether points were written for it, and a dump found none of them in any store: nothing of it is archived.
    pub fn is_lost(&self) -> bool {
        self.standing.is_none() && self.fault == Some(Fault::Store)
    }

    /// Returns what tells whether another generation stands, or another state.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            start_ms: self.window.range().start_ms,
            state: self.state,
            generation: self.generation,
            begun: self.begun,
            ended: self.ended,
            dumped_touched: self.dumped_touched,
            expiring: self.expiring,
            is_making: self.making.is_some(),
        }
    }

    /// Tells whether a write began that never said that it ended: it is under way, or its process stopped.
    pub fn has_unfinished_write(&self) -> bool {
        self.begun != self.ended
    }
}

/// What changes of a row with its generation or its state: each generation begins with an intent that has a number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    start_ms: i64,
    state: WindowState,
    generation: u32,
    begun: u64,
    ended: u64,
    dumped_touched: Option<u64>,
    expiring: bool,
    is_making: bool,
}

impl Ledger {
    /// Lists the stamps of a tier's rows that hold a part of a span, by time.
    ///
    /// # Errors
    /// As [`Ledger::row`].
    pub(crate) async fn stamps(&self, tier: &TierName, range: TimeRange) -> Result<Vec<Stamp>> {
        const QUERY: &str = "SELECT start_ms, unit, state, generation, begun, ended, dumped_touched, expiring, making IS NOT NULL AS is_making \
                             FROM metric_window WHERE tier = ? AND start_ms < ? AND end_ms > ? ORDER BY start_ms";
        self.in_span(QUERY, tier, range).await?.iter().map(read_stamp).collect()
    }
}

fn read_stamp(row: &SqliteRow) -> Result<Stamp> {
    let window = window(row)?;
    let (state, dumped): (&str, Option<i64>) = (row.get("state"), row.get("dumped_touched"));
    let generation = number(row, window, "generation")?;
    Ok(Stamp {
        start_ms: window.range().start_ms,
        state: WindowState::of(state).ok_or_else(|| damaged(window, &format!("its state is `{state}`")))?,
        generation: u32::try_from(generation).map_err(|_| damaged(window, "its generation"))?,
        begun: number(row, window, "begun")?,
        ended: number(row, window, "ended")?,
        dumped_touched: dumped.map(|dumped| u64::try_from(dumped).unwrap_or_default()),
        expiring: row.get("expiring"),
        is_making: row.get("is_making"),
    })
}

/// Reads a number that is not negative.
fn number(row: &SqliteRow, window: Window, column: &str) -> Result<u64> {
    let number: i64 = row.get(column);
    u64::try_from(number).map_err(|_| damaged(window, &format!("`{column}` is {number}")))
}

/// Reads the window of a row.
pub(super) fn window(row: &SqliteRow) -> Result<Window> {
    let key: &str = row.get("unit");
    let start_ms: i64 = row.get("start_ms");
    let window = Window::of(unit_of(key).unwrap_or(PartitionUnit::Day), start_ms);
    if unit_of(key).is_none() || window.range().start_ms != start_ms {
        return Err(damaged(window, &format!("its unit is `{key}`")));
    }
    Ok(window)
}

pub(super) fn read(row: &SqliteRow) -> Result<LedgerRow> {
    let window = window(row)?;
    let archived = |column: &str| {
        let text: Option<&str> = row.get(column);
        text.map(|text| serde_json::from_str::<Archived>(text).map_err(|error| damaged(window, &error.to_string())))
            .transpose()
    };
    let stamp = read_stamp(row)?;
    let standing = archived("standing")?;
    let fault_generation: Option<i64> = row.get("fault_generation");
    // That of a window that was never archived has the number 0.
    let stands = standing.as_ref().map_or(0, |standing| i64::from(standing.generation));
    let fault: Option<&str> = row.get("fault");
    let fault = fault.filter(|_| fault_generation == Some(stands));
    let fault = fault
        .map(|word| Fault::of(word).ok_or_else(|| damaged(window, &format!("its fault is `{word}`"))))
        .transpose()?;
    Ok(LedgerRow {
        window,
        state: stamp.state,
        generation: stamp.generation,
        begun: stamp.begun,
        ended: stamp.ended,
        dumped_touched: stamp.dumped_touched,
        expiring: stamp.expiring,
        standing,
        making: archived("making")?,
        fault,
    })
}
