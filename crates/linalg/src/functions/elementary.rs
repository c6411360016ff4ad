//! Elementary functions of complex numbers, principal values.

use super::C;
use crate::Field;

pub(super) fn argument(z: C) -> f64 {
    z.im.atan2(z.re)
}

pub(super) fn logarithm(z: C) -> C {
    C::new(Field::abs(z).ln(), argument(z))
}

pub(super) fn exponential(z: C) -> C {
    let (sine, cosine) = z.im.sin_cos();
    C::new(cosine, sine) * z.re.exp()
}

pub(super) fn power(z: C, exponent: f64) -> C {
    exponential(logarithm(z) * exponent)
}

/// The hyperbolic sine, exact for small numbers.
pub(super) fn sinh(z: C) -> C {
    let (sine, cosine) = z.im.sin_cos();
    C::new(z.re.sinh() * cosine, z.re.cosh() * sine)
}

/// The square root with a real part that is not negative, by sums without cancellation: N. J. Higham, "Accuracy and
/// Stability of Numerical Algorithms" (2nd ed., 2002), section 1.8. Numbers are far from overflow.
pub(super) fn square_root(z: C) -> C {
    if z == C::default() {
        return z;
    }
    let large = f64::midpoint(z.re.abs(), Field::abs(z)).sqrt();
    let small = z.im.abs() / (2.0 * large);
    if z.re >= 0.0 {
        C::new(large, small.copysign(z.im))
    } else {
        C::new(small, large.copysign(z.im))
    }
}
