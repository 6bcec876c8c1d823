//! Messages of Protocol Buffers, as far as ORC's metadata needs them.
//!
//! <https://protobuf.dev/programming-guides/encoding/>.

use std::io;

use super::bad;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields of a message, in the order in which they stand there.
#[derive(Debug)]
pub(super) struct Fields<'b> {
    rest: &'b [u8],
}

impl<'b> Fields<'b> {
    pub(super) fn of(message: &'b [u8]) -> Self {
        Self { rest: message }
    }

    fn bytes(&mut self, count: usize) -> io::Result<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| bad("its metadata ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for at in 0..10 {
            let byte = self.bytes(1)?.first().copied().unwrap_or_default();
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(bad("a number of its metadata has more than ten bytes"))
    }

    fn field(&mut self) -> io::Result<(u64, Value<'b>)> {
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => Value::Bytes(self.bytes(8)?),
            2 => {
                let length = self.number()?;
                Value::Bytes(self.bytes(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => Value::Bytes(self.bytes(4)?),
            other => return Err(bad(format!("its metadata has a field of the unknown kind {other}"))),
        };
        Ok((tag >> 3, value))
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = io::Result<(u64, Value<'b>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'b> Value<'b> {
    /// Returns a number; 0 for bytes, which are no number.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Bytes(_) => 0,
        }
    }

    /// Returns bytes; none for a number.
    pub(super) fn bytes(self) -> &'b [u8] {
        match self {
            Self::Number(_) => &[],
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(super) fn text(self) -> io::Result<String> {
        String::from_utf8(self.bytes().to_vec()).map_err(|_| bad("a name in its metadata is no UTF-8"))
    }

    /// Adds the numbers of a repeated field: one, or many that are packed.
    pub(super) fn numbers(self, to: &mut Vec<u64>) -> io::Result<()> {
        match self {
            Self::Number(number) => to.push(number),
            Self::Bytes(packed) => {
                let mut fields = Fields::of(packed);
                while !fields.rest.is_empty() {
                    to.push(fields.number()?);
                }
            }
        }
        Ok(())
    }
}

/// A message that is written.
#[derive(Debug, Default)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    pub(super) fn number(mut self, field: u64, number: u64) -> Self {
        varint(field << 3, &mut self.0);
        varint(number, &mut self.0);
        self
    }

    pub(super) fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        varint(field << 3 | 2, &mut self.0);
        varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), &mut self.0);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    /// Writes numbers packed; nothing for none.
    pub(super) fn numbers(self, field: u64, numbers: &[u64]) -> Self {
        if numbers.is_empty() {
            return self;
        }
        let mut packed = Vec::new();
        for number in numbers {
            varint(*number, &mut packed);
        }
        self.bytes(field, &packed)
    }
}

/// Writes a number: seven bits a byte, the lowest first.
pub(super) fn varint(mut number: u64, to: &mut Vec<u8>) {
    while number > 0x7f {
        to.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    to.push(u8::try_from(number).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_are_written() {
        let inner = Message::default().number(1, 300);
        let message =
            Message::default().number(8000, u64::MAX).numbers(2, &[1, 128]).message(3, &inner).bytes(4, b"ab");
        let fields = Fields::of(&message.0).collect::<io::Result<Vec<_>>>().unwrap();
        assert_eq!(
            fields,
            [
                (8000, Value::Number(u64::MAX)),
                (2, Value::Bytes(&[1, 0x80, 1])),
                (3, Value::Bytes(&inner.0)),
                (4, Value::Bytes(b"ab"))
            ]
        );
        let mut numbers = Vec::new();
        fields[1].1.numbers(&mut numbers).unwrap();
        Value::Number(7).numbers(&mut numbers).unwrap();
        assert_eq!(numbers, [1, 128, 7]);
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_the_end() {
        let message = Message::default().bytes(1, b"abc");
        for length in 1..message.0.len() {
            let found: Vec<_> = Fields::of(&message.0[..length]).collect();
            assert!(matches!(found.as_slice(), [Err(_)]), "{length}");
        }
        assert!(Fields::of(&[0xff; 20]).next().unwrap().is_err());
    }
}
