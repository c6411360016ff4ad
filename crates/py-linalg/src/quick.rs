//! Calls on one small matrix, without the detours of stacks, types and threads.
//!
//! Each computes what the general way computes, by the same code of `nexus-linalg`. `None` leaves the call to
//! the general way: for operands of other kinds, and for errors.

use crate::raw::{Array, Dims, Dtype, Item, Output, Stack};
use nexus_linalg::{Context, MatMut, MatRef, dense};

/// Rows and columns up to which it pays.
const SIZE_MAX: isize = 16;

/// The matrix that an array is, where it is small and of this type.
#[inline]
fn small<T: Item>(array: &Array) -> Option<MatRef<'_, T>> {
    let dims = array.shape();
    let [m, n] = *dims else { return None };
    let fits = (1..=SIZE_MAX).contains(&m) && (1..=SIZE_MAX).contains(&n);
    let forward = array.strides().iter().all(|&stride| stride >= 0);
    (fits && forward && array.dtype == T::DTYPE).then(|| Stack::new(array).get(0))
}

/// A matrix to be computed, and what fills it.
#[inline]
fn made<T: Item>(
    (m, n): (usize, usize),
    work: impl FnOnce(MatMut<'_, T>) -> Option<()>,
) -> Option<Array> {
    let mut output = Output::<T>::new(Dims::shape(&[m, n]).ok()?).ok()?;
    work(MatMut::new(output.items(), m, n).ok()?)?;
    Some(output.into_array())
}

/// `a @ b`.
pub(crate) fn matmul(a: &Array, b: &Array) -> Option<Array> {
    fn go<T: Item>(a: &Array, b: &Array) -> Option<Array> {
        let (a, b) = (small::<T>(a)?, small::<T>(b)?);
        let (m, n) = (a.shape().0, b.shape().1);
        made((m, n), |c| Context::default().matmul(a, b, c).ok())
    }
    match a.dtype {
        Dtype::F64 => go::<f64>(a, b),
        Dtype::F32 => go::<f32>(a, b),
        Dtype::I64 => None,
    }
}

/// The determinant.
pub(crate) fn det(a: &Array) -> Option<f64> {
    match a.dtype {
        Dtype::F64 => dense::det(Context::default(), small::<f64>(a)?).ok(),
        Dtype::F32 => dense::det(Context::default(), small::<f32>(a)?)
            .ok()
            .map(f64::from),
        Dtype::I64 => None,
    }
}

/// The inverse.
pub(crate) fn inv(a: &Array) -> Option<Array> {
    fn go<T: Item>(a: &Array) -> Option<Array> {
        let a = small::<T>(a)?;
        made(a.shape(), |x| dense::inv(Context::default(), a, x).ok())
    }
    match a.dtype {
        Dtype::F64 => go::<f64>(a),
        Dtype::F32 => go::<f32>(a),
        Dtype::I64 => None,
    }
}

/// The solution of `a x = b` for a vector or the columns of a matrix.
pub(crate) fn solve(a: &Array, b: &Array) -> Option<Array> {
    fn go<T: Item>(a: &Array, b: &Array) -> Option<Array> {
        let left = small::<T>(a)?;
        let vector = b.rank() == 1;
        let dims = b.shape();
        let n = *dims.first()?;
        let width = if vector { 1 } else { *dims.get(1)? };
        let fits = b.dtype == T::DTYPE && dims.len() <= 2 && n.cast_unsigned() == left.shape().0;
        if !fits || !(1..=SIZE_MAX).contains(&width) || !b.is_dense() {
            return None;
        }
        let mut output = Output::<T>::new(dims).ok()?;
        output.items().copy_from_slice(&b.values::<T>());
        let x = MatMut::new(output.items(), n.cast_unsigned(), width.cast_unsigned()).ok()?;
        dense::solve(Context::default(), left, x).ok()?;
        Some(output.into_array())
    }
    match a.dtype {
        Dtype::F64 => go::<f64>(a, b),
        Dtype::F32 => go::<f32>(a, b),
        Dtype::I64 => None,
    }
}
