//! The innermost loop of matrix multiplication: a tile of the result in registers.
//!
//! One generic algorithm; a shell per instruction set and item type chooses its registers. A tile adds its
//! products one after the other, `k` in order, each fused where the machine can: so an item of the result
//! has the same bits wherever in a tile it lies, and whether operands were packed or not.

mod convert;
mod dotted;
mod integers;
mod matvec;
mod pack;
mod portable;
mod small;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::isa::{Isa, Level};
use core::ffi::c_void;
use core::num::Wrapping;
use core::ops::{Add, Mul};

pub use convert::Narrow;
pub(super) use convert::{CellVec, ToCells, padded};
pub use dotted::{BrainPair, Dotted, Quad};
pub use integers::{Pair, Small};
pub(super) use matvec::MatVec;
pub(super) use pack::SPILL_MAX;
use pack::{Square, pack};

/// The item types that the tiles are written for.
pub trait Real:
    Copy + Default + PartialEq + Send + Sync + Add<Output = Self> + Mul<Output = Self> + 'static
{
    /// The number one.
    const ONE: Self;

    /// The innermost loops of an instruction set.
    #[doc(hidden)]
    fn loops(isa: Isa) -> Loops<Self>;
}

/// What a tile multiplies: a number, or some that lie along `k`.
pub trait Cell: Copy + Default + Send + Sync + 'static {
    /// What the products are added up in.
    type Sum: Copy
        + Default
        + PartialEq
        + Send
        + Sync
        + Add<Output = Self::Sum>
        + Mul<Output = Self::Sum>
        + 'static;
    /// The number one.
    const UNIT: Self::Sum;
    /// The numbers in a cell.
    const NUMBERS: usize;
    /// The bytes of a number, as long blocks count them.
    const BYTES: usize = size_of::<Self>() / Self::NUMBERS;
    /// Cells after those of the numbers, whose products `Factor::add_tail` adds.
    const TAIL: usize = 0;

    /// The tile of an instruction set.
    #[doc(hidden)]
    fn tile(isa: Isa) -> Tile<Self>;
}

impl<T: Real> Cell for T {
    type Sum = T;
    const UNIT: T = T::ONE;
    const NUMBERS: usize = 1;

    #[inline]
    fn tile(isa: Isa) -> Tile<T> {
        T::loops(isa).tile
    }
}

/// The innermost loops of an instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Loops<T: Cell> {
    /// As much of the result as the registers hold.
    pub(super) tile: Tile<T>,
    pub(super) packs: Packs<T>,
    /// A column of results by dot products, where the items of a row lie side by side.
    pub(super) dots: MatVecFn<T>,
    /// The same with the bits that the tile gives.
    pub(super) turned: MatVecFn<T>,
    /// As `turned`, where the items of a column lie side by side.
    pub(super) sweep: MatVecFn<T>,
    /// Two columns of results, where the items of a row lie side by side.
    pub(super) dot_pairs: MatVecFn<T>,
    /// The same where those of a column do.
    pub(super) band_pairs: MatVecFn<T>,
    /// A product of any size, where those of the left operand and of the result do.
    pub(super) small: unsafe fn(&Strip<T>),
}

pub(super) type MatVecFn<T> = unsafe fn(&MatVec<T>);

/// A tile: its size, and the code that computes it.
#[derive(Clone, Copy, Debug)]
pub struct Tile<P: Cell> {
    /// Rows: items of the result that lie in one register after the other.
    pub(super) rows: usize,
    /// Columns.
    pub(super) columns: usize,
    pub(super) run: unsafe fn(&Strip<P>),
}

/// Copies of rows in which the cells of each column lie side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packs<P> {
    /// Copies as many rows as the tile has.
    pub(super) rows: Pack<P>,
    /// The same for as many rows as the tile has columns.
    pub(super) columns: Pack<P>,
}

/// From where, items between rows and between columns, how many rows are there (the others are filled up with
/// any) and how many columns, to where.
pub(super) type Pack<P> = unsafe fn(*const c_void, (usize, usize), (usize, usize), *mut P);

/// What a tile is computed of. Strides count cells, in `c` items.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip<P: Cell> {
    /// Cells whose products are added up for each item.
    pub(super) depth: usize,
    /// `rows` cells of the left operand that lie side by side, for each of `depth` steps.
    pub(super) a: *const P,
    pub(super) a_step: usize,
    /// A cell of the right operand for each column and step.
    pub(super) b: *const P,
    pub(super) b_step: usize,
    pub(super) b_column: usize,
    pub(super) c: *mut P::Sum,
    pub(super) c_row: usize,
    pub(super) c_column: usize,
    /// Rows and columns that are there: all of the tile's, or fewer at an edge.
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) alpha: P::Sum,
    /// `None` when the result is overwritten.
    pub(super) beta: Option<P::Sum>,
}

/// Some cells that are multiplied together.
trait Factor: Copy {
    type Cell: Cell<Sum = <Self::Sum as Register>::Item>;
    /// Where the products are added up, as many as there are cells.
    type Sum: Register;

    /// # Safety
    /// As many cells are readable as the sums have items.
    unsafe fn load(from: *const Self::Cell) -> Self;
    fn splat(cell: Self::Cell) -> Self;
    /// `sum` and the products of the cells.
    fn add_to(sum: Self::Sum, a: Self, b: Self) -> Self::Sum;
    /// The same of the cells at the end.
    #[inline(always)]
    fn add_tail(sum: Self::Sum, _a: Self, _b: Self) -> Self::Sum {
        sum
    }
}

impl<V: Register<Item: Real>> Factor for V {
    type Cell = V::Item;
    type Sum = V;

    #[inline(always)]
    unsafe fn load(from: *const V::Item) -> Self {
        // SAFETY: the caller says so.
        unsafe { Register::load(from) }
    }
    #[inline(always)]
    fn splat(cell: V::Item) -> Self {
        Register::splat(cell)
    }
    #[inline(always)]
    fn add_to(sum: V, a: Self, b: Self) -> V {
        sum.add_product(a, b)
    }
}

/// Some items that move together.
trait Register: Copy {
    type Item: Copy + Default + Add<Output = Self::Item> + Mul<Output = Self::Item>;
    const COUNT: usize;

    fn zero() -> Self;
    fn splat(value: Self::Item) -> Self;
    /// `self + a * b`, fused where the machine can.
    fn add_product(self, a: Self, b: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn add(self, other: Self) -> Self;
    /// # Safety
    /// `COUNT` items are readable.
    unsafe fn load(from: *const Self::Item) -> Self;
    /// # Safety
    /// `COUNT` items are writable.
    unsafe fn store(self, to: *mut Self::Item);

    /// The first `count` items, at most `COUNT`; the others are zeros.
    ///
    /// # Safety
    /// These are readable.
    #[inline(always)]
    unsafe fn load_some(from: *const Self::Item, count: usize) -> Self {
        let mut lanes = [Self::Item::default(); LANES_MAX];
        for (lane, item) in lanes.iter_mut().enumerate().take(count) {
            // SAFETY: the caller says so.
            *item = unsafe { *from.add(lane) };
        }
        // SAFETY: the buffer holds any register.
        unsafe { Self::load(lanes.as_ptr()) }
    }

    /// Writes the first `count` items, at most `COUNT`.
    ///
    /// # Safety
    /// These are writable.
    #[inline(always)]
    unsafe fn store_some(self, to: *mut Self::Item, count: usize) {
        let mut lanes = [Self::Item::default(); LANES_MAX];
        // SAFETY: the buffer holds any register, and the caller vouches for the items.
        unsafe {
            self.store(lanes.as_mut_ptr());
            for (lane, item) in lanes.into_iter().enumerate().take(count) {
                *to.add(lane) = item;
            }
        }
    }

    /// The sum of the items of each, added up in pairs.
    #[inline(always)]
    fn totals(of: [Self; 4]) -> [Self::Item; 4] {
        of.map(|register| {
            let mut lanes = [Self::Item::default(); LANES_MAX];
            // SAFETY: the buffer holds any register.
            unsafe { register.store(lanes.as_mut_ptr()) };
            let mut width = Self::COUNT / 2;
            while width > 0 {
                for lane in 0..width {
                    lanes[lane] = lanes[lane] + lanes[lane + width];
                }
                width /= 2;
            }
            lanes[0]
        })
    }

    /// Asks for what will be read.
    #[inline(always)]
    fn prefetch(_from: *const Self::Item) {}

    /// Adds the products of `COUNT` columns with as many factors, the first column first; column `i` is item
    /// `i` of each of `COUNT` rows.
    ///
    /// # Safety
    /// The rows and the factors are readable.
    #[inline(always)]
    unsafe fn add_columns(
        mut self,
        rows: *const Self::Item,
        row: usize,
        factors: *const Self::Item,
    ) -> Self {
        for i in 0..Self::COUNT {
            let mut lanes = [Self::Item::default(); LANES_MAX];
            for (lane, item) in lanes.iter_mut().enumerate().take(Self::COUNT) {
                // SAFETY: the caller says so.
                *item = unsafe { *rows.add(lane * row + i) };
            }
            // SAFETY: the buffer holds any register.
            let (column, factor) =
                unsafe { (Self::load(lanes.as_ptr()), Self::splat(*factors.add(i))) };
            self = self.add_product(column, factor);
        }
        self
    }
}

/// The lanes of the widest register.
const LANES_MAX: usize = 16;

/// Columns of the tile for what remains beside whole ones.
const COLUMNS_FEW: usize = 4;

/// Computes a tile of `REGISTERS * V::Sum::COUNT` rows and `COLUMNS` columns, or fewer at an edge.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn tile_or_less<V: Factor, const REGISTERS: usize, const COLUMNS: usize>(
    strip: &Strip<V::Cell>,
) {
    // SAFETY: the caller's.
    unsafe {
        let registers = strip.rows.div_ceil(V::Sum::COUNT);
        match (registers, strip.columns <= COLUMNS_FEW) {
            (1, false) => tile::<V, 1, COLUMNS>(strip),
            (1, true) => tile::<V, 1, COLUMNS_FEW>(strip),
            (2, false) => tile::<V, 2, COLUMNS>(strip),
            (2, true) => tile::<V, 2, COLUMNS_FEW>(strip),
            (_, false) => tile::<V, REGISTERS, COLUMNS>(strip),
            (_, true) => tile::<V, REGISTERS, COLUMNS_FEW>(strip),
        }
    }
}

/// Computes a tile of `REGISTERS * V::Sum::COUNT` rows and `COLUMNS` columns.
///
/// # Safety
/// What `strip` names is readable and writable: of `a` all rows of the tile, also at an edge; of `b` and `c`
/// the rows and columns that are there. The machine has the instructions of `V`.
#[inline(always)]
unsafe fn tile<V: Factor, const REGISTERS: usize, const COLUMNS: usize>(strip: &Strip<V::Cell>) {
    let mut sums = [[V::Sum::zero(); REGISTERS]; COLUMNS];
    let (mut a, mut b) = (strip.a, strip.b);
    // Columns beyond the edge repeat the last one; what comes out of them is not written.
    let mut places = [0; COLUMNS];
    for (column, place) in places.iter_mut().enumerate() {
        let column = column.min(strip.columns - 1);
        *place = column * strip.b_column;
        for register in 0..REGISTERS {
            let row = register * V::Sum::COUNT;
            V::Sum::prefetch(strip.c.wrapping_add(column * strip.c_column + row));
        }
    }
    let body = strip.depth - V::Cell::TAIL;
    for step in 0..strip.depth {
        let left: [V; REGISTERS] = core::array::from_fn(|register| {
            // SAFETY: the tile's rows of `a` are readable at each of `depth` steps.
            unsafe { V::load(a.add(register * V::Sum::COUNT)) }
        });
        for (sums, place) in sums.iter_mut().zip(places) {
            // SAFETY: `place` is a column that is there.
            let right = V::splat(unsafe { *b.add(place) });
            for (sum, left) in sums.iter_mut().zip(left) {
                *sum = if step < body {
                    V::add_to(*sum, left, right)
                } else {
                    V::add_tail(*sum, left, right)
                };
            }
        }
        // The last step may leave what is readable; the pointers are not followed then.
        a = a.wrapping_add(strip.a_step);
        b = b.wrapping_add(strip.b_step);
    }
    // SAFETY: as above.
    unsafe { write::<V::Cell, V::Sum, REGISTERS, COLUMNS>(strip, &sums) }
}

/// Adds the sums of a tile to the result.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn write<
    P: Cell,
    V: Register<Item = P::Sum>,
    const REGISTERS: usize,
    const COLUMNS: usize,
>(
    strip: &Strip<P>,
    sums: &[[V; REGISTERS]; COLUMNS],
) {
    if strip.c_row == 1 {
        let (alpha, beta) = (V::splat(strip.alpha), strip.beta.map(V::splat));
        let whole = strip.rows / V::COUNT;
        for (column, sums) in sums.iter().enumerate().take(strip.columns) {
            for (register, sum) in sums.iter().enumerate() {
                let new = alpha.mul(*sum);
                let there = strip.rows.saturating_sub(register * V::COUNT);
                // SAFETY: the rows and columns of `c` that are there are writable.
                unsafe {
                    let place = strip
                        .c
                        .wrapping_add(column * strip.c_column + register * V::COUNT);
                    if register < whole {
                        let new = beta.map_or(new, |beta| new.add(beta.mul(V::load(place))));
                        new.store(place);
                    } else if there > 0 {
                        let old = |beta: V| beta.mul(V::load_some(place, there));
                        let new = beta.map_or(new, |beta| new.add(old(beta)));
                        new.store_some(place, there);
                    }
                }
            }
        }
        return;
    }
    let mut buffer = [V::Item::default(); ROWS_MAX];
    for (column, sums) in sums.iter().enumerate().take(strip.columns) {
        for (register, sum) in sums.iter().enumerate() {
            // SAFETY: the buffer holds the rows of any tile.
            unsafe { sum.store(buffer.as_mut_ptr().add(register * V::COUNT)) };
        }
        for (row, &sum) in buffer.iter().enumerate().take(strip.rows) {
            // SAFETY: the rows and columns of `c` that are there are writable.
            unsafe {
                let place = strip.c.add(column * strip.c_column + row * strip.c_row);
                let new = strip.alpha * sum;
                *place = strip.beta.map_or(new, |beta| new + beta * *place);
            }
        }
    }
}

/// The rows of the tallest tile.
const ROWS_MAX: usize = 128;

macro_rules! real {
    ($type:ty, $one:expr, $portable:expr, $avx2:expr, $avx512:expr) => {
        impl Real for $type {
            const ONE: Self = $one;

            #[inline]
            fn loops(isa: Isa) -> Loops<Self> {
                match isa.0 {
                    Level::Portable => $portable,
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => $avx2,
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => $avx512,
                }
            }
        }
    };
}

real!(f64, 1.0, portable::F64, x86::F64_AVX2, x86::F64_AVX512);
real!(f32, 1.0, portable::F32, x86::F32_AVX2, x86::F32_AVX512);
real!(
    Wrapping<i16>,
    Wrapping(1),
    portable::I16,
    x86::I16,
    x86::I16
);
real!(
    Wrapping<i32>,
    Wrapping(1),
    portable::I32,
    x86::I32,
    x86::I32_AVX512
);
real!(
    Wrapping<i64>,
    Wrapping(1),
    portable::I64,
    x86::I64,
    x86::I64_AVX512
);

/// The shells of the loops: registers, how many of them and how many columns a tile has, the squares of
/// the copies, instructions.
macro_rules! shells {
    ($name:ident, $item:ty, $register:ty, ($registers:literal, $columns:literal), $square:ty $(, $features:literal)?) => {
        pub(in crate::gemm) const $name: Loops<$item> = {
            const ROWS: usize = <$register as Register>::COUNT * $registers;
            // SAFETY of all: the caller keeps what the generic function asks for, and has the loops from an
            // `Isa`, which exists where the machine has the instructions.
            $(#[target_feature(enable = $features)])?
            unsafe fn run(strip: &Strip<$item>) {
                unsafe { tile_or_less::<$register, $registers, $columns>(strip) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn pack_rows(from: *const c_void, strides: (usize, usize), size: (usize, usize), to: *mut $item) {
                unsafe { pack::<$square, ROWS>(from.cast(), strides, size, to.cast()) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn pack_columns(from: *const c_void, strides: (usize, usize), size: (usize, usize), to: *mut $item) {
                unsafe { pack::<$square, $columns>(from.cast(), strides, size, to.cast()) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn dots(it: &MatVec<$item>) {
                // SAFETY: as of all.
                unsafe { matvec::dots::<$register>(it) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn turned(it: &MatVec<$item>) {
                // SAFETY: as of all.
                unsafe { matvec::turned::<$register>(it, <$item as Real>::ONE) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn sweep(it: &MatVec<$item>) {
                // SAFETY: as of all.
                unsafe { matvec::sweep::<$register>(it, <$item as Real>::ONE) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn dot_pairs(it: &MatVec<$item>) {
                // SAFETY: as of all.
                unsafe { matvec::dot_pairs::<$register>(it) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn band_pairs(it: &MatVec<$item>) {
                // SAFETY: as of all.
                unsafe { matvec::band_pairs::<$register>(it) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn small(strip: &Strip<$item>) {
                // SAFETY: as of all.
                unsafe { small::small::<$register>(strip) }
            }
            Loops {
                tile: Tile {
                    rows: ROWS,
                    columns: $columns,
                    run,
                },
                packs: Packs {
                    rows: pack_rows,
                    columns: pack_columns,
                },
                dots,
                turned,
                sweep,
                dot_pairs,
                band_pairs,
                small,
            }
        };
    };
}
use shells;

/// The shell of a tile whose cells are not its sums.
macro_rules! cell_tile {
    ($name:ident, $cell:ty, $factor:ty, ($registers:literal, $columns:literal) $(, $features:literal)?) => {
        pub(in crate::gemm) const $name: Tile<$cell> = {
            // SAFETY: as in `shells`.
            $(#[target_feature(enable = $features)])?
            unsafe fn run(strip: &Strip<$cell>) {
                unsafe { tile_or_less::<$factor, $registers, $columns>(strip) }
            }
            Tile {
                rows: <<$factor as Factor>::Sum as Register>::COUNT * $registers,
                columns: $columns,
                run,
            }
        };
    };
}
use cell_tile;

/// The shells of the loops over narrow items: items, factors of their cells, rows and columns of the tile of
/// the cells, squares of the copies, instructions.
macro_rules! narrow_shells {
    ($name:ident, $item:ty, $factor:ty, ($rows:literal, $columns:literal), $square:ty $(, $features:literal)?) => {
        pub(in crate::gemm) const $name: NarrowLoops<<$item as convert::Convert>::Cell> = {
            type Cell = <$item as convert::Convert>::Cell;
            // SAFETY of all: as in `shells`.
            $(#[target_feature(enable = $features)])?
            unsafe fn rows(from: *const c_void, strides: (usize, usize), size: (usize, usize), to: *mut Cell) {
                unsafe { convert::pack::<$item, $square, $rows>(from.cast(), strides, size, to) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn columns(from: *const c_void, strides: (usize, usize), size: (usize, usize), to: *mut Cell) {
                unsafe { convert::pack::<$item, $square, $columns>(from.cast(), strides, size, to) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn cells(from: *const c_void, step: usize, k: usize, to: *mut Cell) {
                unsafe { convert::cells::<$item>(from.cast(), step, k, to) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn dots(it: &CellVec<Cell>) {
                // SAFETY: as of all.
                unsafe { convert::dots::<$item, $factor>(it) }
            }
            NarrowLoops {
                packs: Packs { rows, columns },
                column: Some((dots, cells)),
            }
        };
    };
}
use narrow_shells;
