//! Borrowed tensors.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::tensor::AlignedBytes;
use crate::{DType, Element, Error, Layout, Tensor, raw, size_bytes};

/// A borrowed tensor: bytes, what they mean and where each element lies.
///
/// Views share bytes: transposing and slicing cost a copy of the shape, never of the data.
///
/// ```
/// use nexus_tensor::{DType, TensorRef};
///
/// let bytes = [1, 0, 2, 0, 3, 0, 4, 0];
/// let matrix = TensorRef::new(DType::U16, [2, 2], &bytes)?;
/// let column = matrix.select(1, 0)?;
/// assert_eq!(column.shape(), [2]);
/// assert_eq!(column.get::<u16>(&[1]), Some(3));
/// # Ok::<(), nexus_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TensorRef<'a> {
    dtype: DType,
    layout: Layout,
    bytes: &'a [u8],
}

impl<'a> TensorRef<'a> {
    /// A dense view of all of `bytes`, last axis fastest.
    ///
    /// # Errors
    /// `InvalidInput` when `bytes` is not exactly as long as type and shape say, `LimitReached`
    /// when that length overflows.
    pub fn new(dtype: DType, shape: impl Into<Vec<usize>>, bytes: &'a [u8]) -> Result<Self, Error> {
        let layout = Layout::contiguous(shape)?;
        let size = size_bytes(dtype, layout.shape())?;
        if size != bytes.len() {
            let (shape, given) = (layout.shape(), bytes.len());
            let message =
                format!("cannot view {given} bytes as {dtype} of shape {shape:?}: needs {size}");
            return Err(Error::invalid(message));
        }
        Ok(Self {
            dtype,
            layout,
            bytes,
        })
    }

    /// A view of the elements of `bytes` that `layout` names.
    ///
    /// # Errors
    /// `InvalidInput` when an element lies outside `bytes`; `Unsupported` for elements smaller than
    /// a byte, whose places a stride cannot name.
    pub fn with_layout(dtype: DType, layout: Layout, bytes: &'a [u8]) -> Result<Self, Error> {
        check_layout(dtype, &layout, bytes.len())?;
        Ok(Self {
            dtype,
            layout,
            bytes,
        })
    }

    /// For callers that have checked the layout already.
    pub(crate) fn checked(dtype: DType, layout: Layout, bytes: &'a [u8]) -> Self {
        Self {
            dtype,
            layout,
            bytes,
        }
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

    /// The distance between neighbours along each axis, in elements.
    pub fn strides(&self) -> &[isize] {
        self.layout.strides()
    }

    /// The number of elements.
    pub fn element_count(&self) -> usize {
        self.layout.element_count()
    }

    /// Whether the elements lie densely in row-major order.
    pub fn is_contiguous(&self) -> bool {
        self.layout.is_contiguous()
    }

    /// The bytes that the layout refers to, which may be more than the view uses.
    pub fn backing_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes of the elements in row-major order; `None` when they do not lie so.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        let Some(size) = self.dtype.size_bytes() else {
            return Some(self.bytes);
        };
        let places = self.layout.places();
        self.is_contiguous()
            .then(|| &self.bytes[places.start * size..places.end * size])
    }

    /// The elements in row-major order, without a copy. `bool` costs one pass over the bytes.
    ///
    /// # Errors
    /// `InvalidInput` when `T` is not the type of the elements or a `bool` is neither 0 nor 1,
    /// `Unsupported` when the elements are strided or not aligned in memory
    /// ([`to_contiguous`](Self::to_contiguous) heals both).
    pub fn as_slice<T: Element>(&self) -> Result<&'a [T], Error> {
        let (found, asked) = (self.dtype, T::DTYPE);
        if found != asked {
            return Err(Error::invalid(format!("cannot read {found} as {asked}")));
        }
        let bytes = self
            .as_bytes()
            .ok_or_else(|| Error::unsupported("cannot borrow elements of a strided view"))?;
        raw::elements_of(bytes).ok_or_else(|| {
            if T::valid(bytes) {
                Error::unsupported(format!(
                    "cannot borrow {found} at an address that is not aligned for it"
                ))
            } else {
                Error::invalid(format!("cannot read {found}: a byte is neither 0 nor 1"))
            }
        })
    }

    /// The bytes of one element; `None` when `index` is not inside the shape or elements share bytes.
    pub fn element_bytes(&self, index: &[usize]) -> Option<&'a [u8]> {
        let size = self.dtype.size_bytes()?;
        let place = self.layout.place(index)?;
        self.bytes.get(place * size..(place + 1) * size)
    }

    /// One element; `None` when `T` is another type or `index` is not inside the shape.
    pub fn get<T: Element>(&self, index: &[usize]) -> Option<T> {
        (T::DTYPE == self.dtype)
            .then(|| self.element_bytes(index))
            .flatten()
            .and_then(raw::element_of)
    }

    /// The view with its axes in reverse order.
    ///
    /// # Panics
    /// When elements are smaller than a byte and there is more than one axis.
    #[must_use]
    pub fn transpose(&self) -> Self {
        assert!(
            self.dtype.size_bytes().is_some() || self.shape().len() < 2,
            "cannot transpose {}: its elements share bytes",
            self.dtype
        );
        Self {
            layout: self.layout.clone().transpose(),
            ..*self
        }
    }

    /// The view with its axes in the order `axes`.
    ///
    /// # Errors
    /// `InvalidInput` when `axes` is no permutation, `Unsupported` when elements share bytes.
    pub fn permute(&self, axes: &[usize]) -> Result<Self, Error> {
        self.relaid(self.layout.permute(axes)?)
    }

    /// Every `step`-th index of `range` along `axis`.
    ///
    /// # Errors
    /// `InvalidInput` when the axis or the range is not inside the shape or `step` is 0,
    /// `Unsupported` when elements share bytes.
    pub fn slice(&self, axis: usize, range: Range<usize>, step: usize) -> Result<Self, Error> {
        self.relaid(self.layout.clone().slice(axis, range, step)?)
    }

    /// Index `index` of `axis`; the axis disappears.
    ///
    /// # Errors
    /// `InvalidInput` when the axis or the index is not inside the shape, `Unsupported` when
    /// elements share bytes.
    pub fn select(&self, axis: usize, index: usize) -> Result<Self, Error> {
        self.relaid(self.layout.clone().select(axis, index)?)
    }

    /// The view with `axis` walked backwards.
    ///
    /// # Errors
    /// `InvalidInput` when there is no such axis, `Unsupported` when elements share bytes.
    pub fn flip(&self, axis: usize) -> Result<Self, Error> {
        self.relaid(self.layout.clone().flip(axis)?)
    }

    /// A dense, aligned copy. One allocation and one pass; dense axes are copied in one piece.
    pub fn to_contiguous(&self) -> Tensor {
        let bytes = self
            .as_bytes()
            .map_or_else(|| self.gather(), AlignedBytes::copy_of);
        Tensor::dense(self.dtype, self.shape(), bytes)
    }

    fn relaid(&self, layout: Layout) -> Result<Self, Error> {
        Self::with_layout(self.dtype, layout, self.bytes)
    }

    /// Copies run by run: the dense last axes are one run, the others count like an odometer.
    fn gather(&self) -> AlignedBytes {
        let Some(size) = self.dtype.size_bytes() else {
            return AlignedBytes::copy_of(self.bytes);
        };
        let outer = self.shape().len() - self.layout.dense_axes();
        let (outer_shape, inner_shape) = self.shape().split_at(outer);
        let run = inner_shape.iter().product::<usize>() * size;
        let mut out = AlignedBytes::zeroed(self.element_count() * size);
        let mut index = vec![0; outer];
        let mut place = self.layout.offset().cast_signed();
        for target in out.as_mut().chunks_exact_mut(run.max(1)) {
            let start = place.cast_unsigned() * size;
            target.copy_from_slice(&self.bytes[start..start + run]);
            for axis in (0..outer).rev() {
                index[axis] += 1;
                // Wrapping: the stride of an axis of length 1 may be any number, and is undone.
                place = place.wrapping_add(self.strides()[axis]);
                if index[axis] < outer_shape[axis] {
                    break;
                }
                place = place
                    .wrapping_sub(self.strides()[axis].wrapping_mul(index[axis].cast_signed()));
                index[axis] = 0;
            }
        }
        out
    }
}

/// Checks that every element of `layout` lies inside `len` bytes.
pub(crate) fn check_layout(dtype: DType, layout: &Layout, len: usize) -> Result<(), Error> {
    let Some(size) = dtype.size_bytes() else {
        let whole = layout.is_contiguous() && layout.offset() == 0;
        return if whole && size_bytes(dtype, layout.shape())? == len {
            Ok(())
        } else {
            Err(Error::unsupported(format!(
                "cannot stride over {dtype}: its elements share bytes"
            )))
        };
    };
    let shape = layout.shape();
    // A stride of 0 names more elements than there are bytes; their dense copy must be countable.
    if size_bytes(dtype, shape)? > isize::MAX.cast_unsigned() {
        return Err(Error::limit(format!(
            "cannot view {dtype} of shape {shape:?}: overflow"
        )));
    }
    let end = layout.places().end.checked_mul(size);
    if end.is_none_or(|end| end > len) {
        let message =
            format!("cannot view {len} bytes as {dtype} of shape {shape:?}: elements lie outside");
        return Err(Error::invalid(message));
    }
    Ok(())
}
