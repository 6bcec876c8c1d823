//! Tables in a lake: storage, catalog, query engines, publishing and the loader.
//!
//! It knows nothing of tasks, attempts, YAML or the workflow engine.

pub mod catalog;
pub mod error;
pub mod load;
pub mod name;
pub mod publish;
pub mod query;
pub mod sql;
pub mod storage;

pub use error::{Error, ErrorKind, Result};
