//! Strided arrays over shared memory.

use super::dims::{Axes, walk};
use super::output::Lines;
use super::view::View;
use super::{Dims, Output};
use crate::dtype::{Item, with_item};
use crate::limits::RANK_MAX;
use pyo3::prelude::*;
use std::any::Any;
use std::borrow::Cow;
use std::ptr::copy_nonoverlapping;
use std::slice;
use std::sync::Arc;

/// The type of the items; the file `dtype` has what is known of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtype {
    F16,
    BF16,
    F32,
    F64,
    C64,
    C128,
    I8,
    I16,
    I32,
    I64,
    U8,
}

/// Words that an object has for the items of a small array.
pub(crate) const INLINE_WORDS: usize = 16;

/// The items of a small array.
pub(super) type Words = [u64; INLINE_WORDS];

/// An array whose memory is shared and kept alive, or that of the object which the array is in. Nothing here
/// writes to it.
///
/// Invariant: every index inside the shape leads to an aligned item of `dtype` in live memory.
pub(crate) struct Array {
    pub(crate) dtype: Dtype,
    /// Strides are counted in items.
    axes: Axes,
    /// Item `[0, 0, ...]`.
    start: *const u8,
    /// Without one, `start` leads to the [`Words`] of the object, and the array never leaves that.
    owner: Option<Owner>,
}

type Owner = Arc<dyn Any + Send + Sync>;

// SAFETY: the owner keeps the memory in place until it is dropped, from any thread, and nothing here writes to it.
unsafe impl Send for Array {}
// SAFETY: as above.
unsafe impl Sync for Array {}

impl Clone for Array {
    #[inline]
    fn clone(&self) -> Self {
        self.with_axes(self.axes.clone(), 0)
    }
}

impl Array {
    /// An array in memory of others.
    ///
    /// # Safety
    /// While `owner` lives, every index inside `shape` must lead from `start`, by `strides` in items, to an
    /// aligned item of `dtype`.
    pub(super) unsafe fn shared(
        dtype: Dtype,
        (shape, strides): (Dims, Dims),
        start: *const u8,
        owner: Owner,
    ) -> Self {
        Self {
            dtype,
            axes: Axes::new(&shape, &strides),
            start,
            owner: Some(owner),
        }
    }

    /// An array of few items in the words of an object, where `work` computes them; they are zeros at first.
    /// `None` where it does not.
    ///
    /// # Safety
    /// `words` may be written to, and stay where they are for as long as the array is.
    ///
    /// # Panics
    /// When the items are too many.
    #[inline]
    pub(super) unsafe fn within<T: Item>(
        words: *mut Words,
        shape: Dims,
        work: impl FnOnce(&mut [T]) -> Option<()>,
    ) -> Option<Self> {
        let len = shape.iter().product::<isize>().cast_unsigned();
        assert!(len * size_of::<T>() <= size_of::<Words>(), "few items");
        // SAFETY: the caller's; the words have room for the items and are aligned for every `T`.
        unsafe {
            words.write([0; INLINE_WORDS]);
            work(slice::from_raw_parts_mut(words.cast(), len))?;
        }
        Some(Self {
            dtype: T::DTYPE,
            axes: Axes::new(&shape, &Dims::dense(&shape)),
            start: words.cast(),
            owner: None,
        })
    }

    /// The numbers in row-major order.
    pub(crate) fn of<T: Item>(values: &[T], shape: Dims) -> PyResult<Self> {
        let mut output = Output::new(shape)?;
        output.items().copy_from_slice(values);
        Ok(output.into_array())
    }

    pub(crate) fn shape(&self) -> Dims {
        self.axes.shape()
    }

    pub(crate) fn strides(&self) -> Dims {
        self.axes.strides()
    }

    /// The strides in bytes.
    pub(crate) fn strides_bytes(&self) -> Dims {
        let mut strides = self.strides();
        let size = self.dtype.size().cast_signed();
        strides
            .iter_mut()
            .for_each(|stride| *stride = stride.wrapping_mul(size));
        strides
    }

    pub(crate) fn rank(&self) -> usize {
        self.axes.get().0.len()
    }

    /// The number of items.
    pub(crate) fn len(&self) -> usize {
        let (shape, _) = self.axes.get();
        shape.iter().product::<isize>().cast_unsigned()
    }

    /// Item `[0, 0, ...]`.
    pub(super) fn start(&self) -> *const u8 {
        self.start
    }

    /// The address of item `[0, 0, ...]`, for others to read there.
    pub(crate) fn address(&self) -> usize {
        self.start().expose_provenance()
    }

    /// The same memory under other axes that name only items this one names, from another first one. Memory of an
    /// object is copied.
    #[inline]
    fn with_axes(&self, axes: Axes, offset: isize) -> Self {
        let (start, owner) = if let Some(owner) = &self.owner {
            (self.start, owner.clone())
        } else {
            let mut words: Words = [0; INLINE_WORDS];
            let (from, to) = (self.start, words.as_mut_ptr().cast());
            // SAFETY: the invariant.
            unsafe { copy_nonoverlapping(from, to, size_of::<Words>()) };
            let words = Arc::new(words);
            (Arc::as_ptr(&words).cast(), words as Owner)
        };
        Self {
            dtype: self.dtype,
            axes,
            start: start.wrapping_offset(offset * self.dtype.size().cast_signed()),
            owner: Some(owner),
        }
    }

    /// The same memory under another shape, for a view that names only items this one names.
    fn view(&self, shape: Dims, strides: Dims, offset: isize) -> Self {
        self.with_axes(Axes::new(&shape, &strides), offset)
    }

    /// The axes in another order.
    ///
    /// # Panics
    /// When `order` is no permutation.
    pub(crate) fn permuted(&self, order: &[usize]) -> Self {
        let mut seen = [false; RANK_MAX];
        for &axis in order {
            seen[axis] = true;
        }
        let complete = seen[..self.rank()].iter().all(|&seen| seen);
        assert!(
            complete && order.len() == self.rank(),
            "a permutation of the axes"
        );
        let (mut shape, mut strides) = (self.shape(), self.strides());
        for (to, &from) in order.iter().enumerate() {
            shape[to] = self.shape()[from];
            strides[to] = self.strides()[from];
        }
        self.view(shape, strides, 0)
    }

    /// The last two axes exchanged.
    #[inline]
    pub(crate) fn transposed(&self) -> Self {
        let (mut shape, mut strides) = (self.shape(), self.strides());
        if let ([.., m, n], [.., row, column]) = (&mut *shape, &mut *strides) {
            std::mem::swap(m, n);
            std::mem::swap(row, column);
        }
        self.view(shape, strides, 0)
    }

    /// All axes in reverse order.
    pub(crate) fn reversed(&self) -> Self {
        let order: Vec<usize> = (0..self.rank()).rev().collect();
        self.permuted(&order)
    }

    /// The index `at` of an axis, which goes.
    ///
    /// # Panics
    /// When there is no such index.
    pub(crate) fn select(&self, axis: usize, at: isize) -> Self {
        assert!(
            (0..self.shape()[axis]).contains(&at),
            "an index of the axis"
        );
        let without = |dims: Dims| {
            let rest = dims.iter().enumerate().filter(|&(i, _)| i != axis);
            Dims::new(rest.map(|(_, &dim)| dim)).expect("fewer axes than before")
        };
        let offset = at * self.strides()[axis];
        self.view(without(self.shape()), without(self.strides()), offset)
    }

    /// Every `step`th of an axis from `start`, `count` of them.
    ///
    /// # Panics
    /// When they are not all in the axis.
    pub(crate) fn slice(&self, axis: usize, start: isize, step: isize, count: isize) -> Self {
        let n = self.shape()[axis];
        let inside = |at: isize| (0..n).contains(&at);
        let last = step
            .checked_mul(count - 1)
            .and_then(|way| start.checked_add(way));
        assert!(
            count == 0 || (count > 0 && inside(start) && last.is_some_and(inside)),
            "a slice inside of the axis"
        );
        let stride = self.strides()[axis];
        let offset = if count == 0 { 0 } else { start * stride };
        self.view(
            self.shape().with(axis, count),
            self.strides().with(axis, stride.wrapping_mul(step)),
            offset,
        )
    }

    /// The items `(i, i + shift)` of the last two axes as the last axis.
    pub(crate) fn diagonal(&self, shift: isize) -> Self {
        let axis = self.rank() - 2;
        let ((m, n), (row, column)) = (
            (self.shape()[axis], self.shape()[axis + 1]),
            (self.strides()[axis], self.strides()[axis + 1]),
        );
        let (above, below) = (shift.max(0), shift.saturating_neg().max(0));
        let count = m.saturating_sub(below).min(n.saturating_sub(above)).max(0);
        let offset = if count == 0 {
            0
        } else {
            below * row + above * column
        };
        let cut = |dims: Dims, last: isize| {
            let kept = dims[..axis].iter().copied().chain([last]);
            Dims::new(kept).expect("fewer axes than before")
        };
        self.view(
            cut(self.shape(), count),
            cut(self.strides(), row + column),
            offset,
        )
    }

    /// A further axis of one index.
    pub(crate) fn expanded(&self, axis: usize) -> PyResult<Self> {
        let insert = |dims: Dims, value: isize| {
            let (before, after) = dims.split_at(axis);
            Dims::new(
                before
                    .iter()
                    .copied()
                    .chain([value])
                    .chain(after.iter().copied()),
            )
        };
        Ok(self.view(insert(self.shape(), 1)?, insert(self.strides(), 0)?, 0))
    }

    /// The same items seen under a greater shape, as NumPy's broadcasting has it; `None` where it does not fit.
    pub(crate) fn broadcast(&self, shape: &[isize]) -> Option<Self> {
        let more = shape.len().checked_sub(self.rank())?;
        let mut strides = Dims::dense(shape);
        for (axis, &n) in shape.iter().enumerate() {
            let own = axis
                .checked_sub(more)
                .map(|axis| (self.shape()[axis], self.strides()[axis]));
            strides[axis] = match own {
                Some((m, stride)) if m == n => stride,
                Some((1, _)) | None => 0,
                Some(_) => return None,
            };
        }
        Some(self.view(Dims::new(shape.iter().copied()).ok()?, strides, 0))
    }

    /// Whether the items lie in row-major order without gaps.
    pub(crate) fn is_dense(&self) -> bool {
        let (shape, strides) = self.axes.get();
        let dense = Dims::dense(shape);
        let mut axes = shape.iter().zip(strides.iter().zip(dense.iter()));
        self.len() == 0 || axes.all(|(&n, (a, b))| n == 1 || a == b)
    }

    /// The same items under another shape with as many; they are copied unless they lie densely.
    pub(crate) fn reshaped(&self, shape: Dims) -> PyResult<Self> {
        assert_eq!(
            shape.iter().product::<isize>().cast_unsigned(),
            self.len(),
            "as many items"
        );
        let dense = if self.is_dense() {
            self.clone()
        } else {
            self.copied()?
        };
        Ok(dense.view(shape, Dims::dense(&shape), 0))
    }

    /// A dense copy.
    pub(crate) fn copied(&self) -> PyResult<Self> {
        with_item!(self.dtype, T => Self::of::<T>(&self.values(), self.shape()))
    }

    /// The items as ones of another type: itself where they are.
    pub(crate) fn of_type(&self, dtype: Dtype) -> PyResult<Self> {
        if self.dtype == dtype {
            return Ok(self.clone());
        }
        with_item!(dtype, T => Self::of::<T>(&self.values(), self.shape()))
    }

    /// The items as `T` in row-major order; a copy unless they lie so.
    pub(crate) fn values<T: Item>(&self) -> Cow<'_, [T]> {
        if self.dtype == T::DTYPE && self.is_dense() {
            // SAFETY: the invariant, for items that lie one after the other.
            let values = unsafe { slice::from_raw_parts(self.items(), self.len()) };
            return values.into();
        }
        Cow::Owned(with_item!(self.dtype, S => self.gather(|item: S| item.convert())))
    }

    /// The pointer to the first item; a dangling one where there are none.
    pub(super) fn items<T>(&self) -> *const T {
        if self.len() == 0 {
            std::ptr::NonNull::dangling().as_ptr()
        } else {
            self.start().cast()
        }
    }

    /// The items, which are of type `S`, in row-major order.
    fn gather<S: Copy, T>(&self, convert: impl Fn(S) -> T) -> Vec<T> {
        assert_eq!(size_of::<S>(), self.dtype.size(), "the type of the items");
        let mut values = Vec::with_capacity(self.len());
        let start: *const S = self.items();
        walk(&self.shape(), &self.strides(), 0, &mut |at| {
            // SAFETY: the invariant; `walk` names indices inside the shape only.
            values.push(convert(unsafe { start.offset(at).read() }));
        });
        values
    }

    /// The items in row-major order, where they are few, of type `T` and lie so.
    #[inline]
    pub(crate) fn few<T: Item>(&self) -> Option<&[T]> {
        let len = self.len();
        if self.dtype != T::DTYPE || len * size_of::<T>() > INLINE_WORDS * 8 || !self.is_dense() {
            return None;
        }
        // SAFETY: the invariant, for items that lie one after the other.
        Some(unsafe { slice::from_raw_parts(self.items(), len) })
    }

    /// The matrix or vector that it is.
    #[inline]
    pub(super) fn viewed(&self) -> Option<View<'_>> {
        // SAFETY: the invariant.
        unsafe { View::strided(self.dtype, self.axes.get(), 1, self.start) }
    }

    /// Whether the memory is another object's.
    pub(super) fn is_foreign(&self) -> bool {
        let is_own = |owner: &Owner| owner.is::<Words>() || owner.is::<Lines>();
        self.owner.as_ref().is_some_and(|owner| !is_own(owner))
    }

    /// Writes numbers over the items, in row-major order.
    ///
    /// # Safety
    /// The memory may be written.
    ///
    /// # Panics
    /// When the items are of another type, or not as many.
    pub(super) unsafe fn overwrite<T: Item>(&self, values: &[T]) {
        assert!(
            self.is_foreign() && self.dtype == T::DTYPE && self.len() == values.len(),
            "an array of the same kind"
        );
        let start = self.items::<T>().cast_mut();
        let mut values = values.iter();
        walk(&self.shape(), &self.strides(), 0, &mut |at| {
            if let Some(&value) = values.next() {
                // SAFETY: the invariant and the caller's; `walk` names indices inside the shape only.
                unsafe { start.offset(at).write(value) };
            }
        });
    }

    /// The array as one whose last two axes are matrices of `T`: itself where they are.
    pub(crate) fn prepared<T: Item>(&self) -> PyResult<Self> {
        let forward = self
            .strides()
            .iter()
            .rev()
            .take(2)
            .all(|&stride| stride >= 0);
        if self.dtype == T::DTYPE && forward {
            return Ok(self.clone());
        }
        Self::of::<T>(&self.values(), self.shape())
    }
}
