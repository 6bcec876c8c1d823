//! Goes through the text of a time: digits, names, fractions and offsets.

/// Abbreviations that name one offset. DIFFERENCE(embulk): summer times are summer times (`EDT` is -04:00).
const ABBREVIATIONS: [(&[u8], i32); 13] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"UT", 0),
    (b"Z", 0),
    (b"JST", 9),
    (b"EST", -5),
    (b"EDT", -4),
    (b"CST", -6),
    (b"CDT", -5),
    (b"MST", -7),
    (b"MDT", -6),
    (b"PST", -8),
    (b"PDT", -7),
];

/// Reads an offset at the start: `+0900`, `+09:00`, `+09`, `Z`, `UTC`, `EST`; returns seconds and the bytes used.
pub(super) fn offset(text: &[u8]) -> Option<(i32, usize)> {
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => {
            let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            let (_, hours) = ABBREVIATIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text[..letters]))?;
            return Some((hours * 3600, letters));
        }
    };
    let mut cursor = Cursor { text, at: 1 };
    let hours = cursor.exact(2)?;
    if cursor.peek() == Some(b':') {
        cursor.at += 1;
        let minutes = cursor.exact(2)?;
        return whole_offset(sign, hours, minutes, cursor.at);
    }
    let after_hours = cursor.at;
    match cursor.exact(2) {
        Some(minutes) => whole_offset(sign, hours, minutes, cursor.at),
        None => whole_offset(sign, hours, 0, after_hours),
    }
}

fn whole_offset(sign: i32, hours: i64, minutes: i64, used: usize) -> Option<(i32, usize)> {
    (hours < 24 && minutes < 60).then_some(())?;
    Some((sign * i32::try_from(hours * 3600 + minutes * 60).ok()?, used))
}

/// A place in a text, from which on nothing was read.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

impl Cursor<'_> {
    pub(super) fn is_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    pub(super) fn byte(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    pub(super) fn blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Reads exactly so many digits.
    pub(super) fn exact(&mut self, count: usize) -> Option<i64> {
        let digits = self.text.get(self.at..self.at + count)?;
        let mut value = 0;
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            (digit < 10).then_some(())?;
            value = value * 10 + i64::from(digit);
        }
        self.at += count;
        Some(value)
    }

    /// Reads one to so many digits.
    pub(super) fn digits(&mut self, most: usize) -> Option<i64> {
        let count = self.text[self.at..].iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 { None } else { self.exact(count) }
    }

    /// Reads a number with a sign, to the end of its digits.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let sign = self.peek()?;
        let negative = sign == b'-';
        if negative || sign == b'+' {
            self.at += 1;
        }
        let value = self.digits(18)?;
        Some(if negative { -value } else { value })
    }

    /// Reads the digits of a fraction of a second as microseconds.
    pub(super) fn fraction(&mut self, width: Option<u8>) -> Option<i64> {
        let most = width.map_or(usize::MAX, usize::from);
        let count = self.text[self.at..].iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(())?;
        let mut micros = 0;
        for place in 0..6 {
            let digit = if place < count { i64::from(self.text[self.at + place] - b'0') } else { 0 };
            micros = micros * 10 + digit;
        }
        self.at += count;
        Some(micros)
    }

    /// Reads a name (whole or its first three letters) and returns its number from 1.
    pub(super) fn name(&mut self, names: &[&[u8]]) -> Option<i64> {
        let rest = &self.text[self.at..];
        for (name, number) in names.iter().zip(1..) {
            for length in [name.len(), 3] {
                let length = length.min(name.len());
                if rest.len() >= length && rest[..length].eq_ignore_ascii_case(&name[..length]) {
                    self.at += length;
                    return Some(number);
                }
            }
        }
        None
    }

    pub(super) fn offset(&mut self) -> Option<i32> {
        let (seconds, used) = offset(&self.text[self.at..])?;
        self.at += used;
        Some(seconds)
    }
}
