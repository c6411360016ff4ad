//! Conversions between floating-point types, rounded to the nearest and, between two, to the even
//! one (IEEE 754, 4.3.1). NaN stays NaN and becomes quiet.

use nexus_tensor::DType;

use crate::io::{each_piece, processors};

/// Elements that a thread converts at a time.
const PIECE_LEN: usize = 1 << 20;

/// Whether elements of one type can be converted to another: between F64, F32, F16 and BF16, from
/// `F8_E4M3` and `F8_E5M2` to these, and from each type to itself.
pub fn can_cast(from: DType, to: DType) -> bool {
    let wide = |dtype| matches!(dtype, DType::F64 | DType::F32 | DType::F16 | DType::BF16);
    let narrow = matches!(from, DType::F8_E4M3 | DType::F8_E5M2);
    from == to || (wide(to) && (wide(from) || narrow))
}

/// Converts little-endian elements; false, and nothing done, where [`can_cast`] says no or the
/// sizes do not fit. Large tensors are shared among threads.
///
/// ```
/// use nexus_safetensors::{Dtype, cast};
///
/// let mut wide = [0; 4];
/// assert!(cast(Dtype::BF16, &[0x80, 0x3F], Dtype::F32, &mut wide));
/// assert_eq!(f32::from_le_bytes(wide), 1.0);
/// ```
pub fn cast(from: DType, source: &[u8], to: DType, target: &mut [u8]) -> bool {
    let (Some(narrow), Some(wide)) = (from.size_bytes(), to.size_bytes()) else {
        return from == to && copied(source, target);
    };
    let count = source.len() / narrow;
    if !can_cast(from, to) || !source.len().is_multiple_of(narrow) || target.len() != count * wide {
        return false;
    }
    let pieces = source.chunks(PIECE_LEN * narrow);
    let pieces = pieces.zip(target.chunks_mut(PIECE_LEN * wide));
    each_piece(
        pieces,
        count.div_ceil(PIECE_LEN).min(processors()),
        |(source, target)| {
            piece(from, source, to, target);
        },
    );
    true
}

fn copied(source: &[u8], target: &mut [u8]) -> bool {
    let fits = source.len() == target.len();
    if fits {
        target.copy_from_slice(source);
    }
    fits
}

fn piece(from: DType, source: &[u8], to: DType, target: &mut [u8]) {
    use DType::{BF16, F8_E4M3, F8_E5M2, F16, F32, F64};
    match (from, to) {
        (BF16, F32) => map(source, target, |x| {
            bf16_to_f32(u16::from_le_bytes(x)).to_le_bytes()
        }),
        (BF16, F64) => map(source, target, |x| {
            f64::from(bf16_to_f32(u16::from_le_bytes(x))).to_le_bytes()
        }),
        (BF16, F16) => map(source, target, |x| {
            f32_to_f16(bf16_to_f32(u16::from_le_bytes(x))).to_le_bytes()
        }),
        (F16, F32) => map(source, target, |x| {
            f16_to_f32(u16::from_le_bytes(x)).to_le_bytes()
        }),
        (F16, F64) => map(source, target, |x| {
            f64::from(f16_to_f32(u16::from_le_bytes(x))).to_le_bytes()
        }),
        (F16, BF16) => map(source, target, |x| {
            f32_to_bf16(f16_to_f32(u16::from_le_bytes(x))).to_le_bytes()
        }),
        (F32, F64) => map(source, target, |x| {
            f64::from(f32::from_le_bytes(x)).to_le_bytes()
        }),
        (F32, F16) => map(source, target, |x| {
            f32_to_f16(f32::from_le_bytes(x)).to_le_bytes()
        }),
        (F32, BF16) => map(source, target, |x| {
            f32_to_bf16(f32::from_le_bytes(x)).to_le_bytes()
        }),
        (F64, F32) => map(source, target, |x| {
            (f64::from_le_bytes(x) as f32).to_le_bytes()
        }),
        (F64, F16) => map(source, target, |x| {
            f32_to_f16(to_odd(f64::from_le_bytes(x))).to_le_bytes()
        }),
        (F64, BF16) => map(source, target, |x| {
            f32_to_bf16(to_odd(f64::from_le_bytes(x))).to_le_bytes()
        }),
        (F8_E4M3, _) => from_table(&E4M3, source, to, target),
        (F8_E5M2, _) => from_table(&E5M2, source, to, target),
        // From a type to itself: `can_cast` has seen to the rest.
        _ => target.copy_from_slice(source),
    }
}

/// Values of an 8-bit type, each of which every wider type holds exactly.
fn from_table(table: &[f32; 256], source: &[u8], to: DType, target: &mut [u8]) {
    let value = |[x]: [u8; 1]| table[usize::from(x)];
    match to {
        DType::F64 => map(source, target, |x| f64::from(value(x)).to_le_bytes()),
        DType::F32 => map(source, target, |x| value(x).to_le_bytes()),
        DType::F16 => map(source, target, |x| f32_to_f16(value(x)).to_le_bytes()),
        DType::BF16 => map(source, target, |x| f32_to_bf16(value(x)).to_le_bytes()),
        _ => target.copy_from_slice(source),
    }
}

#[inline]
fn map<const A: usize, const B: usize>(
    source: &[u8],
    target: &mut [u8],
    convert: impl Fn([u8; A]) -> [u8; B],
) {
    let (source, _) = source.as_chunks::<A>();
    let (target, _) = target.as_chunks_mut::<B>();
    for (target, source) in target.iter_mut().zip(source) {
        *target = convert(*source);
    }
}

#[inline]
fn bf16_to_f32(x: u16) -> f32 {
    let bits = u32::from(x) << 16;
    // A signalling NaN becomes quiet, as the machine's own conversions make it.
    let quiet = if bits & 0x7FFF_FFFF > 0x7F80_0000 {
        1 << 22
    } else {
        0
    };
    f32::from_bits(bits | quiet)
}

#[inline]
fn f32_to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    let even = (bits >> 16) & 1;
    let rounded = bits.wrapping_add(0x7FFF + even) >> 16;
    let nan = (bits >> 16) | 0x40;
    (if x.is_nan() { nan } else { rounded }) as u16
}

#[inline]
fn f16_to_f32(x: u16) -> f32 {
    let sign = u32::from(x & 0x8000) << 16;
    let rest = u32::from(x & 0x7FFF) << 13;
    // The exponent's bias is 112 smaller. A product is exact, also for subnormal numbers.
    let finite = (f32::from_bits(rest) * f32::from_bits((127 + 112) << 23)).to_bits();
    let quiet = if x & 0x7FFF > 0x7C00 { 1 << 22 } else { 0 };
    let other = rest | 0x7F80_0000 | quiet;
    f32::from_bits(sign | if rest < 0x7C00 << 13 { finite } else { other })
}

#[inline]
fn f32_to_f16(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = (bits >> 16) & 0x8000;
    let rest = bits & 0x7FFF_FFFF;
    // Normal results: move the bias and round to the even neighbour of 13 bits less.
    let even = (rest >> 13) & 1;
    let normal = rest.wrapping_sub(112 << 23).wrapping_add(0xFFF + even) >> 13;
    // Subnormal results: the adder rounds them where 0.5 has its last bit.
    let subnormal = (f32::from_bits(rest) + 0.5)
        .to_bits()
        .wrapping_sub(0.5_f32.to_bits());
    let nan = 0x7E00 | ((rest >> 13) & 0x3FF);
    let finite = if rest < 113 << 23 { subnormal } else { normal };
    // 65520 and above round to infinity.
    let number = if rest >= 0x477F_F000 { 0x7C00 } else { finite };
    (sign | if rest > 0x7F80_0000 { nan } else { number }) as u16
}

/// Narrows to an odd last bit where bits are lost, so that a second rounding to fewer bits rounds
/// as one would have ([Boldo and Melquiond](https://doi.org/10.1109/TC.2007.70819)).
#[inline]
fn to_odd(x: f64) -> f32 {
    let near = x as f32;
    let bits = near.to_bits();
    let back = f64::from(near);
    // Towards zero, then odd.
    let cut = bits - u32::from(back.abs() > x.abs());
    let odd = if back == x { bits } else { cut | 1 };
    f32::from_bits(if x.is_nan() { bits } else { odd })
}

const E4M3: [f32; 256] = table(3, 7, false);
const E5M2: [f32; 256] = table(2, 15, true);

/// The values of an 8-bit type with so many bits of mantissa. Where it has infinities they and NaN
/// share the largest exponent; where it has none, only the largest pattern is NaN (`F8_E4M3`).
const fn table(mantissa_bits: u32, bias: i32, infinities: bool) -> [f32; 256] {
    let mut values = [0.0; 256];
    let mut x = 0;
    while x < 256 {
        let mantissa = (x as u32) & ((1 << mantissa_bits) - 1);
        let exponent = ((x as u32) & 0x7F) >> mantissa_bits;
        let top = exponent == 0x7F >> mantissa_bits;
        let full = mantissa == (1 << mantissa_bits) - 1;
        let value = if top && infinities {
            if mantissa == 0 {
                f32::INFINITY
            } else {
                f32::NAN
            }
        } else if top && full {
            f32::NAN
        } else {
            let (significand, power) = if exponent == 0 {
                (mantissa, 1)
            } else {
                (mantissa + (1 << mantissa_bits), exponent as i32)
            };
            let scale = 127 + power - bias - mantissa_bits as i32;
            significand as f32 * f32::from_bits((scale as u32) << 23)
        };
        values[x] = if x < 128 { value } else { -value };
        x += 1;
    }
    values
}
