//! Finds the few bytes that end fields and lines, 64 bytes of text at a time.
//!
//! Fields are short: a search that starts anew at each of them costs more than the bytes it passes. Here one pass over a
//! block leaves a bit for each byte, and the next place is the lowest bit that is set.

/// The bytes of a block: as many as a word has bits.
const BLOCK: usize = 64;

/// The places of three bytes in a text.
#[derive(Debug)]
pub(crate) struct Stops<'a> {
    text: &'a [u8],
    wanted: [u8; 3],
    /// The number of the block that was looked at; none at first.
    block: Option<usize>,
    /// Which of its bytes are wanted, the first in the lowest bit.
    flags: u64,
}

impl<'a> Stops<'a> {
    /// Begins a search for any of three bytes, which need not differ.
    pub(crate) fn new(text: &'a [u8], wanted: [u8; 3]) -> Self {
        Self { text, wanted, block: None, flags: 0 }
    }

    /// Returns the text.
    pub(crate) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Returns the first place from `at` on that has a wanted byte. Places may be asked for in any order; forwards is cheap.
    #[inline]
    pub(crate) fn next(&mut self, at: usize) -> Option<usize> {
        let mut block = at / BLOCK;
        if self.block != Some(block) {
            self.look_at(block);
        }
        let mut flags = self.flags & (u64::MAX << (at % BLOCK));
        while flags == 0 {
            block += 1;
            if block * BLOCK >= self.text.len() {
                return None;
            }
            self.look_at(block);
            flags = self.flags;
        }
        Some(block * BLOCK + flags.trailing_zeros() as usize)
    }

    fn look_at(&mut self, block: usize) {
        let rest = self.text.get(block * BLOCK..).unwrap_or_default();
        self.flags = if let Some(whole) = rest.first_chunk() {
            flags(whole, self.wanted)
        } else {
            let mut padded = [0; BLOCK];
            padded[..rest.len()].copy_from_slice(rest);
            flags(&padded, self.wanted) & !(u64::MAX << rest.len())
        };
        self.block = Some(block);
    }
}

/// Returns a bit for each byte that is wanted. Written so that the compiler compares many bytes at once: every byte becomes
/// all ones or zero, keeps the one bit that is its place among eight, and a multiplication adds the eight up.
fn flags(block: &[u8; BLOCK], [first, second, third]: [u8; 3]) -> u64 {
    const PLACES: u64 = 0x8040_2010_0804_0201;
    const ADD_UP: u64 = 0x0101_0101_0101_0101;
    let mut is_wanted = [0_u8; BLOCK];
    for (is_wanted, byte) in is_wanted.iter_mut().zip(block) {
        let is_any = u8::from(*byte == first) | u8::from(*byte == second) | u8::from(*byte == third);
        *is_wanted = is_any.wrapping_neg();
    }
    let (words, _) = is_wanted.as_chunks::<8>();
    words.iter().rev().fold(0, |flags, word| {
        let bits = (u64::from_le_bytes(*word) & PLACES).wrapping_mul(ADD_UP) >> 56;
        flags << 8 | bits
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_next_of_three_is_found(
            text in "[a-c\u{0}-\u{3}\u{7f}\u{80}]{0,200}",
            wanted in any::<[u8; 3]>(),
            starts in prop::collection::vec(0_usize..220, 1..20),
        ) {
            for wanted in [wanted, [b'a', 0, 1], [0x80, 0xC2, 0x7F]] {
                let mut stops = Stops::new(text.as_bytes(), wanted);
                for start in &starts {
                    let expected = (*start..text.len()).find(|at| wanted.contains(&text.as_bytes()[*at]));
                    prop_assert_eq!(stops.next(*start), expected);
                }
            }
        }
    }
}
