//! Results while they are computed.

use super::array::Words;
use super::{Array, Dims, INLINE_WORDS};
use crate::dtype::Item;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use std::alloc::{Layout, alloc_zeroed};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

/// Memory as wide as a line of the cache.
#[repr(align(64))]
#[derive(Clone, Copy)]
pub(super) struct Line {
    _words: [u64; 8],
}

/// The items of a large array.
pub(super) type Lines = Box<[Line]>;

/// Memory that nobody shares yet.
enum Memory {
    Words(Arc<Words>),
    Lines(Arc<Lines>),
}

/// Items to be computed, zeros at first.
pub(crate) struct Output<T> {
    memory: Memory,
    shape: Dims,
    len: usize,
    items: PhantomData<T>,
}

/// So many bytes, at least one, in lines; `None` where there is no room.
fn zeros(size: usize) -> Option<Lines> {
    let count = size.div_ceil(size_of::<Line>());
    let layout = Layout::array::<Line>(count).ok()?;
    // SAFETY: the layout has a size.
    let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
    let lines = NonNull::slice_from_raw_parts(start.cast(), count);
    // SAFETY: the memory is of this layout, and zeros are words.
    Some(unsafe { Box::from_raw(lines.as_ptr()) })
}

impl<T: Item> Output<T> {
    /// # Errors
    /// `MemoryError` when there is no room for as many items as `shape` has.
    pub(crate) fn new(shape: Dims) -> PyResult<Self> {
        let no_memory = || {
            let shape = crate::text::shape(&shape);
            PyMemoryError::new_err(format!("no memory for a {shape} result"))
        };
        let count = |len: usize, &n: &isize| len.checked_mul(n.cast_unsigned());
        let len = if shape.contains(&0) {
            0
        } else {
            shape.iter().try_fold(1, count).ok_or_else(no_memory)?
        };
        let size = len.checked_mul(size_of::<T>()).ok_or_else(no_memory)?;
        let memory = if size <= size_of::<Words>() {
            Memory::Words(Arc::new([0; INLINE_WORDS]))
        } else {
            Memory::Lines(Arc::new(zeros(size).ok_or_else(no_memory)?))
        };
        Ok(Self {
            memory,
            shape,
            len,
            items: PhantomData,
        })
    }

    /// The items in row-major order.
    ///
    /// # Panics
    /// Never: nobody else has the memory.
    pub(crate) fn items(&mut self) -> &mut [T] {
        let start: Option<*mut T> = match &mut self.memory {
            Memory::Words(words) => Arc::get_mut(words).map(|words| words.as_mut_ptr().cast()),
            Memory::Lines(lines) => Arc::get_mut(lines).map(|lines| lines.as_mut_ptr().cast()),
        };
        let start = start.expect("memory of one owner");
        // SAFETY: `new` made room for `len` items in words, which are aligned for every `T` and initialised.
        unsafe { slice::from_raw_parts_mut(start, self.len) }
    }

    /// The array of the items.
    pub(crate) fn into_array(self) -> Array {
        let axes = (self.shape, Dims::dense(&self.shape));
        // SAFETY of both: the memory has the items, one after the other, and stays in place.
        match self.memory {
            Memory::Words(words) => unsafe {
                Array::shared(T::DTYPE, axes, Arc::as_ptr(&words).cast(), words)
            },
            Memory::Lines(lines) => unsafe {
                Array::shared(T::DTYPE, axes, lines.as_ptr().cast(), lines)
            },
        }
    }
}
