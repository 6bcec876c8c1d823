//! A lake as a whole: storage, a catalog, and a query engine; in a folder, or on AWS.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use sqlx::sqlite::SqlitePool;

use crate::aws::{AwsClients, AwsSettings, EngineKind, Reach};
use crate::catalog::{ATHENA_CATALOG, AwsCatalog, Catalog, SqliteCatalog, View, ViewColumn};
use crate::clock::{Clock, SystemClock};
use crate::crash::CrashPoints;
use crate::error::Result;
use crate::name::Location;
use crate::notice::{Deaf, Listener};
use crate::publish::partitioned::PARTITIONS;
use crate::publish::{Elsewhere, Leases, Versions};
use crate::query::{AthenaEngine, EmbeddedEngine, QueryEngine, TrinoEngine};
use crate::storage::Storage;
use crate::temporary::TemporaryFolder;

/// How long a version that was replaced is kept: queries that started before the change still read it, and an undo wants it.
const DEFAULT_RETENTION: Duration = Duration::from_hours(24);

/// How long results of queries are kept that were asked to be kept: Athena's own history is 45 days.
const DEFAULT_RESULT_RETENTION: Duration = Duration::from_hours(45 * 24);

/// How much memory queries and loads may use together.
const DEFAULT_MEMORY_LIMIT: usize = 1 << 30;

/// Below the warehouse on S3: results of queries that are kept.
const RESULTS: &str = "suiro-results/";

/// Where the data and the catalog are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a folder, with a catalog of its own.
    Folder {
        /// The folder of the data: `s3://bucket/key` is `WAREHOUSE/s3/bucket/key`.
        warehouse: PathBuf,
    },
    /// On S3 and in Glue.
    Aws(Box<AwsSettings>),
}

/// What a lake is opened with.
#[derive(Debug, Clone)]
pub struct LakeSettings {
    /// The folder of the state: `catalog.sqlite`, `tmp/`. Default of the product: `.suiro`.
    pub state_dir: PathBuf,
    /// Where the data and the catalog are.
    pub place: Place,
    /// How many bytes queries may hold in memory before they spill to `STATE_DIR/tmp`.
    pub memory_limit: usize,
    /// How long a replaced version is kept.
    pub retention: Duration,
    /// How long kept results of queries are there.
    pub result_retention: Duration,
    /// How many partitions one query writes at most; a table of more is written by several.
    pub max_partitions: usize,
    /// How many parts of a query run at a time; none for as many as there are processors.
    pub parallelism: Option<usize>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The names of buckets of a folder that stay when their last object goes, a file each: then a table in a bucket that is
    /// neither here nor in the folder cannot be read. None: a bucket is made by its first object, and one that is missing is empty.
    pub bucket_names: Option<PathBuf>,
    /// Where tests stop the process.
    pub crash_points: CrashPoints,
    /// Who is told why something takes longer than it should; nobody by default.
    pub listener: Arc<dyn Listener>,
}

impl LakeSettings {
    /// Makes settings of a lake in a folder with the defaults: 1 GiB of memory, retentions of 24 hours for versions and 45
    /// days for results, 100 partitions of a query, the system's clock.
    pub fn new(state_dir: impl Into<PathBuf>, warehouse: impl Into<PathBuf>) -> Self {
        Self::at(state_dir, Place::Folder { warehouse: warehouse.into() })
    }

    /// Makes settings of a lake on AWS, with the same defaults. What the catalog does not hold (the ledger of versions) is in
    /// the folder of the state: it belongs to this lake alone.
    pub fn aws(state_dir: impl Into<PathBuf>, settings: AwsSettings) -> Self {
        Self::at(state_dir, Place::Aws(Box::new(settings)))
    }

    /// Tells whether queries run in this process, by the engine that knows no more SQL than our own analyzer. Athena and Trino
    /// know more.
    pub fn queries_here(&self) -> bool {
        match &self.place {
            Place::Folder { .. } => true,
            Place::Aws(aws) => aws.engine == EngineKind::Embedded,
        }
    }

    fn at(state_dir: impl Into<PathBuf>, place: Place) -> Self {
        Self {
            state_dir: state_dir.into(),
            place,
            memory_limit: DEFAULT_MEMORY_LIMIT,
            retention: DEFAULT_RETENTION,
            result_retention: DEFAULT_RESULT_RETENTION,
            max_partitions: PARTITIONS,
            parallelism: None,
            bucket_names: None,
            clock: Arc::new(SystemClock),
            crash_points: CrashPoints::default(),
            listener: Arc::new(Deaf),
        }
    }
}

/// A lake: its storage, its catalog, what publishing wrote, and its query engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lake {
    /// What it was opened with.
    pub settings: LakeSettings,
    /// The objects.
    pub storage: Storage,
    /// The tables.
    pub catalog: Arc<dyn Catalog>,
    /// The query engine.
    pub engine: Arc<dyn QueryEngine>,
    /// The versions of tables and partitions that publishing wrote.
    pub versions: Versions,
    /// Who may publish what, when writers are on several machines.
    pub(crate) leases: Leases,
    /// What other databases point to, as it was found a while ago.
    pub(crate) elsewhere: Arc<Elsewhere>,
    /// The time of the last plan of a publish, in milliseconds since 1970: no two plans of a process have the same.
    pub(crate) last_plan_ms: Arc<AtomicI64>,
}

impl Lake {
    /// Opens a lake; makes its folders, and the catalog of one in a folder, when they are not there. On AWS it must be called
    /// on the runtime that lives longest: requests to S3 are made there.
    ///
    /// # Errors
    /// `PermissionDenied`, `ResourcesExhausted` or `External` with the path; `InvalidData` for a catalog that is damaged or
    /// of a newer suiro; on AWS as [`AwsClients::open_heard`].
    pub async fn open(settings: LakeSettings) -> Result<Self> {
        let points = settings.crash_points.clone();
        let open_pool = || async {
            let file = settings.state_dir.join(crate::sqlite::FILE);
            points.around("lake: open the catalog", crate::sqlite::open(&file)).await
        };
        let open_temporary = || {
            points.around_now("lake: make the folder of temporary files", || {
                TemporaryFolder::open(&settings.state_dir.join("tmp"))
            })
        };
        // First what may be refused, so that nothing is made for a lake that cannot be opened.
        match &settings.place {
            Place::Folder { warehouse } => {
                let storage = points.around("lake: make the warehouse", Storage::open(warehouse)).await?;
                let storage = storage.with_bucket_names(settings.bucket_names.clone());
                let pool = open_pool().await?;
                let opened = SqliteCatalog::open(pool.clone(), Arc::clone(&settings.clock));
                let catalog = Arc::new(points.around("lake: make the default database", opened).await?);
                let temporary = open_temporary()?;
                Self::in_folder(settings, storage, pool, catalog, temporary)
            }
            Place::Aws(aws) => {
                let clients =
                    Box::pin(AwsClients::open_heard(aws, Arc::clone(&settings.clock), &settings.listener)).await?;
                let (pool, temporary) = (open_pool().await?, open_temporary()?);
                Self::on_aws(settings, &clients, pool, temporary)
            }
        }
    }

    /// Puts the parts of a lake in a folder together.
    pub(crate) fn in_folder(
        settings: LakeSettings,
        storage: Storage,
        pool: SqlitePool,
        catalog: Arc<dyn Catalog>,
        temporary: TemporaryFolder,
    ) -> Result<Self> {
        let engine = Arc::new(embedded_engine(&settings, &storage, &catalog, temporary)?);
        Ok(Self::of(settings, storage, pool, catalog, engine, Leases::none()))
    }

    /// Puts the parts of a lake on AWS together; `pool` is the ledger of versions.
    pub(crate) fn on_aws(
        settings: LakeSettings,
        clients: &AwsClients,
        pool: SqlitePool,
        temporary: TemporaryFolder,
    ) -> Result<Self> {
        let (clock, points) = (Arc::clone(&settings.clock), settings.crash_points.clone());
        let results = clients.settings.warehouse.as_ref().map(|warehouse| warehouse.join(RESULTS)).transpose()?;
        let storage = Storage::open_s3(clients, results, Arc::clone(&clock))?;
        let listener = Arc::clone(&settings.listener);
        let leases = Leases::on(storage.clone(), Arc::clone(&clock), points.clone(), listener);
        let catalog: Arc<dyn Catalog> = Arc::new(AwsCatalog::new(clients, Arc::clone(&clock), points.clone()));
        let embedded = embedded_engine(&settings, &storage, &catalog, temporary)?;
        let parts = (storage.clone(), Arc::clone(&catalog));
        let engine: Arc<dyn QueryEngine> = match &clients.settings.engine {
            EngineKind::Athena => Arc::new(AthenaEngine::open(clients, parts.0, parts.1, clock, embedded, points)),
            EngineKind::Trino(trino) => {
                let trino = (**trino).clone();
                let reach = Reach::of("Trino", &trino.url, Arc::clone(&settings.listener));
                Arc::new(TrinoEngine::open(trino, reach, parts.0, parts.1, clock, embedded, points)?)
            }
            EngineKind::Embedded => Arc::new(embedded),
        };
        Ok(Self::of(settings, storage, pool, catalog, engine, leases))
    }

    fn of(
        settings: LakeSettings,
        storage: Storage,
        pool: SqlitePool,
        catalog: Arc<dyn Catalog>,
        engine: Arc<dyn QueryEngine>,
        leases: Leases,
    ) -> Self {
        let versions = Versions::new(pool, Arc::clone(&settings.clock));
        let elsewhere = Arc::default();
        Self { settings, storage, catalog, engine, versions, leases, elsewhere, last_plan_ms: Arc::default() }
    }

    /// Removes the temporary files of processes that are gone, without opening the lake: for a run that does not need it.
    pub fn remove_left_over(settings: &LakeSettings) {
        TemporaryFolder::remove_left_over(&settings.state_dir.join("tmp"));
    }

    /// Makes a view over tables that are named with their databases, for the query engine of this lake.
    pub fn view(&self, sql: String, columns: Vec<ViewColumn>, comment: &str) -> View {
        let (catalog, as_invoker) = match &self.settings.place {
            Place::Aws(aws) => match &aws.engine {
                EngineKind::Trino(trino) => (Some(trino.catalog.as_str()), true),
                EngineKind::Athena | EngineKind::Embedded => (aws.athena.data_catalog.as_deref(), false),
            },
            Place::Folder { .. } => (None, false),
        };
        let catalog = catalog.unwrap_or(ATHENA_CATALOG).to_owned();
        View { sql, catalog, database: None, columns, comment: Some(comment.to_owned()), as_invoker }
    }

    /// Returns the prefix of all tables whose database has no location.
    pub(crate) fn warehouse(&self) -> Result<Option<Location>> {
        match &self.settings.place {
            Place::Folder { .. } => Location::parse("s3://warehouse/").map(Some),
            Place::Aws(aws) => Ok(aws.warehouse.as_ref().map(Location::as_prefix)),
        }
    }
}

/// Opens the engine that runs queries in this process.
fn embedded_engine(
    settings: &LakeSettings,
    storage: &Storage,
    catalog: &Arc<dyn Catalog>,
    temporary: TemporaryFolder,
) -> Result<EmbeddedEngine> {
    EmbeddedEngine::open(storage.clone(), Arc::clone(catalog), temporary, settings)
}
