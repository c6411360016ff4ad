//! QR and singular values.

use crate::memory;
use crate::raw::{view, view_mut};
use faer::diag::DiagMut;
use faer::dyn_stack::MemStack;
use faer::linalg::householder;
use faer::linalg::qr::no_pivoting::factor as qr_factor;
use faer::linalg::svd::{self as faer_svd, ComputeSvdVectors, svd_scratch};
use faer::traits::ComplexField;
use faer::{Conj, Par, Spec};
use nexus_linalg::decompose::NoConvergence;
use nexus_linalg::workspace::Room;
use nexus_linalg::{Context, Field, MatMut, MatRef};

/// The factors of a complex matrix, on the calling thread.
pub(crate) fn qr<T: ComplexField + Field>(
    _: Context,
    a: MatRef<'_, T>,
    q: MatMut<'_, T>,
    r: MatMut<'_, T>,
) {
    let ((m, n), (_, k)) = (a.shape(), q.shape());
    let steps = m.min(n);
    let mut items = copied(view(a));
    let mut factors = matrix(&mut items, m);
    let coefficients = factor(factors.as_mut().subcols_mut(0, steps));
    let (vectors, rest) = factors.as_mut().split_at_col_mut(steps);
    let width = k.max(n - steps);
    let block = coefficients.len() / steps;
    let coefficients = faer::MatRef::from_column_major_slice(&coefficients, block, steps);
    let needed = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<T>(
        m, block, width,
    );
    let mut memory = memory(needed);
    let stack = MemStack::new(&mut memory);
    householder::apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj(
        vectors.as_ref(),
        coefficients,
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
        coefficients,
        Conj::No,
        q,
        Par::Seq,
        stack,
    );
}

/// The items of a matrix by columns.
fn copied<T: ComplexField + Field>(a: faer::MatRef<'_, T>) -> Room<T> {
    let mut items = Room::filled(T::default(), a.nrows() * a.ncols());
    matrix(&mut items, a.nrows()).copy_from(a);
    items
}

/// Columns of `m` items as a matrix.
fn matrix<T>(items: &mut [T], m: usize) -> faer::MatMut<'_, T> {
    let n = items.len() / m;
    faer::MatMut::from_column_major_slice_mut(items, m, n)
}

/// Makes a matrix with no more columns than rows a triangle with the vectors of reflections below it, and gives the
/// triangles that go with blocks of these, side by side.
pub(crate) fn factor<T: ComplexField + Field>(mut a: faer::MatMut<'_, T>) -> Room<T> {
    let (m, n) = a.shape();
    let block = qr_factor::recommended_block_size::<T>(m, n);
    let mut coefficients = Room::filled(T::default(), block * n);
    let params = Spec::default();
    let needed = qr_factor::qr_in_place_scratch::<T>(m, n, block, Par::Seq, params);
    let mut memory = memory(needed);
    let stack = MemStack::new(&mut memory);
    let mut original = copied(a.as_ref());
    let places = matrix(&mut coefficients, block);
    let info = qr_factor::qr_in_place(a.as_mut(), places, Par::Seq, stack, params);
    if info.rank == n {
        return coefficients;
    }
    // faer leaves out a column of which less than `16 m` roundings are left: of a graded matrix that may be one that
    // counts.
    a.copy_from(matrix(&mut original, m));
    factor_each(a)
}

/// The same with a reflection for each column, whatever is left of it.
fn factor_each<T: ComplexField + Field>(mut a: faer::MatMut<'_, T>) -> Room<T> {
    let n = a.ncols();
    let mut items = Room::filled(T::default(), n);
    let mut coefficients = matrix(&mut items, 1);
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
    items
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
