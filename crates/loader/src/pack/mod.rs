//! Best-fit-decreasing packing of documents into rows of one length.
//!
//! Each document goes, longest first, into the row with the least room that still takes it, or into
//! a new one ([Ding et al. 2024], "Fewer Truncations Improve Language Modeling"). Documents of the
//! same length and rows with the same history are one item each in the plan, so that its cost
//! depends on the row's length and not on the number of documents; per document there is a counting
//! sort, and the writing down of its place.
//!
//! [Ding et al. 2024]: https://arxiv.org/abs/2404.10830

mod occupied;
mod place;
mod plan;
mod sort;

use crate::Error;
use crate::limits::{DOCUMENTS_MAX, PIECES_MAX, ROW_LEN_MAX, THREADS_MAX};
use plan::Plan;
use sort::Sorted;

/// Below this, threads are not worth their start.
const DOCUMENTS_A_THREAD: usize = 1 << 16;

/// A part of a document in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Piece {
    /// The document's number.
    pub document: u32,
    /// Which part it is: part `p` starts at token `p × row length`. Documents that fit have one.
    pub part: u32,
}

/// Which documents each row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    row_len: usize,
    /// Where each row's pieces start, and the end of the last.
    starts: Vec<u32>,
    pieces: Vec<Piece>,
    tokens: u64,
    empty: u64,
}

impl Packing {
    /// The length of each row in tokens.
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The pieces of a row, longest first.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &[Piece] {
        &self.pieces[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// How many tokens the documents have.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// How many documents have no token; they are in no row.
    pub fn empty_documents(&self) -> u64 {
        self.empty
    }

    /// How many tokens of the rows are padding.
    pub fn padding(&self) -> u64 {
        self.rows() as u64 * self.row_len as u64 - self.tokens
    }

    /// Adds the rows of another packing, whose documents are numbered from `first` on.
    pub(crate) fn append(&mut self, other: Self, first: u32) -> Result<(), Error> {
        let (before, pieces) = (self.pieces.len(), other.pieces.len());
        if (before + pieces) as u64 > PIECES_MAX {
            let what = format!("cannot pack into {} pieces", before + pieces);
            return Err(Error::limit(what, "PIECES_MAX", PIECES_MAX));
        }
        let starts = other.starts[1..].iter().map(|start| start + before as u32);
        self.starts.extend(starts);
        self.pieces
            .extend(other.pieces.into_iter().map(|piece| Piece {
                document: piece.document + first,
                ..piece
            }));
        self.tokens += other.tokens;
        self.empty += other.empty;
        Ok(())
    }

    /// The share of the rows that is padding, from 0 to 1.
    pub fn padding_share(&self) -> f64 {
        let room = self.rows() as u64 * self.row_len as u64;
        self.padding() as f64 / room.max(1) as f64
    }
}

/// Packs documents of these lengths into rows of `row_len` tokens, on all cores.
///
/// No document that fits is cut; a longer one is cut into full rows and a rest, which is packed like
/// a document. The result depends on the arguments alone. Takes 16 bytes for each document.
///
/// ```
/// let packing = nexus_loader::pack::best_fit(&[5, 3, 8, 2, 13], 8)?;
/// assert_eq!(packing.rows(), 4);
/// assert_eq!(packing.padding(), 32 - 31);
/// # Ok::<(), nexus_loader::Error>(())
/// ```
///
/// # Errors
/// `InvalidInput` when `row_len` is 0, `LimitReached` when it is more than [`ROW_LEN_MAX`] or there
/// are more than [`DOCUMENTS_MAX`] documents or
/// [`PIECES_MAX`] pieces.
pub fn best_fit(lengths: &[u32], row_len: usize) -> Result<Packing, Error> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = (lengths.len() / DOCUMENTS_A_THREAD).clamp(1, cores);
    best_fit_with(lengths, row_len, threads)
}

/// [`best_fit`] with a number of threads, on which the result does not depend.
///
/// # Errors
/// As [`best_fit`]; `LimitReached` for more than [`THREADS_MAX`] threads.
pub fn best_fit_with(lengths: &[u32], row_len: usize, threads: usize) -> Result<Packing, Error> {
    check(lengths, row_len, threads)?;
    let sorted = Sorted::new(lengths, row_len as u32, threads.max(1))?;
    let plan = Plan::new(&sorted.class_ends, row_len);
    let (starts, pieces) = place::rows(lengths, row_len as u32, &sorted, &plan, threads.max(1));
    Ok(Packing {
        row_len,
        starts,
        pieces,
        tokens: sorted.tokens,
        empty: sorted.empty,
    })
}

fn check(lengths: &[u32], row_len: usize, threads: usize) -> Result<(), Error> {
    if row_len == 0 {
        return Err(Error::invalid("cannot pack into rows of no tokens"));
    }
    for (what, number, name, limit) in [
        (
            "into rows of that many tokens",
            row_len,
            "ROW_LEN_MAX",
            ROW_LEN_MAX,
        ),
        ("on that many threads", threads, "THREADS_MAX", THREADS_MAX),
        (
            "that many documents",
            lengths.len(),
            "DOCUMENTS_MAX",
            DOCUMENTS_MAX as usize,
        ),
    ] {
        if number > limit {
            let what = format!("cannot pack {what}: {number}");
            return Err(Error::limit(what, name, limit));
        }
    }
    Ok(())
}
