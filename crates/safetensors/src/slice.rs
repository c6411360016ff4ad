//! Slices of a tensor as the `safetensors` crate has them: ranges from the first axes on, taken from
//! the bytes in memory piece by piece.
//!
//! For negative indices, steps backwards, new axes and ellipses see [`Selection`](crate::Selection).
//!
//! ```
//! use nexus_safetensors::slice::IndexOp;
//! use nexus_safetensors::{Dtype, TensorView};
//!
//! let bytes = [0, 1, 2, 3, 4, 5];
//! let tensor = TensorView::new(Dtype::U8, vec![2, 3], &bytes)?;
//! let column = tensor.slice((.., 1))?;
//! assert_eq!((column.newshape(), column.remaining_byte_len()), (vec![2], 2));
//! assert_eq!(column.collect::<Vec<_>>().concat(), [1, 4]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::{
    Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive,
};

use nexus_tensor::DType;

use crate::TensorView;
use crate::runs::{Loop, Places};

/// Why a tensor cannot be sliced so. Variants and texts are those of the `safetensors` crate 0.8.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidSlice {
    /// There are more slices than axes.
    TooManySlices,
    /// A slice reaches behind the end of an axis, or the tensor is larger than the address space.
    SliceOutOfRange {
        /// The axis.
        dim_index: usize,
        /// The index that is not there.
        asked: usize,
        /// The length of the axis.
        dim_size: usize,
    },
    /// Elements smaller than a byte are cut inside of a byte.
    MisalignedSlice,
}

impl fmt::Display for InvalidSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManySlices => f.write_str("more slicing indexes than dimensions in tensor"),
            Self::SliceOutOfRange {
                dim_index,
                asked,
                dim_size,
            } => write!(
                f,
                "index {asked} out of bounds for tensor dimension #{dim_index} of size {dim_size}"
            ),
            Self::MisalignedSlice => crate::SafeTensorError::MisalignedSlice.fmt(f),
        }
    }
}

impl std::error::Error for InvalidSlice {}

/// What to take of one axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TensorIndexer {
    /// One index; the axis disappears.
    Select(usize),
    /// From a bound to a bound, by a step.
    Narrow(Bound<usize>, Bound<usize>, NonZeroUsize),
}

/// As Python writes it: `3`, `1:5`, `::2`.
impl fmt::Display for TensorIndexer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |f: &mut fmt::Formatter<'_>, bound: &Bound<usize>| match bound {
            Bound::Unbounded => Ok(()),
            Bound::Included(at) | Bound::Excluded(at) => at.fmt(f),
        };
        match self {
            Self::Select(at) => at.fmt(f),
            Self::Narrow(start, stop, step) => {
                bound(f, start)?;
                f.write_str(":")?;
                bound(f, stop)?;
                match step.get() {
                    1 => Ok(()),
                    step => write!(f, ":{step}"),
                }
            }
        }
    }
}

impl From<usize> for TensorIndexer {
    fn from(index: usize) -> Self {
        Self::Select(index)
    }
}

macro_rules! from_ranges {
    ($($range:ty)*) => {$(
        impl From<$range> for TensorIndexer {
            fn from(range: $range) -> Self {
                let (start, stop) = (range.start_bound(), range.end_bound());
                Self::Narrow(start.cloned(), stop.cloned(), NonZeroUsize::MIN)
            }
        }
    )*};
}

from_ranges!(Range<usize> RangeFrom<usize> RangeFull RangeInclusive<usize> RangeTo<usize> RangeToInclusive<usize>);

/// Slicing by one range or index, or by a tuple of up to six.
pub trait IndexOp<'data, T> {
    /// The pieces of memory that make up the slice, in row-major order.
    ///
    /// # Errors
    /// As [`TensorView::sliced_data`].
    fn slice(&'data self, index: T) -> Result<SliceIterator<'data>, InvalidSlice>;
}

impl<'data, A: Into<TensorIndexer>> IndexOp<'data, A> for TensorView<'data> {
    fn slice(&'data self, index: A) -> Result<SliceIterator<'data>, InvalidSlice> {
        self.sliced_data(&[index.into()])
    }
}

macro_rules! index_by_tuples {
    ($(($($name:ident)+))*) => {$(
        impl<'data, $($name: Into<TensorIndexer>),+> IndexOp<'data, ($($name,)+)> for TensorView<'data> {
            #[expect(non_snake_case, reason = "a type and its value share a name")]
            fn slice(&'data self, index: ($($name,)+)) -> Result<SliceIterator<'data>, InvalidSlice> {
                let ($($name,)+) = index;
                self.sliced_data(&[$($name.into()),+])
            }
        }
    )*};
}

index_by_tuples!((A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F));

/// The pieces of memory that make up a slice, in row-major order.
#[derive(Clone, Debug)]
pub struct SliceIterator<'data> {
    view: &'data TensorView<'data>,
    plan: Plan,
}

impl<'data> SliceIterator<'data> {
    pub(crate) fn new(
        view: &'data TensorView<'data>,
        slices: &[TensorIndexer],
    ) -> Result<Self, InvalidSlice> {
        let plan = Plan::new(view.dtype(), view.shape(), slices)?;
        Ok(Self { view, plan })
    }

    /// The number of bytes in the pieces that are still to come.
    pub fn remaining_byte_len(&self) -> usize {
        self.plan.places.left() * self.plan.size
    }

    /// The shape of the slice.
    pub fn newshape(&self) -> Vec<usize> {
        self.plan.shape.clone()
    }
}

impl<'data> Iterator for SliceIterator<'data> {
    type Item = &'data [u8];

    fn next(&mut self) -> Option<&'data [u8]> {
        let start = self.plan.places.next()?;
        Some(&self.view.data()[start..start + self.plan.size])
    }
}

/// First byte and one past the last byte of each piece, counted from the start of the tensor.
pub type SliceByteRanges = Vec<(usize, usize)>;

/// The length of each axis of a slice.
pub type SlicedShape = Vec<usize>;

/// The pieces and the shape of a slice, for tensors that are not in memory.
///
/// # Errors
/// As [`TensorView::sliced_data`].
pub fn slice_byte_ranges(
    dtype: DType,
    shape: &[usize],
    slices: &[TensorIndexer],
) -> Result<(SliceByteRanges, SlicedShape), InvalidSlice> {
    let plan = Plan::new(dtype, shape, slices)?;
    let ranges = plan.places.map(|start| (start, start + plan.size));
    Ok((ranges.collect(), plan.shape))
}

/// Pieces of one size, and where they start.
#[derive(Clone, Debug)]
struct Plan {
    places: Places,
    size: usize,
    shape: Vec<usize>,
}

impl Plan {
    fn new(dtype: DType, shape: &[usize], slices: &[TensorIndexer]) -> Result<Self, InvalidSlice> {
        if slices.len() > shape.len() {
            return Err(InvalidSlice::TooManySlices);
        }
        let bits = dtype.bits();
        let mut lengths = shape.iter().rev();
        let total = lengths.try_fold(bits, |bits, &length| bits.checked_mul(length));
        // Nothing is taken of an empty tensor, whatever its other axes multiply to.
        let nothing = total.is_none() && shape.contains(&0);
        let mut pieces = Pieces {
            span: if nothing { 0 } else { bits },
            start: 0,
            size: None,
            loops: Vec::new(),
        };
        let mut taken = Vec::with_capacity(shape.len());
        // From the last axis on, so that memory is cut from the smallest pieces up.
        for (axis, &length) in shape.iter().enumerate().rev() {
            let Some(whole) = pieces.span.checked_mul(length) else {
                return Err(out_of_range(axis, length - 1, length));
            };
            if let Some(slice) = slices.get(axis) {
                let cut = Cut::new(slice, axis, length)?;
                pieces.cut(&cut, length)?;
                taken.extend((!cut.single).then_some(cut.count()));
            } else {
                taken.push(length);
            }
            pieces.span = whole;
        }
        taken.reverse();
        let size = match pieces.size {
            Some(size) => size,
            None => bytes(pieces.span)?,
        };
        pieces.loops.reverse();
        Ok(Self {
            places: Places::new(pieces.start, pieces.loops),
            size,
            shape: taken,
        })
    }
}

/// What is taken of one axis, in bounds.
struct Cut {
    start: usize,
    stop: usize,
    step: usize,
    single: bool,
}

impl Cut {
    fn new(slice: &TensorIndexer, axis: usize, length: usize) -> Result<Self, InvalidSlice> {
        let (start, stop, step, single) = match slice {
            TensorIndexer::Select(at) => (*at, at.saturating_add(1), 1, true),
            TensorIndexer::Narrow(start, stop, step) => {
                let start = match start {
                    Bound::Unbounded => 0,
                    Bound::Included(at) => *at,
                    Bound::Excluded(at) => at.saturating_add(1),
                };
                let stop = match stop {
                    Bound::Unbounded => length,
                    Bound::Included(at) => at.saturating_add(1),
                    Bound::Excluded(at) => *at,
                };
                (start, stop, step.get(), false)
            }
        };
        if start >= length {
            Err(out_of_range(axis, start, length))
        } else if stop > length {
            Err(out_of_range(axis, stop - 1, length))
        } else {
            Ok(Self {
                start,
                stop: stop.max(start),
                step,
                single,
            })
        }
    }

    fn count(&self) -> usize {
        (self.stop - self.start).div_ceil(self.step)
    }
}

/// What the axes that were looked at make of memory.
struct Pieces {
    /// The bits of one index of the next axis.
    span: usize,
    /// The first byte.
    start: usize,
    /// The bytes of a piece, once an axis was cut.
    size: Option<usize>,
    /// Loops over the pieces, innermost first.
    loops: Vec<Loop>,
}

impl Pieces {
    fn cut(&mut self, cut: &Cut, length: usize) -> Result<(), InvalidSlice> {
        match self.size {
            None if cut.step == 1 && (cut.start, cut.stop) == (0, length) => Ok(()),
            None if cut.step == 1 => {
                self.start = bytes(cut.start * self.span)?;
                self.size = Some(bytes(cut.stop * self.span)? - self.start);
                self.loops.extend((cut.count() == 0).then_some(Loop {
                    count: 0,
                    stride: 0,
                }));
                Ok(())
            }
            None if cut.count() == 0 => self.walk(cut, 0),
            None => self.walk(cut, bytes(self.span)?),
            Some(size) => self.walk(cut, size),
        }
    }

    fn walk(&mut self, cut: &Cut, size: usize) -> Result<(), InvalidSlice> {
        let count = cut.count();
        let stride = if count > 1 {
            bytes(cut.step * self.span)?
        } else {
            0
        };
        self.size = Some(size);
        self.start += if count > 0 {
            bytes(cut.start * self.span)?
        } else {
            0
        };
        self.loops.push(Loop {
            count,
            stride: stride.cast_signed(),
        });
        Ok(())
    }
}

fn bytes(bits: usize) -> Result<usize, InvalidSlice> {
    if bits.is_multiple_of(8) {
        Ok(bits / 8)
    } else {
        Err(InvalidSlice::MisalignedSlice)
    }
}

fn out_of_range(dim_index: usize, asked: usize, dim_size: usize) -> InvalidSlice {
    InvalidSlice::SliceOutOfRange {
        dim_index,
        asked,
        dim_size,
    }
}
