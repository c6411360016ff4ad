//! Numeric kernels: what an encoder needs beside GEMM, and the trait that GEMM stands behind.
//!
//! Each kernel is one generic algorithm over registers with a thin shell per instruction
//! set. The crate has no threads, no allocation and no I/O; callers bring the memory. It does not
//! choose threads or block sizes: `nexus-linalg` does.
//!
//! ```
//! use nexus_kernels::{Isa, softmax};
//!
//! let mut row = [1.0_f32, 2.0, 3.0];
//! softmax(Isa::detect(), &mut row, 1.0);
//! assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![expect(
    clippy::inline_always,
    reason = "a generic algorithm must be compiled inside the shell that enables its instructions"
)]

mod activation;
mod blocks;
mod exp;
mod gemm;
mod isa;
mod lanes;
mod matrix;
mod norm;
mod pool;
mod quantize;
mod reduce;
mod simd;
mod softmax;

pub use activation::{add_bias, bias_gelu, gelu};
pub use blocks::{
    BLOCK_LEN, BlockFormat, VectorGroup, block_dots, dequantize_block, quantize_block,
};
pub use gemm::{
    BrainPair, Cell, Dotted, Gemm, GemmPart, GemmParts, NaiveGemm, Narrow, Pair, Quad, Real, Small,
    gemm_parts, gemm_small, gemv_pair, narrow_parts,
};
pub use isa::Isa;
pub use matrix::{MatMut, MatRef, ViewError};
pub use norm::{add_bias_layer_norm, l2_normalize, layer_norm};
pub use pool::mean_pool;
pub use quantize::{quantize_row, scale_sums};
pub use reduce::{dot, sum};
pub use softmax::softmax;
