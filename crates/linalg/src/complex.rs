//! Products of complex matrices, as products of real ones.
//!
//! A row of a complex matrix lies in memory as a real row of twice the length: real part, imaginary part. Its
//! product with `b` is the product of that row with a real matrix of twice the rows and columns, in which
//! `x + yi` is the block
//!
//! ```text
//!  x  y
//! -y  x
//! ```
//!
//! and the result lies in memory as a complex row. So only `b` is rewritten, with the factor and the
//! conjugations in it, and the real kernels do the rest, with their bits: those of an item of the result depend
//! on its row of `a` and its column of `b` alone. `a` and `c` are copied where their rows have gaps.

mod raw;

use crate::dense::copy_into;
use crate::engine::Scalar;
use crate::{Complex, Conj, Context, Field, Float, MatMut, MatRef};

/// Parts of the rewritten operand at a time: they stay in a third-level cache.
const BLOCK: usize = 1 << 20;
/// Columns of the rewritten operand at a time, whatever the length of a column.
const COLUMNS_MIN: usize = 64;
/// Parts that need no heap.
const SMALL: usize = 1024;

/// `c = alpha * a * b + beta * c`, for shapes that fit.
pub(crate) fn gemm<R: Float + Scalar>(
    context: Context,
    alpha: Complex<R>,
    (a, conj_a): (MatRef<'_, Complex<R>>, Conj),
    (b, conj_b): (MatRef<'_, Complex<R>>, Conj),
    beta: Complex<R>,
    mut c: MatMut<'_, Complex<R>>,
) where
    Complex<R>: Field<Real = R>,
{
    let ((m, k), n) = (a.shape(), b.shape().1);
    if a.strides().1 != 1 && k > 1 {
        let mut copy = vec![Complex::default(); m * k];
        let mut view = MatMut::new(&mut copy, m, k).expect("m times k items");
        copy_into(a, view.reborrow());
        return gemm(
            context,
            alpha,
            (view.as_ref(), conj_a),
            (b, conj_b),
            beta,
            c,
        );
    }
    if c.strides().1 != 1 && n > 1 {
        let mut copy = vec![Complex::default(); m * n];
        let mut view = MatMut::new(&mut copy, m, n).expect("m times n items");
        if beta != Complex::default() {
            copy_into(c.as_ref(), view.reborrow());
        }
        gemm(
            context,
            alpha,
            (a, conj_a),
            (b, conj_b),
            beta,
            view.reborrow(),
        );
        return copy_into(view.as_ref(), c);
    }
    let beta = if beta.im == R::default() {
        beta.re
    } else {
        for i in 0..m {
            for j in 0..n {
                let item = c.item(i, j);
                *item = *item * beta;
            }
        }
        <R as Field>::ONE
    };
    let width = (BLOCK / (4 * k.max(1))).max(COLUMNS_MIN).min(n);
    let len = 4 * k * width;
    let mut small = [R::default(); SMALL];
    let mut large = Vec::new();
    let space = if len <= SMALL {
        &mut small[..len]
    } else {
        large.resize(len, R::default());
        &mut large[..]
    };
    let left = real(a);
    for start in (0..n).step_by(width.max(1)) {
        let columns = start..(start + width).min(n);
        let block = &mut space[..4 * k * columns.len()];
        let conj = (conj_a, conj_b);
        rewrite(alpha, b.block(0..k, columns.clone()), conj, block);
        let right = MatRef::new(block, 2 * k, 2 * columns.len()).expect("four parts an item");
        let result = real_mut(c.reborrow().block(0..m, columns));
        context.real_gemm(<R as Field>::ONE, left, right, beta, result);
    }
}

/// Writes `alpha * b` as blocks of two rows and columns.
fn rewrite<R: Float>(
    alpha: Complex<R>,
    b: MatRef<'_, Complex<R>>,
    (conj_a, conj_b): (Conj, Conj),
    to: &mut [R],
) where
    Complex<R>: Field<Real = R>,
{
    let (k, n) = b.shape();
    let (row, column) = b.strides();
    for l in 0..k {
        let (upper, lower) = to[4 * n * l..4 * n * (l + 1)].split_at_mut(2 * n);
        for (j, (upper, lower)) in upper
            .chunks_exact_mut(2)
            .zip(lower.chunks_exact_mut(2))
            .enumerate()
        {
            let item = b.data()[l * row + j * column];
            let item = if conj_b == Conj::Yes {
                item.conj()
            } else {
                item
            };
            let Complex { re, im } = if alpha.im == R::default() {
                item.scale(alpha.re)
            } else {
                alpha * item
            };
            upper.copy_from_slice(&[re, im]);
            lower.copy_from_slice(&match conj_a {
                Conj::No => [-im, re],
                Conj::Yes => [im, -re],
            });
        }
    }
}

/// Rows of complex items without gaps as rows of twice as many real ones.
fn real<R>(a: MatRef<'_, Complex<R>>) -> MatRef<'_, R> {
    let ((m, n), (row, _)) = (a.shape(), a.strides());
    let row = if m > 1 { 2 * row } else { 2 * n };
    MatRef::with_strides(raw::parts(a.data()), (m, 2 * n), (row, 1)).expect("the same items")
}

/// The same, to be written.
fn real_mut<R>(a: MatMut<'_, Complex<R>>) -> MatMut<'_, R> {
    let ((m, n), (row, _)) = (a.shape(), a.strides());
    let row = if m > 1 { 2 * row } else { 2 * n };
    MatMut::with_strides(raw::parts_mut(a.into_data()), (m, 2 * n), (row, 1))
        .expect("the same items")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_kernels::{Gemm, NaiveGemm};
    use proptest::prelude::*;
    use std::num::NonZero;

    type C = Complex<f64>;

    /// Small whole numbers: sums are exact in any order.
    fn whole(len: usize, seed: usize) -> Vec<C> {
        let part = |i: usize| ((i * 31 + seed * 17) % 13) as f64 - 6.0;
        (0..len)
            .map(|i| C::new(part(2 * i), part(5 * i + 1)))
            .collect()
    }

    fn conjugated(items: &[C], conj: Conj) -> Vec<C> {
        let each = |item: &C| {
            if conj == Conj::Yes {
                item.conj()
            } else {
                *item
            }
        };
        items.iter().map(each).collect()
    }

    proptest! {
        #[test]
        fn the_product_equals_its_naive_twin_on_strided_views(
            (m, k, n) in (0_usize..20, 0_usize..20, 0_usize..20),
            gaps in any::<[bool; 3]>(),
            transposed in any::<[bool; 3]>(),
            conj in any::<[bool; 2]>(),
            factors in prop::array::uniform4(-2_i8..3),
        ) {
            let layout = |(rows, columns): (usize, usize), at: usize| {
                let gap = usize::from(gaps[at]);
                if transposed[at] { (1, rows + gap) } else { (columns + gap, 1) }
            };
            let conj = conj.map(|yes| if yes { Conj::Yes } else { Conj::No });
            let (a, b) = (whole(500, 1), whole(500, 2));
            let (plain_a, plain_b) = (conjugated(&a, conj[0]), conjugated(&b, conj[1]));
            let view_a = |a| MatRef::with_strides(a, (m, k), layout((m, k), 0)).unwrap();
            let view_b = |b| MatRef::with_strides(b, (k, n), layout((k, n), 1)).unwrap();
            let (mut fast, mut naive) = (whole(500, 3), whole(500, 3));
            let view = |c| MatMut::with_strides(c, (m, n), layout((m, n), 2)).unwrap();
            let [alpha, beta] = [0, 2].map(|at| C::new(factors[at].into(), factors[at + 1].into()));
            let context = Context::default();
            gemm(context, alpha, (view_a(&a), conj[0]), (view_b(&b), conj[1]), beta, view(&mut fast));
            NaiveGemm.gemm(alpha, view_a(&plain_a), view_b(&plain_b), beta, view(&mut naive));
            prop_assert_eq!(fast, naive);
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_threads_rows_columns_or_strides() {
        let part = |i: usize| (i as f64 * 0.37).sin();
        let items = |len: usize, seed: usize| -> Vec<C> {
            (0..len)
                .map(|i| C::new(part(i + seed), part(3 * i + seed)))
                .collect()
        };
        for (m, k, n) in [
            (4, 4, 4),
            (70, 30, 90),
            (130, 700, 300),
            (3, 2000, 600),
            (300, 90, 1),
        ] {
            let (a, b) = (items(m * k, 1), items(k * n, 2));
            let run = |threads: usize, rows: usize, by_columns: bool| {
                let mut c = vec![C::NAN; rows * n];
                let (a_turned, mut view);
                let a = MatRef::new(&a, m, k).unwrap().row_range(0, rows);
                let a = if by_columns {
                    a_turned = (0..k * rows)
                        .map(|at| a.get(at % rows, at / rows))
                        .collect::<Vec<_>>();
                    view = MatMut::with_strides(&mut c, (rows, n), (1, rows)).unwrap();
                    MatRef::with_strides(&a_turned, (rows, k), (1, rows)).unwrap()
                } else {
                    view = MatMut::new(&mut c, rows, n).unwrap();
                    a
                };
                let context = Context::default().threads(NonZero::new(threads).unwrap());
                context
                    .matmul(a, MatRef::new(&b, k, n).unwrap(), view.reborrow())
                    .unwrap();
                let view = view.as_ref();
                (0..rows * n)
                    .map(|at| view.get(at / n, at % n))
                    .collect::<Vec<_>>()
            };
            let whole = run(1, m, false);
            assert!(whole.iter().all(|item| Field::is_finite(*item)));
            assert_eq!(run(3, m, false), whole, "{m}x{k}x{n}");
            assert_eq!(run(1, m, true), whole, "{m}x{k}x{n}");
            for rows in [1, 2, m / 2 + 1] {
                assert_eq!(
                    run(2, rows, false),
                    whole[..rows * n],
                    "{rows} of {m}x{k}x{n}"
                );
            }
        }
    }
}
