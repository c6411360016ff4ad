//! Blocks of quantised numbers as floats, by the layouts of [`ggml-common.h`].
//!
//! Each function takes one block and gives one float for each element. Numbers of a few bits lie in
//! planes: byte `i` of a run holds element `i` in its lowest bits, and elements further on above.
//!
//! [`ggml-common.h`]: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h

use half::f16;

/// Writes the elements of one block.
pub(super) type Decode = fn(block: &[u8], out: &mut [f32]);

/// The values that 4 bits stand for in `IQ4_NL` and `IQ4_XS`.
const UNEVEN: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

/// The values of `MXFP4`, doubled: a sign, two bits of exponent, one of mantissa.
const E2M1: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

pub(super) fn q4_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 0);
    for (out, q) in out.iter_mut().zip(nibbles(&block[2..])) {
        *out = scale * (f32::from(q) - 8.0);
    }
}

pub(super) fn q4_1(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block, 0), half(block, 2));
    for (out, q) in out.iter_mut().zip(nibbles(&block[4..])) {
        *out = scale * f32::from(q) + least;
    }
}

pub(super) fn q5_0(block: &[u8], out: &mut [f32]) {
    let (scale, high) = (half(block, 0), &block[2..6]);
    for (at, (out, low)) in out.iter_mut().zip(nibbles(&block[6..])).enumerate() {
        *out = scale * (f32::from(low | bit(high, at) << 4) - 16.0);
    }
}

pub(super) fn q5_1(block: &[u8], out: &mut [f32]) {
    let (scale, least, high) = (half(block, 0), half(block, 2), &block[4..8]);
    for (at, (out, low)) in out.iter_mut().zip(nibbles(&block[8..])).enumerate() {
        *out = scale * f32::from(low | bit(high, at) << 4) + least;
    }
}

pub(super) fn q8_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 0);
    for (out, q) in out.iter_mut().zip(&block[2..]) {
        *out = scale * f32::from(q.cast_signed());
    }
}

/// Groups of 16: 4 bits of scale and 4 of the least value each.
pub(super) fn q2_k(block: &[u8], out: &mut [f32]) {
    let (scales, low) = (&block[..16], &block[16..80]);
    let (scale, least) = (half(block, 80), half(block, 82));
    for (at, out) in out.iter_mut().enumerate() {
        let group = scales[at / 16];
        let (scale, least) = (scale * f32::from(group & 15), least * f32::from(group >> 4));
        *out = scale * f32::from(plane(low, at, 2, 32)) - least;
    }
}

/// Groups of 16 with scales of 6 bits: the low 4 in 8 bytes, the high 2 in the 4 that follow.
pub(super) fn q3_k(block: &[u8], out: &mut [f32]) {
    let (high, low, scales) = (&block[..32], &block[32..96], &block[96..108]);
    let scale = half(block, 108);
    for (at, out) in out.iter_mut().enumerate() {
        let group = at / 16;
        let six = plane(&scales[..8], group, 4, 8) | plane(&scales[8..], group, 2, 4) << 4;
        let scale = scale * (f32::from(six) - 32.0);
        // Without its high bit, a number is 4 less.
        let q = plane(low, at, 2, 32) | plane(high, at, 1, 32) << 2;
        *out = scale * (f32::from(q) - 4.0);
    }
}

pub(super) fn q4_k(block: &[u8], out: &mut [f32]) {
    let low = &block[16..144];
    groups_of_32(block, out, |at| plane(low, at, 4, 32));
}

pub(super) fn q5_k(block: &[u8], out: &mut [f32]) {
    let (high, low) = (&block[16..48], &block[48..176]);
    groups_of_32(block, out, |at| {
        plane(low, at, 4, 32) | plane(high, at, 1, 32) << 4
    });
}

/// Groups of 16 with scales of 8 bits.
pub(super) fn q6_k(block: &[u8], out: &mut [f32]) {
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let scale = half(block, 208);
    for (at, out) in out.iter_mut().enumerate() {
        let scale = scale * f32::from(scales[at / 16].cast_signed());
        let q = plane(low, at, 4, 64) | plane(high, at, 2, 32) << 4;
        *out = scale * (f32::from(q) - 32.0);
    }
}

pub(super) fn iq4_nl(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 0);
    for (out, q) in out.iter_mut().zip(nibbles(&block[2..])) {
        *out = scale * f32::from(UNEVEN[usize::from(q)]);
    }
}

/// Groups of 32 with scales of 6 bits: the high 2 of all in 2 bytes, the low 4 in the 4 that follow.
pub(super) fn iq4_xs(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 0);
    let high = u16::from_le_bytes([block[2], block[3]]);
    let groups = out.chunks_exact_mut(32).zip(block[8..].chunks_exact(16));
    for (at, (out, packed)) in groups.enumerate() {
        let low = block[4 + at / 2] >> (at % 2 * 4) & 15;
        let six = low | ((high >> (2 * at)) as u8 & 3) << 4;
        let scale = scale * (f32::from(six) - 32.0);
        for (out, q) in out.iter_mut().zip(nibbles(packed)) {
            *out = scale * f32::from(UNEVEN[usize::from(q)]);
        }
    }
}

/// The scale is a power of two, halved because [`E2M1`] is doubled.
pub(super) fn mxfp4(block: &[u8], out: &mut [f32]) {
    let scale = match block[0] {
        // Below the normal numbers.
        exponent @ 0..=1 => f32::from_bits(0x0020_0000 << exponent),
        exponent => f32::from_bits(u32::from(exponent - 1) << 23),
    };
    for (out, q) in out.iter_mut().zip(nibbles(&block[1..])) {
        *out = scale * f32::from(E2M1[usize::from(q)]);
    }
}

/// Groups of 32, as `Q4_K` and `Q5_K` have them: two floats, and for each group 6 bits that scale
/// the one and 6 bits that scale the other, which is subtracted.
fn groups_of_32(block: &[u8], out: &mut [f32], number: impl Fn(usize) -> u8) {
    let (scale, least, packed) = (half(block, 0), half(block, 2), &block[4..16]);
    for (at, out) in out.iter_mut().enumerate() {
        let (scale_bits, least_bits) = match at / 32 {
            group @ 0..4 => (packed[group] & 63, packed[group + 4] & 63),
            // The high 2 bits stand above those of the groups before.
            group => (
                packed[group + 4] & 15 | packed[group - 4] >> 6 << 4,
                packed[group + 4] >> 4 | packed[group] >> 6 << 4,
            ),
        };
        let (scale, least) = (scale * f32::from(scale_bits), least * f32::from(least_bits));
        *out = scale * f32::from(number(at)) - least;
    }
}

/// The 16-bit float at byte `at`.
fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The low halves of all bytes, then the high halves.
fn nibbles(packed: &[u8]) -> impl Iterator<Item = u8> {
    let low = packed.iter().map(|byte| byte & 15);
    low.chain(packed.iter().map(|byte| byte >> 4))
}

/// Bit `at` of a little-endian number.
fn bit(bytes: &[u8], at: usize) -> u8 {
    bytes[at / 8] >> (at % 8) & 1
}

/// Number `at` of `width` bits: a run of `run` bytes has the first numbers in its lowest bits, then
/// those that follow in the bits above, and then comes the next run.
fn plane(bytes: &[u8], at: usize, width: usize, run: usize) -> u8 {
    let (level, place) = (at / run, at % run);
    let levels = 8 / width;
    bytes[level / levels * run + place] >> (level % levels * width) & ((1 << width) - 1)
}
