//! Solvers of systems by iteration, with the keywords of `scipy.sparse.linalg`.

use super::matrix::{Real, real_type, with_real};
use super::operator::{Map, with_operators};
use crate::call::Call;
use crate::input::Operand;
use crate::output::ITERATION;
use crate::raw::{Array, LinAlgError};
use crate::text::shape;
use nexus_linalg::Error;
use nexus_linalg::sparse::{self, Operator, Options, Outcome, Reason};
use pyo3::prelude::*;

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// The methods.
#[derive(Clone, Copy)]
enum Method {
    Cg,
    Gmres,
    Minres,
    Bicgstab,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Cg => "cg",
            Self::Gmres => "gmres",
            Self::Minres => "minres",
            Self::Bicgstab => "bicgstab",
        }
    }

    fn run<T: Real>(
        self,
        (a, preconditioner): (&dyn Operator<T>, Option<&dyn Operator<T>>),
        b: &[T],
        x: &mut [T],
        options: &Options<'_>,
    ) -> Result<Outcome, Error> {
        match self {
            Self::Cg => sparse::cg(a, preconditioner, b, x, options),
            Self::Gmres => sparse::gmres(a, preconditioner, b, x, options),
            Self::Minres => sparse::minres(a, preconditioner, b, x, options),
            Self::Bicgstab => sparse::bicgstab(a, preconditioner, b, x, options),
        }
    }
}

/// What was given beside the operator and the right side.
struct Keywords<'a, 'py> {
    x0: Option<Operand>,
    rtol: f64,
    atol: f64,
    restart: usize,
    maxiter: Option<usize>,
    preconditioner: Given<'a, 'py>,
    threads: usize,
    like: Given<'a, 'py>,
    out: Given<'a, 'py>,
}

macro_rules! solvers {
    ($($(#[$doc:meta])* $name:ident, $method:ident;)+) => {$(
        $(#[$doc])*
        #[pyfunction]
        #[pyo3(signature = (
            a, b, x0 = None, *, rtol = 1e-5, atol = 0.0, maxiter = None, M = None, threads = 1, like = None, out = None
        ))]
        #[expect(non_snake_case, reason = "SciPy's name")]
        #[expect(clippy::too_many_arguments, reason = "the keywords")]
        pub(crate) fn $name(
            a: &Bound<'_, PyAny>,
            b: &Bound<'_, PyAny>,
            x0: Option<Operand>,
            rtol: f64,
            atol: f64,
            maxiter: Option<usize>,
            M: Given<'_, '_>,
            threads: usize,
            like: Given<'_, '_>,
            out: Given<'_, '_>,
        ) -> PyResult<Py<PyAny>> {
            let restart = Options::default().restart;
            let preconditioner = M;
            solve(Method::$method, (a, b), Keywords {
                x0, rtol, atol, restart, maxiter, preconditioner, threads, like, out,
            })
        }
    )+};
}

solvers! {
    /// Solves `a x = b` for a symmetric positive definite operator by conjugate gradients.
    cg, Cg;
    /// Solves `a x = b` for a symmetric operator by minimal residuals.
    minres, Minres;
    /// Solves `a x = b` for any square operator by stabilised biconjugate gradients.
    bicgstab, Bicgstab;
}

/// Solves `a x = b` for any square operator by generalised minimal residuals, restarted after `restart` iterations;
/// `maxiter` counts iterations.
#[pyfunction]
#[pyo3(signature = (
    a, b, x0 = None, *, rtol = 1e-5, atol = 0.0, restart = 20, maxiter = None, M = None, threads = 1, like = None,
    out = None
))]
#[expect(non_snake_case, reason = "SciPy's name")]
#[expect(clippy::too_many_arguments, reason = "the keywords")]
pub(crate) fn gmres(
    a: &Bound<'_, PyAny>,
    b: &Bound<'_, PyAny>,
    x0: Option<Operand>,
    rtol: f64,
    atol: f64,
    restart: usize,
    maxiter: Option<usize>,
    M: Given<'_, '_>,
    threads: usize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let preconditioner = M;
    solve(
        Method::Gmres,
        (a, b),
        Keywords {
            x0,
            rtol,
            atol,
            restart,
            maxiter,
            preconditioner,
            threads,
            like,
            out,
        },
    )
}

/// Solves a system, and gives the solution in the shape of `b`.
fn solve<'py>(
    method: Method,
    (a, b): (&Bound<'py, PyAny>, &Bound<'py, PyAny>),
    keywords: Keywords<'_, 'py>,
) -> PyResult<Py<PyAny>> {
    let (py, name) = (a.py(), method.name());
    let call = Call::new(
        py,
        name,
        ("raise", keywords.threads),
        (keywords.like, keywords.out),
    )?;
    let right = b.extract::<Operand>()?.array;
    let n = right.len();
    let is_column = matches!(*right.shape(), [_] | [_, 1]);
    if !is_column {
        let found = shape(&right.shape());
        let message = format!("{name}: b is a vector, not of shape {found}");
        return Err(LinAlgError::new_err(message));
    }
    if let Some(x0) = keywords.x0.as_ref().filter(|x0| x0.array.len() != n) {
        let found = shape(&x0.array.shape());
        let message = format!("{name}: x0 of shape {found} does not fit b of {n} items");
        return Err(LinAlgError::new_err(message));
    }
    let like = keywords.like.or(Some(b));
    let map = |object| Ok::<_, PyErr>(Map::of(name, object, Some((n, n)))?.like(like));
    let a = map(a)?;
    let preconditioner = keywords.preconditioner.map(map).transpose()?;
    let mut dtype = real_type(name, right.dtype)?;
    for map in [Some(&a), preconditioner.as_ref()].into_iter().flatten() {
        dtype = map.dtype(name)?.map_or(dtype, |own| own.promote(dtype));
    }
    let maps: Vec<&Map<'_>> = std::iter::once(&a).chain(&preconditioner).collect();
    let steps = keywords.maxiter.unwrap_or(n.saturating_mul(10)) as f64;
    let each = maps.iter().map(|map| map.cost()).sum::<f64>() + 40.0 * n as f64;
    let settings = Settings {
        method,
        cost: each * steps,
        rtol: keywords.rtol,
        atol: keywords.atol,
        restart: keywords.restart,
        maxiter: keywords.maxiter,
    };
    let x0 = keywords.x0.map(|x0| x0.array);
    let (x, outcome) = with_real!(dtype, T => settings.run::<T>(py, &call, &maps, (&right, x0))?);
    let info = match outcome.reason {
        Reason::Converged => 0,
        Reason::Limit => outcome.iterations.max(1) as i64,
        Reason::Breakdown => -1,
    };
    let number = |value: i64| Ok::<_, PyErr>(value.into_pyobject(py)?.into_any().unbind());
    let residual = outcome.residual.into_pyobject(py)?.into_any().unbind();
    let parts = vec![
        call.give(x)?,
        number(info)?,
        number(outcome.iterations as i64)?,
        residual,
    ];
    ITERATION.of(py, parts)
}

/// How a system is solved.
#[derive(Clone, Copy)]
struct Settings {
    method: Method,
    cost: f64,
    rtol: f64,
    atol: f64,
    restart: usize,
    maxiter: Option<usize>,
}

impl Settings {
    fn run<T: Real>(
        self,
        py: Python<'_>,
        call: &Call<'_, '_>,
        maps: &[&Map<'_>],
        (right, x0): (&Array, Option<Array>),
    ) -> PyResult<(Array, Outcome)> {
        let name = self.method.name();
        let b = right.values::<T>().into_owned();
        let mut x = match x0 {
            Some(x0) => x0.values::<T>().into_owned(),
            None => vec![T::default(); b.len()],
        };
        let how = (name, call.plan.context, self.cost);
        let done = with_operators::<T, _>(py, how, maps, move |operators, stop| {
            let options = Options {
                rtol: self.rtol,
                atol: self.atol,
                restart: self.restart,
                maxiter: self.maxiter,
                stop: Some(stop),
            };
            let system = (operators[0], operators.get(1).copied());
            let outcome = self.method.run(system, &b, &mut x, &options)?;
            Ok((x, outcome))
        })?;
        let (x, outcome) =
            done.map_err(|error| LinAlgError::new_err(format!("{error} ({})", T::DTYPE.name())))?;
        Ok((Array::of(&x, right.shape())?, outcome))
    }
}
