//! Householder reflectors `1 - tau v v^T`, whose vectors begin with one.

use super::simd::Item;
use crate::workspace::Room;
use crate::{Context, MatMut, MatRef};

/// Reflectors that are applied at once.
const BLOCK: usize = 32;

/// Makes the reflector that takes `x` to its first item. Returns `tau` and that item; `x` becomes the vector.
///
/// G. H. Golub and C. F. Van Loan, "Matrix Computations" (2013), 5.1.3, with the sign that cancels nothing.
pub(super) fn reflect<T: Item>(x: &mut [T]) -> (T, T) {
    let zero = T::default();
    let size = x.iter().fold(zero, |most, item| {
        let size = item.abs();
        if size > most { size } else { most }
    });
    let rest = x[1..].iter().any(|&item| item != zero);
    let first = std::mem::replace(&mut x[0], T::ONE);
    if !rest {
        return (zero, first);
    }
    // Squares of small numbers would lose their bits.
    let scale = if size < T::SMALL { size } else { T::ONE };
    let first = first / scale;
    if scale != T::ONE {
        x[1..].iter_mut().for_each(|item| *item = *item / scale);
    }
    let squares = super::simd::square_sum(&x[1..]);
    let length = (first * first + squares).sqrt();
    let end = if first < zero { length } else { -length };
    let divisor = T::ONE / (first - end);
    x[1..].iter_mut().for_each(|item| *item = *item * divisor);
    ((end - first) / end, end * scale)
}

/// Multiplies the rows of `rows` by the reflectors, the last one first: each row `x` becomes `h_1 h_2 .. h_k x`.
/// Vector `i` of `vectors`, rows of `n` items, has zeros before its item `i + skip` and its one there.
///
/// By blocks: R. Schreiber and C. Van Loan, "A storage-efficient WY representation for products of Householder
/// transformations" (1989). Costs four multiplications for each item of the vectors and row.
pub(super) fn apply<T: Item>(
    context: Context,
    (vectors, taus, skip): (MatRef<'_, T>, &[T], usize),
    mut rows: MatMut<'_, T>,
) {
    let (m, n) = rows.shape();
    let mut products = Room::filled(T::default(), m * BLOCK);
    let mut turned = Room::filled(T::default(), m * BLOCK);
    for first in (0..taus.len()).step_by(BLOCK).rev() {
        let count = BLOCK.min(taus.len() - first);
        let columns = first + skip..n;
        let v = vectors.block(first..first + count, columns.clone());
        let factor = block_factor(context, v, &taus[first..first + count]);
        let factor = MatRef::new(&factor, count, count).expect("square");
        let mut part = rows.reborrow().block(0..m, columns);
        let mut product =
            MatMut::new(&mut products[..m * count], m, count).expect("rows of a block");
        let mut turned = MatMut::new(&mut turned[..m * count], m, count).expect("as above");
        let zero = T::default();
        context.gemm(
            T::ONE,
            part.as_ref(),
            v.transpose(),
            zero,
            product.reborrow(),
        );
        context.gemm(
            T::ONE,
            product.as_ref(),
            factor.transpose(),
            zero,
            turned.reborrow(),
        );
        let turned = turned.as_ref();
        context.gemm(-T::ONE, turned, v, T::ONE, part.reborrow());
    }
}

/// The upper triangular factor `t` of `1 - v^T t v`, the product of the reflectors.
fn block_factor<T: Item>(context: Context, v: MatRef<'_, T>, taus: &[T]) -> Room<T> {
    let k = taus.len();
    let mut products = Room::filled(T::default(), k * k);
    let view = MatMut::new(&mut products, k, k).expect("square");
    context.gemm(T::ONE, v, v.transpose(), T::default(), view);
    let mut factor = Room::filled(T::default(), k * k);
    for j in 0..k {
        for i in 0..j {
            let sum = (i..j).fold(T::default(), |sum, l| {
                sum + factor[i * k + l] * products[l * k + j]
            });
            factor[i * k + j] = -taus[j] * sum;
        }
        factor[j * k + j] = taus[j];
    }
    factor
}
