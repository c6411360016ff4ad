//! The extension module `nexus._linalg`: linear algebra for Python, without NumPy.
//!
//! A file for each group of functions; `raw` shares memory with Python and other libraries, `input` says what
//! is taken, `output` what comes back, `run` where it is computed.

#![expect(clippy::needless_pass_by_value, reason = "pyo3 hands operands over")]

mod elementwise;
mod index;
mod input;
mod limits;
mod matrix;
mod norms;
mod output;
mod products;
mod quick;
mod raw;
mod run;
mod solving;
mod spectral;
mod stacks;
mod text;

use crate::raw::{Array, LinAlgError};
use nexus_linalg::Error;
use pyo3::prelude::*;
use std::fmt::Write;

/// Puts the functions into a new module.
fn fill(module: &Bound<'_, PyModule>) -> PyResult<()> {
    macro_rules! functions {
        ($($home:ident: $($name:ident),+;)+) => {
            $($(module.add_function(wrap_pyfunction!($home::$name, module)?)?;)+)+
        };
    }
    functions! {
        matrix: rebuild;
        norms: diagonal, matrix_norm, softmax, trace, vector_norm;
        products: cross, matmul, matrix_transpose, outer, tensordot, vecdot;
        solving: cholesky, det, inv, matrix_power, slogdet, solve;
        spectral: eigh, eigvalsh, lstsq, matrix_rank, pinv, qr, svd, svdvals;
    }
    for named in [
        &output::EIGH,
        &output::LSTSQ,
        &output::QR,
        &output::SLOGDET,
        &output::SVD,
    ] {
        named.add_to(module)?;
    }
    module.add("__version__", env!("CARGO_PKG_VERSION"))
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
