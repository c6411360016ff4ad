//! Sparse matrices, and what is found from products alone: solutions by iteration, some eigenvalues, some
//! singular values.
//!
//! [`CsrRef`] and [`CscRef`] are views of compressed rows and columns in foreign memory, with indices of
//! `i32` or `i64`; [`Csr`] and [`Csc`] own theirs. A view is checked when it is made: its pointers ascend
//! and its indices are in range. [`Factorize`] is the trait of engines that factor sparse matrices
//! (`nexus-linalg-faer` is one); [`Analysis`] and [`Factor`] are the rules around it.
//!
//! What iterates takes an [`Operator`]: a sparse or a dense matrix, a factor, a preconditioner, or two
//! closures ([`FromFn`]). [`cg`], [`minres`], [`bicgstab`] and [`gmres`] solve systems, [`eigsh`] finds eigenvalues of
//! symmetric operators, [`svds`] and [`randomized_svd`] singular values. Each loop has a limit and ends at
//! NaN, at an infinity, and when its caller says so.
//!
//! Results have the same bits for any number of threads.
//!
//! ```
//! use nexus_linalg::sparse::{Csr, Options, cg};
//!
//! // 2 -1  0
//! // -1 2 -1
//! // 0 -1  2
//! let (rows, columns) = ([0, 0, 1, 1, 1, 2, 2], [0, 1, 0, 1, 2, 1, 2]);
//! let values = [2.0_f64, -1.0, -1.0, 2.0, -1.0, -1.0, 2.0];
//! let a = Csr::<_, i32>::from_triplets((3, 3), &rows, &columns, &values)?;
//! let mut x = [0.0; 3];
//! let outcome = cg(&a.as_ref(), None, &[1.0, 0.0, 1.0], &mut x, &Options::default())?;
//! assert!(outcome.converged());
//! assert!(x.iter().all(|x| (x - 1.0).abs() < 1e-12));
//! # Ok::<(), nexus_linalg::Error>(())
//! ```

mod arithmetic;
mod bicgstab;
mod build;
mod cg;
mod columns;
mod csr;
mod eigsh;
mod factor;
mod gmres;
mod incomplete;
mod index;
mod iterate;
mod krylov;
mod minres;
mod operator;
mod product;
mod randomized;
mod reduce;
mod svds;
mod triangular;
mod vector;

pub use bicgstab::bicgstab;
pub use cg::cg;
pub use columns::{Csc, CscRef};
pub use csr::{Csr, CsrRef};
pub use eigsh::{EigenOptions, Which, eigsh, eigsh_near};
pub use factor::{Analysed, Analysis, Factor, FactorFault, Factored, Factorize, Method, Pattern};
pub use gmres::gmres;
pub use incomplete::{Ic0, Ilu0, Jacobi};
pub use index::Index;
pub use iterate::{Options, Outcome, Reason};
pub use minres::minres;
pub use operator::{FromFn, OnThreads, Operator, Stopped};
pub use randomized::{RandomizedOptions, randomized_svd};
pub use svds::svds;
