//! S3's API over the lake's storage: `s3://bucket/key` is the same object here and in the lake.
//!
//! The operations are those that clients of a lake call, with the answers of
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>. What a folder cannot
//! keep of an object (its `ETag`, type, metadata and tags) is in a note beside the state, see [`note`].

mod address;
mod bucket;
mod checksum;
mod condition;
mod copy;
mod list;
mod multipart;
mod note;
mod object;
mod operation;
mod remove;
mod tagging;
#[cfg(test)]
mod tests;
mod upload;
pub(crate) mod xml;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use lake::storage::{Folder, Storage};
use lake::{ErrorKind, Lake};

use crate::auth::Gate;
use crate::auth::canonical::Query;
use crate::body::{RequestBody, ResponseBody};
use crate::error::{ApiError, ApiResult};
use crate::server::Service;
use address::Address;
pub(crate) use bucket::Buckets;
use note::Notes;
use operation::Operation as Op;
pub(crate) use operation::Operation;
use upload::Payload;

/// Below the folder of the state: what the endpoint keeps beside the lake.
const FOLDER: &str = "emulate";

/// Returns where the names of buckets are that stay when their last object goes, below the folder of the state.
pub(crate) fn bucket_names(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER).join("buckets")
}

/// The service.
#[derive(Debug)]
pub(crate) struct S3 {
    storage: Storage,
    /// Where its objects are.
    files: Folder,
    buckets: Arc<Buckets>,
    notes: Notes,
    /// The folder of unfinished multipart uploads.
    uploads: PathBuf,
    region: String,
    clock: Arc<dyn lake::clock::Clock>,
}

/// A request of S3 that may be carried out.
struct Request<'r> {
    parts: &'r Parts,
    query: &'r Query,
    address: Address,
    payload: Payload,
    body: RequestBody,
}

type Answer = ApiResult<Response<ResponseBody>>;

impl S3 {
    /// Opens the service of a lake.
    pub(crate) async fn open(lake: Lake, region: String) -> lake::Result<Self> {
        let folder = lake.settings.state_dir.join(FOLDER);
        let names = bucket_names(&lake.settings.state_dir);
        let files = lake.storage.folder().cloned().ok_or_else(|| {
            let message = "only a lake in a folder can be served: this one is on AWS";
            lake::Error::new(ErrorKind::InvalidInput, "serve a lake", message)
        })?;
        let uploads = folder.join("uploads");
        multipart::open(&uploads).await?;
        Ok(Self {
            buckets: Arc::new(Buckets::open(lake.storage.clone(), files.clone(), names).await?),
            notes: Notes::open(folder.join("objects")).await?,
            uploads,
            storage: lake.storage,
            files,
            region,
            clock: lake.settings.clock,
        })
    }

    /// Returns the buckets.
    pub(crate) fn buckets(&self) -> Arc<Buckets> {
        Arc::clone(&self.buckets)
    }

    /// Answers a request.
    pub(crate) async fn call(
        &self,
        parts: &Parts,
        query: &Query,
        gate: &Gate,
        body: RequestBody,
        request_id: &str,
    ) -> Response<ResponseBody> {
        let mut response = match self.try_call(parts, query, gate, body).await {
            Ok(response) => response,
            Err(error) => xml::respond_error(&error, parts, request_id),
        };
        if let Ok(id) = hyper::header::HeaderValue::from_str(request_id) {
            response.headers_mut().insert("x-amz-request-id", id);
        }
        response
    }

    async fn try_call(&self, parts: &Parts, query: &Query, gate: &Gate, body: RequestBody) -> Answer {
        let (payload, sha256) = Payload::of(parts)?;
        let signer = gate.check(Service::S3, parts, query, &sha256).map_err(|refusal| refusal.error(Service::S3))?;
        let operation = Operation::of(parts, query);
        let address = Address::of(parts)?;
        let request = Request { parts, query, address, payload: payload.signed_with(signer), body };
        match operation {
            Op::ListBuckets => self.list_buckets().await,
            Op::CreateBucket => self.create_bucket(&request).await,
            Op::HeadBucket => self.head_bucket(&request).await,
            Op::DeleteBucket => self.delete_bucket(&request).await,
            Op::GetBucketLocation => self.bucket_location(&request).await,
            Op::GetBucketVersioning => self.bucket_versioning(&request).await,
            Op::GetBucketAcl | Op::GetObjectAcl => self.acl(&request).await,
            Op::ListObjects => self.list_objects(&request).await,
            Op::ListObjectsV2 => self.list_objects_v2(&request).await,
            Op::GetObject | Op::HeadObject => self.get_object(&request).await,
            Op::PutObject => self.put_object(request).await,
            Op::CopyObject => self.copy_object(&request).await,
            Op::DeleteObject => self.delete_object(&request).await,
            Op::DeleteObjects => self.delete_objects(request).await,
            Op::GetObjectTagging => self.get_tagging(&request).await,
            Op::PutObjectTagging => self.put_tagging(request).await,
            Op::DeleteObjectTagging => self.delete_tagging(&request).await,
            Op::CreateMultipartUpload => self.create_upload(&request).await,
            Op::UploadPart => self.upload_part(request).await,
            Op::UploadPartCopy => self.upload_part_copy(&request).await,
            Op::CompleteMultipartUpload => self.complete_upload(request).await,
            Op::AbortMultipartUpload => self.abort_upload(&request).await,
            Op::ListParts => self.list_parts(&request).await,
            Op::ListMultipartUploads => self.list_uploads(&request).await,
            Op::GetBucketSetting(setting) => {
                self.buckets.require(&request.address.bucket()?).await?;
                Err(ApiError::new(StatusCode::NOT_FOUND, setting.absent(), "this bucket has no such setting"))
            }
            Op::Unknown => Err(ApiError::new(
                StatusCode::NOT_IMPLEMENTED,
                "NotImplemented",
                format!(
                    "`{} {}` is not served here: the endpoint serves buckets, objects, tags and multipart uploads",
                    parts.method,
                    parts.uri.path_and_query().map_or("/", |path| path.as_str())
                ),
            )),
        }
    }
}

/// Makes S3's error of the lake's.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn failed(error: lake::Error) -> ApiError {
    let message = error.to_string();
    match error.kind {
        ErrorKind::NotFound => no_such_key(),
        ErrorKind::AlreadyExists => precondition_failed(),
        ErrorKind::InvalidInput => ApiError::client("InvalidArgument", message),
        ErrorKind::PermissionDenied => ApiError::new(StatusCode::FORBIDDEN, "AccessDenied", message),
        ErrorKind::ResourcesExhausted => {
            ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage", message)
        }
        _ => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message),
    }
}

/// Makes S3's error of a failed system call on a file of the endpoint.
fn io_failed(operation: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> ApiError {
    move |error| failed(lake::Error::io(operation, path, error))
}

fn no_such_key() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
}

fn precondition_failed() -> ApiError {
    ApiError::new(
        StatusCode::PRECONDITION_FAILED,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    )
}
