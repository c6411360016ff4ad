//! Eigenvalues.

use crate::memory;
use crate::raw::{view, view_mut};
use faer::diag::DiagMut;
use faer::dyn_stack::MemStack;
use faer::linalg::evd::{
    ComputeEigenvectors, evd_cplx, evd_real, evd_scratch, self_adjoint_evd,
    self_adjoint_evd_scratch,
};
use faer::traits::{ComplexField, RealField};
use faer::{Mat, Par, Spec};
use nexus_linalg::decompose::NoConvergence;
use nexus_linalg::{Complex, Context, Field, MatMut, MatRef, condensed};

pub(crate) fn eigh<T: ComplexField + Copy>(
    a: MatRef<'_, T>,
    values: &mut [T],
    vectors: Option<MatMut<'_, T>>,
) -> Result<(), NoConvergence> {
    let compute = compute(vectors.is_some());
    let needed = self_adjoint_evd_scratch::<T>(values.len(), compute, Par::Seq, Spec::default());
    self_adjoint_evd(
        view(a),
        DiagMut::from_slice_mut(values),
        vectors.map(view_mut),
        Par::Seq,
        MemStack::new(&mut memory(needed)),
        Spec::default(),
    )
    .map_err(|_| NoConvergence)
}

/// The order up to which the iteration with two shifts is quicker than faer's, which has many.
const TWO_SHIFTS_MAX: usize = 200;

pub(crate) fn eig_real<R: RealField + condensed::Item>(
    context: Context,
    a: MatRef<'_, R>,
    values: &mut [Complex<R>],
    mut vectors: Option<MatMut<'_, Complex<R>>>,
) -> Result<(), NoConvergence> {
    let n = values.len();
    if n <= TWO_SHIFTS_MAX {
        let own = vectors.as_mut().map(MatMut::reborrow);
        if condensed::eig(context, a, values, own).is_ok() {
            return Ok(());
        }
    }
    let (right, left) = (compute(vectors.is_some()), ComputeEigenvectors::No);
    let needed = evd_scratch::<R>(n, left, right, Par::Seq, Spec::default());
    // faer does not say which values it has not found.
    let (mut re, mut im) = (vec![<R as Field>::NAN; n], vec![<R as Field>::NAN; n]);
    let mut parts = vectors.as_ref().map(|_| Mat::<R>::zeros(n, n));
    evd_real(
        view(a),
        DiagMut::from_slice_mut(&mut re),
        DiagMut::from_slice_mut(&mut im),
        None,
        parts.as_mut().map(Mat::as_mut),
        Par::Seq,
        MemStack::new(&mut memory(needed)),
        Spec::default(),
    )
    .map_err(|_| NoConvergence)?;
    for (value, (&re, &im)) in values.iter_mut().zip(re.iter().zip(&im)) {
        *value = Complex::new(re, im);
    }
    if let (Some(vectors), Some(parts)) = (vectors, parts) {
        unpack(&im, &parts, vectors);
    }
    Ok(())
}

/// Of a conjugate pair, faer writes the real and the imaginary part of the first one's vector.
fn unpack<R: RealField + condensed::Item>(
    im: &[R],
    parts: &Mat<R>,
    mut vectors: MatMut<'_, Complex<R>>,
) {
    let (n, zero) = (im.len(), R::default());
    let mut j = 0;
    while j < n {
        let is_pair = im[j] != zero && j + 1 < n;
        for i in 0..n {
            let re = parts[(i, j)];
            if is_pair {
                let im = parts[(i, j + 1)];
                *vectors.item(i, j) = Complex::new(re, im);
                *vectors.item(i, j + 1) = Complex::new(re, -im);
            } else {
                *vectors.item(i, j) = Complex::new(re, zero);
            }
        }
        j += if is_pair { 2 } else { 1 };
    }
}

pub(crate) fn eig_complex<R: RealField + Copy>(
    _: Context,
    a: MatRef<'_, Complex<R>>,
    values: &mut [Complex<R>],
    vectors: Option<MatMut<'_, Complex<R>>>,
) -> Result<(), NoConvergence> {
    let (right, left) = (compute(vectors.is_some()), ComputeEigenvectors::No);
    let needed = evd_scratch::<Complex<R>>(values.len(), left, right, Par::Seq, Spec::default());
    evd_cplx(
        view(a),
        DiagMut::from_slice_mut(values),
        None,
        vectors.map(view_mut),
        Par::Seq,
        MemStack::new(&mut memory(needed)),
        Spec::default(),
    )
    .map_err(|_| NoConvergence)
}

fn compute(vectors: bool) -> ComputeEigenvectors {
    if vectors {
        ComputeEigenvectors::Yes
    } else {
        ComputeEigenvectors::No
    }
}
