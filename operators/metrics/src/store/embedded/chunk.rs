//! The bytes of a chunk: a form, a hash, the times as differences of differences, the values as they are.
//!
//! Times at a steady distance take a byte each; the values' eight bytes are not worth the time that packing them takes here,
//! where points stay for days.

use lake::{Error, ErrorKind, Result};
use twox_hash::XxHash64;

use crate::point::Points;

/// The form of the bytes.
const FORM: u8 = 1;

/// The form and the hash.
const HEAD: usize = 9;

/// Writes points as bytes.
pub(super) fn encode(points: &Points) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + 8 + points.len() * 10);
    bytes.push(FORM);
    bytes.extend([0; 8]);
    put_varint(&mut bytes, points.len() as u64);
    let (mut before, mut distance) = (0, 0);
    for time_ms in points.times_ms() {
        let next = time_ms - before;
        put_varint(&mut bytes, zigzag(next - distance));
        (before, distance) = (*time_ms, next);
    }
    for value in points.values() {
        bytes.extend(value.to_le_bytes());
    }
    let hash = XxHash64::oneshot(0, &bytes[HEAD..]);
    bytes[1..HEAD].copy_from_slice(&hash.to_le_bytes());
    bytes
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// `InvalidData` for anything else: the file is damaged, or of a newer suiro.
pub(super) fn decode(bytes: &[u8]) -> Result<Points> {
    let damaged = |why: &str| {
        let message = format!("a chunk of points in an embedded store cannot be read: {why}");
        Err(Error::new(ErrorKind::InvalidData, "read points", message))
    };
    if bytes.len() < HEAD || bytes[0] != FORM {
        return damaged("it has another form");
    }
    if bytes[1..HEAD] != XxHash64::oneshot(0, &bytes[HEAD..]).to_le_bytes() {
        return damaged("its bytes are damaged");
    }
    let mut rest = &bytes[HEAD..];
    let Some(count) = take_varint(&mut rest).and_then(|count| usize::try_from(count).ok()) else {
        return damaged("it ends too early");
    };
    let mut times_ms = Vec::with_capacity(count.min(rest.len()));
    let (mut before, mut distance) = (0_i64, 0_i64);
    for _ in 0..count {
        let Some(change) = take_varint(&mut rest) else { return damaged("it ends too early") };
        distance = distance.wrapping_add(unzigzag(change));
        before = before.wrapping_add(distance);
        times_ms.push(before);
    }
    let (values, more) = rest.as_chunks::<8>();
    if values.len() != count || !more.is_empty() {
        return damaged("it has not as many values as times");
    }
    Points::of_sorted(times_ms, values.iter().map(|value| f64::from_le_bytes(*value)).collect())
}

fn zigzag(value: i64) -> u64 {
    (value.wrapping_shl(1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn points_read_as_they_were_written(times in proptest::collection::btree_set(0_i64..crate::time::END_MS, 0..50)) {
            let times_ms: Vec<i64> = times.into_iter().collect();
            let values = times_ms.iter().map(|time| f64::from_bits(time.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            let points = Points::of_sorted(times_ms.clone(), values.collect()).unwrap();
            let bytes = encode(&points);
            prop_assert_eq!(decode(&bytes).unwrap(), points);
        }
    }

    #[test]
    fn steady_points_take_nine_bytes_and_damage_is_noticed() {
        let points = Points::of_sorted((0..360).map(|at| at * 60_000).collect(), vec![1.5; 360]).unwrap();
        let bytes = encode(&points);
        assert!(bytes.len() < 360 * 9 + 24, "{}", bytes.len());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(decode(&damaged).is_err(), "{at}");
        }
        assert!(decode(&bytes[..bytes.len() - 8]).is_err());
        assert!(decode(&[]).is_err());
    }
}
