//! How the stores of the tiers are opened: a value that is handed in, so that nothing here knows every kind of store.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use lake::Result;
use lake::crash::CrashPoints;

use super::{EmbeddedStore, PointStore};
use crate::tiers::Tier;

/// Opens the store of a tier.
#[async_trait]
pub trait StoreOpener: Debug + Send + Sync + 'static {
    /// Opens the store of a tier, when it is needed for the first time.
    ///
    /// # Errors
    /// Those of the store. A later call may succeed.
    async fn open(&self, tier: &Tier) -> Result<Arc<dyn PointStore>>;
}

/// Opens embedded stores: each tier has a file of its own, `FOLDER/<tier>.sqlite`.
#[derive(Debug, Clone)]
pub struct EmbeddedStores {
    /// The folder; the product's is `.suiro/metrics`.
    pub folder: PathBuf,
    /// Where tests stop the process.
    pub crash_points: CrashPoints,
}

#[async_trait]
impl StoreOpener for EmbeddedStores {
    async fn open(&self, tier: &Tier) -> Result<Arc<dyn PointStore>> {
        // A tier's name is a word: no separators, no dots.
        let file = self.folder.join(format!("{}.sqlite", tier.name));
        Ok(Arc::new(EmbeddedStore::open(&file, self.crash_points.clone()).await?))
    }
}
