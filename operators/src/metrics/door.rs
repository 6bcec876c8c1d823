//! The way to the tiers: opened by the first task that needs them, and kept for the next ones.

use std::collections::HashMap;
use std::sync::Arc;

use engine::operator::{TaskContext, TaskError};
use engine::params::ParamPath;
use engine::secret::Secrets;
use jiff::Timestamp;
use lake::{Lake, Secret};
use metrics::config::{ParquetTier, TierConfig, TiersConfig};
use metrics::{Merged, Metrics, PartitionUnit, PointBatch, Step, Tier, TierName};
use tokio::sync::Mutex;

use super::params::TiersParams;
use super::route::Work;
use super::stores::{Addresses, ConfiguredStores};
use crate::door::LakeDoor;
use crate::error::{AtParam as _, task_error};

/// Tiers that are opened when they are first used, by what their file says.
#[derive(Debug)]
pub(crate) struct MetricsDoor {
    lake: Arc<LakeDoor>,
    opened: Mutex<HashMap<String, Arc<Metrics>>>,
}

/// The tiers of a task.
#[derive(Debug)]
pub(super) struct Opened {
    /// The lake.
    pub(super) lake: Lake,
    /// The tiers.
    pub(super) metrics: Arc<Metrics>,
    /// What their file says.
    pub(super) config: TiersConfig,
    /// The time that counts as now.
    pub(super) now: Timestamp,
}

impl Opened {
    /// Writes points into a store; tells when they were not moved on as the tier says.
    pub(super) async fn write(
        &self,
        context: &TaskContext,
        to: &TierName,
        batch: &PointBatch,
    ) -> Result<Merged, TaskError> {
        let written = self.metrics.write(to, batch, self.now).await.map_err(task_error)?;
        if let Some(why) = written.not_flushed {
            let help = why.help.unwrap_or_default();
            context
                .host
                .warn(&format!("all points are written into `{to}`, and none were moved on: {}; {help}", why.message));
        }
        Ok(written.merged)
    }

    /// Returns the step and the table of a Parquet tier, as they stand in the catalog.
    pub(super) fn table(&self, tier: &str) -> Option<(String, String)> {
        let parquet = self.config.tiers.get(tier)?.as_parquet()?;
        let step = Step::from_ms(parquet.step.as_millis()).ok()?;
        Some((step.to_string(), parquet.table.to_lowercase()))
    }

    /// Returns the name of the archive of the points.
    pub(super) fn archive(&self) -> Option<&str> {
        self.metrics.tiers().archive().map(|tier| tier.name.as_str())
    }

    /// Returns the unit of the windows of a Parquet tier.
    pub(super) fn unit(&self, tier: &str) -> PartitionUnit {
        let parquet = self.config.tiers.get(tier).and_then(TierConfig::as_parquet);
        parquet.map_or(PartitionUnit::Day, ParquetTier::unit)
    }

    /// Returns the unit of the windows of the points' archive.
    pub(super) fn raw_unit(&self) -> PartitionUnit {
        self.metrics.tiers().archive().and_then(Tier::unit).unwrap_or(PartitionUnit::Day)
    }
}

impl MetricsDoor {
    /// Makes a door; nothing is opened.
    pub(crate) fn new(lake: Arc<LakeDoor>) -> Self {
        Self { lake, opened: Mutex::default() }
    }

    /// Returns the way to the lake.
    pub(super) fn lake_door(&self) -> &LakeDoor {
        &self.lake
    }

    /// Returns the lake.
    pub(super) async fn lake(&self) -> Result<&Lake, TaskError> {
        self.lake.open().await
    }

    /// Returns the tiers of a task, when what it does with those that it names makes sense.
    pub(super) async fn open(
        &self,
        context: &TaskContext,
        params: &TiersParams,
        work: Work,
        named: &[(&str, &str)],
    ) -> Result<Opened, TaskError> {
        let config = params.config(context).await?;
        let now = params.now(context)?;
        let named: Vec<(ParamPath, &str)> = named.iter().map(|(path, tier)| (ParamPath::from(*path), *tier)).collect();
        work.check(&config, &params.tiers, &named)?;
        let lake = self.lake.open().await?.clone();
        let key = serde_json::to_string(&config).unwrap_or_default();
        let addresses =
            addresses(&config, &|text| context.reveal(text).map(|revealed| Secret::new(revealed.reveal())))?;
        let mut opened = self.opened.lock().await;
        let metrics = if let Some(metrics) = opened.get(&key) {
            Arc::clone(metrics)
        } else {
            let metrics = Arc::new(open(&lake, &config, addresses).await.map_err(task_error)?);
            opened.insert(key, Arc::clone(&metrics));
            metrics
        };
        Ok(Opened { lake, metrics, config, now })
    }
}

/// Opens tiers over a lake.
///
/// # Errors
/// Those of the stores and of the ledger.
async fn open(lake: &Lake, config: &TiersConfig, addresses: Addresses) -> lake::Result<Metrics> {
    Metrics::open(lake, config.tiers()?, Arc::new(ConfiguredStores::new(lake, config, addresses))).await
}

/// Opens tiers over a lake; `reveal` puts secrets in their places.
///
/// # Errors
/// That a secret is not set; those of the ledger. Stores are opened when they are needed.
pub async fn open_metrics(lake: &Lake, config: &TiersConfig, secrets: &Secrets) -> Result<Metrics, TaskError> {
    let reveal = |text: &str| {
        let revealed = secrets.resolve(text).map_err(TaskError::from)?;
        Ok(Secret::new(revealed.reveal()))
    };
    let addresses = addresses(config, &reveal)?;
    open(lake, config, addresses).await.map_err(task_error)
}

/// Opens tiers over a lake to see how far their windows are; none where nothing was written yet. Stores must not be asked for:
/// their addresses are not known.
///
/// # Errors
/// Those of the ledger.
pub(super) async fn open_to_look(lake: Option<&Lake>, config: &TiersConfig) -> lake::Result<Option<Metrics>> {
    let Some(lake) = lake else { return Ok(None) };
    let stores = Arc::new(ConfiguredStores::new(lake, config, Addresses::new()));
    Metrics::open_to_look(lake, config.tiers()?, stores).await
}

/// Puts the secrets into the addresses of Redis.
fn addresses(config: &TiersConfig, reveal: &dyn Fn(&str) -> Result<Secret, TaskError>) -> Result<Addresses, TaskError> {
    let mut addresses = Addresses::new();
    for (name, tier) in &config.tiers {
        if let TierConfig::Redis(redis) = tier {
            addresses.insert(name.clone(), reveal(&redis.uri).at_param("tiers")?);
        }
    }
    Ok(addresses)
}

/// Makes the name of a tier that is in the file of the tiers.
pub(super) fn tier(name: &str) -> Result<TierName, TaskError> {
    TierName::new(name).map_err(task_error)
}
