//! The calls of Athena's API, each at the pace that its quota allows.

use aws_sdk_athena::Client;
use aws_sdk_athena::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_athena::operation::RequestId;
use aws_sdk_athena::operation::get_query_results::GetQueryResultsOutput;
use aws_sdk_athena::operation::start_query_execution::StartQueryExecutionError;
use aws_sdk_athena::types::{
    AclConfiguration, EncryptionConfiguration, EncryptionOption, QueryExecution, QueryExecutionContext,
    ResultConfiguration, ResultReuseByAgeConfiguration, ResultReuseConfiguration, S3AclOption,
    UnprocessedQueryExecutionId, WorkGroupConfiguration,
};

use super::failure;
use super::limits::{Bucket, Pauses};
use crate::aws::{self, AwsClients, Call, CallRates, CannedAcl, Encryption, S3Writes};
use crate::error::{Error, ErrorKind, Result, Retryable};

const START: Call = Call { operation: "start a query", action: "athena:StartQueryExecution" };
const STOP: Call = Call { operation: "stop a query", action: "athena:StopQueryExecution" };
const GET: Call = Call { operation: "follow a query", action: "athena:GetQueryExecution" };
const BATCH_GET: Call = Call { operation: "follow a query", action: "athena:BatchGetQueryExecution" };
const RESULTS: Call = Call { operation: "fetch a result", action: "athena:GetQueryResults" };
const STATISTICS: Call = Call { operation: "fetch a result", action: "athena:GetQueryRuntimeStatistics" };
const WORK_GROUP: Call = Call { operation: "read a workgroup", action: "athena:GetWorkGroup" };

/// How many ids `BatchGetQueryExecution` takes:
/// <https://docs.aws.amazon.com/athena/latest/APIReference/API_BatchGetQueryExecution.html>.
pub(super) const BATCH: usize = 50;

/// What a query is started with. The same token with anything else in it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) statement: String,
    pub(super) token: String,
    pub(super) catalog: Option<String>,
    pub(super) database: Option<String>,
    pub(super) workgroup: String,
    pub(super) output_location: Option<String>,
}

/// Athena, called at the pace of its quotas.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    /// Where Athena is called, for errors: the region, and the address when it is not that of AWS.
    place: Vec<(&'static str, String)>,
    writes: S3Writes,
    start: Bucket,
    stop: Bucket,
    get: Bucket,
    batch_get: Bucket,
    results: Bucket,
    statistics: Bucket,
    workgroup: Bucket,
}

/// Says where a result goes and how Athena writes it there, and what the query itself writes; none where the workgroup decides.
///
/// Athena knows no other access lists, no tags and no storage classes, and takes a key of KMS by its name only: what it has no word
/// for is as the bucket says (<https://docs.aws.amazon.com/athena/latest/APIReference/API_ResultConfiguration.html>).
fn result_configuration(output_location: Option<&str>, writes: &S3Writes) -> Result<Option<ResultConfiguration>> {
    let Some(output_location) = output_location else { return Ok(None) };
    let incomplete = |error: aws_sdk_athena::error::BuildError| unreadable(START, &error.to_string());
    let encryption = match &writes.encryption {
        Encryption::S3 => Some((EncryptionOption::SseS3, None)),
        Encryption::Kms { key: Some(key) } => Some((EncryptionOption::SseKms, Some(key.clone()))),
        Encryption::Bucket | Encryption::Kms { key: None } => None,
    };
    let encryption = encryption.map(|(option, key)| {
        EncryptionConfiguration::builder().encryption_option(option).set_kms_key(key).build().map_err(incomplete)
    });
    let acl = (writes.acl == Some(CannedAcl::BucketOwnerFullControl)).then(|| {
        AclConfiguration::builder().s3_acl_option(S3AclOption::BucketOwnerFullControl).build().map_err(incomplete)
    });
    let result = ResultConfiguration::builder()
        .output_location(output_location)
        .set_encryption_configuration(encryption.transpose()?)
        .set_acl_configuration(acl.transpose()?);
    Ok(Some(result.build()))
}

impl Api {
    pub(super) fn new(clients: &AwsClients, rates: CallRates) -> Self {
        let region = ("region", clients.region.clone());
        let endpoint = clients.athena_endpoint.clone().map(|address| ("endpoint", address));
        Self {
            client: clients.athena.clone(),
            place: std::iter::once(region).chain(endpoint).collect(),
            writes: clients.settings.writes.clone(),
            start: Bucket::new(rates.start),
            stop: Bucket::new(rates.start),
            get: Bucket::new(rates.get),
            batch_get: Bucket::new(rates.batch_get),
            results: Bucket::new(rates.get),
            statistics: Bucket::new(rates.get),
            workgroup: Bucket::new(rates.other),
        }
    }

    /// Makes the error of a call: it says where Athena was called.
    fn failed<E, R>(&self, call: Call, error: SdkError<E, R>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
        SdkError<E, R>: RequestId,
    {
        self.place.iter().fold(aws::error_of(call, error), |error, &(key, ref value)| error.with(key, value))
    }

    /// Starts a query and returns its id. While Athena has too many active queries or too many calls, it is sent again with
    /// the same token, which starts it once.
    ///
    /// # Errors
    /// `InvalidInput` when the token was used for another query, `InvalidSql` for a statement without its form.
    pub(super) async fn start(&self, start: &Start) -> Result<String> {
        let mut pauses = Pauses::new();
        loop {
            self.start.turn().await;
            let context = QueryExecutionContext::builder()
                .set_catalog(start.catalog.clone())
                .set_database(start.database.clone())
                .build();
            // A result of before is no answer: Athena does not look whether its tables have changed since
            // (<https://docs.aws.amazon.com/athena/latest/ug/reusing-query-results.html>).
            let reuse = ResultReuseByAgeConfiguration::builder().enabled(false).build();
            let sent = self
                .client
                .start_query_execution()
                .query_string(&start.statement)
                .client_request_token(&start.token)
                .query_execution_context(context)
                .set_result_configuration(result_configuration(start.output_location.as_deref(), &self.writes)?)
                .work_group(&start.workgroup)
                .result_reuse_configuration(
                    ResultReuseConfiguration::builder().result_reuse_by_age_configuration(reuse).build(),
                )
                .send()
                .await;
            let error = match sent {
                Ok(started) => {
                    return started
                        .query_execution_id
                        .ok_or_else(|| unreadable(START, "the id of the query is missing"));
                }
                Err(error) => error,
            };
            let refusal = refusal(&error);
            let error = self.failed(START, error).with("workgroup", &start.workgroup);
            match refusal {
                Some(Refusal::OtherRequest) => {
                    return Err(Error { kind: ErrorKind::InvalidInput, ..error });
                }
                Some(Refusal::Malformed(message)) => return Err(failure::of_malformed(&message).source(error)),
                None if error.retryable == Retryable::Yes => {
                    tracing::info!(%error, "Athena does not take the query yet: it is sent again");
                    pauses.wait().await;
                }
                None => return Err(error),
            }
        }
    }

    /// Asks for a query; none when Athena does not know it.
    pub(super) async fn get(&self, id: &str) -> Result<Option<QueryExecution>> {
        self.get.turn().await;
        match self.client.get_query_execution().query_execution_id(id).send().await {
            Ok(answer) => {
                let execution = answer.query_execution;
                execution.map(Some).ok_or_else(|| unreadable(GET, "the query is missing"))
            }
            Err(error) => {
                let error = self.failed(GET, error).with("query", id);
                // Athena has no code of its own for it: "QueryExecution … was not found".
                if error.kind == ErrorKind::InvalidInput { Ok(None) } else { Err(error) }
            }
        }
    }

    /// Asks for up to [`BATCH`] queries; those that Athena did not answer for come second.
    pub(super) async fn batch_get(
        &self,
        ids: &[String],
    ) -> Result<(Vec<QueryExecution>, Vec<UnprocessedQueryExecutionId>)> {
        self.batch_get.turn().await;
        let call = self.client.batch_get_query_execution().set_query_execution_ids(Some(ids.to_vec()));
        let answer = call.send().await.map_err(|error| self.failed(BATCH_GET, error))?;
        Ok((answer.query_executions.unwrap_or_default(), answer.unprocessed_query_execution_ids.unwrap_or_default()))
    }

    /// Asks Athena to stop a query; it does so after a while. One that has ended stays as it is.
    pub(super) async fn stop(&self, id: &str) -> Result<()> {
        self.stop.turn().await;
        let call = self.client.stop_query_execution().query_execution_id(id);
        call.send().await.map(|_stopped| ()).map_err(|error| self.failed(STOP, error).with("query", id))
    }

    /// Fetches a page of a result.
    pub(super) async fn results(&self, id: &str, next: Option<String>) -> Result<GetQueryResultsOutput> {
        self.results.turn().await;
        let call = self.client.get_query_results().query_execution_id(id).set_next_token(next);
        call.send().await.map_err(|error| self.failed(RESULTS, error).with("query", id))
    }

    /// Asks how many rows an ended query gave; none when Athena does not say.
    pub(super) async fn output_rows(&self, id: &str) -> Result<Option<u64>> {
        self.statistics.turn().await;
        let call = self.client.get_query_runtime_statistics().query_execution_id(id);
        let answer = call.send().await.map_err(|error| self.failed(STATISTICS, error).with("query", id))?;
        let rows = answer.query_runtime_statistics.and_then(|statistics| statistics.rows);
        Ok(rows.and_then(|rows| rows.output_rows).and_then(|rows| u64::try_from(rows).ok()))
    }

    /// Returns how a workgroup is set up.
    pub(super) async fn workgroup(&self, name: &str) -> Result<WorkGroupConfiguration> {
        self.workgroup.turn().await;
        let call = self.client.get_work_group().work_group(name);
        let answer = call.send().await.map_err(|error| {
            let error = self.failed(WORK_GROUP, error).with("workgroup", name);
            match error.kind {
                ErrorKind::InvalidInput | ErrorKind::NotFound => {
                    error.help("name one that is there with `workgroup:`, or leave it out for `primary`")
                }
                _ => error,
            }
        })?;
        let configuration = answer.work_group.and_then(|group| group.configuration);
        configuration.ok_or_else(|| unreadable(WORK_GROUP, "the workgroup's configuration is missing"))
    }
}

/// Why Athena refuses to start a query for good.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// The token was used for another query.
    OtherRequest,
    /// The statement has no form: why.
    Malformed(String),
}

/// Reads the code inside an `InvalidRequestException`; the mismatch is also known by its text
/// (<https://github.com/DyfanJones/noctua/issues/104>).
fn refusal<R>(error: &SdkError<StartQueryExecutionError, R>) -> Option<Refusal> {
    let StartQueryExecutionError::InvalidRequestException(invalid) = error.as_service_error()? else { return None };
    let message = invalid.message.as_deref().unwrap_or_default();
    match invalid.athena_error_code.as_deref() {
        Some("IDEMPOTENT_PARAMETER_MISMATCH") => Some(Refusal::OtherRequest),
        _ if message.contains("Idempotent parameters do not match") => Some(Refusal::OtherRequest),
        Some("MALFORMED_QUERY") => Some(Refusal::Malformed(message.to_owned())),
        _ => None,
    }
}

fn unreadable(call: Call, what: &str) -> Error {
    Error::new(ErrorKind::External, call.operation, format!("AWS answered something that cannot be read: {what}"))
        .retryable()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn athena_writes_as_s3_is_to_keep_it() {
        let kms = |key: Option<&str>| Encryption::Kms { key: key.map(str::to_owned) };
        for (encryption, acl, option, key) in [
            (Encryption::Bucket, None, None, None),
            (Encryption::S3, Some(CannedAcl::Private), Some(EncryptionOption::SseS3), None),
            (kms(Some("k")), Some(CannedAcl::BucketOwnerFullControl), Some(EncryptionOption::SseKms), Some("k")),
            (kms(None), None, None, None),
        ] {
            let is_full_control = acl == Some(CannedAcl::BucketOwnerFullControl);
            let writes = S3Writes { encryption, acl, ..S3Writes::default() };
            let result = result_configuration(Some("s3://b/r/"), &writes).unwrap().unwrap();
            assert_eq!(result.output_location.as_deref(), Some("s3://b/r/"));
            let encryption = result.encryption_configuration.as_ref();
            assert_eq!(encryption.map(|found| found.encryption_option.clone()), option);
            assert_eq!(encryption.and_then(|found| found.kms_key.as_deref()), key);
            assert_eq!(result.acl_configuration.is_some(), is_full_control);
            assert!(result_configuration(None, &writes).unwrap().is_none());
        }
    }
}
