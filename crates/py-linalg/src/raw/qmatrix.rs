//! The Python type `QMatrix`: its table of methods.

use super::Array;
use super::object::{
    self, Class, NO_GETTER, Tables, entry, getter, method, newer, of_one, of_two, operator,
};
use crate::quantized as methods;
use nexus_linalg::kernels::BlockFormat;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::{CStr, c_void};

/// An immutable matrix of weights in blocks.
#[derive(Clone)]
pub(crate) struct QMatrix {
    pub(crate) format: BlockFormat,
    /// Rows and columns.
    pub(crate) shape: (usize, usize),
    /// The bytes of all blocks, row after row.
    pub(crate) blocks: Array,
}

impl Class for QMatrix {
    const NUMBER: usize = 1;

    fn methods() -> *const ffi::PyMethodDef {
        TABLES.methods.as_ptr()
    }
}

/// The matrix whose method is called.
pub(crate) type ThisQ<'a, 'py> = object::This<'a, 'py, QMatrix>;

impl QMatrix {
    /// The matrix that an object is.
    pub(crate) fn of<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a Self> {
        // SAFETY: the object is alive for as long as it is borrowed.
        unsafe { object::value(object.as_ptr()) }
    }

    /// The matrix as an object.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn into_object(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        object::with(py, self)
    }
}

static TABLES: Tables<6, 4> = Tables {
    methods: [
        method!(class
            c"from_blocks",
            methods::from_blocks,
            c"from_blocks($type, data, /, format, shape)\n--\n\nA matrix of the blocks in a buffer, such as the bytes of a GGUF file: shared, not copied."
        ),
        method!(
            c"blocks",
            methods::blocks,
            c"blocks($self, /)\n--\n\nThe bytes of all blocks, row after row, as a memoryview."
        ),
        method!(keywords
            c"dequantize",
            methods::dequantize,
            c"dequantize($self, /, *, like=None, out=None)\n--\n\nThe items as float32, exactly."
        ),
        method!(keywords
            c"linear",
            methods::linear,
            c"linear($self, x, /, *, threads=1, like=None, out=None)\n--\n\nEach row of x times each row of the matrix: x @ W.T, a linear layer without its bias."
        ),
        method!(one
            c"__reduce_ex__",
            methods::reduce,
            c"__reduce_ex__($self, protocol, /)\n--\n\nPickled as a buffer, which protocol 5 takes out of band."
        ),
        ffi::PyMethodDef::zeroed(),
    ],
    getters: [
        getter!(c"shape", methods::shape, c"Rows and columns."),
        getter!(
            c"format",
            methods::format,
            c"How the blocks are laid out: `\"q8_0\"` or `\"q4_0\"`."
        ),
        getter!(c"nbytes", methods::nbytes, c"The bytes of all blocks."),
        NO_GETTER,
    ],
};

const DOC: &CStr = c"QMatrix(weights, /, format='q8_0')
--

An immutable matrix of weights in blocks of 32 numbers of 8 or 4 bits with a scale each.

>>> from nexus.linalg import QMatrix
>>> q = QMatrix([[1, 2], [3, 4]])
>>> q
QMatrix 2x2 q8_0
>>> [round(x, 1) for x in (q @ [1, 1]).tolist()]
[3.0, 7.0]
";

/// A new type `QMatrix`.
///
/// # Errors
/// When the interpreter has no memory.
pub(super) fn new_type(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let slots = [
        (ffi::Py_tp_new, newer!(methods::new) as *mut c_void),
        (
            ffi::Py_tp_repr,
            of_one!(unaryfunc, methods::repr) as *mut c_void,
        ),
        (
            ffi::Py_nb_matrix_multiply,
            operator!(methods::matmul) as *mut c_void,
        ),
    ];
    object::new_type::<QMatrix, _, _>(py, (c"nexus.linalg.QMatrix", DOC), &TABLES, &slots)
}
