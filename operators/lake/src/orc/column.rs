//! The rows of one column of a stripe, as arrays.
//!
//! Where a row is NULL nothing stands in the streams of its values, nor in those of the types below it.

use std::io;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, ListArray, MapArray, PrimitiveArray, StringArray,
    StructArray, UInt32Array, UInt64Array, new_null_array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Field, Fields, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::bits::{Bits, Bytes};
use super::chunk::Chunks;
use super::integer::Integers;
use super::read::{DATA, DICTIONARY, LENGTH, PRESENT, Parts, SECONDARY};
use super::tail::Kind;
use super::time::Clock;
use super::{bad, nested};

/// A column of a stripe that is read.
#[derive(Debug)]
pub(super) struct Column {
    present: Option<Bits>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Boolean(Bits),
    Byte(Bytes),
    Short(Integers),
    Int(Integers),
    Long(Integers),
    Date(Integers),
    Float(Chunks),
    Double(Chunks),
    Text { lengths: Integers, bytes: Chunks, is_binary: bool },
    Dictionary { words: ArrayRef, indexes: Integers },
    Decimal { digits: Chunks, scales: Integers, precision: u8, scale: i8 },
    Time { seconds: Integers, nanoseconds: Integers, clock: Clock, has_zone: bool },
    List { lengths: Integers, items: Box<Column>, field: Arc<Field> },
    Map { lengths: Integers, keys: Box<Column>, values: Box<Column>, fields: Fields },
    Struct { columns: Vec<Column>, fields: Fields },
}

impl Column {
    /// Makes the column of a type from its streams.
    pub(super) fn new(parts: &mut Parts<'_>, at: usize) -> io::Result<Self> {
        let types = parts.types;
        let node = types.get(at).ok_or_else(|| bad("a type is not there"))?;
        let encoding = parts.encoding(at)?;
        let present = parts.optional(at, PRESENT).map(Bits::new);
        let integers = |chunks: Chunks, is_signed: bool| Integers::new(chunks, encoding.version, is_signed);
        let child = |index: usize| node.children.get(index).copied().ok_or_else(|| bad("a type is not there"));
        let data = parts.stream(at, DATA);
        let values = match node.kind {
            Kind::Boolean => Values::Boolean(Bits::new(data)),
            Kind::Byte => Values::Byte(Bytes::new(data)),
            Kind::Short => Values::Short(integers(data, true)),
            Kind::Int => Values::Int(integers(data, true)),
            Kind::Long => Values::Long(integers(data, true)),
            Kind::Date => Values::Date(integers(data, true)),
            Kind::Float => Values::Float(data),
            Kind::Double => Values::Double(data),
            Kind::String | Kind::Varchar | Kind::Char if encoding.is_dictionary => {
                let mut lengths = integers(parts.stream(at, LENGTH), false);
                let mut bytes = parts.stream(at, DICTIONARY);
                let words = texts(&mut lengths, &mut bytes, encoding.dictionary_size, None, false)?;
                Values::Dictionary { words, indexes: integers(data, false) }
            }
            Kind::String | Kind::Varchar | Kind::Char | Kind::Binary => Values::Text {
                lengths: integers(parts.stream(at, LENGTH), false),
                bytes: data,
                is_binary: node.kind == Kind::Binary,
            },
            Kind::Decimal => {
                let (precision, scale) = nested::decimal(node)?;
                Values::Decimal { digits: data, scales: integers(parts.stream(at, SECONDARY), true), precision, scale }
            }
            Kind::Timestamp | Kind::Instant => {
                let has_zone = node.kind == Kind::Instant;
                let clock = if has_zone { Clock::utc() } else { parts.clock.clone() };
                let nanoseconds = integers(parts.stream(at, SECONDARY), false);
                Values::Time { seconds: integers(data, true), nanoseconds, clock, has_zone }
            }
            Kind::List => {
                let lengths = integers(parts.stream(at, LENGTH), false);
                let item = child(0)?;
                let field = Arc::new(Field::new("item", nested::data_type(types, item)?, true));
                Values::List { lengths, items: Box::new(Self::new(parts, item)?), field }
            }
            Kind::Map => {
                let lengths = integers(parts.stream(at, LENGTH), false);
                let (key, value) = (child(0)?, child(1)?);
                let fields = nested::entries(nested::data_type(types, key)?, nested::data_type(types, value)?);
                let (keys, values) = (Box::new(Self::new(parts, key)?), Box::new(Self::new(parts, value)?));
                Values::Map { lengths, keys, values, fields }
            }
            Kind::Struct => {
                let DataType::Struct(fields) = nested::data_type(types, at)? else {
                    return Err(bad("a struct has no fields"));
                };
                let columns = node.children.iter().map(|child| Self::new(parts, *child)).collect::<io::Result<_>>()?;
                Values::Struct { columns, fields }
            }
            Kind::Union => return Err(bad("a column is a union, which no type of a table stands for")),
        };
        Ok(Self { present, values })
    }

    /// Reads so many rows.
    pub(super) fn next(&mut self, rows: usize) -> io::Result<ArrayRef> {
        let nulls = match &mut self.present {
            None => None,
            Some(bits) => {
                let present = (0..rows).map(|_| bits.next()).collect::<io::Result<Vec<bool>>>()?;
                Some(NullBuffer::from(present)).filter(|nulls| nulls.null_count() > 0)
            }
        };
        let there = rows - nulls.as_ref().map_or(0, NullBuffer::null_count);
        self.values.next(rows, there, nulls)
    }
}

impl Values {
    /// Reads rows of which so many are there.
    fn next(&mut self, rows: usize, there: usize, nulls: Option<NullBuffer>) -> io::Result<ArrayRef> {
        Ok(match self {
            Self::Boolean(bits) => {
                let values = spread(rows, nulls.as_ref(), || bits.next())?;
                Arc::new(BooleanArray::new(values.into(), nulls))
            }
            Self::Byte(bytes) => numbers::<Int8Type>(rows, nulls, || Ok(bytes.next()?.cast_signed()))?,
            Self::Short(integers) => numbers::<Int16Type>(rows, nulls, || narrow(integers.next()?))?,
            Self::Int(integers) => numbers::<Int32Type>(rows, nulls, || narrow(integers.next()?))?,
            Self::Long(integers) => numbers::<Int64Type>(rows, nulls, || integers.next())?,
            Self::Date(integers) => numbers::<Date32Type>(rows, nulls, || narrow(integers.next()?))?,
            Self::Float(chunks) => numbers::<Float32Type>(rows, nulls, || {
                let mut bytes = [0; 4];
                fill(chunks, &mut bytes)?;
                Ok(f32::from_le_bytes(bytes))
            })?,
            Self::Double(chunks) => numbers::<Float64Type>(rows, nulls, || {
                let mut bytes = [0; 8];
                fill(chunks, &mut bytes)?;
                Ok(f64::from_le_bytes(bytes))
            })?,
            Self::Text { lengths, bytes, is_binary } => texts(lengths, bytes, rows, nulls, *is_binary)?,
            Self::Dictionary { words, indexes } => {
                let most = words.len();
                let indexes = spread(rows, nulls.as_ref(), || {
                    let index = indexes.length()?;
                    if index >= most {
                        return Err(bad(format!("a text is the {index}th of a dictionary of {most}")));
                    }
                    u64::try_from(index).map_err(io::Error::other)
                })?;
                take(words, &UInt64Array::new(indexes.into(), nulls), None).map_err(wrong)?
            }
            Self::Decimal { digits, scales, precision, scale } => {
                let values = spread(rows, nulls.as_ref(), || rescale(digits.large_number()?, scales.next()?, *scale))?;
                let array = Decimal128Array::new(values.into(), nulls);
                let array = array.with_precision_and_scale(*precision, *scale).map_err(wrong)?;
                array.validate_decimal_precision(*precision).map_err(wrong)?;
                Arc::new(array)
            }
            Self::Time { seconds, nanoseconds, clock, has_zone } => {
                let values = spread(rows, nulls.as_ref(), || clock.microseconds(seconds.next()?, nanoseconds.next()?))?;
                let array = PrimitiveArray::<TimestampMicrosecondType>::new(values.into(), nulls);
                Arc::new(if *has_zone { array.with_timezone("UTC") } else { array })
            }
            Self::List { lengths, items, field } => {
                let (offsets, count) = offsets(lengths, rows, nulls.as_ref())?;
                Arc::new(ListArray::try_new(Arc::clone(field), offsets, items.next(count)?, nulls).map_err(wrong)?)
            }
            Self::Map { lengths, keys, values, fields } => {
                let (offsets, count) = offsets(lengths, rows, nulls.as_ref())?;
                let arrays = vec![keys.next(count)?, values.next(count)?];
                let entries = StructArray::try_new(fields.clone(), arrays, None).map_err(wrong)?;
                let field = Arc::new(Field::new("entries", DataType::Struct(fields.clone()), false));
                Arc::new(MapArray::try_new(field, offsets, entries, nulls, false).map_err(wrong)?)
            }
            Self::Struct { columns, fields } => {
                let places = nulls.as_ref().map(places).transpose()?;
                let arrays = columns.iter_mut().map(|column| {
                    let dense = column.next(there)?;
                    match &places {
                        None => Ok(dense),
                        Some(_) if there == 0 => Ok(new_null_array(dense.data_type(), rows)),
                        Some(places) => take(&dense, places, None).map_err(wrong),
                    }
                });
                let arrays = arrays.collect::<io::Result<Vec<_>>>()?;
                if arrays.is_empty() {
                    return Ok(Arc::new(StructArray::new_empty_fields(rows, nulls)));
                }
                Arc::new(StructArray::try_new(fields.clone(), arrays, nulls).map_err(wrong)?)
            }
        })
    }
}

fn wrong(error: ArrowError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Takes a value for each row that is there.
fn spread<V: Default>(
    rows: usize,
    nulls: Option<&NullBuffer>,
    mut next: impl FnMut() -> io::Result<V>,
) -> io::Result<Vec<V>> {
    match nulls {
        // Grows as values come: what a damaged length promises is not allocated.
        None => (0..rows).map(|_| next()).collect(),
        Some(nulls) => nulls.iter().map(|is_there| if is_there { next() } else { Ok(V::default()) }).collect(),
    }
}

fn numbers<T: ArrowPrimitiveType>(
    rows: usize,
    nulls: Option<NullBuffer>,
    next: impl FnMut() -> io::Result<T::Native>,
) -> io::Result<ArrayRef> {
    let values = spread(rows, nulls.as_ref(), next)?;
    Ok(Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls)))
}

fn narrow<N: TryFrom<i64>>(value: i64) -> io::Result<N> {
    N::try_from(value).map_err(|_| bad(format!("the number {value} is out of the range of its column")))
}

fn fill(chunks: &mut Chunks, bytes: &mut [u8]) -> io::Result<()> {
    for byte in bytes {
        *byte = chunks.byte()?;
    }
    Ok(())
}

/// Makes a decimal of another scale one of the type's, half up.
fn rescale(digits: i128, found: i64, wanted: i8) -> io::Result<i128> {
    let too_large = || bad(format!("a decimal of the scale {found} has no form of the scale {wanted}"));
    let more = i64::from(wanted).checked_sub(found).ok_or_else(too_large)?;
    let power = u32::try_from(more.unsigned_abs()).ok().and_then(|power| 10_i128.checked_pow(power));
    if more >= 0 {
        return power.and_then(|power| digits.checked_mul(power)).ok_or_else(too_large);
    }
    let power = power.ok_or_else(too_large)?;
    let rest = (digits % power).abs();
    let half = if rest < power - rest { 0 } else { digits.signum() };
    Ok(digits / power + half)
}

/// Takes texts: their lengths, then their bytes.
fn texts(
    lengths: &mut Integers,
    bytes: &mut Chunks,
    rows: usize,
    nulls: Option<NullBuffer>,
    is_binary: bool,
) -> io::Result<ArrayRef> {
    let (offsets, count) = offsets(lengths, rows, nulls.as_ref())?;
    let values = Buffer::from_vec(bytes.take_bytes(count)?);
    Ok(if is_binary {
        Arc::new(BinaryArray::try_new(offsets, values, nulls).map_err(wrong)?)
    } else {
        Arc::new(StringArray::try_new(offsets, values, nulls).map_err(wrong)?)
    })
}

/// Takes lengths: where each row begins, and how long all are.
fn offsets(lengths: &mut Integers, rows: usize, nulls: Option<&NullBuffer>) -> io::Result<(OffsetBuffer<i32>, usize)> {
    let mut end = 0_i32;
    let mut offsets = vec![0];
    let ends = spread(rows, nulls, || lengths.length())?;
    offsets.reserve(ends.len());
    for length in ends {
        end = i32::try_from(length)
            .ok()
            .and_then(|length| end.checked_add(length))
            .ok_or_else(|| bad("the values of some rows are longer than 2 GB"))?;
        offsets.push(end);
    }
    Ok((OffsetBuffer::new(offsets.into()), usize::try_from(end).unwrap_or_default()))
}

/// Returns for each row which of those that are there it is.
fn places(nulls: &NullBuffer) -> io::Result<UInt32Array> {
    let mut at = 0_u32;
    let places = spread(nulls.len(), Some(nulls), || {
        at += 1;
        Ok(at - 1)
    })?;
    Ok(UInt32Array::new(places.into(), Some(nulls.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_of_another_scale_are_rounded_half_up() {
        for (digits, found, wanted, expected) in [
            (12, 1, 2, Some(120)),
            (125, 2, 1, Some(13)),
            (-125, 2, 1, Some(-13)),
            (124, 2, 1, Some(12)),
            (7, 1, 0, Some(1)),
            (i128::MAX, 0, 1, None),
            (i128::MAX, 38, 0, Some(2)),
            (i128::MIN + 1, 38, 0, Some(-2)),
            (1, 60, 0, None),
        ] {
            assert_eq!(rescale(digits, found, wanted).ok(), expected, "{digits} of the scale {found}");
        }
    }
}
