//! The shingles of a document as a set, and how similar two sets are.

use crate::error::{Error, ErrorKind};
use crate::limits;

/// The distinct shingles of a document: the upper halves of their hashes, sorted.
///
/// Two different shingles have the same 32 bits once in four billion, so sets of `a` and `b` share
/// `a * b / 2^32` too many: a share of 2e-7 of a thousand shingles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShingleSet {
    hashes: Vec<u32>,
}

impl ShingleSet {
    /// The set of these shingle hashes, in any order and with repeats.
    pub fn new(hashes: &[u64]) -> Self {
        let mut hashes: Vec<u32> = hashes.iter().map(|hash| (hash >> 32) as u32).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes.truncate(limits::SHINGLES_MAX);
        Self { hashes }
    }

    /// How many distinct shingles there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there are none: the document has fewer tokens than a shingle.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The Jaccard similarity: shared shingles over all shingles. 0 for two empty sets, because
    /// documents without shingles are like no other.
    pub fn jaccard(&self, other: &Self) -> f64 {
        self.jaccard_at_least(other, 0.0).unwrap_or(0.0)
    }

    /// The Jaccard similarity if it is at least `threshold`. A pair below it costs a part of the
    /// time: the count stops when too few can be shared.
    pub fn jaccard_at_least(&self, other: &Self, threshold: f64) -> Option<f64> {
        let (a, b) = (&self.hashes, &other.hashes);
        let total = a.len() + b.len();
        let ratio = |shared: usize| match total - shared {
            0 => 0.0,
            union => shared as f64 / union as f64,
        };
        // The least number of shared shingles that reaches the threshold, rounded in its favour.
        let needed = (threshold / (1.0 + threshold) * total as f64).floor() as usize;
        if a.len().min(b.len()) < needed {
            return None;
        }
        let (mut i, mut j, mut shared) = (0, 0, 0);
        while i < a.len() && j < b.len() {
            let stop = (i + STRIDE).min(a.len());
            while i < stop && j < b.len() {
                let (x, y) = (a[i], b[j]);
                shared += usize::from(x == y);
                i += usize::from(x <= y);
                j += usize::from(y <= x);
            }
            if shared + (a.len() - i).min(b.len() - j) < needed {
                return None;
            }
        }
        let jaccard = ratio(shared);
        (jaccard >= threshold).then_some(jaccard)
    }

    /// The set as bytes: the count and the differences between neighbours, each as a LEB128 number.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }

    /// The set that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// `Corrupt` for bytes that are not a set.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode(bytes).map_err(|what| {
            Error::new(
                ErrorKind::Corrupt,
                format!("cannot read a shingle set: {what}"),
            )
        })
    }

    /// Appends the count and the differences, each as a LEB128 number.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put(self.hashes.len() as u32, out);
        let mut before = 0;
        for &hash in &self.hashes {
            put(hash - before, out);
            before = hash;
        }
    }

    /// What `encode` wrote, or why it cannot be that.
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, &'static str> {
        let count = take(&mut bytes)? as usize;
        // Each number has at least one byte, so a false count cannot ask for much memory.
        if count > bytes.len() || count > limits::SHINGLES_MAX {
            return Err("it states more shingles than it has bytes for");
        }
        let mut hashes: Vec<u32> = Vec::with_capacity(count);
        for _ in 0..count {
            let step = take(&mut bytes)?;
            let hash = match hashes.last() {
                None => Some(step),
                Some(_) if step == 0 => None,
                Some(before) => before.checked_add(step),
            };
            hashes.push(hash.ok_or("its shingles are not in order")?);
        }
        if bytes.is_empty() {
            Ok(Self { hashes })
        } else {
            Err("it has bytes after its last shingle")
        }
    }

    /// Bytes of memory.
    pub(crate) fn size(&self) -> usize {
        self.hashes.len() * 4 + size_of::<Self>()
    }
}

/// Shingles that are compared before it is asked whether enough can be shared.
const STRIDE: usize = 64;

fn put(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u32, &'static str> {
    let mut value = 0;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) = bytes.split_first().ok_or("it ends within a number")?;
        *bytes = rest;
        let bits = u32::from(byte & 0x7F);
        if shift == 28 && byte > 0x0F {
            return Err("it holds a number beyond 32 bits");
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    unreachable!("the fifth byte returns");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(hashes: &[u32]) -> ShingleSet {
        let hashes: Vec<u64> = hashes.iter().map(|&hash| u64::from(hash) << 32).collect();
        ShingleSet::new(&hashes)
    }

    proptest! {
        #[test]
        fn the_early_stop_changes_no_verdict(
            a in proptest::collection::vec(0u32..300, 0..250),
            b in proptest::collection::vec(0u32..300, 0..250),
            threshold in 0.0f64..1.0,
        ) {
            let (x, y): (BTreeSet<_>, BTreeSet<_>) = (a.iter().collect(), b.iter().collect());
            let union = x.union(&y).count();
            let expected = x.intersection(&y).count() as f64 / union.max(1) as f64;
            let found = set(&a).jaccard_at_least(&set(&b), threshold);
            prop_assert_eq!(found, (expected >= threshold).then_some(expected));
        }

        #[test]
        fn a_set_is_read_as_it_was_written(hashes in proptest::collection::vec(any::<u32>(), 0..100)) {
            let mut bytes = Vec::new();
            set(&hashes).encode(&mut bytes);
            prop_assert_eq!(ShingleSet::decode(&bytes), Ok(set(&hashes)));
        }
    }

    #[test]
    fn broken_sets_are_refused() {
        for (bytes, why) in [
            (&[][..], "it ends within a number"),
            (&[2, 1][..], "it states more shingles than it has bytes for"),
            (&[2, 1, 0][..], "its shingles are not in order"),
            (&[1, 1, 1][..], "it has bytes after its last shingle"),
            (
                &[1, 0xFF, 0xFF, 0xFF, 0xFF, 0x10][..],
                "it holds a number beyond 32 bits",
            ),
            (
                &[2, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1][..],
                "its shingles are not in order",
            ),
        ] {
            assert_eq!(ShingleSet::decode(bytes), Err(why), "{bytes:?}");
        }
    }
}
