//! The rows of one column, as the streams of a stripe.

use std::io;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, Decimal128Array, PrimitiveArray};
use arrow::compute::{filter, is_not_null};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
};
use arrow::error::ArrowError;

use super::bits::{WrittenBits, write_bytes};
use super::message::{Message, varint};
use super::read::{DATA, LENGTH, PRESENT, SECONDARY};
use super::tail::Kind;
use super::{bad, integer, time};
use crate::sql::Type;

/// The encoding that stands at columns: as they are, integers by version 2 of the runs.
const DIRECT: u64 = 0;
const DIRECT_V2: u64 = 2;

/// A column of a stripe that is written, with those inside it.
#[derive(Debug)]
pub(super) struct Encoder {
    kind: Kind,
    present: WrittenBits,
    rows: u64,
    nulls: u64,
    /// In the whole file.
    all_rows: u64,
    all_nulls: u64,
    bits: WrittenBits,
    data: Vec<u8>,
    other: Vec<u8>,
    children: Vec<Self>,
}

impl Encoder {
    /// Makes the encoder of a type.
    pub(super) fn new(data_type: &Type) -> Self {
        let children = match data_type {
            Type::Array(element) => vec![Self::new(element)],
            Type::Map(key, value) => vec![Self::new(key), Self::new(value)],
            Type::Row(fields) => fields.iter().map(|(_, field)| Self::new(field)).collect(),
            _ => Vec::new(),
        };
        Self::of(kind_of(data_type).unwrap_or(Kind::Struct), children)
    }

    /// Makes the encoder of a row.
    pub(super) fn of(kind: Kind, children: Vec<Self>) -> Self {
        Self {
            kind,
            present: WrittenBits::default(),
            rows: 0,
            nulls: 0,
            all_rows: 0,
            all_nulls: 0,
            bits: WrittenBits::default(),
            data: Vec::new(),
            other: Vec::new(),
            children,
        }
    }

    /// Returns how many bytes are held.
    pub(super) fn held(&self) -> usize {
        let own = self.present.held() + self.bits.held() + self.data.len() + self.other.len();
        own + self.children.iter().map(Self::held).sum::<usize>()
    }

    /// Counts rows of a struct whose columns are written by themselves.
    pub(super) fn row(&mut self, columns: &[ArrayRef], rows: usize) -> io::Result<()> {
        self.count(rows, 0);
        for (child, column) in self.children.iter_mut().zip(columns) {
            child.write(column)?;
        }
        Ok(())
    }

    fn count(&mut self, rows: usize, nulls: usize) {
        let (rows, nulls) = (u64::try_from(rows).unwrap_or_default(), u64::try_from(nulls).unwrap_or_default());
        self.rows += rows;
        self.nulls += nulls;
        self.all_rows += rows;
        self.all_nulls += nulls;
    }

    /// Takes rows.
    fn write(&mut self, array: &ArrayRef) -> io::Result<()> {
        self.count(array.len(), array.null_count());
        for row in 0..array.len() {
            self.present.push(array.is_valid(row));
        }
        // Nothing stands in the other streams where a row is NULL.
        if array.null_count() == 0 {
            return self.values(array);
        }
        let there = is_not_null(array).map_err(wrong)?;
        self.values(&filter(array, &there).map_err(wrong)?)
    }

    fn values(&mut self, array: &ArrayRef) -> io::Result<()> {
        match self.kind {
            Kind::Boolean => {
                let array: &BooleanArray = array.as_boolean_opt().ok_or_else(misfit)?;
                array.values().iter().for_each(|value| self.bits.push(value));
            }
            Kind::Byte => self.data.extend(numbers::<Int8Type>(array)?.iter().map(|value| value.cast_unsigned())),
            Kind::Short => self.integers(numbers::<Int16Type>(array)?.iter().map(|value| i64::from(*value))),
            Kind::Int => self.integers(numbers::<Int32Type>(array)?.iter().map(|value| i64::from(*value))),
            Kind::Long => self.integers(numbers::<Int64Type>(array)?.iter().copied()),
            Kind::Date => self.integers(numbers::<Date32Type>(array)?.iter().map(|value| i64::from(*value))),
            Kind::Float => {
                self.data.extend(numbers::<Float32Type>(array)?.iter().flat_map(|value| value.to_le_bytes()));
            }
            Kind::Double => {
                self.data.extend(numbers::<Float64Type>(array)?.iter().flat_map(|value| value.to_le_bytes()));
            }
            Kind::String | Kind::Varchar | Kind::Char => {
                let array = array.as_string_opt::<i32>().ok_or_else(misfit)?;
                self.texts((0..array.len()).map(|row| array.value(row).as_bytes()));
            }
            Kind::Binary => {
                let array = array.as_binary_opt::<i32>().ok_or_else(misfit)?;
                self.texts((0..array.len()).map(|row| array.value(row)));
            }
            Kind::Decimal => {
                let array: &Decimal128Array = array.as_primitive_opt::<Decimal128Type>().ok_or_else(misfit)?;
                for value in array.values() {
                    large_number(*value, &mut self.data);
                }
                integer::write(&vec![i64::from(array.scale()); array.len()], true, &mut self.other);
            }
            Kind::Timestamp | Kind::Instant => self.times(array)?,
            Kind::List => {
                let array = array.as_list_opt::<i32>().ok_or_else(misfit)?;
                let (lengths, from, count) = lengths(array.value_offsets());
                integer::write(&lengths, false, &mut self.other);
                self.child(0)?.write(&array.values().slice(from, count))?;
            }
            Kind::Map => {
                let array = array.as_map_opt().ok_or_else(misfit)?;
                let (lengths, from, count) = lengths(array.value_offsets());
                integer::write(&lengths, false, &mut self.other);
                self.child(0)?.write(&array.keys().slice(from, count))?;
                self.child(1)?.write(&array.values().slice(from, count))?;
            }
            Kind::Struct => {
                let array = array.as_struct_opt().ok_or_else(misfit)?;
                for (child, column) in self.children.iter_mut().zip(array.columns()) {
                    child.write(column)?;
                }
            }
            Kind::Union => return Err(misfit()),
        }
        Ok(())
    }

    fn child(&mut self, index: usize) -> io::Result<&mut Self> {
        self.children.get_mut(index).ok_or_else(misfit)
    }

    fn integers(&mut self, values: impl Iterator<Item = i64>) {
        integer::write(&values.collect::<Vec<_>>(), true, &mut self.data);
    }

    fn texts<'t>(&mut self, texts: impl Iterator<Item = &'t [u8]>) {
        let mut lengths = Vec::new();
        for text in texts {
            lengths.push(i64::try_from(text.len()).unwrap_or(i64::MAX));
            self.data.extend_from_slice(text);
        }
        integer::write(&lengths, false, &mut self.other);
    }

    fn times(&mut self, array: &ArrayRef) -> io::Result<()> {
        let microseconds: Vec<i64> = match array.data_type() {
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                let milliseconds = numbers::<TimestampMillisecondType>(array)?;
                let checked =
                    milliseconds.iter().map(|at| at.checked_mul(1000).ok_or_else(|| bad("a time is out of range")));
                checked.collect::<io::Result<_>>()?
            }
            _ => numbers::<TimestampMicrosecondType>(array)?.to_vec(),
        };
        let (mut seconds, mut nanoseconds) = (Vec::new(), Vec::new());
        for at in microseconds {
            let (second, nanosecond) = time::encode(at).ok_or_else(|| {
                bad("a time lies in the last second before 1970-01-01, and ORC has no form for it: readers would take it for \
                     one in the second behind; write another format, or whole seconds")
            })?;
            seconds.push(second);
            nanoseconds.push(nanosecond);
        }
        integer::write(&seconds, true, &mut self.data);
        integer::write(&nanoseconds, false, &mut self.other);
        Ok(())
    }

    /// Ends the stripe: adds the streams in the order of the types, and the encodings.
    pub(super) fn finish(
        &mut self,
        at: &mut u64,
        streams: &mut Vec<(u64, u64, Vec<u8>)>,
        encodings: &mut Vec<Message>,
    ) {
        let column = *at;
        *at += 1;
        let present = self.present.finish();
        if self.nulls > 0 {
            streams.push((PRESENT, column, present));
        }
        let data = match self.kind {
            Kind::Boolean => self.bits.finish(),
            Kind::Byte => write_bytes(&std::mem::take(&mut self.data)),
            _ => std::mem::take(&mut self.data),
        };
        let other = std::mem::take(&mut self.other);
        match self.kind {
            Kind::Struct => {}
            Kind::List | Kind::Map => streams.push((LENGTH, column, other)),
            Kind::String | Kind::Varchar | Kind::Char | Kind::Binary => {
                streams.push((DATA, column, data));
                streams.push((LENGTH, column, other));
            }
            Kind::Decimal | Kind::Timestamp | Kind::Instant => {
                streams.push((DATA, column, data));
                streams.push((SECONDARY, column, other));
            }
            _ => streams.push((DATA, column, data)),
        }
        let encoding = match self.kind {
            Kind::Boolean | Kind::Byte | Kind::Float | Kind::Double | Kind::Struct => DIRECT,
            _ => DIRECT_V2,
        };
        encodings.push(Message::default().number(1, encoding));
        (self.rows, self.nulls) = (0, 0);
        for child in &mut self.children {
            child.finish(at, streams, encodings);
        }
    }

    /// Adds what is counted in the stripe, or in the whole file, in the order of the types.
    pub(super) fn statistics(&self, of_file: bool, to: &mut Vec<Message>) {
        let (rows, nulls) = if of_file { (self.all_rows, self.all_nulls) } else { (self.rows, self.nulls) };
        to.push(Message::default().number(1, rows - nulls).number(10, u64::from(nulls > 0)));
        for child in &self.children {
            child.statistics(of_file, to);
        }
    }
}

/// Returns the kind that stands for a type; none when no kind does.
pub(super) fn kind_of(data_type: &Type) -> Option<Kind> {
    Some(match data_type {
        Type::Boolean => Kind::Boolean,
        Type::Tinyint => Kind::Byte,
        Type::Smallint => Kind::Short,
        Type::Integer => Kind::Int,
        Type::Bigint => Kind::Long,
        Type::Real => Kind::Float,
        Type::Double => Kind::Double,
        Type::Varchar(None) => Kind::String,
        Type::Varchar(Some(_)) => Kind::Varchar,
        Type::Char(_) => Kind::Char,
        Type::Varbinary => Kind::Binary,
        Type::Decimal(..) => Kind::Decimal,
        Type::Date => Kind::Date,
        Type::Timestamp(0..=6) => Kind::Timestamp,
        Type::Array(_) => Kind::List,
        Type::Map(..) => Kind::Map,
        Type::Row(_) => Kind::Struct,
        _ => return None,
    })
}

fn misfit() -> io::Error {
    bad("a column is not of the type that is written")
}

fn wrong(error: ArrowError) -> io::Error {
    io::Error::other(error)
}

fn numbers<T: ArrowPrimitiveType>(array: &ArrayRef) -> io::Result<&[T::Native]> {
    let array: &PrimitiveArray<T> = array.as_primitive_opt().ok_or_else(misfit)?;
    Ok(array.values())
}

/// Returns the lengths of lists, where the first begins and how many values all have.
fn lengths(offsets: &[i32]) -> (Vec<i64>, usize, usize) {
    let lengths: Vec<i64> = offsets.array_windows().map(|[from, to]| i64::from(*to) - i64::from(*from)).collect();
    let from = offsets.first().copied().and_then(|from| usize::try_from(from).ok()).unwrap_or_default();
    let to = offsets.last().copied().and_then(|to| usize::try_from(to).ok()).unwrap_or_default();
    (lengths, from, to.saturating_sub(from))
}

/// Writes a number of up to 128 bits, its sign in the lowest.
fn large_number(number: i128, to: &mut Vec<u8>) {
    let mut bits = ((number << 1) ^ (number >> 127)).cast_unsigned();
    while bits > u128::from(u64::MAX) {
        to.push(u8::try_from(bits & 0x7f).unwrap_or_default() | 0x80);
        bits >>= 7;
    }
    varint(u64::try_from(bits).unwrap_or_default(), to);
}
