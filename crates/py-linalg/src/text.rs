//! Arrays as text and as nested lists.

use crate::dtype::{Kind, with_item};
use crate::limits::SHOWN_MAX;
use crate::raw::Array;
use half::{bf16, f16};
use nexus_linalg::Complex;
use pyo3::prelude::*;
use pyo3::types::{PyComplex, PyFloat, PyList};
use std::fmt::{Display, LowerExp, Write};

/// A shape as messages name it: `2x3`.
pub(crate) fn shape(dims: &[isize]) -> String {
    let lengths: Vec<String> = dims.iter().map(isize::to_string).collect();
    if lengths.is_empty() {
        "a number".to_owned()
    } else {
        lengths.join("x")
    }
}

/// The number that an array without axes is.
fn scalar<'py>(py: Python<'py>, array: &Array) -> PyResult<Bound<'py, PyAny>> {
    Ok(match array.dtype.kind() {
        Kind::Whole => array.values::<i64>()[0].into_pyobject(py)?.into_any(),
        Kind::Real => PyFloat::new(py, array.values::<f64>()[0]).into_any(),
        Kind::Complex => {
            let value = array.values::<Complex<f64>>()[0];
            PyComplex::from_doubles(py, value.re, value.im).into_any()
        }
    })
}

/// The items as nested lists of numbers; without axes, the number.
pub(crate) fn nested<'py>(py: Python<'py>, array: &Array) -> PyResult<Bound<'py, PyAny>> {
    let list = match (array.rank(), array.dtype.kind()) {
        (0, _) => return scalar(py, array),
        (1, Kind::Whole) => PyList::new(py, array.values::<i64>().iter()),
        (1, Kind::Real) => PyList::new(py, array.values::<f64>().iter()),
        (1, Kind::Complex) => {
            let values = array.values::<Complex<f64>>();
            let numbers = values
                .iter()
                .map(|value| PyComplex::from_doubles(py, value.re, value.im));
            PyList::new(py, numbers.collect::<Vec<_>>())
        }
        _ => {
            let rows = (0..array.shape()[0]).map(|i| nested(py, &array.select(0, i)));
            PyList::new(py, rows.collect::<PyResult<Vec<_>>>()?)
        }
    };
    Ok(list?.into_any())
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
    with_item!(array.dtype, T => array.values::<T>()[0].show())
}

/// Numbers as text.
trait Show {
    fn show(self) -> String;
}

macro_rules! show {
    (whole: $($whole:ty),+; real: $($real:ty),+; complex: $($part:ty),+) => {
        $(impl Show for $whole {
            fn show(self) -> String {
                self.to_string()
            }
        })+
        $(impl Show for $real {
            fn show(self) -> String {
                number(&self, self.into())
            }
        })+
        $(impl Show for Complex<$part> {
            fn show(self) -> String {
                let sign = if self.im.is_sign_negative() { "" } else { "+" };
                format!("{}{sign}{}j", self.re.show(), self.im.show())
            }
        })+
    };
}

show! {
    whole: i8, i16, i32, i64, u8;
    real: f32, f64;
    complex: f32, f64
}

impl Show for f16 {
    fn show(self) -> String {
        self.to_f32().show()
    }
}

impl Show for bf16 {
    fn show(self) -> String {
        self.to_f32().show()
    }
}

/// The shortest text that reads back as the number.
fn number<T: Display + LowerExp>(value: &T, wide: f64) -> String {
    let size = wide.abs();
    if size != 0.0 && size.is_finite() && !(1e-4..1e16).contains(&size) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}
