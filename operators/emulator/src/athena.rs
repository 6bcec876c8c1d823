//! Athena's API: `AmazonAthena.…` calls, each query run with the lake's engine over the lake's tables.
//!
//! A call is read and checked in `api`, a statement in `statement`; `run` carries a query to its end, `result` writes and
//! reads what it gave, `store` keeps all of it. What the service answers is from its API reference
//! (<https://docs.aws.amazon.com/athena/latest/APIReference/Welcome.html>) and its user guide.

mod api;
mod model;
mod refusal;
mod result;
mod run;
mod statement;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use lake::Lake;
use lake::catalog::GlueCatalog;
use serde_json::Value;

use crate::error::{ApiError, ApiResult};
use crate::fault::Faults;
use crate::s3::Buckets;
use run::Jobs;
pub use run::Quotas;
use store::Store;

/// The name of the one data catalog.
const CATALOG: &str = "AwsDataCatalog";

/// The database of queries that name none.
const DEFAULT_DATABASE: &str = "default";

/// Where results go when neither a call nor its workgroup says. The endpoint makes this bucket, and no other.
const DEFAULT_OUTPUT: &str = "s3://athena-query-results/";

/// The service. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Athena {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    lake: Lake,
    /// The catalog of the lake, with what Glue alone can do.
    glue: Arc<dyn GlueCatalog>,
    buckets: Arc<Buckets>,
    store: Store,
    jobs: Jobs,
    region: String,
    faults: Arc<Faults>,
}

impl Athena {
    /// Opens the service of a lake. Queries that an endpoint before this one did not end are failed ones from now on.
    ///
    /// # Errors
    /// When the history of queries cannot be opened.
    pub(crate) async fn open(
        lake: Lake,
        glue: Arc<dyn GlueCatalog>,
        buckets: Arc<Buckets>,
        region: String,
        quotas: Quotas,
        faults: Arc<Faults>,
    ) -> lake::Result<Self> {
        let store = Store::open(&lake.settings.state_dir).await?;
        let jobs = Jobs::new(quotas);
        let athena = Self { inner: Arc::new(Inner { lake, glue, buckets, store, jobs, region, faults }) };
        athena.recover().await?;
        Ok(athena)
    }

    /// Answers a call.
    pub(crate) async fn call(&self, operation: &str, body: Value) -> ApiResult<Value> {
        match operation {
            "StartQueryExecution" => self.start_query_execution(body).await,
            "GetQueryExecution" => self.get_query_execution(body).await,
            "BatchGetQueryExecution" => self.batch_get_query_execution(body).await,
            "StopQueryExecution" => self.stop_query_execution(body).await,
            "ListQueryExecutions" => self.list_query_executions(body).await,
            "GetQueryResults" => self.get_query_results(body).await,
            "GetQueryRuntimeStatistics" => self.get_query_runtime_statistics(body).await,
            "CreateWorkGroup" => self.create_work_group(body).await,
            "GetWorkGroup" => self.get_work_group(body).await,
            "ListWorkGroups" => self.list_work_groups(body).await,
            "UpdateWorkGroup" => self.update_work_group(body).await,
            "DeleteWorkGroup" => self.delete_work_group(body).await,
            "ListEngineVersions" => Ok(api::workgroup::engine_versions()),
            "CreateNamedQuery" => self.create_named_query(body).await,
            "GetNamedQuery" => self.get_named_query(body).await,
            "BatchGetNamedQuery" => self.batch_get_named_query(body).await,
            "ListNamedQueries" => self.list_named_queries(body).await,
            "UpdateNamedQuery" => self.update_named_query(body).await,
            "DeleteNamedQuery" => self.delete_named_query(body).await,
            "CreatePreparedStatement" => self.create_prepared_statement(body).await,
            "GetPreparedStatement" => self.get_prepared_statement(body).await,
            "BatchGetPreparedStatement" => self.batch_get_prepared_statement(body).await,
            "ListPreparedStatements" => self.list_prepared_statements(body).await,
            "UpdatePreparedStatement" => self.update_prepared_statement(body).await,
            "DeletePreparedStatement" => self.delete_prepared_statement(body).await,
            "GetDataCatalog" => api::catalog::get_data_catalog(body),
            "ListDataCatalogs" => Ok(api::catalog::list_data_catalogs()),
            "GetDatabase" => self.get_database(body).await,
            "ListDatabases" => self.list_databases(body).await,
            "GetTableMetadata" => self.get_table_metadata(body).await,
            "ListTableMetadata" => self.list_table_metadata(body).await,
            "TagResource" => self.tag_resource(body).await,
            "UntagResource" => self.untag_resource(body).await,
            "ListTagsForResource" => self.list_tags_for_resource(body).await,
            other => {
                Err(ApiError::client("UnknownOperationException", format!("Athena's `{other}` is not served here")))
            }
        }
    }

    fn now_ms(&self) -> i64 {
        self.inner.lake.settings.clock.now().as_millisecond()
    }
}
