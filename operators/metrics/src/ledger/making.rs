//! A generation on its way: its intent, what was read back of it, and what readers are pointed to from then on.

use lake::{Error, ErrorKind, Result};

use super::{Archived, Ledger, NOTE, expect_one, touched};
use crate::checksum::Tally;
use crate::tiers::TierName;
use crate::window::Window;

impl Ledger {
    /// Notes that a generation is being made; what was being made before is forgotten.
    ///
    /// # Errors
    /// Those of the file; `Conflict` when another process made one since the row was read.
    pub async fn intend(&self, tier: &TierName, window: Window, making: &Archived) -> Result<()> {
        let earlier = making.generation.saturating_sub(1);
        let text = encode(making)?;
        let done = self
            .change(
                sqlx::query(
                    "UPDATE metric_window SET making = ?, generation = ?, made = 0 \
                     WHERE tier = ? AND start_ms = ? AND generation = ?",
                )
                .bind(text)
                .bind(making.generation)
                .bind(tier.as_str())
                .bind(window.range().start_ms)
                .bind(earlier),
            )
            .await?;
        expect_one(done, window)
    }

    /// Notes what was read back of the objects: from now on they may be published.
    ///
    /// # Errors
    /// As [`Ledger::intend`].
    pub async fn made(
        &self,
        tier: &TierName,
        window: Window,
        made: &Archived,
        target: &Tally,
        source: &Tally,
    ) -> Result<()> {
        let text = encode(made)?;
        let done = self
            .change(
                sqlx::query(
                    "UPDATE metric_window SET making = ?, making_target = ?, making_source = ?, made = 1 \
                     WHERE tier = ? AND start_ms = ? AND generation = ? AND making IS NOT NULL",
                )
                .bind(text)
                .bind(target.parts.to_bytes())
                .bind(source.parts.to_bytes())
                .bind(tier.as_str())
                .bind(window.range().start_ms)
                .bind(made.generation),
            )
            .await?;
        expect_one(done, window)
    }

    /// Notes that what was made is what readers are pointed to.
    ///
    /// # Errors
    /// As [`Ledger::intend`].
    pub async fn promote(&self, tier: &TierName, window: Window, made: &Archived) -> Result<()> {
        let done = self
            .stand(
                tier,
                window,
                sqlx::query(
                    "UPDATE metric_window SET state = 'written', dumped_touched = ?, expiring = 0, \
                     standing = making, standing_target = making_target, standing_source = making_source, \
                     making = NULL, making_target = NULL, making_source = NULL, made = 0 \
                     WHERE tier = ? AND start_ms = ? AND generation = ? AND made = 1",
                )
                .bind(touched(made.touched))
                .bind(tier.as_str())
                .bind(window.range().start_ms)
                .bind(made.generation),
            )
            .await?;
        expect_one(done, window)
    }

    /// Notes that what was being made is given up.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn give_up(&self, tier: &TierName, window: Window, generation: u32) -> Result<()> {
        self.change(
            sqlx::query(
                "UPDATE metric_window SET making = NULL, making_target = NULL, making_source = NULL, made = 0 \
                 WHERE tier = ? AND start_ms = ? AND generation = ?",
            )
            .bind(tier.as_str())
            .bind(window.range().start_ms)
            .bind(generation),
        )
        .await
        .map(drop)
    }

    /// Notes that what stands is what a dump would make now: `standing` with other figures of its source. `making` is what was
    /// made to find that out, if anything: it is given up. Where another generation was taken from the catalog meanwhile, that one
    /// stays.
    ///
    /// # Errors
    /// As [`Ledger::intend`].
    pub async fn confirm(&self, tier: &TierName, window: Window, standing: &Archived, source: &Tally) -> Result<()> {
        let text = encode(standing)?;
        let done = self
            .change(
                sqlx::query(
                    "UPDATE metric_window SET state = 'written', dumped_touched = ?, expiring = 0, standing = ?, \
                     standing_source = ?, making = NULL, making_target = NULL, making_source = NULL, made = 0 \
                     WHERE tier = ? AND start_ms = ? AND json_extract(standing, '$.prefix') = ?",
                )
                .bind(touched(standing.touched))
                .bind(text)
                .bind(source.parts.to_bytes())
                .bind(tier.as_str())
                .bind(window.range().start_ms)
                .bind(standing.prefix.to_string()),
            )
            .await?;
        expect_one(done, window)
    }
}

/// Writes what is archived as it is kept.
pub(super) fn encode(archived: &Archived) -> Result<String> {
    serde_json::to_string(archived).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, NOTE, "what is archived cannot be written as JSON").source(error)
    })
}
