//! Whether eigenvalues and eigenvectors belong to a matrix.

use crate::{Context, Field, Float, MatMut, MatRef, norm};

/// The roundings for each row that a residual may have.
const ROUNDINGS: f64 = 10.0;

/// Whether the values add up to the trace, and `a v = w v` for each pair, to within ten roundings for each row.
/// The matrix is finite and of ordinary size. With vectors it costs a product of complex matrices.
pub(super) fn belong<T: Field>(
    a: MatRef<'_, T>,
    values: &[T::Complex],
    vectors: Option<MatRef<'_, T::Complex>>,
) -> bool {
    let n = values.len();
    let items: Vec<T::Complex> = (0..n)
        .flat_map(|i| a.row(i).map(|item| item.to_complex()))
        .collect();
    let rounding = T::Real::from_f64(ROUNDINGS * n as f64) * T::Real::EPSILON;
    let bound = rounding * norm::vector(items.iter().copied(), 2.0);
    let excess = (0..n).fold(T::Complex::default(), |sum, i| {
        sum + values[i] - items[i * n + i]
    });
    // What is not a number is not within a bound.
    if excess.abs() <= bound {
        vectors.is_none_or(|vectors| pairs_belong(&items, values, vectors, bound))
    } else {
        false
    }
}

fn pairs_belong<C: Field>(
    items: &[C],
    values: &[C],
    vectors: MatRef<'_, C>,
    bound: C::Real,
) -> bool {
    let n = values.len();
    let mut product = vec![C::default(); n * n];
    let a = MatRef::new(items, n, n).expect("n times n items");
    // By columns, as what follows reads it.
    let columns = MatMut::with_strides(&mut product, (n, n), (1, n)).expect("n times n items");
    Context::default().gemm(C::ONE, a, vectors, C::default(), columns);
    product.chunks_exact(n).enumerate().all(|(j, column)| {
        let column = column.iter().enumerate();
        let error = column.map(|(i, &item)| item - vectors.get(i, j) * values[j]);
        let length = norm::vector((0..n).map(|i| vectors.get(i, j)), 2.0);
        length > C::Real::default() && norm::vector(error, 2.0) <= bound * length
    })
}
