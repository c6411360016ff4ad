//! The work of making checksums: piece by piece, shared among threads.

use std::cmp::Reverse;
use std::num::NonZeroUsize;
use std::ops::Range;

use blake3::hazmat::{self, ChainingValue, HasherExt, Mode};
use xxhash_rust::xxh3::Xxh3;

use super::Checksum;
use crate::SafeTensorError;
use crate::cancel::Cancel;
use crate::io::{each, threads_or_all};
use crate::pieces::Pieces;

/// How many bytes are read and hashed at a time: few enough to stay in a processor's cache.
const STEP_SIZE: usize = 256 << 10;

/// Larger tensors are shared among threads where the algorithm allows it: 16 MiB.
const SHARED_SIZE_MIN: usize = 16 << 20;

/// How checksums are made.
pub(super) struct Hashing {
    algorithm: Checksum,
    threads: usize,
    cancel: Cancel,
}

/// Makes the checksum of the bytes of one tensor.
type Hashed<'a> = &'a (dyn Fn(&Pieces<'_>) -> Result<String, SafeTensorError> + Sync);

impl Hashing {
    pub(super) fn new(algorithm: Checksum, threads: Option<NonZeroUsize>, cancel: Cancel) -> Self {
        Self {
            algorithm,
            threads: threads_or_all(threads),
            cancel,
        }
    }

    /// The checksums of tensors of these sizes, in the order given. `open` is asked for the bytes of
    /// each by its number.
    pub(super) fn all(
        &self,
        sizes: &[usize],
        open: impl Fn(usize, Hashed<'_>) -> Result<String, SafeTensorError> + Sync,
    ) -> Result<Vec<String>, SafeTensorError> {
        let mut sums = vec![String::new(); sizes.len()];
        let mut order: Vec<_> = sums.iter_mut().enumerate().collect();
        // Large ones first, so that no thread is left with one at the end.
        order.sort_by_key(|(at, _)| Reverse(sizes[*at]));
        let shared = match self.algorithm {
            Checksum::Xxh3 => 0,
            Checksum::Blake3 => order.partition_point(|(at, _)| sizes[*at] >= SHARED_SIZE_MIN),
        };
        let alone = order.split_off(shared);
        for (at, sum) in order {
            *sum = open(at, &|pieces| self.blake3_shared(pieces))?;
        }
        let threads = self.threads.min(alone.len());
        each(alone.into_iter(), threads, |(at, sum)| {
            *sum = open(at, &|pieces| self.sum(pieces))?;
            Ok::<(), SafeTensorError>(())
        })?;
        Ok(sums)
    }

    fn sum(&self, pieces: &Pieces<'_>) -> Result<String, SafeTensorError> {
        let all = 0..pieces.size();
        match self.algorithm {
            Checksum::Xxh3 => {
                let mut hasher = Xxh3::new();
                self.feed(pieces, all, |bytes| hasher.update(bytes))?;
                Ok(format!("{:016x}", hasher.digest()))
            }
            Checksum::Blake3 => {
                let mut hasher = blake3::Hasher::new();
                self.feed(pieces, all, |bytes| {
                    hasher.update(bytes);
                })?;
                Ok(hasher.finalize().to_hex().to_string())
            }
        }
    }

    /// Takes the bytes at `range` one step after the other.
    fn feed(
        &self,
        pieces: &Pieces<'_>,
        range: Range<usize>,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), SafeTensorError> {
        let mut buffer = Vec::new();
        for start in range.clone().step_by(STEP_SIZE) {
            self.cancel.check()?;
            let end = range.end.min(start.saturating_add(STEP_SIZE));
            take(pieces.read(start..end, &mut buffer)?);
        }
        Ok(())
    }

    /// The checksum of more bytes than one chunk, by all threads.
    fn blake3_shared(&self, pieces: &Pieces<'_>) -> Result<String, SafeTensorError> {
        let (left, right) = self.halves(pieces, 0..pieces.size(), self.threads)?;
        let root = hazmat::merge_subtrees_root(&left, &right, Mode::Hash);
        Ok(root.to_hex().to_string())
    }

    /// The two subtrees that BLAKE3 joins for these bytes, which are more than one chunk.
    fn halves(
        &self,
        pieces: &Pieces<'_>,
        range: Range<usize>,
        threads: usize,
    ) -> Result<(ChainingValue, ChainingValue), SafeTensorError> {
        let left_size = hazmat::left_subtree_len(range.len() as u64) as usize;
        let middle = range.start + left_size;
        let mut values = [ChainingValue::default(); 2];
        let [left, right] = &mut values;
        let halves = [
            (left, range.start..middle, threads / 2),
            (right, middle..range.end, threads - threads / 2),
        ];
        each(
            halves.into_iter(),
            threads.min(2),
            |(value, range, threads)| {
                *value = self.subtree(pieces, range, threads)?;
                Ok::<(), SafeTensorError>(())
            },
        )?;
        let [left, right] = values;
        Ok((left, right))
    }

    fn subtree(
        &self,
        pieces: &Pieces<'_>,
        range: Range<usize>,
        threads: usize,
    ) -> Result<ChainingValue, SafeTensorError> {
        if threads < 2 || range.len() < SHARED_SIZE_MIN {
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset(range.start as u64);
            self.feed(pieces, range, |bytes| {
                hasher.update(bytes);
            })?;
            return Ok(hasher.finalize_non_root());
        }
        let (left, right) = self.halves(pieces, range, threads)?;
        Ok(hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash))
    }
}
