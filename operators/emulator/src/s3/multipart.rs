//! Uploads in parts: each part is a file of its own until the upload is completed.
//!
//! A completed upload is remembered for as long as the endpoint runs: a client that lost the answer asks again and gets it.

mod store;

use hyper::Response;
use hyper::http::request::Parts;
use lake::name::Location;
use md5::{Digest as _, Md5};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::bucket::no_content;
use super::checksum::Algorithm;
use super::condition::{Range, check_write, iso_time};
use super::note::Note;
use super::object::{described, give_up, open as open_file, quoted, write, written};
use super::upload::Upload;
use super::xml::{Element, Writer};
use super::{Answer, Request, S3, failed, io_failed};
use crate::auth::canonical::header_value;
use crate::auth::digest::{hex, unhex};
use crate::body;
use crate::error::{ApiError, ApiResult};

use store::{Part, PartWriter, Started};

/// How many parts an upload may have.
const MAX_PARTS: u32 = 10_000;

/// How short a part may be that is not the last one.
const MIN_PART_BYTES: u64 = 5 << 20;

/// How much of a part is copied at a time.
const CHUNK_BYTES: usize = 128 << 10;

/// How many parts a page lists.
const MAX_LISTED: usize = 1000;

/// Opens the folder of uploads.
pub(super) async fn open(folder: &std::path::Path) -> lake::Result<()> {
    store::open(folder).await
}

impl S3 {
    /// Returns the upload that a request names.
    async fn upload(&self, request: &Request<'_>) -> ApiResult<Started> {
        let id = request.query.get("uploadId").unwrap_or_default();
        let started = Started::find(&self.uploads, id).await?.ok_or_else(no_such_upload)?;
        if started.bucket == request.address.bucket_name() && started.key == request.address.key() {
            Ok(started)
        } else {
            Err(no_such_upload())
        }
    }

    pub(super) async fn create_upload(&self, request: &Request<'_>) -> Answer {
        self.buckets.require(&request.address.bucket()?).await?;
        let location = request.address.object()?;
        self.check_place(&location).await?;
        let started = Started::make(&self.uploads, &location, described(request.parts)?, self.clock.now()).await?;
        let mut xml = Writer::new("InitiateMultipartUploadResult");
        xml.text("Bucket", location.bucket()).text("Key", location.key()).text("UploadId", &started.id);
        Ok(xml.respond())
    }

    pub(super) async fn upload_part(&self, request: Request<'_>) -> Answer {
        let started = self.upload(&request).await?;
        started.refuse_done()?;
        let number = part_number(&request)?;
        let mut upload = Upload::new(request.parts, request.payload, request.body)?;
        let mut writer = PartWriter::open(&started, number).await?;
        while let Some(piece) = upload.next().await? {
            writer.write(&piece).await?;
        }
        let found = upload.finish()?;
        let part = writer.finish(hex(&found.md5)).await?;
        Ok(written(&Note { etag: part.etag, checksum: found.checksum, ..Note::default() }))
    }

    pub(super) async fn upload_part_copy(&self, request: &Request<'_>) -> Answer {
        let started = self.upload(request).await?;
        started.refuse_done()?;
        let number = part_number(request)?;
        let (_, mut source) = self.source(request).await?;
        let length = source.object.bytes;
        let range = match header_value(request.parts, "x-amz-copy-source-range") {
            None => Range { from: 0, to: length },
            Some(text) => Range::parse(&text, length)?.ok_or_else(|| {
                ApiError::client(
                    "InvalidArgument",
                    "The x-amz-copy-source-range value must be of the form bytes=first-last",
                )
            })?,
        };
        source
            .file
            .seek(std::io::SeekFrom::Start(range.from))
            .await
            .map_err(io_failed("read an object", &source.path))?;
        let mut reader = source.file.take(range.to - range.from);
        let mut writer = PartWriter::open(&started, number).await?;
        let mut md5 = Md5::new();
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let read = reader.read(&mut buffer).await.map_err(io_failed("read an object", &source.path))?;
            if read == 0 {
                break;
            }
            md5.update(&buffer[..read]);
            writer.write(&buffer[..read]).await?;
        }
        let part = writer.finish(hex(&md5.finalize())).await?;
        let mut xml = Writer::new("CopyPartResult");
        xml.text("LastModified", &iso_time(self.clock.now())).text("ETag", &quoted(&part.etag));
        Ok(xml.respond())
    }

    pub(super) async fn complete_upload(&self, request: Request<'_>) -> Answer {
        let started = self.upload(&request).await?;
        let bucket = request.address.bucket()?;
        let location = request.address.object()?;
        let parts = request.parts;
        let text = Upload::new(parts, request.payload, request.body)?.document().await?;
        let wanted = wanted_parts(&Element::parse(&text)?)?;
        if let Some(etag) = &started.done {
            return Ok(completed(parts, &location, etag));
        }
        let chosen = choose(&started.parts().await?, &wanted)?;
        self.check_place(&location).await?;
        check_write(parts, self.find(&location).await?.as_ref().map(|object| object.note.etag.as_str()))?;
        let mut writer = self.storage.writer(&location).map_err(failed)?;
        for part in &chosen {
            if let Err(error) = append(&mut writer, part).await {
                give_up(writer).await;
                return Err(error);
            }
        }
        let note = Note { etag: etag_of_parts(&chosen), ..started.note.clone() };
        let note = self.publish(&bucket, &location, writer, note, Some(parts)).await?;
        started.complete(&note.etag).await?;
        Ok(completed(parts, &location, &note.etag))
    }

    pub(super) async fn abort_upload(&self, request: &Request<'_>) -> Answer {
        self.upload(request).await?.remove().await?;
        Ok(no_content())
    }

    pub(super) async fn list_parts(&self, request: &Request<'_>) -> Answer {
        let started = self.upload(request).await?;
        started.refuse_done()?;
        let marker: u32 =
            request.query.get("part-number-marker").and_then(|text| text.parse().ok()).unwrap_or_default();
        let most =
            request.query.get("max-parts").and_then(|text| text.parse().ok()).unwrap_or(MAX_LISTED).min(MAX_LISTED);
        let mut parts = started.parts().await?;
        parts.retain(|part| part.number > marker);
        let truncated = parts.len() > most;
        parts.truncate(most);
        let mut xml = Writer::new("ListPartsResult");
        xml.text("Bucket", &started.bucket)
            .text("Key", &started.key)
            .text("UploadId", &started.id)
            .text("PartNumberMarker", &marker.to_string())
            .text("MaxParts", &most.to_string())
            .text("IsTruncated", &truncated.to_string());
        if let Some(last) = parts.last().filter(|_| truncated) {
            xml.text("NextPartNumberMarker", &last.number.to_string());
        }
        for part in &parts {
            xml.open("Part")
                .text("PartNumber", &part.number.to_string())
                .text("LastModified", &iso_time(part.modified))
                .text("ETag", &quoted(&part.etag))
                .text("Size", &part.bytes.to_string())
                .close();
        }
        Ok(xml.respond())
    }

    pub(super) async fn list_uploads(&self, request: &Request<'_>) -> Answer {
        let bucket = request.address.bucket()?;
        self.buckets.require(&bucket).await?;
        let prefix = request.query.get("prefix").unwrap_or_default();
        let marker = (
            request.query.get("key-marker").unwrap_or_default(),
            request.query.get("upload-id-marker").unwrap_or_default(),
        );
        let mut uploads = Started::all(&self.uploads).await?;
        uploads.retain(|upload| {
            let place = (upload.key.as_str(), upload.id.as_str());
            upload.bucket == bucket.bucket()
                && upload.done.is_none()
                && upload.key.starts_with(prefix)
                && place > marker
        });
        uploads.sort_by(|left, right| (&left.key, &left.id).cmp(&(&right.key, &right.id)));
        let truncated = uploads.len() > MAX_LISTED;
        uploads.truncate(MAX_LISTED);
        let mut xml = Writer::new("ListMultipartUploadsResult");
        xml.text("Bucket", bucket.bucket())
            .text("KeyMarker", marker.0)
            .text("UploadIdMarker", marker.1)
            .text("Prefix", prefix)
            .text("MaxUploads", &MAX_LISTED.to_string())
            .text("IsTruncated", &truncated.to_string());
        if let Some(last) = uploads.last().filter(|_| truncated) {
            xml.text("NextKeyMarker", &last.key).text("NextUploadIdMarker", &last.id);
        }
        for upload in &uploads {
            xml.open("Upload")
                .text("Key", &upload.key)
                .text("UploadId", &upload.id)
                .text("Initiated", &iso_time(upload.started))
                .text("StorageClass", "STANDARD")
                .close();
        }
        Ok(xml.respond())
    }
}

/// Copies a part behind what is written.
async fn append(writer: &mut lake::storage::ObjectWriter, part: &Part) -> ApiResult<()> {
    let mut file = open_file(&part.path).await?.ok_or_else(|| invalid_part(part.number))?;
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut buffer).await.map_err(io_failed("read a part", &part.path))?;
        if read == 0 {
            return Ok(());
        }
        write(writer, &buffer[..read]).await?;
    }
}

/// Reads the number of a part.
fn part_number(request: &Request<'_>) -> ApiResult<u32> {
    let text = request.query.get("partNumber").unwrap_or_default();
    text.parse().ok().filter(|number| (1..=MAX_PARTS).contains(number)).ok_or_else(|| {
        ApiError::client(
            "InvalidArgument",
            format!("Part number must be an integer between 1 and {MAX_PARTS}, inclusive"),
        )
    })
}

/// Reads the parts that an upload is to be made of: their numbers and `ETag`s.
fn wanted_parts(document: &Element) -> ApiResult<Vec<(u32, String)>> {
    let malformed =
        || ApiError::client("MalformedXML", "expected `CompleteMultipartUpload` with parts of `PartNumber` and `ETag`");
    if document.name != "CompleteMultipartUpload" {
        return Err(malformed());
    }
    let parts = document
        .all("Part")
        .map(|part| {
            let number = part.get("PartNumber").and_then(|text| text.trim().parse().ok()).ok_or_else(malformed)?;
            let etag = part.get("ETag").ok_or_else(malformed)?;
            Ok((number, etag.trim().trim_matches('"').to_owned()))
        })
        .collect::<ApiResult<Vec<_>>>()?;
    if parts.is_empty() {
        return Err(malformed());
    }
    if !parts.is_sorted_by(|(left, _), (right, _)| left < right) {
        return Err(ApiError::client("InvalidPartOrder", "The list of parts was not in ascending order."));
    }
    Ok(parts)
}

/// Takes the parts that are wanted out of those that are there.
fn choose(parts: &[Part], wanted: &[(u32, String)]) -> ApiResult<Vec<Part>> {
    let mut chosen = Vec::with_capacity(wanted.len());
    for (number, etag) in wanted {
        let part = parts.iter().find(|part| part.number == *number && part.etag == *etag);
        chosen.push(part.cloned().ok_or_else(|| invalid_part(*number))?);
    }
    let too_small =
        chosen.split_last().is_some_and(|(_, others)| others.iter().any(|part| part.bytes < MIN_PART_BYTES));
    if too_small {
        return Err(ApiError::client(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size: all parts but the last have 5 MiB or more",
        ));
    }
    Ok(chosen)
}

/// Returns the `ETag` of an object in parts: the MD5 of their MD5s, and how many they are.
fn etag_of_parts(parts: &[Part]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(unhex(&part.etag).unwrap_or_default());
    }
    format!("{}-{}", hex(&md5.finalize()), parts.len())
}

fn completed(parts: &Parts, location: &Location, etag: &str) -> Response<body::ResponseBody> {
    let host = header_value(parts, "host").unwrap_or_default();
    let mut xml = Writer::new("CompleteMultipartUploadResult");
    xml.text("Location", &format!("http://{host}/{}/{}", location.bucket(), location.key()))
        .text("Bucket", location.bucket())
        .text("Key", location.key())
        .text("ETag", &quoted(etag));
    // A checksum of the whole that the client sent along is said again: what it covers was checked part by part.
    for algorithm in Algorithm::ALL {
        xml.some(algorithm.element(), header_value(parts, algorithm.header()).as_deref());
    }
    xml.respond()
}

fn no_such_upload() -> ApiError {
    ApiError::new(
        hyper::StatusCode::NOT_FOUND,
        "NoSuchUpload",
        "The specified multipart upload does not exist. The upload ID might be invalid, or the multipart upload might have \
         been aborted or completed.",
    )
}

fn invalid_part(number: u32) -> ApiError {
    ApiError::client(
        "InvalidPart",
        format!("part {number} could not be found, or its entity tag does not match the part's entity tag"),
    )
}
