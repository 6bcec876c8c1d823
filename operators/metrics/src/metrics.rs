//! The tiers of a project, opened: what all steps stand on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::join_all;
use lake::crash::CrashPoints;
use lake::name::Location;
use lake::{Error, ErrorKind, Lake, Result};
use tokio::sync::{Mutex, OnceCell};

use crate::gathered::GatheredSeries;
use crate::ledger::{Ledger, LedgerRow, WindowState};
use crate::moving::Movers;
use crate::report::{Outcome, WindowReport};
use crate::store::{Claiming, PointStore, Selection, StoreOpener};
use crate::tiers::{Tier, TierName, Tiers};
use crate::time::TimeRange;
use crate::window::{PartitionUnit, Window};

/// The tiers of a project, opened. Stores are opened when they are needed for the first time.
#[derive(Debug)]
pub struct Metrics {
    pub(crate) lake: Lake,
    pub(crate) tiers: Tiers,
    pub(crate) ledger: Ledger,
    pub(crate) movers: Movers,
    opener: Arc<dyn StoreOpener>,
    stores: BTreeMap<TierName, OnceCell<Arc<dyn PointStore>>>,
    /// What the stores' series have gathered, of those that writing flushes.
    pub(crate) gathered: BTreeMap<TierName, Mutex<GatheredSeries>>,
    /// The tiers of whose names this process knows that they stand for what they are here.
    pub(crate) bound: Mutex<BTreeSet<TierName>>,
    /// The tiers whose places this process has claimed.
    pub(crate) claimed: Mutex<BTreeSet<TierName>>,
    /// The Parquet tiers by whose names nothing was kept yet, and that the catalog had no windows of.
    pub(crate) without_partitions: BTreeSet<TierName>,
    /// The version of a roll-up whose bytes were found whole, while windows go that it stands for.
    pub(crate) seen_whole: Mutex<Option<Location>>,
}

impl Metrics {
    /// Opens the tiers: the ledger in `STATE_DIR/metrics.sqlite`, which is rebuilt from the catalog when it is not there. The names of
    /// the tiers are bound to nothing by that, unless their windows are found in the catalog.
    ///
    /// # Errors
    /// Those of the ledger's file, and of the catalog when the ledger is rebuilt; `InvalidInput` for a tier whose name stands for
    /// another table, kind, step or length of windows in this project.
    pub async fn open(lake: &Lake, tiers: Tiers, opener: Arc<dyn StoreOpener>) -> Result<Self> {
        let file = lake.settings.state_dir.join(crate::ledger::FILE);
        let ledger = lake.settings.crash_points.around("metrics: open the ledger", Ledger::open(&file)).await?;
        let stores = tiers.stores().map(|tier| tier.name.clone()).collect();
        let mut metrics = Self::over(lake, tiers, ledger, opener, stores);
        metrics.refuse_others(metrics.tiers.all().iter()).await?;
        metrics.refuse_other_windows().await?;
        let known = metrics.ledger.known().await?;
        let mut without_partitions = BTreeSet::new();
        for tier in metrics.tiers.all().iter().filter(|tier| !tier.is_store()) {
            if known.contains(tier.name.as_str()) {
                continue;
            }
            // Once, and to the end: a half of the windows would be taken for all of them.
            metrics.rebuild_from_catalog(tier).await?;
            if metrics.ledger.names().await?.contains_key(tier.name.as_str()) {
                metrics.note_known(tier).await?;
            } else {
                without_partitions.insert(tier.name.clone());
            }
        }
        metrics.without_partitions = without_partitions;
        Ok(metrics)
    }

    /// Opens the tiers to see how far their windows are; none where no ledger is yet. Nothing is made or noted.
    ///
    /// # Errors
    /// Those of the ledger's file; `InvalidInput` as [`Metrics::open`].
    pub async fn open_to_look(lake: &Lake, tiers: Tiers, opener: Arc<dyn StoreOpener>) -> Result<Option<Self>> {
        let file = lake.settings.state_dir.join(crate::ledger::FILE);
        if !file.is_file() {
            return Ok(None);
        }
        let metrics = Self::over(lake, tiers, Ledger::open(&file).await?, opener, Vec::new());
        metrics.refuse_others(metrics.tiers.all().iter()).await?;
        metrics.refuse_other_windows().await?;
        Ok(Some(metrics))
    }

    /// Puts opened tiers together, of which some stores may be opened when they are needed.
    fn over(lake: &Lake, tiers: Tiers, ledger: Ledger, opener: Arc<dyn StoreOpener>, stores: Vec<TierName>) -> Self {
        Self {
            lake: lake.clone(),
            tiers,
            ledger,
            movers: Movers::new(lake.settings.state_dir.join(crate::moving::FILE)),
            opener,
            gathered: stores.iter().map(|name| (name.clone(), Mutex::default())).collect(),
            stores: stores.into_iter().map(|name| (name, OnceCell::new())).collect(),
            bound: Mutex::default(),
            claimed: Mutex::default(),
            without_partitions: BTreeSet::new(),
            seen_whole: Mutex::default(),
        }
    }

    /// Returns the tiers.
    pub fn tiers(&self) -> &Tiers {
        &self.tiers
    }

    pub(crate) fn points(&self) -> &CrashPoints {
        &self.lake.settings.crash_points
    }

    /// Returns the store of a tier, unless its server may have lost points.
    ///
    /// # Errors
    /// `InvalidInput` for a Parquet tier, and for a place that is another tier's; those of opening the store; `ResourcesExhausted` when its server has thrown keys away
    /// since it was last seen, until [`Metrics::accept_loss`].
    pub async fn store(&self, name: &TierName) -> Result<Arc<dyn PointStore>> {
        let store = self.store_to_fill(name).await?;
        self.refuse_loss(name, store.as_ref()).await.map_err(|error| error.with("tier", name.as_str()))?;
        Ok(store)
    }

    /// Returns the store of a tier for points that come in: they are taken whatever went before.
    pub(crate) async fn store_to_fill(&self, name: &TierName) -> Result<Arc<dyn PointStore>> {
        let tier = self.tiers.tier(name)?;
        let cell = self
            .stores
            .get(name)
            .ok_or_else(|| invalid(format!("expected a store, found the Parquet tier `{name}`")))?;
        let open = async {
            let store = self.opener.open(tier).await?;
            self.claim(name, store.as_ref(), Claiming::Look).await?;
            self.watch(name, store.as_ref()).await?;
            Ok::<_, Error>(store)
        };
        let opened = cell.get_or_try_init(|| open).await;
        opened.map(Arc::clone).map_err(|error| error.with("tier", name.as_str()))
    }

    /// Returns the stores of all tiers, upper ones first, each with the place of its tier among all. They are opened at once: of several
    /// that cannot be reached the wait is the longest one, and not one after the other.
    pub(crate) async fn stores(&self) -> Vec<(usize, &Tier, Result<Arc<dyn PointStore>>)> {
        let tiers = self.tiers.all().iter().enumerate().filter(|(_, tier)| tier.is_store());
        join_all(tiers.map(|(number, tier)| async move { (number, tier, self.store(&tier.name).await) })).await
    }

    /// Finds the last store and the archive of its points. What another one above the archive holds of a window would be passed over, and
    /// nobody would look for it there any more.
    pub(crate) fn raw_pair(&self, from: &TierName, to: &TierName) -> Result<(&Tier, &Tier, PartitionUnit)> {
        let (store, archive) = (self.tiers.tier(from)?, self.tiers.tier(to)?);
        if !store.is_store() {
            return Err(invalid(format!("expected a store, found the Parquet tier `{from}`")));
        }
        match (self.tiers.archive(), archive.unit()) {
            (Some(raw), Some(unit)) if raw.name == archive.name => match self.tiers.stores().next_back() {
                Some(last) if last.name != store.name => Err(invalid(format!(
                    "`{}` stands between `{from}` and `{to}`: what it holds of a window would be passed over",
                    last.name
                ))),
                _ => Ok((store, archive, unit)),
            },
            (Some(raw), _) => {
                Err(invalid(format!("expected the archive of `{from}`, which is `{}`, found `{to}`", raw.name)))
            }
            (None, _) => Err(invalid(format!("expected a Parquet tier of the step {}, found none", store.step))),
        }
    }

    /// Tells whether a store holds a point of a span.
    pub(crate) async fn holds(&self, store: &dyn PointStore, range: TimeRange) -> Result<bool> {
        let mut batches = store.scan(range, Selection::All);
        while let Some(batch) = batches.next().await {
            if !batch?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the row of a window after a step, as a report.
    pub(crate) async fn report(&self, tier: &Tier, window: Window, outcome: Outcome) -> Result<WindowReport> {
        let row = self.ledger.row(&tier.name, window).await?;
        Ok(report_of(tier, window, row.as_ref(), outcome))
    }

    /// Lists the windows of a Parquet tier that the ledger knows, by time.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn windows(&self, tier: &TierName, range: Option<TimeRange>) -> Result<Vec<LedgerRow>> {
        let tier = self.tiers.tier(tier)?;
        let Some(unit) = tier.unit() else {
            return Err(invalid(format!("expected a Parquet tier, found the store `{}`", tier.name)));
        };
        let range = range.map_or(TimeRange::ALL, |range| Window::widened(unit, &range));
        self.ledger.rows(&tier.name, range).await
    }
}

/// Makes a report of a row.
pub(crate) fn report_of(tier: &Tier, window: Window, row: Option<&LedgerRow>, outcome: Outcome) -> WindowReport {
    let standing = row.and_then(|row| row.standing.as_ref());
    WindowReport {
        tier: tier.name.clone(),
        window,
        generation: standing.map_or(0, |standing| standing.generation),
        figures: standing.map(|standing| standing.figures).unwrap_or_default(),
        bytes: standing.map_or(0, crate::ledger::Archived::bytes),
        state: row.map_or(WindowState::Open, |row| row.state),
        outcome,
        mismatches: Vec::new(),
        way_on: None,
        is_known: false,
        given_up: Vec::new(),
        moved: 0,
    }
}

pub(crate) fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "move points", message)
}
