//! Athena's dialect on `DataFusion`: our own type rules and one table of functions; what it does not know it refuses.
//!
//! [`parse`] reads one statement with `sqlparser` → the analyzer types the syntax tree by Trino's rules → `DataFusion`'s
//! logical plan over functions of ours ([`plan()`]).

mod aggregate;
mod analyze;
mod call;
pub mod cast;
pub mod coerce;
mod conditional;
mod dialect;
pub mod error;
mod expression;
pub mod function;
mod grouping;
mod in_list;
mod join_key;
pub mod json;
mod lazy;
pub mod literal;
mod nesting;
mod operation;
pub mod operator;
pub mod parse;
pub mod plan;
mod query;
mod regroup;
mod relation;
pub mod resolve;
mod row_expression;
mod row_in;
mod scope;
mod select;
mod semicolon;
mod subquery;
pub mod temporal;
#[cfg(test)]
mod testing;
pub mod text;
pub mod types;
mod udf;
mod union;
mod unnest;
mod values;
mod view;
mod views;
mod wide;
mod window;

pub use aggregate::KNOWN as AGGREGATIONS;
pub use dialect::identifier;
pub use error::{SqlError, SqlResult, from_execution};
pub(crate) use function::EvalError;
pub use function::Session;
pub(crate) use function::regexp_pattern::WholeLine;
pub(crate) use function::time_pattern::{Match, TimePattern};
pub use parse::{constants, parse_expression, parse_one, refuse_what_writes};
pub use plan::{
    Planned, ResolvedRelation, ResolvedTable, ResolvedView, Settings, TableResolver, context, examine, plan,
};
pub(crate) use relation::INFORMATION_SCHEMA;
pub use resolve::known::WINDOW as WINDOW_FUNCTIONS;
pub use row_expression::{RowExpression, examine_functions};
pub use semicolon::without_semicolon;
pub use types::Type;
