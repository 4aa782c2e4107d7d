//! The same records for everybody: of 600 to 1,800 bytes, as frames and messages are, from a fixed seed.

const LEAST: usize = 600;
const MOST: usize = 1800;
const POOL: usize = 1 << 20;

/// Bytes without a pattern, the same in every run.
pub fn pool() -> Vec<u8> {
    let mut numbers = Numbers(0x0126_7a7e);
    (0..POOL / 8).flat_map(|_| numbers.draw().to_le_bytes()).collect()
}

/// An endless sequence that always begins alike.
#[derive(Clone)]
pub struct Payloads<'a> {
    pool: &'a [u8],
    numbers: Numbers,
    /// Bytes given so far.
    pub given: u64,
}

impl<'a> Payloads<'a> {
    pub const fn new(pool: &'a [u8]) -> Self {
        Self { pool, numbers: Numbers(1), given: 0 }
    }

    /// The next ones.
    pub fn take(&mut self, count: usize) -> Vec<&'a [u8]> {
        (0..count)
            .map(|_| {
                let len = LEAST + self.numbers.below(MOST - LEAST + 1);
                let at = self.numbers.below(self.pool.len() - len);
                self.given += len as u64;
                &self.pool[at..at + len]
            })
            .collect()
    }
}

/// SplitMix64.
#[derive(Clone)]
struct Numbers(u64);

impl Numbers {
    const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    const fn below(&mut self, limit: usize) -> usize {
        (self.draw() % limit as u64) as usize
    }
}
