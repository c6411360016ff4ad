//! Operands of one call where they lie: no copies of NumPy's items, and no owner for them.

use super::interface::ArrayInterface;
use super::state::Name;
use super::{Array, Dims, Dtype, INLINE_WORDS, Matrix, State};
use crate::dtype::{Item, Source};
use nexus_linalg::MatRef;
use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{Borrowed, ffi};
use std::marker::PhantomData;
use std::slice;

/// A matrix or a vector of numbers.
///
/// Invariant: every index inside the shape, which has no zero, leads to an aligned item of `dtype` in memory that
/// lives as long as `'a`.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) dtype: Dtype,
    is_vector: bool,
    /// Of a vector, one column.
    shape: (usize, usize),
    /// Counted in items.
    strides: (usize, usize),
    start: *const u8,
    items: PhantomData<&'a u8>,
}

/// What keeps the items of an operand that is no `Matrix`.
#[derive(Default)]
pub(super) struct Keeper<'py> {
    numbers: Option<[f64; INLINE_WORDS]>,
    capsule: Option<Bound<'py, PyAny>>,
}

impl<'a> View<'a> {
    /// Of a `Matrix`, a NumPy array, or a list of few numbers. `None` for others, for those without items, of more
    /// than two axes, and with strides backwards.
    ///
    /// # Safety
    /// The object is alive during `'a`, and the thread attached.
    #[expect(
        clippy::inline_always,
        reason = "a view that comes back through memory is read by halves that wait for its stores"
    )]
    #[inline(always)]
    pub(super) unsafe fn of<'py>(
        py: Python<'py>,
        object: *mut ffi::PyObject,
        keeper: &'a mut Keeper<'py>,
    ) -> Option<Self> {
        // SAFETY: the caller's.
        unsafe {
            match Matrix::of_pointer(object) {
                Some(matrix) => matrix.array.viewed(),
                None => Self::foreign(py, object, keeper),
            }
        }
    }

    /// [`of`](Self::of) what is no `Matrix`.
    ///
    /// # Safety
    /// As there.
    #[inline(never)]
    unsafe fn foreign<'py>(
        py: Python<'py>,
        object: *mut ffi::PyObject,
        keeper: &'a mut Keeper<'py>,
    ) -> Option<Self> {
        // SAFETY: the caller's. The capsule of NumPy's array keeps the array.
        unsafe {
            if ffi::PyList_CheckExact(object) != 0 {
                let numbers = keeper.numbers.insert([0.0; INLINE_WORDS]);
                let shape = nested(object, numbers)?;
                let axes = (&*shape, &*Dims::dense(&shape));
                return Self::strided(Dtype::F64, axes, 1, numbers.as_ptr().cast());
            }
            let object = Borrowed::from_ptr(py, object);
            if !super::is_ndarray(&object) {
                return None;
            }
            let capsule = State::current(py).attribute(&object, Name::ArrayStruct)?;
            let interface = ArrayInterface::of(keeper.capsule.insert(capsule))?;
            let (Source::Own(dtype), true) = (interface.source()?, interface.is_aligned()) else {
                return None;
            };
            Self::strided(dtype, interface.axes()?, dtype.size(), interface.start())
        }
    }

    /// With strides of which `unit` are one item.
    ///
    /// # Safety
    /// The invariant, but for zeros in the shape and the sign of strides.
    #[inline]
    pub(super) unsafe fn strided(
        dtype: Dtype,
        axes: (&[isize], &[isize]),
        unit: usize,
        start: *const u8,
    ) -> Option<Self> {
        let ((m, n), (row, column), is_vector) = match axes {
            (&[n], &[stride]) => ((n, 1), (stride, 0), true),
            (&[m, n], &[row, column]) => ((m, n), (row, column), false),
            _ => return None,
        };
        let unit = unit.cast_signed();
        let forward = row >= 0 && column >= 0 && row % unit == 0 && column % unit == 0;
        (forward && m > 0 && n > 0).then(|| Self {
            dtype,
            is_vector,
            shape: (m.cast_unsigned(), n.cast_unsigned()),
            strides: (
                (row / unit).cast_unsigned(),
                (column / unit).cast_unsigned(),
            ),
            start,
            items: PhantomData,
        })
    }

    /// Whether it has one axis.
    pub(crate) fn is_vector(&self) -> bool {
        self.is_vector
    }

    /// The items where they are of type `T`: of a vector, a column.
    #[inline]
    pub(crate) fn columns<T: Item>(&self) -> Option<MatRef<'a, T>> {
        if self.dtype != T::DTYPE {
            return None;
        }
        let ((m, n), (row, column)) = (self.shape, self.strides);
        let reach = (m - 1) * row + (n - 1) * column + 1;
        // SAFETY: the invariant, and `Stack::get` for threads that write.
        let items = unsafe { slice::from_raw_parts(self.start.cast(), reach) };
        MatRef::with_strides(items, self.shape, self.strides).ok()
    }

    /// The matrix, where it is one, of type `T`.
    #[inline]
    pub(crate) fn matrix<T: Item>(&self) -> Option<MatRef<'a, T>> {
        if self.is_vector { None } else { self.columns() }
    }
}

/// A list of few numbers, or of lists of as many each: its shape, and the numbers in `items`.
///
/// # Safety
/// The object is a list, and the thread attached.
unsafe fn nested(list: *mut ffi::PyObject, items: &mut [f64; INLINE_WORDS]) -> Option<Dims> {
    // SAFETY: the caller's; a list has as many items as its size says, and nothing here runs Python code.
    unsafe {
        let count = ffi::PyList_GET_SIZE(list);
        let rows = usize::try_from(count)
            .ok()
            .filter(|&n| (1..=INLINE_WORDS).contains(&n))?;
        if ffi::PyList_CheckExact(ffi::PyList_GET_ITEM(list, 0)) == 0 {
            numbers(list, &mut items[..rows])?;
            return Some(Dims::vector(count));
        }
        let columns = ffi::PyList_GET_SIZE(ffi::PyList_GET_ITEM(list, 0));
        let width = usize::try_from(columns).ok()?;
        let len = rows
            .checked_mul(width)
            .filter(|&n| (1..=INLINE_WORDS).contains(&n))?;
        for (index, row) in items[..len].chunks_exact_mut(width).enumerate() {
            let found = ffi::PyList_GET_ITEM(list, index.cast_signed());
            if ffi::PyList_CheckExact(found) == 0 || ffi::PyList_GET_SIZE(found) != columns {
                return None;
            }
            numbers(found, row)?;
        }
        Some(Dims::matrix(count, columns))
    }
}

/// A list of few numbers, or of lists of as many each.
#[inline]
pub(crate) fn few_of_list(list: &Bound<'_, PyList>) -> Option<Array> {
    let mut items = [0.0; INLINE_WORDS];
    // SAFETY: it is a list, and its reference proves that the thread is attached.
    let shape = unsafe { nested(list.as_ptr(), &mut items) }?;
    let len = shape.iter().product::<isize>().cast_unsigned();
    Array::of(&items[..len], shape).ok()
}

/// The floats and small whole numbers of a list.
///
/// # Safety
/// The object is a list of as many items, and the thread attached.
unsafe fn numbers(list: *mut ffi::PyObject, places: &mut [f64]) -> Option<()> {
    for (index, place) in places.iter_mut().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            let item = ffi::PyList_GET_ITEM(list, index.cast_signed());
            if ffi::PyFloat_CheckExact(item) != 0 {
                *place = ffi::PyFloat_AS_DOUBLE(item);
            } else if ffi::PyLong_CheckExact(item) != 0 {
                let mut overflow = 0;
                let whole = ffi::PyLong_AsLongLongAndOverflow(item, &raw mut overflow);
                if overflow != 0 {
                    return None;
                }
                *place = whole as f64;
            } else {
                return None;
            }
        }
    }
    Some(())
}
