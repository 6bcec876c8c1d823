//! The statements that write rows: `CREATE TABLE … AS`, `INSERT INTO`, `UNLOAD`.

mod create;
mod form;
mod insert;
mod place;
mod register;

use lake::name::Location;
use lake::publish::Layout;
use lake::query::{Destination, QueryStats};
use lake::{Error, ErrorKind, Result};

use super::outcome::Outcome;
use super::{Job, Order};
use crate::athena::Athena;
use crate::athena::statement::Unload;
use form::Options;

/// Where `INSERT` writes before its objects take their places; below it a folder a query.
const STAGING: &str = "s3://suiro-results/athena-insert/";

const OPERATION: &str = "write rows";

/// Where rows go, and as which objects.
struct Target<'t> {
    prefix: &'t Location,
    layout: Layout,
    /// The last columns, which become folders.
    partitioned_by: &'t [String],
}

impl Athena {
    pub(super) async fn unload(&self, job: &Job, order: &Order, unload: &Unload) -> Result<Outcome> {
        let options = Options::of_unload(&unload.properties)?;
        let prefix = Location::parse(&unload.to)?.into_prefix();
        self.check_empty(&prefix).await?;
        let target = Target { prefix: &prefix, layout: options.format.into(), partitioned_by: &options.partitioned_by };
        let stats = self.write_rows(job, order, &unload.query, &target).await?;
        self.leave(job, order, &stats).await?;
        let mut outcome = Outcome::written("UNLOAD", stats);
        outcome.manifest = Some(self.write_manifest(job, &outcome.stats).await?);
        Ok(outcome)
    }

    /// Runs a query and writes its rows below an empty prefix.
    async fn write_rows(&self, job: &Job, order: &Order, sql: &str, target: &Target<'_>) -> Result<QueryStats> {
        let destination = Destination::Objects {
            prefix: target.prefix.clone(),
            layout: target.layout.clone(),
            partition_by: target.partitioned_by.to_vec(),
        };
        let (_id, stats) = self.run_query(job, order, sql, destination).await?;
        Ok(stats)
    }

    /// Ends the statement here if a fault says so: what it wrote stays, and the list of it is there, as with the service
    /// (<https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html>).
    async fn leave(&self, job: &Job, order: &Order, stats: &QueryStats) -> Result<()> {
        if order.fault.is_some() {
            let manifest = self.write_manifest(job, stats).await?;
            job.change(|execution| execution.manifest_location = Some(manifest.to_string()));
        }
        order.strike()
    }

    /// Refuses a place whose bucket is not there, in words like those of Trino, which Athena is
    /// (<https://github.com/trinodb/trino/blob/476/plugin/trino-hive/src/main/java/io/trino/plugin/hive/util/HiveWriteUtils.java>),
    /// and of S3: no statement makes a bucket.
    async fn require_bucket_of(&self, prefix: &Location) -> Result<()> {
        let bucket = Location::parse(&format!("s3://{}/", prefix.bucket()))?;
        let is_there = self.inner.buckets.has(&bucket).await;
        if is_there.map_err(|error| Error::new(ErrorKind::External, OPERATION, error.message))? {
            return Ok(());
        }
        let message = format!(
            "HIVE_FILESYSTEM_ERROR: Failed checking path: {prefix}: The specified bucket does not exist (Service: S3, Status \
             Code: 404, Error Code: NoSuchBucket)"
        );
        Err(Error::new(ErrorKind::NotFound, OPERATION, message))
    }

    /// Refuses a prefix that holds anything, or whose bucket is not there.
    async fn check_empty(&self, prefix: &Location) -> Result<()> {
        self.require_bucket_of(prefix).await?;
        if self.inner.lake.storage.is_empty(prefix).await? {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::AlreadyExists,
            OPERATION,
            format!("HIVE_PATH_ALREADY_EXISTS: Target directory for table already exists: {prefix}"),
        ))
    }
}
