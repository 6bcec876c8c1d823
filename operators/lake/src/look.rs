//! Lakes that are only looked at: one in a folder that cannot be written, and one that is nowhere.

use std::sync::Arc;

use crate::aws::AwsClients;
use crate::catalog::SqliteCatalog;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::{Lake, LakeSettings, Place};
use crate::sqlite;
use crate::storage::Storage;
use crate::temporary::TemporaryFolder;

impl Lake {
    /// Opens a lake that is there, to read its tables and to plan; on AWS too.
    ///
    /// Where its state can be written it is opened as [`Lake::open`] does. Elsewhere (another user's project, a read-only file
    /// system, a full disk) nothing is made or changed: what queries spill goes to the system's folder for temporary files, and
    /// what would change the lake fails with `PermissionDenied`.
    ///
    /// # Errors
    /// As [`Lake::open`]; `PermissionDenied` when it cannot be read either.
    pub async fn open_to_look(settings: LakeSettings) -> Result<Self> {
        if TemporaryFolder::open(&settings.state_dir.join("tmp")).is_ok() {
            match Self::open(settings.clone()).await {
                Err(error) if error.kind == ErrorKind::PermissionDenied => {}
                opened => return opened,
            }
        }
        let temporary = TemporaryFolder::open_in_system()?;
        let warehouse = match &settings.place {
            Place::Folder { warehouse } => warehouse,
            Place::Aws(aws) => {
                let clients = AwsClients::open_heard(aws, Arc::clone(&settings.clock), &settings.listener).await?;
                return Self::on_aws(settings, &clients, sqlite::open_memory().await?, temporary);
            }
        };
        let empty = temporary.path().join("empty");
        std::fs::create_dir(&empty).map_err(|error| Error::io("make a folder", &empty, error))?;
        let storage = Storage::open_to_look(warehouse, &empty)?;
        let pool = sqlite::open_to_look(&settings.state_dir.join(sqlite::FILE), temporary.path()).await?;
        let catalog = Arc::new(SqliteCatalog::to_look(pool.clone(), Arc::clone(&settings.clock)));
        Self::in_folder(settings, storage, pool, catalog, temporary)
    }

    /// Opens an empty lake that nobody else sees and that goes with the process: for queries where there is no lake.
    ///
    /// # Errors
    /// `PermissionDenied`, `ResourcesExhausted` or `External` when the system's folder for temporary files cannot be used.
    pub async fn open_empty(settings: LakeSettings) -> Result<Self> {
        let temporary = TemporaryFolder::open_in_system()?;
        let storage = Storage::open(temporary.path()).await?;
        let pool = sqlite::open_memory().await?;
        let catalog = Arc::new(SqliteCatalog::open(pool.clone(), Arc::clone(&settings.clock)).await?);
        Self::in_folder(settings, storage, pool, catalog, temporary)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::catalog::{Catalog, Database};

    /// Makes a catalog with a database in it; closed, or as a process that was killed leaves it.
    async fn catalog(folder: &Path, is_closed: bool) -> sqlx::sqlite::SqlitePool {
        let pool = sqlite::open(&folder.join(sqlite::FILE)).await.unwrap();
        let settings = LakeSettings::new(folder, folder);
        let catalog = SqliteCatalog::open(pool.clone(), settings.clock).await.unwrap();
        catalog.create_database(&Database::new("web")).await.unwrap();
        if is_closed {
            pool.close().await;
        }
        pool
    }

    async fn looked_at(folder: &Path) -> Vec<String> {
        let scratch = tempfile::tempdir().unwrap();
        let pool = sqlite::open_to_look(&folder.join(sqlite::FILE), scratch.path()).await.unwrap();
        let catalog = SqliteCatalog::to_look(pool.clone(), LakeSettings::new(folder, folder).clock);
        let names = catalog.databases().await.unwrap().into_iter().map(|database| database.name).collect();
        let error = catalog.create_database(&Database::new("more")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
        pool.close().await;
        names
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn what_a_writer_has_not_moved_into_the_file_yet_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let writer = catalog(folder.path(), false).await;
        assert_eq!(looked_at(folder.path()).await, ["default", "web"], "beside a writer");
        // As it was left by a writer that was killed, and copied without its index.
        let copy = tempfile::tempdir().unwrap();
        for name in ["catalog.sqlite", "catalog.sqlite-wal"] {
            std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        assert_eq!(looked_at(copy.path()).await, ["default", "web"], "without the index");
        writer.close().await;
    }

    #[tokio::test]
    async fn a_catalog_of_an_earlier_form_is_brought_up_to_date_in_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let pool = catalog(folder.path(), false).await;
        sqlx::raw_sql("PRAGMA user_version = 1").execute(&pool).await.unwrap();
        pool.close().await;
        let before = std::fs::read(folder.path().join(sqlite::FILE)).unwrap();
        assert_eq!(looked_at(folder.path()).await, ["default", "web"]);
        assert_eq!(std::fs::read(folder.path().join(sqlite::FILE)).unwrap(), before);
    }

    #[tokio::test]
    async fn an_empty_lake_is_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("nowhere");
        let lake = Lake::open_empty(LakeSettings::new(&nowhere, &nowhere)).await.unwrap();
        let query = crate::query::Query::new("SELECT 1 AS a", None, "t");
        let id = lake.engine.start(&query).await.unwrap();
        let (columns, _) = lake.engine.fetch(&id).await.unwrap();
        assert_eq!(columns[0].name, "a");
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}
