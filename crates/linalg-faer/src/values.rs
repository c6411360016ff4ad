//! Values without vectors: faer reduces a matrix to a condensed form, `nexus_linalg::condensed` does the rest.

use crate::memory;
use crate::raw::view;
use faer::linalg::evd::tridiag;
use faer::linalg::qr::no_pivoting::factor as qr;
use faer::linalg::svd::bidiag;
use faer::traits::ComplexField;
use faer::{Mat, Par, Spec};
use nexus_linalg::decompose::NoConvergence;
use nexus_linalg::{Field, Float, MatRef, condensed};

/// The eigenvalues of a Hermitian matrix of which the lower triangle is read, ascending.
pub(crate) fn eigenvalues<T: ComplexField + Field>(
    a: MatRef<'_, T>,
    values: &mut [<T as Field>::Real],
) -> Result<(), NoConvergence> {
    let n = values.len();
    let mut reduced = Mat::<T>::zeros(n, n);
    reduced.copy_from_triangular_lower(view(a));
    let mut coefficients = Mat::<T>::zeros(1, n - 1);
    let params = Spec::default();
    let mut memory = memory(tridiag::tridiag_in_place_scratch::<T>(n, Par::Seq, params));
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
    condensed::eigenvalues(&mut diagonal, &mut beside)?;
    write(&diagonal, values);
    Ok(())
}

/// The singular values, descending.
pub(crate) fn singular_values<T: ComplexField + Field>(
    a: MatRef<'_, T>,
    values: &mut [<T as Field>::Real],
) -> Result<(), NoConvergence> {
    let (m, n) = a.shape();
    if m < n {
        return singular_values(a.transpose(), values);
    }
    let mut reduced = view(a).to_owned();
    // Triangular first where that is less work: G. H. Golub and C. F. Van Loan, "Matrix Computations" (2013), 8.6.3.
    if 6 * m > 11 * n {
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
fn triangle<T: ComplexField>(mut a: Mat<T>) -> Mat<T> {
    let (m, n) = a.shape();
    let block = qr::recommended_block_size::<T>(m, n);
    let mut coefficients = Mat::<T>::zeros(block, n);
    let params = Spec::default();
    let mut memory = memory(qr::qr_in_place_scratch::<T>(m, n, block, Par::Seq, params));
    let stack = faer::dyn_stack::MemStack::new(&mut memory);
    qr::qr_in_place(a.as_mut(), coefficients.as_mut(), Par::Seq, stack, params);
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
