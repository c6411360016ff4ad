//! Near duplicates among hashes of 64 bits: those that differ in few bits.
//!
//! Multi-index hashing (Norouzi, Punjani, Fleet 2012): hashes within `d` bits agree to within `d / 4`
//! bits in one of their four quarters. So a query looks up the few quarters that are that near, and
//! compares the hashes that share one.
//!
//! A quarter takes two bits of each row and two of each column of the 8x8 bits that a perceptual hash
//! is: images on a white ground, whose first rows are alike, do not all share one.

use crate::error::Error;
use crate::limits::{DISTANCE_MAX, HASHES_MAX};

const QUARTERS: usize = 4;
const QUARTER_BITS: u32 = 64 / QUARTERS as u32;

/// A hash that is near another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    /// The number of the hash that was there before: the first is 0.
    pub number: usize,
    /// In how many bits the two differ.
    pub distance: u32,
}

/// Hashes that are kept because none before them was near.
///
/// What is kept depends on the order of insertion alone: the first of near ones is. Takes 24 bytes
/// for each hash, and a megabyte. To go on later, store [`hashes`](Self::hashes) and insert them
/// again in their order.
///
/// ```
/// use nexus_image::{Near, NearIndex};
///
/// let mut index = NearIndex::new(4)?;
/// assert_eq!(index.insert(0b0000_0000)?, None);
/// assert_eq!(index.insert(0b1111_1111)?, None);
/// assert_eq!(index.insert(0b0111_1111)?, Some(Near { number: 1, distance: 1 }));
/// assert_eq!(index.len(), 2);
/// # Ok::<(), nexus_image::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NearIndex {
    distance_max: u32,
    hashes: Vec<u64>,
    /// For each quarter and each value of it, the last hash that has it, from 1 on; 0 for none.
    heads: Vec<u32>,
    /// For each hash and quarter, the one before that has the same quarter, from 1 on.
    links: Vec<[u32; QUARTERS]>,
    /// Differences of a quarter that are looked up.
    masks: Vec<u16>,
}

impl NearIndex {
    /// An index of hashes that differ in more than `distance_max` bits. For pHash, 6 finds copies
    /// of other sizes and qualities.
    ///
    /// # Errors
    /// [`LimitReached`](crate::ErrorKind::LimitReached) when the distance is more than
    /// [`DISTANCE_MAX`].
    pub fn new(distance_max: u32) -> Result<Self, Error> {
        if distance_max > DISTANCE_MAX {
            let what = format!("cannot find hashes within {distance_max} bits");
            return Err(Error::limit(what, "DISTANCE_MAX", DISTANCE_MAX));
        }
        let radius = distance_max / QUARTERS as u32;
        let masks = (0..=u16::MAX).filter(|mask| mask.count_ones() <= radius);
        Ok(Self {
            distance_max,
            hashes: Vec::new(),
            heads: vec![0; QUARTERS << QUARTER_BITS],
            links: Vec::new(),
            masks: masks.collect(),
        })
    }

    /// How many hashes are kept.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The kept hashes by their numbers.
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// The first kept hash that is near, if there is one.
    ///
    /// Compares the hashes that share a quarter: of a million, about 60 up to distance 3, 1,000 up
    /// to 7, 8,000 up to 11.
    pub fn find(&self, hash: u64) -> Option<Near> {
        let mut first = usize::MAX;
        self.candidates(hash, |number| {
            if number < first && self.is_near(number, hash) {
                first = number;
            }
        });
        let found = *self.hashes.get(first)?;
        Some(Near {
            number: first,
            distance: (found ^ hash).count_ones(),
        })
    }

    /// Keeps a hash that is near none, else tells the first that it is near.
    ///
    /// # Errors
    /// [`LimitReached`](crate::ErrorKind::LimitReached) when [`HASHES_MAX`] are kept.
    pub fn insert(&mut self, hash: u64) -> Result<Option<Near>, Error> {
        if let Some(near) = self.find(hash) {
            return Ok(Some(near));
        }
        if self.hashes.len() >= HASHES_MAX {
            return Err(Error::limit("cannot keep a hash", "HASHES_MAX", HASHES_MAX));
        }
        self.hashes.push(hash);
        let number = self.hashes.len() as u32;
        let quarters = quarters(hash);
        self.links.push(std::array::from_fn(|quarter| {
            let head = &mut self.heads[slot(quarter, quarters[quarter])];
            std::mem::replace(head, number)
        }));
        Ok(None)
    }

    /// Gives the numbers of the hashes that share a quarter that is near, some of them several times.
    fn candidates(&self, hash: u64, mut found: impl FnMut(usize)) {
        for (quarter, value) in quarters(hash).into_iter().enumerate() {
            for mask in &self.masks {
                let mut link = self.heads[slot(quarter, value ^ mask)];
                while let Some(number) = (link as usize).checked_sub(1) {
                    found(number);
                    link = self.links[number][quarter];
                }
            }
        }
    }

    fn is_near(&self, number: usize, hash: u64) -> bool {
        (self.hashes[number] ^ hash).count_ones() <= self.distance_max
    }
}

/// The quarters of a hash: every fourth bit of its rows, each of which begins one bit further on.
fn quarters(hash: u64) -> [u16; QUARTERS] {
    let mut rows = hash.to_le_bytes();
    for (shift, row) in (0..).zip(&mut rows) {
        *row = row.rotate_left(shift);
    }
    let bits = u64::from_le_bytes(rows);
    std::array::from_fn(|quarter| {
        let bits = (bits >> quarter) & 0x1111_1111_1111_1111;
        let bits = (bits | bits >> 3) & 0x0303_0303_0303_0303;
        let bits = (bits | bits >> 6) & 0x000F_000F_000F_000F;
        let bits = (bits | bits >> 12) & 0x0000_00FF_0000_00FF;
        (bits | bits >> 24) as u16
    })
}

fn slot(quarter: usize, value: u16) -> usize {
    quarter << QUARTER_BITS | usize::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_in_one_quarter() {
        for bit in 0..64 {
            let ones = quarters(1 << bit).map(u16::count_ones);
            assert_eq!(ones.iter().sum::<u32>(), 1, "{bit}");
        }
        assert_eq!(quarters(u64::MAX), [u16::MAX; QUARTERS]);
    }

    #[test]
    fn hashes_that_are_alike_in_some_rows_or_columns_are_not_all_compared() {
        const COUNT: u64 = 2000;
        let rows = [0xFFFF, 0xFFFF << 16, 0xFFFF << 32, 0xFFFF << 48];
        let columns = [3, 3 << 2, 3 << 4, 3 << 6].map(|bits| bits * 0x0101_0101_0101_0101);
        for alike in rows.into_iter().chain(columns) {
            let mut index = NearIndex::new(3).unwrap();
            for number in 0..COUNT {
                let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                index.insert((hash ^ hash >> 29) & !alike).unwrap();
            }
            let mut compared = 0;
            index.candidates(0x1234_5678_9ABC_DEF0 & !alike, |_| compared += 1);
            assert!(compared < COUNT / 20, "{alike:x}: {compared}");
        }
    }
}
