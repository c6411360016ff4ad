//! The tokens of short pieces, in a table of self-contained entries, two in a cache line. Threads read
//! and write it at once, without a lock.

use super::cache::Key;
use crate::raw::{self, Table};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

/// Most ids of an entry: of 16 bits, or else of [`ID_BITS`].
const IDS_MAX: usize = 7;
const IDS_MAX_WIDE: usize = 4;

/// Bits of an id above 16 bits. No vocabulary has more, but there are ids that stand for none.
const ID_BITS: u32 = 24;

/// Where the last word has the version, which is odd while a thread writes.
const VERSION_SHIFT: u32 = 48;

const VERSION_ONE: u64 = 1 << VERSION_SHIFT;

/// A table of pieces, bounded: where a line is full, an entry goes.
#[derive(Debug)]
pub(super) struct Entries {
    table: Table<Entry>,
    /// Whether ids have 16 bits.
    is_narrow: bool,
    used: Used,
}

/// In a line of its own: the others are read all the time, this one is written.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Used(AtomicUsize);

/// A piece and its tokens; it is read whole or not at all (a sequence lock: Boehm, "Can seqlocks get
/// along with programming language memory models?", 2012).
#[derive(Debug, Default)]
#[repr(C, align(32))]
struct Entry {
    /// With the number of tokens in it.
    key: [AtomicU64; 2],
    /// The ids, and the version in the upper bits of the second.
    ids: [AtomicU64; 2],
}

impl Entry {
    /// The key that stands here, or stood or will stand: a hint.
    #[inline]
    fn key(&self) -> Key {
        Key::of_words([
            self.key[0].load(Ordering::Relaxed),
            self.key[1].load(Ordering::Relaxed),
        ])
    }

    /// Key and ids, if no thread writes them meanwhile.
    #[inline]
    fn read(&self) -> Option<(Key, [u64; 2])> {
        let last = self.ids[1].load(Ordering::Acquire);
        let key = self.key();
        let first = self.ids[0].load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let is_whole = last & VERSION_ONE == 0 && self.ids[1].load(Ordering::Relaxed) == last;
        is_whole.then_some((key, [first, last & (VERSION_ONE - 1)]))
    }

    /// Replaces key and ids, unless another thread does.
    fn write(&self, key: Key, [first, last]: [u64; 2]) {
        let before = self.ids[1].load(Ordering::Relaxed);
        let is_odd = before & VERSION_ONE != 0;
        if is_odd
            || self.ids[1]
                .compare_exchange(
                    before,
                    before | VERSION_ONE,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                )
                .is_err()
        {
            return;
        }
        fence(Ordering::Release);
        for (slot, word) in self.key.iter().zip(key.words()) {
            slot.store(word, Ordering::Relaxed);
        }
        self.ids[0].store(first, Ordering::Relaxed);
        let version = (before >> VERSION_SHIFT).wrapping_add(2) << VERSION_SHIFT;
        self.ids[1].store(last | version, Ordering::Release);
    }
}

impl Entries {
    /// `len` free entries, a power of two, 4 or more.
    pub(super) fn new(len: usize, is_narrow: bool) -> Self {
        Self {
            table: Table::with(len, Entry::default),
            is_narrow,
            used: Used::default(),
        }
    }

    /// `len` entries with those of this table.
    pub(super) fn grown(&self, len: usize) -> Self {
        let grown = Self::new(len, self.is_narrow);
        for (key, ids) in self.table.iter().filter_map(Entry::read) {
            if key != Key::NONE {
                grown.place(key, ids);
            }
        }
        grown
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether half of the entries are in use.
    pub(super) fn is_full(&self) -> bool {
        self.used.0.load(Ordering::Relaxed) * 2 > self.table.len()
    }

    /// Brings the entries for a hash near.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        raw::prefetch(&self.table, self.line(hash));
    }

    /// The first entry of the cache line for a hash.
    #[inline]
    fn line(&self, hash: u64) -> usize {
        hash as usize & (self.table.len() - 2)
    }

    /// Appends the tokens of a piece; tells whether it is there.
    #[expect(
        clippy::inline_always,
        reason = "for each pretoken; a call costs as much"
    )]
    #[inline(always)]
    pub(super) fn get(&self, key: Key, hash: u64, out: &mut Vec<u32>) -> bool {
        self.in_line(self.line(hash), key, out)
    }

    /// [`get`](Self::get) in the other line.
    pub(super) fn get_aside(&self, key: Key, hash: u64, out: &mut Vec<u32>) -> bool {
        let line = self.line(hash);
        self.table[line + 1].key() != Key::NONE && self.in_line(line ^ 2, key, out)
    }

    #[expect(
        clippy::inline_always,
        reason = "for each pretoken; a call costs as much"
    )]
    #[inline(always)]
    fn in_line(&self, at: usize, key: Key, out: &mut Vec<u32>) -> bool {
        let [first, second] = &self.table[at..at + 2] else {
            return false;
        };
        let entry = if key.is(first.key()) { first } else { second };
        let Some((found, [low, high])) = entry.read().filter(|(found, _)| key.is(*found)) else {
            return false;
        };
        // All are copied and some taken back: their number is hard to foresee for a branch.
        let len = out.len();
        if self.is_narrow {
            // Two ids of 16 bits at a time become two of 32.
            let wide = |two: u64| (two | two << 16) & 0x0000_FFFF_0000_FFFF;
            let four = [wide(low & 0xFFFF_FFFF), wide(low >> 32)];
            let more = [wide(high & 0xFFFF_FFFF), wide(high >> 32)];
            out.extend_from_slice(&[
                four[0] as u32,
                (four[0] >> 32) as u32,
                four[1] as u32,
                (four[1] >> 32) as u32,
                more[0] as u32,
                (more[0] >> 32) as u32,
                more[1] as u32,
                (more[1] >> 32) as u32,
            ]);
        } else {
            let mask = (1 << ID_BITS) - 1;
            out.extend_from_slice(&[
                low as u32 & mask,
                (low >> ID_BITS) as u32 & mask,
                high as u32 & mask,
                (high >> ID_BITS) as u32 & mask,
            ]);
        }
        out.truncate(len + found.count());
        true
    }

    /// Keeps the tokens of a piece, if they are few; tells whether they are.
    pub(super) fn put(&self, key: Key, ids: &[u32]) -> bool {
        let (most, bits) = if self.is_narrow {
            (IDS_MAX, 16)
        } else {
            (IDS_MAX_WIDE, ID_BITS)
        };
        if ids.is_empty() || ids.len() > most || ids.iter().any(|id| id >> bits != 0) {
            return false;
        }
        let mut words = [0; 2];
        let in_word = if self.is_narrow { 4 } else { 2 };
        for (&id, at) in ids.iter().zip(0..) {
            words[at / in_word] |= (id as u64) << (bits * (at % in_word) as u32);
        }
        self.place(key.with_count(ids.len()), words);
        true
    }

    /// Puts an entry where it is looked for.
    fn place(&self, key: Key, ids: [u64; 2]) {
        let hash = key.without_count().hash();
        let at = self.line(hash);
        let aside = at ^ 2;
        let mut places = [at, at + 1, aside, aside + 1].into_iter();
        let free = places.find(|&at| self.table[at].key() == Key::NONE);
        if free.is_some() {
            self.used.0.fetch_add(1, Ordering::Relaxed);
        }
        // Without a free place, one bit of the hash says which entry goes.
        let at = free.unwrap_or(at + (hash >> 60 & 1) as usize);
        self.table[at].write(key, ids);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpe::Piece;

    /// A piece, and the ids that are made up for it.
    fn piece(number: u32, is_narrow: bool) -> (Key, Vec<u32>) {
        let text = number.to_le_bytes();
        let key = Key::new(&text, 0, 4, Piece::Pretoken);
        let most = if is_narrow { IDS_MAX } else { IDS_MAX_WIDE };
        let bits = if is_narrow { 16 } else { ID_BITS };
        let ids = (0..=number as usize % most)
            .map(|at| number.wrapping_mul(0x9E37_79B1 + at as u32) & ((1 << bits) - 1));
        (key, ids.collect())
    }

    fn found(entries: &Entries, key: Key) -> Option<Vec<u32>> {
        let mut out = vec![7];
        let is_found =
            entries.get(key, key.hash(), &mut out) || entries.get_aside(key, key.hash(), &mut out);
        assert_eq!(out.remove(0), 7);
        is_found.then_some(out)
    }

    #[test]
    fn pieces_keep_their_ids_when_the_table_grows() {
        for is_narrow in [false, true] {
            let entries = Entries::new(1 << 12, is_narrow);
            let pieces: Vec<_> = (0..1000).map(|number| piece(number, is_narrow)).collect();
            for (key, ids) in &pieces {
                assert_eq!(found(&entries, *key), None);
                assert!(entries.put(*key, ids));
            }
            let grown = entries.grown(1 << 14);
            assert!(!entries.is_full() && !grown.is_full());
            let kept = pieces.iter().filter(|(key, ids)| {
                let is_kept = |found: &Vec<u32>| found == ids;
                found(&entries, *key).as_ref().is_some_and(is_kept)
                    && found(&grown, *key).as_ref().is_some_and(is_kept)
            });
            assert!(kept.count() > 990);
        }
    }

    #[test]
    fn what_an_entry_cannot_hold_is_not_kept() {
        for (is_narrow, ids) in [
            (true, &[0; 8][..]),
            (true, &[1 << 16]),
            (false, &[0; 5]),
            (false, &[u32::MAX]),
            (false, &[]),
        ] {
            let entries = Entries::new(16, is_narrow);
            let (key, _) = piece(1, is_narrow);
            assert!(!entries.put(key, ids));
            assert_eq!(found(&entries, key), None);
        }
    }

    #[test]
    fn threads_see_whole_entries_only() {
        for is_narrow in [false, true] {
            let entries = Entries::new(4, is_narrow);
            let work = |thread: u32| {
                let mut hits = 0;
                for round in 0..30_000 {
                    // More pieces than places, in an order without a period.
                    let mixed = (round + thread).wrapping_mul(0x9E37_79B1) >> 16;
                    let (key, ids) = piece(mixed % 7, is_narrow);
                    match found(&entries, key) {
                        Some(found) => {
                            assert_eq!(found, ids);
                            hits += 1;
                        }
                        None => assert!(entries.put(key, &ids)),
                    }
                }
                hits
            };
            let hits: u32 = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..3).map(|at| scope.spawn(move || work(at))).collect();
                let hits = threads.into_iter().map(|thread| thread.join().unwrap());
                hits.sum()
            });
            assert!(hits > 0);
        }
    }
}
