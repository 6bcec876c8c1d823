//! Results of queries as CSV: every value in quotes, NULL an empty field without them, a header line, `\n` at line ends.

use futures::StreamExt as _;
use lake::name::Location;
use lake::query::QueryId;
use lake::sql::text::display;
use lake::storage::Storage;
use lake::{Error, ErrorKind, Result};
use tokio::io::AsyncWriteExt as _;

use super::column::ResultColumn;

/// Bytes that are written at a time.
const PIECE_BYTES: usize = 1 << 16;

/// Writes the result of a query that has ended; returns its columns and its bytes.
pub(in crate::athena) async fn write(
    lake: &lake::Lake,
    query: &QueryId,
    location: &Location,
) -> Result<(Vec<ResultColumn>, u64)> {
    let (columns, mut rows) = lake.engine.fetch(query).await?;
    let mut writer = Storage::writer(&lake.storage, location)?;
    let mut text = String::new();
    line(&mut text, columns.iter().map(|column| Some(column.name.as_str())));
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|error| {
            Error::new(ErrorKind::External, "write a result", format!("GENERIC_INTERNAL_ERROR: {error}"))
        })?;
        for row in 0..batch.num_rows() {
            let values: Vec<Option<String>> = columns
                .iter()
                .zip(batch.columns())
                .map(|(column, array)| display(&column.data_type, array, row))
                .collect();
            line(&mut text, values.iter().map(Option::as_deref));
            if text.len() >= PIECE_BYTES {
                if let Err(error) = writer.write_all(text.as_bytes()).await {
                    return Err(writer.failed(error));
                }
                text.clear();
            }
        }
    }
    if let Err(error) = writer.write_all(text.as_bytes()).await {
        return Err(writer.failed(error));
    }
    let bytes = writer.finish().await?;
    Ok((columns.iter().map(|column| ResultColumn::of(&column.name, &column.data_type)).collect(), bytes))
}

/// Writes a record.
fn line<'v>(out: &mut String, values: impl Iterator<Item = Option<&'v str>>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(',');
        }
        if let Some(value) = value {
            out.push('"');
            for character in value.chars() {
                if character == '"' {
                    out.push('"');
                }
                out.push(character);
            }
            out.push('"');
        }
    }
    out.push('\n');
}

/// Reads the record at the beginning of bytes: its values, and how many bytes it has. None when its end is not there yet.
pub(super) fn record(bytes: &[u8]) -> Option<(Vec<Option<String>>, usize)> {
    let mut values = Vec::new();
    let mut value: Option<Vec<u8>> = None;
    let mut quoted = false;
    let mut at = 0;
    let close = |value: &mut Option<Vec<u8>>, values: &mut Vec<Option<String>>| {
        values.push(value.take().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    };
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match (byte, quoted) {
            (b'"', true) => match bytes.get(at) {
                Some(b'"') => {
                    value.get_or_insert_default().push(b'"');
                    at += 1;
                }
                Some(_) => quoted = false,
                None => return None,
            },
            (b'"', false) => {
                value.get_or_insert_default();
                quoted = true;
            }
            (b',', false) => close(&mut value, &mut values),
            (b'\n', false) => {
                close(&mut value, &mut values);
                return Some((values, at));
            }
            (byte, _) => value.get_or_insert_default().push(*byte),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_an_empty_text_are_told_apart() {
        let mut text = String::new();
        line(&mut text, [Some("a\"b"), None, Some(""), Some("x,\ny")].into_iter());
        line(&mut text, [None].into_iter());
        assert_eq!(text, "\"a\"\"b\",,\"\",\"x,\ny\"\n\n");
        let (values, length) = record(text.as_bytes()).unwrap();
        assert_eq!(values, [Some("a\"b".to_owned()), None, Some(String::new()), Some("x,\ny".to_owned())]);
        assert_eq!(record(&text.as_bytes()[length..]), Some((vec![None], 1)));
        assert_eq!(record(b"\"a\""), None, "the line may go on");
        assert_eq!(record(b""), None);
    }
}
