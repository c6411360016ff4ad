//! Products and sums of sparse matrices.

use super::matrix::{Format, Sparse, matrix_shape, real_type, with_index, with_real};
use crate::failed;
use crate::raw::{Array, Dims, LinAlgError, Output, Stack};
use crate::run::run;
use crate::text::shape;
use nexus_linalg::stack::Stack as _;
use nexus_linalg::{Context, MatMut};
use pyo3::prelude::*;

/// `a @ b` for a vector or a dense matrix.
pub(super) fn times_dense(
    py: Python<'_>,
    a: &Sparse,
    b: &Array,
    context: Context,
) -> PyResult<Array> {
    let dtype = a.data.dtype.promote(real_type("matmul", b.dtype)?);
    let columns = match b.rank() {
        1 => b.expanded(1)?,
        _ => b.clone(),
    };
    let [k, n] = matrix_shape("matmul", &columns)?;
    let m = a.shape.0;
    if k != a.shape.1 {
        let (rows, columns) = a.shape;
        let message = format!(
            "cannot multiply {rows}x{columns} by {}: the inner sizes differ",
            shape(&b.shape())
        );
        return Err(LinAlgError::new_err(message));
    }
    let (a, cost) = (a.clone(), a.stored() as f64 * n as f64);
    let product = run(py, cost, move || {
        let a = a.of_type(dtype)?;
        with_real!(dtype, T => with_index!(a.indices.dtype, I => {
            let b = columns.prepared::<T>()?;
            let stack = Stack::<T>::new(&b);
            let b = stack.get(0);
            let mut product = Output::<T>::new(Dims::shape(&[m, n])?)?;
            let rows = a.rows::<T, I>();
            let done = MatMut::new(product.items(), m, n).map_err(Into::into).and_then(|c| match a.format {
                Format::Csr => rows.multiply(context, b, c),
                Format::Csc => rows.transpose().multiply(b, c),
            });
            done.map_err(|error| failed(&error))?;
            Ok(product.into_array())
        }))
    })?;
    Ok(match b.rank() {
        1 => product.select(1, 0),
        _ => product,
    })
}

/// `a @ b` for two sparse matrices, in the format of `a`.
pub(super) fn times_sparse(py: Python<'_>, a: &Sparse, b: &Sparse) -> PyResult<Sparse> {
    let (a, b) = alike(py, a, b)?;
    let shape = (a.shape.0, b.shape.1);
    let cost = 20.0 * (a.stored() as f64 + b.stored() as f64);
    run(py, cost, move || {
        // In CSC the compressed rows are those of transposed matrices, whose product is the other way round.
        let (left, right) = match a.format {
            Format::Csr => (&a, &b),
            Format::Csc => (&b, &a),
        };
        with_real!(a.data.dtype, T => with_index!(a.indices.dtype, I => {
            let product = left.rows::<T, I>().multiply_sparse(right.rows::<T, I>());
            Sparse::of_rows((a.format, shape), product.map_err(|error| failed(&error))?)
        }))
    })
}

/// `alpha a + beta b`, in the format of `a`.
pub(super) fn sum(
    py: Python<'_>,
    (alpha, a): (f64, &Sparse),
    (beta, b): (f64, &Sparse),
) -> PyResult<Sparse> {
    let (a, b) = alike(py, a, b)?;
    if a.shape != b.shape {
        let ((m, n), (rows, columns)) = (a.shape, b.shape);
        let message = format!("cannot add {m}x{n} and {rows}x{columns}: the shapes differ");
        return Err(LinAlgError::new_err(message));
    }
    let cost = 10.0 * (a.stored() as f64 + b.stored() as f64);
    run(py, cost, move || {
        with_real!(a.data.dtype, T => with_index!(a.indices.dtype, I => {
            let weights = (alpha as T, beta as T);
            let sum = a.rows::<T, I>().add(weights.0, b.rows::<T, I>(), weights.1);
            Sparse::of_rows((a.format, a.shape), sum.map_err(|error| failed(&error))?)
        }))
    })
}

/// Two matrices with one format and types that hold both.
fn alike(py: Python<'_>, a: &Sparse, b: &Sparse) -> PyResult<(Sparse, Sparse)> {
    let dtype = a.data.dtype.promote(b.data.dtype);
    let indices = a.indices.dtype.promote(b.indices.dtype);
    let b = b.of_format(py, a.format)?;
    let of = |matrix: &Sparse| matrix.of_type(dtype)?.of_indices(indices);
    Ok((of(a)?, of(&b)?))
}
