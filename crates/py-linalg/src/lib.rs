//! The extension module `nexus._linalg`: matrices for Python, without NumPy.

mod input;
mod raw;

use input::Operand;
use nexus_linalg::kernels::{Isa, softmax as softmax_row};
use nexus_linalg::{Context, MatMut, MatRef, Scalar, ViewError};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use raw::{Data, Matrix};
use std::num::NonZero;

/// `nexus._linalg`.
#[pymodule]
mod _linalg {
    #[pymodule_export]
    use super::{matmul, softmax};

    #[pymodule_export]
    use super::raw::Matrix;

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the Python name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

/// The matrix product of two operands; f32 only when both are f32.
#[pyfunction]
#[pyo3(signature = (a, b, /, *, threads = NonZero::<usize>::MIN))]
fn matmul(py: Python<'_>, a: Operand, b: Operand, threads: NonZero<usize>) -> PyResult<Matrix> {
    let ((m, k), (k_b, n)) = (a.shape(), b.shape());
    if k != k_b {
        let message = format!("cannot multiply {m}x{k} by {k_b}x{n}: the inner sizes differ");
        return Err(PyValueError::new_err(message));
    }
    let context = Context::default().threads(threads);
    let data = py.detach(|| match (a.data, b.data) {
        (Data::F32(a), Data::F32(b)) => product(context, &a, &b, (m, k, n)).map(Data::F32),
        (a, b) => product(context, &a.into_f64(), &b.into_f64(), (m, k, n)).map(Data::F64),
    });
    Ok(Matrix::new(m, n, data?))
}

fn product<T: Scalar>(
    context: Context,
    a: &[T],
    b: &[T],
    (m, k, n): (usize, usize, usize),
) -> PyResult<Vec<T>> {
    let len = m.saturating_mul(n);
    let mut c = Vec::new();
    c.try_reserve_exact(len).map_err(|_| {
        PyMemoryError::new_err(format!("cannot multiply: no memory for a {m}x{n} result"))
    })?;
    c.resize(len, T::default());
    let invalid = |error: nexus_linalg::Error| PyValueError::new_err(error.to_string());
    let view = |error: ViewError| invalid(error.into());
    let (a, b) = (
        MatRef::new(a, m, k).map_err(view)?,
        MatRef::new(b, k, n).map_err(view)?,
    );
    let result = MatMut::new(&mut c, m, n).map_err(view)?;
    context.matmul(a, b, result).map_err(invalid)?;
    Ok(c)
}

/// Softmax of each row, in f32.
#[pyfunction]
#[pyo3(signature = (a, /))]
fn softmax(py: Python<'_>, a: Operand) -> Matrix {
    let (rows, columns) = a.shape();
    let data = py.detach(|| {
        let mut values = a.data.into_f32();
        values
            .chunks_exact_mut(columns.max(1))
            .for_each(|row| softmax_row(Isa::detect(), row, 1.0));
        values
    });
    Matrix::new(rows, columns, Data::F32(data))
}
