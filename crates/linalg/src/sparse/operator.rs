//! What is known by its products alone.

use super::columns::{Csc, CscRef};
use super::csr::{Csr, CsrRef};
use super::index::Index;
use crate::{Context, Float, MatMut, MatRef};
use std::fmt;

/// An operator gave up: its caller wants to end, or knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// A linear map. Products take dense matrices whose shapes fit and write every item of the result.
pub trait Operator<T> {
    /// Rows and columns.
    fn shape(&self) -> (usize, usize);

    /// `y = a x`.
    ///
    /// # Errors
    /// When the operator gives up: what called it ends with `Cancelled`.
    fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped>;

    /// `y = a^T x`.
    ///
    /// # Errors
    /// As [`apply`](Self::apply); always for an operator that has no transpose.
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped>;
}

/// An operator made of two functions, `y = a x` and `y = a^T x`.
#[derive(Clone)]
pub struct FromFn<F, G> {
    shape: (usize, usize),
    apply: F,
    apply_transpose: G,
}

impl<F, G> FromFn<F, G> {
    /// An operator of this shape.
    pub fn new(shape: (usize, usize), apply: F, apply_transpose: G) -> Self {
        Self {
            shape,
            apply,
            apply_transpose,
        }
    }
}

impl<F, G> fmt::Debug for FromFn<F, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl<T, F, G> Operator<T> for FromFn<F, G>
where
    F: Fn(MatRef<'_, T>, MatMut<'_, T>) -> Result<(), Stopped>,
    G: Fn(MatRef<'_, T>, MatMut<'_, T>) -> Result<(), Stopped>,
{
    fn shape(&self) -> (usize, usize) {
        self.shape
    }
    fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        (self.apply)(x, y)
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        (self.apply_transpose)(x, y)
    }
}

/// A matrix whose products run as a [`Context`] says.
#[derive(Clone, Copy, Debug)]
pub struct OnThreads<A>(pub Context, pub A);

impl<T: Float, I: Index> Operator<T> for OnThreads<CsrRef<'_, T, I>> {
    fn shape(&self) -> (usize, usize) {
        self.1.shape()
    }
    fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.1.multiply(self.0, x, y).map_err(|_| Stopped)
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.1.multiply_transpose(x, y).map_err(|_| Stopped)
    }
}

impl<T: Float, I: Index> Operator<T> for OnThreads<CscRef<'_, T, I>> {
    fn shape(&self) -> (usize, usize) {
        self.1.shape()
    }
    fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.1.multiply(x, y).map_err(|_| Stopped)
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.1
            .transpose()
            .multiply(self.0, x, y)
            .map_err(|_| Stopped)
    }
}

impl<T: Float> Operator<T> for OnThreads<MatRef<'_, T>> {
    fn shape(&self) -> (usize, usize) {
        self.1.shape()
    }
    fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.0.matmul(self.1, x, y).map_err(|_| Stopped)
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.0.matmul(self.1.transpose(), x, y).map_err(|_| Stopped)
    }
}

/// On one thread.
macro_rules! operator {
    ([$($parameters:tt)*] $type:ty, $view:expr) => {
        impl<$($parameters)*> Operator<T> for $type {
            fn shape(&self) -> (usize, usize) {
                self.shape()
            }
            fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
                OnThreads(Context::default(), $view(self)).apply(x, y)
            }
            fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
                OnThreads(Context::default(), $view(self)).apply_transpose(x, y)
            }
        }
    };
}

operator!([T: Float, I: Index] CsrRef<'_, T, I>, |a: &Self| *a);
operator!([T: Float, I: Index] CscRef<'_, T, I>, |a: &Self| *a);
operator!([T: Float, I: Index] Csr<T, I>, Csr::as_ref);
operator!([T: Float, I: Index] Csc<T, I>, Csc::as_ref);
operator!([T: Float] MatRef<'_, T>, |a: &Self| *a);

/// A vector as a matrix of one column.
pub(super) fn column<T>(items: &[T]) -> MatRef<'_, T> {
    MatRef::new(items, items.len(), 1).expect("one item for each row")
}

/// A vector as a matrix of one column, to be written.
pub(super) fn column_mut<T>(items: &mut [T]) -> MatMut<'_, T> {
    let len = items.len();
    MatMut::new(items, len, 1).expect("one item for each row")
}
