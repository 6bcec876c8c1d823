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

/// What leads on from a window that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayOn {
    /// It is dumped again, which writes it when nothing of it is lost.
    DumpAgain,
    /// Its objects are put back, or it is dumped again from what is left.
    DumpWhatIsLeft,
    /// The archive has all of it: it is dumped again from what the store has now.
    DumpFromStore,
    /// Nothing was archived of it: its points are brought once more, or it is dumped without them.
    BringBack,
    /// Its undo is undone, or it is dumped again as the version that the catalog points to.
    RedoOrDump,
    /// Its undo is undone.
    Redo,
    /// Its undo is undone, or its partition is dropped and made again of the finer tier.
    RedoOrRollUp,
    /// It is made again of the finer tier.
    RollUpAgain,
    /// Its objects are put back: what it was made of was given up.
    PutBack,
    /// The same of one whose partition is gone: its partition is put back.
    PutPartitionBack,
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
    /// What leads on, of a window that [failed](Outcome::Failed).
    pub way_on: Option<WayOn>,
    /// Whether the same was known of it before the step.
    pub is_known: bool,
    /// What was archived and is not any more, each for a person to read: it could not be read, and no store holds it.
    pub given_up: Vec<String>,
    /// How many points the step moved or deleted.
    pub moved: u64,
}
