//! Values alone of condensed forms: eigenvalues of symmetric tridiagonal and singular values of bidiagonal
//! matrices, in O(n^2) operations and O(n) memory.
//!
//! An engine that reduces a matrix to such a form finishes here where no vectors are asked for. Both iterations
//! have no square roots in their inner loops, and both run in f64: a diagonal of f32 loses nothing by it.

mod bidiagonal;
mod tridiagonal;

pub use bidiagonal::singular_values;
pub use tridiagonal::eigenvalues;

/// The power of two that brings numbers of this size close to one, and its inverse.
fn unit(size: f64) -> (f64, f64) {
    let exponent = size.log2().floor().clamp(-1000.0, 1000.0);
    ((-exponent).exp2(), exponent.exp2())
}

/// The largest absolute value.
fn largest(items: &[f64]) -> f64 {
    items.iter().fold(0.0, |most, item| item.abs().max(most))
}
