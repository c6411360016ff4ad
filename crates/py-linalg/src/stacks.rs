//! Shapes of stacks.

use crate::raw::{Array, Dims, LinAlgError};
use crate::text::shape;
use pyo3::prelude::*;

/// A stack of matrices.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// The axes before the matrices.
    pub(crate) batch: Dims,
    /// Rows.
    pub(crate) m: usize,
    /// Columns.
    pub(crate) n: usize,
}

impl Shape {
    /// # Errors
    /// `LinAlgError` for what is no matrix and no stack of matrices.
    pub(crate) fn of(name: &str, array: &Array) -> PyResult<Self> {
        let dims = array.shape();
        let [batch @ .., m, n] = &*dims else {
            let found = shape(&dims);
            let message =
                format!("{name}: expected a matrix or a stack of them, found shape {found}");
            return Err(LinAlgError::new_err(message));
        };
        Ok(Self {
            batch: Dims::new(batch.iter().copied())?,
            m: m.cast_unsigned(),
            n: n.cast_unsigned(),
        })
    }

    /// # Errors
    /// `LinAlgError` for matrices that are not square, and for vectors.
    pub(crate) fn square(name: &str, array: &Array) -> PyResult<Self> {
        let sizes = Self::of(name, array)?;
        if sizes.m != sizes.n {
            let found = shape(&array.shape());
            let message = format!("{name}: expected square matrices, found shape {found}");
            return Err(LinAlgError::new_err(message));
        }
        Ok(sizes)
    }

    /// How many matrices there are.
    pub(crate) fn count(&self) -> usize {
        self.batch.iter().product::<isize>().cast_unsigned()
    }

    /// The lesser of rows and columns.
    pub(crate) fn least(&self) -> usize {
        self.m.min(self.n)
    }

    /// Multiplications of an elimination of each matrix, about.
    pub(crate) fn cube(&self) -> f64 {
        self.m as f64 * self.n as f64 * self.least() as f64
    }

    /// The axes of the stack and those of a result for each matrix.
    ///
    /// # Errors
    /// `ValueError` for too many axes.
    pub(crate) fn with(&self, axes: &[usize]) -> PyResult<Dims> {
        let axes = axes.iter().map(|n| n.cast_signed());
        Dims::new(self.batch.iter().copied().chain(axes))
    }
}
