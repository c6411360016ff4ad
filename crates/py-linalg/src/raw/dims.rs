//! Shapes and strides.

use crate::limits::RANK_MAX;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::ops::{Deref, DerefMut};

/// A shape or strides, without an allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dims {
    items: [isize; RANK_MAX],
    len: usize,
}

impl Dims {
    /// # Errors
    /// `ValueError` for more than [`RANK_MAX`] axes.
    pub(crate) fn new(items: impl IntoIterator<Item = isize>) -> PyResult<Self> {
        let mut dims = Self {
            items: [0; RANK_MAX],
            len: 0,
        };
        for item in items {
            let Some(place) = dims.items.get_mut(dims.len) else {
                let message = format!("an array has at most {RANK_MAX} axes");
                return Err(PyValueError::new_err(message));
            };
            *place = item;
            dims.len += 1;
        }
        Ok(dims)
    }

    /// The same of items that lie together.
    ///
    /// # Errors
    /// As [`Dims::new`].
    #[inline]
    pub(crate) fn of(dims: &[isize]) -> PyResult<Self> {
        if dims.len() > RANK_MAX {
            return Self::new(dims.iter().copied());
        }
        Ok(Self::at_most(dims))
    }

    /// Of at most [`RANK_MAX`] axes.
    #[inline]
    fn at_most(dims: &[isize]) -> Self {
        let mut items = [0; RANK_MAX];
        items[..dims.len()].copy_from_slice(dims);
        Self {
            items,
            len: dims.len(),
        }
    }

    pub(crate) fn shape(shape: &[usize]) -> PyResult<Self> {
        Self::new(shape.iter().map(|&n| n.cast_signed()))
    }

    /// The shape of a vector.
    #[inline]
    pub(crate) const fn vector(len: isize) -> Self {
        let mut items = [0; RANK_MAX];
        items[0] = len;
        Self { items, len: 1 }
    }

    /// The shape of a matrix.
    #[inline]
    pub(crate) const fn matrix(rows: isize, columns: isize) -> Self {
        let mut items = [0; RANK_MAX];
        items[0] = rows;
        items[1] = columns;
        Self { items, len: 2 }
    }

    /// Strides of a dense row-major array.
    #[inline]
    pub(crate) fn dense(shape: &[isize]) -> Self {
        let mut dims = Self {
            items: [0; RANK_MAX],
            len: shape.len(),
        };
        let mut stride = 1_isize;
        for (place, &n) in dims.items[..shape.len()].iter_mut().zip(shape).rev() {
            *place = stride;
            stride = stride.wrapping_mul(n.max(1));
        }
        dims
    }

    /// The same with another number at `axis`.
    pub(crate) fn with(mut self, axis: usize, value: isize) -> Self {
        self[axis] = value;
        self
    }
}

impl Deref for Dims {
    type Target = [isize];
    fn deref(&self) -> &[isize] {
        &self.items[..self.len]
    }
}

impl DerefMut for Dims {
    fn deref_mut(&mut self) -> &mut [isize] {
        &mut self.items[..self.len]
    }
}

/// Axes that an array has in itself.
const FEW: usize = 3;

/// Shape and strides of an array: those of few axes without an allocation, and without the room for many.
#[derive(Clone)]
pub(super) enum Axes {
    Few {
        rank: usize,
        shape: [isize; FEW],
        strides: [isize; FEW],
    },
    Many(Box<(Dims, Dims)>),
}

impl Axes {
    /// Of as many lengths as strides.
    #[inline]
    pub(super) fn new(shape: &Dims, strides: &Dims) -> Self {
        if shape.len > FEW {
            return Self::Many(Box::new((*shape, *strides)));
        }
        let [first, second, third, ..] = shape.items;
        let [stride, second_stride, third_stride, ..] = strides.items;
        Self::Few {
            rank: shape.len,
            shape: [first, second, third],
            strides: [stride, second_stride, third_stride],
        }
    }

    /// Shape and strides.
    #[inline]
    pub(super) fn get(&self) -> (&[isize], &[isize]) {
        match self {
            Self::Few {
                rank,
                shape,
                strides,
            } => (&shape[..*rank], &strides[..*rank]),
            Self::Many(dims) => (&dims.0, &dims.1),
        }
    }

    pub(super) fn shape(&self) -> Dims {
        Dims::at_most(self.get().0)
    }

    pub(super) fn strides(&self) -> Dims {
        Dims::at_most(self.get().1)
    }
}

/// Calls `visit` with the place of each item, in row-major order.
pub(super) fn walk(shape: &[isize], strides: &[isize], at: isize, visit: &mut impl FnMut(isize)) {
    match (shape, strides) {
        ([n, shape @ ..], [stride, strides @ ..]) => {
            for i in 0..*n {
                walk(shape, strides, at + i * stride, visit);
            }
        }
        _ => visit(at),
    }
}
