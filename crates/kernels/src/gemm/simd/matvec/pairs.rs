//! A matrix times two vectors, which is read once.

use super::super::{LANES_MAX, Register};
use super::{COLUMNS, MatVec};

/// Two columns of results by dot products, as [`dots`](super::dots) computes one: the items of the second vector lie after those
/// of the first, and the two results of a row side by side.
///
/// # Safety
/// As for [`dots`](super::dots), for such vectors and results.
#[inline(always)]
pub(in super::super) unsafe fn dot_pairs<V: Register>(it: &MatVec<V::Item>) {
    let whole = it.rows / 4 * 4;
    for row in (0..whole).step_by(4) {
        // SAFETY: the rows are there.
        unsafe { some_dot_pairs::<V, 4>(it, row) };
    }
    for row in whole..it.rows {
        // SAFETY: as above.
        unsafe { some_dot_pairs::<V, 1>(it, row) };
    }
}

/// # Safety
/// As for [`dot_pairs`], and the rows from `first` on, four at most, are there.
#[inline(always)]
unsafe fn some_dot_pairs<V: Register, const ROWS: usize>(it: &MatVec<V::Item>, first: usize) {
    let rows: [*const V::Item; ROWS] =
        core::array::from_fn(|row| it.a.wrapping_add((first + row) * it.a_row));
    let mut sums = [[V::zero(); 4]; 2];
    let whole = it.k / V::COUNT * V::COUNT;
    for l in (0..whole).step_by(V::COUNT) {
        // SAFETY: `l + V::COUNT` is at most `k`.
        unsafe {
            let right = [V::load(it.x.add(l)), V::load(it.x.add(it.k + l))];
            for row in 0..ROWS {
                let left = V::load(rows[row].add(l));
                sums[0][row] = sums[0][row].add_product(left, right[0]);
                sums[1][row] = sums[1][row].add_product(left, right[1]);
            }
        }
    }
    if whole < it.k {
        let count = it.k - whole;
        // SAFETY: as above; zeros stand for what is not there.
        unsafe {
            let right = [whole, it.k + whole].map(|l| V::load_some(it.x.add(l), count));
            for row in 0..ROWS {
                let left = V::load_some(rows[row].add(whole), count);
                sums[0][row] = sums[0][row].add_product(left, right[0]);
                sums[1][row] = sums[1][row].add_product(left, right[1]);
            }
        }
    }
    for (which, sums) in sums.into_iter().enumerate() {
        for (row, sum) in V::totals(sums).into_iter().enumerate().take(ROWS) {
            // SAFETY: the row is there.
            unsafe { *it.y.add(2 * (first + row) + which) = sum };
        }
    }
}

/// [`dot_pairs`] where it is the items of a column of `a` that lie side by side.
///
/// # Safety
/// As there.
#[inline(always)]
pub(in super::super) unsafe fn band_pairs<V: Register>(it: &MatVec<V::Item>) {
    let mut first = 0;
    while first < it.rows {
        // SAFETY: the rows are there.
        first += unsafe {
            match (it.rows - first) / V::COUNT {
                4.. => band_pair::<V, 4, true>(it, first),
                1.. => band_pair::<V, 1, true>(it, first),
                0 => band_pair::<V, 1, false>(it, first),
            }
        };
    }
}

/// As [`band`](super::band), for two vectors.
///
/// # Safety
/// As for [`band_pairs`], and the rows are there.
#[inline(always)]
unsafe fn band_pair<V: Register, const REGISTERS: usize, const FULL: bool>(
    it: &MatVec<V::Item>,
    first: usize,
) -> usize {
    let rows = (REGISTERS * V::COUNT).min(it.rows - first);
    let mut sums = [[V::zero(); REGISTERS]; 2];
    let mut a = it.a.wrapping_add(first);
    for l in 0..it.k {
        // SAFETY: the rows of the column are there, and its factors.
        unsafe {
            let factors = [V::splat(*it.x.add(l)), V::splat(*it.x.add(it.k + l))];
            for register in 0..REGISTERS {
                let from = a.wrapping_add(register * V::COUNT);
                if FULL && register % 2 == 0 {
                    V::prefetch(from.wrapping_add(COLUMNS * it.a_column));
                }
                let items = if FULL {
                    V::load(from)
                } else {
                    V::load_some(from, rows)
                };
                for (sums, factor) in sums.iter_mut().zip(factors) {
                    sums[register] = sums[register].add_product(items, factor);
                }
            }
        }
        a = a.wrapping_add(it.a_column);
    }
    let mut lanes = [V::Item::default(); LANES_MAX];
    for (which, sums) in sums.into_iter().enumerate() {
        for (register, sum) in sums.into_iter().enumerate() {
            // SAFETY: the buffer holds any register, and the rows are there.
            unsafe {
                sum.store(lanes.as_mut_ptr());
                let top = first + register * V::COUNT;
                for (row, &sum) in lanes.iter().enumerate().take(V::COUNT.min(rows)) {
                    *it.y.add(2 * (top + row) + which) = sum;
                }
            }
        }
    }
    rows
}
