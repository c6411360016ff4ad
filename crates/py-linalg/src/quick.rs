//! Calls on single matrices, without the detours of stacks and types: products, and systems of few items.
//!
//! Each computes what the general way computes, by the same code of `nexus-linalg`. `None` leaves the call to
//! the general way: for operands of other kinds, and for errors.

use crate::dtype::Element;
use crate::elementwise::Operation;
use crate::raw::{Array, Dims, Dtype, INLINE_WORDS, Matrix, Output, View};
use crate::run::run_short;
use nexus_linalg::{Complex, Context, Float, MatMut, MatRef, dense};
use pyo3::prelude::*;
use pyo3::types::PyFloat;

type Object<'py> = Option<Bound<'py, PyAny>>;

/// Calls a generic function with the type of an operand.
macro_rules! typed {
    ($operand:expr, $function:ident $arguments:tt $(, $dtype:ident $type:ty)*) => {
        match $operand.dtype {
            Dtype::F64 => $function::<f64> $arguments,
            Dtype::F32 => $function::<f32> $arguments,
            $(Dtype::$dtype => $function::<$type> $arguments,)*
            _ => None,
        }
    };
}

/// A result of as many items as the shape says, which `work` computes: where they are few, in the object.
#[inline]
fn made<T: Element>(
    py: Python<'_>,
    shape: Dims,
    work: impl FnOnce(&mut [T]) -> Option<()>,
) -> Object<'_> {
    if shape.iter().product::<isize>().cast_unsigned() * size_of::<T>() <= INLINE_WORDS * 8 {
        return Matrix::of_few(py, shape, work);
    }
    let mut output = Output::new(shape).ok()?;
    work(output.items())?;
    Matrix::new(output.into_array()).into_object(py).ok()
}

/// `a @ b`.
#[inline]
pub(crate) fn matmul<'py>(
    py: Python<'py>,
    context: Context,
    a: &View<'_>,
    b: &View<'_>,
) -> Object<'py> {
    fn go<'py, T: Element>(
        py: Python<'py>,
        context: Context,
        a: &View<'_>,
        b: &View<'_>,
    ) -> Object<'py> {
        let (left, right) = (a.columns::<T>()?, b.columns::<T>()?);
        let left = if a.is_vector() {
            left.transpose()
        } else {
            left
        };
        let ((m, k), (inner, n)) = (left.shape(), right.shape());
        let shape = match (a.is_vector(), b.is_vector()) {
            (false, false) => Dims::matrix(m.cast_signed(), n.cast_signed()),
            (false, true) => Dims::vector(m.cast_signed()),
            (true, false) => Dims::vector(n.cast_signed()),
            (true, true) => return None,
        };
        if k != inner {
            return None;
        }
        made(py, shape, |items| {
            let product = MatMut::new(items, m, n).ok()?;
            let cost = m as f64 * k as f64 * n as f64;
            run_short(py, cost, || context.matmul(left, right, product))?.ok()
        })
    }
    if a.is_vector() && b.is_vector() {
        return vecdot(py, context, a, b);
    }
    typed!(a, go(py, context, a, b), C64 Complex<f32>, C128 Complex<f64>)
}

/// The inner product of two real vectors.
#[inline]
pub(crate) fn vecdot<'py>(
    py: Python<'py>,
    context: Context,
    a: &View<'_>,
    b: &View<'_>,
) -> Object<'py> {
    fn go<T: Element + Float>(
        py: Python<'_>,
        context: Context,
        a: &View<'_>,
        b: &View<'_>,
    ) -> Option<f64> {
        let (row, column) = (a.columns::<T>()?.transpose(), b.columns::<T>()?);
        let mut sum = [T::default()];
        let cost = row.shape().1 as f64;
        let product = MatMut::new(&mut sum, 1, 1).ok()?;
        run_short(py, cost, || context.matmul(row, column, product))?.ok()?;
        Some(sum[0].to_f64())
    }
    if !(a.is_vector() && b.is_vector()) {
        return None;
    }
    typed!(a, go(py, context, a, b)).map(|sum| PyFloat::new(py, sum).into_any())
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

/// The determinant of a matrix of few items.
pub(crate) fn det<'py>(py: Python<'py>, context: Context, a: &View<'_>) -> Object<'py> {
    fn go<T: Element + Float>(context: Context, a: &View<'_>) -> Option<f64> {
        let a = a.matrix::<T>().filter(is_small)?;
        dense::det(context, a).ok().map(T::to_f64)
    }
    typed!(a, go(context, a)).map(|det| PyFloat::new(py, det).into_any())
}

/// The inverse of a matrix of few items.
pub(crate) fn inv<'py>(py: Python<'py>, context: Context, a: &View<'_>) -> Object<'py> {
    fn go<'py, T: Element>(py: Python<'py>, context: Context, a: &View<'_>) -> Object<'py> {
        let a = a.matrix::<T>().filter(is_small)?;
        let (m, n) = a.shape();
        made(py, Dims::matrix(m.cast_signed(), n.cast_signed()), |x| {
            dense::inv(context, a, MatMut::new(x, m, n).ok()?).ok()
        })
    }
    typed!(a, go(py, context, a))
}

/// The solution of `a x = b` for a vector or the columns of a matrix, where `a` has few items.
pub(crate) fn solve<'py>(
    py: Python<'py>,
    context: Context,
    a: &View<'_>,
    b: &View<'_>,
) -> Object<'py> {
    fn go<'py, T: Element>(
        py: Python<'py>,
        context: Context,
        a: &View<'_>,
        b: &View<'_>,
    ) -> Object<'py> {
        let left = a.matrix::<T>().filter(is_small)?;
        let right = b.columns::<T>().filter(is_small)?;
        let (n, width) = right.shape();
        let shape = if b.is_vector() {
            Dims::vector(n.cast_signed())
        } else {
            Dims::matrix(n.cast_signed(), width.cast_signed())
        };
        made(py, shape, |items| {
            for (i, row) in items.chunks_exact_mut(width).enumerate() {
                row.iter_mut()
                    .zip(right.row(i))
                    .for_each(|(place, &item)| *place = item);
            }
            dense::solve(context, left, MatMut::new(items, n, width).ok()?).ok()
        })
    }
    typed!(a, go(py, context, a, b))
}

/// Whether the items of a matrix are few.
fn is_small<T>(a: &MatRef<'_, T>) -> bool {
    let (m, n) = a.shape();
    m * n * size_of::<T>() <= INLINE_WORDS * 8
}
