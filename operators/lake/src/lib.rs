//! Tables in a lake: storage, catalog, query engines, publishing and the loader.
//!
//! It knows nothing of tasks, attempts, YAML or the workflow engine. [`Lake::open`] is the way in.

pub mod aws;
pub mod catalog;
pub mod clock;
pub mod crash;
pub mod error;
mod held;
mod lake;
mod lines;
pub mod load;
mod look;
pub mod name;
pub mod notice;
mod orc;
pub mod pause;
pub mod publish;
pub mod query;
pub mod secret;
pub mod sql;
pub mod sqlite;
pub mod storage;
mod temporary;
pub mod words;

pub use crate::lake::{Lake, LakeSettings, Place};
pub use error::{Error, ErrorKind, Result};
pub use secret::Secret;
