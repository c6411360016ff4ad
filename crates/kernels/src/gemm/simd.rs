//! The innermost loop of matrix multiplication: a tile of the result in registers.
//!
//! One generic algorithm; a shell per instruction set and item type chooses its registers. A tile adds its
//! products one after the other, `k` in order, each fused where the machine can: so an item of the result
//! has the same bits wherever in a tile it lies, and whether operands were packed or not.

use crate::isa::{Isa, Level};
use core::ops::{Add, Mul};

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

/// The innermost loops of an instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Loops<T> {
    /// As much of the result as the registers hold.
    pub(super) tile: Tile<T>,
    /// The same for a result of one column.
    pub(super) column: Tile<T>,
    /// A column by dot products.
    pub(super) dots: unsafe fn(&Dots<T>),
}

/// A tile: its size, and the code that computes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile<T> {
    /// Rows: items of the result that lie in one register after the other.
    pub(super) rows: usize,
    /// Columns.
    pub(super) columns: usize,
    pub(super) run: unsafe fn(&Strip<T>),
    /// Copies as many rows as the tile has, so that the items of each column lie side by side.
    pub(super) pack_rows: Pack<T>,
    /// The same for as many rows as the tile has columns.
    pub(super) pack_columns: Pack<T>,
}

/// From where, items between rows and between columns, how many columns, to where.
pub(super) type Pack<T> = unsafe fn(*const T, (usize, usize), usize, *mut T);

/// What a tile is computed of. Strides count items.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip<T> {
    /// Products that are added up for each item.
    pub(super) depth: usize,
    /// `rows` items of the left operand that lie side by side, for each of `depth` steps.
    pub(super) a: *const T,
    pub(super) a_step: usize,
    /// An item of the right operand for each column and step.
    pub(super) b: *const T,
    pub(super) b_step: usize,
    pub(super) b_column: usize,
    pub(super) c: *mut T,
    pub(super) c_row: usize,
    pub(super) c_column: usize,
    /// Rows and columns that are there: all of the tile's, or fewer at an edge.
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) alpha: T,
    /// `None` when the result is overwritten.
    pub(super) beta: Option<T>,
}

/// A column of results, each the dot product of a row with the same vector. Strides count items.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dots<T> {
    pub(super) depth: usize,
    pub(super) rows: usize,
    /// Rows whose items lie side by side.
    pub(super) a: *const T,
    pub(super) a_row: usize,
    pub(super) x: *const T,
    pub(super) y: *mut T,
    pub(super) y_step: usize,
    pub(super) alpha: T,
    /// `None` when the result is overwritten.
    pub(super) beta: Option<T>,
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
}

/// Computes a tile of `REGISTERS * V::COUNT` rows and `COLUMNS` columns.
///
/// # Safety
/// What `strip` names is readable and writable: of `a` all rows of the tile, also at an edge; of `b` and `c`
/// the rows and columns that are there. The machine has the instructions of `V`.
#[inline(always)]
unsafe fn tile<V: Register, const REGISTERS: usize, const COLUMNS: usize>(strip: &Strip<V::Item>) {
    let mut sums = [[V::zero(); REGISTERS]; COLUMNS];
    let (mut a, mut b) = (strip.a, strip.b);
    // Columns beyond the edge repeat the last one; what comes out of them is not written.
    let mut places = [0; COLUMNS];
    for (column, place) in places.iter_mut().enumerate() {
        *place = column.min(strip.columns - 1) * strip.b_column;
    }
    for _ in 0..strip.depth {
        let mut left = [V::zero(); REGISTERS];
        for (register, left) in left.iter_mut().enumerate() {
            // SAFETY: the tile's rows of `a` are readable at each of `depth` steps.
            *left = unsafe { V::load(a.add(register * V::COUNT)) };
        }
        for (sums, place) in sums.iter_mut().zip(places) {
            // SAFETY: `place` is a column that is there.
            let right = V::splat(unsafe { *b.add(place) });
            for (sum, left) in sums.iter_mut().zip(left) {
                *sum = sum.add_product(left, right);
            }
        }
        // The last step may leave what is readable; the pointers are not followed then.
        a = a.wrapping_add(strip.a_step);
        b = b.wrapping_add(strip.b_step);
    }
    // SAFETY: as above.
    unsafe { write(strip, &sums) }
}

/// Adds the sums of a tile to the result.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn write<V: Register, const REGISTERS: usize, const COLUMNS: usize>(
    strip: &Strip<V::Item>,
    sums: &[[V; REGISTERS]; COLUMNS],
) {
    let alpha = V::splat(strip.alpha);
    if strip.c_row == 1 && strip.rows == REGISTERS * V::COUNT {
        let beta = strip.beta.map(V::splat);
        for (column, sums) in sums.iter().enumerate().take(strip.columns) {
            for (register, sum) in sums.iter().enumerate() {
                // SAFETY: the rows and columns of `c` that are there are writable.
                unsafe {
                    let place = strip.c.add(column * strip.c_column + register * V::COUNT);
                    let new = alpha.mul(*sum);
                    let new = beta.map_or(new, |beta| new.add(beta.mul(V::load(place))));
                    new.store(place);
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

/// Computes dot products, four rows at a time. The order of each sum depends on its length alone.
///
/// # Safety
/// What `dots` names is readable and writable, and the machine has the instructions of `V`.
#[inline(always)]
unsafe fn dots<V: Register>(dots: &Dots<V::Item>) {
    let whole = dots.rows / 4 * 4;
    for row in (0..whole).step_by(4) {
        // SAFETY: the rows are there.
        unsafe { some_dots::<V, 4>(dots, row) };
    }
    for row in whole..dots.rows {
        // SAFETY: as above.
        unsafe { some_dots::<V, 1>(dots, row) };
    }
}

/// # Safety
/// As for [`dots`], and the rows from `first` on are there.
#[inline(always)]
unsafe fn some_dots<V: Register, const ROWS: usize>(dots: &Dots<V::Item>, first: usize) {
    let a = dots.a.wrapping_add(first * dots.a_row);
    let mut sums = [[V::zero(); 2]; ROWS];
    let step = 2 * V::COUNT;
    let whole = dots.depth / step * step;
    for l in (0..whole).step_by(step) {
        for half in 0..2 {
            let at = l + half * V::COUNT;
            // SAFETY: `at + V::COUNT` is at most `depth`.
            unsafe {
                let right = V::load(dots.x.add(at));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let left = V::load(a.add(row * dots.a_row + at));
                    sums[half] = sums[half].add_product(left, right);
                }
            }
        }
    }
    for (row, [even, odd]) in sums.into_iter().enumerate() {
        let mut lanes = [V::Item::default(); LANES_MAX];
        // SAFETY: the buffer holds any register; the rest of the row is readable, its result writable.
        unsafe {
            even.add(odd).store(lanes.as_mut_ptr());
            for l in whole..dots.depth {
                let lane = &mut lanes[(l - whole) % V::COUNT];
                *lane = *lane + *a.add(row * dots.a_row + l) * *dots.x.add(l);
            }
            let mut width = V::COUNT / 2;
            while width > 0 {
                for lane in 0..width {
                    lanes[lane] = lanes[lane] + lanes[lane + width];
                }
                width /= 2;
            }
            let place = dots.y.add((first + row) * dots.y_step);
            let new = dots.alpha * lanes[0];
            *place = dots.beta.map_or(new, |beta| new + beta * *place);
        }
    }
}

/// The lanes of the widest register.
const LANES_MAX: usize = 16;

/// Copies `WIDTH` rows of `depth` items so that the items of each column lie side by side; where rows have
/// theirs side by side, `STEP` columns at a time.
///
/// # Safety
/// The rows are readable, as many items are writable, and the machine has the instructions of the shell.
#[inline(always)]
unsafe fn pack<T: Copy, const WIDTH: usize, const STEP: usize>(
    from: *const T,
    (row, column): (usize, usize),
    depth: usize,
    to: *mut T,
) {
    let whole = if column == 1 { depth / STEP * STEP } else { 0 };
    for l in (0..whole).step_by(STEP) {
        // SAFETY: `l + STEP` is at most `depth`, and arrays of numbers need no alignment here.
        unsafe {
            let block: [[T; STEP]; WIDTH] = core::array::from_fn(|i| {
                from.add(i * row + l).cast::<[T; STEP]>().read_unaligned()
            });
            for step in 0..STEP {
                let items: [T; WIDTH] = core::array::from_fn(|i| block[i][step]);
                to.add((l + step) * WIDTH)
                    .cast::<[T; WIDTH]>()
                    .write_unaligned(items);
            }
        }
    }
    for l in whole..depth {
        // SAFETY: as above.
        unsafe {
            let from = from.add(l * column);
            let items: [T; WIDTH] = if row == 1 {
                from.cast::<[T; WIDTH]>().read_unaligned()
            } else {
                core::array::from_fn(|i| *from.add(i * row))
            };
            to.add(l * WIDTH)
                .cast::<[T; WIDTH]>()
                .write_unaligned(items);
        }
    }
}

/// The rows of the tallest tile.
const ROWS_MAX: usize = 128;

macro_rules! real {
    ($type:ty, $portable:expr, $avx2:expr, $avx512:expr) => {
        impl Real for $type {
            const ONE: Self = 1.0;

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

real!(f64, portable::F64, x86::F64_AVX2, x86::F64_AVX512);
real!(f32, portable::F32, x86::F32_AVX2, x86::F32_AVX512);

/// The shells of the loops: registers, how many of them and how many columns a tile has, how many a column
/// has, the steps of the copies, instructions.
macro_rules! shells {
    ($name:ident, $item:ty, $register:ty, ($registers:literal, $columns:literal), $column:literal, $step:literal $(, $features:literal)?) => {
        pub(super) const $name: Loops<$item> = {
            // SAFETY: the caller keeps what `dots` asks for, and has the loops from an `Isa`, which exists
            // where the machine has the instructions.
            $(#[target_feature(enable = $features)])?
            unsafe fn dots(it: &Dots<$item>) {
                unsafe { super::dots::<$register>(it) }
            }
            Loops {
                tile: shells!(@tile $item, $register, $registers, $columns, $step $(, $features)?),
                column: shells!(@tile $item, $register, $column, 1, $step $(, $features)?),
                dots,
            }
        };
    };
    (@tile $item:ty, $register:ty, $registers:literal, $columns:literal, $step:literal $(, $features:literal)?) => {{
        const ROWS: usize = <$register as Register>::COUNT * $registers;
        // SAFETY of all: as above.
        $(#[target_feature(enable = $features)])?
        unsafe fn run(strip: &Strip<$item>) {
            unsafe { tile::<$register, $registers, $columns>(strip) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn pack_rows(from: *const $item, strides: (usize, usize), depth: usize, to: *mut $item) {
            unsafe { pack::<$item, ROWS, $step>(from, strides, depth, to) }
        }
        $(#[target_feature(enable = $features)])?
        unsafe fn pack_columns(from: *const $item, strides: (usize, usize), depth: usize, to: *mut $item) {
            unsafe { pack::<$item, $columns, $step>(from, strides, depth, to) }
        }
        Tile {
            rows: ROWS,
            columns: $columns,
            run,
            pack_rows,
            pack_columns,
        }
    }};
}

mod portable {
    //! Arrays, which the compiler maps to what the baseline has.

    use super::{Dots, Loops, Register, Strip, Tile, pack, tile};

    shells!(F64, f64, [f64; 2], (2, 4), 4, 2);
    shells!(F32, f32, [f32; 4], (2, 4), 4, 4);

    macro_rules! array {
        ($item:ty, $count:literal) => {
            impl Register for [$item; $count] {
                type Item = $item;
                const COUNT: usize = $count;

                #[inline(always)]
                fn zero() -> Self {
                    [0.0; $count]
                }
                #[inline(always)]
                fn splat(value: $item) -> Self {
                    [value; $count]
                }
                #[inline(always)]
                fn add_product(self, a: Self, b: Self) -> Self {
                    // Unfused: without the instruction a fused product is a slow library call.
                    core::array::from_fn(|i| self[i] + a[i] * b[i])
                }
                #[inline(always)]
                fn mul(self, other: Self) -> Self {
                    core::array::from_fn(|i| self[i] * other[i])
                }
                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    core::array::from_fn(|i| self[i] + other[i])
                }
                #[inline(always)]
                unsafe fn load(from: *const $item) -> Self {
                    // SAFETY: the caller says so; arrays of numbers have no other needs.
                    unsafe { from.cast::<Self>().read_unaligned() }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $item) {
                    // SAFETY: as above.
                    unsafe { to.cast::<Self>().write_unaligned(self) }
                }
            }
        };
    }

    array!(f64, 2);
    array!(f32, 4);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Dots, Loops, Register, Strip, Tile, pack, tile};
    #[allow(
        clippy::wildcard_imports,
        reason = "the intrinsics of two instruction sets"
    )]
    use core::arch::x86_64::*;

    // AVX2 has 16 registers: 12 sums, 2 of the left operand, one of the right, one to spare. AVX-512 has 32.
    shells!(F64_AVX2, f64, F64x4, (2, 6), 8, 4, "avx2,fma");
    shells!(F32_AVX2, f32, F32x8, (2, 6), 8, 8, "avx2,fma");
    shells!(F64_AVX512, f64, F64x8, (3, 8), 8, 4, "avx512f");
    shells!(F32_AVX512, f32, F32x16, (3, 8), 8, 8, "avx512f");

    macro_rules! register {
        ($name:ident($raw:ty), $item:ty, $count:literal, $zero:ident, $splat:ident, $fma:ident, $mul:ident, $add:ident, $load:ident, $store:ident) => {
            #[derive(Clone, Copy)]
            struct $name($raw);

            // SAFETY of every block: registers are named only by the shells above, so the machine has
            // their instructions; loads and stores need no alignment, and callers vouch for the memory.
            impl Register for $name {
                type Item = $item;
                const COUNT: usize = $count;

                #[inline(always)]
                fn zero() -> Self {
                    Self(unsafe { $zero() })
                }
                #[inline(always)]
                fn splat(value: $item) -> Self {
                    Self(unsafe { $splat(value) })
                }
                #[inline(always)]
                fn add_product(self, a: Self, b: Self) -> Self {
                    Self(unsafe { $fma(a.0, b.0, self.0) })
                }
                #[inline(always)]
                fn mul(self, other: Self) -> Self {
                    Self(unsafe { $mul(self.0, other.0) })
                }
                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    Self(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn load(from: *const $item) -> Self {
                    Self(unsafe { $load(from) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $item) {
                    unsafe { $store(to, self.0) }
                }
            }
        };
    }

    register!(
        F64x4(__m256d),
        f64,
        4,
        _mm256_setzero_pd,
        _mm256_set1_pd,
        _mm256_fmadd_pd,
        _mm256_mul_pd,
        _mm256_add_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd
    );
    register!(
        F32x8(__m256),
        f32,
        8,
        _mm256_setzero_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_mul_ps,
        _mm256_add_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps
    );
    register!(
        F64x8(__m512d),
        f64,
        8,
        _mm512_setzero_pd,
        _mm512_set1_pd,
        _mm512_fmadd_pd,
        _mm512_mul_pd,
        _mm512_add_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd
    );
    register!(
        F32x16(__m512),
        f32,
        16,
        _mm512_setzero_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_mul_ps,
        _mm512_add_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps
    );
}
