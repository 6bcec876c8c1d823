//! Copying objects inside the warehouse.

use md5::{Digest as _, Md5};
use tokio::io::AsyncReadExt as _;

use super::address::Address;
use super::condition::{State, check_source, check_write, iso_time};
use super::note::Object;
use super::object::{described, give_up, open, quoted, write};
use super::xml::Writer;
use super::{Answer, Request, S3, failed, io_failed, no_such_key};
use crate::auth::canonical::header_value;
use crate::auth::digest::hex;
use crate::error::{ApiError, ApiResult};

/// How much of an object is copied at a time.
const CHUNK_BYTES: usize = 128 << 10;

/// The source of a copy: its file, opened, and what is known of it.
pub(super) struct Source {
    pub(super) file: tokio::fs::File,
    pub(super) path: std::path::PathBuf,
    pub(super) object: Object,
}

impl S3 {
    /// Opens the source that a request names, if its conditions hold.
    pub(super) async fn source(&self, request: &Request<'_>) -> ApiResult<(Address, Source)> {
        let text = header_value(request.parts, "x-amz-copy-source")
            .ok_or_else(|| ApiError::client("InvalidArgument", "the header `x-amz-copy-source` cannot be read"))?;
        let address = Address::of_source(&text)?;
        self.buckets.require(&address.bucket()?).await?;
        let location = address.object()?;
        let path = self.files.file(&location);
        let file = open(&path).await?.ok_or_else(no_such_key)?;
        let metadata = file.metadata().await.map_err(io_failed("read an object", &path))?;
        if !metadata.is_file() {
            return Err(no_such_key());
        }
        let object = self.notes.read(&location, &metadata).await;
        check_source(request.parts, &State { etag: &object.note.etag, modified: object.modified })?;
        Ok((address, Source { file, path, object }))
    }

    pub(super) async fn copy_object(&self, request: &Request<'_>) -> Answer {
        let bucket = request.address.bucket()?;
        self.buckets.require(&bucket).await?;
        let (from, mut source) = self.source(request).await?;
        let location = request.address.object()?;
        let directive = |name: &str| header_value(request.parts, name).unwrap_or_else(|| "COPY".to_owned());
        let replaces = match directive("x-amz-metadata-directive").as_str() {
            "COPY" => false,
            "REPLACE" => true,
            other => {
                let message =
                    format!("expected COPY or REPLACE as `x-amz-metadata-directive`, found `{}`", other.escape_debug());
                return Err(ApiError::client("InvalidArgument", message));
            }
        };
        if from == request.address && !replaces {
            return Err(ApiError::client(
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        self.check_place(&location).await?;
        check_write(request.parts, self.find(&location).await?.as_ref().map(|object| object.note.etag.as_str()))?;
        let own = described(request.parts)?;
        let mut note = source.object.note.clone();
        if replaces {
            note.headers = own.headers;
            note.metadata = own.metadata;
        }
        if directive("x-amz-tagging-directive") == "REPLACE" {
            note.tags = own.tags;
        }
        let mut writer = self.storage.writer(&location).map_err(failed)?;
        let mut md5 = Md5::new();
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let read = source.file.read(&mut buffer).await;
            let read = match read {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => {
                    give_up(writer).await;
                    return Err(io_failed("read an object", &source.path)(error));
                }
            };
            md5.update(&buffer[..read]);
            if let Err(error) = write(&mut writer, &buffer[..read]).await {
                give_up(writer).await;
                return Err(error);
            }
        }
        note.etag = hex(&md5.finalize());
        let note = self.publish(&bucket, &location, writer, note, Some(request.parts)).await?;
        let modified = self.find(&location).await?.map_or_else(|| self.clock.now(), |object| object.modified);
        let mut xml = Writer::new("CopyObjectResult");
        xml.text("LastModified", &iso_time(modified)).text("ETag", &quoted(&note.etag));
        Ok(xml.respond())
    }
}
