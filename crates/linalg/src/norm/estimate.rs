//! The 1-norm of a matrix that is known by its products with vectors alone.

use crate::field::unit;
use crate::{Field, Float};

/// Steps of the iteration; it seldom takes more than two.
const STEPS_MAX: usize = 5;

/// Estimates the 1-norm of a matrix of `n > 0` rows and columns from products with it and with its adjoint, which
/// replace a vector: a lower bound, seldom less than a third of it. W. W. Hager's method as in N. J. Higham,
/// "Accuracy and Stability of Numerical Algorithms" (2nd ed., 2002), algorithm 15.1. NaN gives NaN.
pub(crate) fn estimate_one<T: Field>(
    n: usize,
    apply: impl Fn(&mut [T]),
    apply_adjoint: impl Fn(&mut [T]),
) -> f64 {
    let length = |x: &[T]| x.iter().map(|item| item.abs().to_f64()).sum::<f64>();
    let sign = |item: T| {
        if item == T::default() {
            T::ONE
        } else {
            unit(item)
        }
    };
    let real = |value: f64| T::from_real(T::Real::from_f64(value));
    let mut x = vec![real(1.0 / n as f64); n];
    apply(&mut x);
    let mut estimate = length(&x);
    if n == 1 || estimate.is_nan() {
        return estimate;
    }
    let mut signs: Vec<T> = x.iter().map(|&item| sign(item)).collect();
    let mut place = n;
    for _ in 0..STEPS_MAX {
        x.copy_from_slice(&signs);
        apply_adjoint(&mut x);
        let steepest = first_largest(&x);
        if place < n && x[steepest].abs() <= x[place].abs() {
            break;
        }
        place = steepest;
        x.fill(T::default());
        x[place] = T::ONE;
        apply(&mut x);
        let found = length(&x);
        if found.is_nan() {
            return found;
        }
        let same = x.iter().zip(&signs).all(|(&item, &old)| sign(item) == old);
        if found <= estimate {
            break;
        }
        estimate = found;
        if same {
            break;
        }
        signs
            .iter_mut()
            .zip(&x)
            .for_each(|(old, &item)| *old = sign(item));
    }
    // A vector that matrices on which the iteration fails are seldom also unkind to.
    for (i, item) in x.iter_mut().enumerate() {
        let size = real(1.0 + i as f64 / (n - 1) as f64);
        *item = if i % 2 == 0 { size } else { -size };
    }
    apply(&mut x);
    let other = 2.0 * length(&x) / (3.0 * n as f64);
    if other > estimate || other.is_nan() {
        other
    } else {
        estimate
    }
}

fn first_largest<T: Field>(x: &[T]) -> usize {
    let larger = |best: usize, at: usize| {
        if x[at].abs() > x[best].abs() {
            at
        } else {
            best
        }
    };
    (0..x.len()).fold(0, larger)
}
