//! NumPy's array interface, as a dictionary and as a C structure, in and out.
//!
//! Source: NumPy's documentation, "The array interface protocol".

use super::door::{adopt, refused};
use super::lent::Keeper;
use super::{Array, Dims, Matrix};
use crate::dtype::Source;
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict};
use std::ffi::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::Arc;

/// The items that an `__array_interface__` names, shared where they are float32 or float64.
///
/// # Errors
/// `TypeError` for items that are no real numbers, `ValueError` for a description that is none.
pub(crate) fn from_interface(
    object: &Bound<'_, PyAny>,
    interface: &Bound<'_, PyAny>,
) -> PyResult<Array> {
    let interface = interface.cast::<PyDict>()?;
    let item = |name: &str| {
        interface.get_item(name)?.ok_or_else(|| {
            PyValueError::new_err(format!(
                "the array interface of the operand has no `{name}`"
            ))
        })
    };
    let typestr: String = item("typestr")?.extract()?;
    let dtype = Source::of_typestr(&typestr).ok_or_else(|| refused(&typestr))?;
    let shape = Dims::new(item("shape")?.extract::<Vec<isize>>()?)?;
    let size = dtype.size().cast_signed();
    let strides = match interface.get_item("strides")? {
        Some(strides) if !strides.is_none() => Dims::new(strides.extract::<Vec<isize>>()?)?,
        _ => {
            let mut strides = Dims::dense(&shape);
            strides
                .iter_mut()
                .for_each(|stride| *stride = stride.wrapping_mul(size));
            strides
        }
    };
    let (address, _): (usize, bool) = item("data")?.extract()?;
    if shape.len() != strides.len() || shape.iter().any(|&n| n < 0) {
        let message = "the array interface of the operand has a shape and strides that do not fit";
        return Err(PyValueError::new_err(message));
    }
    let start = std::ptr::with_exposed_provenance(address);
    let owner = Arc::new(Keeper::object(object));
    // SAFETY: the interface says that the items are there for as long as the object is.
    unsafe { adopt(dtype, (shape, strides), start, owner) }
}

/// `PyArrayInterface`.
#[repr(C)]
pub(super) struct ArrayInterface {
    two: c_int,
    nd: c_int,
    typekind: c_char,
    itemsize: c_int,
    flags: c_int,
    shape: *const isize,
    strides: *const isize,
    data: *mut c_void,
    descr: *mut ffi::PyObject,
}

const ALIGNED: c_int = 0x100;
const NOT_SWAPPED: c_int = 0x200;
const WRITABLE: c_int = 0x400;

/// What an `__array_struct__` is made of.
#[repr(C)]
struct Described {
    interface: ArrayInterface,
    shape: Dims,
    strides: Dims,
}

/// A matrix's `__array_struct__`; who takes it keeps the matrix.
pub(super) fn array_struct<'py>(py: Python<'py>, matrix: &Matrix) -> PyResult<Bound<'py, PyAny>> {
    let array = &matrix.array;
    let typestr = array.dtype.typestr().as_bytes();
    let mut described = Box::new(Described {
        shape: array.shape(),
        strides: array.strides_bytes(),
        interface: ArrayInterface {
            two: 2,
            nd: array.rank() as c_int,
            typekind: typestr[1].cast_signed(),
            itemsize: array.dtype.size() as c_int,
            flags: ALIGNED | NOT_SWAPPED | if matrix.lent { WRITABLE } else { 0 },
            shape: null(),
            strides: null(),
            data: array.start().cast_mut().cast(),
            descr: null_mut(),
        },
    });
    described.interface.shape = described.shape.as_ptr();
    described.interface.strides = described.strides.as_ptr();
    // SAFETY: the structure is the first thing in the box, which `forget` frees.
    unsafe {
        let pointer = Box::into_raw(described).cast();
        let capsule = ffi::PyCapsule_New(pointer, null(), Some(forget));
        Bound::from_owned_ptr_or_err(py, capsule)
            .inspect_err(|_| drop(Box::from_raw(pointer.cast::<Described>())))
    }
}

/// Frees what [`array_struct`] made.
unsafe extern "C" fn forget(capsule: *mut ffi::PyObject) {
    // SAFETY: CPython calls this once, with the capsule made above.
    unsafe {
        let pointer = ffi::PyCapsule_GetPointer(capsule, null());
        drop(Box::from_raw(pointer.cast::<Described>()));
    }
}

impl ArrayInterface {
    /// What a capsule holds.
    ///
    /// # Safety
    /// The capsule is an `__array_struct__`, if it is any.
    pub(super) unsafe fn of<'a>(capsule: &'a Bound<'_, PyAny>) -> Option<&'a Self> {
        // SAFETY: a valid unnamed capsule under this name holds the structure.
        unsafe {
            if ffi::PyCapsule_IsValid(capsule.as_ptr(), null()) != 1 {
                return None;
            }
            let pointer = ffi::PyCapsule_GetPointer(capsule.as_ptr(), null()).cast::<Self>();
            pointer.as_ref().filter(|found| found.two == 2)
        }
    }

    /// The type of the items; `None` for those in another order of bytes too.
    pub(super) fn source(&self) -> Option<Source> {
        let size = usize::try_from(self.itemsize).ok()?;
        Source::of_code(self.typekind.cast_unsigned(), size)
            .filter(|_| self.flags & NOT_SWAPPED != 0 || size == 1)
    }

    /// Whether the items may be read as they lie.
    pub(super) fn is_aligned(&self) -> bool {
        self.flags & ALIGNED != 0
    }

    /// Shape and strides in bytes.
    ///
    /// # Safety
    /// The structure's arrays have `nd` items.
    pub(super) unsafe fn axes(&self) -> Option<(&[isize], &[isize])> {
        let rank = usize::try_from(self.nd).ok()?;
        // SAFETY: the caller's.
        let dims = |items: *const isize| match rank {
            0 => &[][..],
            _ => unsafe { std::slice::from_raw_parts(items, rank) },
        };
        Some((dims(self.shape), dims(self.strides)))
    }

    /// Item `[0, 0, ...]`.
    pub(super) fn start(&self) -> *const u8 {
        self.data.cast::<u8>().cast_const()
    }

    /// The type in NumPy's words.
    fn typestr(&self) -> String {
        let order = if self.flags & NOT_SWAPPED == 0 {
            '>'
        } else {
            '<'
        };
        let kind = char::from(self.typekind.cast_unsigned());
        format!("{order}{kind}{}", self.itemsize)
    }
}

/// The items that an `__array_struct__` names, shared where they are of one of our types.
///
/// # Errors
/// `TypeError` for items that are no numbers, `ValueError` for a capsule that is none.
pub(crate) fn from_struct(
    object: &Bound<'_, PyAny>,
    capsule: &Bound<'_, PyAny>,
) -> PyResult<Array> {
    let misfit = || PyValueError::new_err("the `__array_struct__` of the operand is none");
    // SAFETY: a capsule under this name says that the items are there for as long as the object is.
    unsafe {
        let interface = ArrayInterface::of(capsule).ok_or_else(misfit)?;
        let source = interface
            .source()
            .ok_or_else(|| refused(&interface.typestr()))?;
        let (shape, strides) = interface.axes().ok_or_else(misfit)?;
        let dims = (Dims::of(shape)?, Dims::of(strides)?);
        let owner = Arc::new(Keeper::object(object));
        adopt(source, dims, interface.start(), owner)
    }
}
