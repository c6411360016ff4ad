//! From the blocks of a tensor back to its bytes.

use std::num::NonZeroUsize;
use std::ops::Range;

use super::block::{BLOCK_LEN, ESCAPE, Format, GROUP_LEN, LEVELS, Sections, Symbols};
use super::cascade::{Planes, expand, merge};
use super::isa::Isa;

/// Two bytes a value.
pub(super) const VALUE_SIZE: usize = 2;

/// An entry of the directory: the size of a block.
pub(super) const ENTRY_SIZE: usize = 2;

/// Fewer blocks than this are not worth a thread: 1 MiB.
const BLOCKS_PER_THREAD_MIN: usize = 64;

/// The blocks of one packed tensor, whose sizes add up.
pub(super) struct Blocks<'a> {
    format: Format,
    len: usize,
    // Where each block starts, and where the last one ends.
    starts: Vec<usize>,
    body: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// Reads the directory of a tensor of `len` values. Takes no memory but for the directory,
    /// which lies in `payload`.
    pub(super) fn read(format: Format, len: usize, payload: &'a [u8]) -> Result<Self, String> {
        let count = len.div_ceil(BLOCK_LEN);
        let (directory, body) = count
            .checked_mul(ENTRY_SIZE)
            .and_then(|size| payload.split_at_checked(size))
            .ok_or_else(|| {
                let size = payload.len();
                format!("{size} bytes do not hold the directory of {count} blocks")
            })?;
        let mut starts = Vec::with_capacity(count + 1);
        let mut end = 0;
        starts.push(end);
        for (index, entry) in directory.as_chunks().0.iter().enumerate() {
            let size = usize::from(u16::from_le_bytes(*entry));
            let values = BLOCK_LEN.min(len - index * BLOCK_LEN);
            // So the values take at most twice the memory of the file.
            if !(values..=VALUE_SIZE * values).contains(&size) {
                return Err(format!("block {index} of {values} values has {size} bytes"));
            }
            end += size;
            starts.push(end);
        }
        if end != body.len() {
            let size = body.len();
            return Err(format!("blocks of {end} bytes in all are in {size} bytes"));
        }
        Ok(Self {
            format,
            len,
            starts,
            body,
        })
    }

    /// Decodes some of the values. `target` has two bytes for each.
    pub(super) fn unpack(
        &self,
        values: Range<usize>,
        target: &mut [u8],
        isa: Isa,
        threads: NonZeroUsize,
    ) -> Result<(), String> {
        assert!(values.start <= values.end && values.end <= self.len);
        assert_eq!(target.len(), VALUE_SIZE * values.len());
        let blocks = values.len().div_ceil(BLOCK_LEN);
        let threads = (blocks / BLOCKS_PER_THREAD_MIN).clamp(1, threads.get());
        let share = blocks.div_ceil(threads) * BLOCK_LEN;
        std::thread::scope(|scope| {
            let mut shares = Vec::new();
            let (mut start, mut left) = (values.start, target);
            while !left.is_empty() {
                // A share ends where a block does.
                let end = ((start + share) / BLOCK_LEN * BLOCK_LEN).min(values.end);
                let (part, rest) = left.split_at_mut(VALUE_SIZE * (end - start));
                left = rest;
                let range = start..end;
                start = end;
                if left.is_empty() {
                    // The last share is this thread's.
                    self.unpack_here(range, part, isa)?;
                } else {
                    shares.push(scope.spawn(move || self.unpack_here(range, part, isa)));
                }
            }
            shares.into_iter().try_for_each(|share| match share.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }

    fn unpack_here(&self, values: Range<usize>, target: &mut [u8], isa: Isa) -> Result<(), String> {
        let mut scratch = Scratch::new(isa);
        let (mut start, mut left) = (values.start, target);
        while start < values.end {
            let index = start / BLOCK_LEN;
            let first = index * BLOCK_LEN;
            let block = first..self.len.min(first + BLOCK_LEN);
            let end = block.end.min(values.end);
            let (part, rest) = left.split_at_mut(VALUE_SIZE * (end - start));
            left = rest;
            let bytes = &self.body[self.starts[index]..self.starts[index + 1]];
            if part.len() == VALUE_SIZE * block.len() {
                scratch.unpack(self.format, bytes, part)
            } else {
                // Part of a block: all of it is decoded.
                let mut whole = vec![0; VALUE_SIZE * block.len()];
                let inside = VALUE_SIZE * (start - block.start)..VALUE_SIZE * (end - block.start);
                scratch
                    .unpack(self.format, bytes, &mut whole)
                    .map(|()| part.copy_from_slice(&whole[inside]))
            }
            .map_err(|what| format!("block {index}: {what}"))?;
            start = end;
        }
        Ok(())
    }
}

/// Memory for the symbols of two levels, used again for each block.
struct Scratch {
    isa: Isa,
    rest: Box<Symbols>,
    spare: Box<Symbols>,
}

impl Scratch {
    fn new(isa: Isa) -> Self {
        let [rest, spare] = [(); 2].map(|()| Box::new([0; BLOCK_LEN]));
        Self { isa, rest, spare }
    }

    /// Decodes one block, whose values fill `target`.
    fn unpack(
        &mut self,
        format: Format,
        block: &[u8],
        target: &mut [u8],
    ) -> Result<(), &'static str> {
        // Packed blocks are smaller than raw ones.
        if block.len() == target.len() {
            target.copy_from_slice(block);
            return Ok(());
        }
        let sections = Sections::split(format, target.len() / VALUE_SIZE, block)?;
        self.rest[..sections.rest.len()].copy_from_slice(sections.rest);
        for level in (1..LEVELS).rev() {
            let (digits, symbols) = (sections.digits[level], sections.symbols_of(level));
            let used = expand(self.isa, digits, symbols, &self.rest, &mut self.spare);
            agree(used, sections.counts[level + 1])?;
            std::mem::swap(&mut self.rest, &mut self.spare);
        }
        let used = self.merge(&sections, target);
        agree(used, sections.counts[1])
    }

    /// The first level: whole groups in place, the last few values by a group of their own.
    fn merge(&self, sections: &Sections<'_>, target: &mut [u8]) -> usize {
        let (target, target_tail) = target.as_chunks_mut();
        let (low, low_tail) = sections.low.as_chunks();
        let digits = sections.digits[0];
        let (digits, digits_tail) = digits.split_at(target.len());
        let (pairs, pairs_tail) = sections
            .pairs
            .split_at(sections.pairs.len().min(target.len()));
        let (bits, bits_tail) = sections
            .bits
            .split_at(sections.bits.len().min(target.len()));
        let symbols = sections.symbols_of(0);
        let planes = Planes { low, pairs, bits };
        let mut used = 0;
        if !digits.is_empty() {
            used = merge(
                self.isa,
                digits,
                symbols,
                (&self.rest, used),
                planes,
                target,
            );
        }
        if !digits_tail.is_empty() {
            let mut low = [[0; GROUP_LEN]];
            low[0][..low_tail.len()].copy_from_slice(low_tail);
            let planes = Planes {
                low: &low,
                pairs: pairs_tail,
                bits: bits_tail,
            };
            let mut values = [[0; VALUE_SIZE * GROUP_LEN]];
            let rest = (&*self.rest, used);
            used = merge(self.isa, digits_tail, symbols, rest, planes, &mut values);
            target_tail.copy_from_slice(&values[0][..target_tail.len()]);
        }
        used
    }
}

fn agree(used: usize, count: usize) -> Result<(), &'static str> {
    const { assert!(ESCAPE == 3) };
    if used == count {
        Ok(())
    } else {
        Err("a level does not have as many values as the one before it sends there")
    }
}
