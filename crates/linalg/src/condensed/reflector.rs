//! Householder reflectors `1 - tau v v^T`, whose vectors begin with one.

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use super::simd::{Item, Loops, wide};
use crate::workspace::Room;
use crate::{Context, Isa, MatMut, MatRef};

/// Of so many reflectors, how many are applied at once: products of many terms are faster, and more of them are with
/// zeros.
pub(super) fn block(count: usize) -> usize {
    if count < 256 { 32 } else { 64 }
}

/// Makes the reflector that takes `x` to its first item. Returns `tau` and that item; `x` becomes the vector.
///
/// G. H. Golub and C. F. Van Loan, "Matrix Computations" (2013), 5.1.3, with the sign that cancels nothing.
pub(super) fn reflect<T: Item>(isa: Isa, x: &mut [T]) -> (T, T) {
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
    let squares = super::simd::square_sum(isa, &x[1..]);
    let length = (first * first + squares).sqrt();
    let end = if first < zero { length } else { -length };
    let divisor = T::ONE / (first - end);
    x[1..].iter_mut().for_each(|item| *item = *item * divisor);
    ((end - first) / end, end * scale)
}

/// Reflectors: their vectors and factors, and how many items lie before the first one's vector. Vector `i` has zeros
/// before its item `i + skip` and its one there.
pub(super) type Reflectors<'a, T> = (MatRef<'a, T>, &'a [T], usize);

/// Multiplies the rows of `rows` by the reflectors, the last one first: each row `x` becomes `h_1 h_2 .. h_k x`.
///
/// By blocks: R. Schreiber and C. Van Loan, "A storage-efficient WY representation for products of Householder
/// transformations" (1989). Costs four multiplications for each item of the vectors and row.
pub(super) fn apply<T: Item>(context: Context, reflectors: Reflectors<'_, T>, rows: MatMut<'_, T>) {
    backwards(context, reflectors, rows, |_| 0);
}

/// The first rows of a matrix, multiplied as [`apply`] does those of ones on the diagonal, whose zeros cost nothing.
/// The rows come as zeros.
pub(super) fn apply_to_unit<T: Item>(
    context: Context,
    (vectors, taus): (MatRef<'_, T>, &[T]),
    mut rows: MatMut<'_, T>,
) {
    for i in 0..rows.shape().0 {
        *rows.item(i, i) = T::ONE;
    }
    backwards(context, (vectors, taus, 0), rows, |first| first);
}

/// [`apply`], of block after block to the rows from one that depends on the block's first reflector.
fn backwards<T: Item>(
    context: Context,
    (vectors, taus, skip): Reflectors<'_, T>,
    mut rows: MatMut<'_, T>,
    top: impl Fn(usize) -> usize,
) {
    let (m, n) = rows.shape();
    let size = block(taus.len());
    for first in (0..taus.len()).step_by(size).rev() {
        let end = taus.len().min(first + size);
        let columns = first + skip..n;
        let v = vectors.block(first..end, columns.clone());
        let factor = block_factor(context, v, &taus[first..end]);
        let factor = MatRef::new(&factor, end - first, end - first).expect("square");
        let part = rows.reborrow().block(top(first)..m, columns);
        apply_block(context, (v, factor.transpose()), part);
    }
}

/// Multiplies rows by a block of reflectors: `x - x v^T t v`. With the transpose of the factor `t` it is the block that
/// has them in the other order.
pub(super) fn apply_block<T: Item>(
    context: Context,
    (v, factor): (MatRef<'_, T>, MatRef<'_, T>),
    mut rows: MatMut<'_, T>,
) {
    let (m, count) = (rows.shape().0, v.shape().0);
    let (one, zero) = (T::ONE, T::default());
    let mut products = Room::filled(zero, m * count);
    let mut product = MatMut::new(&mut products, m, count).expect("rows of a block");
    let mut turned = Room::filled(zero, m * count);
    let mut turned = MatMut::new(&mut turned, m, count).expect("as above");
    let x = rows.as_ref();
    context.gemm(one, x, v.transpose(), zero, product.reborrow());
    context.gemm(one, product.as_ref(), factor, zero, turned.reborrow());
    context.gemm(-one, turned.as_ref(), v, one, rows.reborrow());
}

/// The upper triangular factor `t` of `1 - v^T t v`, the product of the reflectors.
pub(super) fn block_factor<T: Item>(context: Context, v: MatRef<'_, T>, taus: &[T]) -> Room<T> {
    let k = taus.len();
    let mut products = Room::filled(T::default(), k * k);
    let view = MatMut::new(&mut products, k, k).expect("square");
    context.gemm(T::ONE, v, v.transpose(), T::default(), view);
    let mut factor = Room::filled(T::default(), k * k);
    let inversion = Inversion {
        products: &products,
        taus,
        factor: &mut factor,
    };
    wide(context.isa(), inversion);
    factor
}

/// The inverse of the triangle of `1 / tau` on the diagonal and products of vectors above it: C. Puglisi, "Modification
/// of the Householder method based on the compact WY representation" (1992).
struct Inversion<'a, T> {
    products: &'a [T],
    taus: &'a [T],
    factor: &'a mut [T],
}

impl<T: Item> Loops for Inversion<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let k = self.taus.len();
        for (i, row) in self.factor.chunks_exact_mut(k).enumerate() {
            row[i] = self.taus[i];
            for l in i..k {
                if l > i {
                    row[l] = -self.taus[l] * row[l];
                }
                let (own, others) = (row[l], &mut row[l + 1..]);
                for (sum, &product) in others.iter_mut().zip(&self.products[l * k + l + 1..]) {
                    *sum = product.multiply_add::<FUSED>(own, *sum);
                }
            }
        }
    }
}
