//! Small products: from the operands to the result, without copies.

use super::{Real, Register, Strip};

/// Computes a product of any size whose left operand and result have the items of a column side by side.
///
/// Each item has the bits that the tile gives it.
///
/// # Safety
/// What `strip` names is readable and writable: the rows and columns that are there. The machine has the
/// instructions of `V`.
#[inline(always)]
pub(super) unsafe fn small<V: Register<Item: Real>>(strip: &Strip<V::Item>) {
    for i in (0..strip.rows).step_by(2 * V::COUNT) {
        let rows = Strip {
            a: strip.a.wrapping_add(i),
            c: strip.c.wrapping_add(i),
            rows: (strip.rows - i).min(2 * V::COUNT),
            ..*strip
        };
        // SAFETY: the caller's, for some of the rows.
        unsafe {
            if rows.rows == 2 * V::COUNT {
                columns::<V, 2, true>(&rows);
            } else if rows.rows > V::COUNT {
                columns::<V, 2, false>(&rows);
            } else if rows.rows == V::COUNT {
                columns::<V, 1, true>(&rows);
            } else {
                columns::<V, 1, false>(&rows);
            }
        }
    }
}

/// [`small`] for as many rows as `REGISTERS` hold, of which all lanes count where they are `FULL`.
///
/// # Safety
/// As for [`small`].
#[inline(always)]
unsafe fn columns<V: Register<Item: Real>, const REGISTERS: usize, const FULL: bool>(
    strip: &Strip<V::Item>,
) {
    let mut j = 0;
    while j < strip.columns {
        let left = strip.columns - j;
        // Four and four are done sooner than six and two.
        let width = if left <= 4 || left == 8 { 4 } else { 6 };
        let columns = Strip {
            b: strip.b.wrapping_add(j * strip.b_column),
            c: strip.c.wrapping_add(j * strip.c_column),
            columns: left.min(width),
            ..*strip
        };
        // SAFETY: the caller's, for some of the columns.
        unsafe {
            if width == 4 {
                block::<V, REGISTERS, 4, FULL>(&columns);
            } else {
                block::<V, REGISTERS, 6, FULL>(&columns);
            }
        }
        j += width;
    }
}

/// # Safety
/// As for [`small`], for at most `COLUMNS` columns and the rows of [`columns`].
#[inline(always)]
unsafe fn block<
    V: Register<Item: Real>,
    const REGISTERS: usize,
    const COLUMNS: usize,
    const FULL: bool,
>(
    strip: &Strip<V::Item>,
) {
    let last = strip.rows - (REGISTERS - 1) * V::COUNT;
    let mut sums = [[V::zero(); REGISTERS]; COLUMNS];
    // Columns beyond the edge repeat the last one.
    let places: [usize; COLUMNS] =
        core::array::from_fn(|column| column.min(strip.columns - 1) * strip.b_column);
    let (mut a, mut b) = (strip.a, strip.b);
    for _ in 0..strip.depth {
        // SAFETY: the rows and columns are there at each of `depth` steps.
        unsafe {
            let left: [V; REGISTERS] = core::array::from_fn(|register| {
                let from = a.add(register * V::COUNT);
                if FULL || register + 1 < REGISTERS {
                    V::load(from)
                } else {
                    V::load_some(from, last)
                }
            });
            for (sums, place) in sums.iter_mut().zip(places) {
                let right = V::splat(*b.add(place));
                for (sum, left) in sums.iter_mut().zip(left) {
                    *sum = sum.add_product(left, right);
                }
            }
        }
        // The last step may leave what is readable; the pointers are not followed then.
        a = a.wrapping_add(strip.a_step);
        b = b.wrapping_add(strip.b_step);
    }
    let alpha = V::splat(strip.alpha);
    let beta = strip.beta.map(V::splat);
    for (column, sums) in sums.iter().enumerate().take(strip.columns) {
        for (register, sum) in sums.iter().enumerate() {
            let whole = FULL || register + 1 < REGISTERS;
            let new = alpha.mul(*sum);
            // SAFETY: the rows and columns of the result are writable.
            unsafe {
                let place = strip.c.add(column * strip.c_column + register * V::COUNT);
                let new = beta.map_or(new, |beta| {
                    let old = if whole {
                        V::load(place)
                    } else {
                        V::load_some(place, last)
                    };
                    new.add(beta.mul(old))
                });
                if whole {
                    new.store(place);
                } else {
                    new.store_some(place, last);
                }
            }
        }
    }
}
