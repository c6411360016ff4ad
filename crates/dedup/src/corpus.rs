//! Documents as one text, which lies in memory or elsewhere.

use crate::error::Error;
use crate::substring::{Block, Span};
use crate::suffix::Symbol;

/// Appends the elements from one place to another.
pub(crate) type Read<'a, T, E> = dyn Fn(usize, usize, &mut Vec<T>) -> Result<(), E> + 'a;

/// The documents as one text.
pub(crate) struct Corpus<'a, T, E> {
    read: &'a Read<'a, T, E>,
    /// Where each document ends.
    ends: Vec<usize>,
    length: usize,
    pub(crate) len: usize,
}

impl<'a, T: Symbol, E: From<Error>> Corpus<'a, T, E> {
    pub(crate) fn new(
        sizes: impl Iterator<Item = usize>,
        length: usize,
        read: &'a Read<'a, T, E>,
    ) -> Self {
        let mut len = 0;
        let ends = sizes.map(|size| {
            len += size;
            len
        });
        let ends = ends.collect();
        Self {
            read,
            ends,
            length,
            len,
        }
    }

    /// What reads documents in memory.
    pub(crate) fn reader<'b>(
        documents: &'b [&'b [T]],
    ) -> impl Fn(usize, usize, &mut Vec<T>) -> Result<(), E> + 'b {
        let mut len = 0;
        let ends = documents.iter().map(|document| {
            len += document.len();
            len
        });
        let ends: Vec<usize> = ends.collect();
        move |mut at, end, out| {
            while at < end {
                let document = ends.partition_point(|&document_end| document_end <= at);
                let document_start = ends[document] - documents[document].len();
                let stop = end.min(ends[document]);
                let range = at - document_start..stop - document_start;
                out.extend_from_slice(&documents[document][range]);
                at = stop;
            }
            Ok(())
        }
    }

    pub(crate) fn read(&self, block: &Block) -> Result<Vec<T>, E> {
        let mut text = Vec::new();
        for (start, end) in block.ranges {
            if start < end {
                let end = (end + block.overlap).min(self.len);
                (self.read)(start, end, &mut text)?;
            }
        }
        Ok(text)
    }

    /// The runs that begin at the given positions, joined where they meet.
    pub(crate) fn spans(
        &self,
        starts: &Bits,
        mut visit: impl FnMut(Span) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut document_start = 0;
        for (document, &document_end) in self.ends.iter().enumerate() {
            let mut last: Option<Span> = None;
            for at in starts.ones(document_start, document_end) {
                let (start, end) = (at - document_start, at - document_start + self.length);
                match &mut last {
                    Some(last) if last.end >= start => last.end = end,
                    _ => {
                        let next = Span {
                            document,
                            start,
                            end,
                        };
                        last.replace(next).map_or(Ok(()), &mut visit)?;
                    }
                }
            }
            last.map_or(Ok(()), &mut visit)?;
            document_start = document_end;
        }
        Ok(())
    }
}

impl<T, E> Corpus<'_, T, E> {
    /// One bit for each position where a run is wholly in its document.
    pub(crate) fn inner(&self) -> Bits {
        let mut inner = Bits::new(self.len);
        let mut start = 0;
        for &end in &self.ends {
            for at in start..(end + 1).saturating_sub(self.length).max(start) {
                inner.set(at);
            }
            start = end;
        }
        inner
    }

    /// The least length of a run.
    pub(crate) fn length(&self) -> usize {
        self.length
    }
}

/// A bit for each element.
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    pub(crate) fn get(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 == 1
    }

    pub(crate) fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    /// The places of the ones from `start` to `end`.
    pub(crate) fn ones(&self, start: usize, end: usize) -> impl Iterator<Item = usize> + '_ {
        let words = start / 64..end.div_ceil(64);
        words
            .filter(|&word| self.0[word] != 0)
            .flat_map(move |word| (word * 64..word * 64 + 64).filter(|&at| self.get(at)))
            .filter(move |at| (start..end).contains(at))
    }
}
