//! Tensors to be written, and tensors found in a file.

use std::borrow::Cow;

use nexus_tensor::{DType, TensorRef, size_bytes};

use crate::SafeTensorError;
use crate::slice::{InvalidSlice, SliceIterator, TensorIndexer};

/// What can be written as a tensor: a type, a shape and row-major little-endian bytes.
///
/// Implement it to write tensors of your own without a copy, or with one made at the last moment.
pub trait View {
    /// The type of the elements.
    fn dtype(&self) -> DType;
    /// The length of each axis.
    fn shape(&self) -> &[usize];
    /// The bytes; called once for each write.
    fn data(&self) -> Cow<'_, [u8]>;
    /// The number of bytes, which may be known before they are.
    fn data_len(&self) -> usize;
}

/// One tensor in the bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorView<'data> {
    dtype: DType,
    shape: Vec<usize>,
    data: &'data [u8],
}

impl<'data> TensorView<'data> {
    /// Views bytes as a tensor.
    ///
    /// # Errors
    /// `InvalidTensorView` when there are more or fewer bytes than type and shape ask for,
    /// `MisalignedSlice` when elements do not fill the last byte, `ValidationOverflow`.
    pub fn new(
        dtype: DType,
        shape: Vec<usize>,
        data: &'data [u8],
    ) -> Result<Self, SafeTensorError> {
        let size = size_bytes(dtype, &shape).map_err(|error| match error.kind() {
            nexus_tensor::ErrorKind::LimitReached => SafeTensorError::ValidationOverflow,
            _ => SafeTensorError::MisalignedSlice,
        })?;
        if size == data.len() {
            Ok(Self { dtype, shape, data })
        } else {
            Err(SafeTensorError::InvalidTensorView(dtype, shape, data.len()))
        }
    }

    /// For infos that have been checked with their file.
    pub(crate) fn checked(dtype: DType, shape: &[usize], data: &'data [u8]) -> Self {
        Self {
            dtype,
            shape: shape.to_vec(),
            data,
        }
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The bytes, row-major and little-endian.
    pub fn data(&self) -> &'data [u8] {
        self.data
    }

    /// The pieces of memory that make up a slice, in row-major order; axes without a slice are
    /// taken whole. Costs a few operations for each axis, and nothing is copied.
    ///
    /// # Errors
    /// `TooManySlices`, `SliceOutOfRange`, and `MisalignedSlice` when elements smaller than a byte
    /// are cut inside of a byte. The last wrong axis is named.
    pub fn sliced_data(
        &'data self,
        slices: &[TensorIndexer],
    ) -> Result<SliceIterator<'data>, InvalidSlice> {
        SliceIterator::new(self, slices)
    }

    /// The tensor as a strided view, which can be sliced and transposed.
    ///
    /// # Errors
    /// `LimitReached` for a tensor without elements whose other dimensions multiply to more than
    /// `isize` holds.
    pub fn to_tensor_ref(&self) -> Result<TensorRef<'data>, nexus_tensor::Error> {
        TensorRef::new(self.dtype, self.shape.as_slice(), self.data)
    }
}

impl View for TensorView<'_> {
    fn dtype(&self) -> DType {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.data.into()
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

impl<V: View + ?Sized> View for &V {
    fn dtype(&self) -> DType {
        (**self).dtype()
    }

    fn shape(&self) -> &[usize] {
        (**self).shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        (**self).data()
    }

    fn data_len(&self) -> usize {
        (**self).data_len()
    }
}

/// Strided views are written as what they show: bytes are gathered where they do not lie in order.
impl View for TensorRef<'_> {
    fn dtype(&self) -> DType {
        TensorRef::dtype(self)
    }

    fn shape(&self) -> &[usize] {
        TensorRef::shape(self)
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.as_bytes() {
            Some(bytes) => bytes.into(),
            None => self
                .to_contiguous()
                .view()
                .as_bytes()
                .unwrap_or_default()
                .to_vec()
                .into(),
        }
    }

    fn data_len(&self) -> usize {
        // Checked when the view was made: at most `isize::MAX` bytes.
        self.element_count() * self.dtype().bits() / 8
    }
}
