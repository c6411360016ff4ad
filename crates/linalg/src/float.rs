//! The arithmetic that decompositions need beside products.

use crate::Scalar;
use std::fmt::Display;
use std::ops::{Div, Neg, Sub};

/// Real item types: `f32` and `f64`.
pub trait Float:
    Scalar + PartialOrd + Display + Sub<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The distance between one and the next larger number.
    const EPSILON: Self;
    /// The greatest finite number.
    const MAX: Self;
    /// The smallest positive number with all its bits.
    const MIN_POSITIVE: Self;
    /// No number.
    const NAN: Self;

    /// The nearest number.
    fn from_f64(value: f64) -> Self;
    /// The same number.
    fn to_f64(self) -> f64;
    /// Without its sign.
    #[must_use]
    fn abs(self) -> Self;
    /// The square root.
    #[must_use]
    fn sqrt(self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// NaN.
    fn is_nan(self) -> bool;
}

macro_rules! float {
    ($type:ident) => {
        impl Float for $type {
            const EPSILON: Self = $type::EPSILON;
            const MAX: Self = $type::MAX;
            const MIN_POSITIVE: Self = $type::MIN_POSITIVE;
            const NAN: Self = $type::NAN;

            #[inline]
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            #[inline]
            fn to_f64(self) -> f64 {
                self.into()
            }
            #[inline]
            fn abs(self) -> Self {
                self.abs()
            }
            #[inline]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            #[inline]
            fn is_finite(self) -> bool {
                self.is_finite()
            }
            #[inline]
            fn is_nan(self) -> bool {
                self.is_nan()
            }
        }
    };
}

float!(f32);
float!(f64);
