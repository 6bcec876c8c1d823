//! From the texts of a column in lines to its type, by the rules of each `SerDe`'s reader in Trino.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use datafusion::arrow::array::{
    Array as _, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int64Array, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt32Array,
};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::row::{RowConverter, SortField};

use super::line::{bad_value, cast_failed};
use super::time_formats::{Formats, TimeFormats};
use super::{civil, number};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Type;

/// What Java's decoder of base64 takes.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How long the shortest text is that Hive's `LazySimpleSerDe` takes for a time.
const LEAST_TIME_BYTES: usize = 8;

/// Whose rules texts are read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// `LazySimpleSerDe`: what does not fit is NULL.
    Lazy,
    /// A pattern's: numbers as Java reads them; what does not fit is NULL.
    Pattern,
    /// Hive's `JsonSerDe`: what does not fit is an error.
    HiveJson,
    /// A key in an object of Hive's `JsonSerDe`.
    HiveJsonKey,
    /// openx's `JsonSerDe`: what does not fit is NULL.
    OpenxJson,
}

impl Rules {
    fn is_strict(self) -> bool {
        matches!(self, Self::HiveJson | Self::HiveJsonKey)
    }

    fn integer(self, text: &str) -> Option<i64> {
        match self {
            Self::Lazy => number::truncated(text),
            Self::Pattern | Self::HiveJsonKey => number::whole_number(text),
            Self::HiveJson => number::whole_number(text).or_else(|| number::cut(text)),
            Self::OpenxJson => number::of_any_base(text).or_else(|| number::cut(text)),
        }
    }

    fn boolean(self, text: &str) -> Option<bool> {
        let is_true = text.eq_ignore_ascii_case("true");
        // `Boolean.parseBoolean` of Java takes what is not `true` for false.
        (is_true || self != Self::Lazy || text.eq_ignore_ascii_case("false")).then_some(is_true)
    }

    fn date(self, text: &str) -> Option<i32> {
        match self {
            Self::OpenxJson => civil::leading_date(text).or_else(|| i32::try_from(number::of_any_base(text)?).ok()),
            _ => civil::date(text),
        }
    }

    /// Reads a time by a table's formats, and as all tables do.
    fn time(self, text: &str, formats: &Formats) -> Result<Option<(i64, u32)>> {
        if formats.is_empty() {
            return Ok(self.timestamp(text));
        }
        // Hive's shortest time, also where a format has a shorter one.
        if self == Self::Lazy && text.len() < LEAST_TIME_BYTES {
            return Ok(None);
        }
        formats.time(text)
    }

    fn timestamp(self, text: &str) -> Option<(i64, u32)> {
        if self != Self::OpenxJson {
            return civil::timestamp(text);
        }
        if text.contains(':') {
            return civil::timestamp(text).or_else(|| civil::instant(text));
        }
        // Seconds, or milliseconds when the text is as long as today's are.
        let millis = if text.contains('.') {
            i64::try_from(number::decimal(text, 38, 4)? / 10).ok()?
        } else if text.len() >= 13 {
            number::whole_number(text)?
        } else {
            return Some((number::whole_number(text)?, 0));
        };
        Some((millis.div_euclid(1000), u32::try_from(millis.rem_euclid(1000)).ok()? * 1_000_000))
    }
}

/// Turns the texts of a column into its type.
///
/// # Errors
/// `InvalidData` for a text that is no value of the type, where the reader does not take it for NULL; `UnsupportedSql` for a type
/// that no text is.
pub(super) fn typed(name: &str, values: &[Option<&str>], data_type: &Type, rules: Rules) -> Result<ArrayRef> {
    typed_by(name, values, data_type, rules, &TimeFormats::default())
}

/// Turns the texts of a column into its type, times by a table's formats.
///
/// # Errors
/// As [`typed`], and of formats that are none or not supported.
pub(super) fn typed_by(
    name: &str,
    values: &[Option<&str>],
    data_type: &Type,
    rules: Rules,
    formats: &TimeFormats,
) -> Result<ArrayRef> {
    let column = Column { name, values, data_type, is_strict: rules.is_strict() };
    Ok(match data_type {
        Type::Boolean => Arc::new(BooleanArray::from(column.read(|text| rules.boolean(text))?)),
        Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint => {
            let (least, most) = bounds(data_type);
            let in_bounds = |number: &i64| (least..=most).contains(number);
            let numbers = Int64Array::from(column.read(|text| rules.integer(text).filter(in_bounds))?);
            cast(&numbers, &data_type.to_arrow()).map_err(|error| cast_failed(name, &error))?
        }
        Type::Real => Arc::new(Float32Array::from(column.read(|text| number::double_text(text)?.parse::<f32>().ok())?)),
        Type::Double => {
            Arc::new(Float64Array::from(column.read(|text| number::double_text(text)?.parse::<f64>().ok())?))
        }
        Type::Decimal(precision, scale) => {
            let numbers = column.read(|text| number::decimal(text, *precision, *scale))?;
            let scale = i8::try_from(*scale).unwrap_or(i8::MAX);
            let array = Decimal128Array::from(numbers).with_precision_and_scale(*precision, scale);
            Arc::new(array.map_err(|error| cast_failed(name, &error))?)
        }
        Type::Date => Arc::new(Date32Array::from(column.read(|text| rules.date(text))?)),
        Type::Timestamp(precision @ 7..) => {
            let step = 10_i64.pow(9_u32.saturating_sub(u32::from(*precision)));
            let nanos = |(seconds, nanos): (i64, u32)| {
                seconds.checked_mul(1_000_000_000)?.checked_add(rounded(i64::from(nanos), step))
            };
            let formats = formats.read()?;
            let times = column.try_read(|text| Ok(rules.time(text, &formats)?.and_then(nanos)))?;
            Arc::new(TimestampNanosecondArray::from(times))
        }
        Type::Timestamp(precision) => {
            let step = 10_i64.pow(9 - u32::from(*precision));
            let micros = |(seconds, nanos): (i64, u32)| {
                seconds.checked_mul(1_000_000)?.checked_add(rounded(i64::from(nanos), step) / 1000)
            };
            let formats = formats.read()?;
            let times = column.try_read(|text| Ok(rules.time(text, &formats)?.and_then(micros)))?;
            Arc::new(TimestampMicrosecondArray::from(times))
        }
        Type::Varbinary if rules.is_strict() => {
            Arc::new(values.iter().map(|text| text.map(str::as_bytes)).collect::<BinaryArray>())
        }
        Type::Varbinary => {
            // No reader takes what is no base64 for NULL.
            let column = Column { is_strict: true, ..column };
            Arc::new(column.read(|text| BASE64.decode(text).ok())?.into_iter().collect::<BinaryArray>())
        }
        Type::Varchar(_) | Type::Char(_) => {
            let texts: ArrayRef = Arc::new(values.iter().copied().collect::<StringArray>());
            super::adapt::adapt(&texts, data_type).map_err(|error| cast_failed(name, &error))?
        }
        _ => {
            let message = format!("column `{name}` is {data_type}: a text is no such value");
            return Err(Error::new(ErrorKind::UnsupportedSql, "read a table", message));
        }
    })
}

struct Column<'a> {
    name: &'a str,
    values: &'a [Option<&'a str>],
    data_type: &'a Type,
    is_strict: bool,
}

impl Column<'_> {
    fn read<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<Vec<Option<T>>> {
        self.try_read(|text| Ok(read(text)))
    }

    fn try_read<T>(&self, read: impl Fn(&str) -> Result<Option<T>>) -> Result<Vec<Option<T>>> {
        self.values
            .iter()
            .map(|value| {
                let Some(text) = value else { return Ok(None) };
                match read(text)? {
                    None if self.is_strict => Err(bad_value(self.name, text, self.data_type)),
                    read => Ok(read),
                }
            })
            .collect()
    }
}

fn bounds(data_type: &Type) -> (i64, i64) {
    match data_type {
        Type::Tinyint => (i8::MIN.into(), i8::MAX.into()),
        Type::Smallint => (i16::MIN.into(), i16::MAX.into()),
        Type::Integer => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    }
}

/// Rounds nanoseconds to a multiple of `step`, halves up.
fn rounded(nanos: i64, step: i64) -> i64 {
    (nanos + step / 2).div_euclid(step) * step
}

/// Which of the entries with one key in one map stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    First,
    Last,
}

/// Leaves out entries of maps whose key is NULL or stands in its map once more; returns the keys, the values and how many are
/// left of each map.
///
/// # Errors
/// `InvalidData` for keys of a type that cannot be compared.
pub(super) fn distinct(
    name: &str,
    keys: &ArrayRef,
    values: &ArrayRef,
    lengths: &[usize],
    kept: Kept,
) -> Result<(ArrayRef, ArrayRef, Vec<usize>)> {
    let failed = |error| cast_failed(name, &error);
    let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())]).map_err(failed)?;
    let rows = converter.convert_columns(std::slice::from_ref(keys)).map_err(failed)?;
    let mut indices: Vec<u32> = Vec::with_capacity(keys.len());
    let mut left = Vec::with_capacity(lengths.len());
    let mut start = 0;
    for length in lengths {
        let mut seen = std::collections::HashMap::new();
        let mut order = Vec::with_capacity(*length);
        for at in start..start + length {
            if keys.is_null(at) {
                continue;
            }
            let known = seen.insert(rows.row(at), order.len());
            match known {
                None => order.push(Some(at)),
                Some(place) if kept == Kept::First => {
                    seen.insert(rows.row(at), place);
                }
                Some(place) => {
                    if let Some(earlier) = order.get_mut(place) {
                        *earlier = None;
                    }
                    order.push(Some(at));
                }
            }
        }
        let of_map = order.into_iter().flatten().filter_map(|at| u32::try_from(at).ok());
        let before = indices.len();
        indices.extend(of_map);
        left.push(indices.len() - before);
        start += length;
    }
    if indices.len() == keys.len() {
        return Ok((Arc::clone(keys), Arc::clone(values), left));
    }
    let indices = UInt32Array::from(indices);
    Ok((take(keys, &indices, None).map_err(failed)?, take(values, &indices, None).map_err(failed)?, left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::text::display;

    fn shown(values: &[&str], data_type: &Type, rules: Rules) -> Vec<String> {
        let values: Vec<Option<&str>> = values.iter().map(|text| Some(*text)).collect();
        let array = typed("c", &values, data_type, rules).unwrap();
        (0..values.len()).map(|row| display(data_type, &array, row).unwrap_or_else(|| "NULL".to_owned())).collect()
    }

    /// What Trino 476 answers.
    #[test]
    fn lazy_texts_are_read_as_trino_reads_them() {
        let shown = |values: &[&str], data_type| shown(values, &data_type, Rules::Lazy);
        assert_eq!(
            shown(&["1.0", "1.5", ".5", " 1", "1 ", "300", "x"], Type::Tinyint),
            ["1", "1", "0", "NULL", "NULL", "NULL", "NULL"]
        );
        assert_eq!(
            shown(&["nan", "inf", "NaN", "Infinity", "1f", "1d", " 1"], Type::Double),
            ["NULL", "NULL", "NaN", "Infinity", "1.0", "1.0", "1.0"]
        );
        assert_eq!(shown(&["1e2", " 1", "1.005", "1234567"], Type::Decimal(7, 2)), ["100.00", "NULL", "1.01", "NULL"]);
        assert_eq!(
            shown(&["20200101", "2020-01-01 01:02", "2020-02-30", "1-01-01"], Type::Date),
            ["NULL", "2020-01-01", "2020-03-01", "0001-01-01"]
        );
        assert_eq!(
            shown(&["2020-01-01", "2020-01-01 1:2:3", "2020-01-01 01:02:03.9995"], Type::Timestamp(3)),
            ["NULL", "2020-01-01 01:02:03.000", "2020-01-01 01:02:04.000"]
        );
        assert_eq!(shown(&["true", "FALSE", "1"], Type::Boolean), ["true", "false", "NULL"]);
        assert_eq!(shown(&["YWI=", "YWI", ""], Type::Varbinary), ["61 62", "61 62", ""]);
        let error = typed("c", &[Some("a b")], &Type::Varbinary, Rules::Lazy).unwrap_err();
        assert_eq!(error.message, "HIVE_BAD_DATA: the value `a b` of column `c` is no varbinary");
    }

    /// What Trino 476 answers.
    #[test]
    fn a_pattern_takes_no_more_than_java_does() {
        let shown = |values: &[&str], data_type| shown(values, &data_type, Rules::Pattern);
        assert_eq!(shown(&["1", "1.0", " 1", "1 "], Type::Integer), ["1", "NULL", "NULL", "NULL"]);
    }

    #[test]
    fn times_of_openx_may_be_numbers() {
        let shown = |values: &[&str], data_type| shown(values, &data_type, Rules::OpenxJson);
        assert_eq!(
            shown(
                &["1577840523", "1577840523123", "1577840523.5", "2020-01-01T01:02:03+01:00", "x"],
                Type::Timestamp(3)
            ),
            [
                "2020-01-01 01:02:03.000",
                "2020-01-01 01:02:03.123",
                "2020-01-01 01:02:03.500",
                "2020-01-01 00:02:03.000",
                "NULL"
            ]
        );
        assert_eq!(
            shown(&["18262", "2020-01-01", "2020-01-01T05:00:00", "2020-01-01x", "x"], Type::Date),
            ["2020-01-01", "2020-01-01", "2020-01-01", "2020-01-01", "NULL"]
        );
        assert_eq!(shown(&["0x10", "010", "1.9", "1e400", "x"], Type::Bigint), ["16", "8", "1", "NULL", "NULL"]);
    }
}
