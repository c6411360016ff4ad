//! The Python types `SparseMatrix` and `SparseFactor`: their tables.

use super::object::{
    Class, NO_GETTER, Tables, entry, getter, method, new_type, of_one, of_two, operator,
};
use crate::sparse::{Sparse, SparseFactor, factor, methods};
use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::{CStr, c_void};

impl Class for Sparse {
    const NUMBER: usize = 2;

    fn methods() -> *const ffi::PyMethodDef {
        MATRIX.methods.as_ptr()
    }
}

impl Class for SparseFactor {
    const NUMBER: usize = 3;

    fn methods() -> *const ffi::PyMethodDef {
        FACTOR.methods.as_ptr()
    }
}

static MATRIX: Tables<10, 11> = Tables {
    methods: [
        method!(
            c"tocsr",
            methods::tocsr,
            c"tocsr($self, /)\n--\n\nThe same matrix by rows: itself where it is."
        ),
        method!(
            c"tocsc",
            methods::tocsc,
            c"tocsc($self, /)\n--\n\nThe same matrix by columns: itself where it is."
        ),
        method!(
            c"todense",
            methods::todense,
            c"todense($self, /)\n--\n\nThe matrix with its zeros."
        ),
        method!(
            c"toarray",
            methods::todense,
            c"toarray($self, /)\n--\n\nThe same as `todense`."
        ),
        method!(
            c"to_scipy",
            methods::to_scipy,
            c"to_scipy($self, /)\n--\n\nThe matrix as a `scipy.sparse` array over the same memory."
        ),
        method!(
            c"diagonal",
            methods::diagonal,
            c"diagonal($self, /)\n--\n\nThe items of the main diagonal."
        ),
        method!(
            c"sum_duplicates",
            methods::sum_duplicates,
            c"sum_duplicates($self, /)\n--\n\nThe matrix with ascending indices, each named once."
        ),
        method!(one
            c"astype",
            methods::astype,
            c"astype($self, dtype, /)\n--\n\nThe items as float32 or float64."
        ),
        method!(one
            c"__reduce_ex__",
            methods::reduce,
            c"__reduce_ex__($self, protocol, /)\n--\n\nPickled as three arrays, which protocol 5 takes out of band."
        ),
        ffi::PyMethodDef::zeroed(),
    ],
    getters: [
        getter!(c"shape", methods::shape, c"Rows and columns."),
        getter!(c"ndim", methods::ndim, c"The number of axes: 2."),
        getter!(
            c"nnz",
            methods::nnz,
            c"The number of stored items, zeros among them."
        ),
        getter!(c"dtype", methods::dtype, c"\"float32\" or \"float64\"."),
        getter!(c"format", methods::format, c"\"csr\" or \"csc\"."),
        getter!(c"data", methods::data, c"The stored items."),
        getter!(
            c"indices",
            methods::indices,
            c"The column of each item; in CSC, its row."
        ),
        getter!(
            c"indptr",
            methods::indptr,
            c"Where the rows begin and end; in CSC, the columns."
        ),
        getter!(
            c"T",
            methods::t,
            c"The transposed matrix in the other format: the same memory."
        ),
        getter!(
            c"__array_priority__",
            methods::array_priority,
            c"NumPy leaves its operators to this type."
        ),
        NO_GETTER,
    ],
};

/// A new type `SparseMatrix`.
///
/// # Errors
/// When the interpreter has no memory.
pub(super) fn new_matrix_type(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let slots = [
        (
            ffi::Py_tp_repr,
            of_one!(unaryfunc, methods::repr) as *mut c_void,
        ),
        (
            ffi::Py_nb_matrix_multiply,
            operator!(methods::matmul) as *mut c_void,
        ),
        (ffi::Py_nb_add, operator!(methods::add) as *mut c_void),
        (
            ffi::Py_nb_subtract,
            operator!(methods::subtract) as *mut c_void,
        ),
        (
            ffi::Py_nb_multiply,
            operator!(methods::multiply) as *mut c_void,
        ),
        (
            ffi::Py_nb_true_divide,
            operator!(methods::divide) as *mut c_void,
        ),
        (
            ffi::Py_nb_negative,
            of_one!(unaryfunc, methods::negative) as *mut c_void,
        ),
    ];
    let name = c"nexus.linalg.sparse.SparseMatrix";
    new_type::<Sparse, _, _>(py, (name, MATRIX_DOC), &MATRIX, &slots)
}

const MATRIX_DOC: &CStr =
    c"An immutable sparse matrix: compressed rows or columns of float32 or float64.

`csr`, `csc` and `coo` make it.";

static FACTOR: Tables<6, 4> = Tables {
    methods: [
        method!(one
            c"solve",
            factor::solve,
            c"solve($self, b, /)\n--\n\nSolves `a x = b` for a vector or for the columns of a matrix."
        ),
        method!(one
            c"solve_transpose",
            factor::solve_transpose,
            c"solve_transpose($self, b, /)\n--\n\nSolves with the transposed matrix."
        ),
        method!(one
            c"matvec",
            factor::solve,
            c"matvec($self, b, /)\n--\n\nThe same as `solve`: the factor as an operator is the inverse."
        ),
        method!(one
            c"rmatvec",
            factor::solve_transpose,
            c"rmatvec($self, b, /)\n--\n\nThe same as `solve_transpose`."
        ),
        method!(one
            c"refactor",
            factor::refactor,
            c"refactor($self, a, /)\n--\n\nThe factor of a matrix with items in the same places, without analysing them again."
        ),
        ffi::PyMethodDef::zeroed(),
    ],
    getters: [
        getter!(c"shape", factor::shape, c"Rows and columns of the matrix."),
        getter!(c"dtype", factor::dtype, c"\"float32\" or \"float64\"."),
        getter!(
            c"method",
            factor::method,
            c"\"lu\", \"cholesky\", \"qr\", \"ic0\", \"ilu0\" or \"jacobi\"."
        ),
        NO_GETTER,
    ],
};

/// A new type `SparseFactor`.
///
/// # Errors
/// When the interpreter has no memory.
pub(super) fn new_factor_type(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let repr = of_one!(unaryfunc, factor::repr);
    let slots = [(ffi::Py_tp_repr, repr as *mut c_void)];
    let name = c"nexus.linalg.sparse.SparseFactor";
    new_type::<SparseFactor, _, _>(py, (name, FACTOR_DOC), &FACTOR, &slots)
}

const FACTOR_DOC: &CStr = c"A factored sparse matrix, or a preconditioner: what solves with it.

`factor`, `ic0`, `ilu0` and `jacobi` make it.";
