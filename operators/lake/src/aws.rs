//! AWS as suiro speaks to it: settings, credentials, clients and errors.
//!
//! What is said in one place here is said nowhere else: how credentials are found, how often a call is repeated, and what an
//! error of AWS means to a user. Storage (`storage::s3`), catalog (`catalog::glue`) and query engine use it.

mod athena_settings;
mod chain;
pub(crate) mod clients;
pub(crate) mod credentials;
pub(crate) mod error;
mod json_api;
mod profile;
pub(crate) mod reach;
pub mod settings;

pub use clients::AwsClients;
pub use error::{Call, of as error_of};
pub use json_api::{JsonApi, JsonService, Refusal};
pub use reach::{Reach, Unreachable};
pub use settings::{
    AssumedRole, AthenaSettings, AwsEndpoints, AwsKeys, AwsSettings, CallRate, CallRates, CannedAcl, Encryption,
    EngineKind, S3Writes, StorageClass,
};
