//! Some eigenvalues and singular values of sparse and dense matrices and of operators.

use super::factor::{How, Solver};
use super::matrix::{Format, Real, Sparse, with_index, with_real};
use super::operator::{Map, with_operators};
use crate::call::{Call, Plan};
use crate::dtype::Element;
use crate::failed;
use crate::output::{EIGH, SVD};
use crate::raw::{Array, Dims, Dtype, LinAlgError, Output};
use crate::run::run;
use nexus_linalg::sparse::{
    self, Csr, EigenOptions, Index, Method, Operator, RandomizedOptions, Which,
};
use nexus_linalg::{Error, Field, MatMut};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// The operator of a search, and the type that it is computed in.
fn operator<'py>(name: &'static str, a: &Bound<'py, PyAny>) -> PyResult<(Map<'py>, Dtype)> {
    let map = Map::of(name, a, None)?;
    let dtype = map.dtype(name)?.unwrap_or(Dtype::F64);
    Ok((map, dtype))
}

/// Searches are long: Ctrl-C ends them.
const COST: f64 = f64::INFINITY;

/// The `k` eigenvalues of a symmetric matrix at an end of the spectrum, or those nearest to `sigma`, ascending,
/// and their vectors. `which` is `"LM"`, `"SM"`, `"LA"` or `"SA"`.
#[pyfunction]
#[pyo3(signature = (
    a, k = 6, *, which = "LM", sigma = None, ncv = None, maxiter = None, tol = 0.0, seed = 0, errors = "raise",
    threads = 1, like = None, out = None
))]
#[expect(clippy::too_many_arguments, reason = "the keywords")]
pub(crate) fn eigsh(
    a: &Bound<'_, PyAny>,
    k: usize,
    which: &str,
    sigma: Option<f64>,
    ncv: Option<usize>,
    maxiter: Option<usize>,
    tol: f64,
    seed: u64,
    errors: &str,
    threads: usize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(a.py(), "eigsh", (errors, threads), (like, out))?;
    let (end, sigma) = match (which, sigma) {
        ("LM", None) => (Which::LargestMagnitude, None),
        ("LA", None) => (Which::Largest, None),
        ("SA", None) => (Which::Smallest, None),
        ("SM", None) => (Which::LargestMagnitude, Some(0.0)),
        ("LM", Some(sigma)) => (Which::LargestMagnitude, Some(sigma)),
        ("LA" | "SA" | "SM", Some(_)) => {
            let message = "eigsh: with sigma the values nearest to it are found: which is \"LM\"";
            return Err(PyValueError::new_err(message));
        }
        _ => {
            let message =
                format!("eigsh: which is \"LM\", \"SM\", \"LA\" or \"SA\", not \"{which}\"");
            return Err(PyValueError::new_err(message));
        }
    };
    let (map, dtype) = operator("eigsh", a)?;
    let options = Search {
        k,
        ncv,
        maxiter,
        tol,
        seed,
    };
    let parts = with_real!(dtype, T => match sigma {
        None => options.eigenvalues::<T>(&call, a.py(), &map, end)?,
        Some(sigma) => options.near::<T>(&call, a, &map, sigma as T)?,
    });
    call.give_named(&EIGH, parts)
}

/// The `k` largest singular values, descending, and their vectors.
#[pyfunction]
#[pyo3(signature = (
    a, k = 6, *, ncv = None, maxiter = None, tol = 0.0, seed = 0, errors = "raise", threads = 1, like = None,
    out = None
))]
#[expect(clippy::too_many_arguments, reason = "the keywords")]
pub(crate) fn svds(
    a: &Bound<'_, PyAny>,
    k: usize,
    ncv: Option<usize>,
    maxiter: Option<usize>,
    tol: f64,
    seed: u64,
    errors: &str,
    threads: usize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(a.py(), "svds", (errors, threads), (like, out))?;
    let (map, dtype) = operator("svds", a)?;
    let parts = with_real!(dtype, T => {
        triplets::<T>(&call, a.py(), &map, k, move |a, stop, values, both| {
            let options = EigenOptions { ncv, tol, maxiter, seed, stop: Some(stop) };
            sparse::svds(&T::engine(), a, values, Some(both), &options).map(drop)
        })?
    });
    call.give_named(&SVD, parts)
}

/// Nearly the `k` largest singular values, descending, and their vectors, from a random sketch of the range.
#[pyfunction]
#[pyo3(signature = (
    a, k = 6, *, oversampling = 10, power_iterations = 4, seed = 0, errors = "raise", threads = 1, like = None,
    out = None
))]
#[expect(clippy::too_many_arguments, reason = "the keywords")]
pub(crate) fn randomized_svd(
    a: &Bound<'_, PyAny>,
    k: usize,
    oversampling: usize,
    power_iterations: usize,
    seed: u64,
    errors: &str,
    threads: usize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(a.py(), "randomized_svd", (errors, threads), (like, out))?;
    let (map, dtype) = operator("randomized_svd", a)?;
    let parts = with_real!(dtype, T => {
        triplets::<T>(&call, a.py(), &map, k, move |a, stop, values, both| {
            let options = RandomizedOptions { oversampling, power_iterations, seed, stop: Some(stop) };
            sparse::randomized_svd(&T::engine(), a, values, Some(both), &options)
        })?
    });
    call.give_named(&SVD, parts)
}

/// Results, and a code where there is one.
type Parts<const N: usize> = ([Array; N], Option<Array>);

/// What a search of eigenvalues is told.
#[derive(Clone, Copy)]
struct Search {
    k: usize,
    ncv: Option<usize>,
    maxiter: Option<usize>,
    tol: f64,
    seed: u64,
}

impl Search {
    fn options(self, stop: &dyn Fn() -> bool) -> EigenOptions<'_> {
        EigenOptions {
            ncv: self.ncv,
            tol: self.tol,
            maxiter: self.maxiter,
            seed: self.seed,
            stop: Some(stop),
        }
    }

    fn eigenvalues<T: Real>(
        self,
        call: &Call<'_, '_>,
        py: Python<'_>,
        map: &Map<'_>,
        end: Which,
    ) -> PyResult<Parts<2>> {
        let mut found = Found::<T>::new("eigsh", map.shape(), self.k, false)?;
        let (how, plan) = (("eigsh", call.plan.context, COST), call.plan);
        let done = with_operators::<T, _>(py, how, &[map], move |operators, stop| {
            let (values, vectors) = found.eigenvectors()?;
            let options = self.options(stop);
            let done = sparse::eigsh(
                &T::engine(),
                operators[0],
                end,
                values,
                Some(vectors),
                &options,
            );
            Ok((found, done.err()))
        });
        let (found, error) = done?.map_err(|error| failed(&error))?;
        let ([values, vectors, _], info) = found.settle(&plan, error)?;
        Ok(([values, vectors.transposed()], info))
    }

    /// The eigenvalues nearest to `sigma`, by a factor of the shifted matrix.
    fn near<T: Real>(
        self,
        call: &Call<'_, '_>,
        a: &Bound<'_, PyAny>,
        map: &Map<'_>,
        sigma: T,
    ) -> PyResult<Parts<2>> {
        let py = a.py();
        let matrix = match map {
            Map::Sparse(sparse) => sparse.of_type(T::DTYPE)?,
            Map::Dense(array) => {
                Sparse::of_dense(py, "eigsh", Format::Csc, &array.of_type(T::DTYPE)?)?
            }
            _ => {
                let message = "eigsh: sigma needs a matrix, which is factored";
                return Err(PyTypeError::new_err(message));
            }
        };
        let mut found = Found::<T>::new("eigsh", matrix.shape, self.k, false)?;
        let shifted = run(py, matrix.stored() as f64, move || shifted(&matrix, sigma))?;
        let (how, plan) = (("eigsh", call.plan.context, COST), call.plan);
        let done = with_operators::<T, _>(py, how, &[], move |_, stop| {
            let solver = Solver::<T>::new(How::Direct(Method::Lu), &shifted, None);
            let inverse = match solver.map(|solver| solver.operator()) {
                Ok(Some(inverse)) => inverse,
                Ok(None) => unreachable!("a square matrix"),
                Err(error) => return Ok((found, Some(error))),
            };
            let (values, vectors) = found.eigenvectors()?;
            let options = self.options(stop);
            let engine = T::engine();
            let done =
                sparse::eigsh_near(&engine, &*inverse, sigma, values, Some(vectors), &options);
            Ok((found, done.err()))
        });
        let (found, error) = done?.map_err(|error| failed(&error))?;
        let ([values, vectors, _], info) = found.settle(&plan, error)?;
        Ok(([values, vectors.transposed()], info))
    }
}

/// `a - sigma`.
fn shifted<T: Real>(a: &Sparse, sigma: T) -> PyResult<Sparse> {
    with_index!(a.indices.dtype, I => {
        let n = a.shape.0;
        let numbers: Vec<I> = (0..n).filter_map(<I as Index>::from_usize).collect();
        let sum = Csr::<T, I>::from_triplets((n, n), &numbers, &numbers, &vec![T::ONE; n])
            .and_then(|one| a.rows::<T, I>().add(T::ONE, one.as_ref(), -sigma));
        Sparse::of_rows((a.format, a.shape), sum.map_err(|error| failed(&error))?)
    })
}

/// Values and vectors of a search: the left ones, and the right ones where there are two sides.
struct Found<T> {
    shape: (usize, usize),
    k: usize,
    values: Output<T>,
    left: Output<T>,
    right: Output<T>,
}

impl<T: Real> Found<T> {
    fn new(name: &'static str, shape: (usize, usize), k: usize, two_sides: bool) -> PyResult<Self> {
        let (m, n) = shape;
        if k > m.min(n) || (!two_sides && m != n) {
            let what = if two_sides {
                "singular values"
            } else {
                "eigenvalues"
            };
            let message = format!("{name}: {k} {what} of a {m}x{n} matrix");
            return Err(LinAlgError::new_err(message));
        }
        Ok(Self {
            shape,
            k,
            values: Output::new(Dims::shape(&[k])?)?,
            left: Output::new(Dims::shape(&[k, m])?)?,
            right: Output::new(Dims::shape(&[if two_sides { k } else { 0 }, n])?)?,
        })
    }

    /// The places of eigenvalues and of their vectors.
    fn eigenvectors(&mut self) -> Result<(&mut [T], MatMut<'_, T>), Error> {
        let (n, k) = (self.shape.0, self.k);
        let vectors = MatMut::with_strides(self.left.items(), (n, k), (1, n.max(1)))?;
        Ok((self.values.items(), vectors))
    }

    /// The results: vectors are rows. NaN where there was an error that is not raised.
    fn settle(mut self, plan: &Plan, error: Option<Error>) -> PyResult<Parts<3>> {
        let failures = error.into_iter().map(|error| (0, error)).collect();
        let kind = Array::of::<T>(&[], Dims::shape(&[0])?)?;
        let info = plan.settle(&kind, failures, |_| {
            for part in [&mut self.values, &mut self.left, &mut self.right] {
                part.items().fill(<T as Field>::NAN);
            }
        })?;
        let arrays = [
            self.values.into_array(),
            self.left.into_array(),
            self.right.into_array(),
        ];
        Ok((arrays, info))
    }
}

/// Singular values and vectors by `work`.
fn triplets<T: Real>(
    call: &Call<'_, '_>,
    py: Python<'_>,
    map: &Map<'_>,
    k: usize,
    work: impl FnOnce(
        &dyn Operator<T>,
        &dyn Fn() -> bool,
        &mut [T],
        (MatMut<'_, T>, MatMut<'_, T>),
    ) -> Result<(), Error>
    + Send
    + 'static,
) -> PyResult<Parts<3>> {
    let name = call.plan.name;
    let mut found = Found::<T>::new(name, map.shape(), k, true)?;
    let ((m, n), how) = (map.shape(), (name, call.plan.context, COST));
    let done = with_operators::<T, _>(py, how, &[map], move |operators, stop| {
        let left = MatMut::with_strides(found.left.items(), (m, k), (1, m.max(1)))?;
        let right = MatMut::with_strides(found.right.items(), (n, k), (1, n.max(1)))?;
        let done = work(operators[0], stop, found.values.items(), (left, right));
        Ok((found, done.err()))
    });
    let (found, error) = done?.map_err(|error| failed(&error))?;
    let ([values, left, right], info) = found.settle(&call.plan, error)?;
    Ok(([left.transposed(), values, right], info))
}
