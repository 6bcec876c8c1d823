//! What stands at the end of a file: its types, its stripes, its rows; and at the end of a stripe: its streams.

use std::io;

use bytes::Bytes;

use super::chunk::{CHUNK_BYTES, Chunks, Codec, Packing};
use super::integer::Version;
use super::message::{Fields, Value};
use super::read::Ranges;
use super::{DEPTH, bad};

/// Bytes that are read at first: most tails are shorter.
const GUESS: u64 = 16 << 10;

/// A footer is shorter than this, unpacked.
const FOOTER_BYTES: usize = 256 << 20;

/// The chunk of a file that does not say how long its chunks are.
const DEFAULT_CHUNK: u64 = 256 << 10;

/// What a column holds. The numbers are the specification's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Byte,
    Short,
    Int,
    Long,
    Float,
    Double,
    String,
    Binary,
    Timestamp,
    List,
    Map,
    Struct,
    Union,
    Decimal,
    Date,
    Varchar,
    Char,
    Instant,
}

/// All kinds by their numbers.
const KINDS: [Kind; 19] = [
    Kind::Boolean,
    Kind::Byte,
    Kind::Short,
    Kind::Int,
    Kind::Long,
    Kind::Float,
    Kind::Double,
    Kind::String,
    Kind::Binary,
    Kind::Timestamp,
    Kind::List,
    Kind::Map,
    Kind::Struct,
    Kind::Union,
    Kind::Decimal,
    Kind::Date,
    Kind::Varchar,
    Kind::Char,
    Kind::Instant,
];

impl Kind {
    pub(super) fn number(self) -> u64 {
        KINDS.iter().position(|kind| *kind == self).and_then(|at| u64::try_from(at).ok()).unwrap_or_default()
    }
}

/// A type of a file: the first is the row, and those inside a type have higher numbers than itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypeNode {
    pub(super) kind: Kind,
    pub(super) children: Vec<usize>,
    pub(super) names: Vec<String>,
    pub(super) precision: u64,
    pub(super) scale: u64,
}

/// Where a stripe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stripe {
    pub(super) offset: u64,
    pub(super) index: u64,
    pub(super) data: u64,
    pub(super) footer: u64,
    pub(super) rows: u64,
}

/// What stands at the end of a file.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) packing: Packing,
    pub(super) types: Vec<TypeNode>,
    pub(super) stripes: Vec<Stripe>,
    pub(super) rows: u64,
}

/// A stream of a stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) kind: u64,
    pub(super) column: usize,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// How a column is encoded in a stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    pub(super) version: Version,
    pub(super) is_dictionary: bool,
    pub(super) dictionary_size: usize,
}

/// What stands at the end of a stripe.
#[derive(Debug)]
pub(super) struct StripeFooter {
    pub(super) streams: Vec<Stream>,
    pub(super) encodings: Vec<Encoding>,
    pub(super) time_zone: String,
}

/// Reads the end of a file.
pub(super) fn read(file: &mut impl Ranges) -> io::Result<Tail> {
    let end = file.length();
    let no_orc = || bad("it does not end as an ORC file does");
    let mut last = file.read(end.saturating_sub(GUESS)..end)?;
    let length = last.last().copied().map(usize::from).ok_or_else(no_orc)?;
    let script_at = (last.len() - 1).checked_sub(length).ok_or_else(no_orc)?;
    let script = last.slice(script_at..last.len() - 1);
    let Script { footer_bytes, packing } = script_of(&script).map_err(|error| match error.kind() {
        io::ErrorKind::Unsupported => error,
        _ => no_orc(),
    })?;
    let behind = u64::try_from(length).unwrap_or_default() + 1;
    let footer_at = end.checked_sub(behind).and_then(|at| at.checked_sub(footer_bytes)).ok_or_else(no_orc)?;
    if footer_bytes > u64::try_from(script_at).unwrap_or_default() {
        last = file.read(footer_at..end - behind)?;
    } else {
        let from = script_at.saturating_sub(usize::try_from(footer_bytes).unwrap_or_default());
        last = last.slice(from..script_at);
    }
    let footer = Chunks::new(last, packing).rest(FOOTER_BYTES)?;
    footer_of(&footer, packing, footer_at)
}

struct Script {
    footer_bytes: u64,
    packing: Packing,
}

fn script_of(script: &[u8]) -> io::Result<Script> {
    let (mut footer_bytes, mut codec, mut chunk, mut is_orc) = (0, 0, DEFAULT_CHUNK, false);
    for field in Fields::of(script) {
        match field? {
            (1, value) => footer_bytes = value.number(),
            (2, value) => codec = value.number(),
            (3, value) => chunk = value.number(),
            (8000, Value::Bytes(magic)) => is_orc = magic == b"ORC",
            _ => {}
        }
    }
    if !is_orc {
        return Err(bad("it does not end as an ORC file does"));
    }
    let unsupported = |error: io::Error| io::Error::new(io::ErrorKind::Unsupported, error.to_string());
    let codec = Codec::of(codec).map_err(unsupported)?;
    let chunk = usize::try_from(chunk)
        .ok()
        .filter(|chunk| *chunk <= CHUNK_BYTES)
        .ok_or_else(|| unsupported(bad(format!("its chunks are of {chunk} bytes, and may be of {CHUNK_BYTES}"))))?;
    Ok(Script { footer_bytes, packing: Packing { codec, chunk } })
}

fn footer_of(footer: &[u8], packing: Packing, end: u64) -> io::Result<Tail> {
    let (mut types, mut stripes, mut rows) = (Vec::new(), Vec::new(), 0);
    for field in Fields::of(footer) {
        match field? {
            (3, value) => stripes.push(stripe_of(value.bytes(), end)?),
            (4, value) => types.push(type_of(value.bytes())?),
            (6, value) => rows = value.number(),
            (10, _) => return Err(bad("it has encrypted columns")),
            _ => {}
        }
    }
    check(&types)?;
    let counted = stripes.iter().try_fold(0_u64, |sum, stripe: &Stripe| sum.checked_add(stripe.rows));
    if counted != Some(rows) {
        return Err(bad(format!("its stripes have not the {rows} rows that it says it has")));
    }
    Ok(Tail { packing, types, stripes, rows })
}

fn stripe_of(message: &[u8], end: u64) -> io::Result<Stripe> {
    let mut stripe = Stripe { offset: 0, index: 0, data: 0, footer: 0, rows: 0 };
    for field in Fields::of(message) {
        match field? {
            (1, value) => stripe.offset = value.number(),
            (2, value) => stripe.index = value.number(),
            (3, value) => stripe.data = value.number(),
            (4, value) => stripe.footer = value.number(),
            (5, value) => stripe.rows = value.number(),
            _ => {}
        }
    }
    let parts = [stripe.index, stripe.data, stripe.footer];
    let behind = parts.iter().try_fold(stripe.offset, |sum, part| sum.checked_add(*part));
    if behind.is_none_or(|behind| behind > end) {
        return Err(bad("a stripe is said to be behind the end of the file"));
    }
    Ok(stripe)
}

fn type_of(message: &[u8]) -> io::Result<TypeNode> {
    let mut node = TypeNode { kind: Kind::Boolean, children: Vec::new(), names: Vec::new(), precision: 0, scale: 0 };
    let mut children = Vec::new();
    for field in Fields::of(message) {
        match field? {
            (1, value) => {
                let number = value.number();
                let known = usize::try_from(number).ok().and_then(|number| KINDS.get(number));
                node.kind = *known.ok_or_else(|| bad(format!("it has a type of the unknown kind {number}")))?;
            }
            (2, value) => value.numbers(&mut children)?,
            (3, value) => node.names.push(value.text()?),
            (5, value) => node.precision = value.number(),
            (6, value) => node.scale = value.number(),
            _ => {}
        }
    }
    node.children = children.into_iter().map(|child| usize::try_from(child).unwrap_or(usize::MAX)).collect();
    Ok(node)
}

/// Checks that the types are a tree: one that names itself would never end.
fn check(types: &[TypeNode]) -> io::Result<()> {
    let mut depths = vec![None; types.len()];
    if let Some(first) = depths.first_mut() {
        *first = Some(0);
    }
    for (at, node) in types.iter().enumerate() {
        let Some(depth) = depths.get(at).copied().flatten() else {
            return Err(bad("its types are no tree"));
        };
        let children = match node.kind {
            Kind::List => Some(1),
            Kind::Map => Some(2),
            Kind::Struct => Some(node.names.len()),
            Kind::Union => None,
            _ => Some(0),
        };
        if children.is_some_and(|children| node.children.len() != children) || depth >= DEPTH {
            return Err(bad("its types are no tree"));
        }
        for child in &node.children {
            match depths.get_mut(*child) {
                Some(below) if *child > at && below.is_none() => *below = Some(depth + 1),
                _ => return Err(bad("its types are no tree")),
            }
        }
    }
    match types.first() {
        Some(TypeNode { kind: Kind::Struct, .. }) => Ok(()),
        _ => Err(bad("its rows are no struct")),
    }
}

/// Reads the end of a stripe.
pub(super) fn stripe_footer(stripe: &Stripe, footer: Bytes, tail: &Tail) -> io::Result<StripeFooter> {
    let footer = Chunks::new(footer, tail.packing).rest(FOOTER_BYTES)?;
    let (mut streams, mut encodings, mut time_zone) = (Vec::new(), Vec::new(), String::new());
    let mut offset = stripe.offset;
    let end = stripe.offset + stripe.index + stripe.data;
    for field in Fields::of(&footer) {
        match field? {
            (1, value) => {
                let mut stream = Stream { kind: 0, column: 0, offset, length: 0 };
                for field in Fields::of(value.bytes()) {
                    match field? {
                        (1, value) => stream.kind = value.number(),
                        (2, value) => stream.column = usize::try_from(value.number()).unwrap_or(usize::MAX),
                        (3, value) => stream.length = value.number(),
                        _ => {}
                    }
                }
                offset = offset.checked_add(stream.length).filter(|behind| *behind <= end).ok_or_else(|| {
                    bad(format!("the streams of the stripe at {} are longer than the stripe", stripe.offset))
                })?;
                streams.push(stream);
            }
            (2, value) => encodings.push(encoding_of(value.bytes())?),
            (3, value) => time_zone = value.text()?,
            _ => {}
        }
    }
    if encodings.len() < tail.types.len() {
        return Err(bad(format!("the stripe at {} does not say how its columns are encoded", stripe.offset)));
    }
    Ok(StripeFooter { streams, encodings, time_zone })
}

fn encoding_of(message: &[u8]) -> io::Result<Encoding> {
    let mut encoding = Encoding { version: Version::One, is_dictionary: false, dictionary_size: 0 };
    for field in Fields::of(message) {
        match field? {
            (1, value) => {
                (encoding.version, encoding.is_dictionary) = match value.number() {
                    0 => (Version::One, false),
                    1 => (Version::One, true),
                    2 => (Version::Two, false),
                    3 => (Version::Two, true),
                    other => return Err(bad(format!("a column is encoded in the unknown way {other}"))),
                }
            }
            (2, value) => encoding.dictionary_size = usize::try_from(value.number()).unwrap_or(usize::MAX),
            _ => {}
        }
    }
    Ok(encoding)
}
