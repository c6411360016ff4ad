//! The arithmetic of real items beyond [`Field`].

use crate::Field;
use std::ops::Div;

/// Real item types: `f32` and `f64`.
pub trait Float: Field<Real = Self> + PartialOrd + Div<Output = Self> {
    /// The distance between one and the next larger number.
    const EPSILON: Self;
    /// Infinity.
    const INFINITY: Self;
    /// The greatest finite number.
    const MAX: Self;
    /// Numbers between this one and [`LARGE`](Self::LARGE) are far from overflow, and their squares too.
    #[doc(hidden)]
    const SMALL: Self;
    #[doc(hidden)]
    const LARGE: Self;
    /// The smallest positive number with all its bits.
    const MIN_POSITIVE: Self;

    /// The nearest number.
    fn from_f64(value: f64) -> Self;
    /// The same number.
    fn to_f64(self) -> f64;
    /// The square root.
    #[must_use]
    fn sqrt(self) -> Self;
    /// `self * factor + term`, rounded once.
    #[must_use]
    fn mul_add(self, factor: Self, term: Self) -> Self;
}

macro_rules! float {
    ($type:ident, $small:literal) => {
        impl Float for $type {
            const EPSILON: Self = $type::EPSILON;
            const INFINITY: Self = $type::INFINITY;
            const MAX: Self = $type::MAX;
            const SMALL: Self = $small;
            const LARGE: Self = 1.0 / $small;
            const MIN_POSITIVE: Self = $type::MIN_POSITIVE;

            #[inline]
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            #[inline]
            fn to_f64(self) -> f64 {
                self.into()
            }
            #[inline]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            #[inline]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                self.mul_add(factor, term)
            }
        }
    };
}

float!(f32, 1e-9);
float!(f64, 1e-75);
