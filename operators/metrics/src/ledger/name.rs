//! What the name of a tier stands for: stores and windows are kept by it, so that in one project it stands for one thing.

use std::collections::BTreeMap;

use lake::Result;

use super::{Ledger, NOTE, READ, failed, unit_of};
use crate::tiers::TierName;
use crate::window::PartitionUnit;

/// What the name of a tier stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is a store of points; else a Parquet tier.
    pub is_store: bool,
    /// The table that it is, or that its points are archived in; empty for none.
    pub table: String,
    /// Its step, in milliseconds.
    pub step_ms: i64,
}

impl Ledger {
    /// Returns what names of tiers stand for; those by which nothing was ever kept are not in it.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn names(&self) -> Result<BTreeMap<String, Standing>> {
        let rows: Vec<(String, String, String, i64)> =
            sqlx::query_as("SELECT tier, kind, belongs_to, step_ms FROM metric_name")
                .fetch_all(&self.pool)
                .await
                .map_err(|error| failed(READ, error))?;
        let standing = |(tier, kind, table, step_ms): (String, String, String, i64)| {
            (tier, Standing { is_store: kind == "store", table, step_ms })
        };
        Ok(rows.into_iter().map(standing).collect())
    }

    /// Returns the unit of the windows that are kept by a tier's name; none when there are none.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn unit(&self, tier: &TierName) -> Result<Option<PartitionUnit>> {
        let query = sqlx::query_scalar("SELECT unit FROM metric_window WHERE tier = ? LIMIT 1").bind(tier.as_str());
        let key: Option<String> = query.fetch_optional(&self.pool).await.map_err(|error| failed(READ, error))?;
        Ok(key.and_then(|key| unit_of(&key)))
    }

    /// Forgets that a name stands for a store: from then on it stands for what is kept by it first.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn forget_store(&self, tier: &TierName) -> Result<()> {
        let forget = sqlx::query("DELETE FROM metric_name WHERE tier = ? AND kind = 'store'").bind(tier.as_str());
        self.change(forget).await.map(drop)
    }

    /// Notes what names of tiers stand for, in one step. Those that are noted stay, but for a table where none was known.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn note_names(&self, names: &[(TierName, Standing)]) -> Result<()> {
        let mut transaction = self.begin().await?;
        for (tier, standing) in names {
            sqlx::query(
                "INSERT INTO metric_name (tier, kind, belongs_to, step_ms) VALUES (?, ?, ?, ?) \
                 ON CONFLICT (tier) DO UPDATE SET belongs_to = excluded.belongs_to WHERE belongs_to = ''",
            )
            .bind(tier.as_str())
            .bind(if standing.is_store { "store" } else { "parquet" })
            .bind(standing.table.as_str())
            .bind(standing.step_ms)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(NOTE, error))?;
        }
        transaction.commit().await.map_err(|error| failed(NOTE, error))
    }
}
