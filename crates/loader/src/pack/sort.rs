//! Documents in the order of their lengths: a counting sort.

use std::thread;

use super::Piece;
use crate::Error;
use crate::limits::PIECES_MAX;

/// Documents by the length of what does not fill rows, in their own order within a length.
pub(super) struct Sorted {
    /// The last part of each document, if it does not fill a row.
    pub(super) pieces: Vec<Piece>,
    /// Where in `pieces` those of each length end.
    pub(super) class_ends: Vec<u32>,
    pub(super) full_rows: usize,
    pub(super) tokens: u64,
    pub(super) empty: u64,
}

/// What is counted of some documents.
struct Counts {
    /// Documents by the length of their rest.
    rests: Vec<u32>,
    full_rows: u64,
    tokens: u64,
    empty: u64,
}

impl Sorted {
    pub(super) fn new(lengths: &[u32], row_len: u32, threads: usize) -> Result<Self, Error> {
        let counts = count_all(lengths, row_len, threads);
        let mut class_ends = counts.rests;
        // What leaves no rest has no place here.
        class_ends[0] = 0;
        let mut end = 0_u64;
        for count in &mut class_ends {
            end += u64::from(*count);
            *count = end as u32;
        }
        if counts.full_rows + end > PIECES_MAX {
            let what = format!("cannot pack {} documents", lengths.len());
            return Err(Error::limit(what, "PIECES_MAX", PIECES_MAX));
        }
        Ok(Self {
            pieces: scatter(lengths, row_len, &class_ends, threads),
            class_ends,
            full_rows: counts.full_rows as usize,
            tokens: counts.tokens,
            empty: counts.empty,
        })
    }
}

/// The part and the length of what does not fill a row.
fn rest(len: u32, row_len: u32) -> (u32, u32) {
    // Most documents are shorter, and a division takes longer than a guess.
    if len < row_len {
        (0, len)
    } else {
        (len / row_len, len % row_len)
    }
}

fn count_all(lengths: &[u32], row_len: u32, threads: usize) -> Counts {
    let share = lengths.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let mut shares = lengths.chunks(share);
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> = shares
            .map(|share| scope.spawn(move || count(share, row_len)))
            .collect();
        let mut all = count(own, row_len);
        for other in others {
            let other = other.join().expect("counting does not panic");
            for (sum, count) in all.rests.iter_mut().zip(other.rests) {
                *sum += count;
            }
            all.full_rows += other.full_rows;
            all.tokens += other.tokens;
            all.empty += other.empty;
        }
        all
    })
}

fn count(lengths: &[u32], row_len: u32) -> Counts {
    let mut counts = Counts {
        rests: vec![0; row_len as usize + 1],
        full_rows: 0,
        tokens: 0,
        empty: 0,
    };
    for &len in lengths {
        let (part, rest) = rest(len, row_len);
        counts.rests[rest as usize] += 1;
        counts.full_rows += u64::from(part);
        counts.tokens += u64::from(len);
        counts.empty += u64::from(len == 0);
    }
    counts
}

/// Writes each document to its place. Each thread looks at all of them and writes a range of
/// lengths, so that places are disjoint.
fn scatter(lengths: &[u32], row_len: u32, class_ends: &[u32], threads: usize) -> Vec<Piece> {
    let total = class_ends[class_ends.len() - 1];
    let mut pieces = vec![Piece::default(); total as usize];
    thread::scope(|scope| {
        let mut free = pieces.as_mut_slice();
        let mut class = 1;
        for number in 1..=threads {
            let first = class_ends[class - 1];
            let goal = (u64::from(total) * number as u64 / threads as u64) as u32;
            let classes = class..class + class_ends[class..].partition_point(|&end| end <= goal);
            if classes.is_empty() {
                continue;
            }
            class = classes.end;
            let (own, rest) = free.split_at_mut((class_ends[class - 1] - first) as usize);
            free = rest;
            let cursors: Vec<usize> = (classes.start - 1..classes.end - 1)
                .map(|class| (class_ends[class] - first) as usize)
                .collect();
            let work = move || scatter_range(lengths, row_len, classes.start as u32, cursors, own);
            if class == class_ends.len() {
                work();
                break;
            }
            scope.spawn(work);
        }
    });
    pieces
}

/// Writes the documents whose rests are `first` and as many longer ones as there are cursors.
fn scatter_range(
    lengths: &[u32],
    row_len: u32,
    first: u32,
    mut cursors: Vec<usize>,
    pieces: &mut [Piece],
) {
    for (document, &len) in lengths.iter().enumerate() {
        let (part, rest) = rest(len, row_len);
        if let Some(cursor) = cursors.get_mut(rest.wrapping_sub(first) as usize) {
            let document = document as u32;
            pieces[*cursor] = Piece { document, part };
            *cursor += 1;
        }
    }
}
