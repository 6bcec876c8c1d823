//! `metrics.…>`: time series move from tier to tier, are rolled up, verified, expired, and read as one.
//!
//! Every operator names a file of tiers, `tiers.yml` unless it says another, and works on whole windows: one window a step, so
//! that a task that is stopped goes on where it was.

mod batch;
mod config;
mod door;
pub(crate) mod dump;
pub(crate) mod expire;
pub(crate) mod flush;
mod inspect;
mod known;
mod lag;
mod output;
mod params;
pub(crate) mod plan;
pub(crate) mod probe;
pub(crate) mod put;
pub(crate) mod read;
pub(crate) mod replay;
pub(crate) mod rollup;
mod route;
mod rows;
mod stores;
pub(crate) mod verify;
pub(crate) mod view;
mod window;
mod windows;
pub(crate) mod write;

pub use config::read_config;
pub(crate) use door::MetricsDoor;
pub use door::open_metrics;
pub use known::refuse_unknown_series;
pub use lag::taken_in;
pub(crate) use params::TIERS_FILE;
pub use plan::PlannedWindows;
pub use read::{left_out_why, lives_on};
pub use window::read_time;
