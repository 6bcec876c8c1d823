//! The embedded lake as a whole: a folder, a catalog in it, and a query engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use crate::catalog::{Catalog, SqliteCatalog};
use crate::clock::{Clock, SystemClock};
use crate::crash::CrashPoints;
use crate::error::Result;
use crate::publish::Versions;
use crate::query::{EmbeddedEngine, QueryEngine};
use crate::storage::Storage;
use crate::temporary::TemporaryFolder;

/// How long a version that was replaced is kept: queries that started before the change still read it, and an undo wants it.
const DEFAULT_RETENTION: Duration = Duration::from_hours(24);

/// How long results of queries are kept that were asked to be kept: Athena's own history is 45 days.
const DEFAULT_RESULT_RETENTION: Duration = Duration::from_hours(45 * 24);

/// How much memory queries and loads may use together.
const DEFAULT_MEMORY_LIMIT: usize = 1 << 30;

/// What a lake is opened with.
#[derive(Debug, Clone)]
pub struct LakeSettings {
    /// The folder of the state: `catalog.sqlite`, `tmp/`. Default of the product: `.suiro`.
    pub state_dir: PathBuf,
    /// The folder of the data: `s3://bucket/key` is `WAREHOUSE/s3/bucket/key`.
    pub warehouse: PathBuf,
    /// How many bytes queries may hold in memory before they spill to `STATE_DIR/tmp`.
    pub memory_limit: usize,
    /// How long a replaced version is kept.
    pub retention: Duration,
    /// How long kept results of queries are there.
    pub result_retention: Duration,
    /// How many parts of a query run at a time; none for as many as there are processors.
    pub parallelism: Option<usize>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where tests stop the process.
    pub crash_points: CrashPoints,
}

impl LakeSettings {
    /// Makes settings with the defaults: 1 GiB of memory, retentions of 24 hours for versions and 45 days for results,
    /// the system's clock.
    pub fn new(state_dir: impl Into<PathBuf>, warehouse: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            warehouse: warehouse.into(),
            memory_limit: DEFAULT_MEMORY_LIMIT,
            retention: DEFAULT_RETENTION,
            result_retention: DEFAULT_RESULT_RETENTION,
            parallelism: None,
            clock: Arc::new(SystemClock),
            crash_points: CrashPoints::default(),
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
    /// The time of the last plan of a publish, in milliseconds since 1970: no two plans of a process have the same.
    pub(crate) last_plan_ms: Arc<AtomicI64>,
}

impl Lake {
    /// Opens a lake; makes its folders and its catalog when they are not there.
    ///
    /// # Errors
    /// `PermissionDenied`, `ResourcesExhausted` or `External` with the path; `InvalidData` for a catalog that is damaged or
    /// of a newer suiro.
    pub async fn open(settings: LakeSettings) -> Result<Self> {
        let points = &settings.crash_points;
        let storage = points.around("lake: make the warehouse", Storage::open(&settings.warehouse)).await?;
        let catalog_file = settings.state_dir.join(crate::sqlite::FILE);
        let pool = points.around("lake: open the catalog", crate::sqlite::open(&catalog_file)).await?;
        let opened = SqliteCatalog::open(pool.clone(), Arc::clone(&settings.clock));
        let catalog: Arc<dyn Catalog> = Arc::new(points.around("lake: make the default database", opened).await?);
        let temporary = points.around_now("lake: make the folder of temporary files", || {
            TemporaryFolder::open(&settings.state_dir.join("tmp"))
        })?;
        let engine = EmbeddedEngine::open(
            storage.clone(),
            Arc::clone(&catalog),
            Arc::clone(&settings.clock),
            temporary,
            settings.memory_limit,
            settings.parallelism,
            settings.crash_points.clone(),
        )?;
        let versions = Versions::new(pool, Arc::clone(&settings.clock));
        Ok(Self { settings, storage, catalog, engine: Arc::new(engine), versions, last_plan_ms: Arc::default() })
    }

    /// Removes the temporary files of processes that are gone, without opening the lake: for a run that does not need it.
    pub fn remove_left_over(settings: &LakeSettings) {
        TemporaryFolder::remove_left_over(&settings.state_dir.join("tmp"));
    }
}
