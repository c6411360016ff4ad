//! Products of pivots, which leave the range of their type only where the determinant itself does.

use crate::{Field, Float};

/// What numbers are scaled by, as a power of two: no bit is lost.
const STEP: i32 = 24;

/// The product of `sign` and the pivots. It has the bits of the plain product where that stays in range, and parts
/// of a complex one that overflow become infinities.
pub(super) fn determinant<T: Field>(sign: T, pivots: impl Iterator<Item = T>) -> T {
    let (product, exponent) = pivots.fold((sign, 0), |(product, exponent), pivot| {
        let (pivot, own) = centred(pivot);
        let (product, change) = centred(product * pivot);
        (product, exponent + own + change)
    });
    scaled(product, exponent)
}

/// The number times a power of two, so that products of two stay in range, and how many steps it was scaled down.
fn centred<T: Field>(mut x: T) -> (T, i64) {
    let mut steps = 0;
    if !x.is_finite() || x == T::default() {
        return (x, steps);
    }
    while largest_part(x) > T::Real::LARGE {
        x = x.scale(power(-STEP));
        steps += 1;
    }
    while largest_part(x) < T::Real::SMALL {
        x = x.scale(power(STEP));
        steps -= 1;
    }
    (x, steps)
}

/// The number scaled up by so many steps, with one rounding.
fn scaled<T: Field>(mut x: T, steps: i64) -> T {
    // So many take each number to infinity, or to zero.
    const STEPS_MAX: i64 = 200;
    let mut steps = steps.clamp(-STEPS_MAX, STEPS_MAX);
    while steps > 0 {
        x = x.scale(power(STEP));
        steps -= 1;
    }
    while steps < 0 && largest_part(x) > T::Real::ONE {
        x = x.scale(power(-STEP));
        steps += 1;
    }
    if steps == 0 {
        return x;
    }
    // What lies below this power is zero in any case.
    let exponent = i32::try_from(steps * i64::from(STEP)).map_or(-1020, |rest| rest.max(-1020));
    x.scale(power(exponent))
}

fn largest_part<T: Field>(x: T) -> T::Real {
    let (re, im) = (x.re().abs(), x.im().abs());
    if re > im { re } else { im }
}

fn power<T: Float>(exponent: i32) -> T {
    T::from_f64(2.0_f64.powi(exponent))
}
