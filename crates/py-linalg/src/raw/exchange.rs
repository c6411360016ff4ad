//! `DLPack`'s table of C functions, which the type of a tensor may have: exchange without calls of Python.
//!
//! It is version 1.3's `DLPackExchangeAPI`: <https://dmlc.github.io/dlpack/latest/python_spec.html>. A type is looked at
//! once in each interpreter, and the first one that has a table is kept. What its functions do not do is left to
//! `__dlpack__` and `from_dlpack`, whose errors users know.

use super::door::{has_buffer, lend};
use super::state::Name;
use super::{Array, State};
use nexus_tensor::dlpack::{Access, DLManagedTensorVersioned, DLPackVersion, Managed, VERSION};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::ffi::{CStr, c_int, c_void};
use std::ptr::{NonNull, null_mut};

const NAME: &CStr = c"dlpack_exchange_api";

/// The start of `DLPackExchangeAPI`, in every version of this major number.
#[repr(C)]
pub(super) struct Table {
    version: DLPackVersion,
    previous: *const c_void,
    allocate: *const c_void,
    /// `managed_tensor_from_py_object_no_sync`.
    export: Option<Export>,
    /// `managed_tensor_to_py_object_no_sync`, which takes the tensor over.
    import: Option<Import>,
}

type Export = unsafe extern "C" fn(*mut c_void, *mut *mut DLManagedTensorVersioned) -> c_int;
type Import = unsafe extern "C" fn(*mut DLManagedTensorVersioned, *mut *mut c_void) -> c_int;

/// `kDLComplex`.
const COMPLEX: u8 = 5;

/// Keeps the table of an object's type, where it is the first one seen.
pub(crate) fn learn(object: &Bound<'_, PyAny>) -> PyResult<()> {
    let state = State::current(object.py());
    if state.knows_exchange() || has_buffer(object) {
        return Ok(());
    }
    // Only the type's own: what a type derived from it changes is said by its methods.
    let class = object.get_type();
    let own = class.getattr("__dict__")?;
    let Ok(capsule) = own.get_item("__dlpack_c_exchange_api__") else {
        return Ok(());
    };
    let Ok(capsule) = capsule.cast_into::<PyCapsule>() else {
        return Ok(());
    };
    // SAFETY: the name of a capsule says what it holds: a table that lives as long as the process.
    let table = unsafe {
        if ffi::PyCapsule_IsValid(capsule.as_ptr(), NAME.as_ptr()) != 1 {
            return Ok(());
        }
        ffi::PyCapsule_GetPointer(capsule.as_ptr(), NAME.as_ptr()).cast::<Table>()
    };
    // SAFETY: as above; the version stands first in every version.
    if let Some(table) = NonNull::new(table)
        && unsafe { (*table.as_ptr()).version.major } == VERSION.major
    {
        state.keep_exchange(&class, table);
    }
    Ok(())
}

/// What an object of the known type exports; `None` where `__dlpack__` is to be asked.
pub(super) fn export(object: &Bound<'_, PyAny>) -> Option<NonNull<DLManagedTensorVersioned>> {
    let state = State::current(object.py());
    let table = state.exchange(object)?;
    // A tensor that is more than its items is refused by `__dlpack__`.
    let grad = state.attribute(object, Name::RequiresGrad);
    // SAFETY: the object is of the table's type, and the thread attached.
    let made = unsafe {
        if grad.is_some_and(|grad| grad.as_ptr() != ffi::Py_False()) {
            return None;
        }
        let mut made = null_mut();
        if (*table.as_ptr()).export?(object.as_ptr().cast(), &raw mut made) != 0 {
            ffi::PyErr_Clear();
            return None;
        }
        NonNull::new(made)?
    };
    // SAFETY: the export is complete, and nobody else has it.
    let code = unsafe { (*made.as_ptr()).dl_tensor.dtype.code };
    let turned = |method: Bound<'_, PyAny>| method.call0().and_then(|turned| turned.is_truthy());
    if code == COMPLEX
        && let Some(method) = state.attribute(object, Name::IsConj)
        && turned(method).unwrap_or(true)
    {
        // SAFETY: as above.
        drop(unsafe { Managed::from_raw(made.as_ptr()) });
        return None;
    }
    Some(made)
}

/// A result as an array of the type of `like`, where that is the known one.
///
/// # Errors
/// Of its library.
pub(crate) fn import<'py>(
    like: &Bound<'py, PyAny>,
    array: &Array,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = like.py();
    let Some(table) = State::current(py).exchange(like) else {
        return Ok(None);
    };
    // SAFETY: the table is whole; the function takes the export over, also where it fails.
    unsafe {
        let Some(import) = (*table.as_ptr()).import else {
            return Ok(None);
        };
        let exported = lend(array.clone(), Access::Writable)?.into_versioned();
        let mut made = null_mut::<c_void>();
        if import(exported.as_ptr(), &raw mut made) != 0 {
            return Err(PyErr::fetch(py));
        }
        Bound::from_owned_ptr_or_err(py, made.cast()).map(Some)
    }
}
