//! Products of complex matrices, as products of real ones.
//!
//! A row of a complex matrix lies in memory as a real row of twice the length: real part, imaginary part. So one
//! real product, of the real parts of `a` above its imaginary parts with `b` as it lies, has the four sums of
//! every item of the result, and a pass over them puts these together. Each sum is taken in an order that
//! depends on the number of its products alone, so the bits are those of the real kernels: they depend on the
//! row of `a` and the column of `b`, not on threads, strides or the rest. In the product of a matrix with its
//! adjoint the imaginary parts of the diagonal are exactly zero.
//!
//! A matrix times a vector is a real matrix, as the items lie, times two real vectors; its bits differ where it is
//! the columns of the matrix that lie side by side.

mod raw;

use crate::dense::copy_into;
use crate::engine::Scalar;
use crate::workspace::Room;
use crate::{Complex, Conj, Context, Field, Float, Isa, MatMut, MatRef};
use nexus_kernels::gemv_pair;

/// Rows of the result, and products of each item, at a time.
const BLOCK: usize = 512;
/// Columns at a time: the four sums of each item stay in a cache until they are put together.
const COLUMNS: usize = 256;
/// Rows up to which each is two products of its own, which read `b` in the order of memory.
const ROWS_SWEPT: usize = 2;

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
    if n == 1 {
        let x = |l| times(alpha, conjugate(b.get(l, 0), conj_b));
        return matvec(context, (a, conj_a), x, beta, c);
    }
    // Instead of the right operand, the left one and the result are conjugated.
    let each = |item| conjugate(times(alpha, conjugate(item, conj_a)), conj_b);
    let factors = (alpha.im == R::default())
        .then(|| each(Complex::new(<R as Field>::ONE, <R as Field>::ONE)));
    with_rows(b, |b| {
        R::with_spare(product_space(m, k, n), |space| {
            for top in (0..m).step_by(BLOCK) {
                let rows = top..(top + BLOCK).min(m);
                for left in (0..n).step_by(COLUMNS) {
                    let columns = left..(left + COLUMNS).min(n);
                    let (sums, parts) = space.split_at_mut(4 * rows.len() * columns.len());
                    let a = a.block(rows.clone(), 0..k);
                    let b = b.block(0..k, columns.clone());
                    match factors {
                        Some(by) => {
                            let each =
                                |item: Complex<R>| Complex::new(item.re * by.re, item.im * by.im);
                            add_up(context, (a, b), each, parts, sums);
                        }
                        None => add_up(context, (a, b), each, parts, sums),
                    }
                    let c = c.reborrow().block(rows.clone(), columns);
                    put(sums, conj_b, beta, c);
                }
            }
        });
    });
}

/// Real items that a product of `m x k` by `k x n` takes with more than one column.
fn product_space(m: usize, k: usize, n: usize) -> usize {
    2 * BLOCK.min(m) * (depth(k) + 2 * COLUMNS.min(n))
}

/// Real items that a product of `m x k` by `k x n` takes at most.
pub(crate) fn space(m: usize, k: usize, n: usize) -> usize {
    product_space(m, k, n).max(4 * (k + m))
}

/// Products of each item at a time; it depends on `k` alone, for it is seen in the last bits.
fn depth(k: usize) -> usize {
    k.div_ceil(k.div_ceil(BLOCK).max(1))
}

/// The sums with the real parts of `each` item of `a`, and below them those with its imaginary parts.
fn add_up<R: Float + Scalar>(
    context: Context,
    (a, b): (MatRef<'_, Complex<R>>, MatRef<'_, Complex<R>>),
    each: impl Fn(Complex<R>) -> Complex<R> + Copy,
    parts: &mut [R],
    sums: &mut [R],
) where
    Complex<R>: Field<Real = R>,
{
    let ((m, k), n) = (a.shape(), b.shape().1);
    let one = <R as Field>::ONE;
    // Without products the sums are zero.
    for start in (0..k.max(1)).step_by(depth(k).max(1)) {
        let chunk = start..(start + depth(k)).min(k);
        let parts = &mut parts[..2 * m * chunk.len()];
        split(a.block(0..m, chunk.clone()), each, parts);
        let parts = MatRef::new(parts, 2 * m, chunk.len()).expect("two parts an item");
        let right = real(&b.block(chunk, 0..n));
        let beta = if start == 0 { R::default() } else { one };
        let height = if m <= ROWS_SWEPT { 1 } else { 2 * m };
        for (at, sums) in sums.chunks_exact_mut(2 * n * height).enumerate() {
            let left = parts.row_range(at * height, (at + 1) * height);
            let sums = MatMut::new(sums, height, 2 * n).expect("four sums an item");
            context.real_gemm(one, left, right, beta, sums);
        }
    }
}

/// One column.
fn matvec<R: Float + Scalar>(
    context: Context,
    (a, conj_a): (MatRef<'_, Complex<R>>, Conj),
    x: impl Fn(usize) -> Complex<R>,
    beta: Complex<R>,
    mut c: MatMut<'_, Complex<R>>,
) where
    Complex<R>: Field<Real = R>,
{
    let ((m, k), (row, column)) = (a.shape(), a.strides());
    let mut put = |i, sum: Complex<R>| {
        let place = c.item(i, 0);
        *place = if beta == Complex::default() {
            sum
        } else {
            sum + times(beta, *place)
        };
    };
    R::with_spare(4 * (k + m), |space| {
        let (vectors, sums) = space.split_at_mut(4 * k);
        if row == 1 && column != 1 {
            let vectors = &mut vectors[..2 * k];
            columns_times(context, (a, conj_a), x, vectors, sums, put);
        } else {
            let sums = &mut sums[..2 * m];
            with_rows(a, |a| rows_times(context, (a, conj_a), x, vectors, sums));
            for (i, sum) in sums.chunks_exact(2).enumerate() {
                put(i, Complex::new(sum[0], sum[1]));
            }
        }
    });
}

/// The real and the imaginary part of each result: the rows of `a` as they lie times the vectors that give these.
fn rows_times<R: Float + Scalar>(
    context: Context,
    (a, conj_a): (MatRef<'_, Complex<R>>, Conj),
    x: impl Fn(usize) -> Complex<R>,
    vectors: &mut [R],
    sums: &mut [R],
) where
    Complex<R>: Field<Real = R>,
{
    let k = a.shape().1;
    let (for_re, for_im) = vectors.split_at_mut(2 * k);
    let places = for_re.chunks_exact_mut(2).zip(for_im.chunks_exact_mut(2));
    for (l, (for_re, for_im)) in places.enumerate() {
        let item = x(l);
        let (re, im) = match conj_a {
            Conj::No => (item.re, -item.im),
            Conj::Yes => (-item.re, item.im),
        };
        for_re.copy_from_slice(&[item.re, im]);
        for_im.copy_from_slice(&[item.im, re]);
    }
    pairs(context, real(&a), vectors, sums);
}

/// Puts each result, of the columns of `a` as they lie times the real and the imaginary parts of the vector.
fn columns_times<R: Float + Scalar>(
    context: Context,
    (a, conj_a): (MatRef<'_, Complex<R>>, Conj),
    x: impl Fn(usize) -> Complex<R>,
    vectors: &mut [R],
    sums: &mut [R],
    mut put: impl FnMut(usize, Complex<R>),
) where
    Complex<R>: Field<Real = R>,
{
    let ((m, k), (_, column)) = (a.shape(), a.strides());
    let (re, im) = vectors.split_at_mut(k);
    for (l, (re, im)) in re.iter_mut().zip(im).enumerate() {
        Complex { re: *re, im: *im } = x(l);
    }
    let parts = MatRef::with_strides(raw::parts(a.data()), (2 * m, k), (1, 2 * column));
    pairs(context, parts.expect("the same items"), vectors, sums);
    for (i, sums) in sums.chunks_exact(4).enumerate() {
        let [re_re, re_im, im_re, im_im] = [sums[0], sums[1], sums[2], sums[3]];
        put(
            i,
            match conj_a {
                Conj::No => Complex::new(re_re - im_im, re_im + im_re),
                Conj::Yes => Complex::new(re_re + im_im, re_im - im_re),
            },
        );
    }
}

/// Rows that a thread takes of a matrix times two vectors.
const PAIR_ROWS: usize = 64;
/// Multiplications that take as long as one there.
const PAIR_COST: usize = 8;

/// A real matrix times two vectors, on the context's threads where that pays.
fn pairs<R: Scalar>(context: Context, a: MatRef<'_, R>, vectors: &[R], sums: &mut [R]) {
    let (m, k) = a.shape();
    let cost = (PAIR_COST * PAIR_ROWS * k) as f64;
    let blocks = sums.chunks_mut(2 * PAIR_ROWS).enumerate();
    context.for_each(cost, blocks, |(block, sums)| {
        let top = block * PAIR_ROWS;
        let rows = a.row_range(top, (top + PAIR_ROWS).min(m));
        gemv_pair(Isa::detect(), rows, vectors, sums);
    });
}

/// Puts sums together and adds them to `beta * c`, which is not read where `beta` is zero.
fn put<R: Float>(sums: &[R], conj: Conj, beta: Complex<R>, mut c: MatMut<'_, Complex<R>>)
where
    Complex<R>: Field<Real = R>,
{
    if c.shape().1 == 0 {
        return;
    }
    if beta == Complex::default() {
        put_rows(sums, conj, &mut c, |sum, _| sum);
    } else if beta == <Complex<R> as Field>::ONE {
        put_rows(sums, conj, &mut c, |sum, old| sum + old);
    } else {
        put_rows(sums, conj, &mut c, |sum, old| sum + times(beta, old));
    }
}

fn put_rows<R: Float>(
    sums: &[R],
    conj: Conj,
    c: &mut MatMut<'_, Complex<R>>,
    new: impl Fn(Complex<R>, Complex<R>) -> Complex<R>,
) {
    let ((m, n), (row, column)) = (c.shape(), c.strides());
    let sign = if conj == Conj::Yes {
        -<R as Field>::ONE
    } else {
        <R as Field>::ONE
    };
    let (of_re, of_im) = sums.split_at(2 * m * n);
    let items = c.data_mut();
    let rows = of_re.chunks_exact(2 * n).zip(of_im.chunks_exact(2 * n));
    for (i, (of_re, of_im)) in rows.enumerate() {
        let sum = |(re, im): (&[R], &[R])| Complex::new(re[0] - im[1], sign * (re[1] + im[0]));
        let sums = of_re.chunks_exact(2).zip(of_im.chunks_exact(2)).map(sum);
        if column == 1 {
            for (place, sum) in items[i * row..i * row + n].iter_mut().zip(sums) {
                *place = new(sum, *place);
            }
        } else {
            for (j, sum) in sums.enumerate() {
                let place = &mut items[i * row + j * column];
                *place = new(sum, *place);
            }
        }
    }
}

/// The product with a factor, of which a part that is zero does not count: it makes no NaN of an infinity.
#[inline]
fn times<R: Float>(factor: Complex<R>, item: Complex<R>) -> Complex<R>
where
    Complex<R>: Field<Real = R>,
{
    if factor.im == R::default() {
        item.scale(factor.re)
    } else {
        factor * item
    }
}

#[inline]
fn conjugate<T: Field>(item: T, conj: Conj) -> T {
    match conj {
        Conj::No => item,
        Conj::Yes => item.conj(),
    }
}

/// Calls `work` with the matrix, or with a copy, whose rows have no gaps.
fn with_rows<R: Float>(a: MatRef<'_, Complex<R>>, work: impl FnOnce(MatRef<'_, Complex<R>>))
where
    Complex<R>: Field<Real = R>,
{
    let (m, n) = a.shape();
    if n <= 1 || a.strides().1 == 1 {
        return work(a);
    }
    let mut copy = Room::filled(Complex::default(), m * n);
    let mut view = MatMut::new(&mut copy, m, n).expect("m times n items");
    copy_into(a, view.reborrow());
    work(view.as_ref());
}

/// The real parts of `each` item by rows, and then the imaginary ones.
fn split<R: Float>(
    a: MatRef<'_, Complex<R>>,
    each: impl Fn(Complex<R>) -> Complex<R>,
    to: &mut [R],
) {
    let ((m, k), (row, column)) = (a.shape(), a.strides());
    if k == 0 {
        return;
    }
    let (re, im) = to.split_at_mut(m * k);
    let rows = re.chunks_exact_mut(k).zip(im.chunks_exact_mut(k));
    for (i, (re, im)) in rows.enumerate() {
        let items = &a.data()[i * row..];
        let places = re.iter_mut().zip(im);
        if column == 1 {
            for ((re, im), &item) in places.zip(items) {
                Complex { re: *re, im: *im } = each(item);
            }
        } else {
            for (l, (re, im)) in places.enumerate() {
                Complex { re: *re, im: *im } = each(items[l * column]);
            }
        }
    }
}

/// Rows of complex items without gaps as rows of twice as many real ones.
fn real<'a, R>(a: &MatRef<'a, Complex<R>>) -> MatRef<'a, R> {
    let ((m, n), (row, _)) = (a.shape(), a.strides());
    let row = if m > 1 { 2 * row } else { 2 * n };
    MatRef::with_strides(raw::parts(a.data()), (m, 2 * n), (row, 1)).expect("the same items")
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
            (1003, 1001, 1),
        ] {
            let (a, b) = (items(m * k, 1), items(k * n, 2));
            let run = |threads: usize, rows: usize, by_columns: bool| {
                let mut c = vec![C::NAN; rows * n];
                let (a_turned, mut view);
                let a = MatRef::new(&a, m, k).unwrap();
                let a = if by_columns {
                    a_turned = (0..k * m)
                        .map(|at| a.get(at % m, at / m))
                        .collect::<Vec<_>>();
                    view = MatMut::with_strides(&mut c, (rows, n), (1, rows)).unwrap();
                    MatRef::with_strides(&a_turned, (m, k), (1, m)).unwrap()
                } else {
                    view = MatMut::new(&mut c, rows, n).unwrap();
                    a
                };
                let a = a.row_range(0, rows);
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
            let turned = run(1, m, true);
            assert!(n == 1 || turned == whole, "{m}x{k}x{n}");
            for rows in [1, 2, m / 2 + 1] {
                for (by_columns, all) in [(false, &whole), (true, &turned)] {
                    let some = run(2, rows, by_columns);
                    assert_eq!(some, all[..rows * n], "{rows} of {m}x{k}x{n}");
                }
            }
        }
    }
}
