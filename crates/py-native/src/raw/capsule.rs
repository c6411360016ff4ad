//! `DLPack` capsules.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

use nexus_tensor::dlpack::{self, Access};
use nexus_tensor::{DType, Layout};
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::Memory;

const VERSIONED: &CStr = c"dltensor_versioned";
const LEGACY: &CStr = c"dltensor";

/// Shares the elements that `layout` names; `versioned` is the form of `DLPack` 1.0.
///
/// # Errors
/// `BufferError` when the layout leaves the memory, or `DLPack` cannot say what it is.
pub(crate) fn capsule<'py>(
    py: Python<'py>,
    dtype: DType,
    layout: &Layout,
    memory: &Memory,
    versioned: bool,
) -> PyResult<Bound<'py, PyCapsule>> {
    let end = layout.places().end.checked_mul(dtype.bits());
    if end.is_none_or(|bits| bits.div_ceil(8) > memory.len()) {
        return Err(PyBufferError::new_err(
            "cannot export elements outside the memory",
        ));
    }
    let access = if memory.read_only() {
        Access::ReadOnly
    } else {
        Access::Writable
    };
    let owner = Box::new(memory.clone());
    // SAFETY: `owner` keeps the bytes in place, the layout lies inside them, and Rust borrows the
    // bytes only within calls (see `Memory::bytes`).
    let exported = unsafe { dlpack::export_raw(memory.start(), dtype, layout, owner, access) };
    let exported = exported.map_err(|error| PyBufferError::new_err(error.to_string()))?;
    let (pointer, name): (*mut c_void, _) = if versioned {
        (exported.into_raw().cast(), VERSIONED)
    } else {
        (exported.into_legacy_raw().cast(), LEGACY)
    };
    let pointer = NonNull::new(pointer).expect("an export is not null");
    // SAFETY: the pointer is an export that nobody else has; `free` deletes it unless a consumer
    // has taken it and renamed the capsule.
    unsafe { PyCapsule::new_with_pointer_and_destructor(py, pointer, name, Some(free)) }
}

/// Deletes an export that nobody has taken.
unsafe extern "C" fn free(capsule: *mut ffi::PyObject) {
    // SAFETY: CPython calls this with the capsule made above; the name says what kind of
    // structure it holds, and a consumer that has taken it has changed the name.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule, VERSIONED.as_ptr()) == 1 {
            drop(dlpack::Managed::from_raw(
                ffi::PyCapsule_GetPointer(capsule, VERSIONED.as_ptr()).cast(),
            ));
        } else if ffi::PyCapsule_IsValid(capsule, LEGACY.as_ptr()) == 1 {
            let managed = ffi::PyCapsule_GetPointer(capsule, LEGACY.as_ptr());
            drop(dlpack::Managed::from_legacy_raw(managed.cast()));
        }
    }
}
