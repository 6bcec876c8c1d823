//! The id of the catalog: a number by chance in a row of its own, made once by whoever needs it first. It goes with the file, wherever
//! that is moved.

use std::path::Path;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::SqliteCatalog;
use crate::catalog::CatalogIdentity;
use crate::error::Result;
use crate::sqlite::failed;

const OPERATION: &str = "look which catalog it is";

const MAKE: &str = "give the catalog an id";

impl SqliteCatalog {
    /// Returns the id; none where nobody has made one.
    pub(super) async fn read_identity(&self) -> Result<Option<CatalogIdentity>> {
        let row = sqlx::query("SELECT id, made_in FROM catalog_identity").fetch_optional(&self.pool).await;
        row.map(|row| row.as_ref().map(identity)).map_err(|error| failed(OPERATION, error))
    }

    /// Returns the id; makes one where there is none. Of two that come at once both get the one of the first.
    pub(super) async fn put_identity(&self) -> Result<CatalogIdentity> {
        // Who only wants to know it waits for no writer.
        if let Some(found) = self.read_identity().await? {
            return Ok(found);
        }
        let made = sqlx::query(
            "INSERT INTO catalog_identity (one, id, made_in) VALUES (1, ?, ?) ON CONFLICT (one) DO NOTHING",
        )
        .bind(uuid::Uuid::new_v4().simple().to_string())
        .bind(folder_of(self.pool.connect_options().get_filename()))
        .execute(&self.pool)
        .await;
        made.map_err(|error| failed(MAKE, error))?;
        // Of a statement with RETURNING the row would come before the commit, which may find no room on the disk.
        let row = sqlx::query("SELECT id, made_in FROM catalog_identity").fetch_one(&self.pool).await;
        row.map(|row| identity(&row)).map_err(|error| failed(MAKE, error))
    }
}

fn identity(row: &SqliteRow) -> CatalogIdentity {
    CatalogIdentity { id: row.get("id"), made_in: row.get("made_in") }
}

/// Returns the folder of a file, from the root on; none of one in memory.
fn folder_of(file: &Path) -> Option<String> {
    let folder = file.canonicalize().ok()?.parent()?.to_owned();
    Some(folder.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::catalog::{Catalog as _, SqliteCatalog};
    use crate::clock::SystemClock;
    use crate::sqlite::FILE;

    async fn open(folder: &std::path::Path) -> SqliteCatalog {
        SqliteCatalog::open_in(folder, Arc::new(SystemClock)).await.unwrap()
    }

    #[tokio::test]
    async fn an_id_is_made_when_it_is_wanted_and_goes_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (first, moved) = (folder.path().join("first"), folder.path().join("moved"));
        let catalog = open(&first).await;
        for _ in 0..2 {
            assert_eq!(catalog.identity().await.unwrap(), None, "looking makes none");
        }
        let made = catalog.make_identity().await.unwrap();
        assert_eq!(made.made_in, Some(first.canonicalize().unwrap().display().to_string()));
        assert_eq!(catalog.make_identity().await.unwrap(), made);
        catalog.pool.close().await;
        std::fs::rename(&first, &moved).unwrap();
        let catalog = open(&moved).await;
        assert_eq!(catalog.identity().await.unwrap(), Some(made.clone()));
        assert_eq!(catalog.make_identity().await.unwrap(), made);
        // Another one has another.
        let other = open(&first).await;
        assert_ne!(other.make_identity().await.unwrap().id, made.id);
    }

    #[tokio::test]
    async fn a_catalog_of_an_earlier_form_has_no_id_until_it_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = open(folder.path()).await;
        sqlx::raw_sql("DROP TABLE catalog_identity; PRAGMA user_version = 3").execute(&catalog.pool).await.unwrap();
        catalog.pool.close().await;
        let scratch = tempfile::tempdir().unwrap();
        let pool = crate::sqlite::open_to_look(&folder.path().join(FILE), scratch.path()).await.unwrap();
        assert_eq!(SqliteCatalog::to_look(pool, Arc::new(SystemClock)).identity().await.unwrap(), None);
        let catalog = open(folder.path()).await;
        assert_eq!(catalog.identity().await.unwrap(), None);
        catalog.make_identity().await.unwrap();
    }

    /// Connections of their own, as those of several processes.
    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_who_want_an_id_at_once_all_get_the_same() {
        for _ in 0..10 {
            let folder = tempfile::tempdir().unwrap();
            let mut catalogs = Vec::new();
            for _ in 0..8 {
                catalogs.push(open(folder.path()).await);
            }
            let asked = catalogs.into_iter().map(|catalog| tokio::spawn(async move { catalog.make_identity().await }));
            let asked: Vec<_> = asked.collect();
            let mut made = Vec::new();
            for asked in asked {
                made.push(asked.await.unwrap().unwrap());
            }
            made.dedup();
            assert_eq!(made.len(), 1, "{made:?}");
        }
    }
}
