//! Copies of rows in which the items of each column lie side by side.

/// A square of items that changes its rows with its columns.
pub(super) trait Square: Copy {
    type Item: Copy;
    /// Rows, and columns.
    const SIDE: usize;

    /// Calls `put` with each column of the square that has these rows, the first column first.
    ///
    /// # Safety
    /// `SIDE` items of each row are readable, and the machine has the instructions.
    unsafe fn turn(row: impl Fn(usize) -> *const Self::Item, put: impl FnMut(usize, Self));

    /// # Safety
    /// `SIDE` items are writable.
    unsafe fn store(self, to: *mut Self::Item);
}

impl<T: Copy, const SIDE: usize> Square for [T; SIDE] {
    type Item = T;
    const SIDE: usize = SIDE;

    #[inline(always)]
    unsafe fn turn(row: impl Fn(usize) -> *const T, mut put: impl FnMut(usize, Self)) {
        // SAFETY: the caller says so; arrays of numbers need no alignment here.
        let rows: [Self; SIDE] =
            core::array::from_fn(|i| unsafe { row(i).cast::<Self>().read_unaligned() });
        for i in 0..SIDE {
            put(i, rows.map(|row| row[i]));
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as above.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }
}

/// Items that a copy may write after its last one.
pub(in crate::gemm) const SPILL_MAX: usize = 8;

/// Copies `WIDTH` rows of `depth` items so that the items of each column lie side by side. Only the first `there`
/// rows are there; any items stand for the others.
///
/// # Safety
/// These rows are readable, with all that lies between their items. `WIDTH * depth` items are writable, and where
/// the squares' side does not divide `WIDTH` [`SPILL_MAX`] items after them too. The machine has the instructions
/// of the square.
#[inline(always)]
pub(super) unsafe fn pack<S: Square, const WIDTH: usize>(
    from: *const S::Item,
    (row, column): (usize, usize),
    (there, depth): (usize, usize),
    to: *mut S::Item,
) {
    const { assert!(S::SIDE <= SPILL_MAX) };
    let rows: [*const S::Item; WIDTH] =
        core::array::from_fn(|i| from.wrapping_add(i.min(there - 1) * row));
    if column == 1 && depth >= S::SIDE {
        // Two squares are as wide as a line of the cache, where their items have 4 or 8 bytes.
        let whole = depth / (2 * S::SIDE) * (2 * S::SIDE);
        for l in (0..whole).step_by(2 * S::SIDE) {
            // SAFETY: the columns are there.
            unsafe { pack_squares::<S, WIDTH, 2>(&rows, l, to) };
        }
        if whole + S::SIDE <= depth {
            // SAFETY: as above.
            unsafe { pack_squares::<S, WIDTH, 1>(&rows, whole, to) };
        }
        if !depth.is_multiple_of(S::SIDE) {
            // What remains is copied together with columns that have been.
            // SAFETY: as above.
            unsafe { pack_squares::<S, WIDTH, 1>(&rows, depth - S::SIDE, to) };
        }
        return;
    }
    // Of a strip with fewer rows, all columns but the last ones have what comes after these rows in memory.
    let missing = WIDTH - there;
    let short = match column {
        0 => missing * depth,
        _ => missing.div_ceil(column),
    };
    let whole = depth - short.min(depth);
    for l in 0..depth {
        // SAFETY: the items are there, and arrays of numbers need no alignment here.
        unsafe {
            let items: [S::Item; WIDTH] = if row == 1 && l < whole {
                from.add(l * column)
                    .cast::<[S::Item; WIDTH]>()
                    .read_unaligned()
            } else {
                rows.map(|row| *row.add(l * column))
            };
            to.add(l * WIDTH)
                .cast::<[S::Item; WIDTH]>()
                .write_unaligned(items);
        }
    }
}

/// [`pack`] for the columns of `COUNT` squares from `l` on.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn pack_squares<S: Square, const WIDTH: usize, const COUNT: usize>(
    rows: &[*const S::Item; WIDTH],
    l: usize,
    to: *mut S::Item,
) {
    // The lowest square goes first: what it has too much falls on places that are written after it.
    for top in (0..WIDTH).step_by(S::SIDE).rev() {
        for l in (l..l + COUNT * S::SIDE).step_by(S::SIDE) {
            let row = |i: usize| rows[(top + i).min(WIDTH - 1)].wrapping_add(l);
            // SAFETY: the caller says so.
            unsafe {
                S::turn(row, |i, items| {
                    items.store(to.wrapping_add((l + i) * WIDTH + top));
                });
            }
        }
    }
}
