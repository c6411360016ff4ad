//! Decompositions for `nexus-linalg`: QR, singular values, eigenvalues, of real matrices by [`condensed`]; by [faer]
//! those of complex matrices, eigenvalues of large ones that are not symmetric, and factors of sparse matrices.
//!
//! The crate is [`Faer`], which implements [`Decompose`] and [`Factorize`], and nothing else: what a matrix may
//! hold, how vectors are signed and how results are named is decided in `nexus-linalg`, once for every engine.
//! What faer does runs on the calling thread; the bits of a result depend on the operand and the instructions alone.
//!
//! ```
//! use nexus_linalg::{Context, MatRef, decompose};
//! use nexus_linalg_faer::Faer;
//!
//! let a = [2.0, 1.0, 1.0, 2.0];
//! let mut values = [0.0; 2];
//! decompose::eigh(Context::default(), &Faer, MatRef::new(&a, 2, 2)?, &mut values, None)?;
//! assert!((values[0] - 1.0_f64).abs() < 1e-15 && (values[1] - 3.0).abs() < 1e-15);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A sparse system, whose pattern is analysed once:
//!
//! ```
//! use nexus_linalg::MatMut;
//! use nexus_linalg::sparse::{Analysis, Csc, Method};
//! use nexus_linalg_faer::Faer;
//!
//! let (rows, columns) = ([0, 1, 0, 1], [0, 0, 1, 1]);
//! let mut a = Csc::<_, i32>::from_triplets((2, 2), &rows, &columns, &[2.0_f64, 1.0, 1.0, 3.0])?;
//! let analysis = Analysis::new(&Faer, Method::Cholesky, a.as_ref())?;
//! let mut x = [3.0, 5.0];
//! analysis.factor(a.as_ref())?.solve(MatMut::new(&mut x, 2, 1)?)?;
//! assert!((x[0] - 0.8).abs() < 1e-15 && (x[1] - 1.4).abs() < 1e-15);
//! a.values_mut()[0] = -1.0;
//! assert!(analysis.factor(a.as_ref()).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Factorize`]: nexus_linalg::sparse::Factorize
//! [faer]: https://docs.rs/faer

mod eigen;
mod orthogonal;
mod raw;
mod sparse;
mod values;

use faer::dyn_stack::StackReq;
use nexus_linalg::decompose::{Decompose, NoConvergence};
use nexus_linalg::workspace::Room;
use nexus_linalg::{Complex, Context, MatMut, MatRef, condensed};
use std::mem::MaybeUninit;

/// faer 0.24 on the calling thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faer;

macro_rules! decompose {
    ($type:ty, $real:ty, $values:path, $eig:path, $hermitian:path, $singular:path, $qr:path) => {
        impl Decompose<$type> for Faer {
            fn qr(
                &self,
                context: Context,
                a: MatRef<'_, $type>,
                q: MatMut<'_, $type>,
                r: MatMut<'_, $type>,
            ) {
                $qr(context, a, q, r);
            }

            fn svd(
                &self,
                context: Context,
                a: MatRef<'_, $type>,
                values: &mut [$real],
                mut vectors: Option<(MatMut<'_, $type>, MatMut<'_, $type>)>,
            ) -> Result<(), NoConvergence> {
                let own = vectors.as_mut().map(|(u, v)| (u.reborrow(), v.reborrow()));
                // Where the quick way does not end, faer's own may.
                if $singular(context, a, values, own).is_ok() {
                    return Ok(());
                }
                $values(values, |values| orthogonal::svd(a, values, vectors))
            }

            fn eigh(
                &self,
                context: Context,
                a: MatRef<'_, $type>,
                values: &mut [$real],
                mut vectors: Option<MatMut<'_, $type>>,
            ) -> Result<(), NoConvergence> {
                let own = vectors.as_mut().map(MatMut::reborrow);
                if $hermitian(context, a, values, own).is_ok() {
                    return Ok(());
                }
                $values(values, |values| eigen::eigh(a, values, vectors))
            }

            fn eig(
                &self,
                context: Context,
                a: MatRef<'_, $type>,
                values: &mut [Complex<$real>],
                vectors: Option<MatMut<'_, Complex<$real>>>,
            ) -> Result<(), NoConvergence> {
                $eig(context, a, values, vectors)
            }
        }
    };
}

decompose!(
    f32,
    f32,
    as_they_are,
    eigen::eig_real,
    condensed::eigh,
    condensed::svd,
    real_qr
);
decompose!(
    f64,
    f64,
    as_they_are,
    eigen::eig_real,
    condensed::eigh,
    condensed::svd,
    real_qr
);
decompose!(
    Complex<f32>,
    f32,
    as_complex,
    eigen::eig_complex,
    values::eigh,
    values::svd,
    orthogonal::qr
);
decompose!(
    Complex<f64>,
    f64,
    as_complex,
    eigen::eig_complex,
    values::eigh,
    values::svd,
    orthogonal::qr
);

fn real_qr<T: condensed::Item>(
    context: Context,
    a: MatRef<'_, T>,
    q: MatMut<'_, T>,
    r: MatMut<'_, T>,
) {
    condensed::qr(context, a, Some(q), r);
}

fn as_they_are<R>(
    values: &mut [R],
    work: impl FnOnce(&mut [R]) -> Result<(), NoConvergence>,
) -> Result<(), NoConvergence> {
    work(values)
}

/// faer writes the real values of a complex matrix as complex numbers.
fn as_complex<R: Copy + Default>(
    values: &mut [R],
    work: impl FnOnce(&mut [Complex<R>]) -> Result<(), NoConvergence>,
) -> Result<(), NoConvergence> {
    let mut found = vec![Complex::default(); values.len()];
    work(&mut found)?;
    for (value, found) in values.iter_mut().zip(found) {
        *value = found.re;
    }
    Ok(())
}

/// Room for what faer asks for, and for the padding between its parts, which the request for the singular
/// vectors of tall matrices leaves out.
fn memory(needed: StackReq) -> Room<MaybeUninit<u8>> {
    const PADDING: usize = 1024;
    let needed = needed.and(StackReq::new::<u8>(PADDING));
    Room::filled(MaybeUninit::uninit(), needed.unaligned_bytes_required())
}
