//! Tiers of one name in two files are one store and the same windows: two files must not mean different things by it.

use lake::{Error, ErrorKind, Result};

use crate::ledger::Standing;
use crate::metrics::Metrics;
use crate::tiers::{Step, Tier, TierKind, TierName};

impl Metrics {
    /// Notes what the names of the tiers stand for, unless they stand for something else already.
    pub(crate) async fn note_names(&self) -> Result<()> {
        if self.refuse_other_names().await? {
            let names: Vec<(TierName, Standing)> =
                self.tiers.all().iter().map(|tier| (tier.name.clone(), self.standing_of(tier))).collect();
            let note = self.ledger.note_names(&names);
            self.points().around("metrics: note what the names of tiers stand for", note).await?;
            // Another process may have been first.
            self.refuse_other_names().await?;
        }
        Ok(())
    }

    /// Refuses names that stand for something else. Returns whether there is something to note.
    pub(crate) async fn refuse_other_names(&self) -> Result<bool> {
        let mut is_new = false;
        for tier in self.tiers.all() {
            let here = self.standing_of(tier);
            match self.ledger.stands_for(&tier.name).await? {
                Some(noted) => {
                    if let Some((expected, found)) = difference(&noted, &here) {
                        return Err(other(&tier.name, &expected, &found));
                    }
                    is_new |= noted.table.is_empty() && !here.table.is_empty();
                }
                None => is_new = true,
            }
        }
        Ok(is_new)
    }

    fn standing_of(&self, tier: &Tier) -> Standing {
        let of = if tier.is_store() { self.tiers.archive() } else { Some(tier) };
        let table = of.and_then(|tier| match &tier.kind {
            TierKind::Archive { table, .. } => Some(table.to_string()),
            TierKind::Store { .. } => None,
        });
        Standing { is_store: tier.is_store(), table: table.unwrap_or_default(), step_ms: tier.step.ms() }
    }
}

/// Says what a name stands for and what it is to stand for now, where these are not the same.
fn difference(noted: &Standing, here: &Standing) -> Option<(String, String)> {
    let kind = |standing: &Standing| {
        let (is, table) = (if standing.is_store { "a store" } else { "the table" }, &standing.table);
        match (standing.is_store, table.as_str()) {
            (true, "") => is.to_owned(),
            (true, table) => format!("{is} of the table `{table}`"),
            (false, table) => format!("{is} `{table}`"),
        }
    };
    let has_other_table = noted.table != here.table && !noted.table.is_empty() && !here.table.is_empty();
    if noted.is_store != here.is_store || has_other_table {
        return Some((kind(noted), kind(here)));
    }
    let step = |standing: &Standing| {
        let step = Step::from_ms(standing.step_ms).map_or_else(|_| String::new(), |step| step.to_string());
        format!("{} with the step {step}", kind(standing))
    };
    (noted.step_ms != here.step_ms).then(|| (step(noted), step(here)))
}

fn other(tier: &TierName, expected: &str, found: &str) -> Error {
    let message =
        format!("the tier `{tier}` of this project is {expected}, found a file of tiers in which it is {found}");
    Error::new(ErrorKind::InvalidInput, "open the tiers", message).help(format!(
        "points and windows are kept by the names of their tiers: give each tier of this file a name of its own, such as `{tier}_2`, \
         or let it be what it was"
    ))
}
