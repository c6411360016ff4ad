//! Conversions against the `half` crate and against an exhaustive search.

use half::{bf16, f16};
use nexus_safetensors::{Dtype, can_cast, cast};
use proptest::prelude::*;

fn convert<const A: usize, const B: usize>(
    from: Dtype,
    values: &[[u8; A]],
    to: Dtype,
) -> Vec<[u8; B]> {
    let mut target = vec![0; values.len() * B];
    assert!(cast(from, values.as_flattened(), to, &mut target));
    target.as_chunks().0.to_vec()
}

fn same(ours: f64, theirs: f64) -> bool {
    ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan())
}

#[test]
fn all_16_bit_values_are_widened_and_narrowed_again() {
    let all: Vec<_> = (0..=u16::MAX).map(u16::to_le_bytes).collect();
    let wide: Vec<[u8; 4]> = convert(Dtype::F16, &all, Dtype::F32);
    let wider: Vec<[u8; 8]> = convert(Dtype::BF16, &all, Dtype::F64);
    for (at, bytes) in all.iter().enumerate() {
        let (half, brain) = (f16::from_le_bytes(*bytes), bf16::from_le_bytes(*bytes));
        assert_eq!(
            f32::from_le_bytes(wide[at]).to_bits(),
            half.to_f32().to_bits(),
            "{at:x}"
        );
        assert!(
            same(f64::from_le_bytes(wider[at]), brain.to_f64()),
            "{at:x}"
        );
    }
    let f16_again: Vec<[u8; 2]> = convert(Dtype::F32, &wide, Dtype::F16);
    let bf16_again: Vec<[u8; 2]> = convert(Dtype::F64, &wider, Dtype::BF16);
    for (at, bytes) in all.iter().enumerate() {
        let nan = (
            f16::from_le_bytes(*bytes).is_nan(),
            bf16::from_le_bytes(*bytes).is_nan(),
        );
        let (half, brain) = (
            f16::from_le_bytes(f16_again[at]),
            bf16::from_le_bytes(bf16_again[at]),
        );
        assert!(
            f16_again[at] == *bytes || (nan.0 && half.is_nan()),
            "{at:x}"
        );
        assert!(
            bf16_again[at] == *bytes || (nan.1 && brain.is_nan()),
            "{at:x}"
        );
    }
    let crossed: Vec<[u8; 2]> = convert(Dtype::BF16, &all, Dtype::F16);
    let back: Vec<[u8; 2]> = convert(Dtype::F16, &all, Dtype::BF16);
    for (at, bytes) in all.iter().enumerate() {
        let half = f16::from_f32(bf16::from_le_bytes(*bytes).to_f32());
        assert_eq!(crossed[at], half.to_le_bytes(), "{at:x}");
        let brain = bf16::from_f32(f16::from_le_bytes(*bytes).to_f32());
        assert_eq!(back[at], brain.to_le_bytes(), "{at:x}");
    }
}

/// Every value of the upper bits, with the lower ones at and around the middle.
#[test]
fn f32_is_rounded_as_half_rounds() {
    let lows = [
        0, 1, 0xFFF, 0x1000, 0x1001, 0x1FFF, 0x7FFF, 0x8000, 0x8001, 0xFFFF_u32,
    ];
    for low in lows {
        let all: Vec<_> = (0..=u32::from(u16::MAX))
            .map(|high| (high << 16 | low).to_le_bytes())
            .collect();
        let halves: Vec<[u8; 2]> = convert(Dtype::F32, &all, Dtype::F16);
        let brains: Vec<[u8; 2]> = convert(Dtype::F32, &all, Dtype::BF16);
        for (at, bytes) in all.iter().enumerate() {
            let value = f32::from_le_bytes(*bytes);
            assert_eq!(halves[at], f16::from_f32(value).to_le_bytes(), "{value:e}");
            assert_eq!(brains[at], bf16::from_f32(value).to_le_bytes(), "{value:e}");
        }
    }
}

/// The nearest of all values, and of two as near the one with an even last bit.
fn nearest(value: f64, decode: impl Fn(u16) -> f64, infinity: u16, too_large: f64) -> u16 {
    if value.abs() >= too_large {
        return infinity;
    }
    let (mut low, mut high) = (0, infinity - 1);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if decode(middle) <= value.abs() {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    let (below, above) = (value.abs() - decode(low), decode(low + 1) - value.abs());
    let up = if low + 1 == infinity {
        false
    } else {
        above < below || (above == below && low % 2 == 1)
    };
    low + u16::from(up)
}

fn check_f64(value: f64) {
    let bytes = [value.to_le_bytes()];
    let sign = u16::from(value.is_sign_negative()) << 15;
    let [half]: [[u8; 2]; 1] = convert(Dtype::F64, &bytes, Dtype::F16).try_into().unwrap();
    let expected = nearest(value, |x| f16::from_bits(x).to_f64(), 0x7C00, 65520.0);
    assert_eq!(
        u16::from_le_bytes(half),
        sign | expected,
        "{value:e} as F16"
    );
    let [brain]: [[u8; 2]; 1] = convert(Dtype::F64, &bytes, Dtype::BF16).try_into().unwrap();
    let too_large = f64::from(bf16::MAX) + 2_f64.powi(119);
    let expected = nearest(value, |x| bf16::from_bits(x).to_f64(), 0x7F80, too_large);
    assert_eq!(
        u16::from_le_bytes(brain),
        sign | expected,
        "{value:e} as BF16"
    );
}

proptest! {
    #[test]
    fn f64_is_rounded_once(value in any::<f64>(), scale in -30_i32..20) {
        prop_assume!(!value.is_nan());
        check_f64(value);
        // Around the values that F16 has.
        let mantissa = value.to_bits() & ((1 << 52) - 1);
        check_f64(f64::from_bits(1023 << 52 | mantissa) * 2_f64.powi(scale));
    }

    /// Just beside the middle of two values, where rounding twice goes wrong.
    #[test]
    fn f64_beside_a_tie_is_rounded_once(at in 0_u16..0x7BFF, side in -1_i64..2) {
        for (low, high) in [
            (f16::from_bits(at).to_f64(), f16::from_bits(at + 1).to_f64()),
            (bf16::from_bits(at).to_f64(), bf16::from_bits(at + 1).to_f64()),
        ] {
            let middle = f64::midpoint(low, high);
            check_f64(f64::from_bits(middle.to_bits().wrapping_add_signed(side)));
        }
    }
}

#[test]
fn special_values_stay_what_they_are() {
    for value in [
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        1e-310,
        65519.99,
        65520.0,
    ] {
        check_f64(value);
    }
    for to in [Dtype::F32, Dtype::F16, Dtype::BF16] {
        let mut target = vec![0; to.size_bytes().unwrap()];
        let mut back = [0; 8];
        assert!(cast(Dtype::F64, &f64::NAN.to_le_bytes(), to, &mut target));
        assert!(cast(to, &target, Dtype::F64, &mut back));
        assert!(f64::from_le_bytes(back).is_nan());
    }
}

/// Values of the paper's table 1 (arXiv 2209.05433), and every other one by its formula.
#[test]
fn eight_bit_values_are_those_of_the_paper() {
    let all: Vec<_> = (0..=u8::MAX).map(|byte| [byte]).collect();
    let e4m3: Vec<[u8; 4]> = convert(Dtype::F8_E4M3, &all, Dtype::F32);
    let e5m2: Vec<[u8; 4]> = convert(Dtype::F8_E5M2, &all, Dtype::F32);
    let e4m3 = |byte: u8| f32::from_le_bytes(e4m3[usize::from(byte)]);
    let e5m2 = |byte: u8| f32::from_le_bytes(e5m2[usize::from(byte)]);
    assert_eq!(
        (e4m3(0x7E), e4m3(0x08), e4m3(0x07), e4m3(0x01)),
        (
            448.0,
            2_f32.powi(-6),
            0.875 * 2_f32.powi(-6),
            2_f32.powi(-9)
        )
    );
    assert!(
        e4m3(0x7F).is_nan() && e4m3(0xFF).is_nan() && e4m3(0x80).to_bits() == (-0.0_f32).to_bits()
    );
    assert_eq!(
        (e5m2(0x7B), e5m2(0x04), e5m2(0x03), e5m2(0x01)),
        (
            57344.0,
            2_f32.powi(-14),
            0.75 * 2_f32.powi(-14),
            2_f32.powi(-16)
        )
    );
    assert_eq!((e5m2(0x7C), e5m2(0xFC)), (f32::INFINITY, f32::NEG_INFINITY));
    for byte in 0..=u8::MAX {
        // E5M2 is the upper half of F16.
        let twin = f16::from_bits(u16::from(byte) << 8).to_f32();
        assert!(
            e5m2(byte) == twin || (twin.is_nan() && e5m2(byte).is_nan()),
            "{byte:x}"
        );
        let (exponent, mantissa) = (i32::from(byte >> 3 & 15), f32::from(byte & 7) / 8.0);
        let size = if exponent == 0 {
            mantissa * 2_f32.powi(-6)
        } else {
            (1.0 + mantissa) * 2_f32.powi(exponent - 7)
        };
        let twin = if byte < 128 { size } else { -size };
        assert!(e4m3(byte) == twin || byte & 0x7F == 0x7F, "{byte:x}");
    }
    for to in [Dtype::F16, Dtype::BF16] {
        let narrow: Vec<[u8; 2]> = convert(Dtype::F8_E4M3, &all, to);
        let again: Vec<[u8; 4]> = convert(to, &narrow, Dtype::F32);
        for byte in 0..=u8::MAX {
            let value = f32::from_le_bytes(again[usize::from(byte)]);
            assert!(
                value == e4m3(byte) || value.is_nan() && e4m3(byte).is_nan(),
                "{byte:x}"
            );
        }
    }
}

#[test]
fn what_cannot_be_converted_is_refused() {
    let wide = [Dtype::F64, Dtype::F32, Dtype::F16, Dtype::BF16];
    for from in Dtype::ALL {
        for to in Dtype::ALL {
            let narrow = matches!(from, Dtype::F8_E4M3 | Dtype::F8_E5M2);
            let expected = from == to || wide.contains(&to) && (wide.contains(&from) || narrow);
            assert_eq!(can_cast(from, to), expected, "{from} {to}");
            // 24 elements fill whole bytes of every type.
            let (source, mut target) = (vec![0; 3 * from.bits()], vec![1; 3 * to.bits()]);
            assert_eq!(
                cast(from, &source, to, &mut target),
                expected,
                "{from} {to}"
            );
            assert!(!cast(from, &source, to, &mut vec![0; 3 * to.bits() + 1]));
        }
    }
}
