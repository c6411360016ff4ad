//! The extension module `nexus._linalg`: linear algebra for Python, without NumPy.
//!
//! A file for each group of functions; `raw` shares memory with Python and other libraries, `input` says what
//! is taken, `output` what comes back, `run` where it is computed.

#![expect(clippy::needless_pass_by_value, reason = "pyo3 hands operands over")]

mod elementwise;
mod index;
mod input;
mod limits;
mod norms;
mod output;
mod products;
mod raw;
mod run;
mod solving;
mod spectral;
mod stacks;
mod text;

use crate::raw::{Array, Dims, Matrix, from_buffer};
use nexus_linalg::Error;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;
use std::fmt::Write;

pyo3::create_exception!(
    nexus.linalg,
    LinAlgError,
    PyValueError,
    "A matrix without the result that was asked for: singular, of the wrong shape, not finite."
);

/// `nexus._linalg`.
#[pymodule]
mod _linalg {
    #[pymodule_export]
    use super::{LinAlgError, rebuild};

    #[pymodule_export]
    use super::norms::{diagonal, matrix_norm, softmax, trace, vector_norm};

    #[pymodule_export]
    use super::products::{cross, matmul, matrix_transpose, outer, tensordot, vecdot};

    #[pymodule_export]
    use super::raw::Matrix;

    #[pymodule_export]
    use super::solving::{cholesky, det, inv, matrix_power, slogdet, solve};

    #[pymodule_export]
    use super::spectral::{eigh, eigvalsh, lstsq, matrix_rank, pinv, qr, svd, svdvals};

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the Python name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    use super::output;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        for named in [
            &output::EIGH,
            &output::LSTSQ,
            &output::QR,
            &output::SLOGDET,
            &output::SVD,
        ] {
            named.add_to(module)?;
        }
        Ok(())
    }
}

/// The matrix that was pickled: its items lie in `items`, and are shared.
#[pyfunction(name = "_rebuild")]
#[pyo3(signature = (items, dtype, shape, /))]
fn rebuild(items: &Bound<'_, PyAny>, dtype: &str, shape: Vec<isize>) -> PyResult<Matrix> {
    let misfit = || {
        let message = format!("cannot unpickle a Matrix {shape:?} of {dtype}: other items");
        PyValueError::new_err(message)
    };
    let code = match dtype {
        "float32" => "f",
        "float64" => "d",
        "int64" => "q",
        _ => return Err(misfit()),
    };
    let count = shape.iter().try_fold(1_usize, |count, &n| {
        count.checked_mul(usize::try_from(n).ok()?)
    });
    let dims = Dims::new(shape.iter().copied())?;
    let bytes = PyMemoryView::from(items)?.call_method1("cast", ("B",))?;
    let flat = bytes.call_method1("cast", (code,)).map_err(|_| misfit())?;
    if Some(flat.len()?) != count {
        return Err(misfit());
    }
    Ok(Matrix::new(if dtype == "int64" {
        let longs: Vec<i64> = flat.call_method0("tolist")?.extract()?;
        Array::of_longs(&longs, dims)?
    } else {
        from_buffer(&flat)?.reshaped(dims)?
    }))
}

/// An error of the library, as Python's.
fn failed(error: &Error) -> PyErr {
    LinAlgError::new_err(error.to_string())
}

/// An error about one matrix of a stack, with the name of the function, the type, and which matrix it is.
fn failed_at(name: &str, error: &Error, array: &Array, index: usize) -> PyErr {
    let dims = array.shape();
    let batch = &dims[..dims.len().saturating_sub(2)];
    let mut message = format!("{name}: {error} ({}", array.dtype.name());
    if !batch.is_empty() {
        let mut rest = index.cast_signed();
        let mut place: Vec<isize> = batch
            .iter()
            .rev()
            .map(|&n| {
                let at = rest % n;
                rest /= n;
                at
            })
            .collect();
        place.reverse();
        let shape = text::shape(&dims);
        let _ = write!(message, ", matrix {place:?} of the stack {shape}");
    }
    message.push(')');
    LinAlgError::new_err(message)
}
