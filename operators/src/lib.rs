//! The operators over the lake: one thin adapter per `name>`, parameters → lake call → outcome.
//!
//! [`register_all`] is the list. They know nothing of the state store or the command line.

mod athena;
mod config;
mod door;
mod error;
mod inspect;
mod load;
mod metrics;
mod partition;
mod plan;
mod sql_text;
mod state;

use std::sync::Arc;

use engine::diagnostic::Code;
use engine::operator::{Registry, TaskError, TaskErrorKind};
use lake::Lake;

pub use door::{LakeDoor, Purpose};
pub use load::{config_error as load_config_error, read_config as read_load_config};
pub use metrics::{
    PlannedWindows, left_out_why as metrics_left_out, lives_on as metrics_lives_on, open_metrics,
    read_config as read_tiers_config, read_time as read_metrics_time, refuse_unknown_series,
    taken_in as metrics_taken_in,
};
pub use plan::{Effect, LakePlan, plan};

/// Adds every operator to the registry: this is the list.
pub fn register_all(registry: &mut Registry, door: &Arc<LakeDoor>) {
    registry.register(athena::add_partition::AddPartition::new(Arc::clone(door)));
    registry.register(athena::apas::Apas::new(Arc::clone(door)));
    registry.register(athena::ctas::Ctas::new(Arc::clone(door)));
    registry.register(athena::drop_partition::DropPartition::new(Arc::clone(door)));
    registry.register(athena::drop_table::DropTable::new(Arc::clone(door)));
    registry.register(athena::drop_table_multi::DropTableMulti::new(Arc::clone(door)));
    registry.register(athena::each_database::EachDatabase::new(Arc::clone(door)));
    registry.register(athena::partition_exists::PartitionExists::new(Arc::clone(door)));
    registry.register(athena::preview::Preview::new(Arc::clone(door)));
    registry.register(athena::query::Query::new(Arc::clone(door)));
    registry.register(athena::table_exists::TableExists::new(Arc::clone(door)));
    registry.register(load::Load::new(Arc::clone(door)));
    let tiers = Arc::new(metrics::MetricsDoor::new(Arc::clone(door)));
    registry.register(metrics::dump::Dump::new(Arc::clone(&tiers)));
    registry.register(metrics::expire::Expire::new(Arc::clone(&tiers)));
    registry.register(metrics::flush::Flush::new(Arc::clone(&tiers)));
    registry.register(metrics::probe::Probe::new(Arc::clone(&tiers)));
    registry.register(metrics::put::Put::new(Arc::clone(&tiers)));
    registry.register(metrics::read::Read::new(Arc::clone(&tiers)));
    registry.register(metrics::replay::Replay::new(Arc::clone(&tiers)));
    registry.register(metrics::rollup::Rollup::new(Arc::clone(&tiers)));
    registry.register(metrics::verify::Verify::new(Arc::clone(&tiers)));
    registry.register(metrics::view::View::new(Arc::clone(&tiers)));
    registry.register(metrics::write::Write::new(tiers));
}

/// Says under which code an error of the lake is explained, and who can fix it.
pub fn explain(kind: lake::ErrorKind) -> (Code, TaskErrorKind) {
    let (kind, code) = error::classify(kind);
    (code, kind)
}

/// Takes a table out of the catalog, and deletes its objects if wanted; returns how many prefixes went.
///
/// # Errors
/// As `athena.drop_table>`: objects that suiro did not write are not deleted, and then nothing is changed.
pub async fn drop_table(lake: &Lake, table: &lake::catalog::Table, with_location: bool) -> Result<usize, TaskError> {
    athena::removal::drop_table(lake, table, with_location).await
}
