//! Factors of sparse matrices and preconditioners, and solutions by them.

#![expect(
    clippy::unnecessary_wraps,
    reason = "a table of methods has one kind of function"
)]

use super::matrix::{Format, Real, Sparse, matrix_shape, real_type, with_index, with_real};
use crate::call::Call;
use crate::input::Operand;
use crate::output::Part;
use crate::raw::{Array, Class, Dims, Dtype, LinAlgError, Output, Receiver, Stack};
use crate::run::run;
use nexus_linalg::sparse::{Analysis, Factor, Ic0, Ilu0, Jacobi, Method, Operator};
use nexus_linalg::stack::Stack as _;
use nexus_linalg::{Error, Field, MatMut};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::sync::Arc;

type Object<'py> = PyResult<Bound<'py, PyAny>>;
type This<'a, 'py> = Receiver<'a, 'py, SparseFactor>;
type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// How a matrix was factored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Direct(Method),
    Ic0,
    Ilu0,
    Jacobi,
}

impl How {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct(Method::Lu) => "lu",
            Self::Direct(Method::Cholesky) => "cholesky",
            Self::Direct(Method::Qr) => "qr",
            Self::Ic0 => "ic0",
            Self::Ilu0 => "ilu0",
            Self::Jacobi => "jacobi",
        }
    }
}

/// What solves.
#[derive(Clone)]
pub(crate) enum Solver<T> {
    Direct(Arc<Analysis<T>>, Arc<Factor<T>>),
    Approximate(Arc<dyn Operator<T> + Send + Sync>),
}

impl<T: Real> Solver<T> {
    /// The inverse as an operator, of a square matrix.
    pub(super) fn operator(&self) -> Option<Arc<dyn Operator<T> + Send + Sync>> {
        match self {
            Self::Direct(_, factor) => {
                let (m, n) = factor.shape();
                (m == n).then(|| factor.clone() as _)
            }
            Self::Approximate(operator) => Some(operator.clone()),
        }
    }

    /// Factors a matrix, with an analysis of its pattern where there is one.
    pub(super) fn new(how: How, a: &Sparse, known: Option<&Self>) -> Result<Self, Error> {
        with_index!(a.indices.dtype, I => {
            let rows = a.rows::<T, I>();
            match how {
                How::Direct(method) => {
                    let columns = match a.format {
                        Format::Csc => rows.transpose(),
                        Format::Csr => {
                            let columns = rows.to_csc()?;
                            return Self::direct(method, columns.as_ref(), known);
                        }
                    };
                    Self::direct(method, columns, known)
                }
                How::Jacobi => Ok(Self::Approximate(Arc::new(Jacobi::new(&rows.diagonal())?))),
                How::Ic0 | How::Ilu0 if a.format == Format::Csr => Self::without_fill(how, rows),
                How::Ic0 | How::Ilu0 => Self::without_fill(how, rows.transpose().to_csr()?.as_ref()),
            }
        })
    }

    fn without_fill<I: nexus_linalg::sparse::Index>(
        how: How,
        rows: nexus_linalg::sparse::CsrRef<'_, T, I>,
    ) -> Result<Self, Error> {
        Ok(Self::Approximate(if how == How::Ic0 {
            Arc::new(Ic0::new(rows)?)
        } else {
            Arc::new(Ilu0::new(rows)?)
        }))
    }

    fn direct<I: nexus_linalg::sparse::Index>(
        method: Method,
        columns: nexus_linalg::sparse::CscRef<'_, T, I>,
        known: Option<&Self>,
    ) -> Result<Self, Error> {
        let analysis = match known {
            Some(Self::Direct(analysis, _)) => analysis.clone(),
            _ => Arc::new(Analysis::new(&T::sparse_engine(), method, columns)?),
        };
        let factor = analysis.factor(columns)?;
        Ok(Self::Direct(analysis, Arc::new(factor)))
    }

    /// The solutions for the columns of `b`.
    fn solve(&self, b: &Array, transposed: bool) -> PyResult<Result<Array, Error>> {
        let mut x = Output::<T>::new(b.shape())?;
        let [m, width] = matrix_shape("solve", b)?;
        let done = match self {
            Self::Direct(_, factor) => {
                x.items().copy_from_slice(&b.values::<T>());
                let solve = |x| {
                    if transposed {
                        factor.solve_transpose(x)
                    } else {
                        factor.solve(x)
                    }
                };
                MatMut::new(x.items(), m, width)
                    .map_err(Into::into)
                    .and_then(solve)
            }
            Self::Approximate(operator) => {
                let b = b.prepared::<T>()?;
                let stack = Stack::<T>::new(&b);
                let b = stack.get(0);
                MatMut::new(x.items(), m, width)
                    .map_err(Into::into)
                    .map(|x| {
                        // These have no reason to give up.
                        let _ = if transposed {
                            operator.apply_transpose(b, x)
                        } else {
                            operator.apply(b, x)
                        };
                    })
            }
        };
        let n = match self {
            Self::Direct(_, factor) if !transposed => factor.shape().1,
            _ => m,
        };
        Ok(match done {
            Ok(()) => Ok(x.into_array().slice(0, 0, 1, n.cast_signed())),
            Err(error) => Err(error),
        })
    }
}

/// A solver of either type.
#[derive(Clone)]
pub(crate) enum Inverse {
    F32(Solver<f32>),
    F64(Solver<f64>),
}

/// Types that a solver may be of.
pub(crate) trait OfInverse: Sized {
    fn inverse(of: &Inverse) -> Option<&Solver<Self>>;
    fn into_inverse(solver: Solver<Self>) -> Inverse;
}

macro_rules! of_inverse {
    ($($type:ty: $variant:ident;)+) => {$(
        impl OfInverse for $type {
            fn inverse(of: &Inverse) -> Option<&Solver<Self>> {
                match of {
                    Inverse::$variant(solver) => Some(solver),
                    _ => None,
                }
            }
            fn into_inverse(solver: Solver<Self>) -> Inverse {
                Inverse::$variant(solver)
            }
        }
    )+};
}

of_inverse! {
    f32: F32;
    f64: F64;
}

/// A factored sparse matrix, or a preconditioner.
#[derive(Clone)]
pub(crate) struct SparseFactor {
    pub(crate) method: How,
    /// Rows and columns of the matrix.
    pub(crate) shape: (usize, usize),
    pub(crate) inverse: Inverse,
}

/// Multiplications of a factorisation at worst, about.
fn cost(a: &Sparse) -> f64 {
    10.0 * a.stored() as f64 * a.shape.1 as f64
}

impl SparseFactor {
    pub(crate) fn dtype(&self) -> Dtype {
        match self.inverse {
            Inverse::F32(_) => Dtype::F32,
            Inverse::F64(_) => Dtype::F64,
        }
    }

    /// Factors a matrix; `known` has the analysis of its pattern.
    fn new(py: Python<'_>, method: How, a: Sparse, known: Option<Self>) -> PyResult<Self> {
        let name = method.name();
        run(py, cost(&a), move || {
            let inverse = with_real!(a.data.dtype, T => {
                let known = known.as_ref().and_then(|known| T::inverse(&known.inverse));
                Solver::<T>::new(method, &a, known).map(T::into_inverse)
            });
            let inverse = inverse.map_err(|error| described(name, &error, a.data.dtype))?;
            Ok(Self {
                method,
                shape: a.shape,
                inverse,
            })
        })
    }

    /// The solutions for a vector, or for the columns of a matrix.
    fn solutions(&self, py: Python<'_>, b: &Array, transposed: bool) -> PyResult<Array> {
        real_type("solve", b.dtype)?;
        let columns = match b.rank() {
            1 => b.expanded(1)?,
            _ => b.clone(),
        };
        let [rows, width] = matrix_shape("solve", &columns)?;
        let (m, n) = self.shape;
        if rows != if transposed { n } else { m } {
            let found = crate::text::shape(&b.shape());
            let message = format!("cannot solve {m}x{n} for {found}: the rows differ");
            return Err(LinAlgError::new_err(message));
        }
        let (own, cost) = (self.clone(), 1000.0 * (m * width) as f64);
        let x = run(py, cost, move || {
            let x = match &own.inverse {
                Inverse::F32(solver) => solver.solve(&columns, transposed)?,
                Inverse::F64(solver) => solver.solve(&columns, transposed)?,
            };
            x.map_err(|error| described("solve", &error, own.dtype()))
        })?;
        Ok(match b.rank() {
            1 => x.select(1, 0),
            _ => x,
        })
    }
}

fn described(name: &str, error: &Error, dtype: Dtype) -> PyErr {
    LinAlgError::new_err(format!("{name}: {error} ({})", dtype.name()))
}

fn direct(name: &str, method: &str) -> PyResult<How> {
    let all = [Method::Lu, Method::Cholesky, Method::Qr].map(How::Direct);
    let found = all.into_iter().find(|how| how.name() == method);
    found.ok_or_else(|| {
        PyValueError::new_err(format!(
            "{name}: method is \"lu\", \"cholesky\" or \"qr\", not \"{method}\""
        ))
    })
}

/// Factors a sparse matrix: `"lu"` for square ones, `"cholesky"` for positive definite ones, of which the lower
/// triangle is read, `"qr"` for least squares.
#[pyfunction]
#[pyo3(signature = (a, method = "lu"))]
pub(crate) fn sparse_factor<'py>(a: &Bound<'py, PyAny>, method: &str) -> Object<'py> {
    let how = direct("factor", method)?;
    let matrix = Sparse::of_any("factor", Format::Csc, a)?;
    SparseFactor::new(a.py(), how, matrix, None)?.into_object(a.py())
}

/// Solves `a x = b` for a sparse `a`, for a vector or the columns of a matrix.
#[pyfunction]
#[pyo3(signature = (a, b, *, method = "lu", errors = "raise", like = None, out = None))]
pub(crate) fn sparse_solve<'py>(
    a: &Bound<'py, PyAny>,
    b: Operand,
    method: &str,
    errors: &str,
    like: Given<'_, 'py>,
    out: Given<'_, 'py>,
) -> PyResult<Py<PyAny>> {
    let py = a.py();
    let call = Call::new(py, "solve", (errors, 1), (like, out))?;
    let how = direct("solve", method)?;
    let matrix = Sparse::of_any("solve", Format::Csc, a)?;
    let dtype = matrix
        .data
        .dtype
        .promote(real_type("solve", b.array.dtype)?);
    let matrix = matrix.of_type(dtype)?;
    let ((m, n), b, plan) = (matrix.shape, b.array, call.plan);
    let columns = match b.rank() {
        1 => b.expanded(1)?,
        _ => b.clone(),
    };
    let [rows, width] = matrix_shape("solve", &columns)?;
    if rows != m {
        let found = crate::text::shape(&b.shape());
        let message = format!("solve: {m}x{n} does not fit {found}");
        return Err(LinAlgError::new_err(message));
    }
    let (x, info) = run(py, cost(&matrix) + 1000.0 * (m * width) as f64, move || {
        with_real!(dtype, T => {
            let solved = match Solver::<T>::new(how, &matrix, None) {
                Ok(solver) => solver.solve(&columns, false)?,
                Err(error) => Err(error),
            };
            let mut failures = Vec::new();
            let x = match solved {
                Ok(x) => x,
                Err(error) => {
                    failures.push((0, error));
                    Array::of(&vec![<T as Field>::NAN; n * width], Dims::shape(&[n, width])?)?
                }
            };
            let info = plan.settle(&matrix.data, failures, |_| ())?;
            Ok((x, info))
        })
    })?;
    let x = match b.rank() {
        1 => x.select(1, 0),
        _ => x,
    };
    call.give_with((x, info))
}

/// The preconditioner that divides by the diagonal.
#[pyfunction]
#[pyo3(signature = (a, /))]
pub(crate) fn jacobi<'py>(a: &Bound<'py, PyAny>) -> Object<'py> {
    let matrix = Sparse::of_any("jacobi", Format::Csr, a)?;
    SparseFactor::new(a.py(), How::Jacobi, matrix, None)?.into_object(a.py())
}

/// The preconditioner by Cholesky's factor on the places of the lower triangle alone, which is read: IC(0).
#[pyfunction]
#[pyo3(signature = (a, /))]
pub(crate) fn ic0<'py>(a: &Bound<'py, PyAny>) -> Object<'py> {
    let matrix = Sparse::of_any("ic0", Format::Csr, a)?;
    SparseFactor::new(a.py(), How::Ic0, matrix, None)?.into_object(a.py())
}

/// The preconditioner by elimination that keeps to the places where the matrix has items: ILU(0).
#[pyfunction]
#[pyo3(signature = (a, /))]
pub(crate) fn ilu0<'py>(a: &Bound<'py, PyAny>) -> Object<'py> {
    let matrix = Sparse::of_any("ilu0", Format::Csr, a)?;
    SparseFactor::new(a.py(), How::Ilu0, matrix, None)?.into_object(a.py())
}

pub(crate) fn solve<'py>(this: This<'_, 'py>, b: &Bound<'py, PyAny>) -> Object<'py> {
    let x = this.solutions(b.py(), &b.extract::<Operand>()?.array, false)?;
    Ok(Part(x).into_python(b.py(), None)?.into_bound(b.py()))
}

pub(crate) fn solve_transpose<'py>(this: This<'_, 'py>, b: &Bound<'py, PyAny>) -> Object<'py> {
    let x = this.solutions(b.py(), &b.extract::<Operand>()?.array, true)?;
    Ok(Part(x).into_python(b.py(), None)?.into_bound(b.py()))
}

/// The factor of another matrix with the same pattern.
pub(crate) fn refactor<'py>(this: This<'_, 'py>, a: &Bound<'py, PyAny>) -> Object<'py> {
    let matrix = Sparse::of_any("refactor", Format::Csc, a)?.of_type(this.dtype())?;
    let known = (*this).clone();
    SparseFactor::new(a.py(), this.method, matrix, Some(known))?.into_object(a.py())
}

pub(crate) fn shape<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(this.shape.into_pyobject(this.object.py())?.into_any())
}

pub(crate) fn dtype<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyString::new(this.object.py(), this.dtype().name()).into_any())
}

pub(crate) fn method<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyString::new(this.object.py(), this.method.name()).into_any())
}

pub(crate) fn repr<'py>(this: This<'_, 'py>) -> Object<'py> {
    let ((m, n), dtype) = (this.shape, this.dtype().name());
    let text = format!("SparseFactor {m}x{n} {dtype}, {}", this.method.name());
    Ok(PyString::new(this.object.py(), &text).into_any())
}
