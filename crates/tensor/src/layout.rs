//! Shape and strides, with arithmetic that cannot overflow silently.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::{DType, Error};

/// The number of elements of `shape`; 1 for a scalar.
///
/// # Errors
/// `LimitReached` when the product overflows. As in the safetensors format, dimensions are
/// multiplied from the left, so that a zero after the overflow does not heal it.
pub fn element_count(shape: &[usize]) -> Result<usize, Error> {
    shape
        .iter()
        .try_fold(1_usize, |count, &dimension| count.checked_mul(dimension))
        .ok_or_else(|| {
            Error::limit(format!(
                "cannot count the elements of shape {shape:?}: overflow"
            ))
        })
}

/// The number of bytes of a dense tensor.
///
/// # Errors
/// `LimitReached` when the size in bits overflows, `InvalidInput` when elements smaller than a byte
/// do not fill the last byte.
pub fn size_bytes(dtype: DType, shape: &[usize]) -> Result<usize, Error> {
    let bits = element_count(shape)?
        .checked_mul(dtype.bits())
        .ok_or_else(|| Error::limit(format!("cannot size {dtype} of shape {shape:?}: overflow")))?;
    if bits % 8 == 0 {
        Ok(bits / 8)
    } else {
        Err(Error::invalid(format!(
            "cannot size {dtype} of shape {shape:?}: {bits} bits do not fill bytes"
        )))
    }
}

/// The strides, in elements, of a dense tensor whose last axis varies fastest.
///
/// # Errors
/// `LimitReached` when the dimensions that are not 0 multiply to more than `isize` holds.
pub fn contiguous_strides(shape: &[usize]) -> Result<Vec<isize>, Error> {
    let mut strides = vec![0; shape.len()];
    let mut stride = 1_isize;
    for (slot, &dimension) in strides.iter_mut().zip(shape).rev() {
        *slot = stride;
        stride = isize::try_from(dimension.max(1))
            .ok()
            .and_then(|dimension| stride.checked_mul(dimension))
            .ok_or_else(|| Error::limit(format!("cannot stride over shape {shape:?}: overflow")))?;
    }
    Ok(strides)
}

/// Where the elements of a tensor lie: shape, strides in elements, and the place of the first one.
///
/// Strides may be negative or 0. Invariants: the dimensions that are not 0 multiply to an `isize`,
/// and no index inside the shape leads to a negative place or overflows. The stride of an axis with
/// fewer than two indices means nothing and may be any number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    shape: Vec<usize>,
    strides: Vec<isize>,
    offset: usize,
}

impl Layout {
    /// A dense layout, last axis fastest.
    ///
    /// # Errors
    /// `LimitReached` when the dimensions that are not 0 multiply to more than `isize` holds.
    pub fn contiguous(shape: impl Into<Vec<usize>>) -> Result<Self, Error> {
        let shape = shape.into();
        let strides = contiguous_strides(&shape)?;
        Ok(Self {
            shape,
            strides,
            offset: 0,
        })
    }

    /// A layout with given strides; `offset` is the place of element `[0, 0, ...]`. All in elements.
    ///
    /// # Errors
    /// `InvalidInput` when the ranks differ or an element would lie before place 0, `LimitReached`
    /// on overflow.
    pub fn strided(
        shape: impl Into<Vec<usize>>,
        strides: impl Into<Vec<isize>>,
        offset: usize,
    ) -> Result<Self, Error> {
        let (shape, strides) = (shape.into(), strides.into());
        if shape.len() != strides.len() {
            let (rank, given) = (shape.len(), strides.len());
            return Err(Error::invalid(format!(
                "cannot lay out {rank} axes with {given} strides"
            )));
        }
        contiguous_strides(&shape)?;
        places(&shape, &strides, offset)?;
        Ok(Self {
            shape,
            strides,
            offset,
        })
    }

    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The distance between neighbours along each axis, in elements.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// The place of element `[0, 0, ...]`, in elements.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    pub fn element_count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the elements lie densely in row-major order, wherever they start.
    pub fn is_contiguous(&self) -> bool {
        self.dense_axes() == self.rank()
    }

    /// From the lowest to one past the highest place used; empty for a tensor without elements.
    pub fn places(&self) -> Range<usize> {
        // Checked when the layout was made, and every view stays inside its parent.
        places(&self.shape, &self.strides, self.offset).unwrap_or(0..0)
    }

    /// The place of an element; `None` when `index` is not inside the shape.
    pub fn place(&self, index: &[usize]) -> Option<usize> {
        let inside =
            index.len() == self.rank() && index.iter().zip(&self.shape).all(|(i, n)| i < n);
        inside.then(|| {
            let steps = index.iter().zip(&self.strides);
            let distance: isize = steps.map(|(&i, &stride)| i.cast_signed() * stride).sum();
            self.offset.wrapping_add_signed(distance)
        })
    }

    /// The same elements with the axes in reverse order.
    #[must_use]
    pub fn transpose(mut self) -> Self {
        self.shape.reverse();
        self.strides.reverse();
        self
    }

    /// The same elements with the axes in the order `axes`.
    ///
    /// # Errors
    /// `InvalidInput` when `axes` is not a permutation of `0..rank`.
    pub fn permute(&self, axes: &[usize]) -> Result<Self, Error> {
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..self.rank()) {
            let rank = self.rank();
            return Err(Error::invalid(format!(
                "cannot permute {rank} axes as {axes:?}"
            )));
        }
        Ok(Self {
            shape: axes.iter().map(|&axis| self.shape[axis]).collect(),
            strides: axes.iter().map(|&axis| self.strides[axis]).collect(),
            offset: self.offset,
        })
    }

    /// Every `step`-th index of `range` along `axis`.
    ///
    /// # Errors
    /// `InvalidInput` when the axis or the range is not inside the shape, or `step` is 0.
    pub fn slice(mut self, axis: usize, range: Range<usize>, step: usize) -> Result<Self, Error> {
        let length = self.axis_len(axis)?;
        if range.start > range.end || range.end > length || step == 0 {
            let message =
                format!("cannot take {range:?} by {step} of axis {axis} with {length} elements");
            return Err(Error::invalid(message));
        }
        let taken = range.len().div_ceil(step);
        if taken == 0 || self.element_count() == 0 {
            self.shape[axis] = taken;
            return Ok(self);
        }
        self.offset = self
            .offset
            .wrapping_add_signed(range.start.cast_signed() * self.strides[axis]);
        self.shape[axis] = taken;
        // With one element left the stride means nothing; a huge `step` must not overflow it.
        if taken > 1 {
            self.strides[axis] *= step.cast_signed();
        }
        Ok(self)
    }

    /// Index `index` of `axis`; the axis disappears.
    ///
    /// # Errors
    /// `InvalidInput` when the axis or the index is not inside the shape.
    pub fn select(self, axis: usize, index: usize) -> Result<Self, Error> {
        if index >= self.axis_len(axis)? {
            let length = self.shape[axis];
            return Err(Error::invalid(format!(
                "cannot select {index} of axis {axis} with {length} elements"
            )));
        }
        let mut taken = self.slice(axis, index..index + 1, 1)?;
        taken.shape.remove(axis);
        taken.strides.remove(axis);
        Ok(taken)
    }

    /// The same elements with `axis` walked backwards.
    ///
    /// # Errors
    /// `InvalidInput` when there is no such axis.
    pub fn flip(mut self, axis: usize) -> Result<Self, Error> {
        let length = self.axis_len(axis)?;
        if self.element_count() > 0 {
            let last = (length - 1).cast_signed() * self.strides[axis];
            self.offset = self.offset.wrapping_add_signed(last);
            self.strides[axis] = self.strides[axis].wrapping_neg();
        }
        Ok(self)
    }

    /// How many of the last axes lie densely: they are one run of memory.
    pub(crate) fn dense_axes(&self) -> usize {
        if self.element_count() == 0 {
            return self.rank();
        }
        let mut run = 1_usize;
        for (dense, (&dimension, &stride)) in self.shape.iter().zip(&self.strides).rev().enumerate()
        {
            if dimension != 1 && stride != run.cast_signed() {
                return dense;
            }
            run *= dimension;
        }
        self.rank()
    }

    fn axis_len(&self, axis: usize) -> Result<usize, Error> {
        let rank = self.rank();
        let missing = || Error::invalid(format!("cannot find axis {axis} of {rank} axes"));
        self.shape.get(axis).copied().ok_or_else(missing)
    }
}

fn places(shape: &[usize], strides: &[isize], offset: usize) -> Result<Range<usize>, Error> {
    let overflow = || {
        Error::limit(format!(
            "cannot stride over shape {shape:?} by {strides:?}: overflow"
        ))
    };
    if shape.contains(&0) {
        return Ok(0..0);
    }
    let start = isize::try_from(offset).map_err(|_| overflow())?;
    let (mut low, mut high) = (start, start);
    for (&dimension, &stride) in shape.iter().zip(strides) {
        let reach = isize::try_from(dimension - 1)
            .ok()
            .and_then(|steps| steps.checked_mul(stride))
            .ok_or_else(overflow)?;
        let side = if reach < 0 { &mut low } else { &mut high };
        *side = side.checked_add(reach).ok_or_else(overflow)?;
    }
    let low = usize::try_from(low).map_err(|_| {
        Error::invalid(format!(
            "cannot stride over shape {shape:?} by {strides:?}: starts at {low}"
        ))
    })?;
    Ok(low..high.checked_add(1).ok_or_else(overflow)?.cast_unsigned())
}
