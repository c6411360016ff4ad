//! Memory of other objects as arrays: the buffer protocol and `DLPack`.

use super::lent::{Keeper, detached};
use super::{Array, Dims, Dtype};
use half::{bf16, f16};
use nexus_tensor::dlpack::{self, Access, Managed};
use nexus_tensor::{DType, Layout};
use pyo3::exceptions::{PyBufferError, PyTypeError};
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

/// The items of an object with the buffer protocol, shared where they are float32 or float64.
///
/// # Errors
/// `TypeError` for items that are no real numbers.
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
        let dtype = of_format(&format, size.cast_unsigned()).ok_or_else(|| {
            PyTypeError::new_err(format!(
                "cannot compute with a buffer of format `{format}`: its items are no real numbers"
            ))
        })?;
        if is_indirect {
            let message = "cannot compute with a buffer of pointers to rows";
            return Err(PyTypeError::new_err(message));
        }
        adopt(dtype, (shape?, strides?), start, keeper)
    }
}

/// The type of a format of the module `struct`, in the machine's order of bytes.
fn of_format(format: &str, size: usize) -> Option<DType> {
    let code = match format.as_bytes() {
        [code] | [b'@' | b'=', code] => *code,
        [b'<', code] if cfg!(target_endian = "little") => *code,
        _ => return None,
    };
    Some(match (code, size) {
        (b'e', 2) => DType::F16,
        (b'f', 4) => DType::F32,
        (b'd', 8) => DType::F64,
        (b'b', 1) => DType::I8,
        (b'B', 1) => DType::U8,
        (b'h', 2) => DType::I16,
        (b'H', 2) => DType::U16,
        (b'i' | b'l', 4) => DType::I32,
        (b'I' | b'L', 4) => DType::U32,
        (b'l' | b'q' | b'n', 8) => DType::I64,
        (b'L' | b'Q' | b'N', 8) => DType::U64,
        _ => return None,
    })
}

/// The items of an object that speaks `DLPack`, shared where they are float32 or float64.
///
/// # Errors
/// What `__dlpack__` raises; `TypeError` for items that are no real numbers, `BufferError` for memory of devices.
pub(crate) fn from_dlpack(object: &Bound<'_, PyAny>) -> PyResult<Array> {
    let py = object.py();
    let options = PyDict::new(py);
    let version = dlpack::VERSION;
    options.set_item("max_version", (version.major, version.minor))?;
    let capsule = match object.call_method("__dlpack__", (), Some(&options)) {
        Err(error) if error.is_instance_of::<PyTypeError>(py) => object.call_method0("__dlpack__"),
        made => made,
    }?;
    let capsule = capsule.cast_into::<PyCapsule>()?;
    let managed = take(&capsule)?;
    let tensor = managed
        .into_tensor()
        .map_err(|error| PyBufferError::new_err(error.to_string()))?;
    let (dtype, layout) = (tensor.dtype(), tensor.layout());
    let size = dtype
        .size_bytes()
        .ok_or_else(|| refused(&dtype.to_string()))?
        .cast_signed();
    let shape = Dims::shape(layout.shape())?;
    let strides = Dims::new(
        layout
            .strides()
            .iter()
            .map(|stride| stride.wrapping_mul(size)),
    )?;
    let start = tensor.view().backing_bytes().as_ptr();
    let start = start.wrapping_offset(layout.offset().cast_signed() * size);
    // SAFETY: the tensor has checked its layout, and keeps the producer's memory.
    unsafe { adopt(dtype, (shape, strides), start, Arc::new(tensor)) }
}

/// Takes the structure out of a capsule, which counts as used then.
fn take(capsule: &Bound<'_, PyCapsule>) -> PyResult<Managed> {
    let raw = capsule.as_ptr();
    // SAFETY: the name of a capsule says what it holds; renaming it is how a consumer takes it over, and
    // nobody else has it then. Others may write to the memory while it is shared: see `Stack::get`.
    unsafe {
        if ffi::PyCapsule_IsValid(raw, VERSIONED.as_ptr()) == 1 {
            let pointer = ffi::PyCapsule_GetPointer(raw, VERSIONED.as_ptr());
            ffi::PyCapsule_SetName(raw, c"used_dltensor_versioned".as_ptr());
            Ok(Managed::from_raw(pointer.cast()))
        } else if ffi::PyCapsule_IsValid(raw, LEGACY.as_ptr()) == 1 {
            let pointer = ffi::PyCapsule_GetPointer(raw, LEGACY.as_ptr());
            ffi::PyCapsule_SetName(raw, c"used_dltensor".as_ptr());
            Ok(Managed::from_legacy_raw(pointer.cast()))
        } else {
            Err(PyTypeError::new_err(
                "`__dlpack__` gave a capsule that is not DLPack's",
            ))
        }
    }
}

pub(super) fn refused(dtype: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "cannot compute with items of type {dtype}: they are no real numbers"
    ))
}

/// Items in memory of others: shared where they are float32 or float64, otherwise copied as numbers of the type
/// that holds them.
///
/// # Safety
/// While `owner` lives, every index inside the shape must lead from `start`, by strides in bytes, to an item.
pub(super) unsafe fn adopt(
    dtype: DType,
    (shape, strides): (Dims, Dims),
    start: *const u8,
    owner: Arc<dyn Any + Send + Sync>,
) -> PyResult<Array> {
    let shared = match dtype {
        DType::F32 => Some(Dtype::F32),
        DType::F64 => Some(Dtype::F64),
        _ => None,
    };
    if let Some(dtype) = shared {
        let size = dtype.size().cast_signed();
        let used = shape.iter().zip(strides.iter()).filter(|&(&n, _)| n > 1);
        let whole = used.into_iter().all(|(_, stride)| stride % size == 0);
        if whole && start.addr().is_multiple_of(dtype.size()) {
            let strides = Dims::new(strides.iter().map(|stride| stride / size))?;
            // SAFETY: the caller's; alignment is checked.
            return Ok(unsafe { Array::shared(dtype, (shape, strides), start, owner) });
        }
    }
    macro_rules! read {
        ($type:ty => $item:ty) => {
            // SAFETY: the caller's.
            unsafe { copied::<$type, $item>((shape, strides), start, <$item>::from) }
        };
    }
    match dtype {
        DType::F16 => read!(f16 => f32),
        DType::BF16 => read!(bf16 => f32),
        DType::F32 => read!(f32 => f32),
        DType::F64 => read!(f64 => f64),
        DType::I8 => read!(i8 => f64),
        DType::U8 => read!(u8 => f64),
        DType::I16 => read!(i16 => f64),
        DType::U16 => read!(u16 => f64),
        DType::I32 => read!(i32 => f64),
        DType::U32 => read!(u32 => f64),
        // SAFETY: the caller's.
        DType::I64 => unsafe { copied((shape, strides), start, |item: i64| item as f64) },
        // SAFETY: the caller's.
        DType::U64 => unsafe { copied((shape, strides), start, |item: u64| item as f64) },
        other => Err(refused(&other.to_string())),
    }
}

/// Items of type `S`, aligned or not, as numbers.
///
/// # Safety
/// As [`adopt`], for items of `S`.
unsafe fn copied<S: Copy, T: super::Item>(
    (shape, strides): (Dims, Dims),
    start: *const u8,
    convert: impl Fn(S) -> T,
) -> PyResult<Array> {
    let mut values = Vec::new();
    super::array::walk(&shape, &strides, 0, &mut |at| {
        // SAFETY: the caller's; `walk` names indices inside the shape only.
        let item = unsafe { start.offset(at).cast::<S>().read_unaligned() };
        values.push(convert(item));
    });
    Array::of(&values, shape)
}

/// An array that a library has, and drops on any thread.
struct Exported(Option<Array>);

impl Drop for Exported {
    fn drop(&mut self) {
        detached(|| drop(self.0.take()));
    }
}

/// The items of an array as a `DLPack` capsule, shared.
///
/// # Errors
/// `BufferError` when `DLPack` cannot say what they are.
pub(crate) fn export(
    py: Python<'_>,
    array: Array,
    versioned: bool,
    access: Access,
) -> PyResult<Bound<'_, PyAny>> {
    let owner = Box::new(Exported(Some(array)));
    let array = owner.0.as_ref().expect("it has just been put there");
    let failed = |error: nexus_tensor::Error| PyBufferError::new_err(error.to_string());
    let dtype = match array.dtype {
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        Dtype::I64 => DType::I64,
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
    let exported = unsafe { dlpack::export_raw(start, dtype, &layout, owner, access) };
    let exported = exported.map_err(failed)?;
    let (pointer, name): (*mut c_void, _) = if versioned {
        (exported.into_raw().cast(), VERSIONED)
    } else {
        (exported.into_legacy_raw().cast(), LEGACY)
    };
    let pointer = NonNull::new(pointer).expect("an export is not null");
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
