//! Version roots that hold nothing any more: their marker goes after the last version.
//!
//! In a folder the ledger knows all versions below a root. On S3 several machines share one, each with a ledger of its own, so
//! there the marker stays: a small object for each place that a table was published at.

use crate::error::Result;
use crate::lake::Lake;

impl Lake {
    /// Deletes the markers of version roots that no version is below, and nothing else; whoever publishes there next makes its own.
    /// Repeating it after a stop goes on where it stopped.
    ///
    /// # Errors
    /// Those of the catalog's file and the storage.
    pub async fn collect_roots(&self) -> Result<()> {
        if self.leases.are_needed() {
            return Ok(());
        }
        for root in self.versions.empty_roots().await? {
            let forgotten = self.versions.forget_root(&root, self.storage.remove_empty_root(&root));
            self.settings.crash_points.around("collect: forget a root", forgotten).await?;
        }
        Ok(())
    }
}
