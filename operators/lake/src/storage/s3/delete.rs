//! Deletes objects a thousand at a time. S3 answers for each key, with success as a whole: every answer is looked at.

use std::time::Duration;

use futures::StreamExt as _;
use object_store::ObjectStore;

use super::error;
use crate::error::{Result, Retryable};
use crate::name::Location;
use crate::storage::Storage;

/// How often keys that S3 was too busy for are tried again.
const REPEATS: u32 = 5;

/// The first pause before that; it doubles.
const PAUSE: Duration = Duration::from_millis(200);

/// Deletes objects; those that are not there are passed over.
pub(crate) async fn delete(store: &dyn ObjectStore, locations: &[Location]) -> Result<()> {
    let mut repeats = 0;
    loop {
        let paths = locations.iter().map(Storage::store_path).collect::<Result<Vec<_>>>()?;
        let mut deleted = store.delete_stream(futures::stream::iter(paths.into_iter().map(Ok)).boxed());
        let mut failed = None;
        // To the end, whatever fails: what can go is gone then.
        while let Some(result) = deleted.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let Some(failed) = failed else { return Ok(()) };
        let failed = error::of("delete an object", None, None, failed);
        if failed.retryable == Retryable::No || repeats == REPEATS {
            return Err(failed);
        }
        tokio::time::sleep(PAUSE * 2_u32.pow(repeats)).await;
        repeats += 1;
    }
}
