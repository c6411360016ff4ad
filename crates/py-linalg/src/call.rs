//! What every function takes beside its operands: what happens to matrices without a result, threads, and where
//! results go.

use crate::output::{Named, Part};
use crate::raw::{Array, Dims, LinAlgError, Target};
use crate::text::shape;
use nexus_linalg::stack::Failures;
use nexus_linalg::{Context, Error, ErrorKind};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::fmt::{Display, Write};
use std::num::NonZero;

/// What happens when matrices of a stack have no result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Errors {
    /// An exception about the first of them.
    Raise,
    /// NaN in their places.
    Nan,
    /// The same, and a code for each matrix.
    Info,
}

/// How a function computes.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) context: Context,
    errors: Errors,
}

impl Plan {
    /// What becomes of a stack with these failures: an exception, or NaN where `spoil` puts it. With
    /// `errors="info"`, the codes of the matrices: 0, the number of the failing pivot or minor counted from 1, or
    /// -1.
    ///
    /// # Errors
    /// `LinAlgError` about the first failure.
    pub(crate) fn settle(
        &self,
        a: &Array,
        failures: Failures,
        mut spoil: impl FnMut(usize),
    ) -> PyResult<Option<Array>> {
        if let (Errors::Raise, Some((index, error))) = (self.errors, failures.first()) {
            return Err(self.failed(error, a, *index));
        }
        for &(index, _) in &failures {
            spoil(index);
        }
        if self.errors != Errors::Info {
            return Ok(None);
        }
        let batch = batch(a);
        let mut codes = vec![0_i64; batch.iter().product::<isize>().cast_unsigned()];
        for (index, error) in failures {
            codes[index] = match error.kind() {
                ErrorKind::Singular { pivot } => pivot as i64 + 1,
                ErrorKind::NotPositiveDefinite { minor } => minor as i64,
                _ => -1,
            };
        }
        Ok(Some(Array::of(&codes, batch)?))
    }

    /// An error about one matrix of a stack: the function, the type, and which matrix it is.
    fn failed(&self, error: &Error, array: &Array, index: usize) -> PyErr {
        let batch = batch(array);
        let mut message = format!("{}: {error} ({}", self.name, array.dtype.name());
        if !batch.is_empty() {
            let mut rest = index.cast_signed();
            let mut place: Vec<isize> = batch
                .iter()
                .rev()
                .map(|&n| {
                    let at = rest % n;
                    rest /= n;
                    at
                })
                .collect();
            place.reverse();
            let shape = shape(&array.shape());
            let _ = write!(message, ", matrix {place:?} of the stack {shape}");
        }
        message.push(')');
        LinAlgError::new_err(message)
    }
}

/// The axes before the matrices'.
pub(crate) fn batch(a: &Array) -> Dims {
    let dims = a.shape();
    let count = dims.len().saturating_sub(2);
    Dims::new(dims[..count].iter().copied()).expect("fewer axes than before")
}

/// A call of a function.
pub(crate) struct Call<'a, 'py> {
    py: Python<'py>,
    pub(crate) plan: Plan,
    like: Option<&'a Bound<'py, PyAny>>,
    out: Option<&'a Bound<'py, PyAny>>,
}

impl<'a, 'py> Call<'a, 'py> {
    /// A call with the values of its keywords.
    ///
    /// # Errors
    /// `ValueError` for an unknown word and for less than one thread, `TypeError` for both `like` and `out`.
    pub(crate) fn new(
        py: Python<'py>,
        name: &'static str,
        (errors, threads): (&str, impl TryInto<usize> + Copy + Display),
        (like, out): (Option<&'a Bound<'py, PyAny>>, Option<&'a Bound<'py, PyAny>>),
    ) -> PyResult<Self> {
        let errors = match errors {
            "raise" => Errors::Raise,
            "nan" => Errors::Nan,
            "info" => Errors::Info,
            other => {
                let message =
                    format!("{name}: errors is \"raise\", \"nan\" or \"info\", not \"{other}\"");
                return Err(PyValueError::new_err(message));
            }
        };
        let count = threads.try_into().ok().and_then(NonZero::new);
        let count = count.ok_or_else(|| {
            PyValueError::new_err(format!("{name}: threads is at least 1, not {threads}"))
        })?;
        let (like, out) = (
            like.filter(|like| !like.is_none()),
            out.filter(|out| !out.is_none()),
        );
        if like.is_some() && out.is_some() {
            let message = format!("{name}: give like or out, not both");
            return Err(PyTypeError::new_err(message));
        }
        let context = Context::default().threads(count);
        Ok(Self {
            py,
            plan: Plan {
                name,
                context,
                errors,
            },
            like,
            out,
        })
    }

    /// A call that has nothing to raise, and one thread.
    ///
    /// # Errors
    /// As [`Call::new`].
    pub(crate) fn plain(
        py: Python<'py>,
        name: &'static str,
        to: (Option<&'a Bound<'py, PyAny>>, Option<&'a Bound<'py, PyAny>>),
    ) -> PyResult<Self> {
        Self::new(py, name, ("raise", 1), to)
    }

    /// Hands a result over.
    ///
    /// # Errors
    /// When `like` or `out` do not fit.
    pub(crate) fn give(&self, array: Array) -> PyResult<Py<PyAny>> {
        let target = self.target(&array, self.out)?;
        self.part(array, target)
    }

    /// Hands a result and the codes of [`Plan::settle`] over.
    ///
    /// # Errors
    /// As [`Call::give`].
    pub(crate) fn give_with(&self, (array, info): (Array, Option<Array>)) -> PyResult<Py<PyAny>> {
        let result = self.give(array)?;
        self.with_info(result, info)
    }

    /// Hands results over as a named tuple; `out` is a tuple too.
    ///
    /// # Errors
    /// As [`Call::give`].
    pub(crate) fn give_named<const N: usize>(
        &self,
        named: &Named,
        (parts, info): ([Array; N], Option<Array>),
    ) -> PyResult<Py<PyAny>> {
        let outs: [Option<Bound<'py, PyAny>>; N] = match self.out {
            None => [const { None }; N],
            Some(out) => {
                let misfit = || {
                    let name = self.plan.name;
                    PyTypeError::new_err(format!("{name}: out is a tuple of {N} arrays"))
                };
                let outs = out.cast::<PyTuple>().map_err(|_| misfit())?;
                let outs: Vec<_> = outs.iter().map(Some).collect();
                outs.try_into().map_err(|_| misfit())?
            }
        };
        // Nothing is written before all fit.
        let mut targets = Vec::with_capacity(N);
        for (part, out) in parts.iter().zip(&outs) {
            targets.push(self.target(part, out.as_ref())?);
        }
        let parts = parts
            .into_iter()
            .zip(targets)
            .map(|(part, target)| self.part(part, target))
            .collect::<PyResult<Vec<_>>>()?;
        let result = named.of(self.py, parts)?;
        self.with_info(result, info)
    }

    /// Where a result goes, if `out` says.
    fn target<'o>(
        &self,
        array: &Array,
        out: Option<&'o Bound<'py, PyAny>>,
    ) -> PyResult<Option<(Target, &'o Bound<'py, PyAny>)>> {
        let Some(out) = out else { return Ok(None) };
        Ok(Some((Target::of(self.plan.name, out, array)?, out)))
    }

    fn part(
        &self,
        array: Array,
        target: Option<(Target, &Bound<'py, PyAny>)>,
    ) -> PyResult<Py<PyAny>> {
        match target {
            None => Part(array).into_python(self.py, self.like),
            Some((target, out)) => {
                target.write(&array);
                Ok(out.clone().unbind())
            }
        }
    }

    /// The codes beside a result.
    ///
    /// # Errors
    /// As [`Call::give`].
    pub(crate) fn with_info(&self, result: Py<PyAny>, info: Option<Array>) -> PyResult<Py<PyAny>> {
        let Some(info) = info else {
            return Ok(result);
        };
        let info = Part(info).into_python(self.py, self.like)?;
        Ok((result, info).into_pyobject(self.py)?.into_any().unbind())
    }
}

/// A slice for each of `count` matrices, `size` items long.
pub(crate) struct Pieces<'a, T> {
    rest: &'a mut [T],
    size: usize,
    count: usize,
}

impl<'a, T> Pieces<'a, T> {
    /// # Panics
    /// When iterated, if there are fewer items.
    pub(crate) fn new(items: &'a mut [T], size: usize, count: usize) -> Self {
        Self {
            rest: items,
            size,
            count,
        }
    }
}

impl<'a, T> Iterator for Pieces<'a, T> {
    type Item = &'a mut [T];

    fn next(&mut self) -> Option<&'a mut [T]> {
        self.count = self.count.checked_sub(1)?;
        let (piece, rest) = std::mem::take(&mut self.rest).split_at_mut(self.size);
        self.rest = rest;
        Some(piece)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl<T> ExactSizeIterator for Pieces<'_, T> {}

/// The items of the `index`th matrix.
pub(crate) fn piece<T>(items: &mut [T], size: usize, index: usize) -> &mut [T] {
    &mut items[index * size..(index + 1) * size]
}
