//! Leaves with registers along rows: triangular systems and Cholesky's factor.
//!
//! A tile of up to four rows and three registers takes the multiples of all rows before it while it is in
//! registers, and what its own rows take from each other.

use super::super::{Diagonal, Triangle};
use super::{LANES_MAX, Register, spill};
use crate::{Field, Float, MatMut, MatRef};
use std::ops::Range;

/// Rows of a tile.
const ROWS: usize = 4;
/// Registers of a row of a tile.
const WIDE: usize = 3;

/// Where a tile is, and the rows that it takes multiples of.
#[derive(Clone, Copy)]
struct Strip<T> {
    /// The multipliers: item `(i, k)` for row `i` of the tile.
    factor: *const T,
    factor_row: isize,
    factor_column: isize,
    /// The first of the rows before the tile.
    known: *const T,
    depth: usize,
    /// The tile, and the distance of its rows and of those before it.
    tile: *mut T,
    step: isize,
    /// Items of a row.
    width: usize,
}

type Tile<V, const R: usize, const C: usize> = [[V; C]; R];

impl<T: Float> Strip<T> {
    #[inline(always)]
    unsafe fn factor(&self, i: usize, k: usize) -> T {
        let at = i as isize * self.factor_row + k as isize * self.factor_column;
        // SAFETY: the caller asks for items of the triangle.
        unsafe { *self.factor.offset(at) }
    }

    /// Register `c` of a row: all of it, or the items that the only one has.
    #[inline(always)]
    unsafe fn load<V: Register<Item = T>, const FULL: bool>(&self, row: *const T, c: usize) -> V {
        // SAFETY: the row has `width` items.
        unsafe {
            if FULL {
                V::load(row.wrapping_add(c * V::LANES))
            } else {
                V::load_some(row, self.width)
            }
        }
    }

    #[inline(always)]
    unsafe fn store<V: Register<Item = T>, const FULL: bool>(
        &self,
        row: *mut T,
        c: usize,
        value: V,
    ) {
        // SAFETY: as for `load`.
        unsafe {
            if FULL {
                value.store(row.wrapping_add(c * V::LANES));
            } else {
                value.store_some(row, self.width);
            }
        }
    }

    /// The tile without its multiples of the rows before it.
    #[inline(always)]
    unsafe fn take_known<
        V: Register<Item = T>,
        const R: usize,
        const C: usize,
        const FULL: bool,
    >(
        &self,
    ) -> Tile<V, R, C> {
        // SAFETY: the caller vouches for the strip.
        unsafe {
            let mut tile = [[V::splat(T::default()); C]; R];
            for (i, line) in tile.iter_mut().enumerate() {
                for (c, value) in line.iter_mut().enumerate() {
                    *value = self.load::<V, FULL>(self.tile.offset(i as isize * self.step), c);
                }
            }
            let mut row = self.known;
            for k in 0..self.depth {
                let mut known = [V::splat(T::default()); C];
                for (c, value) in known.iter_mut().enumerate() {
                    *value = self.load::<V, FULL>(row, c);
                }
                for (i, line) in tile.iter_mut().enumerate() {
                    let factor = V::splat(self.factor(i, k));
                    for (value, &known) in line.iter_mut().zip(&known) {
                        *value = value.less_product(factor, known);
                    }
                }
                row = row.wrapping_offset(self.step);
            }
            tile
        }
    }

    #[inline(always)]
    unsafe fn write<V: Register<Item = T>, const R: usize, const C: usize, const FULL: bool>(
        &self,
        tile: &Tile<V, R, C>,
    ) {
        for (i, line) in tile.iter().enumerate() {
            for (c, &value) in line.iter().enumerate() {
                // SAFETY: the caller vouches for the strip.
                unsafe {
                    self.store::<V, FULL>(self.tile.offset(i as isize * self.step), c, value);
                };
            }
        }
    }

    /// The tile of a triangular system, whose pivots are `known` after `depth` columns of the factor.
    #[inline(always)]
    unsafe fn solve<V: Register<Item = T>, const R: usize, const C: usize, const FULL: bool>(
        &self,
        pivots: Pivots<'_, T>,
    ) {
        // SAFETY: the caller vouches for the strip.
        unsafe {
            let mut tile = self.take_known::<V, R, C, FULL>();
            for i in 0..R {
                let (above, line) = tile.split_at_mut(i);
                for (k, known) in above.iter().enumerate() {
                    let factor = V::splat(self.factor(i, self.depth + k));
                    for (value, &known) in line[0].iter_mut().zip(known) {
                        *value = value.less_product(factor, known);
                    }
                }
                for value in &mut line[0] {
                    *value = match pivots {
                        Pivots::Ones => *value,
                        Pivots::Stored => value.div(V::splat(self.factor(i, self.depth + i))),
                        Pivots::Inverse(inverse) => value.mul(V::splat(inverse[i])),
                    };
                }
            }
            self.write::<V, R, C, FULL>(&tile);
        }
    }

    /// The tile on the diagonal of Cholesky's factor; the inverses of the pivots, or the row without one.
    #[inline(always)]
    unsafe fn factor_tile<
        V: Register<Item = T>,
        const R: usize,
        const C: usize,
        const FULL: bool,
    >(
        &self,
    ) -> Result<[T; ROWS], usize> {
        let zero = T::default();
        let (mut inverses, mut roots) = ([zero; ROWS], [zero; ROWS]);
        // SAFETY: the caller vouches for the strip; a register has at least as many lanes as a tile rows.
        unsafe {
            let mut tile = self.take_known::<V, R, C, FULL>();
            for i in 0..R {
                let pivot = spill(tile[i][0])[i];
                // What overflowed on the way is no pivot either.
                if !(pivot > zero && Field::is_finite(pivot)) {
                    return Err(i);
                }
                roots[i] = Float::sqrt(pivot);
                inverses[i] = T::ONE / roots[i];
                let inverse = V::splat(inverses[i]);
                for value in &mut tile[i] {
                    *value = value.mul(inverse);
                }
                let line = tile[i];
                let factors = spill(line[0]);
                for below in i + 1..R {
                    let factor = V::splat(factors[below]);
                    for (value, &known) in tile[below].iter_mut().zip(&line) {
                        *value = value.less_product(factor, known);
                    }
                }
            }
            self.write::<V, R, C, FULL>(&tile);
            for (i, &root) in roots.iter().enumerate().take(R) {
                *self.tile.offset(i as isize * self.step).add(i) = root;
            }
        }
        Ok(inverses)
    }
}

/// What the rows of a tile are divided by.
#[derive(Clone, Copy)]
enum Pivots<'a, T> {
    Ones,
    Stored,
    /// Multiplied with.
    Inverse(&'a [T; ROWS]),
}

/// The items of a row that the next tile has.
#[inline(always)]
fn tile_width<V: Register>(rest: usize) -> usize {
    match rest / V::LANES {
        0 => rest,
        1 => V::LANES,
        2 => 2 * V::LANES,
        _ => WIDE * V::LANES,
    }
}

/// Calls a method of the strip for tiles of its rows and width.
macro_rules! with_tile {
    ($rows:expr, $strip:ident.$method:ident::<$V:ident>($argument:tt)) => {
        match $rows {
            1 => with_tile!($strip.$method::<$V, 1>($argument)),
            2 => with_tile!($strip.$method::<$V, 2>($argument)),
            3 => with_tile!($strip.$method::<$V, 3>($argument)),
            _ => with_tile!($strip.$method::<$V, 4>($argument)),
        }
    };
    ($strip:ident.$method:ident::<$V:ident, $R:literal>(($($argument:expr)?))) => {
        match $strip.width / $V::LANES {
            0 => $strip.$method::<$V, $R, 1, false>($($argument)?),
            1 => $strip.$method::<$V, $R, 1, true>($($argument)?),
            2 => $strip.$method::<$V, $R, 2, true>($($argument)?),
            _ => $strip.$method::<$V, $R, 3, true>($($argument)?),
        }
    };
}

/// Solves `a x = b`, `b` becoming `x`; the items of its rows lie side by side.
#[inline(always)]
pub(super) unsafe fn substitute<V: Register>(
    (a, (triangle, diagonal)): (MatRef<'_, V::Item>, (Triangle, Diagonal)),
    b: &mut MatMut<'_, V::Item>,
) {
    let (n, columns) = b.shape();
    assert!(a.shape() == (n, n) && b.strides().1 == 1, "shapes and rows");
    if n == 0 || columns == 0 {
        return;
    }
    let (step, (row, column)) = (b.strides().0 as isize, a.strides());
    let (row, column) = (row as isize, column as isize);
    let (first, start) = (a.data().as_ptr(), b.data_mut().as_mut_ptr());
    let pivots = match diagonal {
        Diagonal::Ones => Pivots::Ones,
        Diagonal::Stored => Pivots::Stored,
    };
    // From the last row up is from the first row down, turned over.
    let last = n as isize - 1;
    let (first, start, turn) = match triangle {
        Triangle::Lower => (first, start, 1),
        Triangle::Upper => (
            first.wrapping_offset(last * (row + column)),
            start.wrapping_offset(last * step),
            -1,
        ),
    };
    for i in (0..n).step_by(ROWS) {
        let rows = ROWS.min(n - i);
        let mut j = 0;
        while j < columns {
            let width = tile_width::<V>(columns - j);
            let strip = Strip {
                factor: first.wrapping_offset(i as isize * row * turn),
                factor_row: row * turn,
                factor_column: column * turn,
                known: start.wrapping_add(j),
                depth: i,
                tile: start
                    .wrapping_offset(i as isize * step * turn)
                    .wrapping_add(j),
                step: step * turn,
                width,
            };
            // SAFETY: the views have all items of their shapes, of which the strip names some, and `b` is
            // borrowed mutably, so `a` is apart from it.
            unsafe {
                with_tile!(rows, strip.solve::<V>((pivots)));
            }
            j += width;
        }
    }
}

/// Rows of Cholesky's upper factor, as [`Leaf::factor_rows`](super::Leaf::factor_rows) says.
#[inline(always)]
pub(super) unsafe fn factor<V: Register>(
    (items, step): (&mut [V::Item], usize),
    (rows, columns, known): (Range<usize>, Range<usize>, usize),
) -> Result<(), usize> {
    const { assert!(V::LANES >= ROWS && V::LANES <= LANES_MAX) };
    assert!(known <= rows.start && rows.start <= columns.start, "upper");
    assert!(
        columns.end <= step && rows.end * step <= items.len(),
        "rows"
    );
    let start = items.as_mut_ptr();
    let has_diagonal = columns.start == rows.start;
    for i in rows.clone().step_by(ROWS) {
        let count = ROWS.min(rows.end - i);
        let mut inverses = None;
        let mut j = columns.start.max(if has_diagonal { i } else { 0 });
        while j < columns.end {
            let width = tile_width::<V>(columns.end - j);
            let strip = Strip {
                factor: start.wrapping_add(known * step + i),
                factor_row: 1,
                factor_column: step as isize,
                known: start.wrapping_add(known * step + j),
                depth: i - known,
                tile: start.wrapping_add(i * step + j),
                step: step as isize,
                width,
            };
            // SAFETY: the rows and columns are inside the items; a tile on the diagonal has at least as many
            // columns as rows.
            unsafe {
                if has_diagonal && j == i {
                    let found = with_tile!(count, strip.factor_tile::<V>(()));
                    inverses = Some(found.map_err(|row| i + row)?);
                } else {
                    let inverses = *inverses.get_or_insert_with(|| {
                        std::array::from_fn(|row| {
                            let at = (i + row.min(count - 1)) * (step + 1);
                            V::Item::ONE / *start.add(at)
                        })
                    });
                    let pivots = Pivots::Inverse(&inverses);
                    with_tile!(count, strip.solve::<V>((pivots)));
                }
            }
            j += width;
        }
    }
    Ok(())
}
