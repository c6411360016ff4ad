//! Sums, differences, products and quotients item by item, with NumPy's broadcasting.

use crate::dtype::{Element, Item, Kind, computing, with_whole};
use crate::raw::LinAlgError;
use crate::raw::{Array, Dims, Output};
use crate::run::run;
use crate::text::shape;
use nexus_linalg::Field;
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

    pub(crate) fn of_elements<T: Element>(self, a: T, b: T) -> T {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a.divide(b),
        }
    }

    /// Whole numbers wrap around; nobody divides them.
    fn of_whole<T: Whole>(self, a: T, b: T) -> T {
        match self {
            Self::Add => a.plus(b),
            Self::Subtract => a.minus(b),
            Self::Multiply | Self::Divide => a.times(b),
        }
    }
}

/// Whole numbers, which wrap around.
pub(crate) trait Whole: Item {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
}

macro_rules! wrapping {
    ($($type:ty),+) => {$(
        impl Whole for $type {
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
        }
    )+};
}

wrapping!(i8, i16, i32, i64, u8);

/// The shape that both shapes broadcast to.
pub(crate) fn broadcast_shape(a: &[isize], b: &[isize]) -> Option<Dims> {
    let rank = a.len().max(b.len());
    let at = |dims: &[isize], axis: usize| {
        let more = rank - dims.len();
        axis.checked_sub(more).map_or(1, |axis| dims[axis])
    };
    let mut dims = Dims::new((0..rank).map(|_| 1)).ok()?;
    for axis in 0..rank {
        dims[axis] = match (at(a, axis), at(b, axis)) {
            (m, n) if m == n || n == 1 => m,
            (1, n) => n,
            _ => return None,
        };
    }
    Some(dims)
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
        Some((dims, a, b))
    });
    let Some((dims, a, b)) = fit else {
        return Err(LinAlgError::new_err(format!(
            "cannot {} {} and {}: the shapes differ",
            operation.name(),
            shape(&a.shape()),
            shape(&b.shape())
        )));
    };
    let dtype = a.dtype.promote(b.dtype);
    run(py, a.len() as f64, move || {
        if dtype.kind() == Kind::Whole && !matches!(operation, Operation::Divide) {
            return with_whole!(dtype, T => {
                combine::<T>(&a, &b, dims, |a, b| operation.of_whole(a, b))
            });
        }
        computing!(dtype, T => combine::<T>(&a, &b, dims, |a, b| operation.of_elements(a, b)))
    })
}

fn combine<T: Item>(
    a: &Array,
    b: &Array,
    shape: Dims,
    operation: impl Fn(T, T) -> T,
) -> PyResult<Array> {
    let mut output = Output::<T>::new(shape)?;
    let (a, b) = (a.values::<T>(), b.values::<T>());
    for (place, (&a, &b)) in output.items().iter_mut().zip(a.iter().zip(b.iter())) {
        *place = operation(a, b);
    }
    Ok(output.into_array())
}

/// Each item by `work`.
fn mapped<T: Item>(a: &Array, work: impl Fn(T) -> T) -> PyResult<Array> {
    let values: Vec<T> = a.values::<T>().iter().map(|&value| work(value)).collect();
    Array::of(&values, a.shape())
}

/// Each item with the other sign.
pub(crate) fn negative(a: &Array) -> PyResult<Array> {
    if a.dtype.kind() == Kind::Whole {
        return with_whole!(a.dtype, T => mapped(a, |value: T| T::of_whole(0).minus(value)));
    }
    computing!(a.dtype, T => mapped(a, |value: T| -value))
}

/// Each item conjugated: the array itself where it is real.
pub(crate) fn conjugated(a: &Array) -> PyResult<Array> {
    if a.dtype.kind() != Kind::Complex {
        return Ok(a.clone());
    }
    computing!(a.dtype, T => mapped(a, |value: T| value.conj()))
}
