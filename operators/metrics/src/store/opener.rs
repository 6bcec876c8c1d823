//! How the stores of the tiers are opened: a value that is handed in, so that nothing here knows every kind of store.

use std::fmt::Debug;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use lake::crash::CrashPoints;
use lake::{Error, ErrorKind, Result};

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

/// How the files of embedded stores are named.
const EXTENSION: &str = "sqlite";

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
        let file = self.folder.join(format!("{}.{EXTENSION}", tier.name));
        self.refuse_links(&file)?;
        Ok(Arc::new(EmbeddedStore::open(&file, self.crash_points.clone()).await?))
    }
}

impl EmbeddedStores {
    /// Refuses a file that is the file of another tier as well, by a link: points that are moved from one to the other would be
    /// deleted where they were written.
    fn refuse_links(&self, file: &Path) -> Result<()> {
        const OPERATION: &str = "open the embedded store of points";
        let id = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino()));
        // One that is not there yet is nobody's.
        let Ok(own) = id(file) else { return Ok(()) };
        let entries = std::fs::read_dir(&self.folder).map_err(|error| Error::folder(OPERATION, &self.folder, error))?;
        let mut others = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| {
            let is_store = path.extension().is_some_and(|extension| extension == EXTENSION);
            // What leads nowhere is no store.
            is_store && path != file && id(path).is_ok_and(|other| other == own)
        });
        let Some(other) = others.next() else { return Ok(()) };
        let message = format!("expected a file of the tier's own, found one that is `{}` as well", other.display());
        Err(Error::new(ErrorKind::InvalidInput, OPERATION, message)
            .with("path", file.display().to_string())
            .help("one of both is a link: remove it, and the tier gets a file of its own"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duplicate::DuplicateRule;
    use crate::tests::world::{tier, tiers};

    #[tokio::test]
    async fn two_tiers_are_two_files() {
        let folder = tempfile::tempdir().unwrap();
        let stores = EmbeddedStores { folder: folder.path().to_owned(), crash_points: CrashPoints::default() };
        let tiers = tiers(DuplicateRule::Last);
        let (hot, warm) = (tiers.tier(&tier("hot")).unwrap(), tiers.tier(&tier("warm")).unwrap());
        stores.open(hot).await.unwrap();
        stores.open(warm).await.unwrap();
        let file = |name: &str| folder.path().join(name);
        for link in [|from, to| std::fs::hard_link(from, to), |from, to| std::os::unix::fs::symlink(from, to)] {
            std::fs::remove_file(file("warm.sqlite")).unwrap();
            link(file("hot.sqlite"), file("warm.sqlite")).unwrap();
            let error = stores.open(warm).await.unwrap_err();
            assert_eq!(
                error.message,
                format!(
                    "expected a file of the tier's own, found one that is `{}` as well",
                    file("hot.sqlite").display()
                )
            );
        }
    }
}
