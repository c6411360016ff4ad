//! From the blocks of a tensor back to its bytes.

use std::ops::Range;

use super::block::{BLOCK_LEN, ESCAPE, Format, GROUP_LEN, LEVELS, Sections, Symbols};
use super::cascade::{Planes, expand, merge};
use super::isa::Isa;
use crate::SafeTensorError;
use crate::io::{cut, each_with};
use crate::pieces::Pieces;

/// Two bytes a value.
pub(super) const VALUE_SIZE: usize = 2;

/// An entry of the directory: the size of a block.
pub(super) const ENTRY_SIZE: usize = 2;

/// Fewer blocks than this are not worth a thread: 1 MiB.
const BLOCKS_PER_THREAD_MIN: usize = 64;

/// How many bytes of values a thread reads and decodes at a time: few enough to stay in its cache.
const STEP_SIZE: usize = 16 * VALUE_SIZE * BLOCK_LEN;

/// The blocks of one packed tensor, whose sizes add up.
pub(super) struct Blocks<'a> {
    name: &'a str,
    format: Format,
    len: usize,
    payload: Pieces<'a>,
    // Where each block of the payload starts, and where the last one ends.
    starts: Vec<usize>,
}

impl<'a> Blocks<'a> {
    /// Reads the directory of a tensor of `len` values. Takes no memory but for the directory,
    /// which lies in `payload`.
    pub(super) fn read(
        name: &'a str,
        format: Format,
        len: usize,
        payload: Pieces<'a>,
    ) -> Result<Self, SafeTensorError> {
        let refused = |what: String| SafeTensorError::packed(Some(name), what);
        let (count, payload_size) = (len.div_ceil(BLOCK_LEN), payload.size());
        let directory_size = count
            .checked_mul(ENTRY_SIZE)
            .filter(|&size| size <= payload_size)
            .ok_or_else(|| {
                refused(format!(
                    "{payload_size} bytes do not hold the directory of {count} blocks"
                ))
            })?;
        let mut buffer = Vec::new();
        let directory = payload.read(0..directory_size, &mut buffer)?;
        let mut starts = Vec::with_capacity(count + 1);
        let mut end = directory_size;
        starts.push(end);
        for (index, entry) in directory.as_chunks().0.iter().enumerate() {
            let size = usize::from(u16::from_le_bytes(*entry));
            let values = BLOCK_LEN.min(len - index * BLOCK_LEN);
            // So the values take at most twice the memory of the file.
            if !(values..=VALUE_SIZE * values).contains(&size) {
                let what = format!("block {index} of {values} values has {size} bytes");
                return Err(refused(what));
            }
            end += size;
            starts.push(end);
        }
        if end != payload_size {
            let (said, found) = (end - directory_size, payload_size - directory_size);
            let what = format!("blocks of {said} bytes in all are in {found} bytes");
            return Err(refused(what));
        }
        Ok(Self {
            name,
            format,
            len,
            payload,
            starts,
        })
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Decodes some of the values. `target` has two bytes for each.
    pub(super) fn unpack(
        &self,
        values: Range<usize>,
        target: &mut [u8],
        isa: Isa,
        threads: usize,
    ) -> Result<(), SafeTensorError> {
        assert!(values.start <= values.end && values.end <= self.len);
        assert_eq!(target.len(), VALUE_SIZE * values.len());
        let blocks = values.len().div_ceil(BLOCK_LEN);
        let threads = (blocks / BLOCKS_PER_THREAD_MIN).clamp(1, threads);
        // A step ends where a block does.
        let steps = cut(((VALUE_SIZE * values.start) as u64, target), STEP_SIZE);
        let make = || (Scratch::new(isa), Vec::new());
        each_with(steps, threads, make, |(scratch, buffer), (at, part)| {
            let start = at as usize / VALUE_SIZE;
            self.unpack_step(
                start..start + part.len() / VALUE_SIZE,
                part,
                scratch,
                buffer,
            )
        })
    }

    fn unpack_step(
        &self,
        values: Range<usize>,
        target: &mut [u8],
        scratch: &mut Scratch,
        buffer: &mut Vec<u8>,
    ) -> Result<(), SafeTensorError> {
        let indices = values.start / BLOCK_LEN..values.end.div_ceil(BLOCK_LEN);
        let first = self.starts[indices.start];
        let bytes = self.payload.read(first..self.starts[indices.end], buffer)?;
        let (mut start, mut left) = (values.start, target);
        for index in indices {
            let block = index * BLOCK_LEN..self.len.min((index + 1) * BLOCK_LEN);
            let end = block.end.min(values.end);
            let (part, rest) = left.split_at_mut(VALUE_SIZE * (end - start));
            left = rest;
            let bytes = &bytes[self.starts[index] - first..self.starts[index + 1] - first];
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
            .map_err(|what| {
                SafeTensorError::packed(Some(self.name), format!("block {index}: {what}"))
            })?;
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
