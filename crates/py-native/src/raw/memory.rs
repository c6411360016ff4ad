//! Bytes at a fixed address, and what keeps them there.

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use arrow_buffer::Buffer;
use nexus_loader::{Batch, ImageBatch};
use nexus_safetensors::Region;
use nexus_tensor::DType;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// Bytes that Python may read and write, and their owner. Clones share the bytes.
#[derive(Clone)]
pub(crate) struct Memory {
    start: *mut u8,
    len: usize,
    read_only: bool,
    _owner: Arc<dyn Send + Sync>,
}

// SAFETY: the address is constant and the owner keeps the memory in place until it is dropped,
// from any thread. Reads and writes race only as Python programs let threads race on one buffer.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// The bytes of a tensor of a file, or of a part of one.
    pub(crate) fn of_region(region: Region) -> Self {
        Self {
            start: region.as_mut_ptr(),
            len: region.len(),
            read_only: false,
            _owner: Arc::new(region),
        }
    }

    /// The tokens of a batch. Nobody borrows from a batch that Python has.
    pub(crate) fn of_tokens(batch: Arc<Batch>) -> Self {
        Self {
            start: batch.tokens_start(),
            len: batch.tokens_size(),
            read_only: false,
            _owner: batch,
        }
    }

    /// The positions of a batch, if it has them.
    pub(crate) fn of_positions(batch: Arc<Batch>) -> Option<Self> {
        Some(Self {
            start: batch.positions_start()?,
            len: batch.len() * batch.row_len() * 4,
            read_only: false,
            _owner: batch,
        })
    }

    /// The images of a batch. Nobody borrows from a batch that Python has.
    pub(crate) fn of_images(batch: Arc<ImageBatch>) -> Self {
        Self {
            start: batch.start(),
            len: batch.size(),
            read_only: false,
            _owner: batch,
        }
    }

    /// Integers of 64 bits that nobody else has.
    pub(crate) fn of_longs(mut ints: Vec<i64>) -> Self {
        Self {
            start: ints.as_mut_ptr().cast(),
            len: size_of_val(ints.as_slice()),
            read_only: false,
            _owner: Arc::new(ints),
        }
    }

    /// Integers that nobody else has.
    pub(crate) fn of_ints(mut ints: Vec<i32>) -> Self {
        Self {
            start: ints.as_mut_ptr().cast(),
            len: size_of_val(ints.as_slice()),
            read_only: false,
            _owner: Arc::new(ints),
        }
    }

    /// Elements that Arrow holds. Those who share them see what Python writes.
    pub(crate) fn of_buffer(buffer: Buffer) -> Self {
        Self {
            start: buffer.as_ptr().cast_mut(),
            len: buffer.len(),
            read_only: false,
            _owner: Arc::new(buffer),
        }
    }

    /// The same as Arrow has it, which keeps the owner; a copy where others may write.
    pub(crate) fn into_buffer(self) -> Buffer {
        let start = NonNull::new(self.start).filter(|_| self.read_only && self.len > 0);
        let Some(start) = start else {
            return Buffer::from(self.bytes());
        };
        let len = self.len;
        // SAFETY: the owner, which goes along, keeps `len` readable bytes at `start`.
        unsafe { Buffer::from_custom_allocation(start, len, Arc::new(AssertUnwindSafe(self))) }
    }

    /// The memory of an object with the buffer protocol, whose items lie densely.
    ///
    /// # Errors
    /// `TypeError` when it is no such object, or its items do not lie so, or their bytes lie in the
    /// other order.
    pub(crate) fn of_object(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = PyUntypedBuffer::get(object)?;
        if !buffer.is_c_contiguous() {
            return Err(PyTypeError::new_err(
                "cannot take the bytes of a buffer that is not C-contiguous: copy it first",
            ));
        }
        if matches!(buffer.format().to_bytes(), [b'>' | b'!', ..]) {
            return Err(PyTypeError::new_err(
                "cannot take the bytes of a big-endian buffer: convert it first",
            ));
        }
        Ok(Self {
            start: buffer.buf_ptr().cast(),
            len: buffer.len_bytes(),
            read_only: buffer.readonly(),
            _owner: Arc::new(buffer),
        })
    }

    /// The bytes `range` of these.
    ///
    /// # Panics
    /// When `range` is not inside.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "a part lies inside its memory"
        );
        Self {
            start: self.start.wrapping_add(range.start),
            len: range.len(),
            ..self.clone()
        }
    }

    /// The address of the first byte.
    pub(crate) fn start(&self) -> *mut u8 {
        self.start
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether others must not write.
    pub(crate) fn read_only(&self) -> bool {
        self.read_only
    }

    /// Whether the first byte is where an element of `dtype` may start.
    pub(crate) fn is_aligned(&self, dtype: DType) -> bool {
        let alignment = match dtype {
            DType::C64 => 4,
            dtype => dtype.size_bytes().unwrap_or(1),
        };
        self.len == 0 || self.start.addr().is_multiple_of(alignment)
    }

    /// The bytes, for as long as `self` is borrowed.
    ///
    /// Python code that writes to them meanwhile, from another thread, makes the result arbitrary:
    /// the rule of every consumer of the buffer protocol, which has no locks.
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the owner keeps `len` readable bytes at `start`.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}
