//! The object beside a result that describes its columns: a message in Protocol Buffers' form.
//!
//! AWS does not document it. The numbers of its fields are those that readers of it know: 1 the id, 2 what a writing statement
//! did, 3 how many rows it wrote, 4 a column each; in a column 1 the catalog, 4 name, 5 label, 6 type, 7 precision, 8 scale,
//! 9 nullable, 10 case-sensitive. Numbers that a type does not have are left out.

use super::column::ResultColumn;

/// What `Nullable` is of every column: not known.
const UNKNOWN: u64 = 3;

/// Writes the description of a result.
pub(in crate::athena) fn encode(id: &str, update: Option<(&str, u64)>, columns: &[ResultColumn]) -> Vec<u8> {
    let mut message = Vec::new();
    bytes(&mut message, 1, id.as_bytes());
    if let Some((what, count)) = update {
        bytes(&mut message, 2, what.as_bytes());
        number(&mut message, 3, count);
    }
    for column in columns {
        let mut inner = Vec::new();
        bytes(&mut inner, 1, b"hive");
        bytes(&mut inner, 4, column.name.as_bytes());
        bytes(&mut inner, 5, column.name.as_bytes());
        bytes(&mut inner, 6, column.data_type.as_bytes());
        if let Some(precision) = column.precision {
            number(&mut inner, 7, precision.into());
        }
        if let Some(scale) = column.scale {
            number(&mut inner, 8, scale.into());
        }
        number(&mut inner, 9, UNKNOWN);
        if let Some(sensitive) = column.case_sensitive {
            number(&mut inner, 10, sensitive.into());
        }
        bytes(&mut message, 4, &inner);
    }
    message
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, u64::try_from(value.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(value);
}

/// Writes seven bits at a time, the lowest first.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0x7f);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_count_has_the_bytes_that_readers_know() {
        let encoded = encode("q", Some(("MERGE", 1)), &[ResultColumn::rows()]);
        let expected = b"\x0a\x01q\x12\x05MERGE\x18\x01\x22\x22\x0a\x04hive\x22\x04rows\x2a\x04rows\x32\x06bigint\x38\x13\x40\x00\x48\x03\x50\x00";
        assert_eq!(encoded, expected);
    }
}
