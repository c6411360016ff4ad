//! What pretokens became before. Most of a text's pretokens are few words again and again.
//!
//! Short ones, with a few tokens, stand in a [table](super::entries) that all threads share. Long ones
//! stand in an arena of each thread. Both are bounded: the first overwrites, the second starts anew.

use super::entries::Entries;
use super::{Piece, Scratch};
use crate::limits::{CACHE_ARENA_SIZE_MAX, CACHE_ENTRIES_MAX};
use crate::raw::Table;
use std::sync::{Arc, Mutex, PoisonError};

/// Longest pretoken of the table of short ones, in bytes.
pub(crate) const SHORT_SIZE_MAX: usize = 15;

/// Longest pretoken that is kept at all, in bytes.
pub(crate) const LONG_SIZE_MAX: usize = 256;

const FIRST_ENTRIES: usize = 1 << 12;

/// Places where a long piece may stand, a cache line.
const PROBES: usize = 4;

/// Where a stored key has the number of tokens less one, in three bits that are 0 in others.
const COUNT_SHIFT: u32 = 124;

const COUNT_MASK: u128 = 7 << COUNT_SHIFT;

/// Pretokens and their tokens, for one thread at work.
#[derive(Debug)]
pub(crate) struct Cache {
    entries: Arc<Entries>,
    shared: Arc<Shared>,
    long: Table<Long>,
    long_used: usize,
    arena: Vec<u8>,
    ids: Vec<u32>,
    pub(crate) scratch: Scratch,
}

#[derive(Clone, Copy, Debug)]
struct Long {
    tag: u32,
    start: u32,
    first_id: u32,
    size: u16,
    count: u16,
}

const NO_LONG: Long = Long {
    tag: 0,
    start: 0,
    first_id: 0,
    size: 0,
    count: 0,
};

/// The entries that all threads share: replaced by more of them when they are full.
#[derive(Debug)]
struct Shared(Mutex<Arc<Entries>>);

impl Shared {
    fn entries(&self) -> Arc<Entries> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&entries)
    }

    /// More entries than `full`, with what is in them. What other threads add to `full` meanwhile is
    /// lost to the cache.
    #[cold]
    fn grow(&self, full: &Entries) -> Arc<Entries> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() <= full.len() {
            *entries = Arc::new(full.grown((full.len() * 4).min(CACHE_ENTRIES_MAX)));
        }
        Arc::clone(&entries)
    }
}

/// The caches of an encoder that are not in use, one for each thread that was at work.
#[derive(Debug)]
pub(crate) struct Caches {
    shared: Arc<Shared>,
    idle: Mutex<Vec<Cache>>,
}

impl Caches {
    /// Caches for ids below `vocab_size`.
    pub(crate) fn new(vocab_size: usize) -> Self {
        let entries = Entries::new(FIRST_ENTRIES, vocab_size <= 1 << 16);
        Self {
            shared: Arc::new(Shared(Mutex::new(Arc::new(entries)))),
            idle: Mutex::default(),
        }
    }

    /// One that was used before, or a new one.
    pub(crate) fn take(&self) -> Cache {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut cache = idle.unwrap_or_else(|| Cache::new(&self.shared));
        cache.entries = self.shared.entries();
        cache
    }

    /// Keeps a cache for the next call.
    pub(crate) fn give_back(&self, cache: Cache) {
        let mut caches = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        caches.push(cache);
    }
}

/// The bits of so many bytes, and their number in the last byte: a load is faster than shifts of 128
/// bits.
const SIZES: [(u128, u128); SHORT_SIZE_MAX + 1] = {
    let mut sizes = [(0, 0); SHORT_SIZE_MAX + 1];
    let mut size = 0;
    while size <= SHORT_SIZE_MAX {
        sizes[size] = ((1 << (8 * size)) - 1, (size as u128) << 120);
        size += 1;
    }
    sizes
};

/// The bytes of a short piece and, in the last byte, its size and kind; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u128);

impl Key {
    /// The key of no piece.
    pub(crate) const NONE: Self = Self(0);

    /// The key of `text[start..start + size]`, where `size` is 1 to [`SHORT_SIZE_MAX`].
    #[inline]
    pub(crate) fn new(text: &[u8], start: usize, size: usize, kind: Piece) -> Self {
        let bytes = if let Some(bytes) = text.get(start..start + 16) {
            u128::from_le_bytes(bytes.try_into().expect("sixteen bytes"))
        } else {
            let mut bytes = [0; 16];
            bytes[..size].copy_from_slice(&text[start..start + size]);
            u128::from_le_bytes(bytes)
        };
        let kind = u128::from(kind == Piece::Part) << 127;
        let (mask, size) = SIZES[size];
        Self(bytes & mask | size | kind)
    }

    /// The size of the piece, in bytes.
    pub(crate) fn size(self) -> usize {
        (self.0 >> 120) as usize & 0xF
    }

    /// The kind of the piece.
    pub(crate) fn kind(self) -> Piece {
        if self.0 >> 127 == 0 {
            Piece::Pretoken
        } else {
            Piece::Part
        }
    }

    /// The key as an entry has it, with the number of tokens; 1 to 8.
    pub(super) fn with_count(self, count: usize) -> Self {
        Self(self.0 | (count as u128 - 1) << COUNT_SHIFT)
    }

    /// The number of tokens of a stored key.
    #[inline]
    pub(super) fn count(self) -> usize {
        (self.0 >> COUNT_SHIFT) as usize % 8 + 1
    }

    /// A stored key without the number of tokens.
    pub(super) fn without_count(self) -> Self {
        Self(self.0 & !COUNT_MASK)
    }

    /// Whether this is the key of an entry with `stored` in it.
    #[inline]
    pub(super) fn is(self, stored: Self) -> bool {
        (self.0 ^ stored.0) & !COUNT_MASK == 0
    }

    pub(super) fn of_words([low, high]: [u64; 2]) -> Self {
        Self(low as u128 | (high as u128) << 64)
    }

    pub(super) fn words(self) -> [u64; 2] {
        [self.0 as u64, (self.0 >> 64) as u64]
    }

    /// Says where its entry is looked for.
    #[inline]
    pub(crate) fn hash(self) -> u64 {
        let (low, high) = (
            self.0 as u64 ^ 0x9E37_79B9_7F4A_7C15,
            (self.0 >> 64) as u64 ^ 0xE703_7ED1_A0B4_28DB,
        );
        let product = low as u128 * high as u128;
        product as u64 ^ (product >> 64) as u64
    }
}

impl Cache {
    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            entries: shared.entries(),
            shared: Arc::clone(shared),
            long: Table::new(FIRST_ENTRIES, NO_LONG),
            long_used: 0,
            arena: Vec::new(),
            ids: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Brings the entries for `key` near, to be read soon, and gives its hash.
    #[inline]
    pub(crate) fn prefetch(&self, key: Key) -> u64 {
        let hash = key.hash();
        self.entries.prefetch(hash);
        hash
    }

    /// Appends the tokens of the pretoken with this key and its hash; tells whether it is there.
    #[expect(
        clippy::inline_always,
        reason = "for each pretoken; a call costs as much"
    )]
    #[inline(always)]
    pub(crate) fn short(&self, key: Key, hash: u64, out: &mut Vec<u32>) -> bool {
        self.entries.get(key, hash, out)
    }

    /// [`short`](Self::short) in the other line, where entries go that find no place in theirs.
    pub(crate) fn short_aside(&self, key: Key, hash: u64, out: &mut Vec<u32>) -> bool {
        self.entries.get_aside(key, hash, out)
    }

    /// Keeps the tokens of a piece, if they are few; tells whether they are.
    pub(crate) fn put_short(&mut self, key: Key, ids: &[u32]) -> bool {
        if self.entries.is_full() && self.entries.len() < CACHE_ENTRIES_MAX {
            self.entries = self.shared.grow(&self.entries);
        }
        self.entries.put(key, ids)
    }

    /// [`short`](Self::short) for a pretoken of any size.
    pub(crate) fn long(&self, hash: u64, piece: &[u8], out: &mut Vec<u32>) -> bool {
        let tag = (hash >> 32) as u32;
        let mut slots = (0..PROBES).map(|probe| &self.long[self.long_slot(hash, probe)]);
        let found = slots.find(|found| {
            let start = found.start as usize;
            found.tag == tag && self.arena[start..start + found.size as usize] == *piece
        });
        let Some(found) = found else { return false };
        let first = found.first_id as usize;
        out.extend_from_slice(&self.ids[first..first + found.count as usize]);
        true
    }

    /// Keeps the tokens of a pretoken of at most [`LONG_SIZE_MAX`] bytes.
    pub(crate) fn put_long(&mut self, hash: u64, piece: &[u8], ids: &[u32]) {
        if self.arena.len() + piece.len() + 4 * (self.ids.len() + ids.len()) > CACHE_ARENA_SIZE_MAX
        {
            self.arena.clear();
            self.ids.clear();
            self.long.fill(NO_LONG);
            self.long_used = 0;
        }
        if self.long_used * 2 > self.long.len() && self.long.len() < CACHE_ENTRIES_MAX {
            self.grow_long();
        }
        let entry = Long {
            tag: (hash >> 32) as u32,
            start: self.arena.len() as u32,
            first_id: self.ids.len() as u32,
            size: piece.len() as u16,
            count: ids.len() as u16,
        };
        self.arena.extend_from_slice(piece);
        self.ids.extend_from_slice(ids);
        self.place_long(hash, entry);
    }

    fn place_long(&mut self, hash: u64, entry: Long) {
        let mut slots = (0..PROBES).map(|probe| self.long_slot(hash, probe));
        let free = slots.find(|&at| self.long[at].size == 0);
        self.long_used += usize::from(free.is_some());
        let at = free.unwrap_or_else(|| self.long_slot(hash, (hash >> 60) as usize % PROBES));
        self.long[at] = entry;
    }

    #[inline]
    fn long_slot(&self, hash: u64, probe: usize) -> usize {
        (hash as usize + probe) & (self.long.len() - 1)
    }

    fn grow_long(&mut self) {
        let len = (self.long.len() * 4).min(CACHE_ENTRIES_MAX);
        let bigger = Table::new(len, NO_LONG);
        let old = std::mem::replace(&mut self.long, bigger);
        self.long_used = 0;
        for &entry in old.iter().filter(|entry| entry.size > 0) {
            let start = entry.start as usize;
            let hash = super::vocab::hash(&self.arena[start..start + entry.size as usize]);
            let hash = if (hash >> 32) as u32 == entry.tag {
                hash
            } else {
                !hash
            };
            self.place_long(hash, entry);
        }
    }
}
