//! A sparse matrix over three arrays, which may be other objects' memory.

use super::factor::OfInverse;
use crate::dtype::{Element, Item, Kind};
use crate::failed;
use crate::raw::{Array, Class, Dims, Dtype, Output, Stack};
use crate::run::run;
use nexus_linalg::sparse::{Csr, CsrRef, Factorize, Index};
use nexus_linalg::stack::Stack as _;
use nexus_linalg::{Float, MatMut};
use nexus_linalg_faer::Faer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use std::borrow::Cow;

/// What is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csr,
    Csc,
}

impl Format {
    /// The name that `scipy.sparse` has for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Csr => "csr",
            Self::Csc => "csc",
        }
    }

    /// The format of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Csr, Self::Csc]
            .into_iter()
            .find(|it| it.name() == name)
    }

    /// The format of the transposed matrix in the same memory.
    fn transposed(self) -> Self {
        match self {
            Self::Csr => Self::Csc,
            Self::Csc => Self::Csr,
        }
    }
}

/// Types of the items of sparse matrices.
pub(crate) trait Real: Element + Float + OfInverse {
    /// The engine of sparse factorisations.
    fn sparse_engine() -> impl Factorize<Self>;
}

impl Real for f32 {
    fn sparse_engine() -> impl Factorize<Self> {
        Faer
    }
}

impl Real for f64 {
    fn sparse_engine() -> impl Factorize<Self> {
        Faer
    }
}

/// Does `$work` with the type of items that `$dtype` names, of float32 and float64.
macro_rules! with_real {
    ($dtype:expr, $type:ident => $work:expr) => {
        match $dtype {
            $crate::raw::Dtype::F32 => {
                type $type = f32;
                $work
            }
            _ => {
                type $type = f64;
                $work
            }
        }
    };
}

/// Does `$work` with the type of indices that `$dtype` names, of int32 and int64.
macro_rules! with_index {
    ($dtype:expr, $type:ident => $work:expr) => {
        match $dtype {
            $crate::raw::Dtype::I32 => {
                type $type = i32;
                $work
            }
            _ => {
                type $type = i64;
                $work
            }
        }
    };
}

/// A sparse matrix.
///
/// Invariant: `data` is a dense vector of float32 or float64, `indices` and `indptr` are dense vectors of one
/// type, int32 or int64; the three were checked by [`CsrRef::new`].
#[derive(Clone)]
pub(crate) struct Sparse {
    pub(crate) format: Format,
    /// Rows and columns.
    pub(crate) shape: (usize, usize),
    pub(crate) data: Array,
    pub(crate) indices: Array,
    pub(crate) indptr: Array,
    canonical: bool,
}

impl Sparse {
    /// A matrix over `data`, `indices` and `indptr`, which are read once.
    ///
    /// # Errors
    /// `TypeError` for other types of items and of indices, `LinAlgError` for arrays that are no vectors or do not fit.
    pub(crate) fn new(
        py: Python<'_>,
        name: &'static str,
        (format, shape): (Format, (usize, usize)),
        [data, indices, indptr]: [Array; 3],
    ) -> PyResult<Self> {
        check_real(name, "data", data.dtype)?;
        let data = vector(name, "data", &data)?;
        let (indices, indptr) = (
            vector(name, "indices", &indices)?,
            vector(name, "indptr", &indptr)?,
        );
        let wide = index_type(name, &indices)?.promote(index_type(name, &indptr)?);
        let (indices, indptr) = (indices.of_type(wide)?, indptr.of_type(wide)?);
        let mut made = Self {
            format,
            shape,
            data,
            indices,
            indptr,
            canonical: false,
        };
        run(py, made.indices.len() as f64, move || {
            made.canonical = with_real!(made.data.dtype, T => with_index!(wide, I => {
                let parts = (made.indptr.values::<I>(), made.indices.values::<I>(), made.data.values::<T>());
                CsrRef::new(made.major(), &parts.0, &parts.1, &parts.2).map(|view| view.is_canonical())
            }))
            .map_err(|error| failed(&error))?;
            Ok(made)
        })
    }

    /// A matrix of parts that the library has made; `shape` is that of `format`.
    pub(crate) fn of_rows<T: Real, I: Index + Item>(
        (format, shape): (Format, (usize, usize)),
        rows: Csr<T, I>,
    ) -> PyResult<Self> {
        let (pointers, indices, values) = rows.into_parts();
        let array = |len: usize| Dims::shape(&[len]);
        Ok(Self {
            format,
            shape,
            data: Array::of(&values, array(values.len())?)?,
            indices: Array::of(&indices, array(indices.len())?)?,
            indptr: Array::of(&pointers, array(pointers.len())?)?,
            canonical: true,
        })
    }

    /// The items of a dense matrix that are not zero.
    pub(crate) fn of_dense(
        py: Python<'_>,
        name: &str,
        format: Format,
        dense: &Array,
    ) -> PyResult<Self> {
        check_real(name, "a dense matrix", dense.dtype)?;
        let [m, n] = matrix_shape(name, dense)?;
        let by_rows = match format {
            Format::Csr => dense.clone(),
            Format::Csc => dense.transposed(),
        };
        let wide = m.saturating_mul(n).max(m).max(n) > i32::MAX as usize;
        let indices = if wide { Dtype::I64 } else { Dtype::I32 };
        run(py, 2.0 * dense.len() as f64, move || {
            with_real!(by_rows.dtype, T => with_index!(indices, I => {
                let prepared = by_rows.prepared::<T>()?;
                let rows = Csr::<T, I>::from_dense(Stack::<T>::new(&prepared).get(0));
                Self::of_rows((format, (m, n)), rows.map_err(|error| failed(&error))?)
            }))
        })
    }

    /// Rows and columns of the compressed rows: those of the transposed matrix in CSC.
    pub(crate) fn major(&self) -> (usize, usize) {
        match self.format {
            Format::Csr => self.shape,
            Format::Csc => (self.shape.1, self.shape.0),
        }
    }

    /// The compressed rows: those of the transposed matrix in CSC.
    ///
    /// # Panics
    /// When the types are others.
    pub(crate) fn rows<T: Real, I: Index + Item>(&self) -> CsrRef<'_, T, I> {
        let parts = (items(&self.indptr), items(&self.indices));
        CsrRef::checked_before(self.major(), parts, items(&self.data), self.canonical)
            .expect("lengths that were checked")
    }

    /// How many items are stored.
    pub(crate) fn stored(&self) -> usize {
        self.data.len()
    }

    /// The transposed matrix: the same memory in the other format.
    pub(crate) fn transposed(&self) -> Self {
        Self {
            format: self.format.transposed(),
            shape: (self.shape.1, self.shape.0),
            ..self.clone()
        }
    }

    /// The matrix with items of another type.
    pub(crate) fn of_type(&self, dtype: Dtype) -> PyResult<Self> {
        Ok(Self {
            data: self.data.of_type(dtype)?,
            ..self.clone()
        })
    }

    /// The matrix with other items in its places.
    pub(crate) fn with_data(&self, data: Array) -> Self {
        Self {
            data,
            ..self.clone()
        }
    }

    /// The matrix with indices of another type.
    pub(crate) fn of_indices(&self, dtype: Dtype) -> PyResult<Self> {
        Ok(Self {
            indices: self.indices.of_type(dtype)?,
            indptr: self.indptr.of_type(dtype)?,
            ..self.clone()
        })
    }

    /// The matrix in a format: itself where it is.
    pub(crate) fn of_format(&self, py: Python<'_>, format: Format) -> PyResult<Self> {
        if self.format == format {
            return Ok(self.clone());
        }
        let matrix = self.clone();
        run(py, 10.0 * self.stored() as f64, move || {
            with_real!(matrix.data.dtype, T => with_index!(matrix.indices.dtype, I => {
                let columns = matrix.rows::<T, I>().to_csc().map_err(|error| failed(&error))?;
                Self::of_rows((format, matrix.shape), columns.into_transpose())
            }))
        })
    }

    /// The matrix with ascending indices, each named once: itself where it is so.
    pub(crate) fn to_canonical(&self, py: Python<'_>) -> PyResult<Self> {
        if self.canonical {
            return Ok(self.clone());
        }
        let matrix = self.clone();
        run(py, 20.0 * self.stored() as f64, move || {
            with_real!(matrix.data.dtype, T => with_index!(matrix.indices.dtype, I => {
                let rows = matrix.rows::<T, I>().to_canonical();
                Self::of_rows((matrix.format, matrix.shape), rows)
            }))
        })
    }

    /// The matrix with its zeros.
    pub(crate) fn to_dense(&self, py: Python<'_>) -> PyResult<Array> {
        let (m, n) = self.major();
        let matrix = self.clone();
        let dense = run(py, m as f64 * n as f64, move || {
            with_real!(matrix.data.dtype, T => with_index!(matrix.indices.dtype, I => {
                let mut dense = Output::<T>::new(Dims::shape(&[m, n])?)?;
                let written = MatMut::new(dense.items(), m, n)
                    .map_err(Into::into)
                    .and_then(|target| matrix.rows::<T, I>().to_dense(target));
                written.map_err(|error| failed(&error))?;
                Ok(dense.into_array())
            }))
        })?;
        Ok(match self.format {
            Format::Csr => dense,
            Format::Csc => dense.transposed(),
        })
    }

    /// The items of the main diagonal.
    pub(crate) fn diagonal(&self, py: Python<'_>) -> PyResult<Array> {
        let matrix = self.clone();
        run(py, self.stored() as f64, move || {
            with_real!(matrix.data.dtype, T => with_index!(matrix.indices.dtype, I => {
                let diagonal = matrix.rows::<T, I>().diagonal();
                Array::of(&diagonal, Dims::shape(&[diagonal.len()])?)
            }))
        })
    }

    /// The matrix as an object of Python.
    pub(crate) fn give(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        self.into_object(py)
    }
}

/// The items of a dense vector.
fn items<T: Item>(array: &Array) -> &[T] {
    match array.values::<T>() {
        Cow::Borrowed(items) => items,
        Cow::Owned(_) => unreachable!("dense items of this type"),
    }
}

/// # Errors
/// `TypeError` for what is neither float32 nor float64.
pub(crate) fn check_real(name: &str, what: &str, dtype: Dtype) -> PyResult<()> {
    if matches!(dtype, Dtype::F32 | Dtype::F64) {
        return Ok(());
    }
    let found = dtype.name();
    Err(PyTypeError::new_err(format!(
        "{name}: {what} is {found}; sparse matrices are of float32 or float64"
    )))
}

/// The type that operands beside a sparse matrix are computed in.
///
/// # Errors
/// `TypeError` for complex numbers.
pub(crate) fn real_type(name: &str, dtype: Dtype) -> PyResult<Dtype> {
    if dtype.kind() == Kind::Complex {
        let found = dtype.name();
        let message = format!("{name}: sparse matrices are real, not beside {found}");
        return Err(PyTypeError::new_err(message));
    }
    Ok(dtype.computed())
}

/// Rows and columns of a dense matrix.
///
/// # Errors
/// `LinAlgError` for what has not two axes.
pub(crate) fn matrix_shape(name: &str, array: &Array) -> PyResult<[usize; 2]> {
    match *array.shape() {
        [m, n] => Ok([m.cast_unsigned(), n.cast_unsigned()]),
        _ => Err(crate::raw::LinAlgError::new_err(format!(
            "{name}: expected a matrix, found shape {}",
            crate::text::shape(&array.shape())
        ))),
    }
}

/// A vector, densely.
fn vector(name: &str, what: &str, array: &Array) -> PyResult<Array> {
    if array.rank() != 1 {
        let found = crate::text::shape(&array.shape());
        let message = format!("{name}: {what} is a vector, not of shape {found}");
        return Err(crate::raw::LinAlgError::new_err(message));
    }
    if array.is_dense() {
        Ok(array.clone())
    } else {
        array.copied()
    }
}

/// The type of the indices of an array: int32 for narrower ones.
pub(crate) fn index_type(name: &str, array: &Array) -> PyResult<Dtype> {
    match array.dtype {
        Dtype::I8 | Dtype::I16 | Dtype::U8 | Dtype::I32 => Ok(Dtype::I32),
        Dtype::I64 => Ok(Dtype::I64),
        other => Err(PyTypeError::new_err(format!(
            "{name}: indices are int32 or int64, not {}",
            other.name()
        ))),
    }
}

pub(crate) use {with_index, with_real};
