//! Calls on matrices of few items, without the detours of stacks, types and threads.
//!
//! Each computes what the general way computes, by the same code of `nexus-linalg`. `None` leaves the call to
//! the general way: for operands of other kinds, and for errors.

use crate::dtype::Element;
use crate::elementwise::Operation;
use crate::raw::{Array, Dims, Dtype, INLINE_WORDS, Matrix};
use nexus_linalg::{Context, Float, MatMut, dense};
use pyo3::prelude::*;
use pyo3::types::PyFloat;

type Object<'py> = Option<Bound<'py, PyAny>>;

/// Calls a generic function with the type of an array.
macro_rules! typed {
    ($array:expr, $function:ident($($argument:expr),*)) => {
        match $array.dtype {
            Dtype::F64 => $function::<f64>($($argument),*),
            Dtype::F32 => $function::<f32>($($argument),*),
            _ => None,
        }
    };
}

/// A matrix of `m` by `n` items, which `work` computes, where they are few.
#[inline]
fn made<T: Element>(
    py: Python<'_>,
    (m, n): (usize, usize),
    work: impl FnOnce(MatMut<'_, T>) -> Option<()>,
) -> Object<'_> {
    let fits = m * n * size_of::<T>() <= INLINE_WORDS * 8;
    let shape = Dims::matrix(m.cast_signed(), n.cast_signed());
    fits.then(|| Matrix::of_few(py, shape, |items| work(MatMut::new(items, m, n).ok()?)))?
}

/// `a @ b`.
#[inline]
pub(crate) fn matmul<'py>(py: Python<'py>, a: &Array, b: &Array) -> Object<'py> {
    fn go<'py, T: Element>(py: Python<'py>, a: &Array, b: &Array) -> Object<'py> {
        let (a, b) = (a.matrix::<T>()?, b.matrix::<T>()?);
        let size = (a.shape().0, b.shape().1);
        // A long sum is left to those who let other threads run.
        let short = a.shape().1 * size_of::<T>() <= INLINE_WORDS * 8;
        short.then(|| made(py, size, |c| Context::default().matmul(a, b, c).ok()))?
    }
    typed!(a, go(py, a, b))
}

/// `a` and `b` item by item, for matrices of one shape and type.
#[inline]
pub(crate) fn combined<'py>(
    py: Python<'py>,
    (a, b): (&Array, &Array),
    operation: Operation,
) -> Object<'py> {
    fn go<'py, T: Element>(
        py: Python<'py>,
        (a, b): (&Array, &Array),
        operation: Operation,
    ) -> Object<'py> {
        let (a_items, b_items) = (a.few::<T>()?, b.few::<T>()?);
        Matrix::of_few(py, a.shape(), |items| {
            for (place, (&a, &b)) in items.iter_mut().zip(a_items.iter().zip(b_items)) {
                *place = operation.of_elements(a, b);
            }
            Some(())
        })
    }
    if a.dtype != b.dtype || a.shape() != b.shape() || a.rank() == 0 {
        return None;
    }
    typed!(a, go(py, (a, b), operation))
}

/// The determinant.
pub(crate) fn det<'py>(py: Python<'py>, a: &Array) -> Object<'py> {
    fn go<T: Element + Float>(a: &Array) -> Option<f64> {
        let a = a.matrix::<T>()?;
        let few = a.shape().0 * a.shape().1 <= INLINE_WORDS;
        let det = few.then(|| dense::det(Context::default(), a).ok())?;
        det.map(T::to_f64)
    }
    typed!(a, go(a)).map(|det| PyFloat::new(py, det).into_any())
}

/// The inverse.
pub(crate) fn inv<'py>(py: Python<'py>, a: &Array) -> Object<'py> {
    fn go<'py, T: Element>(py: Python<'py>, a: &Array) -> Object<'py> {
        let a = a.matrix::<T>()?;
        made(py, a.shape(), |x| dense::inv(Context::default(), a, x).ok())
    }
    typed!(a, go(py, a))
}

/// The solution of `a x = b` for a vector or the columns of a matrix.
pub(crate) fn solve<'py>(py: Python<'py>, a: &Array, b: &Array) -> Object<'py> {
    fn go<'py, T: Element>(py: Python<'py>, a: &Array, b: &Array) -> Object<'py> {
        let left = a.matrix::<T>()?;
        let dims = b.shape();
        let (n, width) = match *dims {
            [n] => (n.cast_unsigned(), 1),
            [n, width] => (n.cast_unsigned(), width.cast_unsigned()),
            _ => return None,
        };
        if left.shape() != (n, n) || n * n * size_of::<T>() > INLINE_WORDS * 8 {
            return None;
        }
        let right = b.few::<T>()?;
        Matrix::of_few(py, dims, |items| {
            items.copy_from_slice(right);
            let x = MatMut::new(items, n, width).ok()?;
            dense::solve(Context::default(), left, x).ok()
        })
    }
    typed!(a, go(py, a, b))
}
