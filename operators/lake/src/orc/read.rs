//! Reads a file stripe by stripe: only the streams of the columns that are wanted, decoded as rows are asked for.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use bytes::Bytes;

use super::chunk::{Chunks, Packing};
use super::column::Column;
use super::tail::{self, Encoding, StripeFooter, Tail, TypeNode};
use super::time::Clock;
use super::{bad, nested};

/// Bytes between two wanted streams that are read with them: less than what a request of their own would cost.
const GAP: u64 = 256 << 10;

/// The streams that stand for values; the others are indexes.
const VALUES: [u64; 5] = [PRESENT, DATA, LENGTH, DICTIONARY, SECONDARY];
pub(super) const PRESENT: u64 = 0;
pub(super) const DATA: u64 = 1;
pub(super) const LENGTH: u64 = 2;
pub(super) const DICTIONARY: u64 = 3;
pub(super) const SECONDARY: u64 = 5;

/// A file of which parts are read.
pub(crate) trait Ranges {
    /// Returns how long it is.
    fn length(&self) -> u64;

    /// Reads a part; an error when it is not there.
    fn read(&mut self, range: Range<u64>) -> io::Result<Bytes>;
}

/// An open file.
#[derive(Debug)]
pub(crate) struct OrcFile<R> {
    file: R,
    tail: Tail,
}

/// Rows of a stripe that are read.
#[derive(Debug)]
pub(crate) struct StripeRows {
    columns: Vec<Column>,
    left: u64,
}

impl<R: Ranges> OrcFile<R> {
    /// Reads the end of a file.
    ///
    /// # Errors
    /// Of a file that is no ORC, or of one that holds what is not read.
    pub(crate) fn open(mut file: R) -> io::Result<Self> {
        let tail = tail::read(&mut file)?;
        Ok(Self { file, tail })
    }

    /// Returns the number of rows.
    pub(crate) fn rows(&self) -> u64 {
        self.tail.rows
    }

    /// Returns the number of stripes.
    pub(crate) fn stripes(&self) -> usize {
        self.tail.stripes.len()
    }

    /// Returns the names of the columns.
    pub(crate) fn names(&self) -> &[String] {
        self.tail.types.first().map_or(&[], |row| row.names.as_slice())
    }

    /// Returns what a column is read as.
    ///
    /// # Errors
    /// Of a type that no array stands for.
    pub(crate) fn data_type(&self, column: usize) -> io::Result<DataType> {
        nested::data_type(&self.tail.types, self.node(column)?)
    }

    fn node(&self, column: usize) -> io::Result<usize> {
        let node = self.tail.types.first().and_then(|row| row.children.get(column));
        node.copied().ok_or_else(|| bad("a column is not there"))
    }

    /// Reads the streams of the wanted columns of a stripe.
    ///
    /// # Errors
    /// Of a damaged stripe, or one whose times are by an unknown clock.
    pub(crate) fn stripe(&mut self, stripe: usize, wanted: &[usize]) -> io::Result<StripeRows> {
        let stripe = *self.tail.stripes.get(stripe).ok_or_else(|| bad("a stripe is not there"))?;
        if wanted.is_empty() {
            return Ok(StripeRows { columns: Vec::new(), left: stripe.rows });
        }
        let at = stripe.offset + stripe.index + stripe.data;
        let footer = self.file.read(at..at + stripe.footer)?;
        let footer = tail::stripe_footer(&stripe, footer, &self.tail)?;
        let nodes = wanted.iter().map(|column| self.node(*column)).collect::<io::Result<Vec<_>>>()?;
        let mut is_wanted = vec![false; self.tail.types.len()];
        for node in &nodes {
            nested::mark(&self.tail.types, *node, &mut is_wanted);
        }
        let streams = self.streams(&footer, &is_wanted)?;
        let clock = Clock::of(&footer.time_zone)?;
        let mut parts =
            Parts { types: &self.tail.types, encodings: &footer.encodings, packing: self.tail.packing, streams, clock };
        let columns = nodes.iter().map(|node| Column::new(&mut parts, *node)).collect::<io::Result<_>>()?;
        Ok(StripeRows { columns, left: stripe.rows })
    }

    /// Reads the streams of the wanted types: those that are near to each other at once.
    fn streams(&mut self, footer: &StripeFooter, is_wanted: &[bool]) -> io::Result<HashMap<(usize, u64), Bytes>> {
        let wanted = footer.streams.iter().filter(|stream| {
            VALUES.contains(&stream.kind) && stream.length > 0 && is_wanted.get(stream.column) == Some(&true)
        });
        let mut spans: Vec<(Range<u64>, Vec<&tail::Stream>)> = Vec::new();
        for stream in wanted {
            let end = stream.offset + stream.length;
            match spans.last_mut() {
                Some((range, streams)) if stream.offset - range.end <= GAP => {
                    range.end = end;
                    streams.push(stream);
                }
                _ => spans.push((stream.offset..end, vec![stream])),
            }
        }
        let mut read = HashMap::new();
        for (range, streams) in spans {
            let start = range.start;
            let bytes = self.file.read(range)?;
            for stream in streams {
                let from = usize::try_from(stream.offset - start).unwrap_or(usize::MAX);
                let length = usize::try_from(stream.length).unwrap_or(usize::MAX);
                let to = from.checked_add(length).filter(|to| *to <= bytes.len());
                let to = to.ok_or_else(|| bad("a stream is behind the end of the file"))?;
                read.insert((stream.column, stream.kind), bytes.slice(from..to));
            }
        }
        Ok(read)
    }
}

impl StripeRows {
    /// Reads so many rows, or those that are left; none at the end.
    ///
    /// # Errors
    /// Of damaged streams.
    pub(crate) fn next(&mut self, most: usize) -> io::Result<Option<(usize, Vec<ArrayRef>)>> {
        let rows = usize::try_from(self.left).unwrap_or(usize::MAX).min(most);
        if rows == 0 {
            return Ok(None);
        }
        let arrays = self.columns.iter_mut().map(|column| column.next(rows)).collect::<io::Result<_>>()?;
        self.left -= u64::try_from(rows).unwrap_or(u64::MAX);
        Ok(Some((rows, arrays)))
    }
}

/// What columns of a stripe are made of.
#[derive(Debug)]
pub(super) struct Parts<'t> {
    pub(super) types: &'t [TypeNode],
    encodings: &'t [Encoding],
    packing: Packing,
    streams: HashMap<(usize, u64), Bytes>,
    pub(super) clock: Clock,
}

impl Parts<'_> {
    /// Takes a stream; none when there is none.
    pub(super) fn optional(&mut self, node: usize, kind: u64) -> Option<Chunks> {
        self.streams.remove(&(node, kind)).map(|stream| Chunks::new(stream, self.packing))
    }

    /// Takes a stream; an empty one when there is none, as for a column that is NULL everywhere.
    pub(super) fn stream(&mut self, node: usize, kind: u64) -> Chunks {
        let none = || Chunks::new(Bytes::new(), self.packing);
        self.streams.remove(&(node, kind)).map_or_else(none, |stream| Chunks::new(stream, self.packing))
    }

    pub(super) fn encoding(&self, node: usize) -> io::Result<Encoding> {
        self.encodings.get(node).copied().ok_or_else(|| bad("a column is not encoded"))
    }
}
