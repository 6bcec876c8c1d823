//! Writers of one process go one by one at each table and partition: Glue compares no versions of partitions, so the look
//! before a write and the write must not be torn apart by ourselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// The locks of a catalog, by name; shared by its clones.
#[derive(Debug, Clone, Default)]
pub(super) struct Locks {
    held: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>,
}

impl Locks {
    /// Waits for the turn at a name; it ends when the guard goes.
    pub(super) async fn hold(&self, name: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            // What only the map knows is held by nobody.
            held.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(held.entry(name.to_owned()).or_default())
        };
        lock.lock_owned().await
    }
}
