//! A matrix times a vector.

mod pairs;

use super::{LANES_MAX, Register};
pub(super) use pairs::{band_pairs, dot_pairs};

/// `rows` results of `k` products each. Strides count items.
#[derive(Clone, Copy, Debug)]
pub(in crate::gemm) struct MatVec<T> {
    pub(in crate::gemm) rows: usize,
    pub(in crate::gemm) k: usize,
    /// How many products are added up at a time, as in the tiles.
    pub(in crate::gemm) depth: usize,
    pub(in crate::gemm) a: *const T,
    pub(in crate::gemm) a_row: usize,
    pub(in crate::gemm) a_column: usize,
    /// Items that lie side by side.
    pub(in crate::gemm) x: *const T,
    pub(in crate::gemm) y: *mut T,
    pub(in crate::gemm) y_step: usize,
    pub(in crate::gemm) alpha: T,
    /// `None` when the result is overwritten.
    pub(in crate::gemm) beta: Option<T>,
}

/// Computes dot products, four rows at a time. The order of each sum depends on its length alone.
///
/// # Safety
/// What `it` names is readable and writable, the items of a row of `a` lie side by side, and the machine
/// has the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn dots<V: Register>(it: &MatVec<V::Item>) {
    let whole = it.rows / 4 * 4;
    for row in (0..whole).step_by(4) {
        // SAFETY: the rows are there.
        unsafe { some_dots::<V, 4>(it, row) };
    }
    for row in whole..it.rows {
        // SAFETY: as above.
        unsafe { some_dots::<V, 1>(it, row) };
    }
}

/// # Safety
/// As for [`dots`], and the rows from `first` on, four at most, are there.
#[inline(always)]
unsafe fn some_dots<V: Register, const ROWS: usize>(it: &MatVec<V::Item>, first: usize) {
    let rows: [*const V::Item; ROWS] =
        core::array::from_fn(|row| it.a.wrapping_add((first + row) * it.a_row));
    let (mut even, mut odd) = ([V::zero(); ROWS], [V::zero(); ROWS]);
    let step = 2 * V::COUNT;
    let whole = it.k / step * step;
    for l in (0..whole).step_by(step) {
        // SAFETY: `l + step` is at most `k`.
        unsafe {
            let right = [V::load(it.x.add(l)), V::load(it.x.add(l + V::COUNT))];
            for row in 0..ROWS {
                let at = rows[row].add(l);
                even[row] = even[row].add_product(V::load(at), right[0]);
                odd[row] = odd[row].add_product(V::load(at.add(V::COUNT)), right[1]);
            }
        }
    }
    let mut l = whole;
    if l + V::COUNT <= it.k {
        // SAFETY: as above.
        unsafe {
            let right = V::load(it.x.add(l));
            for row in 0..ROWS {
                even[row] = even[row].add_product(V::load(rows[row].add(l)), right);
            }
        }
        l += V::COUNT;
    }
    if l < it.k {
        let count = it.k - l;
        // SAFETY: as above; zeros stand for what is not there.
        unsafe {
            let right = V::load_some(it.x.add(l), count);
            for row in 0..ROWS {
                odd[row] = odd[row].add_product(V::load_some(rows[row].add(l), count), right);
            }
        }
    }
    let mut sums = [V::zero(); 4];
    for row in 0..ROWS {
        sums[row] = even[row].add(odd[row]);
    }
    // SAFETY: the rows are there.
    unsafe { write::<V>(it, first, &V::totals(sums)[..ROWS], it.beta) };
}

/// Adds sums to the results from row `first` on.
///
/// # Safety
/// The rows are there.
#[inline(always)]
unsafe fn write<V: Register>(
    it: &MatVec<V::Item>,
    first: usize,
    sums: &[V::Item],
    beta: Option<V::Item>,
) {
    for (row, &sum) in (first..).zip(sums) {
        // SAFETY: the caller says so.
        unsafe {
            let place = it.y.add(row * it.y_step);
            let new = it.alpha * sum;
            *place = beta.map_or(new, |beta| new + beta * *place);
        }
    }
}

/// Calls `f` for each block of products with its first one, their number, and what becomes of the old results.
#[inline(always)]
fn blocks<T: Copy>(it: &MatVec<T>, one: T, mut f: impl FnMut(usize, usize, Option<T>)) {
    // Without products the result is still scaled.
    for l in (0..it.k.max(1)).step_by(it.depth) {
        let beta = if l == 0 { it.beta } else { Some(one) };
        f(l, it.depth.min(it.k - l), beta);
    }
}

/// Registers of sums that [`turned`] has under way, so that the next addition need not wait for the last.
const GROUPS: usize = 2;

/// Adds the products of a row one after the other, as the tiles do, for several rows at a time: square blocks
/// are turned in registers.
///
/// # Safety
/// As for [`dots`].
#[inline(always)]
pub(super) unsafe fn turned<V: Register>(it: &MatVec<V::Item>, one: V::Item) {
    let height = GROUPS * V::COUNT;
    let whole = it.rows / height * height;
    for row in (0..whole).step_by(height) {
        // SAFETY: the rows are there.
        unsafe { some_turned::<V, GROUPS>(it, row, one) };
    }
    let groups = it.rows / V::COUNT * V::COUNT;
    for row in (whole..groups).step_by(V::COUNT) {
        // SAFETY: as above.
        unsafe { some_turned::<V, 1>(it, row, one) };
    }
    for row in groups..it.rows {
        blocks(it, one, |l, depth, beta| {
            let mut sum = V::zero();
            for l in l..l + depth {
                // SAFETY: the row and its items are there.
                let (left, right) = unsafe { (*it.a.add(row * it.a_row + l), *it.x.add(l)) };
                sum = sum.add_product(V::splat(left), V::splat(right));
            }
            let mut lanes = [V::Item::default(); LANES_MAX];
            // SAFETY: the buffer holds any register, and the row is there.
            unsafe {
                sum.store(lanes.as_mut_ptr());
                write::<V>(it, row, &lanes[..1], beta);
            }
        });
    }
}

/// # Safety
/// As for [`turned`], and `GROUPS * V::COUNT` rows from `first` on are there.
#[inline(always)]
unsafe fn some_turned<V: Register, const GROUPS: usize>(
    it: &MatVec<V::Item>,
    first: usize,
    one: V::Item,
) {
    let a = it.a.wrapping_add(first * it.a_row);
    let height = V::COUNT * it.a_row;
    blocks(it, one, |start, depth, beta| {
        let mut sums = [V::zero(); GROUPS];
        let whole = start + depth / V::COUNT * V::COUNT;
        for l in (start..whole).step_by(V::COUNT) {
            for (group, sum) in sums.iter_mut().enumerate() {
                // SAFETY: `l + V::COUNT` is at most `k`, and the rows are there.
                *sum = unsafe {
                    let rows = a.add(group * height + l);
                    sum.add_columns(rows, it.a_row, it.x.add(l))
                };
            }
        }
        let mut lanes = [V::Item::default(); LANES_MAX];
        for (group, mut sum) in sums.into_iter().enumerate() {
            // SAFETY: as above; the buffer holds any register.
            unsafe {
                for l in whole..start + depth {
                    for (lane, item) in lanes.iter_mut().enumerate().take(V::COUNT) {
                        *item = *a.add(group * height + lane * it.a_row + l);
                    }
                    let right = V::splat(*it.x.add(l));
                    sum = sum.add_product(V::load(lanes.as_ptr()), right);
                }
                sum.store(lanes.as_mut_ptr());
                write::<V>(it, first + group * V::COUNT, &lanes[..V::COUNT], beta);
            }
        }
    });
}

/// Items of a matrix that [`sweep`] reads by bands of rows, whose sums stay in registers: such as stay in a cache.
const BANDS_MAX: usize = 1 << 14;
/// Registers of a band.
const BAND: usize = 8;
/// Sums that [`sweep`] keeps in the first-level cache.
const SUMS: usize = 1024;
/// Columns that it reads at a time.
const COLUMNS: usize = 8;

/// Adds a column of `a` times its factor after the other to all sums, which lie side by side.
///
/// # Safety
/// As for [`dots`], but it is the items of a column of `a` that lie side by side.
#[inline(always)]
pub(super) unsafe fn sweep<V: Register>(it: &MatVec<V::Item>, one: V::Item) {
    if it.rows * it.k <= BANDS_MAX {
        let mut first = 0;
        while first < it.rows {
            let registers = (it.rows - first) / V::COUNT;
            // SAFETY: the rows are there.
            first += unsafe {
                match registers {
                    BAND.. => band::<V, BAND, true>(it, first, one),
                    4.. => band::<V, 4, true>(it, first, one),
                    2.. => band::<V, 2, true>(it, first, one),
                    1 => band::<V, 1, true>(it, first, one),
                    0 => band::<V, 1, false>(it, first, one),
                }
            };
        }
        return;
    }
    for first in (0..it.rows).step_by(SUMS) {
        let rows = SUMS.min(it.rows - first);
        let a = it.a.wrapping_add(first);
        blocks(it, one, |start, depth, beta| {
            let mut sums = [V::Item::default(); SUMS];
            let sums = &mut sums[..rows];
            let whole = start + depth / COLUMNS * COLUMNS;
            for l in (start..whole).step_by(COLUMNS) {
                // SAFETY: the columns and their factors are there.
                unsafe { add_columns::<V, COLUMNS>(it, a, l, sums) };
            }
            for l in whole..start + depth {
                // SAFETY: as above.
                unsafe { add_columns::<V, 1>(it, a, l, sums) };
            }
            // SAFETY: the rows are there.
            unsafe { write::<V>(it, first, sums, beta) };
        });
    }
}

/// The sums of the rows from `first` on, as many as the registers hold, or where they are not `FULL` of the rows
/// that are left; says how many.
///
/// # Safety
/// As for [`sweep`], and the rows are there.
#[inline(always)]
unsafe fn band<V: Register, const REGISTERS: usize, const FULL: bool>(
    it: &MatVec<V::Item>,
    first: usize,
    one: V::Item,
) -> usize {
    let rows = (REGISTERS * V::COUNT).min(it.rows - first);
    blocks(it, one, |start, depth, beta| {
        let mut sums = [V::zero(); REGISTERS];
        let mut a = it.a.wrapping_add(first + start * it.a_column);
        for l in start..start + depth {
            // SAFETY: the rows of the column are there, and its factor.
            unsafe {
                let factor = V::splat(*it.x.add(l));
                for (register, sum) in sums.iter_mut().enumerate() {
                    // Half of a line of the cache for each register of AVX2.
                    if REGISTERS == BAND && register % 2 == 0 {
                        V::prefetch(a.wrapping_add(COLUMNS * it.a_column + register * V::COUNT));
                    }
                    let items = if FULL {
                        V::load(a.add(register * V::COUNT))
                    } else {
                        V::load_some(a, rows)
                    };
                    *sum = sum.add_product(items, factor);
                }
            }
            a = a.wrapping_add(it.a_column);
        }
        let mut lanes = [V::Item::default(); LANES_MAX];
        for (register, sum) in sums.into_iter().enumerate() {
            // SAFETY: the buffer holds any register, and the rows are there.
            unsafe {
                sum.store(lanes.as_mut_ptr());
                let there = V::COUNT.min(rows);
                write::<V>(it, first + register * V::COUNT, &lanes[..there], beta);
            }
        }
    });
    rows
}

/// # Safety
/// As for [`sweep`], and `COLUMNS` columns from `l` on are there.
#[inline(always)]
unsafe fn add_columns<V: Register, const COLUMNS: usize>(
    it: &MatVec<V::Item>,
    a: *const V::Item,
    l: usize,
    sums: &mut [V::Item],
) {
    // SAFETY: the factors are there.
    let factors: [V; COLUMNS] = core::array::from_fn(|i| V::splat(unsafe { *it.x.add(l + i) }));
    let place = |i: usize| a.wrapping_add((l + i) * it.a_column);
    let columns: [*const V::Item; COLUMNS] = core::array::from_fn(place);
    let whole = sums.len() / V::COUNT * V::COUNT;
    for row in (0..whole).step_by(V::COUNT) {
        // SAFETY: `row + V::COUNT` is at most the number of sums, and of rows that are there.
        unsafe {
            let to = sums.as_mut_ptr().add(row);
            let mut sum = V::load(to);
            for (column, factor) in columns.iter().zip(factors) {
                sum = sum.add_product(V::load(column.add(row)), factor);
            }
            sum.store(to);
        }
    }
    if whole < sums.len() {
        let count = sums.len() - whole;
        // SAFETY: as above, for the rows that are left.
        unsafe {
            let to = sums.as_mut_ptr().add(whole);
            let mut sum = V::load_some(to, count);
            for (column, factor) in columns.iter().zip(factors) {
                sum = sum.add_product(V::load_some(column.add(whole), count), factor);
            }
            sum.store_some(to, count);
        }
    }
}
