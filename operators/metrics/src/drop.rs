//! Giving up windows of a Parquet tier whose time to be kept is over: the partition goes, and its objects with the next
//! collection.
//!
//! What is given up lives on in the next roll-up alone. So a window goes only when that roll-up is verified and made of exactly
//! what goes, and together with all others that the roll-up's window is made of: it is never made again from what is left.
//! Points that come to such a window later stay in their store, and nothing takes them for all there is of it.

use jiff::Timestamp;
use lake::Result;

use crate::archive::{Form, partition_of};
use crate::config::Period;
use crate::ledger::{LedgerRow, MadeFrom, WindowState};
use crate::make::Settled;
use crate::metrics::{Metrics, invalid};
use crate::report::{Outcome, WindowReport};
use crate::tiers::{Tier, TierName};
use crate::time::{TimeRange, shown};
use crate::window::Window;

impl Metrics {
    fn dropping_tier(&self, name: &TierName) -> Result<&Tier> {
        let tier = self.tiers.tier(name)?;
        if tier.is_store() {
            return Err(invalid(format!("cannot drop windows of `{name}`: expected a Parquet tier, found a store")));
        }
        Ok(tier)
    }

    /// Returns the roll-up that a Parquet tier's windows are made to.
    fn coarser(&self, tier: &Tier) -> Option<&Tier> {
        self.tiers.all().iter().skip_while(|other| other.name != tier.name).nth(1)
    }

    /// Returns the window by whose end the age of a window counts: that of the next roll-up, of which it is a part.
    fn aged_window(&self, tier: &Tier, window: Window) -> Window {
        let unit = self.coarser(tier).and_then(Tier::unit);
        unit.map_or(window, |unit| Window::of(unit, window.range().start_ms))
    }

    /// Lists the windows of a Parquet tier that are older than an age. Whether they may go is looked at by
    /// [`Metrics::drop_window`].
    ///
    /// # Errors
    /// Those of the ledger; `InvalidInput` for a store, and for the last tier when `older_than_ms` is less than it keeps its windows:
    /// what it gives up is nowhere else.
    pub async fn due_drops(
        &self,
        tier: &TierName,
        window: Option<TimeRange>,
        older_than_ms: i64,
        now: Timestamp,
    ) -> Result<Vec<Window>> {
        let tier = self.dropping_tier(tier)?;
        if let Some(keep_ms) = tier.keep_ms.filter(|keep_ms| self.coarser(tier).is_none() && older_than_ms < *keep_ms) {
            let [asked, keep] = [older_than_ms, keep_ms].map(|ms| Period::from_seconds(ms / 1000));
            let message =
                format!("`{}` keeps its windows for {keep}, and those older than {asked} were to go", tier.name);
            return Err(invalid(message).help("what the last tier gives up is nowhere else: make its `keep` smaller"));
        }
        // Whoever asks begins anew.
        *self.seen_whole.lock().await = None;
        let rows = self.windows(&tier.name, window).await?;
        let dropped = self.ledger.dropped(&tier.name, TimeRange::ALL).await?;
        let is_due = |row: &&LedgerRow| {
            row.standing.is_some()
                // What was begun is ended, whatever was found since.
                && (row.fault.is_none() || dropped.binary_search(&row.window).is_ok())
                && self.aged_window(tier, row.window).is_closed(older_than_ms, now.as_millisecond())
        };
        Ok(rows.iter().filter(is_due).map(|row| row.window).collect())
    }

    /// Gives up a window of a Parquet tier: takes its partition out of the catalog, and leaves its objects to the collection.
    ///
    /// # Errors
    /// Those of the catalog and the ledger. The same call goes on.
    pub async fn drop_window(
        &self,
        tier: &TierName,
        window: Window,
        older_than_ms: i64,
        now: Timestamp,
    ) -> Result<WindowReport> {
        let tier = self.dropping_tier(tier)?;
        let aged = self.aged_window(tier, window);
        if !aged.is_closed(older_than_ms, now.as_millisecond()) {
            let why = format!("it is kept until {}", shown(aged.range().end_ms.saturating_add(older_than_ms)));
            return self.report(tier, window, Outcome::NotDue(why)).await;
        }
        let _moving = self.movers.wait().await?;
        let is_raw = self.tiers.archive().is_some_and(|archive| archive.name == tier.name);
        let form = if is_raw { Form::Points } else { Form::Buckets };
        let Settled { row: settled_row, astray } = self.look(tier, window, form).await?;
        let Some((row, standing)) = settled_row.as_ref().and_then(|row| Some((row, row.standing.as_ref()?))) else {
            return self.report(tier, window, Outcome::NotDue("nothing of it is archived".to_owned())).await;
        };
        if let Some(astray) = &astray {
            return self.failed_astray(tier, row, standing, astray).await;
        }
        // What was begun is ended, whatever came to the window since: that stays in its store.
        if !self.is_dropped(tier, window).await? {
            if row.is_late() {
                return self.report(tier, window, Outcome::Late).await;
            }
            if let Some(why) = self.why_kept(tier, row, is_raw).await? {
                return self.report(tier, window, Outcome::NotDue(why)).await;
            }
            let begin = self.ledger.begin_drop(&tier.name, row);
            if !self.points().around("metrics: note that a window is about to be dropped", begin).await? {
                return self.report(tier, window, Outcome::Late).await;
            }
        }
        // Before the drop, after which nothing leads to the version.
        let retire = self.lake.versions.retire(&standing.prefix, self.lake.settings.retention);
        self.points().around("metrics: set the tombstone of a dropped window", retire).await?;
        let (table, values) = partition_of(tier, window)?;
        let dropped = self.lake.catalog.drop_partition(table, &values);
        self.points().around("metrics: drop the partition of a window", dropped).await?;
        self.end_drop(tier, window).await?;
        Ok(WindowReport {
            tier: tier.name.clone(),
            window,
            generation: 0,
            figures: standing.figures,
            bytes: standing.bytes(),
            state: WindowState::Expired,
            outcome: Outcome::Made,
            mismatches: Vec::new(),
            way_on: None,
            is_known: false,
            given_up: Vec::new(),
            moved: standing.figures.count,
        })
    }

    /// Forgets what is known of the objects of a window whose partition is gone.
    pub(crate) async fn end_drop(&self, tier: &Tier, window: Window) -> Result<()> {
        let end = self.ledger.end_drop(&tier.name, window);
        self.points().around("metrics: note that a window is dropped", end).await
    }

    /// Tells whether a window was given up, or is being given up.
    pub(crate) async fn is_dropped(&self, tier: &Tier, window: Window) -> Result<bool> {
        Ok(self.ledger.dropped(&tier.name, window.range()).await?.contains(&window))
    }

    /// Finds a window that goes with one and is not as far yet: what is in it would come into no roll-up any more.
    async fn waiting(&self, tier: &Tier, row: &LedgerRow) -> Result<Option<Window>> {
        let range = self.aged_window(tier, row.window).range();
        let dropped = self.ledger.dropped(&tier.name, range).await?;
        let rows = self.ledger.rows(&tier.name, range).await?;
        // A damaged one may be written again, and then the roll-up has to be made again of all of them.
        let is_behind = |other: &LedgerRow| other.is_late() || other.fault.is_some() || other.state < row.state;
        let waits = |other: &LedgerRow| !dropped.contains(&other.window) && is_behind(other);
        Ok(rows.into_iter().find(waits).map(|other| other.window))
    }

    /// Says why a window must not go yet.
    async fn why_kept(&self, tier: &Tier, row: &LedgerRow, is_raw: bool) -> Result<Option<String>> {
        let wanted = if is_raw { WindowState::Expired } else { WindowState::Verified };
        if row.state != wanted {
            let why = match row.state {
                WindowState::Verified => "stores still hold points of it",
                _ => "it is not verified",
            };
            return Ok(Some(why.to_owned()));
        }
        if row.fault.is_some() {
            return Ok(Some("something was found wrong with it".to_owned()));
        }
        if let Some(other) = self.waiting(tier, row).await? {
            return Ok(Some(format!("the window {other}, which goes with it, waits to be archived and verified")));
        }
        for finer in
            self.tiers.all().iter().filter(|other| !other.is_store()).take_while(|other| other.name != tier.name)
        {
            let dropped = self.ledger.dropped(&finer.name, row.window.range()).await?;
            let rows = self.ledger.rows(&finer.name, row.window.range()).await?;
            // One that is open waits for its dump, unless it was given up: what is in it comes into no roll-up.
            if rows.iter().any(|row| row.standing.is_some() || !dropped.contains(&row.window)) {
                return Ok(Some(format!("`{}` still has windows of that time", finer.name)));
            }
        }
        let Some(coarser) = self.coarser(tier) else { return Ok(None) };
        let made = made_of(tier, row);
        let rows = self.ledger.rows(&coarser.name, row.window.range()).await?;
        let holds = |row: &LedgerRow| {
            row.is_settled() && row.standing.as_ref().is_some_and(|standing| standing.made_from.contains(&made))
        };
        let Some(holding) = rows.iter().find(|row| holds(row)) else {
            return Ok(Some(format!("no verified window of `{}` is made of it", coarser.name)));
        };
        if let Some(other) = self.left_out(tier, row, holding).await? {
            return Ok(Some(format!(
                "the window {} of `{}` is not made of {other}, which goes with it: roll it up again",
                holding.window, coarser.name
            )));
        }
        let is_whole = self.is_whole(coarser, holding.window).await?;
        Ok((!is_whole).then(|| {
            format!(
                "the window {} of `{}`, in which it lives on, is not whole: verify it",
                holding.window, coarser.name
            )
        }))
    }

    /// Finds a window that goes with one and that the roll-up is not made of as it stands now.
    async fn left_out(&self, tier: &Tier, row: &LedgerRow, holding: &LedgerRow) -> Result<Option<Window>> {
        let range = self.aged_window(tier, row.window).range();
        let dropped = self.ledger.dropped(&tier.name, range).await?;
        let made_from = holding.standing.as_ref().map(|standing| standing.made_from.as_slice()).unwrap_or_default();
        let rows = self.ledger.rows(&tier.name, range).await?;
        let is_left_out = |other: &LedgerRow| {
            other.standing.is_some() && !dropped.contains(&other.window) && !made_from.contains(&made_of(tier, other))
        };
        Ok(rows.into_iter().find(is_left_out).map(|other| other.window))
    }

    /// Tells whether a roll-up's window is what readers are pointed to, with the bytes that were written. The ledger's word is not
    /// enough before what it is made of goes.
    async fn is_whole(&self, tier: &Tier, window: Window) -> Result<bool> {
        let looked_at = self.look(tier, window, Form::Buckets).await?;
        let standing = looked_at.row.as_ref().and_then(|row| row.standing.as_ref());
        match standing {
            Some(standing) if looked_at.astray.is_none() => {
                // One roll-up stands for many windows, which go one after the other: its bytes are read for the first of them.
                let mut seen_whole = self.seen_whole.lock().await;
                let is_whole =
                    seen_whole.as_ref() == Some(&standing.prefix) || self.check_bytes(standing).await?.is_empty();
                *seen_whole = is_whole.then(|| standing.prefix.clone());
                Ok(is_whole)
            }
            _ => Ok(false),
        }
    }
}

/// Says what a roll-up notes when it is made of what stands of a window.
fn made_of(tier: &Tier, row: &LedgerRow) -> MadeFrom {
    MadeFrom {
        tier: tier.name.to_string(),
        window: row.window.label(),
        generation: row.standing.as_ref().map_or(0, |standing| standing.generation),
    }
}
