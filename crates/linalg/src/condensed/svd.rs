//! Singular values and vectors of real matrices, by way of bidiagonal ones.

use super::rectangular::{Bidiagonal, Reflectors};
use super::reflector::apply;
use super::simd::Item;
use super::{banded, qr, singular_values, singular_vectors};
use crate::decompose::NoConvergence;
use crate::dense::copy_into;
use crate::workspace::Room;
use crate::{Context, MatMut, MatRef};

/// Order from which values alone are found by way of a banded matrix: that costs more operations, most of them in
/// products, which do not wait for memory.
const BANDED_MIN: usize = 1024;

/// The singular values of a matrix, descending and not negative, and where there is room for them the vectors by
/// columns: all `m` and `n`, or as many as there are values. Numbers are finite and far from overflow.
///
/// Costs about `2 m n^2 - 2/3 n^3` multiplications and as many additions for `m x n` items where `m` is not less
/// than `n`, and one copy; with vectors at most `14/3 n^3 + 2 m n^2` more, and memory for nine matrices. The bits do not
/// depend on the threads of `context`.
///
/// # Errors
/// When an iteration does not end within its limit.
///
/// # Panics
/// When shapes do not fit.
pub fn svd<T: Item>(
    context: Context,
    a: MatRef<'_, T>,
    values: &mut [T],
    vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
) -> Result<(), NoConvergence> {
    let (m, n) = a.shape();
    if m < n {
        return svd(context, a.transpose(), values, vectors.map(|(u, v)| (v, u)));
    }
    if is_tall(m, n) {
        return by_triangle(context, a, values, vectors);
    }
    let Some((u, v)) = vectors else {
        let (mut diagonal, mut above) = if n >= BANDED_MIN {
            banded::rectangular(context, a).condensed(context.isa())
        } else {
            let found = Bidiagonal::of(context, a);
            (found.diagonal, found.above)
        };
        singular_values(&mut diagonal, &mut above)?;
        write(&diagonal, values);
        return Ok(());
    };
    let mut found = Bidiagonal::of(context, a);
    let (mut left, mut right) = (Room::filled(0.0, n * n), Room::filled(0.0, n * n));
    let (diagonal, above) = (&mut found.diagonal, &mut found.above);
    singular_vectors(context, diagonal, above, (&mut left, &mut right))?;
    write(diagonal, values);
    back(context, (&left, n), (&found.left, 0), u);
    back(context, (&right, n), (&found.right, 1), v);
    Ok(())
}

/// Where less work is to make a matrix triangular first: G. H. Golub and C. F. Van Loan, "Matrix Computations"
/// (2013), 8.6.3.
fn is_tall(m: usize, n: usize) -> bool {
    6 * m > 11 * n
}

fn by_triangle<T: Item>(
    context: Context,
    a: MatRef<'_, T>,
    values: &mut [T],
    vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
) -> Result<(), NoConvergence> {
    let (m, n) = a.shape();
    let mut triangle = Room::filled(T::default(), n * n);
    let Some((mut u, v)) = vectors else {
        let mut r = MatMut::new(&mut triangle, n, n).expect("n times n items");
        qr(context, a, None, r.reborrow());
        return svd(context, r.as_ref(), values, None);
    };
    let width = u.shape().1;
    let mut all = Room::filled(T::default(), m * width);
    let mut q = MatMut::new(&mut all, m, width).expect("m rows");
    let mut rows = Room::filled(T::default(), width * n);
    let mut r = MatMut::new(&mut rows, width, n).expect("n columns");
    qr(context, a, Some(q.reborrow()), r.reborrow());
    let mut inner = MatMut::new(&mut triangle, n, n).expect("n times n items");
    let r = r.as_ref().block(0..n, 0..n);
    svd(context, r, values, Some((inner.reborrow(), v)))?;
    let (own, others) = (
        q.as_ref().block(0..m, 0..n),
        q.as_ref().block(0..m, n..width),
    );
    copy_into(others, u.reborrow().block(0..m, n..width));
    let u = u.block(0..m, 0..n);
    context.gemm(T::ONE, own, inner.as_ref(), T::default(), u);
    Ok(())
}

/// The vectors of a matrix, by columns, from rows of those of its bidiagonal form and the reflectors of one side.
fn back<T: Item>(
    context: Context,
    (found, n): (&[f64], usize),
    (reflectors, skip): (&Reflectors<T>, usize),
    to: MatMut<'_, T>,
) {
    let (len, count) = to.shape();
    let mut rows = Room::filled(T::default(), count * len);
    for (to, from) in rows.chunks_exact_mut(len).zip(found.chunks_exact(n)) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = T::from_f64(from);
        }
    }
    for i in n..count {
        rows[i * len + i] = T::ONE;
    }
    let mut view = MatMut::new(&mut rows, count, len).expect("rows of vectors");
    let vectors = MatRef::new(&reflectors.vectors, reflectors.taus.len(), len);
    let vectors = vectors.expect("as many vectors as reflectors");
    apply(context, (vectors, &reflectors.taus, skip), view.reborrow());
    copy_into(view.as_ref(), to.transpose());
}

pub(super) fn write<T: Item>(from: &[f64], to: &mut [T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = T::from_f64(from);
    }
}
