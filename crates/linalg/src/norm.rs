//! Norms of vectors and matrices that overflow only where the norm itself does.

pub(crate) mod estimate;
mod squares;

use crate::decompose::{self, Decompose};
use crate::{Context, Error, Field, Float, MatRef};

/// Which norm of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixNorm {
    /// The root of the sum of squares.
    Frobenius,
    /// The sum of the singular values.
    Nuclear,
    /// The largest sum of absolute values of a column.
    One,
    /// The smallest sum of absolute values of a column.
    MinusOne,
    /// The largest singular value.
    Two,
    /// The smallest singular value.
    MinusTwo,
    /// The largest sum of absolute values of a row.
    Infinity,
    /// The smallest sum of absolute values of a row.
    MinusInfinity,
}

/// The norm of a vector: the root of order `order` of the sum of powers, the largest (`inf`) or the smallest
/// (`-inf`) absolute value, or for `0` how many items are not zero.
///
/// Sums are taken in f64, of values divided by the largest one where their powers would overflow or vanish.
/// NaN gives NaN. The norm of no items is 0.
pub fn vector<T: Field>(items: impl Iterator<Item = T> + Clone, order: f64) -> T::Real {
    T::Real::from_f64(if order == 2.0 {
        euclidean(items)
    } else {
        norm_of_sizes(items.map(size), order)
    })
}

/// The root of the sum of squares of all parts.
fn euclidean<T: Field>(items: impl Iterator<Item = T> + Clone) -> f64 {
    if T::IS_COMPLEX {
        let parts = items.flat_map(|item| [item.re(), item.im()]);
        norm_of_sizes(parts.map(|part| part.to_f64().abs()), 2.0)
    } else {
        norm_of_sizes(items.map(size), 2.0)
    }
}

/// The absolute value; NaN where a part is NaN.
fn size<T: Field>(item: T) -> f64 {
    if T::IS_COMPLEX {
        if item.is_nan() {
            f64::NAN
        } else {
            item.re().to_f64().hypot(item.im().to_f64())
        }
    } else {
        item.re().to_f64().abs()
    }
}

fn norm_of_sizes(sizes: impl Iterator<Item = f64> + Clone, order: f64) -> f64 {
    if sizes.clone().any(f64::is_nan) {
        return f64::NAN;
    }
    let largest = sizes.clone().fold(0.0, f64::max);
    let smallest = || sizes.clone().reduce(f64::min).unwrap_or(0.0);
    if order == f64::INFINITY {
        largest
    } else if order == f64::NEG_INFINITY {
        smallest()
    } else if order == 0.0 {
        sizes.filter(|&size| size != 0.0).count() as f64
    } else if order == 1.0 {
        total(sizes)
    } else if largest == 0.0 || largest.is_infinite() && order > 0.0 {
        largest
    } else if order == 2.0 && SQUARES.contains(&largest) {
        sizes.map(|size| size * size).sum::<f64>().sqrt()
    } else {
        // The item that the sum is about: the largest one, or for negative orders the smallest one.
        let unit = if order > 0.0 { largest } else { smallest() };
        if unit == 0.0 || unit.is_infinite() {
            return unit;
        }
        let sum: f64 = sizes.map(|size| (size / unit).powf(order)).sum();
        unit * sum.powf(order.recip())
    }
}

/// Where squares neither overflow, also a great number of them, nor lose bits that count.
const SQUARES: std::ops::Range<f64> = 1e-140..1e140;

/// The norm of a matrix. The spectral ones cost a singular value decomposition, the others one reading.
///
/// # Errors
/// `Infinite` and `NoConvergence` for the spectral norms. `InvalidInput` for the least of no columns, rows or
/// values.
pub fn matrix<T: Field>(
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    norm: MatrixNorm,
) -> Result<T::Real, Error> {
    let (m, n) = a.shape();
    let sizes = || (0..m).map(move |i| norm_of_sizes(a.row(i).map(|item| size(*item)), 1.0));
    let columns = a.transpose();
    let column_sizes =
        || (0..n).map(move |j| norm_of_sizes(columns.row(j).map(|item| size(*item)), 1.0));
    let none = || {
        Error::invalid(format!(
            "cannot take the least of no values of a {m}x{n} matrix"
        ))
    };
    let value = match norm {
        MatrixNorm::Frobenius => {
            squares::root(a).unwrap_or_else(|| euclidean((0..m).flat_map(|i| a.row(i).copied())))
        }
        MatrixNorm::One => greatest(column_sizes()),
        MatrixNorm::MinusOne => least(column_sizes()).ok_or_else(none)?,
        MatrixNorm::Infinity => greatest(sizes()),
        MatrixNorm::MinusInfinity => least(sizes()).ok_or_else(none)?,
        MatrixNorm::Nuclear | MatrixNorm::Two | MatrixNorm::MinusTwo => {
            let mut values = vec![T::Real::default(); m.min(n)];
            decompose::svd(Context::default(), engine, a, &mut values, None)?;
            let values = values.iter().map(|value| value.to_f64());
            match norm {
                MatrixNorm::Nuclear => total(values),
                MatrixNorm::Two => greatest(values),
                _ => least(values).ok_or_else(none)?,
            }
        }
    };
    Ok(T::Real::from_f64(value))
}

/// The sum of numbers, 0 of none; the library's is -0.
fn total(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

/// The greatest of numbers, 0 of none; NaN when one is NaN.
fn greatest(mut values: impl Iterator<Item = f64>) -> f64 {
    values
        .try_fold(0.0_f64, |most, value| {
            (!value.is_nan()).then(|| most.max(value))
        })
        .unwrap_or(f64::NAN)
}

/// The least of numbers; NaN when one is NaN.
fn least(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(|least, value| {
        if value.is_nan() || value < least {
            value
        } else {
            least
        }
    })
}
