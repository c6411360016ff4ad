//! Sparse matrices for Python: their type, the solvers of systems with them, some of their eigenvalues and
//! singular values.

mod build;
mod iterate;
mod matrix;
mod operator;
mod products;
mod truncated;

pub(crate) mod factor;
pub(crate) mod methods;

pub(crate) use build::{coo, csc, csr, rebuild_sparse};
pub(crate) use factor::{SparseFactor, ic0, ilu0, jacobi, sparse_factor, sparse_solve};
pub(crate) use iterate::{bicgstab, cg, gmres, minres};
pub(crate) use matrix::Sparse;
pub(crate) use truncated::{eigsh, randomized_svd, svds};
