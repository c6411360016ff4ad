//! The Python type `Matrix`: its table of methods, and the buffers that it hands out.

use super::array::Words;
use super::object::{
    self, Class, NO_GETTER, Tables, entry, getter, method, newer, of_one, of_two, operator,
};
use super::{Array, Dims, interface, quick};
use crate::dtype::Item;
use crate::matrix as methods;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyAny;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// An immutable array of numbers as Python has it.
pub(crate) struct Matrix {
    pub(crate) array: Array,
    /// Whether an importing library may write: it has the matrix to itself.
    pub(crate) lent: bool,
    /// The items of an array without an owner.
    words: MaybeUninit<Words>,
}

impl Class for Matrix {
    const NUMBER: usize = 0;

    fn methods() -> *const ffi::PyMethodDef {
        TABLES.methods.as_ptr()
    }
}

/// The matrix whose method is called.
pub(crate) type This<'a, 'py> = object::This<'a, 'py, Matrix>;

/// Bytes of an object.
pub(super) const SIZE: usize = object::size::<Matrix>();

impl Matrix {
    pub(crate) fn new(array: Array) -> Self {
        Self {
            array,
            lent: false,
            words: MaybeUninit::uninit(),
        }
    }

    /// A matrix for another library, which gets its memory to write.
    pub(crate) fn lent(array: Array) -> Self {
        Self {
            lent: true,
            ..Self::new(array)
        }
    }

    /// The matrix that an object is.
    #[inline]
    pub(crate) fn of<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a Self> {
        // SAFETY: the object is alive for as long as it is borrowed.
        unsafe { object::value(object.as_ptr()) }
    }

    /// # Safety
    /// The object is alive during `'a`.
    #[inline]
    pub(super) unsafe fn of_pointer<'a>(object: *mut ffi::PyObject) -> Option<&'a Self> {
        // SAFETY: the caller's.
        unsafe { object::value(object) }
    }

    /// The matrix as an object.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn into_object(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        object::with(py, self)
    }

    /// An object of few items, which `work` computes where they are to be; they are zeros at first. `None` where
    /// it does not, or where there is no memory.
    #[inline]
    pub(crate) fn of_few<T: Item>(
        py: Python<'_>,
        shape: Dims,
        work: impl FnOnce(&mut [T]) -> Option<()>,
    ) -> Option<Bound<'_, PyAny>> {
        // SAFETY: the place gets an array and what is beside it, and stays where it is.
        unsafe {
            object::place(py, |place: *mut Self| {
                let words = (&raw mut (*place).words).cast();
                (&raw mut (*place).array).write(Array::within(words, shape, work)?);
                (&raw mut (*place).lent).write(false);
                Some(())
            })
        }
    }
}

/// The slot of `@`: the quick way first.
unsafe extern "C" fn multiply(
    left: *mut ffi::PyObject,
    right: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls this attached, with operands that are alive.
    unsafe {
        quick::multiply(left, right).unwrap_or_else(|| operator!(methods::matmul)(left, right))
    }
}

static TABLES: Tables<9, 10> = Tables {
    methods: [
        method!(
            c"tolist",
            methods::tolist,
            c"tolist($self, /)\n--\n\nThe items as nested lists."
        ),
        method!(
            c"tobytes",
            methods::tobytes,
            c"tobytes($self, /)\n--\n\nA copy of the items' bytes, in row-major order."
        ),
        method!(one
            c"astype",
            methods::astype,
            c"astype($self, dtype, /)\n--\n\nThe items as ones of another type."
        ),
        method!(one
            c"__reduce_ex__",
            methods::reduce,
            c"__reduce_ex__($self, protocol, /)\n--\n\nPickled as a buffer, which protocol 5 takes out of band."
        ),
        method!(one
            c"__buffer__",
            methods::buffer,
            c"__buffer__($self, flags, /)\n--\n\nThe items as a memoryview (PEP 688), before Python 3.12 too."
        ),
        method!(keywords
            c"__dlpack__",
            methods::dlpack,
            c"__dlpack__($self, /, *, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\nThe items as a DLPack capsule, shared and read-only."
        ),
        method!(
            c"__dlpack_device__",
            methods::dlpack_device,
            c"__dlpack_device__($self, /)\n--\n\nWhere the items are: `(1, 0)`, in memory."
        ),
        method!(keywords
            c"__array_namespace__",
            methods::array_namespace,
            c"__array_namespace__($self, /, *, api_version=None)\n--\n\nThe functions for matrices: `nexus.linalg`."
        ),
        ffi::PyMethodDef::zeroed(),
    ],
    getters: [
        getter!(c"shape", methods::shape, c"The length of each axis."),
        getter!(c"ndim", methods::ndim, c"The number of axes."),
        getter!(c"size", methods::size, c"The number of items."),
        getter!(
            c"dtype",
            methods::dtype,
            c"The type of the items: `\"float64\"` or another name."
        ),
        getter!(
            c"device",
            methods::device,
            c"Where the items are: `\"cpu\"`."
        ),
        getter!(c"T", methods::t, c"The transposed matrix: a view."),
        getter!(
            c"mT",
            methods::mt,
            c"The matrices of a stack, each transposed: a view."
        ),
        getter!(
            c"__array_interface__",
            methods::array_interface,
            c"What NumPy needs to view the items without a copy."
        ),
        getter!(
            c"__array_struct__",
            array_struct,
            c"The same as a C structure."
        ),
        NO_GETTER,
    ],
};

const DOC: &CStr = c"Matrix(data, /, *, dtype=None)
--

An immutable array of numbers: a matrix, a vector or a stack of matrices.

>>> from nexus.linalg import Matrix
>>> a = Matrix([[1, 2], [3, 4]])
>>> a @ a - a
Matrix 2x2 float64
  [6, 8]
  [12, 18]
";

/// A new type `Matrix`.
///
/// # Errors
/// When the interpreter has no memory.
pub(super) fn new_type(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let length = entry!(lenfunc, |py, this| methods::len(This::new(py, this)));
    let get_buffer = entry!(getbufferproc, |py, this, view, flags| {
        fill(This::new(py, this), view, flags).map(|()| 0)
    });
    let slots = [
        (ffi::Py_tp_new, newer!(methods::new) as *mut c_void),
        (
            ffi::Py_tp_repr,
            of_one!(unaryfunc, methods::repr) as *mut c_void,
        ),
        (
            ffi::Py_tp_iter,
            of_one!(unaryfunc, methods::iterate) as *mut c_void,
        ),
        (ffi::Py_mp_length, length as *mut c_void),
        (ffi::Py_mp_subscript, of_two!(methods::item) as *mut c_void),
        (ffi::Py_nb_matrix_multiply, multiply as *mut c_void),
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
        (
            ffi::Py_nb_positive,
            of_one!(unaryfunc, methods::positive) as *mut c_void,
        ),
        (ffi::Py_bf_getbuffer, get_buffer as *mut c_void),
        (ffi::Py_bf_releasebuffer, empty as *mut c_void),
    ];
    object::new_type::<Matrix, _, _>(py, (c"nexus.linalg.Matrix", DOC), &TABLES, &slots)
}

/// Shape and strides in bytes of a buffer, until it is released.
struct Sizes {
    shape: Dims,
    strides: Dims,
}

/// The buffer protocol: a read-only view that keeps the matrix alive.
///
/// # Safety
/// `view` is CPython's.
unsafe fn fill(this: This<'_, '_>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
    if view.is_null() {
        return Err(PyBufferError::new_err("no place for the view"));
    }
    let asked = |flag| flags & flag == flag;
    let array = &this.array;
    let (by_rows, by_columns) = (array.is_dense(), array.reversed().is_dense());
    let fits = (by_rows || (asked(ffi::PyBUF_STRIDES) && !asked(ffi::PyBUF_C_CONTIGUOUS)))
        && (by_columns || !asked(ffi::PyBUF_F_CONTIGUOUS))
        && (by_rows || by_columns || !asked(ffi::PyBUF_ANY_CONTIGUOUS));
    let format = array.dtype.format().filter(|_| asked(ffi::PyBUF_FORMAT));
    let refused = if asked(ffi::PyBUF_WRITABLE) {
        Some("a Matrix is read-only")
    } else if asked(ffi::PyBUF_FORMAT) && format.is_none() {
        Some("buffers have no format for bfloat16: use DLPack, or astype(\"float32\")")
    } else if fits {
        None
    } else {
        Some("the items do not lie in the order asked for: this is a view of another matrix")
    };
    if let Some(why) = refused {
        // SAFETY: as of the function; a view that is not filled has no object.
        unsafe { (*view).obj = null_mut() };
        return Err(PyBufferError::new_err(why));
    }
    let sizes = Box::new(Sizes {
        shape: array.shape(),
        strides: array.strides_bytes(),
    });
    let or_null = |flag, dims: &Dims| {
        if asked(flag) {
            dims.as_ptr().cast_mut()
        } else {
            null_mut()
        }
    };
    // SAFETY: `view` is valid for writes. The items belong to the matrix, which `obj` keeps; shape and strides
    // to the box, which `empty` frees.
    unsafe {
        (*view).buf = array.start().cast_mut().cast();
        (*view).len = (array.len() * array.dtype.size()).cast_signed();
        (*view).readonly = 1;
        (*view).itemsize = array.dtype.size().cast_signed();
        (*view).format =
            format.map_or_else(null_mut::<c_char>, |format| format.as_ptr().cast_mut());
        (*view).ndim = array.rank() as c_int;
        (*view).shape = or_null(ffi::PyBUF_ND, &sizes.shape);
        (*view).strides = or_null(ffi::PyBUF_STRIDES, &sizes.strides);
        (*view).suboffsets = null_mut();
        (*view).internal = Box::into_raw(sizes).cast();
        (*view).obj = this.object.to_owned().into_ptr();
    }
    Ok(())
}

/// Frees what [`fill`] made.
unsafe extern "C" fn empty(_: *mut ffi::PyObject, view: *mut ffi::Py_buffer) {
    // SAFETY: CPython releases each view that was filled once.
    unsafe { drop(Box::from_raw((*view).internal.cast::<Sizes>())) };
}

/// NumPy's array interface as a C structure.
fn array_struct<'py>(this: This<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    interface::array_struct(this.object.py(), &this)
}
