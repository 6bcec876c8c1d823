//! `athena.…>`: Athena's and Glue's work over the lake's traits, with digdag-operator-athena's options.
//!
//! Source: <https://github.com/civitaspo/digdag-operator-athena>. Where its behaviour loses data or hides errors ours differs;
//! each departure stands beside the code as `DIFFERENCE(digdag-operator-athena)`.

pub(crate) mod access;
pub(crate) mod add_partition;
pub(crate) mod apas;
mod checks;
pub(crate) mod ctas;
pub(crate) mod drop_partition;
pub(crate) mod drop_table;
pub(crate) mod drop_table_multi;
pub(crate) mod each_database;
mod exists;
mod format;
mod job;
mod left;
pub(crate) mod options;
mod output;
pub(crate) mod partition_exists;
mod poll;
pub(crate) mod preview;
pub(crate) mod query;
pub(crate) mod removal;
mod rows;
pub(crate) mod table_exists;

/// The exported mapping whose keys are the defaults of every `athena.…>` operator.
pub(crate) const DEFAULTS: &str = "athena";
