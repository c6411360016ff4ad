//! NumPy's basic indexing: what an index takes of a tensor, and which bytes that is.
//!
//! Integers, slices with steps in both directions, new axes and one ellipsis, with the meaning of
//! <https://numpy.org/doc/stable/user/basics.indexing.html>. Nothing is read here: the result names
//! the bytes, so that a reader reads those and no others.

use std::fmt;
use std::ops::Range;

use nexus_tensor::{DType, Layout, size_bytes};

use crate::SafeTensorError;
use crate::runs::{Loop, Places};

/// One item of an index: what stands between two commas in `tensor[...]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Index {
    /// One index, from the end if negative; the axis disappears.
    At(isize),
    /// Every `step`-th index from `start` to before `stop`, clamped to the axis.
    Slice {
        /// The first index, from the end if negative.
        start: Option<isize>,
        /// One past the last index, from the end if negative.
        stop: Option<isize>,
        /// The distance; 1 if not given. Negative steps walk backwards.
        step: Option<isize>,
    },
    /// A new axis of length 1.
    NewAxis,
    /// All axes that the other items do not name.
    Ellipsis,
}

impl Index {
    /// `:`, the whole axis.
    pub const FULL: Self = Self::Slice {
        start: None,
        stop: None,
        step: None,
    };
}

/// Why an index does not fit a tensor. Texts are NumPy's, where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexError {
    /// An integer is not inside its axis.
    OutOfBounds {
        /// The integer as it was given.
        index: isize,
        /// The axis of the tensor.
        axis: usize,
        /// The length of that axis.
        size: usize,
    },
    /// There are more integers and slices than axes.
    TooMany {
        /// The number of axes.
        rank: usize,
        /// The number of integers and slices.
        given: usize,
    },
    /// There are two ellipses.
    SeveralEllipses,
    /// The step of a slice is 0.
    ZeroStep {
        /// The axis of the tensor.
        axis: usize,
    },
    /// Elements are smaller than a byte, and the index cuts bytes apart.
    SubByte {
        /// The type of the elements.
        dtype: DType,
    },
    /// A text is no index.
    Syntax {
        /// The part that is not understood.
        part: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl IndexError {
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::SubByte { .. } => {
                Some("take whole bytes: slices of the first axes, or all of the tensor")
            }
            Self::Syntax { .. } => Some("write it as in NumPy: `0:10, ::2, 3, None, ...`"),
            _ => None,
        }
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds { index, axis, size } => {
                write!(
                    f,
                    "index {index} is out of bounds for axis {axis} with size {size}"
                )
            }
            Self::TooMany { rank, given } => write!(
                f,
                "too many indices for tensor: tensor is {rank}-dimensional, but {given} were indexed"
            ),
            Self::SeveralEllipses => {
                f.write_str("an index can only have a single ellipsis ('...')")
            }
            Self::ZeroStep { axis } => write!(f, "slice step cannot be zero (axis {axis})"),
            Self::SubByte { dtype } => write!(
                f,
                "cannot slice elements of type {dtype}: {} bits each, and the slice cuts bytes apart",
                dtype.bits()
            ),
            Self::Syntax { part, reason } => {
                write!(f, "cannot parse `{part}` as an index: {reason}")
            }
        }
    }
}

impl std::error::Error for IndexError {}

impl From<IndexError> for SafeTensorError {
    fn from(error: IndexError) -> Self {
        Self::InvalidIndex(error)
    }
}

/// What an index takes of a tensor: its shape, and the bytes it consists of.
///
/// ```
/// use nexus_safetensors::{Dtype, Index, Selection};
///
/// // tensor[1:, -1] of a 3 by 4 tensor of F32
/// let rows = Index::Slice { start: Some(1), stop: None, step: None };
/// let selection = Selection::new(Dtype::F32, &[3, 4], &[rows, Index::At(-1)])?;
/// assert_eq!(selection.shape(), [2]);
/// assert_eq!(selection.size_bytes(), 8);
/// assert_eq!(selection.runs().collect::<Vec<_>>(), [28..32, 44..48]);
/// # Ok::<(), nexus_safetensors::SafeTensorError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Selection {
    dtype: DType,
    layout: Layout,
    places: Places,
    run_size: usize,
}

impl Selection {
    /// Resolves an index. Axes that it does not name are taken whole. Costs a few operations for
    /// each axis.
    ///
    /// # Errors
    /// `InvalidIndex`, of kind `InvalidInput`; `MisalignedSlice` and `ValidationOverflow` when there
    /// is no tensor of this type and shape.
    pub fn new(dtype: DType, shape: &[usize], indices: &[Index]) -> Result<Self, SafeTensorError> {
        size_bytes(dtype, shape).map_err(|error| match error.kind() {
            nexus_tensor::ErrorKind::LimitReached => SafeTensorError::ValidationOverflow,
            _ => SafeTensorError::MisalignedSlice,
        })?;
        let layout = selected(shape, indices)?;
        let (offset, loops, run) = Self::loops(&layout);
        let bits = dtype.bits();
        let bytes = |elements: usize| {
            let whole = (elements * bits)
                .is_multiple_of(8)
                .then_some(elements * bits / 8);
            whole.ok_or(IndexError::SubByte { dtype })
        };
        let loops = loops
            .into_iter()
            .map(|Loop { count, stride }| {
                let distance = bytes(stride.unsigned_abs())?.cast_signed();
                let stride = if stride < 0 { -distance } else { distance };
                Ok(Loop { count, stride })
            })
            .collect::<Result<_, IndexError>>()?;
        Ok(Self {
            dtype,
            places: Places::new(bytes(offset)?, loops),
            run_size: bytes(run)?,
            layout,
        })
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The length of each axis of what is taken.
    pub fn shape(&self) -> &[usize] {
        self.layout.shape()
    }

    /// Where the elements lie in the tensor: for views of a tensor that is in memory. Offset and
    /// strides count elements from the tensor's first.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The number of bytes of what is taken.
    pub fn size_bytes(&self) -> usize {
        self.places.left() * self.run_size
    }

    /// The bytes of what is taken, in row-major order, counted from the tensor's first byte. What
    /// touches is one range: a whole tensor is one, a tensor without elements none.
    pub fn runs(&self) -> Runs {
        Runs {
            places: self.places.clone(),
            size: self.run_size,
            pending: None,
        }
    }

    /// Loops over runs of elements, outermost first, with the place of the first run and the length
    /// of all; in elements. Axes that lie densely in each other are one loop.
    fn loops(layout: &Layout) -> (usize, Vec<Loop>, usize) {
        if layout.element_count() == 0 {
            return (
                0,
                vec![Loop {
                    count: 0,
                    stride: 0,
                }],
                0,
            );
        }
        let mut loops: Vec<Loop> = Vec::with_capacity(layout.rank());
        let axes = layout.shape().iter().zip(layout.strides()).rev();
        for (&count, &stride) in axes.filter(|(count, _)| **count != 1) {
            match loops.last_mut() {
                Some(inner) if inner.stride.wrapping_mul(inner.count.cast_signed()) == stride => {
                    inner.count *= count;
                }
                _ => loops.push(Loop { count, stride }),
            }
        }
        let run = match loops.first() {
            Some(&Loop { count, stride: 1 }) => {
                loops.remove(0);
                count
            }
            _ => 1,
        };
        loops.reverse();
        (layout.offset(), loops, run)
    }
}

/// The byte ranges of a [`Selection`].
#[derive(Clone, Debug)]
pub struct Runs {
    places: Places,
    size: usize,
    pending: Option<Range<usize>>,
}

impl Iterator for Runs {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        for start in self.places.by_ref() {
            let next = start..start + self.size;
            match &mut self.pending {
                Some(run) if run.end == next.start => run.end = next.end,
                Some(run) => return Some(std::mem::replace(run, next)),
                None => self.pending = Some(next),
            }
        }
        self.pending.take()
    }
}

/// The layout of what an index takes.
fn selected(shape: &[usize], indices: &[Index]) -> Result<Layout, SafeTensorError> {
    let overflow = |_| SafeTensorError::ValidationOverflow;
    let whole = Layout::contiguous(shape).map_err(overflow)?;
    let mut axes = shape.iter().zip(whole.strides()).enumerate();
    let mut taken = Taken::default();
    for index in spelled_out(shape.len(), indices)? {
        if index == Index::NewAxis {
            taken.push(1, 0);
        } else if let Some((axis, (&size, &stride))) = axes.next() {
            taken.axis(index, axis, size, stride)?;
        }
    }
    let offset = if taken.shape.contains(&0) {
        0
    } else {
        taken.offset
    };
    Layout::strided(taken.shape, taken.strides, offset.cast_unsigned()).map_err(overflow)
}

/// The index with its ellipsis replaced by full slices, one item for each axis.
fn spelled_out(rank: usize, indices: &[Index]) -> Result<impl Iterator<Item = Index>, IndexError> {
    let mut ellipses = indices
        .iter()
        .enumerate()
        .filter(|(_, index)| **index == Index::Ellipsis);
    let ellipsis = ellipses.next().map(|(at, _)| at);
    if ellipses.next().is_some() {
        return Err(IndexError::SeveralEllipses);
    }
    let names_axis = |index: &&Index| !matches!(index, Index::NewAxis | Index::Ellipsis);
    let given = indices.iter().filter(names_axis).count();
    let rest = rank
        .checked_sub(given)
        .ok_or(IndexError::TooMany { rank, given })?;
    let (before, behind) = match ellipsis {
        Some(at) => (&indices[..at], &indices[at + 1..]),
        None => (indices, &[][..]),
    };
    let full = std::iter::repeat_n(Index::FULL, rest);
    Ok(before
        .iter()
        .copied()
        .chain(full)
        .chain(behind.iter().copied()))
}

/// A layout that is being put together.
#[derive(Default)]
struct Taken {
    shape: Vec<usize>,
    strides: Vec<isize>,
    offset: isize,
}

impl Taken {
    fn push(&mut self, count: usize, stride: isize) {
        self.shape.push(count);
        self.strides.push(stride);
    }

    /// `size` fits an `isize`, as the layout that it comes from has been checked.
    fn axis(
        &mut self,
        index: Index,
        axis: usize,
        size: usize,
        stride: isize,
    ) -> Result<(), IndexError> {
        let length = size.cast_signed();
        match index {
            Index::At(index) => {
                let at = if index < 0 { index + length } else { index };
                if !(0..length).contains(&at) {
                    return Err(IndexError::OutOfBounds { index, axis, size });
                }
                self.offset = self.offset.wrapping_add(at.wrapping_mul(stride));
            }
            Index::Slice { start, stop, step } => {
                let step = step.unwrap_or(1);
                if step == 0 {
                    return Err(IndexError::ZeroStep { axis });
                }
                let (first, count) = resolved(start, stop, step, length);
                if count > 0 {
                    self.offset = self.offset.wrapping_add(first.wrapping_mul(stride));
                }
                // With one element the stride means nothing; a huge step must not overflow it.
                self.push(
                    count,
                    if count > 1 {
                        stride.wrapping_mul(step)
                    } else {
                        stride
                    },
                );
            }
            Index::NewAxis | Index::Ellipsis => (),
        }
        Ok(())
    }
}

/// The first index and the number of indices, as Python's `slice.indices` finds them.
fn resolved(
    start: Option<isize>,
    stop: Option<isize>,
    step: isize,
    length: isize,
) -> (isize, usize) {
    let (low, high) = if step < 0 {
        (-1, length - 1)
    } else {
        (0, length)
    };
    let clamped = |at: isize| (if at < 0 { at + length } else { at }).clamp(low, high);
    let (first, last) = if step < 0 { (high, low) } else { (low, high) };
    let start = start.map_or(first, clamped);
    let stop = stop.map_or(last, clamped);
    let distance = if step < 0 { start - stop } else { stop - start };
    let count = distance.max(0).unsigned_abs().div_ceil(step.unsigned_abs());
    (start, count)
}
