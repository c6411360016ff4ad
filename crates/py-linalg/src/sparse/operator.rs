//! Operators as Python gives them: sparse and dense matrices, factors, and objects that multiply.

use super::factor::{Solver, SparseFactor};
use super::matrix::{Real, Sparse, matrix_shape, real_type, with_index};
use crate::input::Operand;
use crate::output::{Part, importer};
use crate::raw::{Array, Class, Dims, Dtype, LinAlgError, Matrix, Stack};
use crate::run::run;
use nexus_linalg::sparse::{OnThreads, Operator, Stopped};
use nexus_linalg::stack::Stack as _;
use nexus_linalg::{Context, Error, MatMut, MatRef};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An operator that needs no Python.
type Native<T> = Box<dyn Operator<T> + Send + Sync>;

/// An operator as it was given.
pub(super) enum Map<'py> {
    Sparse(Box<Sparse>),
    Dense(Box<Array>),
    Factor(SparseFactor),
    Foreign(Foreign<'py>),
}

impl<'py> Map<'py> {
    /// The operator that an object is: a matrix, a factor, or what has `matvec`, `@` or a call. `shape` is that
    /// of an operator that does not say it.
    pub(super) fn of(
        name: &'static str,
        object: &Bound<'py, PyAny>,
        shape: Option<(usize, usize)>,
    ) -> PyResult<Self> {
        if let Some(sparse) = Sparse::of_sparse(name, object)? {
            return Ok(Self::Sparse(Box::new(sparse)));
        }
        if let Some(factor) = SparseFactor::of(object) {
            return Ok(Self::Factor(factor.clone()));
        }
        if object.hasattr("tocsr")? {
            let converted = Sparse::of_any(name, super::matrix::Format::Csr, object)?;
            return Ok(Self::Sparse(Box::new(converted)));
        }
        let is_dense = Matrix::of(object).is_some()
            || object.is_instance_of::<PyList>()
            || object.hasattr("__dlpack__")?;
        if !is_dense && let Some(foreign) = Foreign::of(name, object, shape)? {
            return Ok(Self::Foreign(foreign));
        }
        let array = object.extract::<Operand>()?.array;
        matrix_shape(name, &array)?;
        Ok(Self::Dense(Box::new(array)))
    }

    /// Rows and columns.
    pub(super) fn shape(&self) -> (usize, usize) {
        match self {
            Self::Sparse(sparse) => sparse.shape,
            Self::Dense(array) => {
                let shape = array.shape();
                (shape[0].cast_unsigned(), shape[1].cast_unsigned())
            }
            Self::Factor(factor) => factor.shape,
            Self::Foreign(foreign) => foreign.shape,
        }
    }

    /// The type that it is computed in, where it has one.
    pub(super) fn dtype(&self, name: &str) -> PyResult<Option<Dtype>> {
        match self {
            Self::Sparse(sparse) => Ok(Some(sparse.data.dtype)),
            Self::Dense(array) => real_type(name, array.dtype).map(Some),
            Self::Factor(factor) => Ok(Some(factor.dtype())),
            Self::Foreign(_) => Ok(None),
        }
    }

    /// Multiplications of a product with a vector, about.
    pub(super) fn cost(&self) -> f64 {
        match self {
            Self::Sparse(sparse) => sparse.stored() as f64,
            Self::Dense(array) => array.len() as f64,
            Self::Factor(factor) => 100.0 * factor.shape.0 as f64,
            Self::Foreign(_) => 0.0,
        }
    }

    /// The operator as one that needs no Python; `None` where it does.
    fn native<T: Real>(&self, name: &str, context: Context) -> PyResult<Option<Native<T>>> {
        Ok(Some(match self {
            Self::Sparse(sparse) => Box::new(SparseMap {
                sparse: sparse.of_type(T::DTYPE)?,
                context,
            }),
            Self::Dense(array) => Box::new(DenseMap {
                array: array.prepared::<T>()?,
                context,
            }),
            Self::Factor(factor) => {
                let operator = T::inverse(&factor.inverse).and_then(Solver::operator);
                Box::new(Shared(operator.ok_or_else(|| {
                    let (found, wanted) = (factor.dtype().name(), T::DTYPE.name());
                    PyTypeError::new_err(format!(
                        "{name}: the factor is of {found} and {}, this needs {wanted} and a square matrix",
                        factor.method.name()
                    ))
                })?))
            }
            Self::Foreign(_) => return Ok(None),
        }))
    }
}

/// Does `work` with operators and with a question whether to end: on its own thread where they need no Python, with the
/// interpreter's lock where they do.
pub(super) fn with_operators<T: Real, R: Send + 'static>(
    py: Python<'_>,
    (name, context, cost): (&'static str, Context, f64),
    maps: &[&Map<'_>],
    work: impl FnOnce(&[&dyn Operator<T>], &dyn Fn() -> bool) -> Result<R, Error> + Send + 'static,
) -> PyResult<Result<R, Error>> {
    let natives = maps
        .iter()
        .map(|map| map.native::<T>(name, context))
        .collect::<PyResult<Vec<_>>>()?;
    if natives.iter().all(Option::is_some) {
        let natives: Vec<Native<T>> = natives.into_iter().flatten().collect();
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = stopped.clone();
        let done = run(py, cost, move || {
            let operators: Vec<&dyn Operator<T>> = natives.iter().map(|it| &**it as _).collect();
            Ok(work(&operators, &|| seen.load(Ordering::Relaxed)))
        });
        // A worker that was left behind ends soon.
        stopped.store(done.is_err(), Ordering::Relaxed);
        return done;
    }
    let error = RefCell::new(None);
    let called: Vec<Option<Called<'_, '_>>> = maps
        .iter()
        .map(|map| match map {
            Map::Foreign(foreign) => Some(Called {
                foreign,
                error: &error,
            }),
            _ => None,
        })
        .collect();
    let operators: Vec<&dyn Operator<T>> = natives
        .iter()
        .zip(&called)
        .filter_map(|(native, called)| match (native, called) {
            (Some(native), _) => Some(&**native as &dyn Operator<T>),
            (None, Some(called)) => Some(called as &dyn Operator<T>),
            (None, None) => None,
        })
        .collect();
    let stop = || match py.check_signals() {
        Ok(()) => false,
        Err(signal) => {
            error.replace(Some(signal));
            true
        }
    };
    let done = work(&operators, &stop);
    match error.take() {
        Some(error) => Err(error),
        None => Ok(done),
    }
}

struct SparseMap {
    sparse: Sparse,
    context: Context,
}

impl<T: Real> Operator<T> for SparseMap {
    fn shape(&self) -> (usize, usize) {
        self.sparse.shape
    }
    fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        with_index!(self.sparse.indices.dtype, I => {
            let rows = self.sparse.rows::<T, I>();
            match self.sparse.format {
                super::matrix::Format::Csr => OnThreads(self.context, rows).apply(x, y),
                super::matrix::Format::Csc => OnThreads(self.context, rows).apply_transpose(x, y),
            }
        })
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        with_index!(self.sparse.indices.dtype, I => {
            let rows = self.sparse.rows::<T, I>();
            match self.sparse.format {
                super::matrix::Format::Csr => OnThreads(self.context, rows).apply_transpose(x, y),
                super::matrix::Format::Csc => OnThreads(self.context, rows).apply(x, y),
            }
        })
    }
}

struct DenseMap {
    array: Array,
    context: Context,
}

impl<T: Real> Operator<T> for DenseMap {
    fn shape(&self) -> (usize, usize) {
        Stack::<T>::new(&self.array).shape()
    }
    fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        OnThreads(self.context, Stack::<T>::new(&self.array).get(0)).apply(x, y)
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        OnThreads(self.context, Stack::<T>::new(&self.array).get(0)).apply_transpose(x, y)
    }
}

/// The inverse that a factor is.
struct Shared<T>(Arc<dyn Operator<T> + Send + Sync>);

impl<T: Real> Operator<T> for Shared<T> {
    fn shape(&self) -> (usize, usize) {
        self.0.shape()
    }
    fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.0.apply(x, y)
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.0.apply_transpose(x, y)
    }
}

/// How an object multiplies a vector.
enum Product<'py> {
    Call(Bound<'py, PyAny>),
    Matmul(Bound<'py, PyAny>),
}

impl<'py> Product<'py> {
    /// The product of an object, by `matvec`, by `@`, or by a call.
    fn of(object: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        if let Some(call) = object.getattr_opt("matvec")? {
            return Ok(Some(Self::Call(call)));
        }
        if object.hasattr("__matmul__")? {
            return Ok(Some(Self::Matmul(object.clone())));
        }
        Ok(object.is_callable().then(|| Self::Call(object.clone())))
    }
}

/// An object that multiplies vectors.
pub(super) struct Foreign<'py> {
    name: &'static str,
    shape: (usize, usize),
    product: Product<'py>,
    transposed: Option<Product<'py>>,
    /// Vectors come as the kind that this is.
    like: Option<Bound<'py, PyAny>>,
}

impl<'py> Foreign<'py> {
    fn of(
        name: &'static str,
        object: &Bound<'py, PyAny>,
        shape: Option<(usize, usize)>,
    ) -> PyResult<Option<Self>> {
        let Some(product) = Product::of(object)? else {
            return Ok(None);
        };
        let own = object.getattr_opt("shape")?;
        let own = own.map(|shape| shape.extract()).transpose()?;
        let shape = own.or(shape).ok_or_else(|| {
            PyTypeError::new_err(format!("{name}: the operator has no attribute `shape`"))
        })?;
        let transposed = match object.getattr_opt("rmatvec")? {
            Some(call) => Some(Product::Call(call)),
            None => match object.getattr_opt("T")? {
                Some(transposed) => Product::of(&transposed)?,
                None => None,
            },
        };
        Ok(Some(Self {
            name,
            shape,
            product,
            transposed,
            like: None,
        }))
    }

    /// The product with a vector.
    fn multiply<T: Real>(&self, product: &Product<'py>, x: &[T], rows: usize) -> PyResult<Vec<T>> {
        let (Product::Call(object) | Product::Matmul(object)) = product;
        let py = object.py();
        let x = Array::of(x, Dims::shape(&[x.len()])?)?;
        let x = Part(x).into_python(py, self.like.as_ref())?;
        let y = match product {
            Product::Call(call) => call.call1((x,))?,
            Product::Matmul(left) => py.import("operator")?.call_method1("matmul", (left, x))?,
        };
        let y = y.extract::<Operand>()?.array;
        real_type(self.name, y.dtype)?;
        if y.len() != rows {
            let message = format!(
                "{}: the operator gives {} items for a vector, not {rows}",
                self.name,
                y.len()
            );
            return Err(LinAlgError::new_err(message));
        }
        Ok(y.values::<T>().into_owned())
    }
}

impl<'py> Map<'py> {
    /// An operator whose vectors come as the kind of `like`, where that is one.
    pub(super) fn like(mut self, like: Option<&Bound<'py, PyAny>>) -> Self {
        if let Self::Foreign(foreign) = &mut self {
            let kind = like.filter(|like| importer(like).is_ok());
            foreign.like = kind.cloned();
        }
        self
    }
}

/// An object that multiplies, and where its exceptions go.
struct Called<'a, 'py> {
    foreign: &'a Foreign<'py>,
    error: &'a RefCell<Option<PyErr>>,
}

impl<'py> Called<'_, 'py> {
    fn each_column<T: Real>(
        &self,
        product: Option<&Product<'py>>,
        x: MatRef<'_, T>,
        mut y: MatMut<'_, T>,
    ) -> Result<(), Stopped> {
        let rows = y.shape().0;
        let stop = |error: PyErr| {
            self.error.replace(Some(error));
            Stopped
        };
        let Some(product) = product else {
            let name = self.foreign.name;
            let message = format!("{name}: the operator has neither `rmatvec` nor `T`");
            return Err(stop(PyTypeError::new_err(message)));
        };
        for j in 0..x.shape().1 {
            let column: Vec<T> = x.transpose().row(j).copied().collect();
            let product = self
                .foreign
                .multiply(product, &column, rows)
                .map_err(stop)?;
            for (i, &item) in product.iter().enumerate() {
                *y.item(i, j) = item;
            }
        }
        Ok(())
    }
}

impl<T: Real> Operator<T> for Called<'_, '_> {
    fn shape(&self) -> (usize, usize) {
        self.foreign.shape
    }
    fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.each_column(Some(&self.foreign.product), x, y)
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.each_column(self.foreign.transposed.as_ref(), x, y)
    }
}
