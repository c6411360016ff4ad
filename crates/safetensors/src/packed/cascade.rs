//! The inner loops of the decoder, written for any machine; [`simd`](super::simd) has their twins.
//!
//! Both read and write whole groups of 32 values. `rest` holds the symbols of the values whose
//! digit is 3, in order; the number of those that were used is the result.

use super::block::{BITS_SIZE, BLOCK_LEN, DIGITS_SIZE, GROUP_LEN, Symbols};
use super::isa::{Isa, Level};
#[cfg(target_arch = "x86_64")]
use super::simd;

/// The parts of a block that are stored as they are, a group an item.
#[derive(Clone, Copy)]
pub(super) struct Planes<'a> {
    /// The lower byte of each value.
    pub(super) low: &'a [[u8; GROUP_LEN]],
    /// Two extra bits of each value, for F16; nothing for BF16.
    pub(super) pairs: &'a [[u8; DIGITS_SIZE]],
    /// The third extra bit of each value, for F16; nothing for BF16.
    pub(super) bits: &'a [[u8; BITS_SIZE]],
}

/// The symbols of one level, from its digits and the symbols of the next level.
pub(super) fn expand(
    isa: Isa,
    digits: &[[u8; DIGITS_SIZE]],
    symbols: [u8; 3],
    rest: &Symbols,
    target: &mut Symbols,
) -> usize {
    assert!(digits.len() * GROUP_LEN <= BLOCK_LEN, "a block at most");
    match isa.0 {
        Level::Portable => expand_portable(digits, symbols, rest, target),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => simd::expand(isa, digits, symbols, rest, target),
    }
}

/// The values of a block, from the digits of the first level, `rest` from its `used`-th symbol on,
/// and the planes. Little-endian. The result counts `used` in.
pub(super) fn merge(
    isa: Isa,
    digits: &[[u8; DIGITS_SIZE]],
    symbols: [u8; 3],
    (rest, used): (&Symbols, usize),
    planes: Planes<'_>,
    target: &mut [[u8; 2 * GROUP_LEN]],
) -> usize {
    assert!(
        used + digits.len() * GROUP_LEN <= BLOCK_LEN,
        "a block at most"
    );
    assert!(planes.low.len() == digits.len() && target.len() == digits.len());
    let extra = !planes.pairs.is_empty();
    let extra_len = if extra { digits.len() } else { 0 };
    assert!(planes.pairs.len() == extra_len && planes.bits.len() == extra_len);
    match isa.0 {
        Level::Portable => merge_portable(digits, symbols, (rest, used), planes, target),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => simd::merge(isa, digits, symbols, (rest, used), planes, target),
    }
}

fn expand_portable(
    digits: &[[u8; DIGITS_SIZE]],
    symbols: [u8; 3],
    rest: &Symbols,
    target: &mut Symbols,
) -> usize {
    let mut used = 0;
    for (digits, target) in digits.iter().zip(target.as_chunks_mut().0) {
        *target = group(*digits, symbols, rest, &mut used);
    }
    used
}

fn merge_portable(
    digits: &[[u8; DIGITS_SIZE]],
    symbols: [u8; 3],
    (rest, mut used): (&Symbols, usize),
    planes: Planes<'_>,
    target: &mut [[u8; 2 * GROUP_LEN]],
) -> usize {
    for (at, (digits, target)) in digits.iter().zip(target).enumerate() {
        let mut high = group(*digits, symbols, rest, &mut used);
        if let (Some(pairs), Some(bits)) = (planes.pairs.get(at), planes.bits.get(at)) {
            for (index, (high, pair)) in high.iter_mut().zip(unpack(*pairs)).enumerate() {
                *high |= pair | ((bits[index % BITS_SIZE] >> (index / BITS_SIZE)) & 1) << 2;
            }
        }
        let values = target.as_chunks_mut().0.iter_mut();
        for ((value, low), high) in values.zip(planes.low[at]).zip(high) {
            *value = u16::from_le_bytes([low, high])
                .rotate_right(1)
                .to_le_bytes();
        }
    }
    used
}

/// The symbols of 32 values, without a branch that depends on them.
fn group(
    digits: [u8; DIGITS_SIZE],
    [a, b, c]: [u8; 3],
    rest: &Symbols,
    used: &mut usize,
) -> [u8; GROUP_LEN] {
    let table = u32::from_le_bytes([a, b, c, 0]);
    let word = u64::from_le_bytes(digits);
    let mut symbols = [0; GROUP_LEN];
    let mut next = *used;
    for (index, quarter) in symbols
        .as_chunks_mut::<DIGITS_SIZE>()
        .0
        .iter_mut()
        .enumerate()
    {
        let digits = (word >> (2 * index)) & 0x0303_0303_0303_0303;
        for (place, symbol) in quarter.iter_mut().enumerate() {
            let digit = (digits >> (8 * place)) as u8;
            // All ones where the digit is 3. The masks keep what is inside anyway for the compiler.
            let escaped = u8::wrapping_neg(digit & (digit >> 1));
            *symbol =
                (table >> (8 * u32::from(digit & 3))) as u8 | rest[next % BLOCK_LEN] & escaped;
            next += usize::from(escaped & 1);
        }
    }
    *used = next;
    symbols
}

/// Digit `8 * i + j` of a group is in bits `2 * i` and `2 * i + 1` of byte `j`.
pub(super) fn unpack(digits: [u8; DIGITS_SIZE]) -> [u8; GROUP_LEN] {
    std::array::from_fn(|index| (digits[index % DIGITS_SIZE] >> (2 * (index / DIGITS_SIZE))) & 3)
}
