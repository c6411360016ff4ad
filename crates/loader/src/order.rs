//! The order of an epoch: a keyed permutation that is computed, not stored.
//!
//! A Feistel network (Luby, Rackoff 1988) permutes the numbers of a power of two; numbers outside
//! of the range walk on along their cycle until they are inside (Black, Rogaway 2002). So any
//! position of any epoch costs the same few nanoseconds and no memory, and an order can be resumed
//! at any place without replaying it.

use std::ops::Range;

use crate::limits::ROWS_MAX;
use crate::units::{Starts, Units};

/// Enough for small ranges too, where fewer rounds are seen in the statistics (NIST SP 800-38G).
const ROUNDS: usize = 10;

/// A permutation of `0..len`, fixed by `len` and a key.
///
/// ```
/// use nexus_loader::Permutation;
///
/// let order = Permutation::new(5, 42);
/// let mut all: Vec<u64> = (0..5).map(|at| order.get(at)).collect();
/// all.sort();
/// assert_eq!(all, [0, 1, 2, 3, 4]);
/// ```
#[derive(Clone, Debug)]
pub struct Permutation {
    len: u64,
    low_bits: u32,
    low_mask: u64,
    high_mask: u64,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The permutation of `len` numbers that `key` names.
    ///
    /// # Panics
    /// When `len` is more than [`ROWS_MAX`].
    pub fn new(len: u64, key: u64) -> Self {
        assert!(len <= ROWS_MAX, "a permutation has at most 2^62 places");
        let bits = (u64::BITS - len.saturating_sub(1).leading_zeros()).max(2);
        let low_bits = bits / 2;
        let mut state = key;
        Self {
            len,
            low_bits,
            low_mask: (1 << low_bits) - 1,
            high_mask: (1 << (bits - low_bits)) - 1,
            keys: std::array::from_fn(|_| split_mix(&mut state)),
        }
    }

    /// How many numbers there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no number.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number at a position. Takes about 20 ns for each of fewer than two walks on average.
    ///
    /// # Panics
    /// When there is no such position.
    pub fn get(&self, position: u64) -> u64 {
        assert!(position < self.len, "a position lies in the permutation");
        let mut number = position;
        loop {
            number = self.step(number);
            if number < self.len {
                return number;
            }
        }
    }

    fn step(&self, number: u64) -> u64 {
        let (mut low, mut high) = (number & self.low_mask, number >> self.low_bits);
        for pair in self.keys.chunks_exact(2) {
            low ^= scramble(high, pair[0]) & self.low_mask;
            high ^= scramble(low, pair[1]) & self.high_mask;
        }
        high << self.low_bits | low
    }
}

/// A round's function: every bit of the half and of the key reaches the low bits.
fn scramble(half: u64, key: u64) -> u64 {
    let mixed = (half ^ key).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    mixed ^ (mixed >> 32)
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// How many units a window of [`Shuffle::Auto`] has.
pub(crate) const UNITS: u64 = 8;

/// How an epoch is shuffled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shuffle {
    /// [`Units`](Self::Units) with windows of 8 where shards are packed, [`Full`](Self::Full)
    /// elsewhere.
    #[default]
    Auto,
    /// Rows come as they are stored.
    Never,
    /// Every order of all rows is possible.
    Full,
    /// Units that are unpacked as a whole are shuffled, then the rows within windows of several
    /// units: row groups of Parquet, packed shards, and plain files beside them. At any time one
    /// window is read, and the next one is unpacked.
    Units {
        /// Units in a window.
        window: u64,
    },
    /// Blocks of rows that lie side by side are shuffled, then the rows within windows of several
    /// blocks: for data that is slow to reach at random. At any time about two windows are read.
    Blocks {
        /// Rows in a block. Rows of a block are neighbours in their shard, where its size divides
        /// the shard's.
        block: u64,
        /// Blocks in a window.
        window: u64,
    },
}

/// The order of one epoch.
///
/// It depends on the rows, the seed, the epoch and the way of shuffling alone: not on who reads.
#[derive(Clone, Debug)]
pub struct Order {
    rows: u64,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Stored,
    Full(Permutation),
    Blocks(Box<Blocks>),
    Units(Box<Units>),
}

/// Full blocks in a keyed order, the short one somewhere among them, and windows over the result.
#[derive(Clone, Debug)]
struct Blocks {
    block: u64,
    order: Permutation,
    /// How many rows come before the short block.
    short_at: u64,
    short_len: u64,
    window: u64,
    window_key: u64,
}

impl Order {
    /// The order of `rows` rows in an epoch; they are all one unit.
    ///
    /// # Panics
    /// When a block or a window is empty, or there are more than [`ROWS_MAX`] rows.
    pub fn new(shuffle: Shuffle, rows: u64, seed: u64, epoch: u64) -> Self {
        Self::of_units(shuffle, &[0, rows].into(), seed, epoch)
    }

    /// The order of rows that lie in units.
    pub(crate) fn of_units(shuffle: Shuffle, starts: &Starts, seed: u64, epoch: u64) -> Self {
        let rows = starts[starts.len() - 1];
        let mut state = seed;
        state = split_mix(&mut state) ^ epoch;
        let key = split_mix(&mut state);
        let kind = match shuffle {
            Shuffle::Never => Kind::Stored,
            Shuffle::Auto | Shuffle::Full => Kind::Full(Permutation::new(rows, key)),
            Shuffle::Units { window } => {
                assert!(window > 0, "a window has units");
                let keys = (key, split_mix(&mut state));
                Kind::Units(Box::new(Units::new(starts.clone(), window, keys)))
            }
            Shuffle::Blocks { block, window } => {
                assert!(block > 0 && window > 0, "blocks and windows have rows");
                let full = rows / block;
                let places = Permutation::new(full + 1, split_mix(&mut state));
                Kind::Blocks(Box::new(Blocks {
                    block,
                    order: Permutation::new(full, key),
                    short_at: places.get(0) * block,
                    short_len: rows % block,
                    window: block.saturating_mul(window),
                    window_key: split_mix(&mut state),
                }))
            }
        };
        Self { rows, kind }
    }

    /// The row at a position of the epoch.
    ///
    /// # Panics
    /// When there is no such position.
    pub fn get(&self, position: u64) -> u64 {
        assert!(position < self.rows, "a position lies in the epoch");
        match &self.kind {
            Kind::Stored => position,
            Kind::Full(order) => order.get(position),
            Kind::Blocks(blocks) => blocks.get(position, self.rows),
            Kind::Units(units) => units.get(position),
        }
    }

    /// The units that are best unpacked while these positions are read.
    pub(crate) fn upcoming(&self, positions: Range<u64>) -> impl Iterator<Item = u64> {
        let units = match &self.kind {
            Kind::Units(units) => Some(units.upcoming(positions)),
            _ => None,
        };
        units.into_iter().flatten()
    }
}

impl Shuffle {
    /// What a state tells orders apart by.
    pub(crate) fn fingerprint(self) -> u64 {
        match self {
            Self::Full | Self::Auto => 0,
            Self::Never => 1,
            Self::Units { window } => window << 2 | 2,
            Self::Blocks { block, window } => block.rotate_left(32) ^ (window << 2 | 3),
        }
    }
}

impl Blocks {
    fn get(&self, position: u64, rows: u64) -> u64 {
        let number = position / self.window;
        let start = number * self.window;
        let len = self.window.min(rows - start);
        let within = Permutation::new(len, self.window_key ^ number.wrapping_mul(0x9E37_79B9));
        let place = start + within.get(position - start);
        let short_end = self.short_at + self.short_len;
        if (self.short_at..short_end).contains(&place) {
            return rows - self.short_len + (place - self.short_at);
        }
        let place = if place < self.short_at {
            place
        } else {
            place - self.short_len
        };
        self.order.get(place / self.block) * self.block + place % self.block
    }
}
