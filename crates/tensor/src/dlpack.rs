//! Exchange of tensors with other libraries by [DLPack], without copies.
//!
//! [`export`](Tensor::to_dlpack) wraps a [`Tensor`] for another library; [`Managed::into_tensor`]
//! takes over what another library exported. Only memory that the CPU reads is exchanged.
//!
//! ```
//! use nexus_tensor::{Tensor, dlpack::Managed};
//!
//! let tensor = Tensor::from_vec([2], vec![1.0_f32, 2.0])?;
//! let exported = tensor.to_dlpack()?.into_raw();
//! // SAFETY: the pointer has just been exported, and nobody else has it.
//! let imported = unsafe { Managed::from_raw(exported) }.into_tensor()?;
//! assert_eq!(imported.as_slice::<f32>()?, [1.0, 2.0]);
//! # Ok::<(), nexus_tensor::Error>(())
//! ```
//!
//! [DLPack]: https://dmlc.github.io/dlpack/latest/c_api.html

mod raw;

use alloc::format;
use core::ffi::c_void;

pub use raw::{Managed, export_raw};

use crate::{DType, Error, Tensor};

/// The version of `DLPack` that this module writes.
pub const VERSION: DLPackVersion = DLPackVersion { major: 1, minor: 1 };

/// Set in [`DLManagedTensorVersioned::flags`] when the consumer must not write.
pub const FLAG_READ_ONLY: u64 = 1;

/// `kDLCPU`.
pub const DEVICE_CPU: i32 = 1;

/// `kDLCUDAHost`: page-locked memory that the CPU reads too.
pub const DEVICE_CUDA_HOST: i32 = 3;

/// `DLPackVersion`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLPackVersion {
    /// Changes when the structures change.
    pub major: u32,
    /// Changes when codes are added.
    pub minor: u32,
}

/// `DLDevice`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDevice {
    /// [`DEVICE_CPU`] or another `kDL*`.
    pub device_type: i32,
    /// Which of several devices.
    pub device_id: i32,
}

/// `DLDataType`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDataType {
    /// `DLDataTypeCode`.
    pub code: u8,
    /// Bits of one lane.
    pub bits: u8,
    /// Lanes of one element: 1 but for vector types.
    pub lanes: u16,
}

/// `DLTensor`.
#[repr(C)]
#[derive(Debug)]
pub struct DLTensor {
    /// The start of the memory.
    pub data: *mut c_void,
    /// Where the memory is.
    pub device: DLDevice,
    /// The number of axes.
    pub ndim: i32,
    /// The element type.
    pub dtype: DLDataType,
    /// `ndim` lengths.
    pub shape: *mut i64,
    /// `ndim` strides in elements, or null for a dense tensor.
    pub strides: *mut i64,
    /// The distance from `data` to element `[0, 0, ...]` in bytes.
    pub byte_offset: u64,
}

/// `DLManagedTensor`, the structure before `DLPack` 1.0, in capsules named `dltensor`.
#[repr(C)]
#[derive(Debug)]
pub struct DLManagedTensor {
    /// The tensor.
    pub dl_tensor: DLTensor,
    /// The producer's own.
    pub manager_ctx: *mut c_void,
    /// Called once when the consumer is done.
    pub deleter: Option<unsafe extern "C" fn(*mut Self)>,
}

/// `DLManagedTensorVersioned`, in capsules named `dltensor_versioned`.
#[repr(C)]
#[derive(Debug)]
pub struct DLManagedTensorVersioned {
    /// The producer's version.
    pub version: DLPackVersion,
    /// The producer's own.
    pub manager_ctx: *mut c_void,
    /// Called once when the consumer is done.
    pub deleter: Option<unsafe extern "C" fn(*mut Self)>,
    /// [`FLAG_READ_ONLY`] and others.
    pub flags: u64,
    /// The tensor.
    pub dl_tensor: DLTensor,
}

/// Whether a consumer may write to an exported tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The consumer must not write.
    ReadOnly,
    /// The consumer may write; nobody in Rust borrows the bytes meanwhile.
    Writable,
}

impl Tensor {
    /// Wraps the tensor for another library, read-only. Costs two small allocations.
    ///
    /// # Errors
    /// `Unsupported` when `DLPack` has no such element type.
    pub fn to_dlpack(&self) -> Result<Managed, Error> {
        raw::export(self)
    }
}

/// Codes of `DLDataTypeCode`, with their element size, for every type.
const CODES: [(DType, u8); 22] = [
    (DType::BOOL, 6),
    (DType::F4, 17),
    (DType::F6_E2M3, 15),
    (DType::F6_E3M2, 16),
    (DType::U8, 1),
    (DType::I8, 0),
    (DType::F8_E5M2, 12),
    (DType::F8_E4M3, 10),
    (DType::F8_E8M0, 14),
    (DType::F8_E4M3FNUZ, 11),
    (DType::F8_E5M2FNUZ, 13),
    (DType::I16, 0),
    (DType::U16, 1),
    (DType::F16, 2),
    (DType::BF16, 4),
    (DType::I32, 0),
    (DType::U32, 1),
    (DType::F32, 2),
    (DType::C64, 5),
    (DType::F64, 2),
    (DType::I64, 0),
    (DType::U64, 1),
];

impl DType {
    /// The type in `DLPack`, with one lane.
    pub fn to_dlpack(self) -> DLDataType {
        // The table is in the order of the variants, which a test checks.
        DLDataType {
            code: CODES[self as usize].1,
            bits: self.bits() as u8,
            lanes: 1,
        }
    }

    /// The type that a `DLPack` type stands for.
    ///
    /// # Errors
    /// `Unsupported` for vector types and for types that no [`DType`] stands for.
    pub fn from_dlpack(foreign: DLDataType) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|dtype| dtype.to_dlpack() == foreign)
            .ok_or_else(|| {
                let DLDataType { code, bits, lanes } = foreign;
                Error::unsupported(format!(
                    "cannot represent DLPack type {code} of {bits} bits and {lanes} lanes"
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_the_order_of_the_types() {
        assert!(CODES.iter().map(|(dtype, _)| *dtype).eq(DType::ALL));
    }
}
