//! Athena's dialect on DataFusion: our own type rules and one table of functions; what it does not know it refuses.
//!
//! `parse` → [`analyze`] (types the syntax tree by Trino's rules) → DataFusion's logical plan over functions of ours.

pub mod coerce;
pub mod error;
pub mod function;
pub mod types;

pub use error::SqlError;
pub use types::Type;
