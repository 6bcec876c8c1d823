//! Objects that several writers change in turn: each change names the state that it was made from.
//!
//! Only on S3: in a folder the lake's `SQLite` file does that.

use bytes::Bytes;
use object_store::{ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};

use super::Storage;
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;

/// The state of an object, as the store names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag(String);

impl Storage {
    /// Reads an object with its state; none when it is not there.
    pub(crate) async fn read_tagged(&self, location: &Location) -> Result<Option<(Bytes, Tag)>> {
        let failed = |error| self.failed("read an object", Some(location), error);
        let result = match self.store.get(&Self::store_path(location)?).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            result => result.map_err(failed)?,
        };
        let tag = Tag(result.meta.e_tag.clone().ok_or_else(|| without_tag(location))?);
        Ok(Some((result.bytes().await.map_err(failed)?, tag)))
    }

    /// Writes an object that is in the state `from` (none: that is not there), and returns its new state; none when it is in
    /// another one.
    ///
    /// It needs `s3:PutObject` and `s3:GetObject`
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
    pub(crate) async fn swap(&self, location: &Location, from: Option<&Tag>, bytes: Bytes) -> Result<Option<Tag>> {
        let mode = match from {
            None => PutMode::Create,
            Some(Tag(tag)) => PutMode::Update(UpdateVersion { e_tag: Some(tag.clone()), version: None }),
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(&Self::store_path(location)?, bytes.into(), options).await {
            Ok(put) => put.e_tag.map(|tag| Some(Tag(tag))).ok_or_else(|| without_tag(location)),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(None),
            Err(error) => Err(self.failed("write an object", Some(location), error)),
        }
    }
}

fn without_tag(location: &Location) -> Error {
    let message = format!("the store gives `{location}` no ETag: writers on several machines cannot take turns");
    Error::new(ErrorKind::External, "write an object", message)
}
