//! The arithmetic that operations need of their items, real or complex.

use crate::dense::simd::Leaf;
use crate::dense::tiny::Tiny;
use crate::engine::Scalar;
use crate::workspace::Room;
use crate::{Complex, Context, Float, MatMut, MatRef};
use std::fmt::{Debug, Display};
use std::ops::{Add, Mul, Neg, Sub};

/// Whether a product takes an operand as it is, or each of its items conjugated. Real items are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conj {
    /// As it is.
    No,
    /// Conjugated.
    Yes,
}

/// Item types: `f32`, `f64`, and [`Complex`] numbers of these.
///
/// Zero is [`Default::default`].
pub trait Field:
    Copy
    + Debug
    + Default
    + Display
    + PartialEq
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + Leaf
    + Tiny
    + 'static
{
    /// The type of parts and absolute values.
    type Real: Float;
    /// The type of eigenvalues.
    type Complex: Field<Real = Self::Real, Complex = Self::Complex> + From<Complex<Self::Real>>;

    /// Whether items have imaginary parts.
    const IS_COMPLEX: bool;
    /// The number one.
    const ONE: Self;
    /// No number, in both parts.
    const NAN: Self;

    /// A number without an imaginary part.
    fn from_real(value: Self::Real) -> Self;
    /// The number with these parts; a real type drops the second one.
    fn from_parts(re: Self::Real, im: Self::Real) -> Self;
    /// The same number.
    fn to_complex(self) -> Self::Complex;
    /// The real part.
    fn re(self) -> Self::Real;
    /// The imaginary part; zero for a real type.
    fn im(self) -> Self::Real;
    /// The complex conjugate.
    #[must_use]
    fn conj(self) -> Self;
    /// The absolute value, which overflows only where it is too large itself.
    fn abs(self) -> Self::Real;
    /// The sum of the absolute values of the parts: what elimination compares, as LAPACK does.
    fn abs1(self) -> Self::Real;
    /// The product with a real number.
    #[must_use]
    fn scale(self, factor: Self::Real) -> Self;
    /// The quotient by a real number.
    #[must_use]
    fn shrink(self, divisor: Self::Real) -> Self;
    /// The quotient, by R. L. Smith, "Algorithm 116: complex division" (1962), whose steps overflow only where
    /// the quotient nearly does.
    #[must_use]
    fn divide(self, divisor: Self) -> Self;
    /// Neither part is infinite or NaN.
    fn is_finite(self) -> bool;
    /// A part is NaN.
    fn is_nan(self) -> bool;

    /// Calls `f` with that many items of any value.
    #[doc(hidden)]
    fn with_items<R>(len: usize, f: impl FnOnce(&mut [Self]) -> R) -> R;

    /// `c = alpha * a * b + beta * c`, for shapes that fit.
    #[doc(hidden)]
    fn gemm(
        context: Context,
        alpha: Self,
        a: (MatRef<'_, Self>, Conj),
        b: (MatRef<'_, Self>, Conj),
        beta: Self,
        c: MatMut<'_, Self>,
    );
}

macro_rules! real {
    ($type:ident) => {
        impl Field for $type {
            type Real = Self;
            type Complex = Complex<Self>;

            const IS_COMPLEX: bool = false;
            const ONE: Self = 1.0;
            const NAN: Self = $type::NAN;

            #[inline]
            fn from_real(value: Self) -> Self {
                value
            }
            #[inline]
            fn from_parts(re: Self, _: Self) -> Self {
                re
            }
            #[inline]
            fn to_complex(self) -> Complex<Self> {
                Complex::new(self, 0.0)
            }
            #[inline]
            fn re(self) -> Self {
                self
            }
            #[inline]
            fn im(self) -> Self {
                0.0
            }
            #[inline]
            fn conj(self) -> Self {
                self
            }
            #[inline]
            fn abs(self) -> Self {
                self.abs()
            }
            #[inline]
            fn abs1(self) -> Self {
                self.abs()
            }
            #[inline]
            fn scale(self, factor: Self) -> Self {
                self * factor
            }
            #[inline]
            fn shrink(self, divisor: Self) -> Self {
                self / divisor
            }
            #[inline]
            fn divide(self, divisor: Self) -> Self {
                self / divisor
            }
            #[inline]
            fn is_finite(self) -> bool {
                self.is_finite()
            }
            #[inline]
            fn is_nan(self) -> bool {
                self.is_nan()
            }
            fn with_items<R>(len: usize, f: impl FnOnce(&mut [Self]) -> R) -> R {
                Scalar::with_spare(len, f)
            }
            fn gemm(
                context: Context,
                alpha: Self,
                (a, _): (MatRef<'_, Self>, Conj),
                (b, _): (MatRef<'_, Self>, Conj),
                beta: Self,
                c: MatMut<'_, Self>,
            ) {
                context.real_gemm(alpha, a, b, beta, c);
            }
        }
    };
}

real!(f32);
real!(f64);

macro_rules! complex {
    ($type:ident) => {
        impl Field for Complex<$type> {
            type Real = $type;
            type Complex = Self;

            const IS_COMPLEX: bool = true;
            const ONE: Self = Self::new(1.0, 0.0);
            const NAN: Self = Self::new($type::NAN, $type::NAN);

            #[inline]
            fn from_real(value: $type) -> Self {
                Self::new(value, 0.0)
            }
            #[inline]
            fn from_parts(re: $type, im: $type) -> Self {
                Self::new(re, im)
            }
            #[inline]
            fn to_complex(self) -> Self {
                self
            }
            #[inline]
            fn re(self) -> $type {
                self.re
            }
            #[inline]
            fn im(self) -> $type {
                self.im
            }
            #[inline]
            fn conj(self) -> Self {
                Self::new(self.re, -self.im)
            }
            #[inline]
            fn abs(self) -> $type {
                self.re.hypot(self.im)
            }
            #[inline]
            fn abs1(self) -> $type {
                self.re.abs() + self.im.abs()
            }
            #[inline]
            fn scale(self, factor: $type) -> Self {
                Self::new(self.re * factor, self.im * factor)
            }
            #[inline]
            fn shrink(self, divisor: $type) -> Self {
                Self::new(self.re / divisor, self.im / divisor)
            }
            #[inline]
            fn divide(self, divisor: Self) -> Self {
                if divisor.im == 0.0 {
                    return Self::new(self.re / divisor.re, self.im / divisor.re);
                }
                if divisor.re.abs() >= divisor.im.abs() {
                    let ratio = divisor.im / divisor.re;
                    let size = divisor.re + divisor.im * ratio;
                    Self::new(
                        (self.re + self.im * ratio) / size,
                        (self.im - self.re * ratio) / size,
                    )
                } else {
                    let ratio = divisor.re / divisor.im;
                    let size = divisor.re * ratio + divisor.im;
                    Self::new(
                        (self.re * ratio + self.im) / size,
                        (self.im * ratio - self.re) / size,
                    )
                }
            }
            #[inline]
            fn is_finite(self) -> bool {
                self.re.is_finite() && self.im.is_finite()
            }
            #[inline]
            fn is_nan(self) -> bool {
                self.re.is_nan() || self.im.is_nan()
            }
            fn with_items<R>(len: usize, f: impl FnOnce(&mut [Self]) -> R) -> R {
                f(&mut Room::filled(Self::default(), len))
            }
            fn gemm(
                context: Context,
                alpha: Self,
                a: (MatRef<'_, Self>, Conj),
                b: (MatRef<'_, Self>, Conj),
                beta: Self,
                c: MatMut<'_, Self>,
            ) {
                crate::complex::gemm(context, alpha, a, b, beta, c);
            }
        }
    };
}

complex!(f32);
complex!(f64);

/// A number that is not zero divided by its absolute value: its sign.
#[inline]
pub(crate) fn unit<T: Field>(value: T) -> T {
    if T::IS_COMPLEX {
        // Of a number whose largest part is one, so that nothing overflows or vanishes.
        let value = value.shrink(largest_part(value));
        value.shrink(value.abs())
    } else if value.re() < T::Real::default() {
        -T::ONE
    } else {
        T::ONE
    }
}

/// The larger of the absolute values of the parts.
#[inline]
pub(crate) fn largest_part<T: Field>(value: T) -> T::Real {
    let (re, im) = (value.re().abs(), value.im().abs());
    if im > re { im } else { re }
}
