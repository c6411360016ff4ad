//! Singular values of small matrices by rotations.
//!
//! M. R. Hestenes' one-sided method (1958): rotations of pairs of columns make them orthogonal, and their lengths are
//! the singular values then. The longer column of a pair comes first (P. P. M. de Rijk, 1989), so few rounds do. One
//! matrix has the items of its columns side by side in registers, several have themselves.

use super::simd::{One, Vector};
use super::{Wrong, wrong};
use crate::{Field, Float, MatMut, MatRef};
use std::array::from_fn;

/// Rounds that no small matrix needs: convergence is quadratic.
const ROUNDS_MAX: usize = 20;

/// Columns of up to `N` items, zeros after those that are there.
type Columns<V, const N: usize> = [[V; N]; N];

/// The most rows or columns where the method is the fastest; `None` where it is not.
#[inline]
pub(super) fn order((m, n): (usize, usize), with_vectors: bool) -> Option<usize> {
    let most = if with_vectors { 16 } else { 4 };
    let order = m.max(n);
    (m.min(n) > 0 && order <= most).then_some(order)
}

/// Decomposes one matrix, or says that it does not, with the results arbitrary.
#[inline(always)]
pub(super) fn svd_one<T: Float, const N: usize>(
    a: MatRef<'_, T>,
    values: &mut [T],
    vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
) -> bool {
    let k = values.len();
    let fits = |view: &MatMut<'_, T>| view.shape().1 == k;
    if vectors.as_ref().is_some_and(|(u, v)| !fits(u) || !fits(v)) {
        return false;
    }
    let turned = a.shape().0 < a.shape().1;
    let a = if turned { a.transpose() } else { a };
    let (m, n) = a.shape();
    let mut long: Columns<One<T>, N> = [[One(T::default()); N]; N];
    for (j, column) in long.iter_mut().enumerate().take(n) {
        for (i, place) in column.iter_mut().enumerate().take(m) {
            *place = One(a.get(i, j));
        }
    }
    let Some((u, v)) = vectors else {
        let lengths = decompose::<_, N>(&mut long, None, n);
        for (value, length) in values.iter_mut().zip(&lengths.values) {
            *value = length.0;
        }
        return lengths.wrong & 1 == 0;
    };
    let mut short = unit();
    let lengths = decompose(&mut long, Some(&mut short), n);
    for (value, length) in values.iter_mut().zip(&lengths.values) {
        *value = length.0;
    }
    let (mut u, mut v) = if turned { (v, u) } else { (u, v) };
    for j in 0..n {
        (0..m).for_each(|i| *u.item(i, j) = long[j][i].0);
        (0..n).for_each(|i| *v.item(i, j) = short[j][i].0);
    }
    lengths.wrong & 1 == 0
}

/// The same for matrices side by side: values and, where there is room for them, vectors by columns. Matrices that are
/// not finite, or near overflow, are left to others.
#[inline(always)]
pub(super) fn svd_side_by_side<'a, V: Vector, const N: usize>(
    get: &impl Fn(usize) -> MatRef<'a, V::Item>,
    values: &mut [V::Item],
    u: &mut [V::Item],
    v: &mut [V::Item],
) -> Wrong {
    let (rows, columns) = get(0).shape();
    let turned = rows < columns;
    let get = |lane| {
        if turned {
            get(lane).transpose()
        } else {
            get(lane)
        }
    };
    let (m, n) = get(0).shape();
    let last = values.len() / n - 1;
    let (row, column) = get(0).strides();
    let data = V::each(|lane| {
        let matrix = get(lane.min(last));
        // Matrices of one stack lie in the same way.
        assert!(matrix.strides() == (row, column), "strides of a stack");
        matrix.data()
    });
    let nothing = V::splat(V::Item::default());
    let (mut largest, mut sum) = (nothing, nothing);
    let mut long = [[nothing; N]; N];
    for (j, line) in long.iter_mut().enumerate().take(n) {
        for (i, place) in line.iter_mut().enumerate().take(m) {
            let item = V::pick(&data, i * row + j * column);
            let size = item.abs();
            largest = V::select(V::greater(size, largest), size, largest);
            sum = sum.add(size);
            *place = item;
        }
    }
    // NaN is in the sum alone.
    let ordinary = V::bits(V::greater(largest, V::splat(V::Item::SMALL)))
        & V::bits(V::greater(V::splat(V::Item::LARGE), largest))
        & V::bits(V::equal(sum, sum));
    let lengths = if u.is_empty() {
        decompose::<_, N>(&mut long, None, n)
    } else {
        let mut short = unit();
        let lengths = decompose(&mut long, Some(&mut short), n);
        let (u, v) = if turned { (v, u) } else { (u, v) };
        write(&long, (m, n), u);
        write(&short, (n, n), v);
        lengths
    };
    for (j, length) in lengths.values.iter().enumerate().take(n) {
        let items = length.lanes();
        for (values, &item) in values.chunks_exact_mut(n).zip(&items) {
            values[j] = item;
        }
    }
    wrong(!ordinary | lengths.wrong)
}

/// The columns of identities.
#[inline(always)]
fn unit<V: Vector, const N: usize>() -> Columns<V, N> {
    let (zero, one) = (V::splat(V::Item::default()), V::splat(V::Item::ONE));
    from_fn(|j| from_fn(|i| if i == j { one } else { zero }))
}

/// Writes `n` columns of `m` items of each matrix.
#[inline(always)]
fn write<V: Vector, const N: usize>(
    from: &Columns<V, N>,
    (m, n): (usize, usize),
    to: &mut [V::Item],
) {
    for (j, column) in from.iter().enumerate().take(n) {
        for (i, item) in column.iter().enumerate().take(m) {
            let items = item.lanes();
            for (to, &item) in to.chunks_exact_mut(m * n).zip(&items) {
                to[j * m + i] = item;
            }
        }
    }
}

/// Singular values, and the lanes without a result.
struct Lengths<V, const N: usize> {
    values: [V; N],
    wrong: u16,
}

/// Makes `n` columns of length 1 or, without `turned`, of any length, which are orthogonal; does to the columns of
/// `turned` what was done to them.
#[inline(always)]
fn decompose<V: Vector, const N: usize>(
    a: &mut Columns<V, N>,
    mut turned: Option<&mut Columns<V, N>>,
    n: usize,
) -> Lengths<V, N> {
    let nothing = V::splat(V::Item::default());
    let mut wrong = !0;
    for _ in 0..ROUNDS_MAX {
        wrong = 0;
        for p in 0..n {
            for q in p + 1..n {
                wrong |= rotate(a, turned.as_deref_mut(), (p, q));
            }
        }
        if wrong == 0 {
            break;
        }
    }
    let mut values = [nothing; N];
    for (value, column) in values.iter_mut().zip(a.iter()).take(n) {
        *value = dot(column, column).sqrt();
    }
    if let Some(turned) = turned {
        // Nothing says where the vectors of values that are but roundings of others point.
        let share = V::Item::from_f64(16.0 * N as f64);
        let least = values[0].mul(V::splat(V::Item::EPSILON * share));
        for (&value, column) in values.iter().zip(a.iter_mut()).take(n) {
            wrong |= !V::bits(V::greater(value, least));
            let inverse = V::splat(V::Item::ONE).div(value);
            for item in column {
                *item = item.mul(inverse);
            }
        }
        // What is done to other lanes may change the signs of zeros.
        for item in a.iter_mut().chain(turned).flatten() {
            *item = item.add(nothing);
        }
    }
    Lengths { values, wrong }
}

/// The sum of products, added up in halves.
#[inline(always)]
fn dot<V: Vector, const N: usize>(a: &[V; N], b: &[V; N]) -> V {
    let mut sums: [V; N] = from_fn(|i| a[i].mul(b[i]));
    let mut half = N / 2;
    while half > 0 {
        for i in 0..half {
            sums[i] = sums[i].add(sums[i + half]);
        }
        half /= 2;
    }
    sums[0]
}

/// Makes columns `p` and `q` orthogonal, the longer one first, and says in which lanes they were not.
#[inline(always)]
fn rotate<V: Vector, const N: usize>(
    a: &mut Columns<V, N>,
    turned: Option<&mut Columns<V, N>>,
    (p, q): (usize, usize),
) -> u16 {
    let (zero, one) = (V::splat(V::Item::default()), V::splat(V::Item::ONE));
    let (first, last) = (dot(&a[p], &a[p]), dot(&a[q], &a[q]));
    let product = dot(&a[p], &a[q]);
    let tolerance = V::Item::EPSILON * V::Item::from_f64((N as f64).sqrt());
    let limit = first.mul(last).mul(V::splat(tolerance * tolerance));
    let is_large = V::greater(product.mul(product), limit);
    let is_longer = V::greater(last, first);
    let lanes = V::bits(is_large);
    if lanes | V::bits(is_longer) == 0 {
        return 0;
    }
    // The tangent of the smaller angle.
    let (apart, double) = (last.sub(first), product.add(product));
    let size = apart.mul(apart).add(double.mul(double)).sqrt();
    let size = V::select(is_longer, size, zero.sub(size));
    let tangent = V::select(is_large, double.div(apart.add(size)), zero);
    let cosine = one.div(tangent.mul(tangent).add(one).sqrt());
    let sine = tangent.mul(cosine);
    // With columns exchanged, and one of them turned round, where the other one is longer.
    let own = V::select(is_longer, sine, cosine);
    let other = V::select(is_longer, cosine, zero.sub(sine));
    turn(a, (p, q), (own, other));
    if let Some(turned) = turned {
        turn(turned, (p, q), (own, other));
    }
    lanes
}

#[inline(always)]
fn turn<V: Vector, const N: usize>(
    a: &mut Columns<V, N>,
    (p, q): (usize, usize),
    (own, other): (V, V),
) {
    let (x, y) = (a[p], a[q]);
    a[p] = from_fn(|i| own.mul(x[i]).add(other.mul(y[i])));
    a[q] = from_fn(|i| own.mul(y[i]).sub(other.mul(x[i])));
}
