//! A version that is written batch by batch, because one query may not write so many partitions: a query writes all rows aside,
//! the next one lists their partitions, one query after the other writes a part of them, and the whole is compared with the list.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::write::{FAILURES, begin_anew, may_go_well};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::Location;
use crate::publish::batch;
use crate::publish::dml::wrap;
use crate::publish::request::{
    Batching, Probed, PublishRequest, PublishState, Staging, Step, Submitted, Waiting, WrittenBatch,
};
use crate::query::{Destination, Query, QueryId, QueryStats, QueryStatus, WrittenObject, written_below};
use crate::words::counted;

const OPERATION: &str = "write partitions in batches";

impl Lake {
    /// Starts the query that writes all rows aside.
    pub(super) async fn stage_rows(&self, request: &PublishRequest, probed: &Probed, prefix: Location) -> Result<Step> {
        let query = Query {
            sql: wrap(&request.sql, &probed.schema.columns),
            database: request.database.clone(),
            token: request.query_token(&probed.plan, "write the rows aside"),
            destination: Destination::Objects {
                prefix: batch::aside(&prefix)?,
                layout: batch::aside_format(&probed.plan).into(),
                partition_by: Vec::new(),
            },
            tables: Vec::new(),
            options: request.query.clone(),
        };
        let points = &self.settings.crash_points;
        let query_id = points.around("publish: write the rows aside", self.engine.start(&query)).await?;
        Ok(Step::Next(PublishState::Staging(Staging { probed: probed.clone(), prefix, query_id })))
    }

    /// Looks how far the query is that writes all rows aside, and after it starts the one that lists their partitions.
    pub(super) async fn follow_staging(&self, request: &PublishRequest, staging: &Staging) -> Result<Step> {
        let Staging { probed, prefix, query_id } = staging;
        let staged = match self.query_of_all(probed, prefix, query_id).await? {
            ControlFlow::Continue(stats) => stats,
            ControlFlow::Break(step) => return Ok(step),
        };
        let query = Query {
            sql: batch::listing(request, probed),
            database: request.database.clone(),
            token: request.query_token(&probed.plan, "list the partitions"),
            // Read again for each batch, also after a restart.
            destination: Destination::Keep,
            tables: vec![batch::aside_table(request, probed, prefix)?],
            options: request.query.clone(),
        };
        let points = &self.settings.crash_points;
        let listing = points.around("publish: list the partitions", self.engine.start(&query)).await?;
        Ok(Step::Next(PublishState::Batching(Batching {
            probed: probed.clone(),
            prefix: prefix.clone(),
            staged: QueryStats { objects: Vec::new(), ..staged },
            listing,
            written: Vec::new(),
            try_number: 1,
            failures: 0,
            running: None,
        })))
    }

    /// Looks how far a query over all rows is: goes on with its figures, or says which step comes instead.
    async fn query_of_all(
        &self,
        probed: &Probed,
        prefix: &Location,
        query_id: &QueryId,
    ) -> Result<ControlFlow<Step, QueryStats>> {
        let step = match self.engine.poll(query_id).await? {
            QueryStatus::Succeeded(stats) => return Ok(ControlFlow::Continue(stats)),
            QueryStatus::Queued => Step::Wait(Waiting::Queued),
            QueryStatus::Running(_) => Step::Wait(Waiting::Running),
            QueryStatus::Failed(error) => self.after_failure(probed, prefix, error).await?,
            // The process that ran it is gone: what it wrote may be half, and what it gave is forgotten.
            QueryStatus::Unknown => {
                self.give_up(prefix).await?;
                begin_anew(probed)?
            }
            QueryStatus::Canceled => self.canceled(prefix).await?,
        };
        Ok(ControlFlow::Break(step))
    }

    /// Goes on with the batches: starts the next one, looks how far it is, and after the last one checks the whole.
    pub(super) async fn write_batches(&self, request: &PublishRequest, batching: &Batching) -> Result<Step> {
        match &batching.running {
            Some(query_id) => self.follow_batch(request, batching, query_id).await,
            None => self.start_batch(request, batching).await,
        }
    }

    async fn start_batch(&self, request: &PublishRequest, batching: &Batching) -> Result<Step> {
        let Batching { probed, prefix, .. } = batching;
        let listed = match self.query_of_all(probed, prefix, &batching.listing).await? {
            ControlFlow::Continue(stats) => stats,
            ControlFlow::Break(step) => return Ok(step),
        };
        let batches = self.batches_of(request, batching).await?;
        let number = batching.written.len();
        let Some(next) = batches.get(number) else {
            let rows = batches.iter().map(|batch| batch.rows).sum();
            same_rows("in all partitions", batching.staged.rows, rows)?;
            return self.check_batches(request, batching, listed).await;
        };
        let points = &self.settings.crash_points;
        for earlier in 1..batching.try_number {
            let left = batch::prefix(prefix, number, earlier)?;
            points.around("aws: delete what a batch left", self.storage.delete_prefix(&left)).await?;
        }
        let step = format!("batch {} try {}", number + 1, batching.try_number);
        let query = Query {
            sql: batch::part(request, probed, next),
            database: request.database.clone(),
            token: request.query_token(&probed.plan, &step),
            destination: Destination::Objects {
                prefix: batch::prefix(prefix, number, batching.try_number)?,
                layout: probed.plan.layout(),
                partition_by: keys(probed),
            },
            tables: vec![batch::aside_table(request, probed, prefix)?],
            options: request.query.clone(),
        };
        tracing::info!(batch = number + 1, of = batches.len(), partitions = next.partitions, "a batch of partitions");
        let query_id = points.around("publish: start a batch", self.engine.start(&query)).await?;
        Ok(Step::Next(PublishState::Batching(Batching { running: Some(query_id), ..batching.clone() })))
    }

    async fn follow_batch(&self, request: &PublishRequest, batching: &Batching, query_id: &QueryId) -> Result<Step> {
        let prefix = &batching.prefix;
        let again = |failures: u32| {
            let try_number = batching.try_number + 1;
            Ok(Step::Next(PublishState::Batching(Batching { try_number, failures, running: None, ..batching.clone() })))
        };
        match self.engine.poll(query_id).await? {
            QueryStatus::Queued => Ok(Step::Wait(Waiting::Queued)),
            QueryStatus::Running(_) => Ok(Step::Wait(Waiting::Running)),
            QueryStatus::Succeeded(stats) => {
                let number = batching.written.len();
                let batches = self.batches_of(request, batching).await?;
                let rows = stats.objects.iter().map(|object| object.rows).sum();
                let expected = batches.get(number).map_or(0, |batch| batch.rows);
                same_rows(&format!("in batch {} of {}", number + 1, batches.len()), expected, rows)?;
                let mut written = batching.written.clone();
                written.push(WrittenBatch {
                    prefix: batch::prefix(prefix, number, batching.try_number)?,
                    query_id: query_id.clone(),
                    objects: stats.objects.len(),
                    stats: QueryStats { objects: Vec::new(), ..stats },
                });
                Ok(Step::Next(PublishState::Batching(Batching {
                    written,
                    try_number: 1,
                    failures: 0,
                    running: None,
                    ..batching.clone()
                })))
            }
            // The process that ran it is gone: what it wrote may be half.
            QueryStatus::Unknown => again(batching.failures),
            QueryStatus::Failed(error) => {
                let failures = batching.failures + 1;
                if may_go_well(&error) && failures < FAILURES {
                    return again(failures);
                }
                self.give_up(prefix).await?;
                Err(error)
            }
            QueryStatus::Canceled => self.canceled(prefix).await,
        }
    }

    /// Checks the whole, once the last batch is written, and deletes what was written aside.
    async fn check_batches(&self, request: &PublishRequest, batching: &Batching, listed: QueryStats) -> Result<Step> {
        let keys = keys(&batching.probed);
        let mut stats =
            QueryStats { rows: 0, objects: Vec::new(), output: None, ..listed }.and_cost_of(&batching.staged);
        stats.elapsed_ms += batching.staged.elapsed_ms;
        let rows_are = batching.probed.plan.format.unwrap_or_default().into();
        let mut places: HashMap<Vec<String>, &Location> = HashMap::new();
        let mut prefixes = Vec::with_capacity(batching.written.len());
        for written in &batching.written {
            let objects = written_below(&self.storage, &written.prefix, &keys, rows_are).await?;
            if objects.len() != written.objects {
                let found = objects.len();
                let message = format!("expected {} objects below `{}`, found {found}", written.objects, written.prefix);
                return Err(Error::new(ErrorKind::InvalidData, OPERATION, message));
            }
            for WrittenObject { partition, .. } in &objects {
                if *places.entry(partition.clone()).or_insert(&written.prefix) != &written.prefix {
                    // The rows of one folder would be in two, and readers are pointed to one.
                    let message =
                        format!("two values of the partition keys have one folder: `{}`", partition.join("/"));
                    return Err(Error::new(ErrorKind::InvalidInput, OPERATION, message)
                        .help("NULL and an empty text are the same in a path: use NULLIF or another value"));
                }
            }
            stats = stats.and_cost_of(&written.stats);
            stats.elapsed_ms += written.stats.elapsed_ms;
            stats.objects.extend(objects);
            prefixes.push(written.prefix.clone());
        }
        let aside = batch::aside(&batching.prefix)?;
        let deleted = self.storage.delete_prefix(&aside);
        self.settings.crash_points.around("publish: delete the rows that were aside", deleted).await?;
        let last = batching.written.last().map_or(&batching.listing, |written| &written.query_id);
        let submitted =
            Submitted { probed: batching.probed.clone(), prefix: batching.prefix.clone(), query_id: last.clone() };
        self.validate_written(request, &submitted, &prefixes, stats).await
    }
}

fn keys(probed: &Probed) -> Vec<String> {
    probed.schema.keys.iter().map(|key| key.name.clone()).collect()
}

/// Compares what was read of the rows that are aside with how many they are.
fn same_rows(what: &str, expected: u64, found: u64) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    let message = format!("expected {} {what}, found {found}", counted(expected, "row"));
    Err(Error::new(ErrorKind::InvalidData, OPERATION, message)
        .help("the rows are written once, and then to their partitions: did anybody change objects below the version?"))
}
