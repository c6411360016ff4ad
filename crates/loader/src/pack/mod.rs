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
mod plan;

use crate::Error;
use crate::limits::{DOCUMENTS_MAX, PIECES_MAX, ROW_LEN_MAX};
use plan::{Group, Plan};

/// A part of a document in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// The share of the rows that is padding, from 0 to 1.
    pub fn padding_share(&self) -> f64 {
        let room = self.rows() as u64 * self.row_len as u64;
        self.padding() as f64 / room.max(1) as f64
    }
}

/// Packs documents of these lengths into rows of `row_len` tokens.
///
/// No document that fits is cut; a longer one is cut into full rows and a rest, which is packed like
/// a document. The result depends on the arguments alone. Takes about 20 ns and 16 bytes for each
/// document.
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
/// are more than [`DOCUMENTS_MAX`] documents or [`PIECES_MAX`] pieces.
pub fn best_fit(lengths: &[u32], row_len: usize) -> Result<Packing, Error> {
    check(lengths, row_len)?;
    let sorted = Sorted::new(lengths, row_len)?;
    let plan = Plan::new(&sorted.class_ends, row_len);
    let rows = sorted.full_rows + plan.rows();
    let mut starts = Vec::with_capacity(rows + 1);
    let mut pieces = Vec::with_capacity(sorted.full_rows + sorted.documents.len());
    starts.push(0);
    for (document, &len) in lengths.iter().enumerate().filter(|_| sorted.full_rows > 0) {
        for part in 0..len / row_len as u32 {
            pieces.push(Piece {
                document: document as u32,
                part,
            });
            starts.push(pieces.len() as u32);
        }
    }
    for group in plan.groups() {
        write(&plan, group, &sorted.documents, &mut starts, &mut pieces);
    }
    if sorted.full_rows > 0 {
        // Rests of cut documents stand behind their full parts.
        let row_len = row_len as u32;
        for piece in &mut pieces[sorted.full_rows..] {
            piece.part = lengths[piece.document as usize] / row_len;
        }
    }
    Ok(Packing {
        row_len,
        starts,
        pieces,
        tokens: lengths.iter().map(|&len| u64::from(len)).sum(),
        empty: lengths.iter().filter(|&&len| len == 0).count() as u64,
    })
}

fn check(lengths: &[u32], row_len: usize) -> Result<(), Error> {
    if row_len == 0 {
        return Err(Error::invalid("cannot pack into rows of no tokens"));
    }
    if row_len > ROW_LEN_MAX {
        let what = format!("cannot pack into rows of {row_len} tokens");
        return Err(Error::limit(what, "ROW_LEN_MAX", ROW_LEN_MAX));
    }
    if lengths.len() as u64 > DOCUMENTS_MAX {
        let what = format!("cannot pack {} documents", lengths.len());
        return Err(Error::limit(what, "DOCUMENTS_MAX", DOCUMENTS_MAX));
    }
    Ok(())
}

/// Documents by the length of what does not fill rows, in their own order within a length.
struct Sorted {
    documents: Vec<u32>,
    /// Where in `documents` those of each length end.
    class_ends: Vec<u32>,
    full_rows: usize,
}

impl Sorted {
    fn new(lengths: &[u32], row_len: usize) -> Result<Self, Error> {
        let longest = lengths.iter().copied().max().unwrap_or(0) as usize;
        let mut ends = vec![0_u32; row_len + 1];
        let mut full_rows = 0_u64;
        if longest < row_len {
            for &len in lengths {
                ends[len as usize] += 1;
            }
        } else {
            for &len in lengths {
                full_rows += u64::from(len) / row_len as u64;
                ends[len as usize % row_len] += 1;
            }
        }
        // What leaves no rest has no place here.
        ends[0] = 0;
        let mut end = 0;
        for count in &mut ends {
            (*count, end) = (end, end + *count);
        }
        if full_rows + u64::from(end) > PIECES_MAX {
            let what = format!("cannot pack {} documents", lengths.len());
            return Err(Error::limit(what, "PIECES_MAX", PIECES_MAX));
        }
        let mut documents = vec![0_u32; end as usize];
        let mut place = |document: usize, rest: usize| {
            if rest > 0 {
                documents[ends[rest] as usize] = document as u32;
                ends[rest] += 1;
            }
        };
        if longest < row_len {
            let each = lengths.iter().enumerate();
            each.for_each(|(document, &len)| place(document, len as usize));
        } else {
            let each = lengths.iter().enumerate();
            each.for_each(|(document, &len)| place(document, len as usize % row_len));
        }
        Ok(Self {
            documents,
            class_ends: ends,
            full_rows: full_rows as usize,
        })
    }
}

/// Writes the rows of a group down.
fn write(
    plan: &Plan,
    group: Group,
    documents: &[u32],
    starts: &mut Vec<u32>,
    pieces: &mut Vec<Piece>,
) {
    let chain = plan.chain(group);
    for row in 0..group.rows as usize {
        for part in &chain {
            let first = part.first + row * part.each;
            let each = documents[first..first + part.each].iter();
            pieces.extend(each.map(|&document| Piece { document, part: 0 }));
        }
        starts.push(pieces.len() as u32);
    }
}
