//! Condensed forms of complex and of tall matrices by faer; `nexus_linalg::condensed` does the rest.

use crate::memory;
use crate::orthogonal;
use crate::raw::{view, view_mut};
use faer::linalg::evd::tridiag;
use faer::linalg::householder;
use faer::linalg::qr::no_pivoting::factor as qr;
use faer::linalg::svd::bidiag;
use faer::traits::ComplexField;
use faer::{Conj, Mat, Par, Spec};
use nexus_linalg::decompose::NoConvergence;
use nexus_linalg::{Context, Field, Float, MatMut, MatRef, condensed};

/// The eigenvalues of a Hermitian matrix of which the lower triangle is read, ascending, and its eigenvectors.
pub(crate) fn eigh<R, T>(
    context: Context,
    a: MatRef<'_, T>,
    values: &mut [R],
    vectors: Option<MatMut<'_, T>>,
) -> Result<(), NoConvergence>
where
    R: Float,
    T: ComplexField + Field<Real = R>,
{
    let n = values.len();
    let mut reduced = Mat::<T>::zeros(n, n);
    reduced.copy_from_triangular_lower(view(a));
    let block = if vectors.is_some() {
        qr::recommended_block_size::<T>(n, n)
    } else {
        1
    };
    let mut coefficients = Mat::<T>::zeros(block, n - 1);
    let params = Spec::default();
    let needed = tridiag::tridiag_in_place_scratch::<T>(n, Par::Seq, params).or(
        householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<T>(
            n - 1,
            block,
            n,
        ),
    );
    let mut memory = memory(needed);
    let stack = faer::dyn_stack::MemStack::new(&mut memory);
    tridiag::tridiag_in_place(
        reduced.as_mut(),
        coefficients.as_mut(),
        Par::Seq,
        stack,
        params,
    );
    let diagonal = (0..n).map(|i| reduced[(i, i)].re().to_f64());
    let (mut diagonal, mut beside) = (
        diagonal.collect::<Vec<_>>(),
        sizes(n, |i| reduced[(i + 1, i)]),
    );
    let Some(vectors) = vectors else {
        condensed::eigenvalues(&mut diagonal, &mut beside)?;
        write(&diagonal, values);
        return Ok(());
    };
    let mut found = vec![0.0; n * n];
    condensed::eigenvectors(context, &mut diagonal, &mut beside, &mut found)?;
    write(&diagonal, values);
    let mut vectors = view_mut(vectors);
    let mut phase = <T as Field>::ONE;
    for i in 0..n {
        if i > 0 {
            phase = turned(phase, reduced[(i, i - 1)]);
        }
        for j in 0..n {
            vectors[(i, j)] = phase.scale(R::from_f64(found[j * n + i]));
        }
    }
    householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
        reduced.as_ref().submatrix(1, 0, n - 1, n - 1),
        coefficients.as_ref(),
        Conj::No,
        vectors.subrows_mut(1, n - 1),
        Par::Seq,
        stack,
    );
    Ok(())
}

/// A phase times that of an item.
fn turned<T: Field>(phase: T, item: T) -> T {
    let size = item.abs();
    if size == T::Real::default() {
        return <T as Field>::ONE;
    }
    item.shrink(size) * phase
}

/// Where less work is to make a matrix triangular first: G. H. Golub and C. F. Van Loan, "Matrix Computations"
/// (2013), 8.6.3.
fn is_tall(m: usize, n: usize) -> bool {
    6 * m > 11 * n
}

/// The singular values of a complex matrix, descending, on the calling thread; with vectors they are faer's own.
#[expect(
    clippy::needless_pass_by_value,
    reason = "called in one place with that of real matrices"
)]
pub(crate) fn svd<T: ComplexField + Field>(
    _: Context,
    a: MatRef<'_, T>,
    values: &mut [<T as Field>::Real],
    vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
) -> Result<(), NoConvergence> {
    if vectors.is_some() {
        return Err(NoConvergence);
    }
    let a = if a.shape().0 < a.shape().1 {
        a.transpose()
    } else {
        a
    };
    let (m, n) = a.shape();
    let mut reduced = view(a).to_owned();
    if is_tall(m, n) {
        reduced = triangle(reduced);
    }
    let rows = reduced.nrows();
    let mut left = Mat::<T>::zeros(1, n);
    let mut right = Mat::<T>::zeros(1, n - 1);
    let params = Spec::default();
    let mut memory = memory(bidiag::bidiag_in_place_scratch::<T>(
        rows,
        n,
        Par::Seq,
        params,
    ));
    let stack = faer::dyn_stack::MemStack::new(&mut memory);
    bidiag::bidiag_in_place(
        reduced.as_mut(),
        left.as_mut(),
        right.as_mut(),
        Par::Seq,
        stack,
        params,
    );
    let mut diagonal = sizes(n + 1, |i| reduced[(i, i)]);
    let mut above = sizes(n, |i| reduced[(i, i + 1)]);
    condensed::singular_values(&mut diagonal, &mut above)?;
    write(&diagonal, values);
    Ok(())
}

/// The triangular factor of a tall matrix.
fn triangle<T: ComplexField + Field>(mut a: Mat<T>) -> Mat<T> {
    let n = a.ncols();
    orthogonal::factor(a.as_mut());
    let mut triangle = Mat::<T>::zeros(n, n);
    triangle.copy_from_triangular_upper(a.get(..n, ..));
    triangle
}

/// The absolute values of all items but the last: of condensed forms they alone count.
fn sizes<T: Field>(n: usize, item: impl Fn(usize) -> T) -> Vec<f64> {
    (0..n - 1).map(|i| item(i).abs().to_f64()).collect()
}

fn write<T: Float>(from: &[f64], to: &mut [T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = T::from_f64(from);
    }
}
