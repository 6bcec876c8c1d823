//! Buckets: folders of the warehouse. A bucket stays when its last object goes, so those that were made are also kept by name.

use std::path::PathBuf;

use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};
use jiff::Timestamp;
use lake::name::Location;
use lake::storage::{Folder, Storage};

use super::condition::iso_time;
use super::xml::Writer;
use super::{Answer, Request, S3, failed, io_failed};
use crate::body;
use crate::error::{ApiError, ApiResult};

/// The buckets of a warehouse.
#[derive(Debug)]
pub(crate) struct Buckets {
    storage: Storage,
    files: Folder,
    /// A file for each bucket that was made or written to through the endpoint.
    known: PathBuf,
}

impl Buckets {
    pub(super) async fn open(storage: Storage, files: Folder, known: PathBuf) -> lake::Result<Self> {
        tokio::fs::create_dir_all(&known).await.map_err(|error| lake::Error::io("make a folder", &known, error))?;
        Ok(Self { storage, files, known })
    }

    /// Tells whether there is a bucket.
    pub(crate) async fn has(&self, bucket: &Location) -> ApiResult<bool> {
        for path in [self.files.file(bucket), self.known.join(bucket.bucket())] {
            if tokio::fs::try_exists(&path).await.map_err(io_failed("look for a bucket", &path))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Refuses a bucket that is not there.
    pub(super) async fn require(&self, bucket: &Location) -> ApiResult<()> {
        if self.has(bucket).await? {
            return Ok(());
        }
        Err(ApiError::new(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist"))
    }

    /// Makes a bucket stay when its folder goes.
    pub(super) async fn remember(&self, bucket: &Location) -> ApiResult<()> {
        let path = self.known.join(bucket.bucket());
        tokio::fs::write(&path, []).await.map_err(io_failed("remember a bucket", &path))
    }

    /// Makes a bucket; one that is there stays as it is.
    pub(crate) async fn create(&self, bucket: &Location) -> ApiResult<()> {
        self.remember(bucket).await?;
        let folder = self.files.file(bucket);
        tokio::fs::create_dir_all(&folder).await.map_err(io_failed("make a bucket", &folder))
    }

    /// Removes a bucket without objects; what is left of it are empty folders.
    async fn remove(&self, bucket: &Location) -> ApiResult<()> {
        let folder = self.files.file(bucket);
        if !self.storage.is_empty(bucket).await.map_err(failed)? {
            return Err(ApiError::new(
                StatusCode::CONFLICT,
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty",
            ));
        }
        let root = folder.clone();
        let removed = tokio::task::spawn_blocking(move || remove_empty(&root)).await;
        removed
            .map_err(|error| ApiError::internal(error.to_string()))?
            .map_err(io_failed("delete a bucket", &folder))?;
        let path = self.known.join(bucket.bucket());
        match tokio::fs::remove_file(&path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io_failed("forget a bucket", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Lists the buckets with the times they were made, by name.
    async fn list(&self) -> ApiResult<Vec<(String, Timestamp)>> {
        let mut found = std::collections::BTreeMap::new();
        let root = self.known.clone();
        let warehouse = self.files.root().to_owned();
        for (folder, are_files) in [(warehouse, false), (root, true)] {
            let mut entries = tokio::fs::read_dir(&folder).await.map_err(io_failed("list buckets", &folder))?;
            while let Some(entry) = entries.next_entry().await.map_err(io_failed("list buckets", &folder))? {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let metadata = entry.metadata().await.map_err(io_failed("list buckets", &folder))?;
                let is_bucket = Location::parse(&format!("s3://{name}/")).is_ok() && metadata.is_file() == are_files;
                if is_bucket {
                    let made = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
                    found.insert(name, made.unwrap_or(Timestamp::UNIX_EPOCH));
                }
            }
        }
        Ok(found.into_iter().collect())
    }
}

/// Removes a folder that holds nothing but folders.
fn remove_empty(folder: &std::path::Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty(&entry.path())?;
        }
    }
    std::fs::remove_dir(folder)
}

/// Refuses names that S3 refuses: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
fn check_name(name: &str) -> ApiResult<()> {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let sound = (3..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
        && is_end(name.as_bytes().first())
        && is_end(name.as_bytes().last())
        && !name.contains("..");
    if sound {
        return Ok(());
    }
    let message = format!(
        "expected 3 to 63 lower-case letters, digits, `-` and `.` as the name of a bucket, found `{}`",
        name.escape_debug()
    );
    Err(ApiError::client("InvalidBucketName", message))
}

impl S3 {
    pub(super) async fn list_buckets(&self) -> Answer {
        let mut xml = Writer::new("ListAllMyBucketsResult");
        owner(&mut xml);
        xml.open("Buckets");
        for (name, made) in self.buckets.list().await? {
            xml.open("Bucket").text("Name", &name).text("CreationDate", &iso_time(made)).close();
        }
        Ok(xml.respond())
    }

    pub(super) async fn create_bucket(&self, request: &Request<'_>) -> Answer {
        let bucket = request.address.bucket()?;
        check_name(bucket.bucket())?;
        // In its oldest region S3 says of a bucket that is one's own already that it was made.
        if self.region != "us-east-1" && self.buckets.has(&bucket).await? {
            return Err(ApiError::new(
                StatusCode::CONFLICT,
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            ));
        }
        self.buckets.create(&bucket).await?;
        let mut response = Response::new(body::empty());
        if let Ok(place) = HeaderValue::from_str(&format!("/{}", bucket.bucket())) {
            response.headers_mut().insert(hyper::header::LOCATION, place);
        }
        Ok(response)
    }

    pub(super) async fn head_bucket(&self, request: &Request<'_>) -> Answer {
        self.buckets.require(&request.address.bucket()?).await?;
        let mut response = Response::new(body::empty());
        if let Ok(region) = HeaderValue::from_str(&self.region) {
            response.headers_mut().insert("x-amz-bucket-region", region);
        }
        Ok(response)
    }

    pub(super) async fn delete_bucket(&self, request: &Request<'_>) -> Answer {
        let bucket = request.address.bucket()?;
        self.buckets.require(&bucket).await?;
        self.buckets.remove(&bucket).await?;
        Ok(no_content())
    }

    pub(super) async fn bucket_location(&self, request: &Request<'_>) -> Answer {
        self.buckets.require(&request.address.bucket()?).await?;
        let region = if self.region == "us-east-1" { "" } else { &self.region };
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{region}</LocationConstraint>"
        );
        let mut response = Response::new(body::full(text));
        response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        Ok(response)
    }

    pub(super) async fn bucket_versioning(&self, request: &Request<'_>) -> Answer {
        self.buckets.require(&request.address.bucket()?).await?;
        Ok(Writer::new("VersioningConfiguration").respond())
    }

    /// Everything belongs to the one account there is.
    pub(super) async fn acl(&self, request: &Request<'_>) -> Answer {
        self.buckets.require(&request.address.bucket()?).await?;
        let mut xml = Writer::new("AccessControlPolicy");
        owner(&mut xml);
        xml.open("AccessControlList").open("Grant");
        // The type of a grantee stands in an attribute.
        xml.open("Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"");
        xml.text("ID", crate::ACCOUNT).close_as("Grantee");
        xml.text("Permission", "FULL_CONTROL");
        Ok(xml.respond())
    }
}

/// Writes the owner of everything.
pub(super) fn owner(xml: &mut Writer) {
    xml.open("Owner").text("ID", crate::ACCOUNT).text("DisplayName", "suiro").close();
}

/// Makes the answer of a call that has nothing to say.
pub(super) fn no_content() -> Response<body::ResponseBody> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_buckets_are_those_of_s3() {
        for name in ["lake", "a.b-c", "0xy"] {
            check_name(name).unwrap();
        }
        for name in ["ab", "Lake", "-lake", "lake-", "a..b", "a_b", &"a".repeat(64), "läke"] {
            assert_eq!(check_name(name).unwrap_err().code, "InvalidBucketName", "{name}");
        }
    }
}
