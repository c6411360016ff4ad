//! Items that dot-product instructions take as they are: bytes by fours, and pairs of `bf16`.
//!
//! An instruction of bytes multiplies signed with unsigned ones. So copies of the left operand have signed bytes and
//! copies of the right one unsigned ones, moved by 128 where the items are not of that kind:
//! `sum (a + p) (b - q)` is `sum a b`, and the products of two whole numbers with others,
//! `(sum a) * -q` and `p * (sum b - k q)`. These four end the copies as their tails.

use super::convert::{self, Convert, Narrow, NarrowLoops};
#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{
    Cell, CellVec, Factor, Packs, Register, Square, Strip, Tile, cell_tile, narrow_shells,
    tile_or_less,
};
use crate::isa::Isa;
use core::ffi::c_void;
use core::num::Wrapping;
use half::bf16;

/// An `i8`, `u8` or `bf16` for dot-product instructions: where [`Isa::has_byte_dots`] or
/// [`Isa::has_brain_dots`] says so, products are faster than those of the item itself.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Dotted<T>(pub T);

/// Four bytes that lie along `k`; in a tail one number.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub struct Quad(u32);

impl Quad {
    /// As a register holds it.
    #[inline(always)]
    pub(super) fn bits(self) -> i32 {
        self.0.cast_signed()
    }

    /// The sum of products of signed bytes with unsigned ones.
    #[inline(always)]
    fn product(self, unsigned: Self) -> Wrapping<i32> {
        let pairs = self
            .0
            .to_le_bytes()
            .into_iter()
            .zip(unsigned.0.to_le_bytes());
        pairs
            .map(|(a, b)| i32::from(a.cast_signed()) * i32::from(b))
            .map(Wrapping)
            .sum()
    }
}

/// Two `bf16` that lie along `k`, the first one in the high bits: the instruction begins with these.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub struct BrainPair(u32);

impl BrainPair {
    /// As a register holds it.
    #[inline(always)]
    pub(super) fn bits(self) -> i32 {
        self.0.cast_signed()
    }

    #[inline(always)]
    fn numbers(self) -> [f32; 2] {
        [self.0 & 0xFFFF_0000, self.0 << 16].map(f32::from_bits)
    }
}

impl Cell for Quad {
    type Sum = Wrapping<i32>;
    const UNIT: Self::Sum = Wrapping(1);
    const NUMBERS: usize = 4;
    const TAIL: usize = 2;

    #[inline]
    fn tile(isa: Isa) -> Tile<Self> {
        #[cfg(target_arch = "x86_64")]
        if isa.has_byte_dots() {
            return x86::FOURS;
        }
        FOURS
    }
}

impl Cell for BrainPair {
    type Sum = f32;
    const UNIT: f32 = 1.0;
    const NUMBERS: usize = 2;
    /// Blocks are as long as those of `f32`, so that sums have the same bits.
    const BYTES: usize = size_of::<f32>();

    #[inline]
    fn tile(isa: Isa) -> Tile<Self> {
        #[cfg(target_arch = "x86_64")]
        if isa.has_brain_dots() {
            return x86::TWOS;
        }
        TWOS
    }
}

/// A byte whose copy has `FLIP` changed: its sign, or nothing.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Byte<const FLIP: u8>(u8);

/// The bit by which signed and unsigned bytes differ.
pub(super) const SIGN: u8 = 0x80;

impl<const FLIP: u8> Convert for Byte<FLIP> {
    type Cell = Quad;

    #[inline(always)]
    unsafe fn cell(from: *const Self, step: usize, there: usize) -> Quad {
        let mut bytes = [0; 4];
        for (i, byte) in bytes.iter_mut().enumerate().take(there) {
            // SAFETY: the caller says so.
            *byte = unsafe { *from.add(i * step) }.0 ^ FLIP;
        }
        Quad(u32::from_le_bytes(bytes))
    }

    #[inline(always)]
    unsafe fn along(from: *const Self, count: usize, to: *mut Quad) {
        let whole = count / 64 * 64;
        // SAFETY: the caller says so.
        unsafe {
            for i in (0..whole).step_by(64) {
                let bytes = from.add(i).cast::<[u8; 64]>().read();
                to.add(i / 4)
                    .cast::<[u8; 64]>()
                    .write(bytes.map(|byte| byte ^ FLIP));
            }
            for i in (whole..count).step_by(4) {
                to.add(i / 4)
                    .write(Self::cell(from.add(i), 1, 4.min(count - i)));
            }
        }
    }

    #[inline(always)]
    unsafe fn across<const WIDTH: usize>(
        from: *const Self,
        step: usize,
        _there: usize,
        to: *mut Quad,
    ) {
        // SAFETY: the caller says so; four items of each row are there.
        unsafe {
            let [a, b, c, d]: [[u8; WIDTH]; 4] =
                core::array::from_fn(|i| from.add(i * step).cast::<[u8; WIDTH]>().read());
            let quads: [u32; WIDTH] = core::array::from_fn(|i| {
                let [a, b, c, d] = [a[i], b[i], c[i], d[i]].map(u32::from);
                (a | b << 8 | c << 16 | d << 24) ^ u32::from_le_bytes([FLIP; 4])
            });
            to.cast::<[u32; WIDTH]>().write(quads);
        }
    }
}

/// Writes the cells of eight items that lie side by side.
///
/// # Safety
/// These are readable, and four cells writable.
#[inline(always)]
unsafe fn four_pairs(from: *const Dotted<bf16>, to: *mut BrainPair) {
    // SAFETY of both: the caller's; every machine of this kind has SSE2.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use core::arch::x86_64::{
            _mm_loadu_si128, _mm_shufflehi_epi16, _mm_shufflelo_epi16, _mm_storeu_si128,
        };
        let items = _mm_shufflelo_epi16::<0b10_11_00_01>(_mm_loadu_si128(from.cast()));
        _mm_storeu_si128(to.cast(), _mm_shufflehi_epi16::<0b10_11_00_01>(items));
    }
    #[cfg(not(target_arch = "x86_64"))]
    unsafe {
        for i in 0..4 {
            to.add(i).write(Dotted::cell(from.add(2 * i), 1, 2));
        }
    }
}

impl Convert for Dotted<bf16> {
    type Cell = BrainPair;

    #[inline(always)]
    unsafe fn cell(from: *const Self, step: usize, there: usize) -> BrainPair {
        // SAFETY: the caller says so.
        unsafe {
            let second = if there == 1 {
                0
            } else {
                (*from.add(step)).0.to_bits()
            };
            BrainPair(u32::from((*from).0.to_bits()) << 16 | u32::from(second))
        }
    }

    #[inline(always)]
    unsafe fn along(from: *const Self, count: usize, to: *mut BrainPair) {
        let whole = count / 8 * 8;
        // SAFETY: the caller says so.
        unsafe {
            for i in (0..whole).step_by(8) {
                four_pairs(from.add(i), to.add(i / 2));
            }
            for i in (whole..count).step_by(2) {
                to.add(i / 2)
                    .write(Self::cell(from.add(i), 1, 2.min(count - i)));
            }
        }
    }

    #[inline(always)]
    unsafe fn across<const WIDTH: usize>(
        from: *const Self,
        step: usize,
        _there: usize,
        to: *mut BrainPair,
    ) {
        // SAFETY: the caller says so; two items of each row are there.
        unsafe {
            let [a, b]: [[u16; WIDTH]; 2] =
                core::array::from_fn(|i| from.add(i * step).cast::<[u16; WIDTH]>().read());
            let pairs: [u32; WIDTH] =
                core::array::from_fn(|i| u32::from(a[i]) << 16 | u32::from(b[i]));
            to.cast::<[u32; WIDTH]>().write(pairs);
        }
    }
}

/// Copies rows of the left operand as [`convert::pack`] does, and their tails: of `i8` without `FLIP`, of `u8` with
/// their signs changed.
///
/// # Safety
/// As there; the cells of the tail are writable too.
#[inline(always)]
pub(super) unsafe fn left<Q: Square, const FLIP: u8, const WIDTH: usize>(
    from: *const c_void,
    strides: (usize, usize),
    (there, numbers): (usize, usize),
    to: *mut Quad,
) {
    // SAFETY: the caller's; items are bytes.
    unsafe {
        convert::pack::<Byte<FLIP>, Q, WIDTH>(from.cast(), strides, (there, numbers), to);
        let moved = Wrapping(i32::from(FLIP));
        tail::<WIDTH>(
            to,
            numbers,
            |quad| quad.to_le_bytes().map(|byte| i32::from(byte.cast_signed())),
            |sum| [sum, moved],
        );
    }
}

/// The same of columns of the right operand: of `u8` without `FLIP`, of `i8` with their signs changed.
///
/// # Safety
/// As there.
#[inline(always)]
pub(super) unsafe fn right<Q: Square, const FLIP: u8, const WIDTH: usize>(
    from: *const c_void,
    strides: (usize, usize),
    (there, numbers): (usize, usize),
    to: *mut Quad,
) {
    // SAFETY: the caller's; items are bytes.
    unsafe {
        convert::pack::<Byte<FLIP>, Q, WIDTH>(from.cast(), strides, (there, numbers), to);
        let moved = Wrapping(i32::from(FLIP));
        let all = moved * Wrapping(numbers as i32);
        tail::<WIDTH>(
            to,
            numbers,
            |quad| quad.to_le_bytes().map(i32::from),
            |sum| [-moved, sum - all],
        );
    }
}

/// Writes two numbers for each of `WIDTH` rows after the cells of its bytes, of the bytes' sum.
///
/// # Safety
/// As for [`left`].
#[inline(always)]
unsafe fn tail<const WIDTH: usize>(
    cells: *mut Quad,
    numbers: usize,
    bytes: impl Fn(u32) -> [i32; 4],
    ends: impl Fn(Wrapping<i32>) -> [Wrapping<i32>; 2],
) {
    let mut sums = [0; WIDTH];
    let count = numbers.div_ceil(Quad::NUMBERS);
    // SAFETY: the caller's.
    unsafe {
        for l in 0..count {
            let quads: [u32; WIDTH] = cells.add(l * WIDTH).cast::<[u32; WIDTH]>().read();
            for (sum, quad) in sums.iter_mut().zip(quads) {
                // A block has too few bytes for their sum to overflow.
                let [a, b, c, d] = bytes(quad);
                *sum += a + b + c + d;
            }
        }
        let end = cells.add(count * WIDTH);
        for (i, sum) in sums.into_iter().enumerate() {
            let [first, second] = ends(Wrapping(sum));
            end.add(i).write(Quad(first.0.cast_unsigned()));
            end.add(WIDTH + i).write(Quad(second.0.cast_unsigned()));
        }
    }
}

/// The shells of the copies of bytes: which signs are changed on the left and on the right, rows and columns of the
/// tile, squares of the copies, instructions.
macro_rules! byte_shells {
    ($name:ident, ($left:expr, $right:expr), ($rows:literal, $columns:literal), $square:ty $(, $features:literal)?) => {
        pub(in crate::gemm) const $name: NarrowLoops<Quad> = {
            // SAFETY of all: as in `shells`.
            $(#[target_feature(enable = $features)])?
            unsafe fn rows(from: *const c_void, strides: (usize, usize), size: (usize, usize), to: *mut Quad) {
                unsafe { left::<$square, { $left }, $rows>(from, strides, size, to) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn columns(from: *const c_void, strides: (usize, usize), size: (usize, usize), to: *mut Quad) {
                unsafe { right::<$square, { $right }, $columns>(from, strides, size, to) }
            }
            NarrowLoops {
                packs: Packs { rows, columns },
                column: None,
            }
        };
    };
}
pub(super) use byte_shells;

cell_tile!(FOURS, Quad, [Quad; 4], (2, 4));
cell_tile!(TWOS, BrainPair, [BrainPair; 4], (2, 4));
byte_shells!(OF_I8, (0, SIGN), (8, 4), [u32; 4]);
byte_shells!(OF_U8, (SIGN, 0), (8, 4), [u32; 4]);
narrow_shells!(OF_BF16, Dotted<bf16>, [BrainPair; 4], (8, 4), [u32; 4]);

impl Factor for [Quad; 4] {
    type Cell = Quad;
    type Sum = [Wrapping<i32>; 4];

    #[inline(always)]
    unsafe fn load(from: *const Quad) -> Self {
        // SAFETY: the caller says so; arrays of numbers have no other needs.
        unsafe { from.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    fn splat(cell: Quad) -> Self {
        [cell; 4]
    }
    #[inline(always)]
    fn add_to(sum: Self::Sum, a: Self, b: Self) -> Self::Sum {
        core::array::from_fn(|i| sum[i] + a[i].product(b[i]))
    }
    #[inline(always)]
    fn add_tail(sum: Self::Sum, a: Self, b: Self) -> Self::Sum {
        core::array::from_fn(|i| sum[i] + Wrapping(a[i].bits()) * Wrapping(b[i].bits()))
    }
}

impl Factor for [BrainPair; 4] {
    type Cell = BrainPair;
    type Sum = [f32; 4];

    #[inline(always)]
    unsafe fn load(from: *const BrainPair) -> Self {
        // SAFETY: the caller says so; arrays of numbers have no other needs.
        unsafe { from.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    fn splat(cell: BrainPair) -> Self {
        [cell; 4]
    }
    #[inline(always)]
    fn add_to(sum: Self::Sum, a: Self, b: Self) -> Self::Sum {
        core::array::from_fn(|i| {
            let ([a, c], [b, d]) = (a[i].numbers(), b[i].numbers());
            sum[i] + a * b + c * d
        })
    }
}

macro_rules! dotted {
    ($type:ty, $cell:ty, $has:ident, $portable:expr, $dots:ident) => {
        impl Narrow for Dotted<$type> {
            type Cell = $cell;

            #[inline]
            fn loops(isa: Isa) -> NarrowLoops<$cell> {
                #[cfg(target_arch = "x86_64")]
                if isa.$has() {
                    return x86::$dots;
                }
                $portable
            }
        }
    };
}

dotted!(i8, Quad, has_byte_dots, OF_I8, DOTTED_I8);
dotted!(u8, Quad, has_byte_dots, OF_U8, DOTTED_U8);
dotted!(bf16, BrainPair, has_brain_dots, OF_BF16, DOTTED_BF16);
