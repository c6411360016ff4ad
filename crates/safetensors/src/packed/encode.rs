//! From the bytes of a tensor to its blocks.
//!
//! The first pass counts symbols, which gives every block's size; the second one writes. So a
//! file's header can be written before the first tensor is packed, and memory holds one tensor.

use std::cmp::Reverse;

use super::block::{
    BITS_SIZE, BLOCK_LEN, DIGITS_SIZE, ESCAPE, Format, GROUP_LEN, HEAD_SIZE, LEVELS, SYMBOLS,
    Symbols,
};
use super::decode::{ENTRY_SIZE, VALUE_SIZE};
use crate::io::{each_piece, each_with};

const BLOCK_SIZE: usize = VALUE_SIZE * BLOCK_LEN;

/// How a block will be packed.
#[derive(Clone, Copy, Default)]
struct BlockPlan {
    symbols: [u8; SYMBOLS],
    counts: [u16; LEVELS + 1],
    size: u16,
}

/// How a tensor will be packed.
pub(super) struct Plan {
    format: Format,
    blocks: Vec<BlockPlan>,
    size: usize,
}

/// How many blocks a thread takes at a time: 1 MiB of values.
const BLOCKS_AT_ONCE: usize = 64;

impl Plan {
    /// Reads the values once.
    pub(super) fn new(format: Format, bytes: &[u8], threads: usize) -> Self {
        let mut blocks = vec![BlockPlan::default(); bytes.len().div_ceil(BLOCK_SIZE)];
        let shares = blocks
            .chunks_mut(BLOCKS_AT_ONCE)
            .zip(bytes.chunks(BLOCKS_AT_ONCE * BLOCK_SIZE));
        each_piece(shares, threads, |(plans, bytes)| {
            for (plan, block) in plans.iter_mut().zip(bytes.chunks(BLOCK_SIZE)) {
                *plan = BlockPlan::new(format, block);
            }
        });
        Self {
            format,
            size: ENTRY_SIZE * blocks.len() + size_of_blocks(&blocks),
            blocks,
        }
    }

    /// The size of the packed tensor.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The packed tensor, or `None` where the values are others than the plan was made for.
    pub(super) fn pack(&self, bytes: &[u8], threads: usize) -> Option<Vec<u8>> {
        let mut packed = vec![0; self.size];
        let (directory, mut body) = packed.split_at_mut(ENTRY_SIZE * self.blocks.len());
        for (entry, block) in directory.as_chunks_mut().0.iter_mut().zip(&self.blocks) {
            *entry = block.size.to_le_bytes();
        }
        let shares = self
            .blocks
            .chunks(BLOCKS_AT_ONCE)
            .zip(bytes.chunks(BLOCKS_AT_ONCE * BLOCK_SIZE))
            .map(|(plans, bytes)| {
                let target;
                (target, body) = std::mem::take(&mut body).split_at_mut(size_of_blocks(plans));
                (plans, bytes, target)
            });
        let make = || Writer::new(self.format);
        let packing = each_with(shares, threads, make, |writer, (plans, bytes, target)| {
            let sound = writer.pack_blocks(plans, bytes, target);
            sound.then_some(()).ok_or(Changed)
        });
        packing.is_ok().then_some(packed)
    }
}

/// The values are others than those that were counted.
struct Changed;

fn size_of_blocks(plans: &[BlockPlan]) -> usize {
    plans.iter().map(|plan| usize::from(plan.size)).sum()
}

impl BlockPlan {
    fn new(format: Format, block: &[u8]) -> Self {
        let counts = count_symbols(format, block);
        let mut ranked: Vec<u8> = (0..=u8::MAX)
            .filter(|&symbol| counts[usize::from(symbol)] > 0)
            .collect();
        // Equal counts keep the order of the symbols: the same values give the same bytes.
        ranked.sort_by_key(|&symbol| Reverse(counts[usize::from(symbol)]));
        // Places that no value needs hold 0.
        let mut symbols = [0; SYMBOLS];
        for (place, &symbol) in symbols.iter_mut().zip(&ranked) {
            *place = symbol;
        }
        let len = block.len() / VALUE_SIZE;
        let mut left = [len; LEVELS + 1];
        for level in 0..LEVELS {
            let at = level * usize::from(ESCAPE);
            let named = ranked.iter().skip(at).take(usize::from(ESCAPE));
            let named: u32 = named.map(|&symbol| counts[usize::from(symbol)]).sum();
            left[level + 1] = left[level] - named as usize;
        }
        // A raw block is known by its size, so a packed one is smaller.
        let size = format.block_size(&left).min(block.len());
        Self {
            symbols,
            counts: left.map(|count| count as u16),
            size: size as u16,
        }
    }
}

/// How often each symbol occurs. Four counters each, so that equal neighbours need not wait for
/// each other.
fn count_symbols(format: Format, block: &[u8]) -> [u32; 256] {
    let mut counts = [[0_u32; 256]; 4];
    let (fours, rest) = block.as_chunks::<{ 4 * VALUE_SIZE }>();
    for four in fours {
        let values = u64::from_le_bytes(*four);
        for (lane, counts) in counts.iter_mut().enumerate() {
            counts[usize::from(high_of((values >> (16 * lane)) as u16))] += 1;
        }
    }
    for value in rest.as_chunks().0 {
        counts[0][usize::from(high_of(u16::from_le_bytes(*value)))] += 1;
    }
    let mask = format.symbol_mask();
    let mut sums = [0; 256];
    for high in 0..=u8::MAX {
        let count: u32 = counts.iter().map(|counts| counts[usize::from(high)]).sum();
        sums[usize::from(high & mask)] += count;
    }
    sums
}

/// The upper byte of a value once it is rotated.
fn high_of(value: u16) -> u8 {
    (value >> 7) as u8
}

/// Memory for the symbols of two levels, used again for each block.
struct Writer {
    format: Format,
    symbols: Box<Symbols>,
    rest: Box<Symbols>,
}

impl Writer {
    fn new(format: Format) -> Self {
        let [symbols, rest] = [(); 2].map(|()| Box::new([0; BLOCK_LEN]));
        Self {
            format,
            symbols,
            rest,
        }
    }

    fn pack_blocks(&mut self, plans: &[BlockPlan], bytes: &[u8], mut target: &mut [u8]) -> bool {
        plans
            .iter()
            .zip(bytes.chunks(BLOCK_SIZE))
            .all(|(plan, block)| {
                let part;
                (part, target) = std::mem::take(&mut target).split_at_mut(usize::from(plan.size));
                self.pack(plan, block, part)
            })
    }

    /// Writes one block; `false` where the values are others than the plan was made for.
    fn pack(&mut self, plan: &BlockPlan, block: &[u8], target: &mut [u8]) -> bool {
        if target.len() == block.len() {
            target.copy_from_slice(block);
            return true;
        }
        let (head, body) = target.split_at_mut(HEAD_SIZE);
        head[..SYMBOLS].copy_from_slice(&plan.symbols);
        let counts = head[SYMBOLS..].as_chunks_mut().0.iter_mut();
        for (bytes, count) in counts.zip(&plan.counts[1..]) {
            *bytes = count.to_le_bytes();
        }
        let mut left = self.write_planes(block, body);
        let symbols = plan.symbols.as_chunks::<{ ESCAPE as usize }>().0;
        for (level, symbols) in symbols.iter().enumerate() {
            let len = usize::from(plan.counts[level]);
            let digits;
            let size = len.div_ceil(GROUP_LEN) * DIGITS_SIZE;
            (digits, left) = left.split_at_mut(size);
            let sent_on = self.write_level(&digits_of(symbols), len, digits);
            if sent_on != usize::from(plan.counts[level + 1]) {
                return false;
            }
        }
        left.copy_from_slice(&self.symbols[..left.len()]);
        true
    }

    /// Writes what is stored as it is, keeps the symbols, and gives what is left of the target.
    fn write_planes<'t>(&mut self, block: &[u8], target: &'t mut [u8]) -> &'t mut [u8] {
        let len = block.len() / VALUE_SIZE;
        let (low, left) = target.split_at_mut(len);
        let values = block.as_chunks().0.iter();
        for ((value, low), high) in values.zip(low).zip(self.symbols.iter_mut()) {
            [*low, *high] = u16::from_le_bytes(*value).rotate_left(1).to_le_bytes();
        }
        match self.format {
            Format::Bf16 => left,
            Format::F16 => self.write_extra(len, left),
        }
    }

    /// Moves the three extra bits of each symbol to planes of their own.
    fn write_extra<'t>(&mut self, len: usize, target: &'t mut [u8]) -> &'t mut [u8] {
        let groups = len.div_ceil(GROUP_LEN);
        let (pairs, left) = target.split_at_mut(groups * DIGITS_SIZE);
        let (bits, left) = left.split_at_mut(groups * BITS_SIZE);
        self.symbols[len..(groups * GROUP_LEN).max(len)].fill(0);
        let planes = pairs
            .as_chunks_mut()
            .0
            .iter_mut()
            .zip(bits.as_chunks_mut().0);
        for (symbols, (pairs, bits)) in self.symbols.as_chunks_mut().0.iter_mut().zip(planes) {
            *pairs = pack_digits(symbols);
            *bits = [0; BITS_SIZE];
            for (index, symbol) in symbols.iter_mut().enumerate() {
                bits[index % BITS_SIZE] |= (*symbol >> 2 & 1) << (index / BITS_SIZE);
                *symbol &= Format::F16.symbol_mask();
            }
        }
        left
    }

    /// Writes the digits of the first `len` symbols and keeps those that go to the next level,
    /// whose number is the result.
    fn write_level(&mut self, digit_of: &[u8; 256], len: usize, target: &mut [u8]) -> usize {
        let (symbols, rest) = (&self.symbols[..len], &mut *self.rest);
        let mut count = 0;
        for (symbols, target) in symbols.chunks(GROUP_LEN).zip(target.as_chunks_mut().0) {
            let mut digits = [0; GROUP_LEN];
            for (&symbol, place) in symbols.iter().zip(&mut digits) {
                let digit = digit_of[usize::from(symbol)];
                *place = digit;
                // Overwritten by the next one unless it counts. Never more than a block: `%` is for
                // the compiler.
                rest[count % BLOCK_LEN] = symbol;
                count += usize::from(digit == ESCAPE);
            }
            *target = pack_digits(&digits);
        }
        std::mem::swap(&mut self.symbols, &mut self.rest);
        count
    }
}

/// The digit of each symbol in a level whose symbols are these.
fn digits_of(symbols: &[u8]) -> [u8; 256] {
    let mut digits = [ESCAPE; 256];
    // From the back: of equal symbols, which are those that fill the list, the first one counts.
    for (digit, symbol) in symbols.iter().enumerate().rev() {
        digits[usize::from(*symbol)] = digit as u8;
    }
    digits
}

/// Digit `8 * i + j` goes to bits `2 * i` and `2 * i + 1` of byte `j`. Takes the lower two bits.
fn pack_digits(group: &[u8; GROUP_LEN]) -> [u8; DIGITS_SIZE] {
    let mut word = 0;
    for (index, digits) in group.as_chunks().0.iter().enumerate() {
        word |= (u64::from_le_bytes(*digits) & 0x0303_0303_0303_0303) << (2 * index);
    }
    word.to_le_bytes()
}
