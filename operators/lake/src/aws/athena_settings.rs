//! What the Athena query engine is opened with.

use std::time::Duration;

use crate::name::Location;
use crate::query::TrinoSettings;

/// The settings of the Athena query engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AthenaSettings {
    /// The workgroup; none for `primary`.
    pub workgroup: Option<String>,
    /// Where results go; none for what the workgroup says. A workgroup that enforces its own place takes no notice of it.
    pub output_location: Option<Location>,
    /// The name of the data catalog as Athena knows it; none for `AwsDataCatalog`, or for the catalog of the account that
    /// [`super::AwsSettings::catalog_id`] names.
    pub data_catalog: Option<String>,
    /// How many queries that read or write rows are active at once, queued ones too; the others wait here.
    pub dml_queries: usize,
    /// The same of statements that change the catalog.
    pub ddl_queries: usize,
    /// How long a query may wait for its turn in Athena before it is stopped; none for as long as Athena lets it.
    pub queue_timeout: Option<Duration>,
    /// How long a query may run before it is stopped, the time in the queue not counted; none for Athena's own limit.
    pub run_timeout: Option<Duration>,
    /// How many bytes a query may read before it is stopped; none for what the workgroup says.
    pub max_scan_bytes: Option<u64>,
    /// What a terabyte (2⁴⁰ bytes) that is read costs, in millionths of a US dollar.
    pub micro_usd_per_tb: u64,
    /// How often each call is made at most.
    pub rates: CallRates,
}

/// How often each call of Athena is made at most.
///
/// The defaults are the quotas of an account and region, which the AWS console does not show
/// (<https://docs.aws.amazon.com/athena/latest/ug/service-limits.html>, "Per account API call quotas").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRates {
    /// `StartQueryExecution`; `StopQueryExecution` has the same of its own.
    pub start: CallRate,
    /// `GetQueryExecution`, `GetQueryResults` and `GetQueryRuntimeStatistics`, each of its own.
    pub get: CallRate,
    /// `BatchGetQueryExecution`.
    pub batch_get: CallRate,
    /// What is rarely called: `GetWorkGroup`.
    pub other: CallRate,
}

/// How often a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRate {
    /// In every second, on and on.
    pub per_second: u32,
    /// At once after a rest.
    pub burst: u32,
}

/// $5 a terabyte, which is the price in most regions: <https://aws.amazon.com/athena/pricing/>.
const MICRO_USD_PER_TB: u64 = 5_000_000;

/// The quota of active DML queries of a new account differs by region, from 20 to 200 and more
/// (<https://docs.aws.amazon.com/athena/latest/ug/service-limits.html>); this one holds in all of them.
const DML_QUERIES: usize = 20;

/// The quota of active DDL queries is 20 in every region (the same page).
const DDL_QUERIES: usize = 20;

impl Default for AthenaSettings {
    fn default() -> Self {
        Self {
            workgroup: None,
            output_location: None,
            data_catalog: None,
            dml_queries: DML_QUERIES,
            ddl_queries: DDL_QUERIES,
            queue_timeout: None,
            run_timeout: None,
            max_scan_bytes: None,
            micro_usd_per_tb: MICRO_USD_PER_TB,
            rates: CallRates::default(),
        }
    }
}

impl Default for CallRates {
    fn default() -> Self {
        Self {
            start: CallRate { per_second: 20, burst: 80 },
            get: CallRate { per_second: 100, burst: 200 },
            batch_get: CallRate { per_second: 20, burst: 40 },
            other: CallRate { per_second: 5, burst: 10 },
        }
    }
}

/// Athena bills whole megabytes, at least ten of them a query: <https://aws.amazon.com/athena/pricing/>.
const MEGABYTE: u64 = 1 << 20;
const LEAST_MEGABYTES: u64 = 10;

/// A terabyte, as prices count it.
const TERABYTE: u128 = 1 << 40;

/// Who runs the queries of a lake on AWS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// Athena.
    #[default]
    Athena,
    /// The embedded engine, in this process: it reads S3 itself.
    Embedded,
    /// A Trino whose catalog is the same Glue and S3.
    Trino(Box<TrinoSettings>),
}

impl AthenaSettings {
    /// Returns the bytes that Athena bills for a query that reads so many.
    pub fn billed_bytes(scanned_bytes: u64) -> u64 {
        scanned_bytes.div_ceil(MEGABYTE).max(LEAST_MEGABYTES).saturating_mul(MEGABYTE)
    }

    /// Returns what billed bytes cost, in millionths of a US dollar, rounded up.
    pub fn cost_micro_usd(&self, billed_bytes: u64) -> u64 {
        let cost = (u128::from(billed_bytes) * u128::from(self.micro_usd_per_tb)).div_ceil(TERABYTE);
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// Returns the name of the workgroup.
    pub fn workgroup(&self) -> &str {
        self.workgroup.as_deref().unwrap_or("primary")
    }
}
