//! How the table of a `CREATE TABLE … AS` comes into the catalog: what is to be registered is stored before, so that an endpoint that
//! stops in the middle registers it at its next start. The statement has succeeded if, and only if, its table is there.
//!
//! From the stored intent on the statement cannot be stopped.

use lake::catalog::{Expect, Partition, Table};
use lake::query::QueryStats;
use lake::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::create::exists;
use crate::athena::Athena;
use crate::athena::run::outcome::{Outcome, manifest_place};
use crate::athena::run::{Job, history};
use crate::athena::store::Kind;

/// What a `CREATE TABLE … AS` is about to register.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::athena::run) struct Creation {
    pub(super) table: Table,
    pub(super) partitions: Vec<Partition>,
    pub(super) stats: QueryStats,
}

impl Creation {
    /// Returns what the statement gives; the list of what it wrote, and what describes its result, are there before the table is.
    pub(super) fn outcome(&self, job: &Job) -> Result<Outcome> {
        let manifest = Some(manifest_place(job)?);
        Ok(Outcome { manifest, ..Outcome::written("CREATE TABLE", self.stats.clone()) })
    }
}

impl Athena {
    /// Tells the catalog of a table whose objects are written.
    pub(super) async fn register(&self, job: &Job, creation: &Creation) -> Result<()> {
        job.seal()?;
        let points = &self.inner.lake.settings.crash_points;
        let keep = async { self.inner.store.put(Kind::Creation, "", &job.id(), creation).await.map_err(history) };
        points.around("create: store the intent", keep).await?;
        let put = self.inner.lake.catalog.replace_table(&creation.table, &creation.partitions, Expect::Absent);
        match points.around("create: register the table", put).await {
            Err(error) if error.kind == ErrorKind::AlreadyExists => Err(exists(&creation.table.name)),
            registered => registered.map(|_kept| ()),
        }
    }

    /// Finishes the statement of an endpoint that stopped; none when nothing was to be registered yet.
    pub(in crate::athena::run) async fn finish_creation(&self, job: &Job) -> Option<Result<Outcome>> {
        let creation: Creation = match self.inner.store.get(Kind::Creation, "", &job.id()).await {
            Ok(creation) => creation?,
            Err(error) => return Some(Err(history(error))),
        };
        let finished = async {
            match self.register(job, &creation).await {
                // It was registered before the endpoint stopped.
                Err(error) if error.kind == ErrorKind::AlreadyExists && self.is_registered(&creation).await? => {}
                registered => registered?,
            }
            creation.outcome(job)
        };
        Some(finished.await)
    }

    /// Tells whether the table of the name is the one that was to be registered: nobody else's is at its place.
    async fn is_registered(&self, creation: &Creation) -> Result<bool> {
        let wanted = &creation.table;
        let found = self.inner.lake.catalog.table(&wanted.name).await?;
        Ok(found.is_some_and(|found| {
            found.location == wanted.location
                && found.columns == wanted.columns
                && found.partition_keys == wanted.partition_keys
        }))
    }
}
