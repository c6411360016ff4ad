//! Arrays as text and as nested lists.

use crate::limits::SHOWN_MAX;
use crate::raw::{Array, Dtype};
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt, PyList};
use std::fmt::Write;

/// A shape as messages name it: `2x3`.
pub(crate) fn shape(dims: &[isize]) -> String {
    let lengths: Vec<String> = dims.iter().map(isize::to_string).collect();
    if lengths.is_empty() {
        "a number".to_owned()
    } else {
        lengths.join("x")
    }
}

/// The items as nested lists.
pub(crate) fn nested<'py>(py: Python<'py>, array: &Array) -> PyResult<Bound<'py, PyAny>> {
    if array.rank() == 0 {
        return Ok(match array.dtype {
            Dtype::I64 => PyInt::new(py, array.longs()[0]).into_any(),
            _ => PyFloat::new(py, array.values::<f64>()[0]).into_any(),
        });
    }
    if array.rank() == 1 {
        let list = match array.dtype {
            Dtype::I64 => PyList::new(py, array.longs()),
            _ => PyList::new(py, array.values::<f64>().iter()),
        };
        return Ok(list?.into_any());
    }
    let rows = (0..array.shape()[0])
        .map(|i| nested(py, &array.select(0, i)))
        .collect::<PyResult<Vec<_>>>()?;
    Ok(PyList::new(py, rows)?.into_any())
}

/// Shape, type and items; long axes are cut in the middle.
pub(crate) fn show(array: &Array) -> String {
    let mut out = format!("Matrix {} {}", shape(&array.shape()), array.dtype.name());
    if array.len() > 0 {
        show_rows(array, &mut out);
    }
    out
}

fn show_rows(array: &Array, out: &mut String) {
    if array.rank() == 1 {
        let n = array.shape()[0];
        let items: Vec<String> = shown(n)
            .map(|at| at.map_or_else(|| "...".to_owned(), |at| item(&array.select(0, at))))
            .collect();
        let _ = write!(out, "\n  [{}]", items.join(", "));
        return;
    }
    for (turn, at) in shown(array.shape()[0]).enumerate() {
        if turn > 0 && array.rank() > 2 {
            out.push('\n');
        }
        match at {
            Some(at) => show_rows(&array.select(0, at), out),
            None => out.push_str("\n  ..."),
        }
    }
}

/// The indices that are shown, with `None` for those that are left out.
fn shown(n: isize) -> impl Iterator<Item = Option<isize>> {
    let cut = n > SHOWN_MAX;
    let head = if cut { SHOWN_MAX / 2 } else { n };
    let tail = if cut { n - SHOWN_MAX / 2 } else { n };
    (0..head)
        .map(Some)
        .chain(cut.then_some(None))
        .chain((tail..n).map(Some))
}

fn item(array: &Array) -> String {
    match array.dtype {
        Dtype::F32 => number(&array.values::<f32>()[0]),
        Dtype::F64 => number(&array.values::<f64>()[0]),
        Dtype::I64 => array.longs()[0].to_string(),
    }
}

/// The shortest text that reads back as the number.
fn number<T: nexus_linalg::Float + std::fmt::LowerExp>(value: &T) -> String {
    let size = value.to_f64().abs();
    if size != 0.0 && size.is_finite() && !(1e-4..1e16).contains(&size) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}
