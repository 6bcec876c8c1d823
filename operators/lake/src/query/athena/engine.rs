//! What the engine is made of: starting a query once, following it, and what is kept of one that has ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_athena::types::QueryExecution;
use indexmap::{IndexMap, IndexSet};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use super::allowance::Allowance;
use super::api::{Api, Start};
use super::limits::Places;
use super::place::WorkGroups;
use super::poller::{self, Poller, Seen};
use super::record::StatementRecord;
use super::result::FirstPage;
use super::rewrite::{DEFAULT_DATABASE, Rewritten};
use super::statement::{Class, LINES_BEFORE, create_table, unload};
use super::temporary::{self, TemporaryTables, WithTables};
use super::{EndedWell, failure, stats, written};
use crate::aws::{AthenaSettings, AwsClients};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::crash::CrashPoints;
use crate::error::{Error, ErrorKind, Result};
use crate::publish::Layout;
use crate::publish::version::hex;
use crate::query::{Destination, EmbeddedEngine, Left, Query, QueryId, QueryStats};
use crate::sql::without_semicolon;
use crate::storage::Storage;

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) api: Arc<Api>,
    pub(super) poller: Arc<Poller>,
    pub(super) storage: Storage,
    pub(super) analyzer: EmbeddedEngine,
    clock: Arc<dyn Clock>,
    settings: AthenaSettings,
    /// The options of a command line that lead to where Athena is called.
    command_options: String,
    /// The catalog's name in the context of queries; none for Athena's default.
    catalog: Option<String>,
    places: Places,
    workgroups: WorkGroups,
    temporary: TemporaryTables,
    crash_points: CrashPoints,
    known: Mutex<Known>,
}

/// What this process knows of queries besides what Athena says.
#[derive(Debug, Default)]
struct Known {
    /// The queries that were started here, by token.
    started: IndexMap<String, Started>,
    /// What is kept of those that ended well, by id.
    ended: IndexMap<String, Arc<OnceCell<Arc<EndedWell>>>>,
    /// Those whose temporary tables are gone, by id.
    cleared: IndexSet<String>,
    /// Those that were told to stop, by id.
    stopped: IndexSet<String>,
}

/// How many queries are remembered; what is known of older ones is asked for again.
const REMEMBERED: usize = 1000;

impl Known {
    /// Forgets the oldest.
    fn forget(&mut self) {
        while self.started.len() > REMEMBERED {
            self.started.shift_remove_index(0);
        }
        while self.ended.len() > REMEMBERED {
            self.ended.shift_remove_index(0);
        }
        for ids in [&mut self.cleared, &mut self.stopped] {
            while ids.len() > REMEMBERED {
                ids.shift_remove_index(0);
            }
        }
    }
}

#[derive(Debug)]
struct Started {
    id: String,
    query: Query,
    rewritten: Rewritten,
}

impl Inner {
    pub(super) fn open(
        clients: &AwsClients,
        storage: Storage,
        catalog: Arc<dyn Catalog>,
        clock: Arc<dyn Clock>,
        analyzer: EmbeddedEngine,
        crash_points: CrashPoints,
    ) -> Arc<Self> {
        let settings = clients.settings.athena.clone();
        let api = Arc::new(Api::new(clients, settings.rates));
        Arc::new(Self {
            poller: Poller::new(Arc::clone(&api)),
            api,
            storage,
            analyzer,
            command_options: command_options(clients),
            catalog: catalog_name(clients),
            places: Places::new(settings.dml_queries, settings.ddl_queries),
            workgroups: WorkGroups::default(),
            temporary: TemporaryTables::new(catalog, Arc::clone(&clock), crash_points.clone()),
            clock,
            settings,
            crash_points,
            known: Mutex::default(),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a query, once for a token.
    pub(super) async fn started(&self, query: &Query) -> Result<QueryId> {
        if let Some(started) = self.known().started.get(&query.token) {
            if started.query.is_same_request(query) {
                return Ok(QueryId(started.id.clone()));
            }
            let message = format!("the token `{}` was used for another query", query.token);
            return Err(Error::new(ErrorKind::InvalidInput, "start a query", message));
        }
        let with = WithTables::of(query)?;
        let sql = &with.rewritten.sql;
        let mut temporary = with.names();
        let statement = match &query.destination {
            Destination::Fetch | Destination::Keep => without_semicolon(sql).to_owned(),
            Destination::Objects { prefix, layout: Layout { format, buckets: None }, partition_by } => {
                unload(sql, prefix, *format, partition_by)
            }
            Destination::Objects { prefix, layout: Layout { format, buckets: Some(buckets) }, partition_by } => {
                let database = query.database.as_deref().unwrap_or(DEFAULT_DATABASE);
                let through = temporary::written_through(database, &query.token)?;
                let statement = create_table(&through, sql, prefix, (*format, buckets), partition_by);
                temporary.push(through);
                statement
            }
        };
        let writes = matches!(query.destination, Destination::Objects { .. });
        let class = if writes { Class::Dml } else { Class::of(&statement) };
        let statement = match class {
            Class::Dml => StatementRecord::of(query, temporary.clone()).put(&statement)?,
            Class::Ddl => statement,
        };
        let workgroup = query.options.workgroup.as_deref().unwrap_or(self.settings.workgroup());
        let named = query.options.output_location.as_ref().or(self.settings.output_location.as_ref());
        let output_location = self.workgroups.place(&self.api, workgroup, named).await?;
        let start = Start {
            statement,
            token: request_token(&query.token),
            catalog: self.catalog.clone(),
            database: query.database.clone(),
            workgroup: workgroup.to_owned(),
            output_location: output_location.map(|location| location.to_string()),
        };
        let place = self.places.take(class).await?;
        self.temporary.make(&with).await?;
        if let Destination::Objects { layout: Layout { buckets: Some(_), .. }, .. } = &query.destination {
            self.temporary.make_databases(&temporary).await?;
        }
        let sent = self.crash_points.around("aws: start the query", self.api.start(&start)).await;
        let id = match sent {
            Ok(id) => id,
            // A stop: Athena may have the query, which reads them.
            Err(error) if error.kind == ErrorKind::Canceled => return Err(error),
            Err(error) => {
                // Athena took no query that would have them dropped at its end.
                self.temporary.drop(&temporary).await?;
                let lines = if writes { LINES_BEFORE } else { 0 };
                let place = |(line, column): (u32, u32)| (line.saturating_sub(lines).max(1), column);
                let position = error.position.map(|position| with.rewritten.place_before(place(position)));
                return Err(Error { position, ..error });
            }
        };
        self.poller.follow(&id, place);
        let started = Started { id: id.clone(), query: query.clone(), rewritten: with.rewritten };
        let mut known = self.known();
        known.started.insert(query.token.clone(), started);
        known.forget();
        Ok(QueryId(id))
    }

    /// Asks Athena to stop a query.
    pub(super) async fn stop(&self, id: &str) -> Result<()> {
        self.crash_points.around("aws: stop the query", self.api.stop(id)).await?;
        self.known().stopped.insert(id.to_owned());
        self.poller.hurry(id);
        Ok(())
    }

    /// Waits for the end of a query, and holds it to its limits meanwhile.
    pub(super) async fn ended(&self, id: &str) -> Result<Seen> {
        let mut seen = self.poller.look(id).await?;
        loop {
            match &seen {
                Seen::Execution(execution) if !poller::has_ended(execution) => self.hold_to_limits(execution).await?,
                _ => return Ok(seen),
            }
            seen = self.poller.next_look(id).await?;
        }
    }

    /// Returns what is kept of a query that ended well: found out once.
    pub(super) async fn ended_well(&self, execution: &QueryExecution) -> Result<Arc<EndedWell>> {
        let id = execution.query_execution_id.clone().unwrap_or_default();
        let cell = Arc::clone(self.known().ended.entry(id).or_default());
        let found = cell.get_or_try_init(|| async { self.look_at_result(execution).await.map(Arc::new) });
        found.await.map(Arc::clone)
    }

    async fn look_at_result(&self, execution: &QueryExecution) -> Result<EndedWell> {
        let record = StatementRecord::read(execution.query.as_deref().unwrap_or_default());
        let figures = self.progress(execution);
        let ended = if record.unload.is_some() {
            let manifest = execution.statistics.as_ref().and_then(|figures| figures.data_manifest_location.as_deref());
            let objects = written::objects(&self.storage, &record, manifest).await?;
            let stats = QueryStats {
                rows: objects.iter().map(|object| object.rows).sum(),
                written_bytes: objects.iter().map(|object| object.bytes).sum(),
                objects,
                output: None,
                ..figures
            };
            EndedWell { stats, first_page: None }
        } else {
            let page = FirstPage::fetch(&self.api, execution).await?;
            let rows = page.count(&self.api, &self.storage, execution).await?;
            EndedWell { stats: QueryStats { rows, ..figures }, first_page: Some(page) }
        };
        self.clear(execution).await?;
        Ok(ended)
    }

    /// Drops what belongs to a query that has ended.
    ///
    /// # Errors
    /// Those of crash points alone: what cannot be dropped is swept later.
    pub(super) async fn clear(&self, execution: &QueryExecution) -> Result<()> {
        let record = StatementRecord::read(execution.query.as_deref().unwrap_or_default());
        let id = execution.query_execution_id.clone().unwrap_or_default();
        if record.temporary.is_empty() || self.known().cleared.contains(&id) {
            return Ok(());
        }
        self.temporary.drop(&record.temporary).await?;
        self.known().cleared.insert(id);
        Ok(())
    }

    /// Returns the figures of a query.
    pub(super) fn progress(&self, execution: &QueryExecution) -> QueryStats {
        stats::of(execution, &self.settings)
    }

    /// Makes the error of a query that failed, with its place in the user's text.
    pub(super) fn failure(&self, execution: &QueryExecution) -> Error {
        let mut error = failure::of(execution);
        let record = StatementRecord::read(execution.query.as_deref().unwrap_or_default());
        if !record.temporary.is_empty() {
            let known = self.known();
            let id = execution.query_execution_id.as_deref();
            let started = known.started.values().find(|started| Some(started.id.as_str()) == id);
            // Where the names of tables were replaced by another process, only that one knew where.
            error.position = match (error.position, started) {
                (Some(place), Some(started)) => Some(started.rewritten.place_before(place)),
                _ => None,
            };
        }
        error
    }

    /// Stops a query that is over one of its limits.
    pub(super) async fn hold_to_limits(&self, execution: &QueryExecution) -> Result<()> {
        let Some(error) = self.over_limit(execution) else { return Ok(()) };
        let id = execution.query_execution_id.as_deref().unwrap_or_default();
        if self.known().stopped.contains(id) {
            return Ok(());
        }
        tracing::info!(%error, id, "the query is stopped");
        self.stop(id).await
    }

    /// Says which limit stopped a query, if one did.
    pub(super) fn stopped_by_a_limit(&self, execution: &QueryExecution) -> Option<Error> {
        let reason =
            execution.status.as_ref().and_then(|status| status.state_change_reason.as_deref()).unwrap_or_default();
        // The words of a workgroup's own limit: <https://docs.aws.amazon.com/athena/latest/ug/workgroups-setting-control-limits-cloudwatch.html>.
        if reason.contains("Bytes scanned limit was exceeded") {
            let made = Error::new(ErrorKind::ResourcesExhausted, "run a query", reason.trim());
            return Some(made.help("let the query read less, or ask for a higher limit of the workgroup"));
        }
        self.over_limit(execution)
    }

    /// Tells which limit a query is over.
    fn over_limit(&self, execution: &QueryExecution) -> Option<Error> {
        let options = StatementRecord::read(execution.query.as_deref().unwrap_or_default()).options;
        Allowance::of(&options, &self.settings).exceeded(execution, self.clock.now().as_millisecond())
    }

    /// Says what becomes of a query when this process goes away. Nothing is sent: whoever comes next finds it by its id.
    pub(super) fn left(&self, id: &str) -> Left {
        if self.poller.is_known_to_have_ended(id) {
            return Left::Ends;
        }
        let options = &self.command_options;
        Left::GoesOn { stopped_by: format!("aws athena stop-query-execution --query-execution-id {id}{options}") }
    }

    /// Forgets an ended query.
    pub(super) fn release(&self, id: &str) {
        self.poller.release(id);
        let mut known = self.known();
        known.ended.shift_remove(id);
        known.stopped.shift_remove(id);
        known.started.retain(|_, started| started.id != id);
    }
}

fn command_options(clients: &AwsClients) -> String {
    let region = format!(" --region {}", clients.region);
    let endpoint = clients.athena_endpoint.as_ref().map(|address| format!(" --endpoint-url {address}"));
    region + &endpoint.unwrap_or_default()
}

/// Returns the name of the catalog in the context of queries: as the settings say, else that of the account whose Glue catalog
/// is used (<https://docs.aws.amazon.com/athena/latest/ug/security-iam-cross-account-glue-catalog-access.html>).
fn catalog_name(clients: &AwsClients) -> Option<String> {
    let account = || {
        let account = clients.settings.catalog_id.as_ref()?;
        Some(format!("glue:arn:aws:glue:{}:{account}:catalog", clients.region))
    };
    clients.settings.athena.data_catalog.clone().or_else(account)
}

/// Makes the `ClientRequestToken` of a query: 32 to 128 characters
/// (<https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html>), the same for the same token.
fn request_token(token: &str) -> String {
    format!("suiro-{}", hex(&Sha256::digest(token.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_token_has_the_length_that_athena_wants() {
        for token in ["", "x", &"long".repeat(100)] {
            assert_eq!(request_token(token).len(), 70, "{token}");
        }
        assert_eq!(request_token("a"), request_token("a"));
        assert_ne!(request_token("a"), request_token("b"));
    }
}
