//! The extension module `nexus._linalg`: linear algebra for Python, without NumPy.
//!
//! A file for each group of functions; `raw` shares memory with Python and other libraries, `input` says what
//! is taken, `output` what comes back, `run` where it is computed.

#![expect(clippy::needless_pass_by_value, reason = "pyo3 hands operands over")]

mod call;
mod dtype;
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
mod sparse;
mod spectral;
mod stacks;
mod text;

use crate::raw::LinAlgError;
use nexus_linalg::Error;
use pyo3::prelude::*;

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
        sparse: bicgstab, cg, coo, csc, csr, eigsh, gmres, ilu0, jacobi, minres, randomized_svd, rebuild_sparse, sparse_factor, sparse_solve, svds;
        spectral: eig, eigh, eigvals, eigvalsh, lstsq, matrix_rank, pinv, qr, svd, svdvals;
    }
    for named in [
        &output::EIG,
        &output::EIGH,
        &output::ITERATION,
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
