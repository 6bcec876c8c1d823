//! What a request addresses: buckets by path (`/bucket/key`) or by host (`bucket.localhost`).

use hyper::http::request::Parts;
use lake::name::Location;

use crate::auth::canonical::{decode, header_value};
use crate::error::{ApiError, ApiResult};

/// The names of this endpoint that buckets may stand before.
const HOSTS: [&str; 2] = [".localhost", ".s3.localhost"];

/// A bucket and key, as text that came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    bucket: String,
    key: String,
}

/// What kind of thing a request addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Service,
    Bucket,
    Object,
}

impl Level {
    pub(super) fn of(parts: &Parts) -> Self {
        let path = parts.uri.path().trim_start_matches('/');
        let (has_bucket, has_key) = match bucket_of_host(parts) {
            Some(_) => (true, !path.is_empty()),
            None => (!path.is_empty(), path.split_once('/').is_some_and(|(_, key)| !key.is_empty())),
        };
        match (has_bucket, has_key) {
            (false, _) => Self::Service,
            (true, false) => Self::Bucket,
            (true, true) => Self::Object,
        }
    }
}

/// Returns the bucket that stands in the name of the host.
fn bucket_of_host(parts: &Parts) -> Option<String> {
    let host = header_value(parts, "host")?;
    let host = host.split(':').next()?.to_ascii_lowercase();
    // The longer end first: `b.s3.localhost` is the bucket `b`.
    let bucket = HOSTS.iter().rev().find_map(|end| host.strip_suffix(end))?;
    (!bucket.is_empty() && bucket != "s3").then(|| bucket.to_owned())
}

impl Address {
    /// Reads the address of a request.
    pub(super) fn of(parts: &Parts) -> ApiResult<Self> {
        let path = decode(parts.uri.path())
            .ok_or_else(|| ApiError::client("InvalidURI", "the path of the URL is not UTF-8"))?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = if let Some(bucket) = bucket_of_host(parts) {
            (bucket, path.to_owned())
        } else {
            let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
            (bucket.to_owned(), key.to_owned())
        };
        Ok(Self { bucket, key })
    }

    /// Reads the header `x-amz-copy-source`: `/bucket/key`, encoded, perhaps with a version, which is refused.
    pub(super) fn of_source(text: &str) -> ApiResult<Self> {
        let wrong =
            |why: &str| ApiError::client("InvalidArgument", format!("the copy source `{text}` cannot be used: {why}"));
        let (path, version) = text.split_once('?').unwrap_or((text, ""));
        if version.starts_with("versionId=") && version != "versionId=null" {
            return Err(wrong("objects have no versions here"));
        }
        let path = decode(path).ok_or_else(|| wrong("it is not UTF-8"))?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').ok_or_else(|| wrong("expected `bucket/key`"))?;
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// Returns the address of another key of the same bucket.
    pub(super) fn with_key(&self, key: &str) -> Self {
        Self { bucket: self.bucket.clone(), key: key.to_owned() }
    }

    /// Returns the bucket's name as it came.
    pub(super) fn bucket_name(&self) -> &str {
        &self.bucket
    }

    /// Returns the key as it came.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Tells whether the key is that of a folder, as some clients make them: it ends in `/`.
    pub(super) fn is_folder(&self) -> bool {
        self.key.ends_with('/')
    }

    /// Returns the bucket as a place of the lake.
    pub(super) fn bucket(&self) -> ApiResult<Location> {
        Location::parse(&format!("s3://{}/", self.bucket))
            .map_err(|error| ApiError::client("InvalidBucketName", error.message))
    }

    /// Returns the object as a place of the lake: nothing that could lead out of its bucket gets through.
    pub(super) fn object(&self) -> ApiResult<Location> {
        self.bucket()?;
        let location = Location::parse(&format!("s3://{}/{}", self.bucket, self.key))
            .map_err(|error| ApiError::client("InvalidArgument", error.message))?;
        if location.is_prefix() {
            return Err(ApiError::client(
                "InvalidArgument",
                format!("`{location}` is a folder: expected the key of an object"),
            ));
        }
        Ok(location)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(uri: &str, host: &str) -> (Level, Address) {
        let request = hyper::Request::builder().uri(uri).header("host", host).body(()).unwrap();
        let (parts, ()) = request.into_parts();
        (Level::of(&parts), Address::of(&parts).unwrap())
    }

    #[test]
    fn a_bucket_stands_in_the_path_or_in_the_host() {
        let expected = |bucket: &str, key: &str| Address { bucket: bucket.to_owned(), key: key.to_owned() };
        for (uri, host, level, bucket, key) in [
            ("/", "127.0.0.1:1", Level::Service, "", ""),
            ("/b", "127.0.0.1:1", Level::Bucket, "b", ""),
            ("/b/", "localhost", Level::Bucket, "b", ""),
            ("/b/k%20/dt%3D1", "localhost", Level::Object, "b", "k /dt=1"),
            ("/", "b.localhost:80", Level::Bucket, "b", ""),
            ("/k", "a.b.s3.localhost:80", Level::Object, "a.b", "k"),
            ("/b/k", "s3.localhost:80", Level::Object, "b", "k"),
        ] {
            assert_eq!(address(uri, host), (level, expected(bucket, key)), "{uri} {host}");
        }
    }

    #[test]
    fn nothing_leads_out_of_its_bucket() {
        for uri in [
            "/b/../c/k",
            "/b/%2e%2e/c/k",
            "/b/a/%2E%2E/%2e%2e/c",
            "/b/..%2fc",
            "/b/.",
            "/b/a//c",
            "/b//etc/passwd",
            "/b/a%5c..%5cb",
            "/b/a%00",
            "/b/a%0ab",
            "/../etc/passwd",
            "/..%2f..%2fetc/passwd",
            "/.hidden/k",
        ] {
            let (_, address) = address(uri, "localhost");
            assert!(address.object().is_err(), "{uri}");
        }
        for source in ["/b/../k", "b/%2e%2e/k", "b", "b/k?versionId=1"] {
            assert!(Address::of_source(source).and_then(|source| source.object()).is_err(), "{source}");
        }
        assert_eq!(Address::of_source("/b/a%20b").unwrap().object().unwrap().to_string(), "s3://b/a b");
    }
}
