//! Sums, differences, products and quotients item by item, with NumPy's broadcasting.

use crate::raw::LinAlgError;
use crate::raw::{Array, Dims, Dtype, Item, Output};
use crate::run::run;
use crate::text::shape;
use pyo3::prelude::*;

/// An operator.
#[derive(Clone, Copy)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "subtract",
            Self::Multiply => "multiply item by item",
            Self::Divide => "divide",
        }
    }

    fn apply<T: Item>(self, a: T, b: T) -> T {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
        }
    }
}

/// The shape that both shapes broadcast to.
pub(crate) fn broadcast_shape(a: &[isize], b: &[isize]) -> Option<Vec<isize>> {
    let rank = a.len().max(b.len());
    let at = |dims: &[isize], axis: usize| {
        let more = rank - dims.len();
        axis.checked_sub(more).map_or(1, |axis| dims[axis])
    };
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (m, n) if m == n || n == 1 => Some(m),
            (1, n) => Some(n),
            _ => None,
        })
        .collect()
}

/// `a` and `b` item by item.
///
/// # Errors
/// `LinAlgError` when the shapes do not broadcast.
pub(crate) fn binary(
    py: Python<'_>,
    a: &Array,
    b: &Array,
    operation: Operation,
) -> PyResult<Array> {
    let fit = broadcast_shape(&a.shape(), &b.shape()).and_then(|dims| {
        let (a, b) = (a.broadcast(&dims)?, b.broadcast(&dims)?);
        Some((Dims::new(dims).ok()?, a, b))
    });
    let Some((dims, a, b)) = fit else {
        return Err(LinAlgError::new_err(format!(
            "cannot {} {} and {}: the shapes differ",
            operation.name(),
            shape(&a.shape()),
            shape(&b.shape())
        )));
    };
    run(py, a.len() as f64, move || match a.dtype.promote(b.dtype) {
        Dtype::F32 => combine::<f32>(&a, &b, dims, operation),
        _ => combine::<f64>(&a, &b, dims, operation),
    })
}

fn combine<T: Item>(a: &Array, b: &Array, shape: Dims, operation: Operation) -> PyResult<Array> {
    let mut output = Output::<T>::new(shape)?;
    let (a, b) = (a.values::<T>(), b.values::<T>());
    for (place, (&a, &b)) in output.items().iter_mut().zip(a.iter().zip(b.iter())) {
        *place = operation.apply(a, b);
    }
    Ok(output.into_array())
}

/// Each item with the other sign.
pub(crate) fn negative(a: &Array) -> PyResult<Array> {
    fn go<T: Item>(a: &Array) -> PyResult<Array> {
        let values: Vec<T> = a.values::<T>().iter().map(|&value| -value).collect();
        Array::of(&values, a.shape())
    }
    match a.dtype {
        Dtype::F32 => go::<f32>(a),
        _ => go::<f64>(a),
    }
}
