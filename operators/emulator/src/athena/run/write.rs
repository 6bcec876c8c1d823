//! The statements that write rows: `CREATE TABLE … AS`, `INSERT INTO`, `UNLOAD`.

mod create;
mod form;
mod insert;
mod place;

use futures::StreamExt as _;
use lake::name::Location;
use lake::publish::parquet::StoredColumn;
use lake::publish::text::{TextTarget, TextWriter};
use lake::query::{Destination, QueryStats};
use lake::{Error, ErrorKind, Result};

use super::outcome::Outcome;
use super::{Job, Order};
use crate::athena::Athena;
use crate::athena::statement::Unload;
use form::{Form, Options};

/// Where `INSERT` writes before its objects take their places; below it a folder a query.
const STAGING: &str = "s3://suiro-results/athena-insert/";

const OPERATION: &str = "write rows";

/// Where rows go, and in which form.
struct Target<'t> {
    prefix: &'t Location,
    form: Form,
    /// The last columns, which become folders.
    partitioned_by: &'t [String],
    /// The name of objects of text.
    name: &'t str,
}

impl Athena {
    pub(super) async fn unload(&self, job: &Job, order: &Order, unload: &Unload) -> Result<Outcome> {
        let options = Options::of_unload(&unload.properties)?;
        let prefix = Location::parse(&unload.to)?.into_prefix();
        self.check_empty(&prefix).await?;
        let name = job.id();
        let target =
            Target { prefix: &prefix, form: options.form, partitioned_by: &options.partitioned_by, name: &name };
        let stats = self.write_rows(job, order, &unload.query, &target).await?;
        self.leave(job, order, &stats).await?;
        let mut outcome = Outcome::written("UNLOAD", stats);
        outcome.manifest = Some(self.write_manifest(job, &outcome.stats).await?);
        Ok(outcome)
    }

    /// Runs a query and writes its rows below an empty prefix.
    async fn write_rows(&self, job: &Job, order: &Order, sql: &str, target: &Target<'_>) -> Result<QueryStats> {
        let (form, compression) = match target.form {
            Form::Objects(format) => {
                let destination = Destination::Objects {
                    prefix: target.prefix.clone(),
                    format,
                    partition_by: target.partitioned_by.to_vec(),
                };
                let (_id, stats) = self.run_query(job, order, sql, destination).await?;
                return Ok(stats);
            }
            Form::Text(form, compression) => (form, compression),
        };
        let (query, stats) = self.run_query(job, order, sql, Destination::Fetch).await?;
        let (columns, mut rows) = self.inner.lake.engine.fetch(&query).await?;
        let names: Vec<String> = columns.iter().map(|column| column.name.to_lowercase()).collect();
        form::keys_are_last(&names, target.partitioned_by)?;
        let columns: Vec<StoredColumn> = columns
            .into_iter()
            .map(|column| {
                if column.data_type.to_hive().is_none() {
                    return Err(Error::new(
                        ErrorKind::InvalidSql,
                        OPERATION,
                        format!(
                            "NOT_SUPPORTED: a table cannot hold column `{}` of type {}: cast it first",
                            column.name, column.data_type
                        ),
                    ));
                }
                Ok(StoredColumn { name: column.name.to_lowercase(), data_type: column.data_type })
            })
            .collect::<Result<_>>()?;
        let text = TextTarget {
            prefix: target.prefix.clone(),
            name: target.name.to_owned(),
            columns,
            keys: target.partitioned_by.len(),
            max_partitions: self.inner.lake.settings.max_partitions,
            form,
            compression,
        };
        let mut writer = TextWriter::new(&self.inner.lake.storage, text)?;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|error| {
                Error::new(ErrorKind::External, OPERATION, format!("GENERIC_INTERNAL_ERROR: {error}"))
            })?;
            writer.write(&batch).await?;
        }
        let objects = writer.finish().await?;
        Ok(QueryStats {
            written_bytes: objects.iter().map(|object| object.bytes).sum(),
            rows: objects.iter().map(|object| object.rows).sum(),
            objects,
            ..stats
        })
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
