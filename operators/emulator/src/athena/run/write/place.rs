//! How the rows of an `INSERT` come to their places: what is to be done is stored before the first object is copied, so
//! that an endpoint that stops in the middle finishes it at its next start.
//!
//! From then on the statement cannot be stopped. If a copy fails, what was placed is taken away again.

use lake::catalog::{Expect, Partition, Table};
use lake::name::{Location, TableName};
use lake::query::QueryStats;
use lake::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{OPERATION, STAGING};
use crate::athena::Athena;
use crate::athena::run::outcome::Outcome;
use crate::athena::run::{Job, Order, history};
use crate::athena::store::Kind;

/// What an `INSERT` is about to do with the rows that it wrote aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::athena::run) struct Insertion {
    table: TableName,
    /// Where the objects are, in the order of those of `stats`, which say where they go.
    staged: Vec<Location>,
    stats: QueryStats,
    /// The partitions that the table does not have yet.
    partitions: Vec<Partition>,
    /// Whether a copy failed: what was placed goes.
    undo: bool,
}

impl Insertion {
    fn places(&self) -> Vec<Location> {
        self.stats.objects.iter().map(|object| object.location.clone()).collect()
    }
}

impl Athena {
    /// Brings what was written aside to the places of its partitions, under names that no other query uses.
    pub(super) async fn place(&self, job: &Job, order: &Order, table: &Table, stats: QueryStats) -> Result<QueryStats> {
        let mut insertion = self.insertion(job, table, stats).await?;
        if order.fault.is_some() {
            // What the service leaves of an INSERT that fails: objects in the table, and the list of them.
            self.copy(&insertion).await?;
            self.leave(job, order, &insertion.stats).await?;
        }
        job.seal()?;
        let points = &self.inner.lake.settings.crash_points;
        points.around("insert: store the intent", self.keep(&job.id(), &insertion)).await?;
        self.carry_out_or_take_away(&job.id(), &mut insertion).await?;
        Ok(insertion.stats)
    }

    /// Does what an insertion says, or leaves nothing of it when that fails.
    async fn carry_out_or_take_away(&self, id: &str, insertion: &mut Insertion) -> Result<()> {
        let Err(error) = self.carry_out(insertion).await else { return Ok(()) };
        insertion.undo = true;
        self.keep(id, insertion).await?;
        if let Err(left) = self.take_away(id, insertion).await {
            tracing::warn!(error = %left, "what an INSERT placed is taken away at the next start");
        }
        Err(error)
    }

    /// Decides where each object goes.
    async fn insertion(&self, job: &Job, table: &Table, mut stats: QueryStats) -> Result<Insertion> {
        let mut partitions: Vec<Partition> = Vec::new();
        let mut staged = Vec::with_capacity(stats.objects.len());
        for (number, object) in stats.objects.iter_mut().enumerate() {
            let folder = if table.partition_keys.is_empty() {
                table.location.clone().ok_or_else(|| {
                    Error::new(ErrorKind::InvalidData, OPERATION, format!("table {} has no location", table.name))
                })?
            } else if let Some(made) = partitions.iter().find(|made| made.values == object.partition) {
                made.location.clone()
            } else if let Some(known) = self.inner.lake.catalog.partition(&table.name, &object.partition).await? {
                known.location
            } else {
                let location = table.hive_location(&object.partition)?;
                partitions.push(table.new_partition(object.partition.clone(), location.clone()));
                location
            };
            let ending = object.location.file_name().split_once('.').map_or("", |(_, ending)| ending);
            let dot = if ending.is_empty() { "" } else { "." };
            let place = folder.join(&format!("{}-{number:05}{dot}{ending}", job.id()))?;
            staged.push(std::mem::replace(&mut object.location, place));
        }
        Ok(Insertion { table: table.name.clone(), staged, stats, partitions, undo: false })
    }

    /// Does what an insertion says; what is done already is passed over.
    async fn carry_out(&self, insertion: &Insertion) -> Result<()> {
        self.copy(insertion).await?;
        for partition in &insertion.partitions {
            let put = async {
                match self.inner.lake.catalog.put_partition(&insertion.table, partition, Expect::Absent).await {
                    Ok(_kept) => Ok(()),
                    // Somebody made it meanwhile, or this did before the endpoint stopped.
                    Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(()),
                    Err(error) => Err(error),
                }
            };
            self.inner.lake.settings.crash_points.around("insert: add a partition", put).await?;
        }
        Ok(())
    }

    async fn copy(&self, insertion: &Insertion) -> Result<()> {
        let storage = &self.inner.lake.storage;
        for (staged, place) in insertion.staged.iter().zip(insertion.places()) {
            let copied = async {
                match storage.copy(staged, &place).await {
                    // What was written aside is cleared when all is in place.
                    Err(error) if error.kind == ErrorKind::NotFound && storage.head(&place).await?.is_some() => Ok(()),
                    copied => copied,
                }
            };
            self.inner.lake.settings.crash_points.around("insert: place an object", copied).await?;
        }
        Ok(())
    }

    /// Takes away what was placed; partitions that were added stay, without objects.
    async fn take_away(&self, id: &str, insertion: &Insertion) -> Result<()> {
        // The names hold the id of the query: nobody else's object has one.
        let mut there = Vec::new();
        for place in insertion.places() {
            if self.inner.lake.storage.head(&place).await?.is_some() {
                there.push(place);
            }
        }
        self.inner.lake.storage.delete(&there).await?;
        self.inner.store.delete(Kind::Insertion, "", id).await.map(|_was_there| ()).map_err(history)
    }

    async fn keep(&self, id: &str, insertion: &Insertion) -> Result<()> {
        self.inner.store.put(Kind::Insertion, "", id, insertion).await.map_err(history)
    }

    /// Removes what an `INSERT` wrote aside.
    pub(in crate::athena::run) async fn clear_staging(&self, id: &str) -> Result<()> {
        let staging = Location::parse(STAGING)?.join(&format!("{id}/"))?;
        self.inner.lake.storage.delete_prefix(&staging).await.map(|_objects| ())
    }

    /// Returns what an `INSERT` gave whose objects are in their places.
    pub(super) async fn inserted(&self, job: &Job, stats: QueryStats) -> Result<Outcome> {
        let mut outcome = Outcome::written("INSERT", stats);
        outcome.manifest = Some(self.write_manifest(job, &outcome.stats).await?);
        Ok(outcome)
    }

    /// Finishes an insertion of an endpoint that stopped, or takes it away if a copy had failed; none when there is none.
    pub(in crate::athena::run) async fn finish_insertion(&self, job: &Job) -> Option<Result<Outcome>> {
        let id = job.id();
        let mut insertion: Insertion = match self.inner.store.get(Kind::Insertion, "", &id).await {
            Ok(insertion) => insertion?,
            Err(error) => return Some(Err(history(error))),
        };
        if insertion.undo {
            // How it ended is written after it was taken away.
            return self.take_away(&id, &insertion).await.err().map(Err);
        }
        let finished = async {
            self.carry_out_or_take_away(&id, &mut insertion).await?;
            self.deliver(job, self.inserted(job, insertion.stats.clone()).await?).await
        };
        Some(finished.await)
    }

    /// Takes away what insertions left that failed and could not be taken away then; what still cannot be is left for the
    /// next start.
    pub(in crate::athena::run) async fn take_away_failed(&self) -> Result<()> {
        let kept: Vec<(String, Insertion)> = self.inner.store.list(Kind::Insertion, "").await.map_err(history)?;
        for (id, insertion) in kept.iter().filter(|(_, insertion)| insertion.undo) {
            if let Err(error) = self.take_away(id, insertion).await {
                tracing::warn!(id, %error, "what an INSERT placed cannot be taken away");
            }
        }
        Ok(())
    }
}
