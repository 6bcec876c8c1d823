//! What an AWS lake is opened with. Keys come from the SDK's own places; no file of ours holds any.

use indexmap::IndexMap;

use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;

pub use super::athena_settings::{AthenaSettings, CallRate, CallRates, EngineKind};

/// The settings of an AWS lake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsSettings {
    /// The region; none for what the environment or the profile of `~/.aws` says.
    pub region: Option<String>,
    /// A profile of `~/.aws`, whose credentials are used and no others; none for what the SDK's default chain finds, with the
    /// profile that `AWS_PROFILE` names, or `default`.
    pub credentials_profile: Option<String>,
    /// Keys that the program hands over, in place of those that the SDK finds; suiro itself never does.
    pub keys: Option<AwsKeys>,
    /// Roles to assume, each with the credentials of the one before it; the last one is who suiro acts as.
    pub roles: Vec<AssumedRole>,
    /// The account whose Glue catalog is used; none for the caller's own.
    pub catalog_id: Option<String>,
    /// Other addresses of the services.
    pub endpoints: AwsEndpoints,
    /// Whether the bucket stands in the path of S3's addresses instead of the host's name; always so for an address of
    /// S3 that is given by its number or as `localhost`.
    pub path_style: bool,
    /// Where tables go whose database has no location, and results that are kept: `s3://bucket/prefix/`. None for nowhere:
    /// such tables are refused.
    pub warehouse: Option<Location>,
    /// How objects are written.
    pub writes: S3Writes,
    /// Who runs queries.
    pub engine: EngineKind,
    /// The query engine Athena.
    pub athena: AthenaSettings,
}

/// A pair of keys.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsKeys {
    /// The access key.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl std::fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsKeys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A role to assume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssumedRole {
    /// Its name: `arn:aws:iam::123456789012:role/etl`.
    pub arn: String,
    /// What the role's trust policy asks for, when it is of another company.
    pub external_id: Option<String>,
    /// How the session is called in the logs of AWS; none for `suiro`.
    pub session_name: Option<String>,
}

/// Other addresses of the services: `http://127.0.0.1:4566`. The SDK's own variables (`AWS_ENDPOINT_URL`,
/// `AWS_ENDPOINT_URL_S3`, …) hold where nothing is set here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsEndpoints {
    /// Of every service that has none of its own below.
    pub all: Option<String>,
    /// Of S3.
    pub s3: Option<String>,
    /// Of Glue.
    pub glue: Option<String>,
    /// Of Athena.
    pub athena: Option<String>,
    /// Of STS, which roles are assumed at.
    pub sts: Option<String>,
}

/// How objects are written to S3.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Writes {
    /// How S3 encrypts them.
    pub encryption: Encryption,
    /// Who may read them besides; none for what the bucket says.
    pub acl: Option<CannedAcl>,
    /// Their storage class; none for `STANDARD`.
    pub storage_class: Option<StorageClass>,
    /// Their tags, at most 10.
    pub tags: IndexMap<String, String>,
    /// Whether we pay for requests to a bucket that wants its requesters to pay; said with reads as well.
    pub requester_pays: bool,
}

/// How S3 encrypts what it keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket says.
    #[default]
    Bucket,
    /// With S3's own key.
    S3,
    /// With a key of KMS; none for the account's own key of S3.
    Kms {
        /// The key: its id, its ARN or its alias.
        key: Option<String>,
    },
}

/// An access list by name: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannedAcl {
    /// The owner only.
    Private,
    /// Everybody may read.
    PublicRead,
    /// Everybody may read and write.
    PublicReadWrite,
    /// Every user of AWS may read.
    AuthenticatedRead,
    /// EC2 may read.
    AwsExecRead,
    /// The bucket's owner may read.
    BucketOwnerRead,
    /// The bucket's owner may do everything.
    BucketOwnerFullControl,
}

/// A storage class that queries can read at once.
///
/// `GLACIER` and `DEEP_ARCHIVE` are none: Athena passes over such objects without a word
/// (<https://docs.aws.amazon.com/athena/latest/ug/creating-tables.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageClass {
    /// `STANDARD`.
    Standard,
    /// `STANDARD_IA`.
    StandardIa,
    /// `ONEZONE_IA`.
    OneZoneIa,
    /// `INTELLIGENT_TIERING`.
    IntelligentTiering,
    /// `GLACIER_IR`.
    GlacierIr,
    /// `REDUCED_REDUNDANCY`.
    ReducedRedundancy,
}

/// Something that is written as one of a few words.
trait Word: Copy + Sized + 'static {
    /// What it is, for messages.
    const WHAT: &'static str;
    /// All of them.
    const ALL: &'static [Self];

    fn word(self) -> &'static str;

    fn of_word(text: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|one| one.word() == text).ok_or_else(|| {
            let all: Vec<String> = Self::ALL.iter().map(|one| format!("`{}`", one.word())).collect();
            Error::new(
                ErrorKind::InvalidInput,
                "read settings",
                format!("expected {}, one of {}, found `{}`", Self::WHAT, all.join(", "), text.escape_debug()),
            )
        })
    }
}

impl Word for CannedAcl {
    const WHAT: &'static str = "a canned ACL";
    const ALL: &'static [Self] = &[
        Self::Private,
        Self::PublicRead,
        Self::PublicReadWrite,
        Self::AuthenticatedRead,
        Self::AwsExecRead,
        Self::BucketOwnerRead,
        Self::BucketOwnerFullControl,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::PublicRead => "public-read",
            Self::PublicReadWrite => "public-read-write",
            Self::AuthenticatedRead => "authenticated-read",
            Self::AwsExecRead => "aws-exec-read",
            Self::BucketOwnerRead => "bucket-owner-read",
            Self::BucketOwnerFullControl => "bucket-owner-full-control",
        }
    }
}

impl Word for StorageClass {
    const WHAT: &'static str = "a storage class that queries can read";
    const ALL: &'static [Self] = &[
        Self::Standard,
        Self::StandardIa,
        Self::OneZoneIa,
        Self::IntelligentTiering,
        Self::GlacierIr,
        Self::ReducedRedundancy,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::StandardIa => "STANDARD_IA",
            Self::OneZoneIa => "ONEZONE_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::GlacierIr => "GLACIER_IR",
            Self::ReducedRedundancy => "REDUCED_REDUNDANCY",
        }
    }
}

impl CannedAcl {
    /// Reads it as S3 writes it: `bucket-owner-full-control`.
    ///
    /// # Errors
    /// `InvalidInput` that lists those there are.
    pub fn parse(text: &str) -> Result<Self> {
        Self::of_word(text)
    }

    /// Returns how S3 writes it.
    pub fn as_str(self) -> &'static str {
        self.word()
    }
}

impl StorageClass {
    /// Reads it as S3 writes it: `STANDARD_IA`.
    ///
    /// # Errors
    /// `InvalidInput` that lists those there are.
    pub fn parse(text: &str) -> Result<Self> {
        Self::of_word(text)
    }

    /// Returns how S3 writes it.
    pub fn as_str(self) -> &'static str {
        self.word()
    }
}

impl S3Writes {
    /// Checks what S3 would refuse with every write.
    ///
    /// # Errors
    /// `InvalidInput` for more than 10 tags, or a tag that is too long
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>: 128 and 256 characters).
    pub fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::new(ErrorKind::InvalidInput, "read settings", message));
        if self.tags.len() > 10 {
            return wrong(format!("expected at most 10 tags of an object, found {}", self.tags.len()));
        }
        for (key, value) in &self.tags {
            if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
                return wrong(format!(
                    "expected a tag of 1 to 128 characters with a value of at most 256, found `{}`",
                    key.escape_debug()
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_others_are_refused_with_the_choices() {
        for acl in CannedAcl::ALL {
            assert_eq!(CannedAcl::parse(acl.as_str()).unwrap(), *acl);
        }
        for class in StorageClass::ALL {
            assert_eq!(StorageClass::parse(class.as_str()).unwrap(), *class);
        }
        assert_eq!(
            StorageClass::parse("GLACIER").unwrap_err().to_string(),
            "expected a storage class that queries can read, one of `STANDARD`, `STANDARD_IA`, `ONEZONE_IA`, \
             `INTELLIGENT_TIERING`, `GLACIER_IR`, `REDUCED_REDUNDANCY`, found `GLACIER`"
        );
    }

    #[test]
    fn too_many_tags_are_refused() {
        let tags = (0..11).map(|number| (format!("k{number}"), String::new())).collect();
        let writes = S3Writes { tags, ..S3Writes::default() };
        assert_eq!(writes.check().unwrap_err().to_string(), "expected at most 10 tags of an object, found 11");
    }
}
