//! Linear algebra on strided views.
//!
//! Matrix multiplication stands behind the trait [`Gemm`]; the [`engine`] module puts the blocked product of
//! `nexus-kernels` behind it. [`Context`] says how many threads a call may use. [`dense`] solves systems,
//! inverts and factors by elimination and Cholesky; [`decompose`] has QR, singular values and eigenvalues by
//! an engine that implements [`decompose::Decompose`] (`nexus-linalg-faer` is one); [`norm`] has norms; [`sparse`]
//! has sparse matrices, iterative solvers, and some eigenvalues and singular values. The kernels that are not
//! linear algebra (softmax, layer norm, GELU, pooling) are in `nexus-kernels` and re-exported here as [`kernels`].
//!
//! Operations take real and complex items: what they need of a number is [`Field`], or [`Float`] where only
//! `f32` and `f64` make sense.
//!
//! ```
//! use nexus_linalg::{Context, MatMut, MatRef};
//!
//! let (a, b) = ([1.0_f32, 2.0, 3.0, 4.0], [0.0_f32, 1.0, 1.0, 0.0]);
//! let mut c = [0.0_f32; 4];
//! let view = |data| MatRef::new(data, 2, 2);
//! Context::default().matmul(view(&a)?, view(&b)?, MatMut::new(&mut c, 2, 2)?)?;
//! assert_eq!(c, [2.0, 1.0, 4.0, 3.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod complex;
pub mod condensed;
mod context;
pub mod decompose;
pub mod dense;
pub mod engine;
mod error;
mod field;
mod float;
pub mod functions;
mod narrow;
pub mod norm;
mod pool;
pub mod products;
mod quantized;
mod scan;
pub mod sparse;
pub mod stack;
pub mod tensor;
pub mod workspace;

pub use context::Context;
pub use engine::Scalar;
pub use error::{Error, ErrorKind};
pub use field::{Conj, Field};
pub use float::Float;
pub use narrow::{Integer, Widen};
pub use nexus_kernels as kernels;
pub use nexus_kernels::{Gemm, Isa, MatMut, MatRef, ViewError};
pub use num_complex::{self, Complex};
pub use quantized::QMatrix;
pub use workspace::Workspace;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/linalg.md")]
struct Docs;
