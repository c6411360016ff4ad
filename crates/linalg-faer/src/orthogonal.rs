//! QR and singular values.

use crate::memory;
use crate::raw::{view, view_mut};
use faer::diag::DiagMut;
use faer::dyn_stack::MemStack;
use faer::linalg::householder;
use faer::linalg::qr::no_pivoting::factor as qr_factor;
use faer::linalg::svd::{self as faer_svd, ComputeSvdVectors, svd_scratch};
use faer::traits::ComplexField;
use faer::{Conj, Mat, Par, Spec};
use nexus_linalg::decompose::NoConvergence;
use nexus_linalg::{Field, MatMut, MatRef};

pub(crate) fn qr<T: ComplexField + Field>(a: MatRef<'_, T>, q: MatMut<'_, T>, r: MatMut<'_, T>) {
    let ((m, n), (_, k)) = (a.shape(), q.shape());
    let mut factors = view(a).to_owned();
    let block = qr_factor::recommended_block_size::<T>(m, n);
    let mut coefficients = Mat::<T>::zeros(block, m.min(n));
    let factor = qr_factor::qr_in_place_scratch::<T>(m, n, block, Par::Seq, Spec::default());
    let apply = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<T>(
        m, block, k,
    );
    let mut memory = memory(factor.or(apply));
    let stack = MemStack::new(&mut memory);
    qr_factor::qr_in_place(
        factors.as_mut(),
        coefficients.as_mut(),
        Par::Seq,
        stack,
        Spec::default(),
    );
    let mut r = view_mut(r);
    for j in 0..n {
        for i in 0..r.nrows() {
            r[(i, j)] = if i <= j {
                factors[(i, j)]
            } else {
                T::default()
            };
        }
    }
    let mut q = view_mut(q);
    q.fill(T::default());
    q.as_mut().diagonal_mut().fill(<T as Field>::ONE);
    householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
        factors.as_ref().subcols(0, m.min(n)),
        coefficients.as_ref(),
        Conj::No,
        q,
        Par::Seq,
        stack,
    );
}

pub(crate) fn svd<T: ComplexField + Field>(
    a: MatRef<'_, T>,
    values: &mut [T],
    vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
) -> Result<(), NoConvergence> {
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
        vectors.fill(T::default());
        vectors
    };
    let needed = svd_scratch::<T>(m, n, compute, compute, Par::Seq, Spec::default());
    faer_svd::svd(
        view(a),
        DiagMut::from_slice_mut(values),
        u.map(zeros),
        v.map(zeros),
        Par::Seq,
        MemStack::new(&mut memory(needed)),
        Spec::default(),
    )
    .map_err(|_| NoConvergence)
}
