//! One store for all buckets: a path is `bucket/key`, and each bucket has a client of its own, made when it is first used.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::Opener;

/// How many objects one request deletes: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.
const DELETED_AT_ONCE: usize = 1000;

/// The store of all buckets.
#[derive(Debug, Clone)]
pub(crate) struct Buckets {
    opener: Arc<Opener>,
    opened: Arc<Mutex<HashMap<String, Arc<AmazonS3>>>>,
}

impl Buckets {
    pub(super) fn new(opener: Opener) -> Self {
        Self { opener: Arc::new(opener), opened: Arc::default() }
    }

    fn bucket(&self, name: &str) -> Result<Arc<AmazonS3>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = opened.get(name) {
            return Ok(Arc::clone(store));
        }
        let store = Arc::new(self.opener.open(name)?);
        opened.insert(name.to_owned(), Arc::clone(&store));
        Ok(store)
    }

    /// Finds the bucket of a path, and the key in it.
    fn route(&self, path: &Path) -> Result<(Arc<AmazonS3>, String, Path)> {
        let (bucket, key) = split(path)?;
        Ok((self.bucket(&bucket)?, bucket, key))
    }
}

impl fmt::Display for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3({})", self.opener.endpoint)
    }
}

fn split(path: &Path) -> Result<(String, Path)> {
    let text = path.as_ref();
    let (bucket, key) = text.split_once('/').unwrap_or((text, ""));
    if bucket.is_empty() {
        let path = text.to_owned();
        return Err(Error::InvalidPath { source: object_store::path::Error::EmptySegment { path } });
    }
    Ok((bucket.to_owned(), Path::parse(key)?))
}

fn join(bucket: &str, key: &Path) -> Result<Path> {
    Ok(Path::parse(format!("{bucket}/{key}"))?)
}

fn joined(bucket: &str, meta: ObjectMeta) -> Result<ObjectMeta> {
    Ok(ObjectMeta { location: join(bucket, &meta.location)?, ..meta })
}

#[async_trait]
impl ObjectStore for Buckets {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let (store, _, key) = self.route(location)?;
        store.put_opts(&key, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let (store, _, key) = self.route(location)?;
        store.put_multipart_opts(&key, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (store, bucket, key) = self.route(location)?;
        let result = store.get_opts(&key, options).await?;
        Ok(GetResult { meta: joined(&bucket, result.meta)?, ..result })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let buckets = self.clone();
        locations
            .try_chunks(DELETED_AT_ONCE)
            .map_err(|stopped| stopped.1)
            .and_then(move |paths| {
                let buckets = buckets.clone();
                async move { buckets.delete_some(paths).await }
            })
            .map_ok(futures::stream::iter)
            .try_flatten()
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned().unwrap_or_default();
        let routed = match self.route(&prefix) {
            Ok(routed) => routed,
            Err(error) => return futures::stream::once(async move { Err(error) }).boxed(),
        };
        let (store, bucket, key) = routed;
        let key = Some(&key).filter(|key| !key.as_ref().is_empty());
        store.list(key).and_then(move |meta| futures::future::ready(joined(&bucket, meta))).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let (store, bucket, key) = self.route(&prefix.cloned().unwrap_or_default())?;
        let key = Some(&key).filter(|key| !key.as_ref().is_empty());
        let found = store.list_with_delimiter(key).await?;
        Ok(ListResult {
            objects: found.objects.into_iter().map(|meta| joined(&bucket, meta)).collect::<Result<_>>()?,
            common_prefixes: found.common_prefixes.iter().map(|key| join(&bucket, key)).collect::<Result<_>>()?,
        })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (store, bucket, from_key) = self.route(from)?;
        let (to_bucket, to_key) = split(to)?;
        if bucket != to_bucket {
            return Err(Error::NotSupported { source: format!("a copy from `{from}` to another bucket").into() });
        }
        store.copy_opts(&from_key, &to_key, options).await
    }
}

impl Buckets {
    /// Deletes objects, bucket by bucket; each one has its own result.
    async fn delete_some(&self, paths: Vec<Path>) -> Result<Vec<Result<Path>>> {
        let mut of_bucket: BTreeMap<String, Vec<Path>> = BTreeMap::new();
        for path in paths {
            let (bucket, key) = split(&path)?;
            of_bucket.entry(bucket).or_default().push(key);
        }
        let mut results = Vec::new();
        for (bucket, keys) in of_bucket {
            let keys = futures::stream::iter(keys.into_iter().map(Ok)).boxed();
            let mut deleted = self.bucket(&bucket)?.delete_stream(keys);
            while let Some(result) = deleted.next().await {
                results.push(result.and_then(|key| join(&bucket, &key)));
            }
        }
        Ok(results)
    }
}
