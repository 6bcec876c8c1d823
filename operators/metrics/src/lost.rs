//! Windows that points were written for, by the ledger, and of which no store holds any when they are to be archived: not to be
//! taken for windows in which nothing came, be it at all or since they were archived.

use lake::{Error, ErrorKind, Result};

use crate::ledger::{Fault, LedgerRow};
use crate::metrics::Metrics;
use crate::report::{WayOn, WindowReport};
use crate::tiers::Tier;
use crate::window::Window;

/// What is wrong with such a window.
const LOST: &str = "points were written for it, and no store holds any of them";

/// What a window gives up that is archived. It is no error: whoever shares the stores may have archived them, and so may a ledger that was
/// there before an older copy of it was put back.
pub(crate) const SINCE: &str = "the points that were written for it since it was archived: no store holds any of them, and unless another \
                                machine or ledger has archived them they are lost";

impl Metrics {
    /// Notes that the points of a window are gone before anything of it was archived, and reports it.
    pub(crate) async fn failed_lost(&self, archive: &Tier, row: &LedgerRow) -> Result<WindowReport> {
        let stores: Vec<String> = self.tiers.stores().map(|tier| format!("`{}`", tier.name)).collect();
        let mismatch = format!("{LOST}: nothing of it is in {}", stores.join(", "));
        let report = self.failed(archive, row, Fault::Store, vec![mismatch]).await?;
        Ok(WindowReport { way_on: Some(WayOn::BringBack), ..report })
    }
}

/// Makes the error of a reader that asked for such a window.
pub(crate) fn error(window: Window) -> Error {
    let message = format!("{LOST}, nor has it been archived: the window {window}");
    Error::new(ErrorKind::DataQuality, "read points", message).help(
        "bring the points again from where they came (`metrics.replay>`, `metrics.write>`); `metrics.dump>` says what else leads on",
    )
}
