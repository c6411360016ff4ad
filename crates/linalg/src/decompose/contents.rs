//! Which matrices engines get: finite ones, whose numbers are far from overflow.

use crate::dense::{Triangle, copy_into};
use crate::field::largest_part;
use crate::scan::largest_finite;
use crate::workspace::Room;
use crate::{Error, ErrorKind, Field, Float, MatMut, MatRef};

/// What a matrix holds.
pub(crate) enum Contents<T> {
    /// Finite numbers up to this absolute value.
    Finite(T),
    /// NaN somewhere, and no infinity before it.
    NaN,
}

impl<R: Float> Contents<R> {
    /// Looks at the whole matrix, or at a triangle with the real parts of the diagonal.
    pub(crate) fn of<T: Field<Real = R>>(
        operation: &str,
        a: MatRef<'_, T>,
        triangle: Option<Triangle>,
    ) -> Result<Self, Error> {
        let (m, n) = a.shape();
        let mut largest = R::default();
        for i in 0..m {
            let columns = match triangle {
                Some(Triangle::Lower) => 0..(i + 1).min(n),
                Some(Triangle::Upper) => i.min(n)..n,
                None => 0..n,
            };
            let row = a.block(i..i + 1, columns.clone());
            if let Some(size) = quick(row, triangle) {
                if size > largest {
                    largest = size;
                }
                continue;
            }
            for (j, &item) in columns.zip(row.row(0)) {
                let item = if triangle.is_some() && i == j {
                    T::from_real(item.re())
                } else {
                    item
                };
                if item.is_nan() {
                    return Ok(Self::NaN);
                }
                let size = largest_part(item);
                if !size.is_finite() {
                    let message =
                        format!("cannot {operation} a {m}x{n} matrix: an infinity at ({i}, {j})");
                    return Err(Error::new(ErrorKind::Infinite { at: (i, j) }, message));
                }
                if size > largest {
                    largest = size;
                }
            }
        }
        Ok(Self::Finite(largest))
    }
}

/// The largest part of a row whose items lie side by side, are finite, and are read whole.
fn quick<T: Field>(row: MatRef<'_, T>, triangle: Option<Triangle>) -> Option<T::Real> {
    let whole = !T::IS_COMPLEX || triangle.is_none();
    let n = row.shape().1;
    (whole && row.strides().1 == 1).then(|| largest_finite(&row.data()[..n]))?
}

/// A power of two that takes a matrix away from overflow and underflow.
pub(super) struct Scale<R> {
    factor: Option<(R, R)>,
}

impl<R: Float> Scale<R> {
    /// For a matrix whose largest absolute value this is.
    pub(super) fn of(size: R) -> Self {
        let limit = R::MAX.to_f64().log2();
        let exponent = size.to_f64().log2().floor();
        let near = exponent.abs() < limit * SAFE_EXPONENT || size == R::default();
        let exponent = exponent.clamp(2.0 - limit, limit - 2.0);
        let factor = (!near).then(|| {
            (
                R::from_f64((-exponent).exp2()),
                R::from_f64(exponent.exp2()),
            )
        });
        Self { factor }
    }

    pub(super) fn apply<T: Field<Real = R>, O>(
        &self,
        a: MatRef<'_, T>,
        work: impl FnOnce(MatRef<'_, T>) -> O,
    ) -> O {
        let Some((factor, _)) = self.factor else {
            return work(a);
        };
        let (m, n) = a.shape();
        let mut copy = Room::filled(T::default(), m * n);
        let mut view = MatMut::new(&mut copy, m, n).expect("m times n items");
        copy_into(a, view.reborrow());
        for item in view.reborrow().into_data() {
            *item = item.scale(factor);
        }
        work(view.as_ref())
    }

    pub(super) fn undo<T: Field<Real = R>>(&self, values: &mut [T]) {
        if let Some((_, back)) = self.factor {
            for value in values {
                *value = value.scale(back);
            }
        }
    }

    pub(super) fn undo_all<T: Field<Real = R>>(&self, a: &mut MatMut<'_, T>) {
        if let Some((_, back)) = self.factor {
            let (m, n) = a.shape();
            for i in 0..m {
                for j in 0..n {
                    let item = a.item(i, j);
                    *item = item.scale(back);
                }
            }
        }
    }
}

/// Matrices are scaled when the exponent of their largest item is past this part of the range.
const SAFE_EXPONENT: f64 = 0.25;
