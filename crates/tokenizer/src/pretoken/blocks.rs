//! Many pretokens at once: the classes of 64 bytes as masks, where pretokens start by arithmetic of
//! bits. The automata do what is rare: the end of a text, long pretokens, white space beyond ASCII.

use super::scan::Scan;
use super::simd::{Avx2, SIZE};
use crate::class::{NUMBER, SPACE};

/// Most bytes of a block that are no ASCII: of more, an automaton is faster.
const WIDE_MAX: u32 = 32;

/// Which bytes of 64 are of which class; those of a longer character have its class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) letters: u64,
    pub(super) numbers: u64,
    pub(super) white: u64,
    pub(super) spaces: u64,
    pub(super) lines: u64,
    pub(super) apostrophes: u64,
    /// All bytes of a character but the first.
    pub(super) tails: u64,
    /// From this byte on, classes are not what the masks say.
    pub(super) known: u32,
}

/// What a pattern asks of characters beyond ASCII.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wide {
    /// The classes of words.
    pub(super) word: u8,
    /// The classes that are left to the automaton, beside white space.
    pub(super) odd: u8,
}

impl Block {
    /// The block at `at`, if the text has so many bytes.
    #[inline]
    fn new(scan: Scan<'_>, avx2: Avx2, at: usize, wide: Wide) -> Option<Self> {
        let bytes = scan.text.get(at..at + SIZE)?.try_into().ok()?;
        let ascii = avx2.ascii(bytes);
        let mut block = Self {
            letters: ascii.letters,
            numbers: ascii.numbers,
            white: ascii.white,
            spaces: ascii.spaces,
            lines: ascii.lines,
            apostrophes: ascii.apostrophes,
            tails: ascii.wide & !ascii.leads,
            known: SIZE as u32,
        };
        if ascii.wide.count_ones() > WIDE_MAX {
            block.known = 0;
        } else if ascii.wide != 0 {
            block.add_wide(scan, at, (ascii.wide, ascii.leads), wide);
        }
        Some(block)
    }

    /// Adds the classes of characters beyond ASCII.
    #[inline]
    fn add_wide(&mut self, scan: Scan<'_>, start: usize, masks: (u64, u64), of: Wide) {
        let (wide, mut leads) = masks;
        let (mut covered, mut odd) = (0, 0);
        while leads != 0 {
            let at = leads.trailing_zeros();
            leads &= leads - 1;
            let (class, size) = scan.class(start + at as usize);
            let bits = ((1 << size) - 1) << at;
            let where_in = |mask: u8| if class & mask == 0 { 0 } else { bits };
            covered |= bits;
            self.letters |= where_in(of.word);
            self.numbers |= where_in(NUMBER);
            // Where white space starts is asked for by characters, not by bytes.
            odd |= where_in(SPACE | of.odd);
        }
        self.known = (odd | wide ^ covered).trailing_zeros();
    }

    /// `starts` with what contractions change that begin at one of `marks`.
    #[inline]
    pub(super) fn with_contractions(
        &self,
        mut starts: u64,
        marks: u64,
        end: impl Fn(usize) -> Option<usize>,
    ) -> u64 {
        let mut marks = marks & self.apostrophes;
        while marks != 0 {
            let mark = marks.trailing_zeros();
            marks &= marks - 1;
            if let Some(end) = end(mark as usize) {
                starts &= !(2 << mark);
                starts |= 1u64.checked_shl(end as u32).unwrap_or(0);
            }
        }
        starts
    }

    /// The bits of bytes whose class and whose next byte's class are known.
    fn certain(&self) -> u64 {
        u64::MAX >> 1 >> (SIZE as u32 - self.known).min(SIZE as u32 - 1)
    }
}

/// The first byte of each run.
#[inline]
pub(super) fn firsts(mask: u64) -> u64 {
    mask & !(mask << 1)
}

/// Gives the start of the first and the ends of some pretokens, again and again.
///
/// `starts` says where in a block, which starts with a pretoken, pretokens start, as far as the next
/// byte is known; `end` is where the one at a place ends.
#[inline]
pub(super) fn cut(
    scan: Scan<'_>,
    wide: Option<(Avx2, Wide)>,
    starts: impl Fn(usize, &Block) -> u64,
    end: impl Fn(usize) -> usize,
    emit: &mut impl FnMut(usize, &[usize]),
) {
    let mut ends = Ends::new();
    let mut at = 0;
    while let Some(block) = wide.and_then(|(avx2, wide)| Block::new(scan, avx2, at, wide)) {
        let starts = starts(at, &block) & block.certain() & !1;
        if starts == 0 {
            // What is odd is seldom alone.
            let odd_end = at + if block.known == 0 { SIZE } else { 1 };
            while at < odd_end.min(scan.text.len()) {
                at = end(at);
                ends.push(at);
            }
        } else {
            ends.push_all(at, starts);
            at += starts.ilog2() as usize;
        }
        ends.flush_full(emit);
    }
    while at < scan.text.len() {
        at = end(at);
        ends.push(at);
        ends.flush_full(emit);
    }
    ends.flush(emit);
}

/// [`cut`] where there is an automaton only.
#[inline]
pub(super) fn one_by_one(
    scan: Scan<'_>,
    end: impl Fn(usize) -> usize,
    emit: &mut impl FnMut(usize, &[usize]),
) {
    cut(scan, None, |_, _| 0, end, emit);
}

/// Ends are given when there are so many.
const ENOUGH: usize = 64;

/// Ends of pretokens that are side by side.
struct Ends {
    start: usize,
    places: [usize; ENOUGH + SIZE],
    count: usize,
}

impl Ends {
    fn new() -> Self {
        Self {
            start: 0,
            places: [0; ENOUGH + SIZE],
            count: 0,
        }
    }

    #[inline]
    fn push(&mut self, end: usize) {
        self.places[self.count] = end;
        self.count += 1;
    }

    /// Adds `at` and the number of each bit of `bits`.
    #[inline]
    fn push_all(&mut self, at: usize, mut bits: u64) {
        let count = bits.count_ones() as usize;
        let mut done = 0;
        // Eight at a time, some of them for nothing: a branch for each would be hard to foresee.
        while done < count {
            for slot in &mut self.places[self.count + done..][..8] {
                *slot = at + bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
            }
            done += 8;
        }
        self.count += count;
    }

    #[inline]
    fn flush_full(&mut self, emit: &mut impl FnMut(usize, &[usize])) {
        if self.count >= ENOUGH {
            self.flush(emit);
        }
    }

    #[inline]
    fn flush(&mut self, emit: &mut impl FnMut(usize, &[usize])) {
        let ends = &self.places[..self.count];
        if let Some(&last) = ends.last() {
            emit(self.start, ends);
            self.start = last;
        }
        self.count = 0;
    }
}
