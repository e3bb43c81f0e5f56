//! Philox4x32-10: the block function, many blocks at once, and a sequential generator.

#![allow(clippy::needless_range_loop)] // lanes are indexed side by side in several arrays

use std::convert::Infallible;

use rand_core::TryRng;

const MULTIPLIER: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: usize = 10;

/// The four words of `counter` under `key`.
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [a, b, c, d] = rounds(counter.map(|word| [word]), key);
    [a[0], b[0], c[0], d[0]]
}

/// Blocks computed side by side.
pub(super) const BLOCKS: usize = 16;

/// The blocks `first ..` of a draw under `key`, `words[w][b]` being word `w` of block `first + b`.
#[inline(always)]
pub(super) fn blocks(key: u64, draw: u64, first: u64) -> [[u32; BLOCKS]; 4] {
    let mut counter = [[0; BLOCKS]; 4];
    for b in 0..BLOCKS {
        let block = first.wrapping_add(b as u64);
        counter[0][b] = block as u32;
        counter[1][b] = (block >> 32) as u32;
        counter[2][b] = draw as u32;
        counter[3][b] = (draw >> 32) as u32;
    }
    rounds(counter, [key as u32, (key >> 32) as u32])
}

#[inline(always)]
fn rounds<const B: usize>(mut counter: [[u32; B]; 4], mut key: [u32; 2]) -> [[u32; B]; 4] {
    for _ in 0..ROUNDS {
        for b in 0..B {
            let p = u64::from(counter[0][b]) * u64::from(MULTIPLIER[0]);
            let q = u64::from(counter[2][b]) * u64::from(MULTIPLIER[1]);
            counter[0][b] = (q >> 32) as u32 ^ counter[1][b] ^ key[0];
            counter[2][b] = (p >> 32) as u32 ^ counter[3][b] ^ key[1];
            counter[1][b] = q as u32;
            counter[3][b] = p as u32;
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// The words of one draw of a stream in their order, as a generator for `rand`: to shuffle with,
/// for one.
#[derive(Clone, Debug)]
pub struct Philox {
    key: [u32; 2],
    draw: u64,
    block: u64,
    words: [u32; 4],
    used: usize,
}

impl Philox {
    /// The words of draw `draw` under `key`, from the first on.
    pub fn new(key: u64, draw: u64) -> Self {
        Self { key: [key as u32, (key >> 32) as u32], draw, block: 0, words: [0; 4], used: 4 }
    }

    fn word(&mut self) -> u32 {
        if self.used == 4 {
            let counter = [
                self.block as u32,
                (self.block >> 32) as u32,
                self.draw as u32,
                (self.draw >> 32) as u32,
            ];
            self.words = philox(counter, self.key);
            self.block = self.block.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }
}

impl TryRng for Philox {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.word());
        Ok(u64::from(self.word()) << 32 | low)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(4) {
            chunk.copy_from_slice(&self.word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng;

    #[test]
    fn known_answers_of_random123() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]
        );
        assert_eq!(
            philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        );
    }

    #[test]
    fn blocks_and_the_generator_give_the_same_words() {
        let (key, draw) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        let words = blocks(key, draw, 0);
        let mut generator = Philox::new(key, draw);
        for b in 0..BLOCKS {
            for word in &words {
                assert_eq!(generator.next_u32(), word[b]);
            }
        }
        let mut bytes = [0; 7];
        Philox::new(0, 0).fill_bytes(&mut bytes);
        assert_eq!(bytes, [0xd5, 0xe8, 0x27, 0x66, 0x8d, 0xc5, 0x69]);
        assert_eq!(Philox::new(0, 0).next_u64(), 0xe169_c58d_6627_e8d5);
    }
}
