//! What a user may write in `tiers.yml`. The docs of the fields are the manual.

use indexmap::IndexMap;
use lake::Result;
use lake::name::{Location, TableName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod lint;
mod period;

pub use lint::{ProblemKind, TierProblem};
pub use period::Period;

use crate::duplicate::DuplicateRule;
use crate::tiers::{FlushRule, Step, Tier, TierKind, TierName, Tiers};
use crate::window::PartitionUnit;

/// The tiers of time series: where points are kept, how long, and in which steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TiersConfig {
    /// The tiers by their names, upper ones first: points arrive in the first and move down. First the stores of one step, then
    /// at most one `parquet` tier of that step, then `parquet` tiers of larger steps, which are roll-ups.
    pub tiers: IndexMap<String, TierConfig>,
    /// Which value a time keeps that is written twice with different values.
    #[serde(default)]
    pub duplicate: DuplicateRule,
    /// How long after its end a window is left open for points that come late. Later ones are taken too: they reopen their
    /// window, and it is written again.
    #[serde(default = "default_lateness")]
    pub lateness: Period,
}

/// The default of `lateness`.
fn default_lateness() -> Period {
    Period::from_seconds(2 * 3_600)
}

/// One tier, by its store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "store", rename_all = "snake_case")]
pub enum TierConfig {
    /// A file below the project's state, `.suiro/`: no server is needed.
    Embedded(EmbeddedTier),
    /// Redis: a hash for each series, as real systems keep them.
    Redis(RedisTier),
    /// `DynamoDB`: an item for each series and span of time.
    Dynamodb(DynamodbTier),
    /// Parquet files of a table in the lake, a partition for each window.
    Parquet(ParquetTier),
}

/// When points of a tier are moved to the next one as a part of writing them. A series is moved when one of both is reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlushConfig {
    /// With so many points a series is moved; without `age` also when a window of its points is due, so that one that falls silent
    /// is dumped with the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// A series is moved when its oldest point is older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<Period>,
}

impl FlushConfig {
    /// Returns it as the rest of the crate knows it.
    #[must_use]
    pub fn rule(&self) -> FlushRule {
        FlushRule { count: self.count, age_ms: self.age.map(Period::as_millis) }
    }
}

/// A tier in a file below the project's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedTier {
    /// How far the points of a series are apart, as a rule: `1m`. Times are kept as they are, never rounded.
    pub step: Period,
    /// How long points stay here: `26h`, `60d`. The default of `metrics.expire>`'s `older_than`.
    pub keep: Period,
    /// When writing moves points on to the next tier; not given: only `metrics.flush>` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush: Option<FlushConfig>,
}

/// A tier in Redis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisTier {
    /// The server: `redis://host:6379/0`, with TLS `rediss://…`, or `unix:///path`. User and password may stand in it, best as
    /// `${secret:redis}`, which is the environment variable `SUIRO_SECRET_REDIS`.
    pub uri: String,
    /// The key of a series' hash. `{step}` and `{name}` stand for the tier's step and the series.
    #[serde(default = "default_key")]
    pub key: String,
    /// A file of certificates (PEM) that are trusted in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// How far the points of a series are apart, as a rule: `1m`. Times are kept as they are, never rounded.
    pub step: Period,
    /// How long points stay here: `26h`, `60d`. The default of `metrics.expire>`'s `older_than`.
    pub keep: Period,
    /// When writing moves points on to the next tier; not given: only `metrics.flush>` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush: Option<FlushConfig>,
}

/// The default of a Redis tier's `key`.
fn default_key() -> String {
    "{step}:{name}".to_owned()
}

/// A tier in `DynamoDB`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DynamodbTier {
    /// The table.
    pub table: String,
    /// The span of time whose points are one item: `1h`.
    #[serde(default = "default_item")]
    pub item: Period,
    /// The attribute that holds when `DynamoDB` may delete an item: the item's end plus `keep`.
    #[serde(default = "default_ttl_attr")]
    pub ttl_attr: String,
    /// The region; the profile's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The address of a server in place of AWS: `http://127.0.0.1:8000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How many write units a second are used at most; no limit of ours unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<f64>,
    /// How far the points of a series are apart, as a rule: `1m`. Times are kept as they are, never rounded.
    pub step: Period,
    /// How long points stay here: `60d`. The default of `metrics.expire>`'s `older_than`.
    pub keep: Period,
    /// When writing moves points on to the next tier; not given: only `metrics.flush>` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush: Option<FlushConfig>,
}

/// The default of a `DynamoDB` tier's `item`.
fn default_item() -> Period {
    Period::from_seconds(3_600)
}

/// The default of a `DynamoDB` tier's `ttl_attr`.
fn default_ttl_attr() -> String {
    "ttl".to_owned()
}

/// A tier of Parquet files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParquetTier {
    /// The table: `database.table`. It is made when it is not there.
    pub table: String,
    /// The prefix of the table's files, `s3://…`; below the warehouse unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The span of a partition; not given: a day for steps below an hour, else a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<PartitionUnit>,
    /// How far the points are apart: `1m`; of a roll-up the width of its buckets: `1h`.
    pub step: Period,
    /// How long points stay here: `460d`, `10y`. The default of `metrics.expire>`'s `older_than`, which drops what is older and lives
    /// on in the next roll-up. What is older cannot be rolled up.
    pub keep: Period,
}

impl ParquetTier {
    /// Returns the span of a partition, also where it is not given.
    pub fn unit(&self) -> PartitionUnit {
        let by_step = if self.step < Period::from_seconds(3_600) { PartitionUnit::Day } else { PartitionUnit::Month };
        self.partition.unwrap_or(by_step)
    }
}

impl TierConfig {
    /// Returns how far points are apart.
    pub const fn step(&self) -> Period {
        match self {
            Self::Embedded(tier) => tier.step,
            Self::Redis(tier) => tier.step,
            Self::Dynamodb(tier) => tier.step,
            Self::Parquet(tier) => tier.step,
        }
    }

    /// Returns how long points stay.
    pub const fn keep(&self) -> Period {
        match self {
            Self::Embedded(tier) => tier.keep,
            Self::Redis(tier) => tier.keep,
            Self::Dynamodb(tier) => tier.keep,
            Self::Parquet(tier) => tier.keep,
        }
    }

    /// Returns when writing moves points on; none for Parquet, or when it does not.
    pub const fn flush(&self) -> Option<&FlushConfig> {
        match self {
            Self::Embedded(tier) => tier.flush.as_ref(),
            Self::Redis(tier) => tier.flush.as_ref(),
            Self::Dynamodb(tier) => tier.flush.as_ref(),
            Self::Parquet(_) => None,
        }
    }

    /// Returns the Parquet tier that it is.
    pub const fn as_parquet(&self) -> Option<&ParquetTier> {
        match self {
            Self::Parquet(tier) => Some(tier),
            _ => None,
        }
    }
}

impl TiersConfig {
    /// Returns the tiers as the rest of the crate knows them.
    ///
    /// # Errors
    /// `InvalidInput` for what [`TiersConfig::problems`] tells of.
    pub fn tiers(&self) -> Result<Tiers> {
        let list = self.tiers.iter().map(|(name, tier)| tier.tier(name)).collect::<Result<Vec<_>>>()?;
        Tiers::new(list, self.duplicate, self.lateness.as_millis())
    }
}

impl TierConfig {
    fn tier(&self, name: &str) -> Result<Tier> {
        let kind = match self {
            Self::Parquet(tier) => {
                let (database, table) = tier.table.split_once('.').unwrap_or(("", &tier.table));
                let location = tier.path.as_deref().map(|path| Location::parse(path).map(Location::into_prefix));
                TierKind::Archive {
                    table: TableName::new(database, table)?,
                    unit: tier.unit(),
                    location: location.transpose()?,
                }
            }
            _ => TierKind::Store { flush: self.flush().map(FlushConfig::rule) },
        };
        let step = Step::from_ms(self.step().as_millis())?;
        Ok(Tier { name: TierName::new(name)?, step, keep_ms: Some(self.keep().as_millis()), kind })
    }
}
