//! The Athena, Glue and S3 APIs served over an embedded lake, for any AWS client: one address, real SQL, no account.
//!
//! It knows the lake and nothing above it. [`Emulator::new`] takes a lake, [`Emulator::serve`] answers on a listener.

mod athena;
mod auth;
mod body;
mod error;
pub mod fault;
mod glue;
mod json;
pub mod rate;
mod s3;
mod server;
mod sts;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lake::Lake;
use lake::catalog::SqliteCatalog;
use tokio::net::TcpListener;

pub use athena::Quotas;
pub use auth::{Credentials, SecretKey};
pub use fault::FaultPlan;
pub use rate::CallQuotas;

/// The account whose catalog and buckets these are, as far as clients ask.
pub(crate) const ACCOUNT: &str = "000000000000";

/// What the endpoint is started with.
#[derive(Debug, Clone, Default)]
pub struct EmulatorSettings {
    /// The keys that requests must be signed with; without them everybody may call.
    pub credentials: Option<Credentials>,
    /// What goes wrong on purpose.
    pub faults: FaultPlan,
    /// The region, as far as answers name one.
    pub region: String,
    /// How many of Athena's queries may be active at a time.
    pub quotas: Quotas,
    /// How often calls may be made; as often as one likes unless given.
    pub call_quotas: CallQuotas,
}

/// Returns where the endpoint keeps the names of buckets, for [`lake::LakeSettings::bucket_names`]: with them a query fails whose table
/// is in a bucket that nobody made.
pub fn bucket_names(state_dir: &Path) -> PathBuf {
    s3::bucket_names(state_dir)
}

/// The services over one lake.
#[derive(Debug, Clone)]
pub struct Emulator {
    services: Arc<server::Services>,
}

impl Emulator {
    /// Makes the services of a lake.
    ///
    /// # Errors
    /// As [`Lake::open`]: the catalog or the folder of the state cannot be opened.
    pub async fn new(lake: Lake, settings: EmulatorSettings) -> lake::Result<Self> {
        let clock = Arc::clone(&lake.settings.clock);
        let catalog = Arc::new(SqliteCatalog::open_in(&lake.settings.state_dir, Arc::clone(&clock)).await?);
        let services = server::Services::new(lake, catalog, settings, clock).await?;
        Ok(Self { services: Arc::new(services) })
    }

    /// Answers requests on a listener until `shutdown` is done; then those under way are answered, and no more are taken.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) -> std::io::Result<()> {
        server::serve(self.services, listener, shutdown).await
    }
}
