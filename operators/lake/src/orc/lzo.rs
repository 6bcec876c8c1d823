//! LZO1X, which only reading needs.
//!
//! <https://docs.kernel.org/staging/lzo.html> describes the stream.

use std::io;

use super::bad;

/// Decompresses a block of at most so many bytes.
pub(super) fn decompress(data: &[u8], most: usize) -> io::Result<Vec<u8>> {
    let mut block = Block { data, at: 0, out: Vec::new(), most };
    block.decompress()?;
    Ok(block.out)
}

struct Block<'d> {
    data: &'d [u8],
    at: usize,
    out: Vec<u8>,
    most: usize,
}

fn damaged() -> io::Error {
    bad("a chunk is no LZO")
}

impl Block<'_> {
    fn byte(&mut self) -> io::Result<usize> {
        let byte = self.data.get(self.at).copied().ok_or_else(damaged)?;
        self.at += 1;
        Ok(usize::from(byte))
    }

    /// Takes a length of which the first byte had no more room: each zero is 255 more.
    fn long(&mut self, base: usize) -> io::Result<usize> {
        let mut length = base;
        loop {
            let byte = self.byte()?;
            if byte != 0 {
                return Ok(length + byte);
            }
            length += 255;
        }
    }

    fn literals(&mut self, count: usize) -> io::Result<()> {
        let literals = self.data.get(self.at..self.at.saturating_add(count)).ok_or_else(damaged)?;
        if count > self.most.saturating_sub(self.out.len()) {
            return Err(damaged());
        }
        self.out.extend_from_slice(literals);
        self.at += count;
        Ok(())
    }

    fn copy(&mut self, distance: usize, count: usize) -> io::Result<()> {
        let from = self.out.len().checked_sub(distance).filter(|_| distance > 0).ok_or_else(damaged)?;
        if count > self.most.saturating_sub(self.out.len()) {
            return Err(damaged());
        }
        for at in from..from + count {
            // What is copied may be what was copied just now.
            let byte = self.out.get(at).copied().ok_or_else(damaged)?;
            self.out.push(byte);
        }
        Ok(())
    }

    fn decompress(&mut self) -> io::Result<()> {
        // How many literals came before an instruction, 4 for more: the short forms mean something else then.
        let mut before = 0;
        let first = self.data.first().copied().map(usize::from).ok_or_else(damaged)?;
        if first > 17 {
            self.at = 1;
            self.literals(first - 17)?;
            before = (first - 17).min(4);
        }
        loop {
            let code = self.byte()?;
            let behind = match code {
                0..=15 if before == 0 => {
                    let count = if code == 0 { self.long(15)? } else { code } + 3;
                    self.literals(count)?;
                    before = 4;
                    continue;
                }
                0..=15 => {
                    let high = self.byte()?;
                    let distance = (high << 2) + (code >> 2) + 1;
                    let (distance, count) = if before == 4 { (distance + 2048, 3) } else { (distance, 2) };
                    self.copy(distance, count)?;
                    code & 3
                }
                16..=31 => {
                    let count = if code.trailing_zeros() >= 3 { self.long(7)? } else { code & 7 } + 2;
                    let low = self.byte()?;
                    let distance = ((code & 8) << 11) + (self.byte()? << 6) + (low >> 2) + 16384;
                    if distance == 16384 {
                        // The mark of the end.
                        return if self.at == self.data.len() { Ok(()) } else { Err(damaged()) };
                    }
                    self.copy(distance, count)?;
                    low & 3
                }
                32..=63 => {
                    let count = if code.trailing_zeros() >= 5 { self.long(31)? } else { code & 31 } + 2;
                    let low = self.byte()?;
                    let distance = (self.byte()? << 6) + (low >> 2) + 1;
                    self.copy(distance, count)?;
                    low & 3
                }
                64..=127 => {
                    let distance = (self.byte()? << 3) + ((code >> 2) & 7) + 1;
                    self.copy(distance, ((code >> 5) & 1) + 3)?;
                    code & 3
                }
                _ => {
                    let distance = (self.byte()? << 3) + ((code >> 2) & 7) + 1;
                    self.copy(distance, ((code >> 5) & 3) + 5)?;
                    code & 3
                }
            };
            self.literals(behind)?;
            before = behind;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    /// What lzokay-native 0.1.0 makes of texts.
    fn examples() -> Vec<(Vec<u8>, Vec<u8>)> {
        let far = [
            b"what is far away is copied too".as_slice(),
            &b"x".repeat(20_000),
            b"what is far away is copied too; ab abab xy xyz",
        ];
        vec![
            (b"a".to_vec(), bytes("1261110000")),
            (b"abc".repeat(10), bytes("14616263390800110000")),
            (
                b"hello, hello, hello; orc and lzo: literals, then copies. hello, hello".to_vec(),
                bytes(
                    "1868656c6c6f2c202a180000133b206f726320616e64206c7a6f3a206c69746572616c732c207468656e20636f706965732e2bc400110000",
                ),
            ),
            (vec![b'x'; 700], bytes("12782000009c0000110000")),
            (
                far.concat(),
                bytes(
                    "21776861742069732066617220617761796c0108636f7069656420746f6f782000000000000000e600002000000000000000e600002000000000000000e600002000000000000000e600002000000000000000e600002000000000000000e600002000000000000000e600002000000000000000e600002000000000000000e60000200000000000000400001015f9383b0d04624800510078070678797a110000",
                ),
            ),
        ]
    }

    #[test]
    fn blocks_of_another_program_are_read() {
        for (plain, packed) in examples() {
            assert_eq!(decompress(&packed, plain.len()).unwrap(), plain);
            assert!(decompress(&packed, plain.len() - 1).is_err(), "it is longer than it may be");
        }
    }

    #[test]
    fn a_damaged_block_is_an_error_and_never_more() {
        for (plain, packed) in examples() {
            for length in 0..packed.len() {
                assert!(decompress(&packed[..length], plain.len()).is_err(), "{length} of {} bytes", packed.len());
            }
            for at in 0..packed.len() {
                for mask in [1, 0x80, 0xff] {
                    let mut damaged = packed.clone();
                    damaged[at] ^= mask;
                    let _any = std::hint::black_box(decompress(&damaged, plain.len()));
                }
            }
        }
    }
}
