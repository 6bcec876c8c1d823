//! The stores that a file of tiers names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lake::aws::AwsSettings;
use lake::{Error, ErrorKind, Lake, Place, Result, Secret};
use metrics::config::{DynamodbTier, Period, TierConfig, TiersConfig};
use metrics::store::{DynamoDbSettings, DynamoDbStore, KeyTemplate, RedisSettings, RedisStore};
use metrics::{EmbeddedStores, PointStore, StoreOpener, Tier};

/// The addresses of Redis by tier, with the secrets in them.
pub(super) type Addresses = BTreeMap<String, Secret>;

/// Opens stores as their tiers say.
#[derive(Debug)]
pub(super) struct ConfiguredStores {
    embedded: EmbeddedStores,
    config: TiersConfig,
    addresses: Addresses,
    lake: Lake,
}

impl ConfiguredStores {
    pub(super) fn new(lake: &Lake, config: &TiersConfig, addresses: Addresses) -> Self {
        let settings = &lake.settings;
        let folder = settings.state_dir.join("metrics");
        Self {
            embedded: EmbeddedStores { folder, crash_points: settings.crash_points.clone() },
            config: config.clone(),
            addresses,
            lake: lake.clone(),
        }
    }
}

#[async_trait]
impl StoreOpener for ConfiguredStores {
    async fn open(&self, tier: &Tier) -> Result<Arc<dyn PointStore>> {
        let name = tier.name.as_str();
        match self.config.tiers.get(name) {
            Some(TierConfig::Embedded(_)) => self.embedded.open(tier).await,
            Some(TierConfig::Redis(redis)) => {
                let uri = self.addresses.get(name).cloned().unwrap_or_else(|| Secret::new(redis.uri.as_str()));
                let key = KeyTemplate::parse(&redis.key, &tier.step.to_string())?;
                let ca_file = redis.ca_file.as_ref().map(PathBuf::from);
                Ok(Arc::new(RedisStore::open(&RedisSettings { uri, key, ca_file })?))
            }
            Some(TierConfig::Dynamodb(dynamodb)) => {
                let settings = of_dynamodb(&self.lake, dynamodb, tier);
                let clock = Arc::clone(&self.lake.settings.clock);
                let store = Box::pin(DynamoDbStore::open(&settings, clock)).await?;
                Ok(Arc::new(store.with_listener(Arc::clone(&self.lake.settings.listener))))
            }
            Some(TierConfig::Parquet(_)) | None => {
                let message = format!("expected a store, found the tier `{name}`");
                Err(Error::new(ErrorKind::InvalidInput, "open a store", message))
            }
        }
    }
}

fn of_dynamodb(lake: &Lake, dynamodb: &DynamodbTier, tier: &Tier) -> DynamoDbSettings {
    DynamoDbSettings {
        table: dynamodb.table.clone(),
        step: tier.step.to_string(),
        item: duration(dynamodb.item),
        ttl_attr: dynamodb.ttl_attr.clone(),
        keep: duration(dynamodb.keep),
        capacity: dynamodb.capacity,
        endpoint: dynamodb.endpoint.clone(),
        aws: aws(lake, dynamodb.region.as_ref()),
    }
}

/// Returns region and credentials: the profile's on AWS, else what the environment says.
pub(super) fn aws(lake: &Lake, region: Option<&String>) -> AwsSettings {
    let profile = match &lake.settings.place {
        Place::Aws(aws) => (**aws).clone(),
        Place::Folder { .. } => AwsSettings::default(),
    };
    AwsSettings { region: region.cloned().or_else(|| profile.region.clone()), ..profile }
}

fn duration(period: Period) -> Duration {
    Duration::from_secs(u64::try_from(period.as_seconds()).unwrap_or(0))
}
