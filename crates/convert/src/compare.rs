//! How much two tensors of one type and shape differ.

use half::{bf16, f16};
use nexus_tensor::DType;

/// What [`compare`] finds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// How many elements differ. Two NaNs are equal, and so are the two zeros of a float type of 16
    /// bits or more; other types are compared by their bytes.
    pub count: usize,
    /// The largest absolute difference of two elements, for floats of 16 bits or more; infinite or
    /// NaN where one of the two is.
    pub max_abs: Option<f64>,
}

impl Difference {
    /// What is found of two parts of a tensor together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let largest = match (self.max_abs, other.max_abs) {
            (Some(a), Some(b)) => Some(larger(a, b)),
            (a, b) => a.or(b),
        };
        Self {
            count: self.count + other.count,
            max_abs: largest,
        }
    }
}

/// The larger distance; NaN is larger than any.
fn larger(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}

/// Compares the bytes of two tensors of type `dtype`. Equal bytes cost one pass, others one pass
/// more; nothing is allocated. Elements smaller than a byte are counted by bytes.
///
/// ```
/// use nexus_convert::compare;
/// use nexus_safetensors::Dtype;
///
/// let (a, b) = (1.0_f32.to_le_bytes(), 1.5_f32.to_le_bytes());
/// let difference = compare(Dtype::F32, &a, &b);
/// assert_eq!((difference.count, difference.max_abs), (1, Some(0.5)));
/// ```
///
/// # Panics
/// When the sizes differ.
pub fn compare(dtype: DType, a: &[u8], b: &[u8]) -> Difference {
    assert_eq!(
        a.len(),
        b.len(),
        "tensors of one type and shape have one size"
    );
    if a == b {
        return Difference::default();
    }
    match dtype {
        DType::F64 => floats(a, b, f64::from_le_bytes),
        DType::F32 => floats(a, b, |bytes| f32::from_le_bytes(bytes).into()),
        DType::F16 => floats(a, b, |bytes| f16::from_le_bytes(bytes).into()),
        DType::BF16 => floats(a, b, |bytes| bf16::from_le_bytes(bytes).into()),
        dtype => {
            let size = dtype.size_bytes().unwrap_or(1);
            let pairs = a.chunks_exact(size).zip(b.chunks_exact(size));
            Difference {
                count: pairs.filter(|(a, b)| a != b).count(),
                max_abs: None,
            }
        }
    }
}

fn floats<const N: usize>(a: &[u8], b: &[u8], parse: fn([u8; N]) -> f64) -> Difference {
    let (mut count, mut max_abs) = (0, None);
    let (a, b) = (a.as_chunks::<N>().0, b.as_chunks::<N>().0);
    for (a, b) in a.iter().zip(b).filter(|(a, b)| a != b) {
        let (a, b) = (parse(*a), parse(*b));
        if a == b || (a.is_nan() && b.is_nan()) {
            continue;
        }
        count += 1;
        let distance = (a - b).abs();
        max_abs = Some(larger(max_abs.unwrap_or(distance), distance));
    }
    Difference { count, max_abs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &[f32], b: &[f32], expected: (usize, Option<f64>)) {
        let bytes = |numbers: &[f32]| {
            numbers
                .iter()
                .flat_map(|n| n.to_le_bytes())
                .collect::<Vec<_>>()
        };
        let Difference { count, max_abs } = compare(DType::F32, &bytes(a), &bytes(b));
        assert_eq!(count, expected.0);
        assert_eq!(max_abs.map(f64::to_bits), expected.1.map(f64::to_bits));
    }

    #[test]
    fn floats_are_compared_as_numbers() {
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        check(&[1.0, 2.0], &[1.0, 2.0], (0, None));
        check(&[0.0, nan], &[-0.0, -nan], (0, None));
        check(&[1.0, 2.0, 3.0], &[1.5, 2.0, 2.0], (2, Some(1.0)));
        check(&[1.0, 5.0], &[infinity, 0.0], (2, Some(f64::INFINITY)));
    }

    #[test]
    fn a_nan_against_a_number_makes_the_distance_nan() {
        let a = [f32::NAN, 1.0].map(f32::to_le_bytes).concat();
        let b = [0.0_f32, 9.0].map(f32::to_le_bytes).concat();
        let difference = compare(DType::F32, &a, &b);
        assert_eq!(difference.count, 2);
        assert!(difference.max_abs.unwrap().is_nan());
    }

    #[test]
    fn parts_of_a_tensor_differ_as_the_whole_does() {
        let (a, b) = (
            [1.0_f32, 2.0, f32::NAN, 4.0, 0.0],
            [1.5_f32, 4.0, 1.0, 4.0, -0.0],
        );
        let bytes = |numbers: &[f32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let (a, b): (Vec<u8>, Vec<u8>) = (bytes(&a), bytes(&b));
        for cut in [0, 4, 8, 12, 16, 20] {
            for end in [8, 20] {
                let (cut, whole) = (cut.min(end), compare(DType::F32, &a[..end], &b[..end]));
                let parts = compare(DType::F32, &a[..cut], &b[..cut]).and(compare(
                    DType::F32,
                    &a[cut..end],
                    &b[cut..end],
                ));
                assert_eq!(parts.count, whole.count);
                assert_eq!(
                    parts.max_abs.map(f64::to_bits),
                    whole.max_abs.map(f64::to_bits)
                );
            }
        }
    }

    #[test]
    fn other_types_are_compared_by_their_bytes() {
        let expected = Difference {
            count: 1,
            max_abs: None,
        };
        assert_eq!(compare(DType::I16, &[1, 0, 2, 0], &[1, 0, 2, 1]), expected);
    }
}
