//! Metric tiers: time series that move from a hot store to a warm one and on to Parquet in the lake, are rolled up,
//! verified, expired, and read as one.
//!
//! It knows the lake, and nothing of tasks, attempts, workflows or the command line. The four words: a *tier* keeps points
//! of one step; a *window* is one partition's span of time; the *ledger* knows how far each window is; a *reader* asks each
//! window's owner.

pub mod duplicate;
pub mod point;
pub mod store;
pub mod stream;
pub mod time;

pub use duplicate::DuplicateRule;
pub use point::{PointBatch, Points, SeriesName, SeriesPoints};
pub use store::PointStore;
pub use stream::ReplayStream;
pub use time::TimeRange;
