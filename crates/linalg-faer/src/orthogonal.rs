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
    let steps = m.min(n);
    let mut factors = view(a).to_owned();
    let coefficients = factor(factors.as_mut().subcols_mut(0, steps));
    let (vectors, rest) = factors.as_mut().split_at_col_mut(steps);
    let width = k.max(n - steps);
    let block = coefficients.nrows();
    let needed = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<T>(
        m, block, width,
    );
    let mut memory = memory(needed);
    let stack = MemStack::new(&mut memory);
    householder::apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj(
        vectors.as_ref(),
        coefficients.as_ref(),
        Conj::Yes,
        rest,
        Par::Seq,
        stack,
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
        factors.as_ref().subcols(0, steps),
        coefficients.as_ref(),
        Conj::No,
        q,
        Par::Seq,
        stack,
    );
}

/// Makes a matrix with no more columns than rows a triangle with the vectors of reflections below it, and gives the
/// triangles that go with blocks of these.
pub(crate) fn factor<T: ComplexField + Field>(mut a: faer::MatMut<'_, T>) -> Mat<T> {
    let (m, n) = a.shape();
    let block = qr_factor::recommended_block_size::<T>(m, n);
    let mut coefficients = Mat::<T>::zeros(block, n);
    let params = Spec::default();
    let needed = qr_factor::qr_in_place_scratch::<T>(m, n, block, Par::Seq, params);
    let mut memory = memory(needed);
    let stack = MemStack::new(&mut memory);
    let original = a.to_owned();
    let info = qr_factor::qr_in_place(a.as_mut(), coefficients.as_mut(), Par::Seq, stack, params);
    if info.rank == n {
        return coefficients;
    }
    // faer leaves out a column of which less than `16 m` roundings are left: of a graded matrix that may be one that
    // counts.
    a.copy_from(&original);
    factor_each(a)
}

/// The same with a reflection for each column, whatever is left of it.
fn factor_each<T: ComplexField + Field>(mut a: faer::MatMut<'_, T>) -> Mat<T> {
    let n = a.ncols();
    let mut coefficients = Mat::<T>::zeros(1, n);
    let needed = householder::apply_block_householder_transpose_on_the_left_in_place_scratch::<T>(
        a.nrows(),
        1,
        n,
    );
    let mut memory = memory(needed);
    let stack = MemStack::new(&mut memory);
    for j in 0..n {
        let (mut left, right) = a.as_mut().get_mut(j.., j..).split_at_col_mut(1);
        let (mut head, tail) = left.as_mut().split_at_row_mut(1);
        let info = householder::make_householder_in_place(&mut head[(0, 0)], tail.col_mut(0));
        coefficients[(0, j)] = T::from_real_impl(&info.tau);
        householder::apply_block_householder_transpose_on_the_left_in_place_with_conj(
            left.as_ref(),
            coefficients.as_ref().subcols(j, 1),
            Conj::Yes,
            right,
            Par::Seq,
            stack,
        );
    }
    coefficients
}

pub(crate) fn svd<T: ComplexField + Field>(
    a: MatRef<'_, T>,
    values: &mut [T],
    vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
) -> Result<(), NoConvergence> {
    let (m, n) = a.shape();
    if m < n {
        // `a^T = conj(v) values u^T`. faer asks for too little memory where it turns a matrix itself.
        let Some((mut u, mut v)) = vectors else {
            return svd(a.transpose(), values, None);
        };
        svd(a.transpose(), values, Some((v.reborrow(), u.reborrow())))?;
        if T::IS_COMPLEX {
            conjugate(&mut u);
            conjugate(&mut v);
        }
        return Ok(());
    }
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

fn conjugate<T: Field>(a: &mut MatMut<'_, T>) {
    let (m, n) = a.shape();
    for i in 0..m {
        for j in 0..n {
            let item = a.item(i, j);
            *item = item.conj();
        }
    }
}
