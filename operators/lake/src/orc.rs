//! ORC files: the stripes of a file as arrays, and arrays as a file.
//!
//! <https://orc.apache.org/specification/ORCv1/>. Why it is ours, and no crate's, stands in `docs/choices.md`.

mod bits;
mod chunk;
mod column;
mod encode;
mod integer;
mod lzo;
mod message;
mod nested;
mod object;
mod read;
mod tail;
mod time;
mod write;

pub(crate) use chunk::Codec;
pub(crate) use object::StoredObject;
pub(crate) use read::{OrcFile, Ranges};
pub(crate) use write::{OrcEncoder, has_form};

use std::io;

/// How deep types are nested at most.
const DEPTH: usize = 64;

/// Makes the error of a file that is not as the specification has it.
fn bad(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

#[cfg(test)]
pub(crate) mod tests;
