//! Tokens by id and ids by token: one arena of bytes and an open-addressing table of hashes.

use crate::Error;
use crate::limits::{TOKEN_SIZE_MAX, VOCAB_SIZE_MAX};
use crate::raw::Table;

/// Marks a free slot.
const FREE: u32 = u32::MAX;

/// The tokens of a vocabulary.
#[derive(Debug)]
pub(crate) struct Vocab {
    bytes: Vec<u8>,
    /// Where the token of each id stands in `bytes`: start and size; size 0 where there is none.
    tokens: Vec<(u32, u32)>,
    /// Hash (upper half) and id of each token.
    slots: Table<(u32, u32)>,
    size_max: usize,
}

impl Vocab {
    /// Builds a vocabulary of tokens, of which the last of equal ones wins.
    pub(crate) fn new<'a>(
        count: usize,
        pairs: impl IntoIterator<Item = (&'a [u8], u32)>,
    ) -> Result<Self, Error> {
        let mut vocab = Self {
            bytes: Vec::with_capacity(count * 8),
            tokens: Vec::with_capacity(count),
            slots: Table::new((count * 2).next_power_of_two().max(16), (0, FREE)),
            size_max: 0,
        };
        for (token, id) in pairs {
            vocab.add(token, id)?;
        }
        Ok(vocab)
    }

    fn add(&mut self, token: &[u8], id: u32) -> Result<(), Error> {
        let name = || String::from_utf8_lossy(&token[..token.len().min(64)]).into_owned();
        if id >= VOCAB_SIZE_MAX {
            return Err(Error::limit(format!(
                "token `{}` has id {id}, VOCAB_SIZE_MAX is {VOCAB_SIZE_MAX}",
                name()
            )));
        }
        if token.len() > TOKEN_SIZE_MAX {
            return Err(Error::limit(format!(
                "the token with id {id} has {} bytes, TOKEN_SIZE_MAX is {TOKEN_SIZE_MAX}",
                token.len()
            )));
        }
        if token.is_empty() {
            return Ok(());
        }
        if self.tokens.len() <= id as usize {
            self.tokens.resize(id as usize + 1, (0, 0));
        }
        let known = self.token(id);
        if !known.is_empty() && known != token {
            let other = String::from_utf8_lossy(known).into_owned();
            return Err(Error::corrupt(format!(
                "tokens `{other}` and `{}` have the same id {id}",
                name()
            )));
        }
        self.tokens[id as usize] = (self.bytes.len() as u32, token.len() as u32);
        self.bytes.extend_from_slice(token);
        self.size_max = self.size_max.max(token.len());
        let hash = hash(token);
        let slot = self.slot(hash, token);
        self.slots[slot] = ((hash >> 32) as u32, id);
        Ok(())
    }

    /// The id of a token.
    #[inline]
    pub(crate) fn id(&self, token: &[u8]) -> Option<u32> {
        if token.len() > self.size_max {
            return None;
        }
        let id = self.slots[self.slot(hash(token), token)].1;
        (id != FREE).then_some(id)
    }

    /// The id of a token as both rank and id of a merge, or [`NONE`](super::merge::NONE).
    #[inline]
    pub(crate) fn rank(&self, token: &[u8]) -> u64 {
        self.id(token)
            .map_or(super::merge::NONE, |id| (id as u64) << 32 | id as u64)
    }

    /// The bytes of the token with this id; empty where there is none.
    #[inline]
    pub(crate) fn token(&self, id: u32) -> &[u8] {
        let (start, size) = self.tokens.get(id as usize).copied().unwrap_or((0, 0));
        &self.bytes[start as usize..(start + size) as usize]
    }

    /// The largest id plus one.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The slot of a token, or the free one where it would stand.
    #[inline]
    fn slot(&self, hash: u64, token: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let (tag, id) = self.slots[at];
            if id == FREE || tag == (hash >> 32) as u32 && self.token(id) == token {
                return at;
            }
            at = (at + 1) & mask;
        }
    }
}

/// A hash of a few bytes: a multiplication per eight of them, folded.
#[inline]
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut state = bytes.len() as u64 ^ 0x9E37_79B9_7F4A_7C15;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        state = fold(state ^ u64::from_le_bytes(chunk.try_into().expect("eight bytes")));
    }
    let tail = chunks.remainder();
    if !tail.is_empty() {
        let mut last = 0;
        for &byte in tail {
            last = last << 8 | byte as u64;
        }
        state = fold(state ^ last);
    }
    fold(state)
}

/// Both halves of a product, mixed.
#[inline]
pub(crate) fn fold(value: u64) -> u64 {
    let product = value as u128 * 0xA076_1D64_78BD_642F;
    product as u64 ^ (product >> 64) as u64
}
