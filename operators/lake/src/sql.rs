//! Athena's dialect on DataFusion: our own type rules and one table of functions; what it does not know it refuses.
//!
//! [`parse`] reads one statement with `sqlparser` → the analyzer types the syntax tree by Trino's rules → `DataFusion`'s
//! logical plan over functions of ours.

pub mod cast;
pub mod coerce;
mod dialect;
pub mod error;
pub mod function;
pub mod json;
pub mod literal;
pub mod operator;
pub mod parse;
pub mod resolve;
pub mod temporal;
pub mod text;
pub mod types;

pub use error::{SqlError, SqlResult};
pub use function::Session;
pub use parse::parse_one;
pub use types::Type;
