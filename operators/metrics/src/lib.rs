//! Metric tiers: time series that move from a hot store to a warm one and on to Parquet in the lake, are rolled up,
//! verified, expired, and read as one.
//!
//! It knows the lake, and nothing of tasks, attempts, workflows or the command line. The four words: a *tier* keeps points
//! of one step; a *window* is one partition's span of time; the *ledger* knows how far each window is; a *reader* asks each
//! window's owner.

mod archive;
mod astray;
mod bucket;
mod came_after;
mod checksum;
pub mod config;
mod damage;
mod drop;
mod dump;
pub mod duplicate;
mod expire;
mod flow;
mod flush;
mod gathered;
mod lacking;
mod lag;
pub mod ledger;
mod left_out;
mod loss;
mod lost;
mod make;
mod merge;
mod metrics;
mod moving;
mod naming;
pub mod point;
mod read;
mod rebuild;
mod repair;
pub mod replay;
mod report;
mod rollup;
mod salvage;
mod stale;
mod status;
pub mod store;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod tiers;
pub mod time;
mod verify;
pub mod window;
mod write;

pub use archive::{WindowKind, kind_of};
pub use astray::Astray;
pub use bucket::{Bucket, SeriesBuckets};
pub use came_after::LeftOut;
pub use checksum::{Figures, checksum_of};
pub use dump::{MakeOptions, OnDamage, OnLate};
pub use duplicate::DuplicateRule;
pub use flow::WindowCount;
pub use flush::FlushReport;
pub use lag::TakenIn;
pub use ledger::{Fault, Ledger, LedgerRow, WindowState, were_kept_in};
pub use loss::AcceptedLoss;
pub use metrics::Metrics;
pub use naming::contradiction;
pub use point::{Merged, PointBatch, Points, SeriesName, SeriesPoints};
pub use read::{Aggregate, Gap, GivenUp, Instead, OnGap, ReadAnswer, ReadRequest, ReadRow, Segment, SeriesAnswer};
pub use report::{Outcome, WayOn, WindowReport};
pub use rollup::RollupSource;
pub use status::WindowStatus;
pub use store::{EmbeddedStore, EmbeddedStores, PointStore, StoreOpener};
pub use stream::ReplayStream;
pub use tiers::{FlushRule, Step, Tier, TierKind, TierName, Tiers};
pub use time::TimeRange;
pub use window::{PartitionUnit, Window};
pub use write::Written;
