//! Bytes at a fixed address, and what keeps them there.

use std::ops::Range;
use std::slice;
use std::sync::Arc;

use nexus_safetensors::FileBytes;
use nexus_tensor::DType;
use pyo3::buffer::PyBuffer;

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
    /// A part of the bytes of a file.
    pub(crate) fn of_file(bytes: Arc<FileBytes>, range: Range<usize>) -> Self {
        let whole = Self {
            start: bytes.as_mut_ptr(),
            len: bytes.len(),
            read_only: false,
            _owner: bytes,
        };
        whole.part(range)
    }

    /// The memory of an object with the buffer protocol.
    pub(crate) fn of_buffer(buffer: PyBuffer<u8>) -> Self {
        Self {
            start: buffer.buf_ptr().cast(),
            len: buffer.len_bytes(),
            read_only: buffer.readonly(),
            _owner: Arc::new(buffer),
        }
    }

    /// New memory of `len` bytes, aligned for every type, which `fill` gets as zeros.
    pub(crate) fn filled<E>(
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut words = vec![0_u64; len.div_ceil(size_of::<u64>())];
        let start = words.as_mut_ptr().cast::<u8>();
        // SAFETY: `words` has at least `len` bytes, all set, which nobody else borrows; every
        // pattern of bits is a number.
        fill(unsafe { slice::from_raw_parts_mut(start, len) })?;
        Ok(Self {
            start,
            len,
            read_only: false,
            _owner: Arc::new(words),
        })
    }

    /// The bytes `range` of these.
    ///
    /// # Panics
    /// When `range` is not inside.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "a checked info lies inside its file"
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
