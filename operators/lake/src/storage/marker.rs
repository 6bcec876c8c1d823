//! The marker `_suiro.json`: what says that a prefix is ours to delete.
//!
//! A version root (`<table>--versions/`) carries one before the first version is written, because the version prefix itself
//! must be empty when a query starts to write there; a finished version carries its own with what was published.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::{Put, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;

/// How many markers are written at a time.
const MARKS_AT_ONCE: usize = 16;

/// The name of the marker; hidden from readers by its `_`.
pub const MARKER: &str = "_suiro.json";

/// What a marker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Always `suiro`.
    pub owner: String,
    /// Of what it is the marker.
    pub kind: MarkerKind,
    /// What was published, for one who has lost the catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<serde_json::Value>,
}

/// Of what a marker is the marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkerKind {
    /// The versions below it, each two levels down: `<hash of values>/<version>/`.
    VersionRoot,
    /// All below it.
    Prefix,
    /// The objects that its record lists ([`PlaceRecord`]), at a place that others may write to as well.
    Place,
}

/// What the marker of a place lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceRecord {
    /// The names of our objects, below the place.
    pub objects: BTreeSet<String>,
}

impl PlaceRecord {
    /// Reads the list of a marker; none for a marker of another kind.
    pub fn of(marker: &Marker) -> Option<Self> {
        let record = marker.record.clone().filter(|_| marker.kind == MarkerKind::Place)?;
        serde_json::from_value(record).ok()
    }
}

impl Marker {
    /// Makes a marker.
    pub fn new(kind: MarkerKind, record: Option<serde_json::Value>) -> Self {
        Self { owner: "suiro".to_owned(), kind, record }
    }
}

impl Storage {
    /// Writes the marker of a prefix; repeating it is fine.
    ///
    /// # Errors
    /// As [`Storage::put`].
    pub async fn mark(&self, prefix: &Location, marker: &Marker) -> Result<()> {
        self.mark_all(&[(prefix.clone(), marker.clone())]).await
    }

    /// Writes the markers of prefixes, several at a time; repeating it is fine.
    ///
    /// # Errors
    /// As [`Storage::put`]; some may be written by then.
    pub async fn mark_all(&self, markers: &[(Location, Marker)]) -> Result<()> {
        let mut texts = Vec::with_capacity(markers.len());
        for (prefix, marker) in markers {
            let text = serde_json::to_vec(marker).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, "write a marker", "the marker cannot be written as JSON")
                    .source(error)
            })?;
            texts.push((prefix.join(MARKER)?, Bytes::from(text)));
        }
        let puts: Vec<_> =
            texts.iter().map(|(location, text)| self.place(location, text.clone(), Put::Replace)).collect();
        futures::stream::iter(puts).buffer_unordered(MARKS_AT_ONCE).try_collect::<()>().await?;
        self.sync_all(&texts.into_iter().map(|(location, _)| location).collect::<Vec<_>>()).await
    }

    /// Deletes the marker of a version root that nothing else is below, and the folders that are left of it. A root that somebody
    /// has put something below stays as it is.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn remove_empty_root(&self, root: &Location) -> Result<()> {
        let marker = root.join(MARKER)?;
        if self.list(root).await?.iter().any(|object| object.location != marker) {
            return Ok(());
        }
        match self.marker(root).await? {
            Some(found) if found.kind != MarkerKind::VersionRoot => Ok(()),
            _ => {
                self.delete(&[marker]).await?;
                self.remove_empty_folders(root).await
            }
        }
    }

    /// Reads the marker of a prefix.
    ///
    /// # Errors
    /// As [`Storage::read`]; a file of that name that is no marker counts as none.
    pub async fn marker(&self, prefix: &Location) -> Result<Option<Marker>> {
        let location = prefix.join(MARKER)?;
        match self.read(&location).await {
            Ok(bytes) => Ok(serde_json::from_slice::<Marker>(&bytes).ok().filter(|marker| marker.owner == "suiro")),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Tells whether a prefix is ours: it, or a prefix above it, carries a marker or is a version under a marked version root,
/// or the nearest place that holds it lists all its objects.
pub(super) async fn owned(storage: &Storage, prefix: &Location) -> Result<bool> {
    let mut place = Some(prefix.clone());
    while let Some(above) = place.filter(|above| !above.key().is_empty()) {
        if owned_itself(storage, &above).await? {
            return Ok(true);
        }
        if let Some(record) = storage.marker(&above).await?.as_ref().and_then(PlaceRecord::of) {
            return lists_all(storage, prefix, &above, &record).await;
        }
        place = above.parent();
    }
    Ok(false)
}

/// Tells whether all objects below a prefix are on the list of the place that holds it.
async fn lists_all(storage: &Storage, prefix: &Location, place: &Location, record: &PlaceRecord) -> Result<bool> {
    let objects = storage.list(prefix).await?;
    Ok(objects.iter().filter(|object| object.location.file_name() != MARKER).all(|object| {
        object.location.key().strip_prefix(place.key()).is_some_and(|name| record.objects.contains(name))
    }))
}

async fn owned_itself(storage: &Storage, prefix: &Location) -> Result<bool> {
    if storage.marker(prefix).await?.is_some_and(|marker| marker.kind == MarkerKind::Prefix) {
        return Ok(true);
    }
    let root = prefix.parent().and_then(|values| values.parent());
    match root {
        Some(root) if is_version_name(prefix.file_name()) => {
            Ok(storage.marker(&root).await?.is_some_and(|marker| marker.kind == MarkerKind::VersionRoot))
        }
        _ => Ok(false),
    }
}

/// Tells whether a name has the form `20260102T030405Z-0123456789ab-g1`.
pub(crate) fn is_version_name(name: &str) -> bool {
    let mut parts = name.split('-');
    let (time, hash, generation) = (parts.next(), parts.next(), parts.next());
    let time_ok = time.is_some_and(|time| {
        time.len() == 16
            && time.bytes().enumerate().all(|(index, byte)| match index {
                8 => byte == b'T',
                15 => byte == b'Z',
                _ => byte.is_ascii_digit(),
            })
    });
    let hash_ok = hash.is_some_and(|hash| hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let generation_ok = generation
        .and_then(|text| text.strip_prefix('g'))
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    time_ok && hash_ok && generation_ok && parts.next().is_none()
}
