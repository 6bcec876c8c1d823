//! Notes in the parameters of a partition: what has become known of the version that readers are pointed to. Nothing changes for
//! them.

use crate::catalog::Expect;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::{Location, TableName};

use super::commit::{under, within};
use super::lease::Lease;

impl Lake {
    /// Sets a parameter of a partition that points to a version; all else stays as it is. One that is set already is no call.
    ///
    /// # Errors
    /// `Conflict` when the partition points elsewhere by now, or another writer changes it at the same time; those of the catalog.
    /// Repeating it is fine.
    pub async fn note_on_partition(
        &self,
        table: &TableName,
        values: &[String],
        version: &Location,
        (key, value): (&str, &str),
    ) -> Result<()> {
        let current = self.catalog.partition(table, values).await?;
        if current.is_some_and(|current| {
            current.location == *version && current.parameters.get(key).map(String::as_str) == Some(value)
        }) {
            return Ok(());
        }
        let lease = self.leases.take(version).await?;
        let noted = Box::pin(self.note_under(table, values, version, (key, value), lease.as_ref())).await;
        self.leases.end(lease, noted).await
    }

    async fn note_under(
        &self,
        table: &TableName,
        values: &[String],
        version: &Location,
        (key, value): (&str, &str),
        lease: Option<&Lease>,
    ) -> Result<()> {
        let current = self.catalog.partition(table, values).await?;
        let Some(current) = current.filter(|current| current.location == *version) else {
            let message = format!("expected the partition `{}` of `{table}` at `{version}`", values.join("/"));
            return Err(Error::new(ErrorKind::Conflict, "note something on a partition", message).retryable());
        };
        let mut noted = current.clone();
        noted.parameters.insert(key.to_owned(), value.to_owned());
        under(lease, Some(&current.parameters), &mut noted.parameters)?;
        within(lease, self.catalog.put_partition(table, &noted, Expect::Version(current.version))).await?;
        if let Some(kept) = self.catalog.partition(table, values).await?.filter(|kept| kept.location == *version) {
            self.note_visible(version, &kept).await?;
        }
        Ok(())
    }
}
