//! Listing a bucket: keys in order, by prefix, grouped by a delimiter, page by page.

mod walk;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lake::name::Location;

use super::bucket::owner;
use super::condition::iso_time;
use super::object::quoted;
use super::xml::Writer;
use super::{Answer, Request, S3, io_failed};
use crate::auth::canonical::encode_path;
use crate::error::{ApiError, ApiResult};
use walk::{Found, Listing, Start, Wanted};

/// How many entries a page holds.
const MAX_KEYS: usize = 1000;

/// Where a token of a page says a key or a group of keys.
const KEY: char = 'k';
const GROUP: char = 'g';

/// What both forms of the call have in common.
struct List<'r> {
    prefix: &'r str,
    delimiter: &'r str,
    max_keys: usize,
    encoded: bool,
    request: &'r Request<'r>,
}

impl<'r> List<'r> {
    fn of(request: &'r Request<'r>) -> ApiResult<Self> {
        let max_keys = match request.query.get("max-keys") {
            None => MAX_KEYS,
            Some(text) => text
                .parse::<i32>()
                .ok()
                .and_then(|number| usize::try_from(number).ok())
                .ok_or_else(|| {
                    ApiError::client("InvalidArgument", format!("expected a number as `max-keys`, found `{text}`"))
                })?
                .min(MAX_KEYS),
        };
        let encoded = match request.query.get("encoding-type") {
            None => false,
            Some("url") => true,
            Some(other) => {
                return Err(ApiError::client(
                    "InvalidArgument",
                    format!("expected `url` as `encoding-type`, found `{other}`"),
                ));
            }
        };
        Ok(Self {
            prefix: request.query.get("prefix").unwrap_or_default(),
            delimiter: request.query.get("delimiter").unwrap_or_default(),
            max_keys,
            encoded,
            request,
        })
    }

    /// Writes a key as the client wants it.
    fn key(&self, key: &str) -> String {
        if self.encoded { encode_path(key) } else { key.to_owned() }
    }

    /// Writes what was asked for.
    fn head(&self, xml: &mut Writer) {
        xml.text("Name", self.request.address.bucket_name())
            .text("Prefix", &self.key(self.prefix))
            .text("MaxKeys", &self.max_keys.to_string());
        if !self.delimiter.is_empty() {
            xml.text("Delimiter", &self.key(self.delimiter));
        }
        if self.encoded {
            xml.text("EncodingType", "url");
        }
    }
}

impl S3 {
    pub(super) async fn list_objects_v2(&self, request: &Request<'_>) -> Answer {
        let list = List::of(request)?;
        let token = request.query.get("continuation-token");
        let after = request.query.get("start-after");
        let start = match token {
            Some(token) => read_token(token)
                .ok_or_else(|| ApiError::client("InvalidArgument", "The continuation token provided is incorrect"))?,
            None => Start::After(after.unwrap_or_default().to_owned()),
        };
        let listing = self.walk(request, &list, start).await?;
        let mut xml = Writer::new("ListBucketResult");
        list.head(&mut xml);
        xml.some("StartAfter", after.map(|after| list.key(after)).as_deref()).some("ContinuationToken", token);
        xml.text("KeyCount", &listing.found.len().to_string()).text("IsTruncated", &listing.truncated.to_string());
        if let Some(last) = listing.found.last().filter(|_| listing.truncated) {
            xml.text("NextContinuationToken", &write_token(last));
        }
        let with_owner = request.query.get("fetch-owner") == Some("true");
        self.entries(&mut xml, &list, listing, with_owner).await?;
        Ok(xml.respond())
    }

    pub(super) async fn list_objects(&self, request: &Request<'_>) -> Answer {
        let list = List::of(request)?;
        let marker = request.query.get("marker").unwrap_or_default();
        // The marker that a page ends with may be a group, which is not to be given again.
        let start = if !list.delimiter.is_empty() && marker.ends_with(list.delimiter) {
            Start::AfterGroup(marker.to_owned())
        } else {
            Start::After(marker.to_owned())
        };
        let listing = self.walk(request, &list, start).await?;
        let mut xml = Writer::new("ListBucketResult");
        list.head(&mut xml);
        xml.text("Marker", &list.key(marker)).text("IsTruncated", &listing.truncated.to_string());
        if let Some(last) = listing.found.last().filter(|_| listing.truncated && !list.delimiter.is_empty()) {
            xml.text("NextMarker", &list.key(last.name()));
        }
        self.entries(&mut xml, &list, listing, true).await?;
        Ok(xml.respond())
    }

    async fn walk(&self, request: &Request<'_>, list: &List<'_>, start: Start) -> ApiResult<Listing> {
        let bucket = request.address.bucket()?;
        self.buckets.require(&bucket).await?;
        let root = self.files.file(&bucket);
        let wanted = Wanted {
            prefix: list.prefix.to_owned(),
            delimiter: list.delimiter.to_owned(),
            start,
            max_keys: list.max_keys,
        };
        let folder = root.clone();
        let walked = tokio::task::spawn_blocking(move || walk::list(&folder, &wanted)).await;
        walked.map_err(|error| ApiError::internal(error.to_string()))?.map_err(io_failed("list objects", &root))
    }

    async fn entries(&self, xml: &mut Writer, list: &List<'_>, listing: Listing, with_owner: bool) -> ApiResult<()> {
        let bucket = list.request.address.bucket()?;
        for found in &listing.found {
            let Found::Object { key, metadata } = found else { continue };
            // A file that somebody else put there under a name that is no key is no object.
            let Ok(location) = Location::parse(&format!("{bucket}{key}")) else { continue };
            let object = self.notes.read(&location, metadata).await;
            xml.open("Contents")
                .text("Key", &list.key(key))
                .text("LastModified", &iso_time(object.modified))
                .text("ETag", &quoted(&object.note.etag))
                .text("Size", &object.bytes.to_string())
                .text("StorageClass", "STANDARD");
            if with_owner {
                owner(xml);
            }
            xml.close();
        }
        for found in &listing.found {
            if let Found::Group(prefix) = found {
                xml.open("CommonPrefixes").text("Prefix", &list.key(prefix)).close();
            }
        }
        Ok(())
    }
}

/// Writes where a page ends.
fn write_token(last: &Found) -> String {
    let kind = if matches!(last, Found::Group(_)) { GROUP } else { KEY };
    URL_SAFE_NO_PAD.encode(format!("{kind}{}", last.name()))
}

fn read_token(token: &str) -> Option<Start> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let mut characters = text.chars();
    match characters.next()? {
        KEY => Some(Start::After(characters.as_str().to_owned())),
        GROUP => Some(Start::AfterGroup(characters.as_str().to_owned())),
        _ => None,
    }
}
