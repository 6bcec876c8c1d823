//! The stores that a file of tiers names.

use std::sync::Arc;

use async_trait::async_trait;
use lake::{Error, ErrorKind, Lake, Result};
use metrics::config::{TierConfig, TiersConfig};
use metrics::{EmbeddedStores, PointStore, StoreOpener, Tier};

/// Opens stores as their tiers say.
#[derive(Debug)]
pub(super) struct ConfiguredStores {
    embedded: EmbeddedStores,
    config: TiersConfig,
}

impl ConfiguredStores {
    pub(super) fn new(lake: &Lake, config: &TiersConfig) -> Self {
        let settings = &lake.settings;
        let folder = settings.state_dir.join("metrics");
        Self {
            embedded: EmbeddedStores { folder, crash_points: settings.crash_points.clone() },
            config: config.clone(),
        }
    }
}

#[async_trait]
impl StoreOpener for ConfiguredStores {
    async fn open(&self, tier: &Tier) -> Result<Arc<dyn PointStore>> {
        match self.config.tiers.get(tier.name.as_str()) {
            Some(TierConfig::Embedded(_)) => self.embedded.open(tier).await,
            _ => {
                let message = format!("expected a store, found the tier `{}`", tier.name);
                Err(Error::new(ErrorKind::InvalidInput, "open a store", message))
            }
        }
    }
}
