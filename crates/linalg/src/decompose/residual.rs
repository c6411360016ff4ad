//! Whether eigenvalues and eigenvectors belong to a matrix.

use crate::dense::copy_into;
use crate::{Context, Field, Float, MatMut, MatRef, norm};

/// The roundings for each row that a residual may have.
const ROUNDINGS: f64 = 10.0;

/// Whether the values add up to the trace, and `a v = w v` for each pair, to within ten roundings for each row.
/// The matrix is finite and of ordinary size, vectors have the length 1. With vectors it costs a product of matrices.
pub(super) fn belong<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
    values: &[T::Complex],
    vectors: Option<MatRef<'_, T::Complex>>,
) -> bool {
    let n = values.len();
    let rounding = T::Real::from_f64(ROUNDINGS * n as f64) * T::Real::EPSILON;
    let items = (0..n).flat_map(|i| a.row(i).copied());
    let bound = rounding * norm::vector(items, 2.0);
    let excess = (0..n).fold(T::Complex::default(), |sum, i| {
        sum + values[i] - a.get(i, i).to_complex()
    });
    // What is not a number is not within a bound.
    if excess.abs() <= bound {
        vectors.is_none_or(|vectors| pairs_belong(context, a, values, vectors, bound))
    } else {
        false
    }
}

fn pairs_belong<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
    values: &[T::Complex],
    vectors: MatRef<'_, T::Complex>,
    bound: T::Real,
) -> bool {
    let n = values.len();
    // All by columns, as what follows reads it.
    let mut columns = vec![T::Complex::default(); n * n];
    let view = MatMut::with_strides(&mut columns, (n, n), (1, n)).expect("n times n items");
    copy_into(vectors, view);
    let product = if T::IS_COMPLEX {
        let items = (0..n).flat_map(|i| a.row(i).map(|item| item.to_complex()));
        let items: Vec<T::Complex> = items.collect();
        multiplied(context, &items, &columns, n)
    } else {
        real_product(context, a, values, &columns)
    };
    let columns = columns.chunks_exact(n).zip(product.chunks_exact(n));
    columns.zip(values).all(|((column, product), &value)| {
        let length = size(column.iter().copied());
        let error = product.iter().zip(column);
        let error = size(error.map(|(&item, &v)| item - v * value));
        length > T::Real::default() && error <= bound * length
    })
}

/// The product of a real matrix and vectors of which those of a pair are conjugate, by columns.
fn real_product<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
    values: &[T::Complex],
    columns: &[T::Complex],
) -> Vec<T::Complex> {
    let n = values.len();
    let zero = T::Real::default();
    let items: Vec<T::Real> = (0..n).flat_map(|i| a.row(i).map(|x| x.re())).collect();
    let mut parts = Vec::with_capacity(n * n);
    let mut seconds = vec![false; n];
    for j in 0..n {
        let is_second = j > 0 && !seconds[j - 1] && values[j].im() != zero && {
            let before = &columns[(j - 1) * n..j * n];
            let own = &columns[j * n..(j + 1) * n];
            before.iter().zip(own).all(|(&x, &y)| x.conj() == y)
        };
        seconds[j] = is_second;
        let column = if is_second { j - 1 } else { j };
        let column = columns[column * n..(column + 1) * n].iter();
        parts.extend(column.map(|item| if is_second { item.im() } else { item.re() }));
    }
    let product = multiplied(context, &items, &parts, n);
    let mut whole = Vec::with_capacity(n * n);
    for j in 0..n {
        let at = |j: usize| product[j * n..(j + 1) * n].iter();
        if seconds[j] {
            let both = at(j - 1).zip(at(j));
            whole.extend(both.map(|(&re, &im)| T::Complex::from_parts(re, -im)));
        } else if j + 1 < n && seconds[j + 1] {
            let both = at(j).zip(at(j + 1));
            whole.extend(both.map(|(&re, &im)| T::Complex::from_parts(re, im)));
        } else {
            whole.extend(at(j).map(|&re| T::Complex::from_real(re)));
        }
    }
    whole
}

/// The product of a matrix by rows and one by columns, by columns.
fn multiplied<T: Field>(context: Context, items: &[T], columns: &[T], n: usize) -> Vec<T> {
    let mut product = vec![T::default(); n * n];
    let a = MatRef::new(items, n, n).expect("n times n items");
    let b = MatRef::new(columns, n, n).expect("n times n items");
    let view = MatMut::new(&mut product, n, n).expect("n times n items");
    context.gemm(T::ONE, b, a.transpose(), T::default(), view);
    product
}

/// The length of a vector whose items are far from overflow.
fn size<T: Field>(items: impl Iterator<Item = T>) -> T::Real {
    let squares = items.map(|item| item.re() * item.re() + item.im() * item.im());
    squares
        .fold(T::Real::default(), |sum, square| sum + square)
        .sqrt()
}
