//! Batches, and the buffers that they are made in.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use crate::Token;
use crate::raw::Buffer;

/// Buffers of one size that wait to be used again.
pub(crate) struct Pool {
    size: usize,
    kept_max: usize,
    kept: Mutex<Vec<Buffer>>,
}

impl Pool {
    pub(crate) fn new(size: usize, kept_max: usize) -> Arc<Self> {
        let kept = Mutex::new(Vec::with_capacity(kept_max));
        Arc::new(Self {
            size,
            kept_max,
            kept,
        })
    }

    pub(crate) fn take(&self) -> Buffer {
        let kept = self.kept().and_then(|mut kept| kept.pop());
        kept.unwrap_or_else(|| Buffer::new(self.size))
    }

    pub(crate) fn give_back(&self, buffer: Buffer) {
        if let Some(mut kept) = self.kept()
            && kept.len() < self.kept_max
        {
            kept.push(buffer);
        }
    }

    /// The buffers, unless another thread has them: in the child of a fork it may have them for
    /// ever, and a buffer more or less does not matter.
    fn kept(&self) -> Option<MutexGuard<'_, Vec<Buffer>>> {
        match self.kept.try_lock() {
            Ok(kept) => Some(kept),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// What each batch of a loader is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) batch: usize,
    pub(crate) row_len: usize,
    pub(crate) token: Token,
    pub(crate) positions: bool,
}

impl Form {
    fn tokens_size(&self, rows: usize) -> usize {
        rows * self.row_len * self.token.size()
    }

    /// Where positions start: behind the tokens of a full batch, aligned.
    fn positions_start(&self) -> usize {
        self.tokens_size(self.batch).next_multiple_of(64)
    }

    /// Bytes of a buffer.
    pub(crate) fn size(&self) -> usize {
        if self.positions {
            self.positions_start() + self.batch * self.row_len * 4
        } else {
            self.tokens_size(self.batch)
        }
    }
}

/// Rows of tokens, side by side in memory. The memory goes back to the loader when the batch goes.
pub struct Batch {
    pub(crate) form: Form,
    pub(crate) rows: Vec<u64>,
    pub(crate) cu_seqlens: Option<Vec<i32>>,
    pub(crate) epoch: u64,
    buffer: Option<Buffer>,
    pool: Arc<Pool>,
}

impl Batch {
    pub(crate) fn new(form: Form, pool: Arc<Pool>, epoch: u64) -> Self {
        Self {
            form,
            rows: Vec::new(),
            cu_seqlens: None,
            epoch,
            buffer: Some(pool.take()),
            pool,
        }
    }

    fn buffer(&self) -> &Buffer {
        self.buffer
            .as_ref()
            .expect("a batch has its buffer until it goes")
    }

    /// The tokens and positions of all rows of a full batch, to be filled.
    pub(crate) fn parts_mut(&mut self) -> (&mut [u8], Option<&mut [u8]>) {
        let Form { positions, .. } = self.form;
        let start = self.form.positions_start();
        let buffer = self
            .buffer
            .as_mut()
            .expect("a batch has its buffer until it goes");
        if positions {
            let (tokens, positions) = buffer.bytes_mut().split_at_mut(start);
            (tokens, Some(positions))
        } else {
            (buffer.bytes_mut(), None)
        }
    }

    /// How many rows there are: the batch size, or fewer at the end of an epoch.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row. Loaders give no such batch.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Tokens in a row.
    pub fn row_len(&self) -> usize {
        self.form.row_len
    }

    /// The type of the tokens.
    pub fn token(&self) -> Token {
        self.form.token
    }

    /// The size of the tokens in bytes.
    pub fn tokens_size(&self) -> usize {
        self.form.tokens_size(self.len())
    }

    /// The tokens: `len() × row_len()` integers in little-endian order, row after row.
    pub fn tokens(&self) -> &[u8] {
        &self.buffer().bytes()[..self.tokens_size()]
    }

    /// The position of each token within its document, as `i32` in little-endian order, where the
    /// loader was asked for them. Padding counts from 0 too.
    pub fn positions(&self) -> Option<&[u8]> {
        let start = self.form.positions_start();
        let size = self.len() * self.form.row_len * 4;
        self.form
            .positions
            .then(|| &self.buffer().bytes()[start..start + size])
    }

    /// Where documents start in the tokens of the whole batch, and the end of the last, where the
    /// loader was asked for it. The padding at the end of a row counts as a document.
    pub fn cu_seqlens(&self) -> Option<&[i32]> {
        self.cu_seqlens.as_deref()
    }

    /// The numbers of the rows.
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// The epoch that the batch is of.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The address of the tokens, for those who share the memory. They may read and write there
    /// while the batch lives, and nobody borrows from it meanwhile.
    pub fn tokens_start(&self) -> *mut u8 {
        self.buffer().start()
    }

    /// The address of the positions, under the rule of [`tokens_start`](Self::tokens_start).
    pub fn positions_start(&self) -> Option<*mut u8> {
        let start = self.form.positions_start();
        self.form
            .positions
            .then(|| self.buffer().start().wrapping_add(start))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.pool.give_back(buffer);
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("rows", &self.rows)
            .field("row_len", &self.form.row_len)
            .field("token", &self.form.token)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
