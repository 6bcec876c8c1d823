//! What the name of a tier stands for: stores and windows are kept by it, so that in one project it stands for one thing.

use lake::Result;

use super::{Ledger, NOTE, READ, failed};
use crate::tiers::TierName;

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
    /// Returns what a tier's name stands for; none when it was never used.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn stands_for(&self, tier: &TierName) -> Result<Option<Standing>> {
        let row: Option<(String, String, i64)> =
            sqlx::query_as("SELECT kind, belongs_to, step_ms FROM metric_name WHERE tier = ?")
                .bind(tier.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| failed(READ, error))?;
        Ok(row.map(|(kind, table, step_ms)| Standing { is_store: kind == "store", table, step_ms }))
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
