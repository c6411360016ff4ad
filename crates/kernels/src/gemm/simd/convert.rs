//! Items that become wider ones, or pairs, while they are copied.

use super::integers::{Pair, Small};
#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{Cell, Factor, LANES_MAX, Packs, Register, Square, portable};
use crate::isa::{Isa, Level};
use core::ffi::c_void;
use half::{bf16, f16};

/// Item types whose products are added up in a wider type: `bf16` and `f16` in `f32`, `i8`, `u8` and `i16` in
/// `Wrapping<i32>`, `i64` of the size of an `i32` in `Wrapping<i64>`.
pub trait Narrow: Copy + Send + Sync + 'static {
    /// What items are turned into before they are multiplied.
    type Cell: Cell;

    /// The loops of an instruction set.
    #[doc(hidden)]
    fn loops(isa: Isa) -> NarrowLoops<Self::Cell>;
}

/// The loops over narrow items of an instruction set.
#[derive(Clone, Copy, Debug)]
pub struct NarrowLoops<P: Cell> {
    pub(in crate::gemm) packs: Packs<P>,
    /// The loops of a single column, where there are such.
    pub(in crate::gemm) column: Option<ColumnLoops<P>>,
}

/// The products of rows with a column, and what makes cells of the column.
pub(in crate::gemm) type ColumnLoops<P> = (unsafe fn(&CellVec<P>), ToCells<P>);

/// Writes the cells of so many items that lie a step apart, and zeros up to the number that [`padded`] says.
pub(in crate::gemm) type ToCells<P> = unsafe fn(*const c_void, usize, usize, *mut P);

/// A matrix of narrow items times a vector. Strides count items.
#[derive(Clone, Copy, Debug)]
pub(in crate::gemm) struct CellVec<P: Cell> {
    pub(in crate::gemm) rows: usize,
    /// The items of a row, which lie side by side.
    pub(in crate::gemm) k: usize,
    pub(in crate::gemm) a: *const c_void,
    pub(in crate::gemm) a_row: usize,
    /// The cells of the vector, padded.
    pub(in crate::gemm) x: *const P,
    pub(in crate::gemm) y: *mut P::Sum,
    pub(in crate::gemm) y_step: usize,
}

/// The cells of `k` items, rounded up so that [`dots`] has no rest.
pub(in crate::gemm) fn padded<P: Cell>(k: usize) -> usize {
    k.div_ceil(P::NUMBERS).next_multiple_of(2 * LANES_MAX)
}

/// How items become cells.
pub(super) trait Convert: Copy {
    type Cell: Cell;

    /// The cell of `there` items, at least one and at most as many as it has numbers, that lie a step apart.
    ///
    /// # Safety
    /// They are readable. This and the others: the machine has the instructions of the shell.
    unsafe fn cell(from: *const Self, step: usize, there: usize) -> Self::Cell;

    /// The cells of items side by side along `k`.
    ///
    /// # Safety
    /// `count` items are readable, and their cells are writable.
    #[inline(always)]
    unsafe fn along(from: *const Self, count: usize, to: *mut Self::Cell) {
        let numbers = Self::Cell::NUMBERS;
        let whole = count / numbers;
        // SAFETY: the caller says so.
        unsafe {
            for i in 0..whole {
                to.add(i)
                    .write(Self::cell(from.add(i * numbers), 1, numbers));
            }
            let rest = count - whole * numbers;
            if rest > 0 {
                to.add(whole)
                    .write(Self::cell(from.add(whole * numbers), 1, rest));
            }
        }
    }

    /// A cell for each of `WIDTH` rows, whose items lie side by side; those along `k` lie a step apart.
    ///
    /// # Safety
    /// `there` items of each row are readable, and the cells are writable.
    #[inline(always)]
    unsafe fn across<const WIDTH: usize>(
        from: *const Self,
        step: usize,
        there: usize,
        to: *mut Self::Cell,
    ) {
        for i in 0..WIDTH {
            // SAFETY: the caller says so.
            unsafe { to.add(i).write(Self::cell(from.add(i), step, there)) };
        }
    }
}

impl Convert for bf16 {
    type Cell = f32;

    #[inline(always)]
    unsafe fn cell(from: *const Self, _step: usize, _there: usize) -> f32 {
        // SAFETY: the caller says so.
        f32::from_bits(u32::from(unsafe { *from }.to_bits()) << 16)
    }
}

impl Convert for f16 {
    type Cell = f32;

    #[inline(always)]
    unsafe fn cell(from: *const Self, _step: usize, _there: usize) -> f32 {
        // SAFETY: the caller says so.
        unsafe { *from }.to_f32()
    }
}

impl Convert for i64 {
    type Cell = Small;

    #[inline(always)]
    unsafe fn cell(from: *const Self, _step: usize, _there: usize) -> Small {
        // SAFETY: the caller says so.
        Small::new(unsafe { *from })
    }
}

macro_rules! pairs {
    ($($type:ty),*) => {$(
        impl Convert for $type {
            type Cell = Pair;

            #[inline(always)]
            unsafe fn cell(from: *const Self, step: usize, there: usize) -> Pair {
                // SAFETY: the caller says so.
                unsafe {
                    let second = if there == 1 { 0 } else { *from.add(step) };
                    Pair::new(i16::from(*from), i16::from(second))
                }
            }
        }
    )*};
}
pairs!(i8, u8, i16);

/// An `f16` where the machine converts it.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct F16c(u16);

#[cfg(target_arch = "x86_64")]
impl Convert for F16c {
    type Cell = f32;

    #[inline(always)]
    unsafe fn cell(from: *const Self, _step: usize, _there: usize) -> f32 {
        use core::arch::x86_64::{_mm_cvtph_ps, _mm_cvtsi32_si128, _mm_cvtss_f32};
        // SAFETY: the item is readable, and only shells with these instructions name this type.
        unsafe {
            let bits = i32::from((*from).0);
            _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)))
        }
    }

    #[inline(always)]
    unsafe fn along(from: *const Self, count: usize, to: *mut f32) {
        use core::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps, _mm256_storeu_ps};
        let whole = count / 8 * 8;
        // SAFETY: as above.
        unsafe {
            for i in (0..whole).step_by(8) {
                let items = _mm_loadu_si128(from.add(i).cast());
                _mm256_storeu_ps(to.add(i), _mm256_cvtph_ps(items));
            }
            for i in whole..count {
                to.add(i).write(Self::cell(from.add(i), 1, 1));
            }
        }
    }

    #[inline(always)]
    unsafe fn across<const WIDTH: usize>(
        from: *const Self,
        _step: usize,
        _there: usize,
        to: *mut f32,
    ) {
        // SAFETY: as above.
        unsafe { Self::along(from, WIDTH, to) }
    }
}

/// Cells that are made at a time.
const BLOCK: usize = 128;

/// Copies rows as [`super::pack`] does, by squares of cells; `numbers` items of each become cells.
///
/// # Safety
/// As there; the cells of `WIDTH` rows are writable.
#[inline(always)]
pub(super) unsafe fn pack<S: Convert, Q: Square, const WIDTH: usize>(
    from: *const S,
    (row, column): (usize, usize),
    (there, numbers): (usize, usize),
    to: *mut S::Cell,
) {
    let count = S::Cell::NUMBERS;
    if column == 1 {
        let mut cells = [[S::Cell::default(); BLOCK]; WIDTH];
        for l in (0..numbers).step_by(BLOCK * count) {
            let numbers = (BLOCK * count).min(numbers - l);
            // SAFETY: the items are there, and the buffer holds their cells; so does `to`.
            unsafe {
                for (i, cells) in cells.iter_mut().enumerate().take(there) {
                    S::along(from.add(i * row + l), numbers, cells.as_mut_ptr());
                }
                let (from, to) = (cells.as_ptr().cast(), to.add(l / count * WIDTH));
                let depth = numbers.div_ceil(count);
                super::pack::<Q, WIDTH>(from, (BLOCK, 1), (there, depth), to.cast());
            }
        }
        return;
    }
    for l in (0..numbers).step_by(count) {
        let present = count.min(numbers - l);
        // SAFETY: as above.
        unsafe {
            let (from, to) = (from.add(l * column), to.add(l / count * WIDTH));
            if row == 1 && there == WIDTH && present == count {
                S::across::<WIDTH>(from, column, count, to);
                continue;
            }
            for i in 0..WIDTH {
                let is_there = i < there;
                let cell = if is_there {
                    S::cell(from.add(i * row), column, present)
                } else {
                    S::Cell::default()
                };
                to.add(i).write(cell);
            }
        }
    }
}

/// As [`ToCells`] says.
///
/// # Safety
/// The items are readable, and the padded number of cells is writable.
#[inline(always)]
pub(super) unsafe fn cells<S: Convert>(from: *const S, step: usize, k: usize, to: *mut S::Cell) {
    let count = S::Cell::NUMBERS;
    let cells = k.div_ceil(count);
    // SAFETY: the caller says so.
    unsafe {
        if step == 1 {
            S::along(from, k, to);
        } else {
            for i in 0..cells {
                let present = count.min(k - i * count);
                to.add(i)
                    .write(S::cell(from.add(i * count * step), step, present));
            }
        }
        for i in cells..padded::<S::Cell>(k) {
            to.add(i).write(S::Cell::default());
        }
    }
}

/// Computes dot products, four rows at a time. The order of each sum depends on its length alone.
///
/// # Safety
/// What `it` names is readable and writable, and the machine has the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn dots<S: Convert<Cell = V::Cell>, V: Factor>(it: &CellVec<V::Cell>) {
    let whole = it.rows / 4 * 4;
    for row in (0..whole).step_by(4) {
        // SAFETY: the rows are there.
        unsafe { some_dots::<S, V, 4>(it, row) };
    }
    for row in whole..it.rows {
        // SAFETY: as above.
        unsafe { some_dots::<S, V, 1>(it, row) };
    }
}

/// # Safety
/// As for [`dots`], and the rows from `first` on are there.
#[inline(always)]
unsafe fn some_dots<S: Convert<Cell = V::Cell>, V: Factor, const ROWS: usize>(
    it: &CellVec<V::Cell>,
    first: usize,
) {
    let a = it.a.cast::<S>().wrapping_add(first * it.a_row);
    let lanes = V::Sum::COUNT;
    let numbers = lanes * V::Cell::NUMBERS;
    let mut sums = [[V::Sum::zero(); 2]; ROWS];
    let whole = it.k / (2 * numbers) * 2;
    for i in (0..whole).step_by(2) {
        for half in 0..2 {
            // SAFETY: these items are there of each row, and their cells of `x`.
            unsafe {
                let right = V::load(it.x.add((i + half) * lanes));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let left = widen::<S, V>(a.add(row * it.a_row + (i + half) * numbers), numbers);
                    sums[half] = V::add_to(sums[half], left, right);
                }
            }
        }
    }
    for i in whole..it.k.div_ceil(numbers) {
        let count = numbers.min(it.k - i * numbers);
        // SAFETY: as above; `x` is padded.
        unsafe {
            let right = V::load(it.x.add(i * lanes));
            for (row, sums) in sums.iter_mut().enumerate() {
                let left = widen::<S, V>(a.add(row * it.a_row + i * numbers), count);
                sums[i - whole] = V::add_to(sums[i - whole], left, right);
            }
        }
    }
    for (row, [even, odd]) in sums.into_iter().enumerate() {
        let mut lanes = [<V::Cell as Cell>::Sum::default(); LANES_MAX];
        // SAFETY: the buffer holds any register; the result is writable.
        unsafe {
            even.add(odd).store(lanes.as_mut_ptr());
            let mut width = V::Sum::COUNT / 2;
            while width > 0 {
                for lane in 0..width {
                    lanes[lane] = lanes[lane] + lanes[lane + width];
                }
                width /= 2;
            }
            *it.y.add((first + row) * it.y_step) = lanes[0];
        }
    }
}

/// The cells of `count` items that lie side by side, and zeros after them.
///
/// # Safety
/// The items are readable.
#[inline(always)]
unsafe fn widen<S: Convert<Cell = V::Cell>, V: Factor>(from: *const S, count: usize) -> V {
    let mut cells = [V::Cell::default(); LANES_MAX];
    // SAFETY: the caller says so; the buffer holds any register.
    unsafe {
        S::along(from, count, cells.as_mut_ptr());
        V::load(cells.as_ptr())
    }
}

macro_rules! narrow {
    ($type:ty, $cell:ty, $portable:expr, $avx2:expr, $avx512:expr) => {
        impl Narrow for $type {
            type Cell = $cell;

            #[inline]
            fn loops(isa: Isa) -> NarrowLoops<$cell> {
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

narrow!(bf16, f32, portable::BF16, x86::BF16_AVX2, x86::BF16_AVX512);
narrow!(f16, f32, portable::F16, x86::F16_AVX2, x86::F16_AVX512);
narrow!(
    i8,
    Pair,
    portable::FROM_I8,
    x86::FROM_I8,
    x86::FROM_I8_AVX512
);
narrow!(
    u8,
    Pair,
    portable::FROM_U8,
    x86::FROM_U8,
    x86::FROM_U8_AVX512
);
narrow!(
    i16,
    Pair,
    portable::FROM_I16,
    x86::FROM_I16,
    x86::FROM_I16_AVX512
);
narrow!(
    i64,
    Small,
    portable::FROM_I64,
    x86::FROM_I64,
    x86::FROM_I64_AVX512
);
