//! Starting queries, and what is known of those that were started.

use lake::name::Location;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::workgroup::{PRIMARY, WorkGroup, checked_location, engine};
use super::{input, list, reuse};
use crate::ACCOUNT;
use crate::athena::model::{Execution, ResultRecord, State, output_name};
use crate::athena::refusal::{ErrorCode, constraint, invalid};
use crate::athena::run::{Job, Order};
use crate::athena::statement::{Statement, parameter, parse};
use crate::athena::store::Begun;
use crate::athena::{Athena, CATALOG, DEFAULT_OUTPUT};
use crate::auth::digest::sha256_hex;
use crate::error::{ApiError, ApiResult};
use crate::json::seconds;

/// The longest text of a query, in bytes.
const MOST_QUERY_BYTES: usize = 262_144;

/// The shortest and the longest token.
const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 32..=128;

/// How many queries `BatchGetQueryExecution` takes.
const MOST_BATCH: usize = 50;

/// What a query is asked for with. All but the token must be the same when the token is sent again.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Start {
    query_string: String,
    #[serde(skip_serializing)]
    client_request_token: Option<String>,
    query_execution_context: Option<Context>,
    result_configuration: Option<ResultConfiguration>,
    work_group: Option<String>,
    #[serde(default)]
    execution_parameters: Vec<String>,
    result_reuse_configuration: Option<Value>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Context {
    catalog: Option<String>,
    database: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResultConfiguration {
    output_location: Option<String>,
    encryption_configuration: Option<Value>,
    expected_bucket_owner: Option<String>,
    acl_configuration: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Id {
    query_execution_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ids {
    query_execution_ids: Vec<String>,
}

impl Athena {
    pub(in crate::athena) async fn start_query_execution(&self, body: Value) -> ApiResult<Value> {
        let start: Start = input(body)?;
        let token = checked_token(start.client_request_token.as_deref())?;
        if start.query_string.is_empty() {
            return Err(constraint("queryString", "have length greater than or equal to 1"));
        }
        if start.query_string.len() > MOST_QUERY_BYTES {
            return Err(constraint("queryString", &format!("have length less than or equal to {MOST_QUERY_BYTES}")));
        }
        let group = self.workgroup(start.work_group.as_deref().unwrap_or(PRIMARY)).await?;
        if !group.enabled {
            return Err(invalid(ErrorCode::InvalidInput, format!("WorkGroup {} is disabled", group.name)));
        }
        let context = start.query_execution_context.as_ref();
        if let Some(catalog) = context.and_then(|context| context.catalog.as_deref()) {
            check_catalog(catalog)?;
        }
        let (statement, kind) = self.statement(&start, &group).await?;
        let id = Uuid::new_v4().to_string();
        let output = output_location(&start, &group)?
            .join(&output_name(kind, &id))
            .map_err(|_| invalid(ErrorCode::InvalidInput, "outputLocation is not a valid S3 path."))?;
        self.require_bucket(&output).await?;
        let execution = Execution {
            id: id.clone(),
            query: start.query_string.clone(),
            class: kind.class.name().to_owned(),
            substatement: kind.substatement.to_owned(),
            workgroup: group.name.clone(),
            catalog: context.and_then(|context| context.catalog.clone()),
            database: context.and_then(|context| context.database.clone()),
            parameters: start.execution_parameters.clone(),
            output_location: output.to_string(),
            state: State::Queued,
            reason: None,
            failure: None,
            submitted_ms: self.now_ms(),
            started_ms: None,
            completed_ms: None,
            scanned_bytes: 0,
            rows: 0,
            written_bytes: 0,
            manifest_location: None,
            reuse_minutes: reuse::minutes(start.result_reuse_configuration.as_ref())?,
            reused: false,
            result: ResultRecord::default(),
        };
        let request = request_of(&start)?;
        // The quota holds for queries that are new: the token of a known one gives that one, however many there are.
        let place = self.inner.jobs.reserve(kind.class);
        if place.is_err()
            && let Some(known) = self.inner.store.known(&token, &request).await?
        {
            return begun(known, &id);
        }
        let place = place?;
        // Looked for before: between a query that is begun and its launch nothing may fail, or it would be queued for ever.
        let earlier = self.reusable(&execution).await?;
        let begin = self.inner.store.begin(&token, &request, &execution).await?;
        if begin == Begun::New {
            let order = Order {
                statement,
                earlier,
                enforced_location: group.configuration.enforced,
                cutoff_bytes: group.configuration.cutoff_bytes,
                fault: self.inner.faults.decide_query(),
            };
            self.launch(Job::new(execution, Some(place)), order);
        }
        begun(begin, &id)
    }

    /// Refuses a place of results whose bucket is not there, in the service's words
    /// (<https://repost.aws/knowledge-center/athena-output-bucket-error>).
    async fn require_bucket(&self, output: &Location) -> ApiResult<()> {
        let name = output.bucket();
        let parsed = Location::parse(&format!("s3://{name}/"));
        let bucket = parsed.map_err(|_| invalid(ErrorCode::InvalidInput, "outputLocation is not a valid S3 path."))?;
        if self.inner.buckets.has(&bucket).await? {
            return Ok(());
        }
        if bucket.to_string() == DEFAULT_OUTPUT {
            return self.inner.buckets.create(&bucket).await;
        }
        Err(invalid(ErrorCode::InvalidInput, format!("Unable to verify/create output bucket {name}")))
    }

    /// Reads the statement that a call starts: with its parameters in their places, a prepared one in place of its name.
    async fn statement(
        &self,
        start: &Start,
        group: &WorkGroup,
    ) -> ApiResult<(Statement, crate::athena::statement::StatementKind)> {
        let malformed = |message: String| invalid(ErrorCode::MalformedQuery, message);
        // The `?` of a statement that is prepared get their values when it is executed.
        let bound = match parse(&start.query_string) {
            Ok(Statement::Prepare { .. }) => Ok(start.query_string.clone()),
            // The values are those of the statement that it names.
            Ok(Statement::Execute { values, .. }) if values.is_empty() => Ok(start.query_string.clone()),
            _ => parameter::bind(&start.query_string, &start.execution_parameters),
        };
        // A wrong number of values is a failed query, not a refused call.
        let text = bound.clone().unwrap_or_else(|_| start.query_string.clone());
        let mut statement = parse(&text).map_err(|error| malformed(error.to_string()))?;
        if let Err(message) = bound {
            let kind = statement.kind();
            return Ok((Statement::Wrong(message), kind));
        }
        if let Statement::Execute { name, values } = &statement {
            let prepared = self.prepared(&group.name, name).await?.ok_or_else(|| {
                malformed(format!("PreparedStatement {name} was not found in workGroup {}", group.name))
            })?;
            let values = if values.is_empty() { &start.execution_parameters } else { values };
            statement = match parameter::bind(&prepared, values) {
                Ok(text) => parse(&text).map_err(|error| malformed(error.to_string()))?,
                Err(message) => {
                    let kind = parse(&prepared).map_err(|error| malformed(error.to_string()))?.kind();
                    return Ok((Statement::Wrong(message), kind));
                }
            };
            if matches!(statement, Statement::Execute { .. }) {
                return Err(malformed("a prepared statement cannot execute another one".to_owned()));
            }
        }
        if let Statement::Select(sql) = &statement {
            check_syntax(sql).map_err(malformed)?;
        }
        let kind = statement.kind();
        Ok((statement, kind))
    }

    /// Returns a query, as it is now.
    pub(super) async fn execution(&self, id: &str) -> ApiResult<Execution> {
        if let Some(running) = self.inner.jobs.execution(id) {
            return Ok(running);
        }
        self.inner
            .store
            .execution(id)
            .await?
            .ok_or_else(|| invalid(ErrorCode::QueryExecutionNotFound, format!("QueryExecution {id} was not found")))
    }

    pub(in crate::athena) async fn get_query_execution(&self, body: Value) -> ApiResult<Value> {
        let Id { query_execution_id } = input(body)?;
        let execution = self.execution(&query_execution_id).await?;
        Ok(json!({ "QueryExecution": output(&execution, self.now_ms()) }))
    }

    pub(in crate::athena) async fn batch_get_query_execution(&self, body: Value) -> ApiResult<Value> {
        let Ids { query_execution_ids } = input(body)?;
        if query_execution_ids.is_empty() {
            return Err(constraint("queryExecutionIds", "have length greater than or equal to 1"));
        }
        if query_execution_ids.len() > MOST_BATCH {
            return Err(constraint("queryExecutionIds", &format!("have length less than or equal to {MOST_BATCH}")));
        }
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in query_execution_ids {
            match self.execution(&id).await {
                Ok(execution) => found.push(output(&execution, self.now_ms())),
                Err(error) if error.code == "InvalidRequestException" => {
                    missing.push(list::missing("QueryExecutionId", &id, "INVALID_INPUT", &error.message));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(json!({ "QueryExecutions": found, "UnprocessedQueryExecutionIds": missing }))
    }

    pub(in crate::athena) async fn stop_query_execution(&self, body: Value) -> ApiResult<Value> {
        let Id { query_execution_id } = input(body)?;
        self.execution(&query_execution_id).await?;
        self.inner.jobs.stop(&query_execution_id);
        Ok(json!({}))
    }

    pub(in crate::athena) async fn list_query_executions(&self, body: Value) -> ApiResult<Value> {
        let asked: list::OfWorkGroup = input(body)?;
        let group = asked.workgroup();
        self.workgroup(group).await?;
        let limit = list::limit(asked.max_results, 50)?;
        let before = asked
            .next_token
            .as_ref()
            .map(|token| token.parse::<i64>())
            .transpose()
            .map_err(|_| invalid(ErrorCode::InvalidInput, "NextToken is not valid"))?;
        let mut found = self.inner.store.executions(group, before, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let ids: Vec<&String> = found.iter().map(|(_, id)| id).collect();
        let mut output = Map::from_iter([("QueryExecutionIds".to_owned(), json!(ids))]);
        if let Some((number, _)) = found.last().filter(|_| more) {
            output.insert("NextToken".to_owned(), json!(number.to_string()));
        }
        Ok(Value::Object(output))
    }
}

/// Answers a call that began a query, or found it.
fn begun(begin: Begun, id: &str) -> ApiResult<Value> {
    match begin {
        Begun::New => Ok(json!({ "QueryExecutionId": id })),
        Begun::Known(known) => Ok(json!({ "QueryExecutionId": known })),
        Begun::Mismatch => Err(invalid(ErrorCode::IdempotentParameterMismatch, "Idempotent parameters do not match")),
    }
}

/// Refuses a data catalog that is not here: there is one, by its name or as the Glue catalog of the endpoint's account.
fn check_catalog(catalog: &str) -> ApiResult<()> {
    if catalog.eq_ignore_ascii_case(CATALOG) {
        return Ok(());
    }
    let parts: Vec<&str> = catalog.split(':').collect();
    match parts.as_slice() {
        ["glue", "arn", _, "glue", _, account, "catalog"] if *account == ACCOUNT => Ok(()),
        ["glue", "arn", _, "glue", _, account, "catalog"] => Err(ApiError::client(
            "AccessDeniedException",
            format!(
                "User: arn:aws:iam::{ACCOUNT}:user/suiro is not authorized to perform: glue:GetDatabase on the catalog {account}: \
                 this endpoint has the catalog {ACCOUNT} alone"
            ),
        )),
        _ => {
            let message = format!("Data catalog {catalog} was not found: there is {CATALOG}");
            Err(invalid(ErrorCode::InvalidInput, message))
        }
    }
}

/// Returns what stands for a request: the same for the same one, whatever its length.
fn request_of(start: &Start) -> ApiResult<String> {
    let text = serde_json::to_string(start)
        .map_err(|error| invalid(ErrorCode::InvalidInput, format!("the request has no form: {error}")))?;
    Ok(sha256_hex(text.as_bytes()))
}

fn checked_token(token: Option<&str>) -> ApiResult<String> {
    let token = token.ok_or_else(|| invalid(ErrorCode::InvalidInput, "clientRequestToken is null or empty"))?;
    let length = token.chars().count();
    if length < *TOKEN_LENGTH.start() {
        let least = TOKEN_LENGTH.start();
        return Err(constraint("clientRequestToken", &format!("have length greater than or equal to {least}")));
    }
    if length > *TOKEN_LENGTH.end() {
        let most = TOKEN_LENGTH.end();
        return Err(constraint("clientRequestToken", &format!("have length less than or equal to {most}")));
    }
    Ok(token.to_owned())
}

/// Returns where the result of a query goes: the workgroup's place where it is enforced or the client names none.
fn output_location(start: &Start, group: &WorkGroup) -> ApiResult<Location> {
    let own = start.result_configuration.as_ref().and_then(|result| result.output_location.as_deref());
    let configured = group.configuration.output_location.as_deref();
    let chosen = if group.configuration.enforced { configured.or(own) } else { own.or(configured) };
    let chosen = chosen.ok_or_else(|| {
        invalid(
            ErrorCode::InvalidInput,
            "No output location provided. An output location is required either through the Workgroup result configuration \
             setting or as an API input.",
        )
    })?;
    checked_location(chosen)
}

/// Checks the syntax of a SELECT; what else is wrong with it fails the query.
fn check_syntax(sql: &str) -> Result<(), String> {
    // A statement of some hundred nested terms needs more of a stack than a worker has.
    let parsed = stacker::maybe_grow(8 << 20, 16 << 20, || lake::sql::parse_one(sql).map(|_query| ()));
    match parsed {
        Err(error) if error.name() == "SYNTAX_ERROR" => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Writes a query as the API's `QueryExecution`.
fn output(execution: &Execution, now_ms: i64) -> Value {
    let mut status = Map::from_iter([
        ("State".to_owned(), json!(execution.state.name())),
        ("SubmissionDateTime".to_owned(), json!(seconds(execution.submitted_ms))),
    ]);
    if let Some(completed_ms) = execution.completed_ms {
        status.insert("CompletionDateTime".to_owned(), json!(seconds(completed_ms)));
    }
    if let Some(reason) = &execution.reason {
        status.insert("StateChangeReason".to_owned(), json!(reason));
    }
    if let Some(failure) = &execution.failure {
        let error = json!({
            "ErrorCategory": failure.category,
            "ErrorType": failure.error_type,
            "Retryable": failure.retryable,
            "ErrorMessage": execution.reason,
        });
        status.insert("AthenaError".to_owned(), error);
    }
    // A part of a millisecond counts as one: a query that was waited for took some time.
    let queued = execution.queued_ms(now_ms).max(1);
    let ran = execution.ran_ms(now_ms).max(1);
    let mut statistics = Map::from_iter([
        ("EngineExecutionTimeInMillis".to_owned(), json!(ran)),
        ("DataScannedInBytes".to_owned(), json!(execution.scanned_bytes)),
        ("TotalExecutionTimeInMillis".to_owned(), json!(queued + ran)),
        ("QueryQueueTimeInMillis".to_owned(), json!(queued)),
        ("ServicePreProcessingTimeInMillis".to_owned(), json!(0)),
        ("QueryPlanningTimeInMillis".to_owned(), json!(0)),
        ("ServiceProcessingTimeInMillis".to_owned(), json!(0)),
        ("ResultReuseInformation".to_owned(), json!({ "ReusedPreviousResult": execution.reused })),
    ]);
    if let Some(manifest) = &execution.manifest_location {
        statistics.insert("DataManifestLocation".to_owned(), json!(manifest));
    }
    let mut context = Map::new();
    if let Some(database) = &execution.database {
        context.insert("Database".to_owned(), json!(database));
    }
    let catalog = execution.catalog.clone().unwrap_or_else(|| CATALOG.to_lowercase());
    context.insert("Catalog".to_owned(), json!(catalog));
    let mut output = Map::from_iter([
        ("QueryExecutionId".to_owned(), json!(execution.id)),
        ("Query".to_owned(), json!(execution.query)),
        ("StatementType".to_owned(), json!(execution.class)),
        ("SubstatementType".to_owned(), json!(execution.substatement)),
        ("ResultConfiguration".to_owned(), json!({ "OutputLocation": execution.output_location })),
        ("ResultReuseConfiguration".to_owned(), reuse::output(execution.reuse_minutes)),
        ("QueryExecutionContext".to_owned(), Value::Object(context)),
        ("Status".to_owned(), Value::Object(status)),
        ("Statistics".to_owned(), Value::Object(statistics)),
        ("WorkGroup".to_owned(), json!(execution.workgroup)),
        ("EngineVersion".to_owned(), engine()),
    ]);
    if !execution.parameters.is_empty() {
        output.insert("ExecutionParameters".to_owned(), json!(execution.parameters));
    }
    Value::Object(output)
}
