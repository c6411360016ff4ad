//! Values of tensors as text, laid out as `NumPy` prints arrays, and as JSON.

use nexus_safetensors::{Dtype, can_cast, cast};
use serde_json::{Value, json};
use std::fmt::Write;

/// How many values are printed at most.
pub(super) const PRINTED_MAX: usize = 10_000;
/// Up to so many values are shown whole.
const COMPLETE_MAX: usize = 1000;
/// How many values stand at either end of an axis that is not shown whole.
const EDGE_LEN: usize = 3;
/// Longer lines are broken.
const LINE_WIDTH: usize = 75;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    /// The shortest number that stands for the value in its type.
    Float(f64),
    Complex(f64, f64),
}

impl Scalar {
    /// Whether values of a type can be shown.
    pub(super) fn is_known(dtype: Dtype) -> bool {
        Self::parse(dtype, &[0; 8][..dtype.bits() / 8]).is_some()
    }

    /// The value of one little-endian element.
    pub(super) fn parse(dtype: Dtype, bytes: &[u8]) -> Option<Self> {
        Some(match dtype {
            Dtype::BOOL => Self::Bool(bytes != [0]),
            Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => Self::Unsigned(unsigned(bytes)),
            Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => {
                // The sign bit goes to the top and comes back with its copies.
                let unused = 64 - dtype.bits();
                Self::Signed((unsigned(bytes) << unused).cast_signed() >> unused)
            }
            Dtype::F64 => Self::Float(f64::from_bits(unsigned(bytes))),
            Dtype::C64 => {
                let (real, imaginary) = bytes.split_at_checked(4)?;
                Self::Complex(
                    shortest(Dtype::F32, real)?,
                    shortest(Dtype::F32, imaginary)?,
                )
            }
            dtype => Self::Float(shortest(dtype, bytes)?),
        })
    }

    fn text(&self) -> String {
        match self {
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Signed(number) => number.to_string(),
            Self::Unsigned(number) => number.to_string(),
            Self::Float(number) => float(*number),
            Self::Complex(real, imaginary) => {
                let sign = if imaginary.is_sign_negative() {
                    '-'
                } else {
                    '+'
                };
                format!("{}{sign}{}j", float(*real), float(imaginary.abs()))
            }
        }
    }

    fn json(&self) -> Value {
        // JSON has no word for what is not finite.
        let number = |number: f64| {
            if number.is_finite() {
                json!(number)
            } else {
                json!(float(number))
            }
        };
        match self {
            Self::Bool(value) => json!(value),
            Self::Signed(value) => json!(value),
            Self::Unsigned(value) => json!(value),
            Self::Float(value) => number(*value),
            Self::Complex(real, imaginary) => json!([number(*real), number(*imaginary)]),
        }
    }
}

fn unsigned(bytes: &[u8]) -> u64 {
    let shifted = bytes.iter().rev();
    shifted.fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn float(number: f64) -> String {
    if number.is_nan() {
        "nan".to_owned()
    } else {
        format!("{number:?}")
    }
}

/// The number of fewest digits that becomes this value in a type of at most 32 bits.
fn shortest(dtype: Dtype, bytes: &[u8]) -> Option<f64> {
    if !can_cast(dtype, Dtype::F32) {
        return None;
    }
    let widened = |bytes: &[u8], from| {
        let mut wide = [0; 4];
        cast(from, bytes, Dtype::F32, &mut wide).then(|| f32::from_le_bytes(wide))
    };
    let value = widened(bytes, dtype)?;
    let narrowed = |number: f64| {
        let mut narrow = [0; 2];
        match dtype {
            Dtype::F16 | Dtype::BF16 => {
                cast(Dtype::F64, &number.to_le_bytes(), dtype, &mut narrow);
                widened(&narrow, dtype)
            }
            // The values of 8 bits have few digits as they are.
            _ => Some(number as f32),
        }
    };
    let candidates = (0..9).filter_map(|digits| format!("{value:.digits$e}").parse::<f64>().ok());
    let mut fitting = candidates.filter(|&number| narrowed(number) == Some(value));
    Some(fitting.next().unwrap_or(f64::from(value)))
}

/// Which indices of an array are shown.
pub(super) struct Table {
    /// For each axis.
    kept: Vec<Vec<usize>>,
    is_complete: bool,
}

impl Table {
    pub(super) fn new(shape: &[usize]) -> Self {
        let is_complete = shape.contains(&0)
            || shape
                .iter()
                .try_fold(1_usize, |count, &len| count.checked_mul(len))
                .is_some_and(|count| count <= COMPLETE_MAX);
        let kept = |&len: &usize| {
            if is_complete && len > COMPLETE_MAX {
                // There is an empty axis: nothing to show.
                Vec::new()
            } else if is_complete || len <= 2 * EDGE_LEN {
                (0..len).collect()
            } else {
                (0..EDGE_LEN).chain(len - EDGE_LEN..len).collect()
            }
        };
        Self {
            kept: shape.iter().map(kept).collect(),
            is_complete,
        }
    }

    /// Whether everything is shown.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// How many values are shown.
    pub(super) fn len(&self) -> usize {
        let lengths = self.kept.iter().map(Vec::len);
        lengths.fold(1, usize::saturating_mul)
    }

    /// The indices of the values shown, last axis fastest.
    pub(super) fn indices(&self) -> impl Iterator<Item = Vec<usize>> {
        (0..self.len()).map(|at| {
            let mut rest = at;
            let mut index: Vec<_> = self
                .kept
                .iter()
                .rev()
                .map(|kept| {
                    let place = kept[rest % kept.len()];
                    rest /= kept.len();
                    place
                })
                .collect();
            index.reverse();
            index
        })
    }

    /// Nested lists.
    pub(super) fn json(&self, scalars: &[Scalar]) -> Value {
        self.nested(0, &mut scalars.iter())
    }

    fn nested<'a>(&self, axis: usize, scalars: &mut impl Iterator<Item = &'a Scalar>) -> Value {
        match self.kept.get(axis) {
            Some(kept) if self.len() > 0 => kept
                .iter()
                .map(|_| self.nested(axis + 1, scalars))
                .collect(),
            Some(_) => Value::Array(Vec::new()),
            None => scalars.next().map_or(Value::Null, Scalar::json),
        }
    }

    /// As `NumPy` prints an array.
    pub(super) fn text(&self, scalars: &[Scalar]) -> String {
        if self.len() == 0 {
            return "[]".to_owned();
        }
        let texts: Vec<_> = scalars.iter().map(Scalar::text).collect();
        let width = texts.iter().map(String::len).max().unwrap_or(0);
        let mut out = String::new();
        self.lay_out(0, width, &mut texts.iter(), &mut out);
        out
    }

    fn lay_out<'a>(
        &self,
        axis: usize,
        width: usize,
        texts: &mut impl Iterator<Item = &'a String>,
        out: &mut String,
    ) {
        let Some(kept) = self.kept.get(axis) else {
            let text = texts.next().map_or("", String::as_str);
            let _ = write!(out, "{text:>width$}");
            return;
        };
        let inner = self.kept.len() - axis - 1;
        let indent = " ".repeat(axis + 1);
        let separate = |out: &mut String, width: usize| {
            let line = out.len() - out.rfind('\n').map_or(0, |at| at + 1);
            if inner > 0 {
                *out += &"\n".repeat(inner);
                *out += &indent;
            } else if line + 1 + width > LINE_WIDTH {
                *out += "\n";
                *out += &indent;
            } else {
                out.push(' ');
            }
        };
        out.push('[');
        for (at, &place) in kept.iter().enumerate() {
            if at > 0 {
                separate(out, width);
                if kept[at - 1] + 1 < place {
                    *out += "...";
                    separate(out, width);
                }
            }
            self.lay_out(axis + 1, width, texts, out);
        }
        out.push(']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_by_the_digits_that_their_type_needs() {
        let cases: [(Dtype, &[u8], &str); 16] = [
            (Dtype::BOOL, &[1], "True"),
            (Dtype::U8, &[255], "255"),
            (Dtype::I8, &[255], "-1"),
            (Dtype::I16, &[0, 128], "-32768"),
            (Dtype::U64, &[255; 8], "18446744073709551615"),
            (Dtype::I64, &[255; 8], "-1"),
            (Dtype::F32, &0.1_f32.to_le_bytes(), "0.1"),
            (
                Dtype::F32,
                &f32::MIN_POSITIVE.to_le_bytes(),
                "1.1754944e-38",
            ),
            (Dtype::F32, &f32::NAN.to_le_bytes(), "nan"),
            (Dtype::F32, &f32::NEG_INFINITY.to_le_bytes(), "-inf"),
            (Dtype::F64, &0.1_f64.to_le_bytes(), "0.1"),
            (Dtype::F16, &[0x66, 0x2E], "0.1"),
            (Dtype::BF16, &[0xCD, 0x3D], "0.1"),
            (Dtype::F16, &[0xFF, 0x7B], "65500.0"),
            (Dtype::F8_E4M3, &[0x7E], "448.0"),
            (Dtype::C64, &[0, 0, 128, 63, 0, 0, 0, 192], "1.0-2.0j"),
        ];
        for (dtype, bytes, expected) in cases {
            let text = Scalar::parse(dtype, bytes).unwrap().text();
            assert_eq!(text, expected, "{dtype} {bytes:?}");
        }
        assert!(!Scalar::is_known(Dtype::F8_E8M0) && !Scalar::is_known(Dtype::F4));
    }

    #[track_caller]
    fn check(shape: &[usize], expected: &str) {
        let table = Table::new(shape);
        let strides = |index: Vec<usize>| index.iter().zip(shape).fold(0, |at, (i, n)| at * n + i);
        let scalars: Vec<_> = table
            .indices()
            .map(|index| Scalar::Unsigned(strides(index) as u64))
            .collect();
        assert_eq!(table.text(&scalars), expected);
    }

    #[test]
    fn arrays_are_laid_out_as_numpy_does() {
        check(&[], "0");
        check(&[0], "[]");
        check(&[3, 0, 1 << 40], "[]");
        check(&[3], "[0 1 2]");
        check(&[2, 6], "[[ 0  1  2  3  4  5]\n [ 6  7  8  9 10 11]]");
        check(&[2, 1, 2], "[[[0 1]]\n\n [[2 3]]]");
        check(&[1001], "[   0    1    2 ...  998  999 1000]");
        check(
            &[1001, 1],
            "[[   0]\n [   1]\n [   2]\n ...\n [ 998]\n [ 999]\n [1000]]",
        );
        let wide = Table::new(&[30]);
        let text = wide.text(&vec![Scalar::Float(0.125); 30]);
        assert_eq!(text.lines().map(str::len).max(), Some(72));
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn json_is_nested_as_the_axes_are() {
        let scalars = [1.0, f64::NAN].map(Scalar::Float);
        assert_eq!(Table::new(&[2, 1]).json(&scalars), json!([[1.0], ["nan"]]));
        assert_eq!(Table::new(&[]).json(&scalars), json!(1.0));
        assert_eq!(Table::new(&[2, 0]).json(&[]), json!([]));
    }
}
