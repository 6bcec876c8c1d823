//! What is known of an archived generation of a window: in the ledger, and in the partition's parameters.

use lake::name::Location;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use crate::checksum::Figures;
use crate::point::SeriesName;

/// An archived object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedFile {
    /// Where it is.
    pub location: Location,
    /// Its bytes.
    pub bytes: u64,
    /// `xxhash64` of its bytes with seed 0, as 16 hexadecimal digits.
    pub hash: String,
    /// The first series in it.
    pub first: String,
    /// The last series in it.
    pub last: String,
    /// Which series it holds; none of an only object, and of a version whose objects follow one another in the order of names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<HashSlot>,
    /// Its end, of one that is read in pieces; none of a small one, and of those that were written before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<ObjectEnd>,
}

/// The end of an object, behind its rows: Parquet's indexes and description, and in that the hashes of the rows' blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectEnd {
    /// Its bytes.
    pub bytes: u64,
    /// `xxhash64` of them with seed 0, as 16 hexadecimal digits.
    pub hash: String,
}

/// A share of all series: those whose `xxhash64` (of the name, seed 0) has this remainder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashSlot {
    /// The remainder, from 0.
    pub number: u64,
    /// The number of shares: what the hash is divided by.
    pub of: u64,
}

impl HashSlot {
    /// Returns the share that a series belongs to.
    pub fn of_series(name: &SeriesName, of: u64) -> Self {
        Self { number: XxHash64::oneshot(0, name.as_str().as_bytes()) % of.max(1), of }
    }

    /// Tells whether a series belongs to it.
    pub fn holds(&self, name: &SeriesName) -> bool {
        Self::of_series(name, self.of) == *self
    }
}

/// A finer window that a roll-up was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MadeFrom {
    /// Its tier.
    pub tier: String,
    /// Its label.
    pub window: String,
    /// Its generation.
    pub generation: u32,
}

/// A generation of a window: what it holds, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// Which one, from 1.
    pub generation: u32,
    /// The prefix of its objects.
    pub prefix: Location,
    /// Its objects, in the order of the series in them.
    pub files: Vec<ArchivedFile>,
    /// What the objects hold, as read back from the storage.
    pub figures: Figures,
    /// What the store held of the window when it was dumped; of a roll-up, what the finer tier held.
    pub source: Figures,
    /// The finer windows, of a roll-up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_from: Vec<MadeFrom>,
    /// How often the window had been touched when the dump began.
    pub touched: u64,
    /// How many writes had begun when it was last compared with its stores: the points of later ones are in a store, or lost. None of
    /// those that were noted before this was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<u64>,
    /// The attempt that made it.
    pub attempt: String,
    /// When, in milliseconds since 1970.
    pub made_ms: i64,
}

impl Archived {
    /// Returns the bytes of all objects.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}
