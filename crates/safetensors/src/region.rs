//! The bytes of one tensor.

use std::ops::Range;
use std::sync::Arc;

use crate::raw::{Memory, Pages};

/// The bytes of one tensor or of a part of it. Clones are cheap, share the bytes, keep them alive
/// and may go to other threads.
///
/// When the last region of a tensor is dropped, its whole pages are given back to the system, also
/// while other tensors of the same file live on. Making a region costs no allocation.
///
/// ```
/// use nexus_safetensors::{Dtype, SafeTensorsFile, TensorView, serialize};
///
/// let bytes = serialize([("a", TensorView::new(Dtype::U8, vec![3], &[1, 2, 3])?)], None)?;
/// let region = SafeTensorsFile::copy_of(&bytes)?.region("a")?;
/// assert_eq!(region.as_ref(), [1, 2, 3]);
/// # Ok::<(), nexus_safetensors::SafeTensorError>(())
/// ```
pub struct Region {
    memory: Arc<Memory>,
    start: usize,
    len: usize,
    /// Where the whole tensor lies, which is what is counted.
    tensor: Range<usize>,
}

impl Region {
    /// Memory of its own, all of it or a part.
    pub(crate) fn of_pages(pages: Pages, range: Range<usize>) -> Self {
        Self::of_tensor(&Memory::whole(pages), range)
    }

    /// A tensor in the memory of a file.
    pub(crate) fn of_tensor(memory: &Arc<Memory>, tensor: Range<usize>) -> Self {
        debug_assert!(tensor.start <= tensor.end && tensor.end <= memory.len());
        memory.acquire(&tensor);
        Self {
            memory: memory.clone(),
            start: tensor.start,
            len: tensor.len(),
            tensor,
        }
    }

    /// Neighbouring tensors in the memory of a file, none of which is counted: their pages stay
    /// until the memory goes.
    pub(crate) fn uncounted(memory: &Arc<Memory>, range: Range<usize>) -> Self {
        debug_assert!(range.start <= range.end && range.end <= memory.len());
        Self {
            memory: memory.clone(),
            start: range.start,
            len: range.len(),
            tensor: 0..0,
        }
    }

    /// A part of these bytes, which keeps the whole tensor. Nothing is copied.
    ///
    /// # Panics
    /// When the range does not lie inside.
    #[must_use]
    pub fn window(&self, range: Range<usize>) -> Self {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "a window lies inside its region"
        );
        let mut window = self.clone();
        window.start += range.start;
        window.len = range.len();
        window
    }

    /// The number of bytes. Does not borrow them.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address of the first byte, for bindings that let others write to tensors. Writes stay in
    /// memory and never reach the file. Whoever writes must do so while no Rust code borrows the
    /// bytes.
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.memory.as_mut_ptr().wrapping_add(self.start)
    }
}

impl Clone for Region {
    fn clone(&self) -> Self {
        self.memory.acquire(&self.tensor);
        Self {
            memory: self.memory.clone(),
            start: self.start,
            len: self.len,
            tensor: self.tensor.clone(),
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // The last region of the last owner: the memory goes as a whole.
        if Arc::strong_count(&self.memory) > 1 {
            self.memory.release(&self.tensor);
        }
    }
}

impl AsRef<[u8]> for Region {
    fn as_ref(&self) -> &[u8] {
        self.memory.slice(self.start..self.start + self.len)
    }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
