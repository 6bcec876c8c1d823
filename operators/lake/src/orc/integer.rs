//! Integers in runs, by both versions of the encoding.
//!
//! <https://orc.apache.org/specification/ORCv1/#integer-run-length-encoding-version-2>.

use std::io;

use super::bad;
use super::chunk::Chunks;
use super::message::varint;

/// The most values of a run.
const RUN: usize = 512;

/// Values of one run that are not worth a run.
const FEW: usize = 3;

/// The most values of a short run.
const SHORT: usize = 10;

/// How integers stand in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// Integers that are read.
#[derive(Debug)]
pub(super) struct Integers {
    chunks: Chunks,
    version: Version,
    is_signed: bool,
    /// The run that is being taken.
    run: Vec<i64>,
    at: usize,
}

impl Integers {
    pub(super) fn new(chunks: Chunks, version: Version, is_signed: bool) -> Self {
        Self { chunks, version, is_signed, run: Vec::new(), at: 0 }
    }

    pub(super) fn next(&mut self) -> io::Result<i64> {
        loop {
            if let Some(value) = self.run.get(self.at) {
                self.at += 1;
                return Ok(*value);
            }
            self.run.clear();
            self.at = 0;
            match self.version {
                Version::One => self.run_of_one()?,
                Version::Two => self.run_of_two()?,
            }
        }
    }

    /// Takes a length or an index: a number that is not negative.
    pub(super) fn length(&mut self) -> io::Result<usize> {
        let value = self.next()?;
        usize::try_from(value).map_err(|_| bad(format!("expected a length, found {value}")))
    }

    fn varint(&mut self) -> io::Result<i64> {
        let bits = self.chunks.varint()?;
        Ok(self.value(bits))
    }

    /// Makes the value of the bits that stand for it.
    fn value(&self, bits: u64) -> i64 {
        if self.is_signed { zigzag(bits) } else { bits.cast_signed() }
    }

    fn run_of_one(&mut self) -> io::Result<()> {
        let control = self.chunks.byte()?;
        if control < 0x80 {
            let delta = i64::from(self.chunks.byte()?.cast_signed());
            let mut value = self.varint()?;
            for _ in 0..usize::from(control) + 3 {
                self.run.push(value);
                value = value.wrapping_add(delta);
            }
        } else {
            for _ in 0..256 - usize::from(control) {
                let value = self.varint()?;
                self.run.push(value);
            }
        }
        Ok(())
    }

    fn run_of_two(&mut self) -> io::Result<()> {
        let first = self.chunks.byte()?;
        if first >> 6 == 0 {
            let value = self.big_endian(u32::from(first >> 3 & 7) + 1)?;
            let value = self.value(value);
            self.run.resize(usize::from(first & 7) + 3, value);
            return Ok(());
        }
        let code = first >> 1 & 0x1f;
        let count = usize::from(first & 1) << 8 | usize::from(self.chunks.byte()?);
        match first >> 6 {
            1 => {
                let packed = self.packed(count + 1, width(code))?;
                for bits in packed {
                    let value = self.value(bits);
                    self.run.push(value);
                }
                Ok(())
            }
            2 => self.patched(count + 1, width(code)),
            _ => self.delta(count + 1, if code == 0 { 0 } else { width(code) }),
        }
    }

    fn patched(&mut self, count: usize, value_width: u32) -> io::Result<()> {
        let third = self.chunks.byte()?;
        let fourth = self.chunks.byte()?;
        let base_bytes = u32::from(third >> 5) + 1;
        let patch_width = width(third & 0x1f);
        let gap_width = u32::from(fourth >> 5) + 1;
        let patches = usize::from(fourth & 0x1f);
        // The highest bit is the sign.
        let bits = self.big_endian(base_bytes)?;
        let sign = 1 << (8 * base_bytes - 1);
        let base = if bits & sign == 0 { bits.cast_signed() } else { (bits & !sign).cast_signed().wrapping_neg() };
        if value_width + patch_width > 64 || gap_width + patch_width > 64 {
            return Err(bad("a run of integers has patches of too many bits"));
        }
        let mut values = self.packed(count, value_width)?;
        let mut at = 0;
        for entry in self.packed(patches, closest(gap_width + patch_width))? {
            at += usize::try_from(entry.checked_shr(patch_width).unwrap_or(0)).unwrap_or(usize::MAX).min(RUN);
            let patch = entry & mask(patch_width);
            match values.get_mut(at) {
                Some(value) => *value |= patch.checked_shl(value_width).unwrap_or(0),
                // An entry that only goes further; a last one that does is of nothing.
                None if patch == 0 => {}
                None => return Err(bad("a run of integers has a patch behind its end")),
            }
        }
        self.run.extend(values.into_iter().map(|value| base.wrapping_add(value.cast_signed())));
        Ok(())
    }

    fn delta(&mut self, count: usize, delta_width: u32) -> io::Result<()> {
        let mut value = self.varint()?;
        let step = zigzag(self.chunks.varint()?);
        self.run.push(value);
        if count > 1 {
            value = value.wrapping_add(step);
            self.run.push(value);
        }
        let others = count.saturating_sub(2);
        if delta_width == 0 {
            for _ in 0..others {
                value = value.wrapping_add(step);
                self.run.push(value);
            }
            return Ok(());
        }
        for bits in self.packed(others, delta_width)? {
            let delta = bits.cast_signed();
            value = if step < 0 { value.wrapping_sub(delta) } else { value.wrapping_add(delta) };
            self.run.push(value);
        }
        Ok(())
    }

    fn big_endian(&mut self, bytes: u32) -> io::Result<u64> {
        let mut value = 0;
        for _ in 0..bytes {
            value = value << 8 | u64::from(self.chunks.byte()?);
        }
        Ok(value)
    }

    /// Takes values of so many bits each, the highest bit first; what is left of the last byte is of nothing.
    fn packed(&mut self, count: usize, width: u32) -> io::Result<Vec<u64>> {
        let mut values = Vec::with_capacity(count);
        let (mut byte, mut left) = (0_u8, 0_u32);
        for _ in 0..count {
            let (mut value, mut missing) = (0_u64, width);
            while missing > 0 {
                if left == 0 {
                    byte = self.chunks.byte()?;
                    left = 8;
                }
                let taken = missing.min(left);
                left -= taken;
                value = value << taken | u64::from(byte >> left) & mask(taken);
                missing -= taken;
            }
            values.push(value);
        }
        Ok(values)
    }
}

fn mask(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

fn zigzag(bits: u64) -> i64 {
    (bits >> 1).cast_signed() ^ -((bits & 1).cast_signed())
}

/// Returns the number of bits that a code of five bits stands for.
fn width(code: u8) -> u32 {
    match code {
        0..=23 => u32::from(code) + 1,
        24 => 26,
        25 => 28,
        26 => 30,
        27 => 32,
        28 => 40,
        29 => 48,
        30 => 56,
        _ => 64,
    }
}

/// Returns the smallest number of bits that has a code and is not smaller.
fn closest(bits: u32) -> u32 {
    (0..=31).map(width).find(|width| *width >= bits).unwrap_or(64)
}

/// Writes integers by version 2: runs of equal values, and the others packed.
pub(super) fn write(values: &[i64], is_signed: bool, to: &mut Vec<u8>) {
    let bits_of =
        |value: i64| if is_signed { ((value << 1) ^ (value >> 63)).cast_unsigned() } else { value.cast_unsigned() };
    let (mut literals, mut at) = (0, 0);
    while let Some(value) = values.get(at) {
        let run = values.iter().skip(at).take(RUN).take_while(|other| *other == value).count();
        if run > FEW {
            packed(values.get(literals..at).unwrap_or_default(), bits_of, to);
            let bits = bits_of(*value);
            if run <= SHORT {
                let bytes = usize::try_from((64 - bits.leading_zeros()).div_ceil(8).max(1)).unwrap_or(8);
                to.push(u8::try_from((bytes - 1) << 3 | (run - 3)).unwrap_or_default());
                to.extend(bits.to_be_bytes().iter().skip(8 - bytes));
            } else {
                let length = run - 1;
                to.push(0b1100_0000 | u8::try_from(length >> 8).unwrap_or_default());
                to.push(u8::try_from(length & 0xff).unwrap_or_default());
                varint(bits, to);
                varint(0, to);
            }
            literals = at + run;
        }
        at += run;
    }
    packed(values.get(literals..).unwrap_or_default(), bits_of, to);
}

fn packed(values: &[i64], bits_of: impl Fn(i64) -> u64, to: &mut Vec<u8>) {
    for piece in values.chunks(RUN) {
        let most = piece.iter().map(|value| 64 - bits_of(*value).leading_zeros()).max().unwrap_or(0).max(1);
        let width_of_all = closest(most);
        let code = (0..=31).find(|code| width(*code) == width_of_all).unwrap_or(31);
        let length = piece.len() - 1;
        to.push(0b0100_0000 | code << 1 | u8::try_from(length >> 8).unwrap_or_default());
        to.push(u8::try_from(length & 0xff).unwrap_or_default());
        let (mut byte, mut free) = (0_u8, 8_u32);
        for value in piece {
            let bits = bits_of(*value);
            let mut missing = width_of_all;
            while missing > 0 {
                let taken = missing.min(free);
                missing -= taken;
                free -= taken;
                let part = u8::try_from(bits >> missing & mask(taken)).unwrap_or_default();
                byte |= part << free;
                if free == 0 {
                    to.push(byte);
                    (byte, free) = (0, 8);
                }
            }
        }
        if free < 8 {
            to.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chunk::{Codec, Packing};
    use super::*;

    fn read(bytes: &[u8], version: Version, is_signed: bool, count: usize) -> Vec<i64> {
        let chunks = Chunks::new(bytes.to_vec().into(), Packing { codec: Codec::None, chunk: 1 });
        let mut integers = Integers::new(chunks, version, is_signed);
        let values = (0..count).map(|_| integers.next().unwrap()).collect();
        assert!(integers.next().is_err(), "no more than {count}");
        values
    }

    /// The examples of the specification, and what Java makes of outliers.
    #[test]
    fn runs_of_the_specification_are_read() {
        assert_eq!(read(&[0x61, 0x00, 0x07], Version::One, false, 100), [7; 100]);
        assert_eq!(read(&[0x61, 0xff, 0x64], Version::One, false, 100), (1..=100).rev().collect::<Vec<_>>());
        assert_eq!(read(&[0xfb, 0x02, 0x03, 0x06, 0x07, 0x0b], Version::One, false, 5), [2, 3, 6, 7, 11]);
        assert_eq!(read(&[0x0a, 0x27, 0x10], Version::Two, false, 5), [10000; 5]);
        let direct = [0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef];
        assert_eq!(read(&direct, Version::Two, false, 4), [23713, 43806, 57005, 48879]);
        let patched = [
            0x8e, 0x13, 0x2b, 0x21, 0x07, 0xd0, 0x1e, 0x00, 0x14, 0x70, 0x28, 0x32, 0x3c, 0x46, 0x50, 0x5a, 0x64, 0x6e,
            0x78, 0x82, 0x8c, 0x96, 0xa0, 0xaa, 0xb4, 0xbe, 0xfc, 0xe8,
        ];
        let values = [
            2030, 2000, 2020, 1_000_000, 2040, 2050, 2060, 2070, 2080, 2090, 2100, 2110, 2120, 2130, 2140, 2150, 2160,
            2170, 2180, 2190,
        ];
        assert_eq!(read(&patched, Version::Two, false, 20), values);
        let delta = [0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46];
        assert_eq!(read(&delta, Version::Two, false, 10), [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
    }

    #[test]
    fn integers_are_read_as_they_are_written() {
        let mixed: Vec<i64> = (0..5000).map(|n: i64| if n % 700 < 300 { 5 } else { n * n - 9000 }).collect();
        for values in [
            vec![],
            vec![0],
            vec![i64::MIN, i64::MAX, 0, -1],
            vec![-3; 10],
            vec![1 << 40; 11],
            vec![9; 1500],
            (0..1000).collect(),
            vec![1, 1, 1, 1, 2, 2, 2, 3],
            mixed,
        ] {
            let mut bytes = Vec::new();
            write(&values, true, &mut bytes);
            assert_eq!(read(&bytes, Version::Two, true, values.len()), values);
            let lengths: Vec<i64> = values.iter().map(|value| value & i64::MAX).collect();
            bytes.clear();
            write(&lengths, false, &mut bytes);
            assert_eq!(read(&bytes, Version::Two, false, lengths.len()), lengths);
        }
    }
}
