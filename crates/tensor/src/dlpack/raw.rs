//! Foreign memory: everything here that dereferences or frees what `DLPack` points to.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::slice;

use super::{
    Access, DEVICE_CPU, DEVICE_CUDA_HOST, DLDevice, DLManagedTensor, DLManagedTensorVersioned,
    DLTensor, FLAG_READ_ONLY, VERSION,
};
use crate::limits::IMPORT_RANK_MAX;
use crate::numpy::lead;
use crate::{DType, Error, Layout, Tensor, size_bytes};

/// What stands behind an export: the structure's own arrays and the owner of the bytes.
struct Context {
    shape: Vec<i64>,
    strides: Vec<i64>,
    _owner: Box<dyn Any + Send + Sync>,
}

pub(super) fn export(tensor: &Tensor) -> Result<Managed, Error> {
    let view = tensor.view();
    let data = view.backing_bytes().as_ptr().cast_mut();
    let owner = Box::new(tensor.clone());
    // SAFETY: `owner` keeps the bytes behind `data` alive and in place, the view's layout lies
    // inside them, and the consumer is told not to write.
    unsafe {
        export_raw(
            data,
            tensor.dtype(),
            tensor.layout(),
            owner,
            Access::ReadOnly,
        )
    }
}

/// Wraps memory for another library; `owner` is dropped when the consumer is done.
///
/// # Errors
/// `LimitReached` when a dimension does not fit `DLPack`'s numbers.
///
/// # Safety
/// Until `owner` is dropped, every element that `layout` names must lie in readable memory at
/// `data`, and with [`Access::Writable`] in writable memory that Rust does not borrow meanwhile.
pub unsafe fn export_raw(
    data: *mut u8,
    dtype: DType,
    layout: &Layout,
    owner: Box<dyn Any + Send + Sync>,
    access: Access,
) -> Result<Managed, Error> {
    let too_large = |_| {
        Error::limit(format!(
            "cannot export shape {:?} by DLPack",
            layout.shape()
        ))
    };
    let shape = layout
        .shape()
        .iter()
        .map(|&n| i64::try_from(n))
        .collect::<Result<Vec<_>, _>>()
        .map_err(too_large)?;
    let ndim = i32::try_from(layout.rank()).map_err(too_large)?;
    let strides = layout
        .strides()
        .iter()
        .map(|&stride| stride as i64)
        .collect();
    let byte_offset = layout.offset() as u64 * dtype.size_bytes().unwrap_or(0) as u64;
    let mut context = Box::new(Context {
        shape,
        strides,
        _owner: owner,
    });
    let dl_tensor = DLTensor {
        data: data.cast(),
        device: DLDevice {
            device_type: DEVICE_CPU,
            device_id: 0,
        },
        ndim,
        dtype: dtype.to_dlpack(),
        shape: context.shape.as_mut_ptr(),
        strides: context.strides.as_mut_ptr(),
        byte_offset,
    };
    let managed = Box::new(DLManagedTensorVersioned {
        version: VERSION,
        manager_ctx: Box::into_raw(context).cast(),
        deleter: Some(delete_versioned),
        flags: if access == Access::ReadOnly {
            FLAG_READ_ONLY
        } else {
            0
        },
        dl_tensor,
    });
    Ok(Managed(NonNull::from(Box::leak(managed))))
}

unsafe extern "C" fn delete_versioned(managed: *mut DLManagedTensorVersioned) {
    // SAFETY: only `export_raw` sets this deleter; both pointers come from its boxes, and DLPack
    // calls a deleter once.
    unsafe {
        let managed = Box::from_raw(managed);
        drop(Box::from_raw(managed.manager_ctx.cast::<Context>()));
    }
}

unsafe extern "C" fn delete_legacy(managed: *mut DLManagedTensor) {
    // SAFETY: only `into_legacy_raw` sets this deleter; both pointers come from its boxes, and
    // DLPack calls a deleter once.
    unsafe {
        let managed = Box::from_raw(managed);
        drop(Box::from_raw(managed.manager_ctx.cast::<Managed>()));
    }
}

unsafe extern "C" fn delete_wrapped(managed: *mut DLManagedTensorVersioned) {
    // SAFETY: only `from_legacy_raw` sets this deleter; `managed` comes from its box and
    // `manager_ctx` is the foreign structure that it took over.
    unsafe {
        let foreign = Box::from_raw(managed).manager_ctx.cast::<DLManagedTensor>();
        if let Some(deleter) = (*foreign).deleter {
            deleter(foreign);
        }
    }
}

/// An exported tensor with its owner; dropping it calls the producer's deleter.
#[derive(Debug)]
pub struct Managed(NonNull<DLManagedTensorVersioned>);

// SAFETY: DLPack lets a consumer use and delete a tensor from any thread.
unsafe impl Send for Managed {}
// SAFETY: shared access only reads the structure and memory that `from_raw` asks to be constant.
unsafe impl Sync for Managed {}

impl Managed {
    /// Takes over an exported structure.
    ///
    /// # Safety
    /// `managed` must point to a valid structure of a producer that nobody else consumes, and the
    /// memory behind it must not change while the result or a tensor made of it is alive.
    ///
    /// # Panics
    /// When `managed` is null.
    pub unsafe fn from_raw(managed: *mut DLManagedTensorVersioned) -> Self {
        Self(NonNull::new(managed).expect("a DLPack structure is not null"))
    }

    /// Takes over an exported structure of `DLPack` before 1.0.
    ///
    /// # Safety
    /// As [`from_raw`](Self::from_raw).
    ///
    /// # Panics
    /// When `managed` is null.
    pub unsafe fn from_legacy_raw(managed: *mut DLManagedTensor) -> Self {
        assert!(!managed.is_null(), "a DLPack structure is not null");
        // SAFETY: the caller vouches for the structure. The copy of `dl_tensor` points to arrays
        // that live until the foreign deleter runs, which `delete_wrapped` does last.
        let dl_tensor = unsafe { ptr::read(&raw const (*managed).dl_tensor) };
        let wrapped = DLManagedTensorVersioned {
            version: VERSION,
            manager_ctx: managed.cast(),
            deleter: Some(delete_wrapped),
            // The old structure cannot say; writing is for those who know the producer.
            flags: FLAG_READ_ONLY,
            dl_tensor,
        };
        Self(NonNull::from(Box::leak(Box::new(wrapped))))
    }

    /// Whether the producer forbids to write, or cannot say.
    pub fn is_read_only(&self) -> bool {
        // SAFETY: the structure is valid as long as `self`.
        unsafe { (*self.0.as_ptr()).flags & FLAG_READ_ONLY != 0 }
    }

    /// Hands the structure out; the taker calls its deleter.
    pub fn into_raw(self) -> *mut DLManagedTensorVersioned {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// Hands the structure out in the form before `DLPack` 1.0; the taker calls its deleter.
    pub fn into_legacy_raw(self) -> *mut DLManagedTensor {
        // SAFETY: the structure is valid as long as `self`, which moves into the new context; its
        // arrays stay in place.
        let dl_tensor = unsafe { ptr::read(&raw const (*self.0.as_ptr()).dl_tensor) };
        let manager_ctx: *mut c_void = Box::into_raw(Box::new(self)).cast();
        Box::into_raw(Box::new(DLManagedTensor {
            dl_tensor,
            manager_ctx,
            deleter: Some(delete_legacy),
        }))
    }

    /// A tensor of the exported memory, which it keeps alive.
    ///
    /// # Errors
    /// `Unsupported` for memory that the CPU cannot read, another major version of `DLPack` or an
    /// unknown element type, `InvalidInput` for negative dimensions or missing pointers,
    /// `LimitReached` for ranks above [`IMPORT_RANK_MAX`] and on overflow.
    pub fn into_tensor(self) -> Result<Tensor, Error> {
        // SAFETY: `from_raw` asks for a valid structure, which lives as long as `self`. Fields
        // after `version` are read only when the major version says where they are.
        let version = unsafe { (*self.0.as_ptr()).version };
        if version.major != VERSION.major {
            // Its deleter has kept its place in every version, so that dropping is sound.
            return Err(Error::unsupported(format!(
                "cannot import DLPack version {}",
                version.major
            )));
        }
        // SAFETY: as above.
        let source = unsafe { &(*self.0.as_ptr()).dl_tensor };
        let (dtype, layout, start, len) = inspect(source)?;
        let memory = Imported {
            _managed: self,
            start,
            len,
        };
        Tensor::from_owner(dtype, layout, Arc::new(memory))
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        // SAFETY: `self` owns the structure and has not handed it out, so this is the one call.
        unsafe {
            if let Some(deleter) = (*self.0.as_ptr()).deleter {
                deleter(self.0.as_ptr());
            }
        }
    }
}

/// Memory of another library.
struct Imported {
    _managed: Managed,
    start: *const u8,
    len: usize,
}

// SAFETY: `Managed` is Send and Sync, and the memory is only read.
unsafe impl Send for Imported {}
// SAFETY: as above.
unsafe impl Sync for Imported {}

impl AsRef<[u8]> for Imported {
    fn as_ref(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: `inspect` found `len` bytes from `start` to be exactly what the producer
        // describes; `_managed` keeps them alive and `from_raw` asks for them to be constant.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}

/// Reads a foreign description: type, layout, lowest address and length in bytes.
fn inspect(source: &DLTensor) -> Result<(DType, Layout, *const u8, usize), Error> {
    if !matches!(source.device.device_type, DEVICE_CPU | DEVICE_CUDA_HOST) {
        return Err(Error::unsupported(format!(
            "cannot read memory of DLPack device {}",
            source.device.device_type
        )));
    }
    let dtype = DType::from_dlpack(source.dtype)?;
    let rank = usize::try_from(source.ndim)
        .map_err(|_| Error::invalid(format!("cannot import {} axes", source.ndim)))?;
    if rank > IMPORT_RANK_MAX {
        return Err(Error::limit(format!(
            "cannot import {rank} axes: at most {IMPORT_RANK_MAX}"
        )));
    }
    let shape = array(source.shape, rank)
        .ok_or_else(|| Error::invalid("cannot import a DLPack tensor without a shape"))?
        .iter()
        .map(|&n| {
            usize::try_from(n).map_err(|_| Error::invalid(format!("cannot import dimension {n}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let layout = match array(source.strides, rank) {
        Some(strides) if rank > 0 => {
            let strides: Vec<isize> = strides.iter().map(|&stride| stride as isize).collect();
            let before = lead(&shape, &strides)?;
            Layout::strided(shape, strides, before)?
        }
        _ => Layout::contiguous(shape)?,
    };
    let len = match dtype.size_bytes() {
        Some(size) => layout.places().end.checked_mul(size),
        None => Some(size_bytes(dtype, layout.shape())?),
    };
    let len = len
        .filter(|&len| len <= isize::MAX.cast_unsigned())
        .ok_or_else(|| {
            Error::limit(format!(
                "cannot import shape {:?}: overflow",
                layout.shape()
            ))
        })?;
    if source.data.is_null() && len > 0 {
        return Err(Error::invalid(format!(
            "cannot import {len} bytes at a null pointer"
        )));
    }
    let before = layout.offset() * dtype.size_bytes().unwrap_or(0);
    let start = source.data.cast::<u8>().cast_const();
    Ok((
        dtype,
        layout,
        start
            .wrapping_add(source.byte_offset as usize)
            .wrapping_sub(before),
        len,
    ))
}

fn array<'a>(start: *const i64, len: usize) -> Option<&'a [i64]> {
    match (len, start.is_null()) {
        (0, _) => Some(&[]),
        (_, true) => None,
        // SAFETY: DLPack says that there are `ndim` numbers at a pointer that is not null; callers
        // use them before the structure is deleted.
        _ => Some(unsafe { slice::from_raw_parts(start, len) }),
    }
}
