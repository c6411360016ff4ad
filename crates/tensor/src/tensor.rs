//! Tensors that keep their bytes alive.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::view::check_layout;
use crate::{DType, Element, Error, Layout, TensorRef, raw, size_bytes};

/// What keeps a tensor's bytes alive: a vector, a memory map, another library's tensor.
pub type Owner = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A tensor that shares ownership of its bytes. Clones share them too; the bytes never change.
///
/// ```
/// use nexus_tensor::Tensor;
///
/// let tensor = Tensor::from_vec([3], vec![1_i64, 2, 3])?;
/// assert_eq!(tensor.as_slice::<i64>()?, [1, 2, 3]);
/// # Ok::<(), nexus_tensor::Error>(())
/// ```
#[derive(Clone)]
pub struct Tensor {
    dtype: DType,
    layout: Layout,
    owner: Owner,
}

impl Tensor {
    /// A dense tensor of the elements in row-major order. Takes the vector over without a copy.
    ///
    /// # Errors
    /// `InvalidInput` when the shape asks for another number of elements.
    pub fn from_vec<T: Element>(
        shape: impl Into<Vec<usize>>,
        elements: Vec<T>,
    ) -> Result<Self, Error> {
        let owner = Elements(elements);
        let dtype = T::DTYPE;
        let layout = TensorRef::new(dtype, shape, owner.as_ref())?
            .layout()
            .clone();
        Ok(Self {
            dtype,
            layout,
            owner: Arc::new(owner),
        })
    }

    /// The elements of `owner`'s bytes that `layout` names.
    ///
    /// # Errors
    /// As [`TensorRef::with_layout`].
    pub fn from_owner(dtype: DType, layout: Layout, owner: Owner) -> Result<Self, Error> {
        check_layout(dtype, &layout, (*owner).as_ref().len())?;
        Ok(Self {
            dtype,
            layout,
            owner,
        })
    }

    /// A dense tensor of bytes that are known to fit.
    pub(crate) fn dense(dtype: DType, shape: &[usize], bytes: AlignedBytes) -> Self {
        debug_assert_eq!(size_bytes(dtype, shape), Ok(bytes.len));
        let layout = Layout::contiguous(shape).expect("the shape comes from a checked layout");
        Self {
            dtype,
            layout,
            owner: Arc::new(bytes),
        }
    }

    /// The tensor as a borrowed view.
    ///
    /// # Panics
    /// When the owner's `as_ref` has become shorter since the tensor was made.
    pub fn view(&self) -> TensorRef<'_> {
        let bytes = (*self.owner).as_ref();
        assert!(
            check_layout(self.dtype, &self.layout, bytes.len()).is_ok(),
            "the owner has lost bytes"
        );
        TensorRef::checked(self.dtype, self.layout.clone(), bytes)
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Shape, strides and offset.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        self.layout.shape()
    }

    /// The elements in row-major order, without a copy.
    ///
    /// # Errors
    /// As [`TensorRef::as_slice`].
    pub fn as_slice<T: Element>(&self) -> Result<&[T], Error> {
        self.view().as_slice()
    }
}

impl core::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tensor")
            .field("dtype", &self.dtype)
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

struct Elements<T>(Vec<T>);

impl<T: Element> AsRef<[u8]> for Elements<T> {
    fn as_ref(&self) -> &[u8] {
        raw::bytes_of(&self.0)
    }
}

/// Bytes aligned for every element type.
pub(crate) struct AlignedBytes {
    words: Vec<u64>,
    len: usize,
}

impl AlignedBytes {
    pub(crate) fn zeroed(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(8)],
            len,
        }
    }

    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        copy.as_mut().copy_from_slice(bytes);
        copy
    }
}

impl AsMut<[u8]> for AlignedBytes {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut raw::bytes_of_mut(&mut self.words)[..self.len]
    }
}

impl AsRef<[u8]> for AlignedBytes {
    fn as_ref(&self) -> &[u8] {
        &raw::bytes_of(&self.words)[..self.len]
    }
}
