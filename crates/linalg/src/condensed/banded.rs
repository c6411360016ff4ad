//! Reduction of dense matrices to banded ones, nearly all of it products of matrices: C. Bischof, B. Lang and X. Sun,
//! "A framework for symmetric band reduction" (2000); B. Großer and B. Lang, "Efficient parallel reduction to
//! bidiagonal form" (1999).

use super::chase::{Band, Shape, WIDTH};
use super::panel::Rows;
use super::simd::Item;
use crate::dense::copy_into;
use crate::workspace::Room;
use crate::{Context, MatMut, MatRef};

/// Rows of a block of a symmetric matrix, of which those on the diagonal have both triangles.
const BLOCK: usize = 256;

/// A matrix of some rows of a buffer.
fn of<T>(items: &[T], step: usize) -> MatRef<'_, T> {
    MatRef::new(items, items.len() / step, step).expect("whole rows")
}

fn of_mut<T>(items: &mut [T], step: usize) -> MatMut<'_, T> {
    let rows = items.len() / step;
    MatMut::new(items, rows, step).expect("whole rows")
}

/// A symmetric band with the eigenvalues of a symmetric matrix, of which the lower triangle is read.
pub(super) fn symmetric<T: Item>(context: Context, a: MatRef<'_, T>) -> Band<T> {
    let n = a.shape().0;
    let (one, zero) = (T::ONE, T::default());
    // Row `j` has column `j` from its diagonal on.
    let mut items = Room::filled(zero, n * n);
    copy_into(
        a,
        MatMut::with_strides(&mut items, (n, n), (1, n)).expect("n times n items"),
    );
    for block in blocks(0, n) {
        for i in block.clone() {
            (block.start..i).for_each(|j| items[i * n + j] = items[j * n + i]);
        }
    }
    let mut band = Band::new(n, Shape::Symmetric);
    // The vectors, the other half of the update, and the vectors again.
    let mut factors = Room::filled(zero, 3 * WIDTH * n);
    let mut products = Room::filled(zero, WIDTH * n);
    for k in (0..n).step_by(WIDTH) {
        let start = n.min(k + WIDTH);
        let (done, rest) = items.split_at_mut(start * n);
        let panel = Rows {
            items: &mut done[k * n..],
            step: n,
            first: start,
        };
        let found = (start < n).then(|| panel.triangle(context));
        for j in k..start {
            let row = &done[j * n..(j + 1) * n];
            (j..n.min(j + WIDTH + 1)).for_each(|i| band.set(i, j, row[i]));
        }
        let Some(found) = found else { break };
        let (count, len) = (found.taus.len(), n - start);
        let v = of(&found.vectors, len);
        let mut product = of_mut(&mut products[..count * len], len);
        multiply(context, (rest, n, start), v, product.reborrow());
        // `w = y - v s / 2` for `y = a v t` and `s = t^T v^T y`, all of them transposed here.
        let t = of(&found.factor, count);
        let mut w = of_mut(&mut factors[count * len..2 * count * len], len);
        context.gemm(one, t.transpose(), product.as_ref(), zero, w.reborrow());
        let (mut small, mut square) = (
            Room::filled(zero, count * count),
            Room::filled(zero, count * count),
        );
        context.gemm(
            one,
            w.as_ref(),
            v.transpose(),
            zero,
            of_mut(&mut small, count),
        );
        context.gemm(one, of(&small, count), t, zero, of_mut(&mut square, count));
        let half = T::from_f64(-0.5);
        context.gemm(half, of(&square, count).transpose(), v, one, w);
        factors[..count * len].copy_from_slice(&found.vectors);
        factors[2 * count * len..3 * count * len].copy_from_slice(&found.vectors);
        let all = of(&factors[..3 * count * len], len);
        for block in blocks(start, n) {
            let (from, to) = (block.start - start, block.end - start);
            let right = all.block(0..2 * count, from..len);
            let left = all.block(count..3 * count, from..to).transpose();
            let part = &mut rest[from * n..to * n];
            let part = of_mut(part, n).block(0..to - from, block.start..n);
            context.gemm(-one, left, right, one, part);
        }
    }
    band
}

/// Rows of the blocks from row `start` on.
fn blocks(start: usize, n: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (start / BLOCK..n.div_ceil(BLOCK)).map(move |block| {
        let first = block * BLOCK;
        first.max(start)..n.min(first + BLOCK)
    })
}

/// The rows of `v` times a symmetric matrix, which are the rows from `start` on of one of order `n`.
fn multiply<T: Item>(
    context: Context,
    (items, n, start): (&[T], usize, usize),
    v: MatRef<'_, T>,
    mut product: MatMut<'_, T>,
) {
    let (count, len) = v.shape();
    let one = T::ONE;
    for block in blocks(start, n) {
        let (from, to) = (block.start - start, block.end - start);
        let rows = of(&items[from * n..to * n], n);
        let beta = if from == 0 { T::default() } else { one };
        let own = product.reborrow().block(0..count, from..to);
        let right = rows.block(0..to - from, block.start..n).transpose();
        context.gemm(one, v.block(0..count, from..len), right, beta, own);
        if to < len {
            let others = product.reborrow().block(0..count, to..len);
            let right = rows.block(0..to - from, block.end..n);
            context.gemm(one, v.block(0..count, from..to), right, beta, others);
        }
    }
}

/// An upper band with the singular values of a matrix that has no more columns than rows.
pub(super) fn rectangular<T: Item>(context: Context, a: MatRef<'_, T>) -> Band<T> {
    let (m, n) = a.shape();
    let (one, zero) = (T::ONE, T::default());
    // Row `j` has column `j`.
    let mut items = Room::filled(zero, m * n);
    copy_into(
        a,
        MatMut::with_strides(&mut items, (m, n), (1, m)).expect("m times n items"),
    );
    let mut band = Band::new(n, Shape::Upper);
    let mut across = Room::filled(zero, WIDTH * n);
    let (mut lefts, mut rights) = (
        Room::filled(zero, 2 * WIDTH * n),
        Room::filled(zero, 2 * WIDTH * m),
    );
    for k in (0..n).step_by(WIDTH) {
        let start = n.min(k + WIDTH);
        let (done, rest) = items.split_at_mut(start * m);
        let panel = Rows {
            items: &mut done[k * m..],
            step: m,
            first: k,
        };
        let own = panel.triangle(context);
        for j in k..start {
            (k..=j).for_each(|i| band.set(i, j, done[j * m + i]));
        }
        if start == n {
            break;
        }
        let (width, len, rows) = (start - k, n - start, m - start);
        // `x = t^T v^T a`: what the left reflectors take, in multiples of their vectors.
        let v = of(&own.vectors, m - k);
        let below = of(rest, m);
        let mut x = of_mut(&mut lefts[..width * len], len);
        let mut wide = of_mut(&mut across[..width * len], len);
        let columns = below.block(0..len, k..m).transpose();
        context.gemm(one, v, columns, zero, wide.reborrow());
        let t = of(&own.factor, width).transpose();
        context.gemm(one, t, wide.as_ref(), zero, x.reborrow());
        // The rows of the panel after the left reflections.
        copy_into(below.block(0..len, k..start).transpose(), wide.reborrow());
        let top = v.block(0..width, 0..width).transpose();
        context.gemm(-one, top, x.as_ref(), one, wide);
        let panel = Rows {
            items: &mut across[..width * len],
            step: len,
            first: 0,
        };
        let other = panel.triangle(context);
        for i in 0..width {
            (0..len.min(i + 1)).for_each(|j| band.set(k + i, start + j, across[i * len + j]));
        }
        let count = other.taus.len();
        // `z = (a - v x) v' t'`: what the right ones take.
        let right = of(&other.vectors, len);
        let mut small = Room::filled(zero, count * width);
        let mut mixed = of_mut(&mut small, width);
        context.gemm(one, right, x.as_ref().transpose(), zero, mixed.reborrow());
        let mut plain = Room::filled(zero, count * rows);
        let mut product = of_mut(&mut plain, rows);
        let trailing = below.block(0..len, start..m);
        context.gemm(one, right, trailing, zero, product.reborrow());
        let v = v.block(0..width, start - k..m - k);
        context.gemm(-one, mixed.as_ref(), v, one, product.reborrow());
        let (first, second) = rights.split_at_mut(width * rows);
        copy_into(v, of_mut(first, rows));
        let z = of_mut(&mut second[..count * rows], rows);
        let t = of(&other.factor, count).transpose();
        context.gemm(one, t, product.as_ref(), zero, z);
        lefts[width * len..(width + count) * len].copy_from_slice(&other.vectors);
        let left = of(&lefts[..(width + count) * len], len).transpose();
        let right = of(&rights[..(width + count) * rows], rows);
        let trailing = of_mut(rest, m).block(0..len, start..m);
        context.gemm(-one, left, right, one, trailing);
    }
    band
}

#[cfg(test)]
mod tests {
    use super::super::{eigenvalues, singular_values};
    use super::*;
    use crate::condensed;
    use std::num::NonZero;

    /// Items from -0.5 to 0.5, times powers of the grade by rows and columns.
    fn items<T: Item>(m: usize, n: usize, grade: f64) -> Vec<T> {
        let item = |k: usize| {
            let (i, j) = (k / n, k % n);
            let size = grade.powf((i + j) as f64 / (m + n) as f64);
            T::from_f64(((k * k + 7 * k) as f64 * 0.731).sin() / 2.0 * size)
        };
        (0..m * n).map(item).collect()
    }

    fn check<T: Item>() {
        for (m, n) in [(2, 2), (33, 33), (70, 40), (300, 300), (330, 257)] {
            for grade in [1.0, 1e-12, 0.0] {
                let a = items::<T>(m, n, grade);
                let a = MatRef::new(&a, m, n).unwrap();
                let context = Context::default();
                let of = |threads: usize| {
                    let context = context.threads(NonZero::new(threads).unwrap());
                    rectangular(context, a).condensed(context.isa())
                };
                let (mut diagonal, mut above) = of(1);
                let again = of(3);
                assert_eq!(
                    (&diagonal[..], &above[..]),
                    (&again.0[..], &again.1[..]),
                    "{m}x{n}"
                );
                singular_values(&mut diagonal, &mut above).unwrap();
                let mut wanted = vec![T::default(); n];
                condensed::svd(context, a, &mut wanted, None).unwrap();
                assert_close(&diagonal, &wanted, m);
                // Its first rows, of which the lower triangle counts.
                let square = a.block(0..n, 0..n);
                let (mut diagonal, mut beside) =
                    symmetric(context, square).condensed(context.isa());
                eigenvalues(&mut diagonal, &mut beside).unwrap();
                let mut wanted = vec![T::default(); n];
                condensed::eigh(context, square, &mut wanted, None).unwrap();
                assert_close(&diagonal, &wanted, n);
            }
        }
    }

    fn assert_close<T: Item>(found: &[f64], wanted: &[T], n: usize) {
        let size = wanted
            .iter()
            .fold(0.0, |most, x| x.abs().to_f64().max(most));
        for (found, wanted) in found.iter().zip(wanted) {
            let apart = (found - wanted.to_f64()).abs();
            assert!(apart <= 10.0 * n as f64 * T::EPSILON.to_f64() * size);
        }
    }

    #[test]
    fn values_by_way_of_a_band_are_those_without() {
        check::<f64>();
        check::<f32>();
    }
}
