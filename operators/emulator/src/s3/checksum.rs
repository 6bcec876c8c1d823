//! The checksums that clients send along with objects: `x-amz-checksum-…`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// How a checksum is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(super) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// Returns the header that carries it.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Returns the element of XML that carries it.
    pub(super) fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// Starts a computation.
    pub(super) fn start(self) -> Sum {
        match self {
            Self::Crc32 => Sum::Crc32(crc32fast::Hasher::new()),
            Self::Crc32c => Sum::Crc32c(u32::MAX),
            Self::Crc64Nvme => Sum::Crc64Nvme(u64::MAX),
            Self::Sha1 => Sum::Sha1(Sha1::new()),
            Self::Sha256 => Sum::Sha256(Sha256::new()),
        }
    }
}

/// A computation.
#[derive(Debug, Clone)]
pub(super) enum Sum {
    Crc32(crc32fast::Hasher),
    Crc32c(u32),
    Crc64Nvme(u64),
    Sha1(Sha1),
    Sha256(Sha256),
}

/// CRC-32C (Castagnoli) by bytes: the polynomial 0x1EDC6F41, reflected.
const CRC32C: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "a byte")]
        let mut remainder = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            remainder = if remainder & 1 == 1 { (remainder >> 1) ^ 0x82f6_3b78 } else { remainder >> 1 };
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
    }
    table
};

/// CRC-64/NVME by bytes: the polynomial 0xAD93D23594C93659, reflected.
const CRC64_NVME: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut remainder = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            remainder = if remainder & 1 == 1 { (remainder >> 1) ^ 0x9a6c_9329_ac4b_c9b5 } else { remainder >> 1 };
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
    }
    table
};

impl Sum {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Crc32c(state) => {
                for byte in bytes {
                    *state = (*state >> 8) ^ CRC32C[usize::from(state.to_le_bytes()[0] ^ byte)];
                }
            }
            Self::Crc64Nvme(state) => {
                for byte in bytes {
                    *state = (*state >> 8) ^ CRC64_NVME[usize::from(state.to_le_bytes()[0] ^ byte)];
                }
            }
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// Ends the computation, and writes its result as S3 does.
    pub(super) fn finish(self) -> String {
        match self {
            Self::Crc32(hasher) => STANDARD.encode(hasher.finalize().to_be_bytes()),
            Self::Crc32c(state) => STANDARD.encode((!state).to_be_bytes()),
            Self::Crc64Nvme(state) => STANDARD.encode((!state).to_be_bytes()),
            Self::Sha1(hasher) => STANDARD.encode(hasher.finalize()),
            Self::Sha256(hasher) => STANDARD.encode(hasher.finalize()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of <https://reveng.sourceforge.io/crc-catalogue/all.htm>, and those of the SHA standards for the same text.
    #[test]
    fn sums_are_the_known_ones() {
        let expected: [&[u8]; 5] = [
            &0xcbf4_3926_u32.to_be_bytes(),
            &0xe306_9283_u32.to_be_bytes(),
            &0xae8b_1486_0a79_9888_u64.to_be_bytes(),
            &crate::auth::digest::unhex("f7c3bc1d808e04732adf679965ccc34ca7ae3441").unwrap(),
            &crate::auth::digest::unhex("15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225").unwrap(),
        ];
        for (algorithm, expected) in Algorithm::ALL.into_iter().zip(expected) {
            let mut sum = algorithm.start();
            sum.update(b"1234");
            sum.update(b"56789");
            assert_eq!(sum.finish(), STANDARD.encode(expected), "{algorithm:?}");
        }
    }
}
