//! Single objects: get, head, put.

use std::io::SeekFrom;
use std::path::PathBuf;

use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use indexmap::IndexMap;
use lake::name::Location;
use lake::storage::ObjectWriter;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;

use super::condition::{Range, State, check_read, check_write, http_time};
use super::note::{Note, Object};
use super::upload::{Found, Upload};
use super::{Answer, Request, S3, failed, io_failed, no_such_key};
use crate::auth::canonical::{decode, header_value};
use crate::auth::digest::hex;
use crate::body::{self, ResponseBody};
use crate::error::{ApiError, ApiResult};

/// How much of a file is read at a time.
const CHUNK_BYTES: usize = 128 << 10;

/// How much metadata an object may have.
const MAX_METADATA_BYTES: usize = 2048;

/// How many tags an object may have.
pub(super) const MAX_TAGS: usize = 10;

/// The type of objects whose writer said none.
const DEFAULT_TYPE: &str = "binary/octet-stream";

/// The headers that are kept with an object and come back with it, and the parameter of a GET that says another.
const KEPT_HEADERS: [(&str, &str); 6] = [
    ("content-type", "response-content-type"),
    ("content-encoding", "response-content-encoding"),
    ("content-language", "response-content-language"),
    ("content-disposition", "response-content-disposition"),
    ("cache-control", "response-cache-control"),
    ("expires", "response-expires"),
];

/// Where the names of metadata start.
const METADATA: &str = "x-amz-meta-";

impl S3 {
    /// Returns an object that is there.
    pub(super) async fn find(&self, location: &Location) -> ApiResult<Option<Object>> {
        use std::io::ErrorKind as Io;
        let file = self.files.file(location);
        match tokio::fs::metadata(&file).await {
            Ok(metadata) if metadata.is_file() => Ok(Some(self.notes.read(location, &metadata).await)),
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory | Io::InvalidFilename) => Ok(None),
            Err(error) => Err(io_failed("read an object", &file)(error)),
        }
    }

    pub(super) async fn get_object(&self, request: &Request<'_>) -> Answer {
        self.buckets.require(&request.address.bucket()?).await?;
        if request.address.is_folder() {
            return Err(no_such_key());
        }
        let location = request.address.object()?;
        // The file is opened first: what is said of it and its bytes are of one version.
        let path = self.files.file(&location);
        let Some(mut file) = open(&path).await? else { return Err(no_such_key()) };
        let metadata = file.metadata().await.map_err(io_failed("read an object", &path))?;
        if !metadata.is_file() {
            return Err(no_such_key());
        }
        let object = self.notes.read(&location, &metadata).await;
        check_read(request.parts, &State { etag: &object.note.etag, modified: object.modified })?;
        if request.query.get("partNumber").is_some_and(|part| part != "1") {
            return Err(ApiError::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "InvalidPartNumber",
                "The requested partnumber is not satisfiable: objects are kept as one part",
            ));
        }
        let range = match header_value(request.parts, "range") {
            Some(text) => Range::parse(&text, object.bytes)?,
            None => None,
        };
        let Range { from, to } = range.unwrap_or(Range { from: 0, to: object.bytes });
        let body = if request.parts.method == Method::HEAD {
            body::empty()
        } else {
            file.seek(SeekFrom::Start(from)).await.map_err(io_failed("read an object", &path))?;
            let length = to - from;
            // A file that shrinks meanwhile ends early, and the connection with it: the length was announced.
            body::stream(ReaderStream::with_capacity(file.take(length), CHUNK_BYTES))
        };
        let mut response = Response::new(body);
        describe(&mut response, &object, request);
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(to - from));
        if range.is_some() {
            insert(headers, CONTENT_RANGE, &format!("bytes {from}-{}/{}", to - 1, object.bytes));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        } else if header_value(request.parts, "x-amz-checksum-mode")
            .is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"))
            && let Some((algorithm, value)) = &object.note.checksum
        {
            insert(headers, HeaderName::from_static(algorithm.header()), value);
        }
        Ok(response)
    }

    pub(super) async fn put_object(&self, request: Request<'_>) -> Answer {
        let bucket = request.address.bucket()?;
        self.buckets.require(&bucket).await?;
        if request.address.is_folder() {
            return put_folder(request).await;
        }
        let location = request.address.object()?;
        let mut note = described(request.parts)?;
        self.check_place(&location).await?;
        // Before the bytes come, so that a client which waits for it is spared sending them.
        check_write(request.parts, self.find(&location).await?.as_ref().map(|object| object.note.etag.as_str()))?;
        let upload = Upload::new(request.parts, request.payload, request.body)?;
        let mut writer = self.storage.writer(&location).map_err(failed)?;
        let found = match receive(upload, &mut writer).await {
            Ok(found) => found,
            Err(error) => {
                give_up(writer).await;
                return Err(error);
            }
        };
        note.etag = hex(&found.md5);
        note.checksum = found.checksum;
        let note = self.publish(&bucket, &location, writer, note, Some(request.parts)).await?;
        Ok(written(&note))
    }

    /// Makes an object visible with its note, unless the conditions of a request do not hold any more.
    pub(super) async fn publish(
        &self,
        bucket: &Location,
        location: &Location,
        writer: ObjectWriter,
        note: Note,
        conditions: Option<&Parts>,
    ) -> ApiResult<Note> {
        let _held = self.notes.lock(location).await;
        if let Some(parts) = conditions {
            let current = self.find(location).await?;
            if let Err(error) = check_write(parts, current.as_ref().map(|object| object.note.etag.as_str())) {
                give_up(writer).await;
                return Err(error);
            }
        }
        writer.finish().await.map_err(failed)?;
        self.buckets.remember(bucket).await?;
        let file = self.files.file(location);
        let metadata = tokio::fs::metadata(&file).await.map_err(io_failed("read an object", &file))?;
        self.notes.write(location, &metadata, note).await
    }

    /// Refuses a key that a folder cannot hold beside the ones that are there: in S3 `a` and `a/b` may both be objects.
    pub(super) async fn check_place(&self, location: &Location) -> ApiResult<()> {
        self.storage.check_key(location).map_err(failed)?;
        let refused = |what: String| {
            ApiError::new(
                StatusCode::CONFLICT,
                "InvalidRequest",
                format!(
                    "`{location}` cannot be written: {what}, and a folder cannot hold an object and a prefix of one name"
                ),
            )
        };
        if tokio::fs::metadata(self.files.file(location)).await.is_ok_and(|metadata| metadata.is_dir()) {
            return Err(refused("there are objects below it".to_owned()));
        }
        let mut above = location.parent();
        while let Some(prefix) = above.filter(|prefix| !prefix.key().is_empty()) {
            // A path that ends in `/` is never a file.
            let path: PathBuf = self.files.file(&prefix).components().collect();
            match tokio::fs::metadata(&path).await {
                Ok(metadata) if metadata.is_dir() => return Ok(()),
                Ok(_) => return Err(refused(format!("`{}` is an object", prefix.to_string().trim_end_matches('/')))),
                Err(_) => above = prefix.parent(),
            }
        }
        Ok(())
    }
}

/// Opens a file; none when it is not there.
pub(super) async fn open(path: &std::path::Path) -> ApiResult<Option<tokio::fs::File>> {
    use std::io::ErrorKind as Io;
    match tokio::fs::File::open(path).await {
        Ok(file) => Ok(Some(file)),
        Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory | Io::InvalidFilename) => Ok(None),
        Err(error) => Err(io_failed("read an object", path)(error)),
    }
}

/// Answers a client that makes a folder, as some do: there are none, so nothing is made.
async fn put_folder(request: Request<'_>) -> Answer {
    let bytes = Upload::new(request.parts, request.payload, request.body)?.document().await?;
    if !bytes.is_empty() {
        return Err(ApiError::client("InvalidArgument", "a key that ends in `/` is a folder: it cannot hold bytes"));
    }
    Ok(written(&Note { etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(), ..Note::default() }))
}

pub(super) async fn write(writer: &mut ObjectWriter, piece: &[u8]) -> ApiResult<()> {
    match writer.write_all(piece).await {
        Ok(()) => Ok(()),
        Err(error) => Err(failed(writer.failed(error))),
    }
}

/// Writes an upload, and compares it with what was said of it.
async fn receive(mut upload: Upload, writer: &mut ObjectWriter) -> ApiResult<Found> {
    while let Some(piece) = upload.next().await? {
        write(writer, &piece).await?;
    }
    upload.finish()
}

/// Drops what was written of an object that is not to be.
pub(super) async fn give_up(writer: ObjectWriter) {
    if let Err(error) = writer.abort().await {
        tracing::warn!("pieces of an upload stay: {error}");
    }
}

/// Makes the answer to a write.
pub(super) fn written(note: &Note) -> Response<ResponseBody> {
    let mut response = Response::new(body::empty());
    insert(response.headers_mut(), ETAG, &quoted(&note.etag));
    if let Some((algorithm, value)) = &note.checksum {
        insert(response.headers_mut(), HeaderName::from_static(algorithm.header()), value);
    }
    response
}

/// Writes an `ETag` as headers and XML do.
pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// Sets a header; a text that cannot be one is left out.
fn insert(headers: &mut hyper::HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

/// Writes what is known of an object into the headers of an answer.
fn describe(response: &mut Response<ResponseBody>, object: &Object, request: &Request<'_>) {
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(DEFAULT_TYPE));
    for (name, parameter) in KEPT_HEADERS {
        let kept = object.note.headers.get(name).map(String::as_str);
        if let Some(value) = request.query.get(parameter).or(kept) {
            insert(headers, HeaderName::from_static(name), value);
        }
    }
    insert(headers, ETAG, &quoted(&object.note.etag));
    insert(headers, LAST_MODIFIED, &http_time(object.modified));
    for (name, value) in &object.note.metadata {
        if let Ok(name) = HeaderName::try_from(format!("{METADATA}{name}")) {
            insert(headers, name, value);
        }
    }
    if !object.note.tags.is_empty() {
        headers.insert("x-amz-tagging-count", HeaderValue::from(object.note.tags.len()));
    }
}

/// Reads what a writer says of an object in its headers.
pub(super) fn described(parts: &Parts) -> ApiResult<Note> {
    let mut note = Note::default();
    for (name, _) in KEPT_HEADERS {
        let Some(value) = header_value(parts, name) else { continue };
        // How the body comes is nothing of the object.
        let value = if name == "content-encoding" {
            let kept: Vec<&str> =
                value.split(',').map(str::trim).filter(|item| *item != "aws-chunked" && !item.is_empty()).collect();
            kept.join(", ")
        } else {
            value
        };
        if !value.is_empty() {
            note.headers.insert(name.to_owned(), value);
        }
    }
    let mut size = 0;
    for (name, value) in &parts.headers {
        let Some(name) = name.as_str().strip_prefix(METADATA) else { continue };
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        size += name.len() + value.len();
        note.metadata.insert(name.to_owned(), value);
    }
    if size > MAX_METADATA_BYTES {
        return Err(ApiError::client(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size (2 KB).",
        ));
    }
    if let Some(text) = header_value(parts, "x-amz-tagging") {
        note.tags = tags_of_header(&text)?;
    }
    Ok(note)
}

/// Reads `k=v&k2=v2`.
fn tags_of_header(text: &str) -> ApiResult<IndexMap<String, String>> {
    let wrong = || {
        ApiError::client(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
        )
    };
    let mut tags = IndexMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = |text: &str| decode(&text.replace('+', " ")).ok_or_else(wrong);
        if tags.insert(text(name)?, text(value)?).is_some() {
            return Err(wrong());
        }
    }
    check_tags(&tags)?;
    Ok(tags)
}

/// Refuses more tags, or longer ones, than S3 takes.
pub(super) fn check_tags(tags: &IndexMap<String, String>) -> ApiResult<()> {
    if tags.len() > MAX_TAGS {
        return Err(ApiError::client("BadRequest", "Object tags cannot be greater than 10"));
    }
    let sound = |name: &str, value: &str| (1..=128).contains(&name.chars().count()) && value.chars().count() <= 256;
    if tags.iter().all(|(name, value)| sound(name, value)) {
        return Ok(());
    }
    Err(ApiError::client("InvalidTag", "The TagKey or TagValue you have provided is invalid"))
}
