//! The loader: inputs → splits → batches → output, columnar all the way.
//!
//! [`LoadConfig`] is what a user writes. [`plan`] finds the files and guesses columns, [`advance`] takes one step after the
//! other; [`run`] does both. It knows no tasks: who calls it keeps the [`LoadState`].

pub mod config;

mod appended;
mod chunk;
mod column;
mod decode;
mod dictionary;
mod empty;
mod encode;
mod file_output;
mod guess;
mod input;
mod job;
mod layout;
mod leftover;
mod notice;
mod number;
pub(crate) mod parse;
mod partition;
mod pipeline;
mod pool;
mod race;
mod reject;
mod report;
mod row_check;
mod sink;
mod staged;
mod stream;
mod table_output;
mod time_format;
mod unreadable;

pub use config::LoadConfig;
pub use input::InputFile;
pub use job::{LoadControl, LoadState, LoadToken, advance, give_up, input_bytes, plan, run};
pub use notice::Notice;
pub use partition::{PARTITION_KEY, examine_partition_keys};
pub use report::{LoadReport, Progress, PublishedPart, RejectedLine};
pub use row_check::RowCheck;
pub use staged::{columns, remove_staged, staged_rows};

#[cfg(test)]
mod tests;
