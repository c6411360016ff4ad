//! The extension module `nexus._linalg`: linear algebra for Python, without NumPy.
//!
//! A file for each group of functions; `raw` shares memory with Python and other libraries, `input` says what
//! is taken, `output` what comes back, `run` where it is computed.

#![expect(clippy::needless_pass_by_value, reason = "pyo3 hands operands over")]
#![expect(
    clippy::too_many_arguments,
    reason = "the keywords of a Python function"
)]

mod call;
mod contraction;
mod dtype;
mod elementwise;
mod factors;
mod functions;
mod index;
mod input;
mod limits;
mod matrix;
mod norms;
mod output;
mod products;
mod quantized;
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
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// Puts the functions into a new module.
fn fill(module: &Bound<'_, PyModule>) -> PyResult<()> {
    macro_rules! functions {
        ($($home:ident: $($name:ident),+;)+) => {
            $($(module.add_function(wrap_pyfunction!($home::$name, module)?)?;)+)+
        };
    }
    functions! {
        contraction: block_diag, einsum, einsum_path, kron, multi_dot;
        factors: cho_factor, cho_solve, ldl, lu, lu_factor, lu_solve, rcond, solve_triangular;
        functions: cond, expm, logm, null_space, orth, polar, schur, solve_sylvester, sqrtm;
        matrix: rebuild;
        norms: diagonal, matrix_norm, softmax, trace, vector_norm;
        products: cross, matmul, matrix_transpose, outer, tensordot, vecdot;
        solving: cholesky, det, inv, matrix_power, slogdet, solve;
        sparse: bicgstab, cg, coo, csc, csr, eigsh, gmres, ic0, ilu0, jacobi, minres, randomized_svd, rebuild_sparse, sparse_factor, sparse_solve, svds;
        spectral: eig, eigh, eigvals, eigvalsh, lstsq, matrix_rank, pinv, qr, svd, svdvals;
    }
    for named in NAMED {
        module.index()?.append(named.name())?;
    }
    module.setattr("__getattr__", wrap_pyfunction!(attribute, module)?)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}

/// The classes of named tuples. They are made when they are first wanted: that takes longer than all the rest of
/// an import.
static NAMED: [&output::Named; 13] = [
    &output::EIG,
    &output::EIGH,
    &output::EINSUM_PATH,
    &output::ITERATION,
    &output::LDL,
    &output::LSTSQ,
    &output::LU,
    &output::LU_FACTOR,
    &output::POLAR,
    &output::QR,
    &output::SCHUR,
    &output::SLOGDET,
    &output::SVD,
];

/// What is not there yet (PEP 562).
#[pyfunction(name = "__getattr__")]
fn attribute<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyType>> {
    let Some(named) = NAMED.iter().find(|named| named.name() == name) else {
        let message = format!("module 'nexus.linalg' has no attribute '{name}'");
        return Err(PyAttributeError::new_err(message));
    };
    named.class(py)
}

/// An error of the library, as Python's.
fn failed(error: &Error) -> PyErr {
    LinAlgError::new_err(error.to_string())
}
