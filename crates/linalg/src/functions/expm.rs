//! The exponential.

mod pade;

use super::elementary::{self, sinh};
use super::{C, Square, check_result, fill, wide};
use crate::decompose::Contents;
use crate::{Context, Error, Field, Float, MatMut, MatRef};

/// The exponential of a square matrix, into `result`.
///
/// By Padé approximants of the matrix divided by a power of two, and as many squarings: N. J. Higham, "The scaling
/// and squaring method for the matrix exponential revisited" (2005), with the choice of both by A. H. Al-Mohy, N. J.
/// Higham, "A new scaling and squaring algorithm for the matrix exponential" (2009), whose exact diagonals of
/// triangular matrices are used too. Computes in the type of the items. Costs up to six products (four in single
/// precision), a solution with `n` right sides, and a product for each squaring: about the logarithm of the norm. What
/// overflows is infinite or NaN.
///
/// ```
/// use nexus_linalg::{Context, MatMut, MatRef, functions};
///
/// let (a, mut e) = ([0.0_f64, 1.0, 0.0, 0.0], [0.0; 4]);
/// functions::expm(Context::default(), MatRef::new(&a, 2, 2)?, MatMut::new(&mut e, 2, 2)?)?;
/// assert_eq!(e, [1.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `InvalidInput` when the shapes are not square and equal, `Infinite`.
pub fn expm<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
    result: MatMut<'_, T>,
) -> Result<(), Error> {
    check_result("take the exponential of", a.shape(), &result)?;
    let (a, contents) = Square::<T>::of("take the exponential of", a)?;
    match contents {
        Contents::NaN => fill(result, T::NAN),
        Contents::Finite(_) if is_upper(&a) => exponential(context, a, true)?.write(result),
        Contents::Finite(_) => {
            let turned = a.transposed();
            if is_upper(&turned) {
                exponential(context, turned, true)?
                    .transposed()
                    .write(result);
            } else {
                exponential(context, a, false)?.write(result);
            }
        }
    }
    Ok(())
}

fn exponential<T: Field>(
    context: Context,
    mut a: Square<T>,
    upper: bool,
) -> Result<Square<T>, Error> {
    let n = a.n;
    if n == 0 {
        return Ok(a);
    }
    let diagonal: Vec<T> = (0..n).map(|i| a.at(i, i)).collect();
    let above: Vec<T> = (1..n).map(|i| a.at(i - 1, i)).collect();
    let size = a.norm_one();
    let mut squarings = 0;
    let exponent_max = pade::exponent_max::<T>();
    if size > f64::from(exponent_max).exp2() {
        // The norm itself may overflow, its largest item does not.
        squarings = (size.min(f64::MAX).log2() + (n as f64).log2()).ceil() as i32 - exponent_max;
        a = a.scaled(half::<T>(squarings / 2));
        a = a.scaled(half::<T>(squarings - squarings / 2));
    }
    let (mut result, mut space, more) = pade::approximant(context, a)?;
    squarings += more;
    for left in (0..squarings).rev() {
        if upper {
            exact_diagonals(&mut result, &diagonal, &above, left + 1);
        }
        result.times_into(context, &result, &mut space);
        std::mem::swap(&mut result, &mut space);
        if !result.is_finite() || result.items.iter().all(|&item| item == T::default()) {
            break;
        }
    }
    if upper {
        exact_diagonals(&mut result, &diagonal, &above, 0);
    }
    Ok(result)
}

/// What a number is multiplied by to be halved so often.
fn half<T: Field>(times: i32) -> T::Real {
    T::Real::from_f64(f64::from(-times).exp2())
}

/// Writes the diagonal and what is right above it as they are in the exponential of the matrix halved so often:
/// code fragment 2.1 of 2009.
fn exact_diagonals<T: Field>(result: &mut Square<T>, diagonal: &[T], above: &[T], halvings: i32) {
    let half = |x: T| wide::<T, C>(x).scale(f64::from(-halvings).exp2());
    for (i, &x) in diagonal.iter().enumerate() {
        *result.item(i, i) = wide(elementary::exponential(half(x)));
    }
    for (i, &b) in above.iter().enumerate() {
        let (x, y) = (half(diagonal[i]), half(diagonal[i + 1]));
        *result.item(i, i + 1) = wide(half(b) * divided_difference(x, y));
    }
}

/// `(e^x - e^y) / (x - y)` without cancellation.
fn divided_difference(x: C, y: C) -> C {
    let (middle, half) = ((x + y).scale(0.5), (x - y).scale(0.5));
    let exponential = elementary::exponential;
    if Field::abs(half) > 1.0 {
        (exponential(x) - exponential(y)).divide(x - y)
    } else if half == C::default() {
        exponential(middle)
    } else {
        (exponential(middle) * sinh(half)).divide(half)
    }
}

fn is_upper<T: Field>(a: &Square<T>) -> bool {
    (1..a.n).all(|i| {
        a.items[i * a.n..i * a.n + i]
            .iter()
            .all(|&item| item == T::default())
    })
}
