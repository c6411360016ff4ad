//! Condensed forms: symmetric tridiagonal and bidiagonal matrices, the reductions of real matrices to them, their
//! eigenvalues and singular values in O(n^2) operations, and their vectors by divide and conquer; triangles; Hessenberg
//! and real Schur forms, and the eigenvalues and eigenvectors of real matrices by them.
//!
//! An engine that reduces a matrix to such a form finishes here. The iterations for values have no square roots in
//! their inner loops. What is done to condensed forms runs in f64: a diagonal of f32 loses nothing by it. Hessenberg
//! and Schur forms have the items of their matrix.

mod banded;
mod bidiagonal;
mod chase;
mod divide;
pub(crate) mod francis;
mod general;
mod golub_kahan;
pub(crate) mod hessenberg;
mod merge;
mod orthogonal;
mod pair;
mod panel;
mod quasi;
mod rectangular;
mod reflector;
mod rotate;
mod secular;
mod simd;
mod singular;
mod svd;
mod symmetric;
mod tridiagonal;

pub use bidiagonal::singular_values;
pub use divide::eigenvectors;
pub use general::eig;
pub use orthogonal::qr;
pub use simd::Item;
pub use singular::singular_vectors;
pub use svd::svd;
pub use symmetric::eigh;
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
