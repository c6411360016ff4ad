//! QR of small matrices by reflections.
//!
//! Householder's method, with signs and scaling as LAPACK has them (Golub & Van Loan, "Matrix Computations", 4th
//! ed., 5.2); `q` is put together from the last reflection to the first. One matrix has its columns side by side in
//! registers, several have themselves.

use super::simd::{One, Vector};
use super::{Wrong, wrong};
use crate::{Field, Float, MatMut, MatRef};

/// Matrices of `rows` and `columns` of items, and the columns of `q`.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) width: usize,
}

impl Shape {
    /// The most rows or columns of any of the matrices; `None` where one has no items.
    pub(super) fn order(self) -> Option<usize> {
        let least = self.rows.min(self.columns).min(self.width);
        (least > 0).then(|| self.rows.max(self.columns).max(self.width))
    }
}

/// Factors one matrix, or says that it does not, with the results arbitrary.
#[inline(always)]
pub(super) fn qr_one<T: Float, const N: usize, const SIZE: usize>(
    a: MatRef<'_, T>,
    q: &mut MatMut<'_, T>,
    r: &mut MatMut<'_, T>,
) -> bool {
    let ((rows, columns), (_, width)) = (a.shape(), q.shape());
    let shape = Shape {
        rows,
        columns,
        width,
    };
    let mut work = [[One(T::default()); SIZE]; 2];
    let [factors, vectors] = &mut work;
    for i in 0..rows {
        for (place, &item) in factors[i * columns..].iter_mut().zip(a.row(i)) {
            *place = One(item);
        }
    }
    if factor::<_, N>(shape, factors, vectors) & 1 != 0 {
        return false;
    }
    for i in 0..rows {
        (0..width).for_each(|j| *q.item(i, j) = vectors[i * width + j].0);
    }
    for i in 0..width {
        for j in 0..columns {
            *r.item(i, j) = if i <= j && i < rows {
                factors[i * columns + j].0
            } else {
                T::default()
            };
        }
    }
    true
}

/// Factors matrices side by side. Those that are not finite, or near overflow, are left to others.
#[inline(always)]
pub(super) fn qr_side_by_side<'a, V: Vector, const N: usize, const SIZE: usize>(
    get: &impl Fn(usize) -> MatRef<'a, V::Item>,
    shape: Shape,
    q: &mut [V::Item],
    r: &mut [V::Item],
) -> Wrong {
    let Shape {
        rows,
        columns,
        width,
    } = shape;
    let (q_size, r_size) = (rows * width, width * columns);
    let last = q.len() / q_size - 1;
    let nothing = V::splat(V::Item::default());
    let mut work = [[nothing; SIZE]; 2];
    let [factors, vectors] = &mut work;
    let (row, column) = get(0).strides();
    let data = V::each(|lane| {
        let matrix = get(lane.min(last));
        // Matrices of one stack lie in the same way.
        assert!(matrix.strides() == (row, column), "strides of a stack");
        matrix.data()
    });
    let (mut largest, mut sum) = (nothing, nothing);
    for i in 0..rows {
        for j in 0..columns {
            let item = V::pick(&data, i * row + j * column);
            factors[i * columns + j] = item;
            let size = item.abs();
            largest = V::select(V::greater(size, largest), size, largest);
            sum = sum.add(size);
        }
    }
    // NaN is in the sum alone.
    let ordinary = V::bits(V::greater(largest, V::splat(V::Item::SMALL)))
        & V::bits(V::greater(V::splat(V::Item::LARGE), largest))
        & V::bits(V::equal(sum, sum));
    let other = factor::<_, N>(shape, factors, vectors);
    for at in 0..q_size {
        let items = vectors[at].lanes();
        for (q, &item) in q.chunks_exact_mut(q_size).zip(&items) {
            q[at] = item;
        }
    }
    for i in 0..width {
        for j in 0..columns {
            let is_zero = i > j || i >= rows;
            let items = if is_zero {
                nothing
            } else {
                factors[i * columns + j]
            }
            .lanes();
            for (r, &item) in r.chunks_exact_mut(r_size).zip(&items) {
                r[i * columns + j] = item;
            }
        }
    }
    wrong(!ordinary | other)
}

/// Makes `r` of the upper triangle of `a`, with a diagonal that is not negative, and `q`. Says which lanes have a
/// column whose squares are too small to be added up.
#[inline(always)]
fn factor<V: Vector, const N: usize>(shape: Shape, a: &mut [V], q: &mut [V]) -> u16 {
    let Shape {
        rows,
        columns,
        width,
    } = shape;
    let (nothing, one) = (V::splat(V::Item::default()), V::splat(V::Item::ONE));
    let steps = rows.min(columns);
    let mut factors = [nothing; N];
    let mut vector = [nothing; N];
    let mut small = 0;
    for j in 0..steps {
        let (factor, is_small) = reflect(a, (rows, columns), j);
        factors[j] = factor;
        small |= is_small;
        let vector = below(a, (rows, columns), j, &mut vector);
        apply::<_, N>((factor, vector), a, (j, columns, j + 1));
    }
    for (i, line) in q.chunks_exact_mut(width).take(rows).enumerate() {
        line.fill(nothing);
        if i < width {
            line[i] = one;
        }
    }
    for j in (0..steps).rev() {
        let vector = below(a, (rows, columns), j, &mut vector);
        apply::<_, N>((factors[j], vector), q, (j, width, j));
    }
    for j in 0..steps {
        let negative = V::greater(nothing, a[j * columns + j]);
        if V::bits(negative) == 0 {
            continue;
        }
        for item in &mut a[j * columns + j..(j + 1) * columns] {
            *item = V::select(negative, nothing.sub(*item), *item);
        }
        for line in q.chunks_exact_mut(width).take(rows) {
            line[j] = V::select(negative, nothing.sub(line[j]), line[j]);
        }
    }
    small
}

/// Makes column `j` an item of `r` and, below it, the vector of a reflection whose first item is one; its factor, and
/// the lanes whose squares are too small.
#[inline(always)]
fn reflect<V: Vector>(a: &mut [V], (rows, columns): (usize, usize), j: usize) -> (V, u16) {
    let (nothing, one) = (V::splat(V::Item::default()), V::splat(V::Item::ONE));
    let first = a[j * columns + j];
    let (mut squares, mut sizes) = (nothing, first.abs());
    for i in j + 1..rows {
        let item = a[i * columns + j];
        squares = squares.add(item.mul(item));
        sizes = sizes.add(item.abs());
    }
    let all = squares.add(first.mul(first));
    let least = V::splat(V::Item::MIN_POSITIVE / (V::Item::EPSILON * V::Item::EPSILON));
    let small = V::bits(V::greater(least, all)) & V::bits(V::greater(sizes, nothing));
    let is_done = V::equal(squares, nothing);
    let length = all.sqrt();
    let negative = V::greater(nothing, first);
    let item = V::select(negative, length, nothing.sub(length));
    let item = V::select(is_done, first, item);
    // Where there is nothing to do, the divisors are made harmless.
    let divisor = V::select(is_done, one, first.sub(item));
    let inverse = V::select(is_done, nothing, one.div(divisor));
    let scale = V::select(is_done, one, item);
    let factor = V::select(is_done, nothing, item.sub(first).div(scale));
    for i in j + 1..rows {
        a[i * columns + j] = a[i * columns + j].mul(inverse);
    }
    a[j * columns + j] = item;
    (factor, small)
}

/// The items below the diagonal of column `j`.
#[inline(always)]
fn below<'a, V: Vector>(
    a: &[V],
    (rows, columns): (usize, usize),
    j: usize,
    to: &'a mut [V],
) -> &'a [V] {
    let count = rows - j - 1;
    for (i, place) in to[..count].iter_mut().enumerate() {
        *place = a[(j + 1 + i) * columns + j];
    }
    &to[..count]
}

/// Reflects rows from `first` on, of `step` items each, from column `start` on.
#[inline(always)]
fn apply<V: Vector, const N: usize>(
    (factor, vector): (V, &[V]),
    a: &mut [V],
    (first, step, start): (usize, usize, usize),
) {
    let (top, bottom) = a[first * step..].split_at_mut(step);
    let top = &mut top[start..];
    let mut sums = [V::splat(V::Item::default()); N];
    let sums = &mut sums[..top.len()];
    sums.copy_from_slice(top);
    for (&multiplier, line) in vector.iter().zip(bottom.chunks_exact(step)) {
        for (sum, &item) in sums.iter_mut().zip(&line[start..]) {
            *sum = sum.add(multiplier.mul(item));
        }
    }
    for (item, sum) in top.iter_mut().zip(sums.iter_mut()) {
        *sum = factor.mul(*sum);
        *item = item.sub(*sum);
    }
    for (&multiplier, line) in vector.iter().zip(bottom.chunks_exact_mut(step)) {
        for (item, &sum) in line[start..].iter_mut().zip(sums.iter()) {
            *item = item.sub(multiplier.mul(sum));
        }
    }
}
