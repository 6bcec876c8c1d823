//! From a statement to a physical plan, on a stack that deep statements fit on.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;

use super::failure;
use super::information_schema;
use super::memory::Budget;
use super::stop::{self, Stop};
use crate::catalog::{Catalog, View};
use crate::error::{Error, ErrorKind, Result};
use crate::name::TableName;
use crate::query::table::CatalogTable;
use crate::query::{QueryTable, ResultColumn};
use crate::sql::INFORMATION_SCHEMA;
use crate::sql::function::Session;
use crate::sql::plan::{ResolvedRelation, ResolvedTable, Settings, TableResolver};
use crate::storage::Storage;

/// The stack of a planning thread: a tokio worker's 2 MiB is too little for a statement of some hundred nested terms.
const STACK_BYTES: usize = 16 << 20;

/// A statement, ready to run.
pub(super) struct Prepared {
    pub(super) context: SessionContext,
    pub(super) physical: Arc<dyn ExecutionPlan>,
    pub(super) columns: Vec<ResultColumn>,
    pub(super) tables: Vec<TableName>,
    pub(super) views: Vec<TableName>,
}

/// How a statement is to run, whatever it says.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// Partitions that run at once; nothing takes the number of cores.
    pub(super) parallelism: Option<usize>,
    pub(super) budget: Budget,
    /// The memory, and where the rest goes.
    pub(super) runtime: Arc<RuntimeEnv>,
}

/// What a statement is planned with.
#[derive(Debug, Clone)]
pub(super) struct Planner {
    pub(super) storage: Storage,
    pub(super) catalog: Arc<dyn Catalog>,
}

impl Planner {
    /// Plans a statement; its plan ends when `stop` is requested.
    pub(super) async fn plan(
        &self,
        sql: String,
        session: Session,
        tables: Vec<QueryTable>,
        manner: Manner,
        stop: &Stop,
    ) -> Result<Prepared> {
        let planner = self.clone();
        let stop = stop.clone();
        on_large_stack(async move { planner.plan_here(&sql, session, tables, manner, &stop).await }).await
    }

    async fn plan_here(
        &self,
        sql: &str,
        session: Session,
        tables: Vec<QueryTable>,
        manner: Manner,
        stop: &Stop,
    ) -> Result<Prepared> {
        const OPERATION: &str = "plan a query";
        let Manner { parallelism, budget, runtime } = manner;
        let (storage, catalog, now_us) = (self.storage.clone(), Arc::clone(&self.catalog), session.start_us);
        let resolver = CatalogResolver { storage, catalog, tables, now_us };
        // As Athena does, a `;` at the end is passed over.
        let sql = crate::sql::without_semicolon(sql);
        let planned = crate::sql::plan::plan(sql, &session, &resolver).await?;
        let settings = Settings { runtime, batch_rows: budget.batch_rows(), parallelism };
        let state = SessionStateBuilder::new_from_existing(crate::sql::plan::context(&settings).state())
            .with_physical_optimizer_rules(stop::rules(budget, stop))
            .build();
        let context = SessionContext::new_with_state(state);
        let physical =
            context.state().create_physical_plan(&planned.plan).await.map_err(|error| failure::of(OPERATION, error))?;
        let columns = planned.columns.into_iter().zip(planned.named);
        let columns = columns.map(|((name, data_type), is_named)| ResultColumn { name, is_named, data_type }).collect();
        Ok(Prepared { context, physical, columns, tables: planned.tables, views: planned.views })
    }
}

/// Runs a future on a thread of its own with a large stack.
async fn on_large_stack<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let spawned = std::thread::Builder::new().name("plan".to_owned()).stack_size(STACK_BYTES).spawn(move || {
        // Nobody listens any more when the query was cancelled.
        let _canceled = sender.send(runtime.block_on(work));
    });
    spawned.map_err(|error| {
        Error::new(ErrorKind::ResourcesExhausted, "plan a query", format!("cannot start a thread: {error}")).retryable()
    })?;
    receiver.await.map_err(|_| {
        Error::new(ErrorKind::External, "plan a query", "GENERIC_INTERNAL_ERROR: planning the statement stopped early")
    })?
}

/// Adds up the bytes of the objects that a plan may read.
pub(super) fn predicted_bytes(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let own = plan
        .downcast_ref::<DataSourceExec>()
        .and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>())
        .map_or(0, |config| {
            let files = config.file_groups.iter().flat_map(FileGroup::files);
            files
                .map(|file| match &file.range {
                    Some(range) => u64::try_from(range.end.saturating_sub(range.start)).unwrap_or(0),
                    None => file.object_meta.size,
                })
                .sum()
        });
    plan.children().into_iter().map(predicted_bytes).sum::<u64>() + own
}

/// Adds up the bytes that a plan has read so far.
pub(super) fn scanned_bytes(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let own =
        plan.metrics().and_then(|metrics| metrics.sum_by_name("bytes_scanned")).map_or(0, |value| value.as_usize());
    plan.children().into_iter().map(scanned_bytes).sum::<u64>() + u64::try_from(own).unwrap_or(u64::MAX)
}

/// Finds tables in the catalog, or among those of the query alone.
struct CatalogResolver {
    storage: Storage,
    catalog: Arc<dyn Catalog>,
    tables: Vec<QueryTable>,
    /// When the statement started, in microseconds since 1970.
    now_us: i64,
}

#[async_trait]
impl TableResolver for CatalogResolver {
    async fn resolve(&self, database: &str, table: &str) -> Result<Option<ResolvedRelation>> {
        let name = TableName::new(database, table)?;
        if database == INFORMATION_SCHEMA {
            let described = information_schema::table(self.catalog.as_ref(), table).await?;
            return Ok(described.map(ResolvedRelation::Table));
        }
        let own = self.tables.iter().find(|own| own.table.name == name);
        let provider = if let Some(own) = own {
            // Its partitions are those that it was given.
            CatalogTable::try_new(self.storage.clone(), own.table.clone(), own.partitions.clone())?
        } else {
            let Some(table) = self.catalog.table(&name).await? else { return Ok(None) };
            if table.is_view() {
                return View::of(&table)?.resolved(&table).map(|view| Some(ResolvedRelation::View(view)));
            }
            if let Some(projected) = CatalogTable::projected(&self.storage, &table, self.now_us)? {
                projected
            } else {
                let partitioned = !table.partition_keys.is_empty();
                let partitions = if partitioned { self.catalog.partitions(&name).await? } else { Vec::new() };
                CatalogTable::try_new(self.storage.clone(), table, partitions)?
            }
        };
        let table = ResolvedTable { columns: provider.columns(), provider: Arc::new(provider) };
        Ok(Some(ResolvedRelation::Table(table)))
    }
}
