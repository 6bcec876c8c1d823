//! Prepared statements: texts of a workgroup with `?` in them, which `EXECUTE` runs.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{input, list};
use crate::athena::Athena;
use crate::athena::refusal::{ErrorCode, constraint, invalid, not_found};
use crate::athena::store::Kind;
use crate::error::ApiResult;
use crate::json::seconds;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    statement: String,
    description: Option<String>,
    modified_ms: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_field_names, reason = "the names are the service's")]
struct Statement {
    statement_name: String,
    work_group: String,
    query_statement: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Names {
    prepared_statement_names: Vec<String>,
    work_group: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    work_group: String,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Refuses what is no name of a prepared statement
/// (<https://docs.aws.amazon.com/athena/latest/APIReference/API_CreatePreparedStatement.html>).
fn check_name(name: &str) -> ApiResult<()> {
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@' | b':'));
    if begins && plain && name.len() <= 256 {
        return Ok(());
    }
    Err(constraint("statementName", "satisfy regular expression pattern: [a-zA-Z_][a-zA-Z0-9_@:]{1,256}"))
}

impl Athena {
    /// Returns the text of a prepared statement.
    pub(in crate::athena) async fn prepared(&self, workgroup: &str, name: &str) -> ApiResult<Option<String>> {
        let kept: Option<Kept> = self.inner.store.get(Kind::PreparedStatement, workgroup, &name.to_lowercase()).await?;
        Ok(kept.map(|kept| kept.statement))
    }

    /// Makes a prepared statement; false when there is one of the name.
    pub(in crate::athena) async fn prepare(&self, workgroup: &str, name: &str, statement: &str) -> ApiResult<bool> {
        let kept = Kept { statement: statement.to_owned(), description: None, modified_ms: self.now_ms() };
        self.inner.store.create(Kind::PreparedStatement, workgroup, &name.to_lowercase(), &kept).await
    }

    /// Drops a prepared statement; false when there is none of the name.
    pub(in crate::athena) async fn deallocate(&self, workgroup: &str, name: &str) -> ApiResult<bool> {
        self.inner.store.delete(Kind::PreparedStatement, workgroup, &name.to_lowercase()).await
    }

    async fn kept(&self, statement: &Statement) -> ApiResult<Kept> {
        let Statement { statement_name, work_group, .. } = statement;
        self.inner.store.get(Kind::PreparedStatement, work_group, &statement_name.to_lowercase()).await?.ok_or_else(
            || not_found(format!("PreparedStatement {statement_name} was not found in workGroup {work_group}")),
        )
    }

    pub(in crate::athena) async fn create_prepared_statement(&self, body: Value) -> ApiResult<Value> {
        let statement: Statement = input(body)?;
        check_name(&statement.statement_name)?;
        self.workgroup(&statement.work_group).await?;
        let kept = Kept {
            statement: statement
                .query_statement
                .ok_or_else(|| invalid(ErrorCode::InvalidInput, "QueryStatement is missing"))?,
            description: statement.description,
            modified_ms: self.now_ms(),
        };
        let name = statement.statement_name.to_lowercase();
        if !self.inner.store.create(Kind::PreparedStatement, &statement.work_group, &name, &kept).await? {
            return Err(invalid(
                ErrorCode::InvalidInput,
                format!("PreparedStatement {name} already exists in workGroup {}", statement.work_group),
            ));
        }
        Ok(json!({}))
    }

    pub(in crate::athena) async fn get_prepared_statement(&self, body: Value) -> ApiResult<Value> {
        let statement: Statement = input(body)?;
        let kept = self.kept(&statement).await?;
        Ok(json!({ "PreparedStatement": output(&statement.statement_name, &statement.work_group, &kept) }))
    }

    pub(in crate::athena) async fn batch_get_prepared_statement(&self, body: Value) -> ApiResult<Value> {
        let Names { prepared_statement_names, work_group } = input(body)?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in prepared_statement_names {
            let kept: Option<Kept> =
                self.inner.store.get(Kind::PreparedStatement, &work_group, &name.to_lowercase()).await?;
            if let Some(kept) = kept {
                found.push(output(&name, &work_group, &kept));
            } else {
                let message = format!("PreparedStatement {name} was not found in workGroup {work_group}");
                missing.push(list::missing("StatementName", &name, "STATEMENT_NOT_FOUND", &message));
            }
        }
        Ok(json!({ "PreparedStatements": found, "UnprocessedPreparedStatementNames": missing }))
    }

    pub(in crate::athena) async fn list_prepared_statements(&self, body: Value) -> ApiResult<Value> {
        let List { work_group, max_results, next_token } = input(body)?;
        self.workgroup(&work_group).await?;
        let all: Vec<(String, Kept)> = self.inner.store.list(Kind::PreparedStatement, &work_group).await?;
        let items = all
            .into_iter()
            .map(|(name, kept)| {
                let value = json!({ "StatementName": name, "LastModifiedTime": seconds(kept.modified_ms) });
                (name, value)
            })
            .collect();
        list::page(items, "PreparedStatements", max_results, 50, next_token.as_deref())
    }

    pub(in crate::athena) async fn update_prepared_statement(&self, body: Value) -> ApiResult<Value> {
        let statement: Statement = input(body)?;
        let mut kept = self.kept(&statement).await?;
        kept.statement = statement.query_statement.unwrap_or(kept.statement);
        kept.description = statement.description.or(kept.description);
        kept.modified_ms = self.now_ms();
        let name = statement.statement_name.to_lowercase();
        self.inner.store.put(Kind::PreparedStatement, &statement.work_group, &name, &kept).await?;
        Ok(json!({}))
    }

    pub(in crate::athena) async fn delete_prepared_statement(&self, body: Value) -> ApiResult<Value> {
        let statement: Statement = input(body)?;
        self.kept(&statement).await?;
        self.deallocate(&statement.work_group, &statement.statement_name).await?;
        Ok(json!({}))
    }
}

fn output(name: &str, work_group: &str, kept: &Kept) -> Value {
    let mut output = json!({
        "StatementName": name,
        "QueryStatement": kept.statement,
        "WorkGroupName": work_group,
        "LastModifiedTime": seconds(kept.modified_ms),
    });
    if let (Some(description), Some(members)) = (&kept.description, output.as_object_mut()) {
        members.insert("Description".to_owned(), json!(description));
    }
    output
}
