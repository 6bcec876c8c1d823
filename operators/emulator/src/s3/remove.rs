//! Deleting objects, one or many.

use lake::name::Location;

use super::address::Address;
use super::bucket::no_content;
use super::upload::Upload;
use super::xml::{Element, Writer};
use super::{Answer, Request, S3, failed};
use crate::error::{ApiError, ApiResult};

/// How many objects one call deletes.
const MAX_DELETED: usize = 1000;

impl S3 {
    pub(super) async fn delete_object(&self, request: &Request<'_>) -> Answer {
        let bucket = request.address.bucket()?;
        self.buckets.require(&bucket).await?;
        self.remove(&bucket, &request.address).await?;
        Ok(no_content())
    }

    /// Deletes an object; one that is not there is as good.
    async fn remove(&self, bucket: &Location, address: &Address) -> ApiResult<()> {
        // Folders are nothing here, so that nothing is left of one that is deleted.
        if address.is_folder() {
            return Ok(());
        }
        let location = address.object()?;
        let _held = self.notes.lock(&location).await;
        if self.find(&location).await?.is_none() {
            return Ok(());
        }
        // The last object takes the bucket's folder along.
        self.buckets.remember(bucket).await?;
        self.storage.delete(std::slice::from_ref(&location)).await.map_err(failed)?;
        self.notes.remove(&location).await;
        Ok(())
    }

    pub(super) async fn delete_objects(&self, request: Request<'_>) -> Answer {
        let bucket = request.address.bucket()?;
        self.buckets.require(&bucket).await?;
        let text = Upload::new(request.parts, request.payload, request.body)?.document().await?;
        let wanted = Element::parse(&text)?;
        let malformed =
            |why: &str| ApiError::client("MalformedXML", format!("expected a list of objects to delete: {why}"));
        if wanted.name != "Delete" {
            return Err(malformed("it starts with another element than `Delete`"));
        }
        let keys = wanted
            .all("Object")
            .map(|object| object.get("Key").ok_or_else(|| malformed("an object has no `Key`")))
            .collect::<ApiResult<Vec<_>>>()?;
        if keys.is_empty() || keys.len() > MAX_DELETED {
            return Err(malformed(&format!("expected 1 to {MAX_DELETED} objects, found {}", keys.len())));
        }
        let quiet = wanted.get("Quiet").is_some_and(|text| text.trim() == "true");
        let mut xml = Writer::new("DeleteResult");
        for key in keys {
            match self.remove(&bucket, &request.address.with_key(key)).await {
                Ok(()) if quiet => {}
                Ok(()) => {
                    xml.open("Deleted").text("Key", key).close();
                }
                Err(error) => {
                    xml.open("Error")
                        .text("Key", key)
                        .text("Code", &error.code)
                        .text("Message", &error.message)
                        .close();
                }
            }
        }
        Ok(xml.respond())
    }
}
