//! What became of a window.

use crate::checksum::Figures;
use crate::ledger::WindowState;
use crate::tiers::TierName;
use crate::window::Window;

/// What a step did to a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What it was asked to.
    Made,
    /// Nothing: it had been done, and nothing has changed since.
    Unchanged,
    /// Nothing final: points came in since the window was dumped. It has to be dumped again.
    Late,
    /// Nothing: it is too early, for this reason.
    NotDue(String),
    /// What is there is not what should be: the report's mismatches say where.
    Failed,
}

/// What became of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowReport {
    /// The tier whose window it is.
    pub tier: TierName,
    /// The window.
    pub window: Window,
    /// The generation that readers are pointed to; 0 for none.
    pub generation: u32,
    /// Its figures.
    pub figures: Figures,
    /// The bytes of its objects.
    pub bytes: u64,
    /// How far the window is now.
    pub state: WindowState,
    /// What the step did.
    pub outcome: Outcome,
    /// What is not as it should be, each for a person to read; at most 20 series.
    pub mismatches: Vec<String>,
    /// How many points the step moved or deleted.
    pub moved: u64,
}
