//! Digests, checksums and keyed digests of bytes.
//!
//! Left out: the Spooky hashes.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use twox_hash::XxHash64;

use super::kernel::{Evaluated, bytes, each, form};
use super::{Argument, Call, EvalError, Function};

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function { name: "md5", overloads: &[form("(varbinary) -> varbinary", digest::<Md5>)] },
    Function { name: "sha1", overloads: &[form("(varbinary) -> varbinary", digest::<Sha1>)] },
    Function { name: "sha256", overloads: &[form("(varbinary) -> varbinary", digest::<Sha256>)] },
    Function { name: "sha512", overloads: &[form("(varbinary) -> varbinary", digest::<Sha512>)] },
    Function { name: "hmac_md5", overloads: &[form("(varbinary, varbinary) -> varbinary", keyed::<Md5, 64>)] },
    Function { name: "hmac_sha1", overloads: &[form("(varbinary, varbinary) -> varbinary", keyed::<Sha1, 64>)] },
    Function { name: "hmac_sha256", overloads: &[form("(varbinary, varbinary) -> varbinary", keyed::<Sha256, 64>)] },
    Function { name: "hmac_sha512", overloads: &[form("(varbinary, varbinary) -> varbinary", keyed::<Sha512, 128>)] },
    Function { name: "crc32", overloads: &[form("(varbinary) -> bigint", crc32)] },
    Function { name: "xxhash64", overloads: &[form("(varbinary) -> varbinary", xxhash64)] },
    Function { name: "murmur3", overloads: &[form("(varbinary) -> varbinary", murmur3)] },
];

fn digest<D: Digest>(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).bytes(|value, out| {
        out.extend_from_slice(&D::digest(value));
        Ok(())
    })
}

/// HMAC (RFC 2104) with a digest whose blocks have so many bytes.
fn keyed<D: Digest, const BLOCK: usize>(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    const INNER_PAD: u8 = 0x36;
    const OUTER_PAD: u8 = 0x5c;
    each(call, (bytes(arguments, 0)?, bytes(arguments, 1)?)).bytes(|(value, key), out| {
        if key.is_empty() {
            return Err(EvalError { name: "GENERIC_INTERNAL_ERROR", message: "Empty key".to_owned() });
        }
        let shortened = D::digest(key);
        let key = if key.len() > BLOCK { shortened.as_slice() } else { key };
        let pad = |with: u8| {
            let mut block = [with; BLOCK];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            block
        };
        let inner = D::new().chain_update(pad(INNER_PAD)).chain_update(value).finalize();
        out.extend_from_slice(&D::new().chain_update(pad(OUTER_PAD)).chain_update(inner).finalize());
        Ok(())
    })
}

fn crc32(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).bigint(|value| Ok(i64::from(crc32fast::hash(value))))
}

fn xxhash64(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).bytes(|value, out| {
        out.extend_from_slice(&XxHash64::oneshot(0, value).to_be_bytes());
        Ok(())
    })
}

fn murmur3(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bytes(arguments, 0)?).bytes(|value, out| {
        for half in murmur3_128(value) {
            out.extend_from_slice(&half.to_le_bytes());
        }
        Ok(())
    })
}

/// `MurmurHash3` for 64-bit machines, 128 bits, seed 0 (<https://github.com/aappleby/smhasher>, public domain).
fn murmur3_128(value: &[u8]) -> [u64; 2] {
    const C1: u64 = 0x87c3_7b91_1142_53d5;
    const C2: u64 = 0x4cf5_ad43_2745_937f;
    fn word(bytes: &[u8]) -> u64 {
        bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }
    fn first(half: u64) -> u64 {
        half.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
    }
    fn second(half: u64) -> u64 {
        half.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
    }
    fn spread(half: u64) -> u64 {
        let half = (half ^ half >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let half = (half ^ half >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        half ^ half >> 33
    }
    let (mut h1, mut h2) = (0_u64, 0_u64);
    let mut blocks = value.chunks_exact(16);
    for block in &mut blocks {
        h1 ^= first(word(&block[..8]));
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= second(word(&block[8..]));
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let tail = blocks.remainder();
    h2 ^= second(word(tail.get(8..).unwrap_or_default()));
    h1 ^= first(word(&tail[..tail.len().min(8)]));
    let length = value.len() as u64;
    h1 ^= length;
    h2 ^= length;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = spread(h1);
    h2 = spread(h2);
    h1 = h1.wrapping_add(h2);
    [h1, h2.wrapping_add(h1)]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bytes, error, value};
    use crate::sql::types::Type;

    fn of(name: &str, values: &[&[u8]]) -> String {
        let values: Vec<_> = values.iter().map(|value| bytes(value)).collect();
        value(name, 0, Type::Varbinary, &values).to_uppercase()
    }

    #[test]
    fn digests_are_those_of_trino() {
        assert_eq!(of("md5", &[b""]), "D41D8CD98F00B204E9800998ECF8427E");
        assert_eq!(of("murmur3", &[b"abc"]), "6778AD3F3F3F96B4522DCA264174A23B");
        assert_eq!(of("murmur3", &[b"hello world, this is longer than sixteen"]), "672C37E32A012F91D00733136BEDC109");
        assert_eq!(of("xxhash64", &[b"abc"]), "44BC2CF5AD770999");
        assert_eq!(value("crc32", 0, Type::Bigint, &[bytes(b"123456789")]), "3421780262");
    }

    #[test]
    fn keyed_digests_shorten_long_keys_and_want_one() {
        assert_eq!(of("hmac_md5", &[b"data", b"key"]), "9D5C73EF85594D34EC4438B7C97E51D8");
        assert_eq!(of("hmac_md5", &[b"data", &[b'k'; 200]]), "724BC5854C8911D8221B1B48AC58FFDA");
        assert_eq!(
            of("hmac_sha256", &[b"data", b"key"]),
            "5031FE3D989C6D1537A013FA6E739DA23463FDAEC3B70137D828E36ACE221BD0"
        );
        assert_eq!(
            error("hmac_md5", 0, Type::Varbinary, &[bytes(b"data"), bytes(b"")]),
            "GENERIC_INTERNAL_ERROR: Empty key"
        );
    }
}
