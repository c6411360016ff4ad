//! Token ids as Megatron-LM's `MMapIndexedDataset` reads them: a `.bin` of ids and an `.idx` that says
//! how long each sequence is (`megatron/core/datasets/indexed_dataset.py`).

use super::encode::{Encoded, Form};
use super::{OutFile, Shard};
use crate::Error;
use crate::output::TokenType;

const MAGIC: &[u8; 9] = b"MMIDIDX\0\0";

/// Each row is a sequence and a document.
pub(super) struct Tokens {
    ids: OutFile,
    index: OutFile,
    token_type: TokenType,
    /// Sizes of the sequences, in tokens.
    lengths: Vec<i32>,
}

impl Tokens {
    pub(super) fn new(ids: OutFile, index: OutFile, token_type: TokenType) -> Self {
        let lengths = Vec::new();
        Self {
            ids,
            index,
            token_type,
            lengths,
        }
    }
}

impl Shard for Tokens {
    fn write(&mut self, rows: &Encoded, from: usize, limit: u64) -> Result<usize, Error> {
        let Form::Rows(ids) = &rows.form else {
            unreachable!("token ids are rows");
        };
        let (bytes, next) = ids.fitting(from, limit.saturating_sub(self.ids.size()));
        self.ids.append(bytes)?;
        let width = self.token_type.width();
        // A row has at most 2³¹ tokens: it came from a list of Arrow.
        self.lengths
            .extend((from..next).map(|row| (ids.get(row).len() / width) as i32));
        Ok(next)
    }

    fn size(&self) -> u64 {
        self.ids.size()
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<OutFile>, Error> {
        let width = self.token_type.width() as i64;
        let code: u8 = match self.token_type {
            TokenType::U16 => 8,
            TokenType::U32 => 4,
        };
        let Self {
            ids,
            index,
            lengths,
            ..
        } = &mut *self;
        let count = lengths.len() as u64;
        index.append(MAGIC)?;
        index.append(&1_u64.to_le_bytes())?;
        index.append(&[code])?;
        index.append(&count.to_le_bytes())?;
        index.append(&(count + 1).to_le_bytes())?;
        for length in lengths.iter() {
            index.append(&length.to_le_bytes())?;
        }
        let mut start = 0_i64;
        for length in lengths.iter() {
            index.append(&start.to_le_bytes())?;
            start += i64::from(*length) * width;
        }
        debug_assert_eq!(start as u64, ids.size());
        for document in 0..=count {
            index.append(&document.to_le_bytes())?;
        }
        Ok(vec![self.ids, self.index])
    }
}
