//! What is known of an object without reading it.

use object_store::ObjectMeta;

use super::Storage;
use crate::error::Result;
use crate::name::Location;

/// An object in the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Where.
    pub location: Location,
    /// Its bytes.
    pub bytes: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Whether a part of its name below the listed prefix starts with `_` or `.`: readers of tables pass over it.
    pub hidden: bool,
}

/// Makes what is known of an object that was found below a prefix.
pub(super) fn object_of(prefix: &Location, meta: &ObjectMeta) -> Result<Object> {
    let location = Storage::location(&meta.location)?;
    let below = location.key().strip_prefix(prefix.key()).unwrap_or(location.key());
    let hidden = below.split('/').any(|part| part.starts_with(['_', '.']));
    Ok(Object { hidden, bytes: meta.size, modified_ms: meta.last_modified.timestamp_millis(), location })
}
