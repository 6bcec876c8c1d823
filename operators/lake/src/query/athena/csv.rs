//! Athena's CSV: every value in double quotes, NULL an empty field without them, `\n` at line ends.
//!
//! <https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html>.

/// A record: its values, none for NULL.
pub(super) type Record = Vec<Option<String>>;

/// Cuts pieces of a CSV file into records, wherever the pieces end.
#[derive(Debug, Default)]
pub(super) struct Records {
    record: Vec<Option<Vec<u8>>>,
    value: Option<Vec<u8>>,
    place: Place,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a value.
    #[default]
    Start,
    /// In a value without quotes.
    Plain,
    /// In a value in quotes.
    Quoted,
    /// Behind a quote in it, which ends it or is the first of two.
    Quote,
}

impl Records {
    /// Takes a piece, and puts the records that end in it to the others.
    pub(super) fn take(&mut self, piece: &[u8], records: &mut Vec<Record>) {
        for byte in piece {
            match (self.place, byte) {
                (Place::Quoted, b'"') => self.place = Place::Quote,
                (Place::Quote, b'"') => self.put(b'"', Place::Quoted),
                (Place::Quoted, byte) => self.put(*byte, Place::Quoted),
                (_, b',') => self.end_value(),
                (_, b'\n') => {
                    self.end_value();
                    records.push(std::mem::take(&mut self.record).into_iter().map(text).collect());
                }
                (Place::Start, b'"') => {
                    self.value = Some(Vec::new());
                    self.place = Place::Quoted;
                }
                (_, byte) => self.put(*byte, Place::Plain),
            }
        }
    }

    /// Returns the last record when no line end is behind it.
    pub(super) fn end(mut self) -> Option<Record> {
        let is_empty = self.record.is_empty() && self.place == Place::Start;
        if is_empty {
            return None;
        }
        self.end_value();
        Some(self.record.into_iter().map(text).collect())
    }

    fn put(&mut self, byte: u8, place: Place) {
        self.value.get_or_insert_default().push(byte);
        self.place = place;
    }

    fn end_value(&mut self) {
        self.record.push(self.value.take());
        self.place = Place::Start;
    }
}

fn text(bytes: Option<Vec<u8>>) -> Option<String> {
    bytes.map(|bytes| match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str, at: usize) -> Vec<Record> {
        let mut records = Vec::new();
        let mut reader = Records::default();
        for piece in text.as_bytes().chunks(at.max(1)) {
            reader.take(piece, &mut records);
        }
        records.extend(reader.end());
        records
    }

    #[test]
    fn null_and_an_empty_text_are_told_apart() {
        let some = |text: &str| Some(text.to_owned());
        let expected = vec![
            vec![some("a\"b"), None, some(""), some("x,\ny")],
            vec![None],
            vec![some("plain"), some("é")],
            vec![None, None],
        ];
        let text = "\"a\"\"b\",,\"\",\"x,\ny\"\n\nplain,\"é\"\n,";
        for at in 1..text.len() {
            assert_eq!(cut(text, at), expected, "pieces of {at}");
        }
        assert_eq!(cut("", 1), Vec::<Record>::new());
        assert_eq!(cut("\"\"", 1), [[some("")]]);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(rows in proptest::collection::vec(
            proptest::collection::vec(proptest::option::of("[ -~\n\"é]{0,6}"), 1..4), 0..5), at in 1_usize..9) {
            let mut text = String::new();
            for row in &rows {
                let cells: Vec<String> = row.iter().map(|value| match value {
                    Some(value) => format!("\"{}\"", value.replace('"', "\"\"")),
                    None => String::new(),
                }).collect();
                text.push_str(&cells.join(","));
                text.push('\n');
            }
            prop_assert_eq!(cut(&text, at), rows);
        }
    }
}
