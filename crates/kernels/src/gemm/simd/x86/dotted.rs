//! Dot products of bytes (AVX512-VNNI) and of `bf16` (AVX512-BF16).

use super::super::convert::{self, CellVec, NarrowLoops};
use super::super::dotted::{BrainPair, Dotted, Quad, SIGN, byte_shells, left, right};
use super::super::{Factor, Packs, Register, Strip, Tile, cell_tile, narrow_shells, tile_or_less};
use super::F32x16;
use super::squares::Square4;
use super::whole::I32x16;
use core::arch::x86_64::{
    __m512bh, __m512i, _mm512_add_epi32, _mm512_dpbf16_ps, _mm512_dpbusd_epi32, _mm512_loadu_si512,
    _mm512_mullo_epi32, _mm512_set1_epi32,
};
use core::ffi::c_void;
use core::mem::transmute;
use half::bf16;

cell_tile!(FOURS, Quad, Fours, (3, 8), "avx512f,avx512bw,avx512vnni");
cell_tile!(TWOS, BrainPair, Twos, (3, 8), "avx512f,avx512bw,avx512bf16");
byte_shells!(DOTTED_I8, (0, SIGN), (48, 8), Square4, "avx512f,avx512bw");
byte_shells!(DOTTED_U8, (SIGN, 0), (48, 8), Square4, "avx512f,avx512bw");
narrow_shells!(
    DOTTED_BF16,
    Dotted<bf16>,
    Twos,
    (48, 8),
    Square4,
    "avx512f,avx512bw,avx512bf16"
);

/// Bytes, signed ones on the left and unsigned ones on the right.
#[derive(Clone, Copy)]
struct Fours(__m512i);

// SAFETY of every block: factors are named only by the shells above, so the machine has their instructions; loads
// need no alignment, and callers vouch for the memory.
impl Factor for Fours {
    type Cell = Quad;
    type Sum = I32x16;

    #[inline(always)]
    unsafe fn load(from: *const Quad) -> Self {
        // SAFETY: as of every block.
        Self(unsafe { _mm512_loadu_si512(from.cast()) })
    }
    #[inline(always)]
    fn splat(cell: Quad) -> Self {
        // SAFETY: as of every block.
        Self(unsafe { _mm512_set1_epi32(cell.bits()) })
    }
    #[inline(always)]
    fn add_to(sum: I32x16, a: Self, b: Self) -> I32x16 {
        // SAFETY: as of every block.
        I32x16(unsafe { _mm512_dpbusd_epi32(sum.0, b.0, a.0) })
    }
    #[inline(always)]
    fn add_tail(sum: I32x16, a: Self, b: Self) -> I32x16 {
        // SAFETY: as of every block.
        I32x16(unsafe { _mm512_add_epi32(sum.0, _mm512_mullo_epi32(a.0, b.0)) })
    }
}

/// Pairs of `bf16`.
#[derive(Clone, Copy)]
struct Twos(__m512i);

impl Factor for Twos {
    type Cell = BrainPair;
    type Sum = F32x16;

    #[inline(always)]
    unsafe fn load(from: *const BrainPair) -> Self {
        // SAFETY: as of every block.
        Self(unsafe { _mm512_loadu_si512(from.cast()) })
    }
    #[inline(always)]
    fn splat(cell: BrainPair) -> Self {
        // SAFETY: as of every block.
        Self(unsafe { _mm512_set1_epi32(cell.bits()) })
    }
    #[inline(always)]
    fn add_to(sum: F32x16, a: Self, b: Self) -> F32x16 {
        // SAFETY: as of every block; the types are names of the same bits.
        unsafe {
            let [a, b] = [a.0, b.0].map(|bits| transmute::<__m512i, __m512bh>(bits));
            F32x16(_mm512_dpbf16_ps(sum.0, a, b))
        }
    }
}
