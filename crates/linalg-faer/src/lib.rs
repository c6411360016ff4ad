//! Decompositions for `nexus-linalg` by [faer]: QR, singular values, eigenvalues.
//!
//! The crate is [`Faer`], which implements [`Decompose`], and nothing else: what a matrix may hold, how vectors
//! are signed and how results are named is decided in `nexus-linalg`, once for every engine. Calls run on the
//! calling thread, so the bits of a result depend on the operand alone.
//!
//! ```
//! use nexus_linalg::{MatRef, decompose};
//! use nexus_linalg_faer::Faer;
//!
//! let a = [2.0, 1.0, 1.0, 2.0];
//! let mut values = [0.0; 2];
//! decompose::eigh(&Faer, MatRef::new(&a, 2, 2)?, &mut values, None)?;
//! assert!((values[0] - 1.0_f64).abs() < 1e-15 && (values[1] - 3.0).abs() < 1e-15);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [faer]: https://docs.rs/faer

mod raw;
mod values;

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::evd::{
    ComputeEigenvectors, evd_real, evd_scratch, self_adjoint_evd, self_adjoint_evd_scratch,
};
use faer::linalg::householder;
use faer::linalg::qr::no_pivoting::factor as qr;
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Conj, Mat, Par};
use nexus_linalg::decompose::{Decompose, NoConvergence};
use nexus_linalg::{MatMut, MatRef};
use raw::{view, view_mut};

/// faer 0.24 on the calling thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faer;

macro_rules! decompose {
    ($type:ident) => {
        impl Decompose<$type> for Faer {
            fn qr(&self, a: MatRef<'_, $type>, mut q: MatMut<'_, $type>, r: MatMut<'_, $type>) {
                let ((m, n), (_, k)) = (a.shape(), q.shape());
                let mut factors = view(a).to_owned();
                let block = qr::recommended_block_size::<$type>(m, n);
                let mut coefficients = Mat::<$type>::zeros(block, m.min(n));
                let needed = qr::qr_in_place_scratch::<$type>(
                    m,
                    n,
                    block,
                    Par::Seq,
                    Default::default(),
                )
                .or(
                    householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<
                        $type,
                    >(m, block, k),
                );
                let mut memory = memory(needed);
                let stack = MemStack::new(&mut memory);
                qr::qr_in_place(
                    factors.as_mut(),
                    coefficients.as_mut(),
                    Par::Seq,
                    stack,
                    Default::default(),
                );
                let mut r = view_mut(r);
                for j in 0..n {
                    for i in 0..r.nrows() {
                        r[(i, j)] = if i <= j { factors[(i, j)] } else { 0.0 };
                    }
                }
                let mut q = view_mut(q.reborrow());
                q.fill(0.0);
                q.as_mut().diagonal_mut().fill(1.0);
                householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
                    factors.as_ref().subcols(0, m.min(n)),
                    coefficients.as_ref(),
                    Conj::No,
                    q,
                    Par::Seq,
                    stack,
                );
            }

            fn svd(
                &self,
                a: MatRef<'_, $type>,
                values: &mut [$type],
                vectors: Option<(MatMut<'_, $type>, MatMut<'_, $type>)>,
            ) -> Result<(), NoConvergence> {
                // Where the quick way does not end, faer's own may.
                if vectors.is_none() && values::singular_values(a, values).is_ok() {
                    return Ok(());
                }
                let (m, n) = a.shape();
                let (u, v) = vectors.unzip();
                let compute = match &u {
                    None => ComputeSvdVectors::No,
                    Some(u) if u.shape().1 == m.min(n) => ComputeSvdVectors::Thin,
                    Some(_) => ComputeSvdVectors::Full,
                };
                // faer writes the blocks that are not zero.
                let zeros = |vectors| {
                    let mut vectors = view_mut(vectors);
                    vectors.fill(0.0);
                    vectors
                };
                let needed =
                    svd_scratch::<$type>(m, n, compute, compute, Par::Seq, Default::default());
                svd(
                    view(a),
                    DiagMut::from_slice_mut(values),
                    u.map(zeros),
                    v.map(zeros),
                    Par::Seq,
                    MemStack::new(&mut memory(needed)),
                    Default::default(),
                )
                .map_err(|_| NoConvergence)
            }

            fn eigh(
                &self,
                a: MatRef<'_, $type>,
                values: &mut [$type],
                vectors: Option<MatMut<'_, $type>>,
            ) -> Result<(), NoConvergence> {
                if vectors.is_none() && values::eigenvalues(a, values).is_ok() {
                    return Ok(());
                }
                let compute = compute(vectors.is_some());
                let needed = self_adjoint_evd_scratch::<$type>(
                    values.len(),
                    compute,
                    Par::Seq,
                    Default::default(),
                );
                self_adjoint_evd(
                    view(a),
                    DiagMut::from_slice_mut(values),
                    vectors.map(view_mut),
                    Par::Seq,
                    MemStack::new(&mut memory(needed)),
                    Default::default(),
                )
                .map_err(|_| NoConvergence)
            }

            fn eig(
                &self,
                a: MatRef<'_, $type>,
                (real, imaginary): (&mut [$type], &mut [$type]),
                vectors: Option<MatMut<'_, $type>>,
            ) -> Result<(), NoConvergence> {
                let right = compute(vectors.is_some());
                let left = ComputeEigenvectors::No;
                let needed =
                    evd_scratch::<$type>(real.len(), left, right, Par::Seq, Default::default());
                evd_real(
                    view(a),
                    DiagMut::from_slice_mut(real),
                    DiagMut::from_slice_mut(imaginary),
                    None,
                    vectors.map(view_mut),
                    Par::Seq,
                    MemStack::new(&mut memory(needed)),
                    Default::default(),
                )
                .map_err(|_| NoConvergence)
            }
        }
    };
}

decompose!(f32);
decompose!(f64);

/// Room for what faer asks for, and for the padding between its parts, which the request for the singular
/// vectors of tall matrices leaves out.
fn memory(needed: StackReq) -> MemBuffer {
    const PADDING: usize = 1024;
    MemBuffer::new(needed.and(StackReq::new::<u8>(PADDING)))
}

fn compute(vectors: bool) -> ComputeEigenvectors {
    if vectors {
        ComputeEigenvectors::Yes
    } else {
        ComputeEigenvectors::No
    }
}
