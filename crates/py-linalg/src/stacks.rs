//! Shapes of stacks.

use crate::elementwise::broadcast_shape;
use crate::raw::{Array, Dims, Dtype, LinAlgError};
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

/// Square matrices and their right sides, broadcast to one stack.
pub(crate) struct System {
    /// The matrices, `n` by `n`.
    pub(crate) matrices: Array,
    /// The right sides, `n` by `width`.
    pub(crate) sides: Array,
    /// The stack of the right sides.
    pub(crate) whole: Shape,
    is_vector: bool,
}

impl System {
    /// Of matrices and right sides: a vector, or the columns of each matrix of a stack.
    ///
    /// # Errors
    /// `LinAlgError` when the matrices are not square, or the shapes do not fit.
    pub(crate) fn of(name: &str, a: &Array, b: &Array) -> PyResult<Self> {
        let sizes = Shape::square(name, a)?;
        let misfit = || {
            let (a, b) = (shape(&a.shape()), shape(&b.shape()));
            LinAlgError::new_err(format!("{name}: {a} does not fit {b}"))
        };
        let is_vector = b.rank() == 1;
        if b.rank() == 0 {
            return Err(misfit());
        }
        let columns = if is_vector { b.expanded(1)? } else { b.clone() };
        let right = Shape::of(name, &columns)?;
        let batch = broadcast_shape(&sizes.batch, &right.batch)
            .filter(|_| right.m == sizes.n)
            .ok_or_else(misfit)?;
        let whole = Shape { batch, ..right };
        let under = |array: &Array, columns| {
            let dims = whole.with(&[sizes.n, columns])?;
            array.broadcast(&dims).ok_or_else(misfit)
        };
        Ok(Self {
            matrices: under(a, sizes.n)?,
            sides: under(&columns, right.n)?,
            whole,
            is_vector,
        })
    }

    /// The type of the solution.
    pub(crate) fn dtype(&self) -> Dtype {
        self.matrices
            .dtype
            .computed()
            .promote(self.sides.dtype.computed())
    }

    /// Makes vectors of the solutions where the right side is one.
    pub(crate) fn shaper(&self) -> impl Fn(Array) -> Array + use<> {
        let is_vector = self.is_vector;
        move |x| {
            if is_vector {
                x.select(x.rank() - 1, 0)
            } else {
                x
            }
        }
    }
}
