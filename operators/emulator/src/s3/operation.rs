//! Which operation a request asks for: its method, what it addresses, and the sub-resource in its query.

use hyper::Method;
use hyper::http::request::Parts;

use super::address::Level;
use crate::auth::canonical::Query;

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    GetBucketVersioning,
    GetBucketAcl,
    GetBucketSetting(Setting),
    ListObjects,
    ListObjectsV2,
    ListMultipartUploads,
    DeleteObjects,
    GetObject,
    HeadObject,
    PutObject,
    CopyObject,
    DeleteObject,
    GetObjectAcl,
    GetObjectTagging,
    PutObjectTagging,
    DeleteObjectTagging,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    Unknown,
}

/// A setting that buckets here never have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Cors,
    Encryption,
    Lifecycle,
    Policy,
    Tagging,
    Website,
}

impl Setting {
    const ALL: [(&'static str, Self); 6] = [
        ("cors", Self::Cors),
        ("encryption", Self::Encryption),
        ("lifecycle", Self::Lifecycle),
        ("policy", Self::Policy),
        ("tagging", Self::Tagging),
        ("website", Self::Website),
    ];

    /// Returns the code of the error that says it is not set.
    pub(super) fn absent(self) -> &'static str {
        match self {
            Self::Cors => "NoSuchCORSConfiguration",
            Self::Encryption => "ServerSideEncryptionConfigurationNotFoundError",
            Self::Lifecycle => "NoSuchLifecycleConfiguration",
            Self::Policy => "NoSuchBucketPolicy",
            Self::Tagging => "NoSuchTagSet",
            Self::Website => "NoSuchWebsiteConfiguration",
        }
    }
}

/// Sub-resources of buckets and objects that are not served: a request for one must not be taken for another operation.
const NOT_SERVED: [&str; 24] = [
    "accelerate",
    "analytics",
    "attributes",
    "inventory",
    "intelligent-tiering",
    "legal-hold",
    "logging",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "torrent",
    "versions",
    "versionId",
];

impl Operation {
    /// Finds the operation of a request.
    pub(crate) fn of(parts: &Parts, query: &Query) -> Self {
        let has = |name: &str| query.has(name);
        if NOT_SERVED.into_iter().any(has) {
            return Self::Unknown;
        }
        match (Level::of(parts), &parts.method) {
            (Level::Service, &Method::GET) => Self::ListBuckets,
            (Level::Service, _) => Self::Unknown,
            (Level::Bucket, method) => Self::of_bucket(method, query),
            (Level::Object, method) => Self::of_object(method, parts, query),
        }
    }

    fn of_bucket(method: &Method, query: &Query) -> Self {
        let has = |name: &str| query.has(name);
        let setting = Setting::ALL.into_iter().find(|(name, _)| has(name)).map(|(_, setting)| setting);
        let other = has("acl") || has("versioning") || has("uploads") || has("location") || has("delete");
        match *method {
            Method::GET => match setting {
                Some(setting) => Self::GetBucketSetting(setting),
                None if has("location") => Self::GetBucketLocation,
                None if has("versioning") => Self::GetBucketVersioning,
                None if has("acl") => Self::GetBucketAcl,
                None if has("uploads") => Self::ListMultipartUploads,
                None if query.get("list-type") == Some("2") => Self::ListObjectsV2,
                None => Self::ListObjects,
            },
            Method::POST if has("delete") => Self::DeleteObjects,
            _ if setting.is_some() || other => Self::Unknown,
            Method::PUT => Self::CreateBucket,
            Method::HEAD => Self::HeadBucket,
            Method::DELETE => Self::DeleteBucket,
            _ => Self::Unknown,
        }
    }

    fn of_object(method: &Method, parts: &Parts, query: &Query) -> Self {
        let has = |name: &str| query.has(name);
        let copies = parts.headers.contains_key("x-amz-copy-source");
        match *method {
            Method::GET if has("uploadId") => Self::ListParts,
            Method::GET if has("tagging") => Self::GetObjectTagging,
            Method::GET if has("acl") => Self::GetObjectAcl,
            Method::GET => Self::GetObject,
            Method::HEAD => Self::HeadObject,
            Method::PUT if has("tagging") => Self::PutObjectTagging,
            Method::PUT if has("acl") => Self::Unknown,
            Method::PUT if has("partNumber") && has("uploadId") => {
                if copies {
                    Self::UploadPartCopy
                } else {
                    Self::UploadPart
                }
            }
            Method::PUT if has("partNumber") || has("uploadId") => Self::Unknown,
            Method::PUT => {
                if copies {
                    Self::CopyObject
                } else {
                    Self::PutObject
                }
            }
            Method::POST if has("uploads") => Self::CreateMultipartUpload,
            Method::POST if has("uploadId") => Self::CompleteMultipartUpload,
            Method::DELETE if has("uploadId") => Self::AbortMultipartUpload,
            Method::DELETE if has("tagging") => Self::DeleteObjectTagging,
            Method::DELETE => Self::DeleteObject,
            _ => Self::Unknown,
        }
    }

    /// Returns its name in S3's API.
    pub(crate) fn name(self) -> String {
        match self {
            Self::GetBucketSetting(setting) => format!("GetBucket{setting:?}"),
            operation => format!("{operation:?}"),
        }
    }
}
