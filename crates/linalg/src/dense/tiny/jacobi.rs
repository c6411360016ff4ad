//! Eigenvalues of small symmetric matrices by rotations.
//!
//! C. G. J. Jacobi's cyclic method (Golub & Van Loan, "Matrix Computations", 4th ed., 8.5): each rotation makes a
//! pair of items off the diagonal zero, and few rounds over all pairs make them all small.

use super::simd::{One, Vector};
use super::{Block, Wrong, identity, load, store, write, wrong};
use crate::{Field, Float, MatMut, MatRef};

/// Rounds that no small matrix needs: convergence is quadratic.
const ROUNDS_MAX: usize = 16;

/// The eigenvalues and, where they are asked for, the eigenvectors of one matrix; `None` where the rounds do not
/// end.
#[inline(always)]
pub(super) fn eigh<T: Float, const N: usize>(
    a: MatRef<'_, T>,
    values: &mut [T],
    vectors: Option<&mut MatMut<'_, T>>,
) -> Option<()> {
    let mut rest: Block<One<T>, N, N> =
        std::array::from_fn(|i| std::array::from_fn(|j| One(a.get(i.max(j), i.min(j)))));
    let mut turned = identity();
    if !rotate_all(&mut rest, &mut turned) {
        return None;
    }
    for (i, value) in values.iter_mut().enumerate() {
        *value = rest[i][i].0;
    }
    if let Some(vectors) = vectors {
        write(&turned, vectors);
    }
    Some(())
}

/// The same for matrices side by side: values and, where there is room for them, vectors by columns. Matrices
/// that are not finite, or near overflow, are left to others.
#[inline(always)]
pub(super) fn eigh_side_by_side<'a, V: Vector, const N: usize>(
    get: &impl Fn(usize) -> MatRef<'a, V::Item>,
    values: &mut [V::Item],
    vectors: &mut [V::Item],
) -> Wrong {
    let last = values.len() / N - 1;
    let mut a = load::<V, N, N>(|lane| get(lane.min(last)));
    for i in 0..N {
        for j in i + 1..N {
            a[i][j] = a[j][i];
        }
    }
    let nothing = V::splat(V::Item::default());
    let (mut largest, mut sum) = (nothing, nothing);
    for item in a.iter().flatten() {
        let size = item.abs();
        largest = V::select(V::greater(size, largest), size, largest);
        sum = sum.add(size);
    }
    // NaN is in the sum alone.
    let ordinary = V::bits(V::greater(largest, V::splat(V::Item::SMALL)))
        & V::bits(V::greater(V::splat(V::Item::LARGE), largest))
        & V::bits(V::greater(V::splat(V::Item::INFINITY), sum));
    let mut v = identity();
    let ends = rotate_all(&mut a, &mut v);
    let diagonal = std::array::from_fn::<_, N, _>(|i| [a[i][i]]);
    let columns: Block<V, N, N> = std::array::from_fn(|j| std::array::from_fn(|i| v[i][j]));
    store(&diagonal, values, |_| true);
    store(&columns, vectors, |_| true);
    wrong(if ends { !ordinary } else { !0 })
}

/// Makes symmetric matrices diagonal, and says whether it has done so in all lanes.
#[inline(always)]
fn rotate_all<V: Vector, const N: usize>(a: &mut Block<V, N, N>, v: &mut Block<V, N, N>) -> bool {
    let mut sum = V::splat(V::Item::default());
    for line in a.iter() {
        for item in line {
            sum = sum.add(item.abs());
        }
    }
    // What is smaller than the rounding of the whole does not change the values.
    let share = V::Item::from_f64(0.25 / N as f64);
    let negligible = sum.mul(V::splat(V::Item::EPSILON * share));
    for _ in 0..ROUNDS_MAX {
        let mut large = 0;
        for p in 0..N {
            for q in p + 1..N {
                large |= rotate(a, v, (p, q), negligible);
            }
        }
        if large == 0 {
            return true;
        }
    }
    false
}

/// Makes `a[p][q]` zero where it is not negligible, and says in which lanes that was so.
#[inline(always)]
fn rotate<V: Vector, const N: usize>(
    a: &mut Block<V, N, N>,
    v: &mut Block<V, N, N>,
    (p, q): (usize, usize),
    negligible: V,
) -> u16 {
    let (zero, one) = (V::splat(V::Item::default()), V::splat(V::Item::ONE));
    let off = a[p][q];
    let is_large = V::greater(off.abs(), negligible);
    let lanes = V::bits(is_large);
    if lanes == 0 {
        return 0;
    }
    // The tangent of the smaller angle.
    let ratio = a[q][q].sub(a[p][p]).div(off.add(off));
    let size = ratio.abs();
    let tangent = one.div(size.add(size.mul(size).add(one).sqrt()));
    let tangent = V::select(V::greater(zero, ratio), zero.sub(tangent), tangent);
    let cosine = one.div(tangent.mul(tangent).add(one).sqrt());
    let sine = tangent.mul(cosine);
    let change = tangent.mul(off);
    // Lanes without a rotation keep even the signs of their zeros.
    let keep = |new: V, old: V| V::select(is_large, new, old);
    a[p][p] = keep(a[p][p].sub(change), a[p][p]);
    a[q][q] = keep(a[q][q].add(change), a[q][q]);
    a[p][q] = keep(zero, off);
    a[q][p] = a[p][q];
    for r in 0..N {
        if r != p && r != q {
            let (x, y) = (a[r][p], a[r][q]);
            a[r][p] = keep(cosine.mul(x).sub(sine.mul(y)), x);
            a[r][q] = keep(sine.mul(x).add(cosine.mul(y)), y);
            a[p][r] = a[r][p];
            a[q][r] = a[r][q];
        }
        let (x, y) = (v[r][p], v[r][q]);
        v[r][p] = keep(cosine.mul(x).sub(sine.mul(y)), x);
        v[r][q] = keep(sine.mul(x).add(cosine.mul(y)), y);
    }
    lanes
}
