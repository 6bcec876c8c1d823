//! What tests of the dialect have in common.

use async_trait::async_trait;
use datafusion::physical_plan::displayable;

use super::plan::{ResolvedRelation, Settings, TableResolver, context, plan};
use super::{Session, SqlResult};

struct NoTables;

#[async_trait]
impl TableResolver for NoTables {
    async fn resolve(&self, _database: &str, _table: &str) -> crate::error::Result<Option<ResolvedRelation>> {
        Ok(None)
    }
}

/// Returns the physical plan of a statement without tables.
pub(super) async fn physical(sql: &str) -> SqlResult<String> {
    let session = Session { time_zone: "UTC".to_owned(), start_us: 0, database: None };
    let planned = plan(sql, &session, &NoTables).await.unwrap();
    let plan = context(&Settings::default()).state().create_physical_plan(&planned.plan).await?;
    Ok(displayable(plan.as_ref()).indent(false).to_string())
}
