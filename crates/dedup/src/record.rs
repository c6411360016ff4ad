//! The records that are spilled.

use crate::spill::Record;

/// A band key of a document, or, as an edge list, the documents that share it. 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BandKey {
    pub(crate) key: u64,
    pub(crate) document: u64,
}

/// The 128-bit hash of a document. 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Content {
    pub(crate) high: u64,
    pub(crate) low: u64,
    pub(crate) document: u64,
}

/// A document of a component and one of its shared band keys. 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    /// The component's smallest ordinal, [spread](spread) over the partitions.
    pub(crate) root: u64,
    pub(crate) document: u64,
    pub(crate) band_key: u64,
}

/// A removed document and why. 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Removed {
    /// The ordinal, [spread](spread) over the partitions.
    pub(crate) document: u64,
    pub(crate) duplicate_of: u64,
    /// The bits of the similarity.
    pub(crate) jaccard: u64,
}

/// By how much ordinals below `total` are shifted left, so that their upper bits differ.
pub(crate) fn spread(total: u64) -> u32 {
    total.leading_zeros().min(63)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn row(bytes: &[u8], at: usize) -> u64 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")).into()
}

impl Record for BandKey {
    const SIZE: usize = 12;

    fn key(self) -> u64 {
        self.key
    }

    fn encode(self, out: &mut [u8]) {
        out[..8].copy_from_slice(&self.key.to_le_bytes());
        out[8..].copy_from_slice(&(self.document as u32).to_le_bytes());
    }

    fn decode(bytes: &[u8], base: u64) -> Self {
        Self {
            key: word(bytes, 0),
            document: base + row(bytes, 8),
        }
    }
}

impl Record for Content {
    const SIZE: usize = 20;

    fn key(self) -> u64 {
        self.high
    }

    fn encode(self, out: &mut [u8]) {
        out[..8].copy_from_slice(&self.high.to_le_bytes());
        out[8..16].copy_from_slice(&self.low.to_le_bytes());
        out[16..].copy_from_slice(&(self.document as u32).to_le_bytes());
    }

    fn decode(bytes: &[u8], base: u64) -> Self {
        Self {
            high: word(bytes, 0),
            low: word(bytes, 8),
            document: base + row(bytes, 16),
        }
    }
}

impl Record for Member {
    const SIZE: usize = 24;

    fn key(self) -> u64 {
        self.root
    }

    fn encode(self, out: &mut [u8]) {
        encode_words(out, [self.root, self.document, self.band_key]);
    }

    fn decode(bytes: &[u8], _: u64) -> Self {
        Self {
            root: word(bytes, 0),
            document: word(bytes, 8),
            band_key: word(bytes, 16),
        }
    }
}

impl Record for Removed {
    const SIZE: usize = 24;

    fn key(self) -> u64 {
        self.document
    }

    fn encode(self, out: &mut [u8]) {
        encode_words(out, [self.document, self.duplicate_of, self.jaccard]);
    }

    fn decode(bytes: &[u8], _: u64) -> Self {
        Self {
            document: word(bytes, 0),
            duplicate_of: word(bytes, 8),
            jaccard: word(bytes, 16),
        }
    }
}

fn encode_words(out: &mut [u8], words: [u64; 3]) {
    for (out, word) in out.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *out = word.to_le_bytes();
    }
}
