//! Memory of other objects as arrays: the buffer protocol and `DLPack`.

use super::exchange;
use super::lent::{Keeper, detached};
use super::{Array, Dims, Dtype, Matrix};
use crate::dtype::{Item, Source, with_item};
use nexus_tensor::dlpack::{
    self, Access, DLDataType, DLManagedTensor, DLManagedTensorVersioned, DLTensor, Managed,
};
use nexus_tensor::{DType, Layout};
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};
use std::any::Any;
use std::ffi::{CStr, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

const VERSIONED: &CStr = c"dltensor_versioned";
const LEGACY: &CStr = c"dltensor";

/// Whether an object has the buffer protocol.
pub(crate) fn has_buffer(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the object is alive.
    unsafe { ffi::PyObject_CheckBuffer(object.as_ptr()) == 1 }
}

/// Whether an object is NumPy's array, as far as the name of its type says.
pub(crate) fn is_ndarray(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the object is alive; the name of a type ends with zero.
    unsafe { CStr::from_ptr((*ffi::Py_TYPE(object.as_ptr())).tp_name) == c"numpy.ndarray" }
}

/// The items of an object with the buffer protocol, shared where they are of one of our types.
///
/// # Errors
/// `TypeError` for items that are no numbers.
pub(crate) fn from_buffer(object: &Bound<'_, PyAny>) -> PyResult<Array> {
    let py = object.py();
    let mut view = Box::new(ffi::Py_buffer::new());
    // SAFETY: the object is alive; a view that was filled is the keeper's. Shape and strides, which were asked
    // for, have an item for each axis; the buffer describes its items, and keeps them until it is released.
    unsafe {
        if ffi::PyObject_GetBuffer(object.as_ptr(), &raw mut *view, ffi::PyBUF_FULL_RO) != 0 {
            return Err(PyErr::fetch(py));
        }
        let (rank, size) = (view.ndim.unsigned_abs() as usize, view.itemsize);
        let (start, is_indirect) = (
            view.buf.cast::<u8>().cast_const(),
            !view.suboffsets.is_null(),
        );
        let format = if view.format.is_null() {
            c"B"
        } else {
            CStr::from_ptr(view.format)
        };
        let format = format.to_string_lossy().into_owned();
        let dims = |items: *const isize| match rank {
            0 => Dims::new([]),
            _ => Dims::new(std::slice::from_raw_parts(items, rank).iter().copied()),
        };
        let (shape, strides) = (dims(view.shape), dims(view.strides));
        let keeper = Arc::new(Keeper::buffer(py, view));
        let dtype = Source::of_format(&format, size.cast_unsigned()).ok_or_else(|| {
            PyTypeError::new_err(format!(
                "cannot compute with a buffer of format `{format}`: its items are no numbers"
            ))
        })?;
        if is_indirect {
            let message = "cannot compute with a buffer of pointers to rows";
            return Err(PyTypeError::new_err(message));
        }
        adopt(dtype, (shape?, strides?), start, keeper)
    }
}

/// The items of an object that speaks `DLPack`, shared where they are of one of our types.
///
/// # Errors
/// What `__dlpack__` raises; `TypeError` for items that are no numbers, `BufferError` for memory of devices.
pub(crate) fn from_dlpack(object: &Bound<'_, PyAny>) -> PyResult<Array> {
    array_of(exported(object)?)
}

/// What `__dlpack__` of an object gives, or the table of its type in its stead.
fn exported(object: &Bound<'_, PyAny>) -> PyResult<(Managed, DLDataType)> {
    if let Some(made) = exchange::export(object) {
        // SAFETY: the export is complete, and nobody else has it.
        return Ok(unsafe { known(made) });
    }
    exchange::learn(object)?;
    let py = object.py();
    let options = PyDict::new(py);
    let version = dlpack::VERSION;
    options.set_item("max_version", (version.major, version.minor))?;
    let capsule = match object.call_method("__dlpack__", (), Some(&options)) {
        Err(error) if error.is_instance_of::<PyTypeError>(py) => object.call_method0("__dlpack__"),
        made => made,
    }?;
    let capsule = capsule.cast_into::<PyCapsule>()?;
    take(&capsule)
}

/// The items of an export.
fn array_of((managed, dtype): (Managed, DLDataType)) -> PyResult<Array> {
    let DLDataType { code, bits, .. } = dtype;
    let dtype = Source::of_dlpack(dtype)
        .ok_or_else(|| refused(&format!("{bits} bits and code {code} of DLPack")))?;
    let size = dtype.size().cast_signed();
    let tensor = managed
        .into_tensor()
        .map_err(|error| PyBufferError::new_err(error.to_string()))?;
    let layout = tensor.layout();
    let shape = Dims::shape(layout.shape())?;
    let strides = layout.strides().iter();
    let strides = Dims::new(strides.map(|stride| stride.wrapping_mul(size)))?;
    let start = tensor.view().backing_bytes().as_ptr();
    let known = tensor.dtype().size_bytes().unwrap_or_default();
    let start = start.wrapping_add(layout.offset() * known);
    // SAFETY: the tensor has checked its layout, and keeps the producer's memory.
    unsafe { adopt(dtype, (shape, strides), start, Arc::new(tensor)) }
}

/// Takes the structure out of a capsule, which counts as used then, and says of which type its items are.
///
/// `nexus-tensor`, which checks the rest, has no complex128; to it, these are the real parts.
fn take(capsule: &Bound<'_, PyCapsule>) -> PyResult<(Managed, DLDataType)> {
    let raw = capsule.as_ptr();
    // SAFETY: the name of a capsule says what it holds; renaming it is how a consumer takes it over, and
    // nobody else has it then. Others may write to the memory while it is shared: see `Stack::get`.
    unsafe {
        if ffi::PyCapsule_IsValid(raw, VERSIONED.as_ptr()) == 1 {
            let pointer = ffi::PyCapsule_GetPointer(raw, VERSIONED.as_ptr());
            let pointer = NonNull::new(pointer.cast()).expect("a capsule holds no null");
            ffi::PyCapsule_SetName(raw, c"used_dltensor_versioned".as_ptr());
            Ok(known(pointer))
        } else if ffi::PyCapsule_IsValid(raw, LEGACY.as_ptr()) == 1 {
            let pointer = ffi::PyCapsule_GetPointer(raw, LEGACY.as_ptr());
            let pointer = pointer.cast::<DLManagedTensor>();
            let dtype = as_known(&mut (*pointer).dl_tensor);
            ffi::PyCapsule_SetName(raw, c"used_dltensor".as_ptr());
            Ok((Managed::from_legacy_raw(pointer), dtype))
        } else {
            Err(PyTypeError::new_err(
                "`__dlpack__` gave a capsule that is not DLPack's",
            ))
        }
    }
}

/// Takes an export over, and says of which type its items are.
///
/// # Safety
/// As [`Managed::from_raw`].
unsafe fn known(made: NonNull<DLManagedTensorVersioned>) -> (Managed, DLDataType) {
    // SAFETY: the caller's.
    unsafe {
        let dtype = as_known(&mut (*made.as_ptr()).dl_tensor);
        (Managed::from_raw(made.as_ptr()), dtype)
    }
}

/// Says of which type the items are, and gives complex128 a type that `nexus-tensor` knows.
fn as_known(tensor: &mut DLTensor) -> DLDataType {
    let dtype = tensor.dtype;
    if Source::of_dlpack(dtype) == Some(Source::Own(Dtype::C128)) {
        tensor.dtype = Dtype::F64.to_dlpack();
    }
    dtype
}

pub(super) fn refused(dtype: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "cannot compute with items of type {dtype}: they are no numbers of at most 64 bits a part, in this \
         machine's order of bytes"
    ))
}

/// Items in memory of others: shared where they are of one of our types and aligned, otherwise copied as numbers
/// of the type that holds them.
///
/// # Safety
/// While `owner` lives, every index inside the shape must lead from `start`, by strides in bytes, to an item.
pub(super) unsafe fn adopt(
    source: Source,
    (shape, strides): (Dims, Dims),
    start: *const u8,
    owner: Arc<dyn Any + Send + Sync>,
) -> PyResult<Array> {
    if let Source::Own(dtype) = source {
        let size = dtype.size().cast_signed();
        let used = shape.iter().zip(strides.iter()).filter(|&(&n, _)| n > 1);
        let whole = used.into_iter().all(|(_, stride)| stride % size == 0);
        if whole && start.addr().is_multiple_of(dtype.align()) {
            let strides = Dims::new(strides.iter().map(|stride| stride / size))?;
            // SAFETY: the caller's; alignment is checked.
            return Ok(unsafe { Array::shared(dtype, (shape, strides), start, owner) });
        }
    }
    // SAFETY of all: the caller's.
    match source {
        Source::Own(dtype) => with_item!(dtype, T => unsafe {
            copied::<T, T>((shape, strides), start, |item| item)
        }),
        Source::U16 => unsafe { copied::<u16, i32>((shape, strides), start, i32::from) },
        Source::U32 => unsafe { copied::<u32, i64>((shape, strides), start, i64::from) },
        Source::U64 => unsafe { copied((shape, strides), start, |item: u64| item as f64) },
    }
}

/// Items of type `S`, aligned or not, as numbers.
///
/// # Safety
/// As [`adopt`], for items of `S`.
unsafe fn copied<S: Copy, T: Item>(
    (shape, strides): (Dims, Dims),
    start: *const u8,
    convert: impl Fn(S) -> T,
) -> PyResult<Array> {
    let mut values = Vec::new();
    super::dims::walk(&shape, &strides, 0, &mut |at| {
        // SAFETY: the caller's; `walk` names indices inside the shape only.
        let item = unsafe { start.offset(at).cast::<S>().read_unaligned() };
        values.push(convert(item));
    });
    Array::of(&values, shape)
}

/// The bytes of a buffer as items, shared where they are aligned; `None` where they are not whole items.
///
/// # Errors
/// Of the buffer.
pub(crate) fn from_bytes(object: &Bound<'_, PyAny>, dtype: Dtype) -> PyResult<Option<Array>> {
    let bytes = from_buffer(object)?;
    let size = dtype.size();
    if !bytes.is_dense() || bytes.dtype.size() != 1 || bytes.len() % size != 0 {
        return Ok(None);
    }
    let shape = Dims::new([(bytes.len() / size).cast_signed()])?;
    let strides = Dims::new([size.cast_signed()])?;
    // The address must not move with the array.
    let owner = Arc::new(bytes);
    // SAFETY: the bytes are dense, and any bytes are numbers of any type.
    unsafe { adopt(Source::Own(dtype), (shape, strides), owner.start(), owner).map(Some) }
}

/// An array of another library that takes a result: a writable buffer, or one that speaks `DLPack`.
pub(crate) struct Target(Array);

impl Target {
    /// The place that `out` is for a result.
    ///
    /// # Errors
    /// `TypeError` for what is no writable array of the result's type, `ValueError` for another shape.
    pub(crate) fn of(name: &str, out: &Bound<'_, PyAny>, array: &Array) -> PyResult<Self> {
        if Matrix::of(out).is_some() {
            let message = format!(
                "{name}: out is a Matrix, which is immutable: give an array that may be written"
            );
            return Err(PyTypeError::new_err(message));
        }
        let mut writable = true;
        if !has_buffer(out) && !out.hasattr("__dlpack__")? {
            let class = out.get_type();
            let message = format!(
                "{name}: out is an array that may be written, not {}",
                class.name()?
            );
            return Err(PyTypeError::new_err(message));
        }
        let target = if has_buffer(out) {
            let mut view = ffi::Py_buffer::new();
            // SAFETY: the object is alive; a view that was filled is released.
            unsafe {
                if ffi::PyObject_GetBuffer(out.as_ptr(), &raw mut view, ffi::PyBUF_FULL) == 0 {
                    ffi::PyBuffer_Release(&raw mut view);
                } else {
                    drop(PyErr::fetch(out.py()));
                    writable = false;
                }
            }
            from_buffer(out)?
        } else {
            let exported = exported(out)?;
            writable = !exported.0.is_read_only();
            array_of(exported)?
        };
        let text = crate::text::shape;
        if !writable {
            let message = format!("{name}: out cannot be written: it is read-only");
            return Err(PyTypeError::new_err(message));
        }
        if target.dtype != array.dtype {
            let (found, expected) = (target.dtype.name(), array.dtype.name());
            let message = format!("{name}: out has items of type {found}, the result {expected}");
            return Err(PyTypeError::new_err(message));
        }
        if !target.is_foreign() {
            let message = format!("{name}: out cannot be written: its items are not aligned");
            return Err(PyTypeError::new_err(message));
        }
        if *target.shape() != *array.shape() {
            let (found, expected) = (text(&target.shape()), text(&array.shape()));
            let message = format!("{name}: out has the shape {found}, the result {expected}");
            return Err(PyValueError::new_err(message));
        }
        Ok(Self(target))
    }

    /// Copies the result that the place is for.
    ///
    /// # Panics
    /// When it is another one.
    pub(crate) fn write(&self, array: &Array) {
        // SAFETY: the library says that its array may be written.
        with_item!(array.dtype, T => unsafe { self.0.overwrite::<T>(&array.values::<T>()) });
    }
}

/// An array that a library has, and drops on any thread.
struct Exported(Option<Array>);

impl Drop for Exported {
    fn drop(&mut self) {
        detached(|| drop(self.0.take()));
    }
}

/// The items of an array, to be exported.
pub(super) struct Lending {
    managed: Managed,
    /// Written last, for `nexus-tensor` does not know all types.
    dtype: DLDataType,
    byte_offset: u64,
}

/// Shares the items of an array with another library.
///
/// # Errors
/// `BufferError` when `DLPack` cannot say what they are.
pub(super) fn lend(array: Array, access: Access) -> PyResult<Lending> {
    let owner = Box::new(Exported(Some(array)));
    let array = owner.0.as_ref().expect("it has just been put there");
    let failed = |error: nexus_tensor::Error| PyBufferError::new_err(error.to_string());
    let (dtype, known) = match array.dtype {
        Dtype::C128 => (Dtype::C128, DType::F64),
        dtype => (
            dtype,
            DType::from_dlpack(dtype.to_dlpack()).map_err(failed)?,
        ),
    };
    let (shape, strides) = (array.shape(), array.strides());
    let lead: isize = shape
        .iter()
        .zip(strides.iter())
        .filter(|&(&n, &stride)| n > 1 && stride < 0)
        .map(|(n, stride)| (n - 1) * -stride)
        .sum();
    let lengths: Vec<usize> = shape.iter().map(|n| n.cast_unsigned()).collect();
    let layout =
        Layout::strided(lengths, strides.to_vec(), lead.cast_unsigned()).map_err(failed)?;
    let start = array.start().cast_mut();
    let start = start.wrapping_offset(-lead * array.dtype.size().cast_signed());
    // SAFETY: the array keeps its items in place; `Access::Writable` is asked for by those who alone have it.
    let managed = unsafe { dlpack::export_raw(start, known, &layout, owner, access) };
    Ok(Lending {
        managed: managed.map_err(failed)?,
        dtype: dtype.to_dlpack(),
        byte_offset: lead.unsigned_abs() as u64 * dtype.size() as u64,
    })
}

impl Lending {
    /// The structure, whose taker deletes it.
    pub(super) fn into_versioned(self) -> NonNull<DLManagedTensorVersioned> {
        let made = self.managed.into_raw();
        // SAFETY: nobody else has the export yet.
        unsafe {
            (*made).dl_tensor.dtype = self.dtype;
            (*made).dl_tensor.byte_offset = self.byte_offset;
            NonNull::new_unchecked(made)
        }
    }

    /// The same in the form before `DLPack` 1.0.
    fn into_legacy(self) -> NonNull<DLManagedTensor> {
        let made = self.managed.into_legacy_raw();
        // SAFETY: as above.
        unsafe {
            (*made).dl_tensor.dtype = self.dtype;
            (*made).dl_tensor.byte_offset = self.byte_offset;
            NonNull::new_unchecked(made)
        }
    }
}

/// The items of an array as a `DLPack` capsule, shared.
///
/// # Errors
/// As [`lend`].
pub(crate) fn export(
    py: Python<'_>,
    array: Array,
    versioned: bool,
    access: Access,
) -> PyResult<Bound<'_, PyAny>> {
    let lending = lend(array, access)?;
    let (pointer, name): (NonNull<c_void>, _) = if versioned {
        (lending.into_versioned().cast(), VERSIONED)
    } else {
        (lending.into_legacy().cast(), LEGACY)
    };
    // SAFETY: the pointer is an export that nobody else has; `free` deletes it unless a consumer has taken it
    // and renamed the capsule.
    let capsule =
        unsafe { PyCapsule::new_with_pointer_and_destructor(py, pointer, name, Some(free)) };
    Ok(capsule?.into_any())
}

/// Deletes an export that nobody has taken.
unsafe extern "C" fn free(capsule: *mut ffi::PyObject) {
    // SAFETY: CPython calls this with the capsule made above; the name says what kind of structure it holds,
    // and a consumer that has taken it has changed the name.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule, VERSIONED.as_ptr()) == 1 {
            let managed = ffi::PyCapsule_GetPointer(capsule, VERSIONED.as_ptr());
            drop(Managed::from_raw(managed.cast()));
        } else if ffi::PyCapsule_IsValid(capsule, LEGACY.as_ptr()) == 1 {
            let managed = ffi::PyCapsule_GetPointer(capsule, LEGACY.as_ptr());
            drop(Managed::from_legacy_raw(managed.cast()));
        }
    }
}
