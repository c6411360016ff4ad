//! Rows of one length over the documents of a corpus.

use std::sync::Arc;

use crate::corpus::Corpus;
use crate::limits::{ROW_LEN_MAX, ROWS_MAX};
use crate::pack::{Packing, best_fit};
use crate::shard::Span;
use crate::store::Store;
use crate::token::{convert, fill, is_same};
use crate::units::Starts;
use crate::unpack::Cache;
use crate::{Error, Stored, Token};

/// Rows of tokens, all of the same length: what a loader shuffles and batches.
#[derive(Debug)]
pub struct Rows {
    corpus: Arc<Corpus>,
    len: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Windows {
        runs: Vec<Run>,
        /// The first row of each run, and the end of the last.
        starts: Vec<u64>,
        stride: u64,
    },
    Documents,
    Packed {
        packing: Packing,
        /// The first row of each shard, where shards are packed each by itself.
        starts: Option<Starts>,
    },
}

/// A run of tokens in a shard.
#[derive(Debug)]
struct Run {
    shard: u32,
    span: Span,
}

/// Where a row's tokens go, and what is noted of them.
pub(crate) struct Target<'a> {
    pub(crate) token: Token,
    /// Bytes of the row.
    pub(crate) tokens: &'a mut [u8],
    /// Positions within documents, one for each token.
    pub(crate) positions: Option<&'a mut [i32]>,
    /// Lengths of the documents in the row, and of the padding.
    pub(crate) lens: Option<&'a mut Vec<i32>>,
    pub(crate) pad: i64,
    /// Bytes that are read before they are converted.
    pub(crate) scratch: &'a mut Vec<u8>,
}

impl Rows {
    /// Rows that are cut from the runs of tokens, document after document, `stride` tokens from one
    /// row's start to the next; `len` of them give rows side by side. What does not fill a row at
    /// the end of a run is left out. Runs are whole files, tensors or chunks; in MDS and tar, where
    /// other bytes stand between documents, they are the documents.
    ///
    /// # Errors
    /// `InvalidInput` for a length or stride of 0, `LimitReached`, `Corrupt` where a run does not
    /// lie in its file.
    pub fn windows(corpus: Arc<Corpus>, len: usize, stride: usize) -> Result<Self, Error> {
        check_len(len)?;
        if stride == 0 {
            return Err(Error::invalid(
                "cannot cut rows that start where the one before does",
            ));
        }
        let stride = stride as u64;
        let (mut runs, mut starts) = (Vec::new(), vec![0_u64]);
        let mut rows = 0_u64;
        for (number, shard) in corpus.all().iter().enumerate() {
            for span in shard.runs(corpus.cancel())? {
                let count = span
                    .len
                    .checked_sub(len as u64)
                    .map_or(0, |rest| rest / stride + 1);
                if count > 0 {
                    rows = rows.saturating_add(count);
                    starts.push(rows);
                    let shard = number as u32;
                    runs.push(Run { shard, span });
                }
            }
        }
        if rows > ROWS_MAX {
            return Err(Error::limit(
                format!("cannot load {rows} rows"),
                "ROWS_MAX",
                ROWS_MAX,
            ));
        }
        let kind = Kind::Windows {
            runs,
            starts,
            stride,
        };
        Ok(Self { corpus, len, kind })
    }

    /// A document a row, padded to `len`. A longer document is an error when it is read.
    ///
    /// # Errors
    /// `InvalidInput` for a length of 0, `LimitReached`.
    pub fn documents(corpus: Arc<Corpus>, len: usize) -> Result<Self, Error> {
        check_len(len)?;
        let kind = Kind::Documents;
        Ok(Self { corpus, len, kind })
    }

    /// Documents packed by [`best_fit`]; those of packed shards shard by shard, so that a row lies in
    /// one of them. Costs a look at each document, and 12 bytes of memory.
    ///
    /// # Errors
    /// As [`best_fit`] and [`Corpus::document_lens`].
    pub fn packed(corpus: Arc<Corpus>, len: usize) -> Result<Self, Error> {
        check_len(len)?;
        if !corpus.is_packed() {
            let kind = Kind::Packed {
                packing: best_fit(&corpus.document_lens()?, len)?,
                starts: None,
            };
            return Ok(Self { corpus, len, kind });
        }
        let mut packing = best_fit(&[], len)?;
        let (mut starts, mut documents) = (vec![0], 0);
        for shard in corpus.all() {
            let lens = shard.document_lens(corpus.cancel())?;
            packing.append(best_fit(&lens, len)?, documents)?;
            starts.push(packing.rows() as u64);
            documents += lens.len() as u32;
        }
        let kind = Kind::Packed {
            packing,
            starts: Some(starts.into()),
        };
        Ok(Self { corpus, len, kind })
    }

    /// How many rows there are.
    pub fn count(&self) -> u64 {
        match &self.kind {
            Kind::Windows { starts, .. } => starts[starts.len() - 1],
            Kind::Documents => self.corpus.documents(),
            Kind::Packed { packing, .. } => packing.rows() as u64,
        }
    }

    /// Tokens in a row.
    pub fn row_len(&self) -> usize {
        self.len
    }

    /// The packing of packed rows.
    pub fn packing(&self) -> Option<&Packing> {
        match &self.kind {
            Kind::Packed { packing, .. } => Some(packing),
            _ => None,
        }
    }

    /// The documents.
    pub fn corpus(&self) -> &Arc<Corpus> {
        &self.corpus
    }

    /// Tells these rows from others, as far as it costs nothing.
    pub(crate) fn fingerprint(&self) -> u64 {
        let kind = match &self.kind {
            Kind::Windows { stride, .. } => stride << 2,
            Kind::Documents => 1,
            Kind::Packed { .. } => 2,
        };
        let mixed = self.corpus.fingerprint() ^ kind.rotate_left(40) ^ self.len as u64;
        mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.count()
    }

    /// Where the rows of each shard start, and the end of the last. Where documents of all shards are
    /// packed together, all rows are one.
    pub(crate) fn starts(&self) -> Starts {
        match &self.kind {
            Kind::Windows { runs, starts, .. } => {
                let shards = 0..=self.corpus.all().len();
                let first = |shard| runs.partition_point(|run| (run.shard as usize) < shard);
                shards.map(|shard| starts[first(shard)]).collect()
            }
            Kind::Documents => self.corpus.starts().into(),
            Kind::Packed { starts, .. } => {
                let one = || [0, self.count()].into();
                starts.clone().unwrap_or_else(one)
            }
        }
    }

    /// Gathers one row.
    pub(crate) fn gather(&self, row: u64, cache: &Cache, target: Target<'_>) -> Result<(), Error> {
        let mut writer = Writer { target, filled: 0 };
        match &self.kind {
            Kind::Windows {
                runs,
                starts,
                stride,
            } => {
                let at = starts.partition_point(|&start| start <= row) - 1;
                let Run { shard, span } = &runs[at];
                let number = *shard as usize;
                let shard = &self.corpus.all()[number];
                let skipped = (row - starts[at]) * stride * shard.stored.size() as u64;
                let store = shard.source.reach(number, cache)?;
                writer.add(&store, shard.stored, span.start + skipped, self.len)?;
            }
            Kind::Documents => {
                let (store, stored, span) = self.corpus.document(row, cache)?;
                if span.len > self.len as u64 {
                    let message = format!(
                        "document {row} has {} tokens, and a row {}",
                        span.len, self.len
                    );
                    return Err(
                        Error::invalid(message).with_hint("ask for longer rows, or pack documents")
                    );
                }
                writer.add(&store, stored, span.start, span.len as usize)?;
            }
            Kind::Packed { packing, .. } => {
                for piece in packing.row(row as usize) {
                    let document = u64::from(piece.document);
                    let (store, stored, span) = self.corpus.document(document, cache)?;
                    let skipped = u64::from(piece.part) * self.len as u64;
                    let len = span.len.saturating_sub(skipped).min(self.len as u64) as usize;
                    let start = span.start + skipped * stored.size() as u64;
                    if len > self.len - writer.filled {
                        // The lengths were others when the rows were packed.
                        let message = format!("document {} has grown", piece.document);
                        return Err(Error::corrupt(message).with_hint("open the shards again"));
                    }
                    writer.add(&store, stored, start, len)?;
                }
            }
        }
        writer.pad(self.len);
        Ok(())
    }
}

fn check_len(len: usize) -> Result<(), Error> {
    if len == 0 {
        return Err(Error::invalid("cannot load rows of no tokens"));
    }
    if len > ROW_LEN_MAX {
        let what = format!("cannot load rows of {len} tokens");
        return Err(Error::limit(what, "ROW_LEN_MAX", ROW_LEN_MAX));
    }
    Ok(())
}

/// A row that is being filled.
struct Writer<'a> {
    target: Target<'a>,
    /// Tokens.
    filled: usize,
}

impl Writer<'_> {
    fn add(&mut self, store: &Store, stored: Stored, start: u64, len: usize) -> Result<(), Error> {
        let what = "tokens";
        let Target {
            token,
            tokens,
            scratch,
            ..
        } = &mut self.target;
        let (from, to) = (self.filled, self.filled + len);
        let target = &mut tokens[from * token.size()..to * token.size()];
        if is_same(stored, *token) {
            store.read(start, target, what)?;
        } else {
            scratch.resize(len * stored.size(), 0);
            store.read(start, scratch, what)?;
            convert(stored, scratch, *token, target)?;
        }
        self.note(len);
        Ok(())
    }

    /// Fills the rest of the row up.
    fn pad(&mut self, len: usize) {
        let rest = len - self.filled;
        if rest > 0 {
            let Target {
                token, tokens, pad, ..
            } = &mut self.target;
            fill(*token, *pad, &mut tokens[self.filled * token.size()..]);
            self.note(rest);
        }
    }

    /// Notes a document, or the padding, of `len` tokens.
    fn note(&mut self, len: usize) {
        let (from, to) = (self.filled, self.filled + len);
        if let Some(positions) = &mut self.target.positions {
            for (position, place) in positions[from..to].iter_mut().enumerate() {
                *place = position as i32;
            }
        }
        if let Some(lens) = &mut self.target.lens {
            lens.push(len as i32);
        }
        self.filled = to;
    }
}
