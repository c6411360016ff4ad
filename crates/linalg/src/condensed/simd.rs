//! The shell that compiles loops with the instructions of the machine.

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use crate::{Float, Isa};

/// Loops over items that lie side by side. `run` is `#[inline(always)]`, so that the shell compiles it.
pub(super) trait Loops {
    type Output;

    /// Runs the loops. With `FUSED`, a product and a sum are one instruction.
    fn run<const FUSED: bool>(self) -> Self::Output;
}

/// Runs `work` with these instructions.
pub(super) fn wide<L: Loops>(isa: Isa, work: L) -> L::Output {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx2,fma")]
    fn wider<L: Loops>(work: L) -> L::Output {
        work.run::<true>()
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn shell<L: Loops>(work: L) -> L::Output {
        work.run::<true>()
    }
    #[cfg(target_arch = "x86_64")]
    match isa.name() {
        "portable" => {}
        // SAFETY: an `Isa` is one that the machine has; this one has avx512f, avx2 and fma.
        "avx512" => return unsafe { wider(work) },
        // SAFETY: every set but the portable one has avx2 and fma.
        _ => return unsafe { shell(work) },
    }
    work.run::<false>()
}

/// Numbers that the loops multiply.
pub trait Item: Float {
    /// `self * factor + term`, rounded once where `FUSED`.
    #[doc(hidden)]
    #[must_use]
    fn multiply_add<const FUSED: bool>(self, factor: Self, term: Self) -> Self;
}

macro_rules! item {
    ($($type:ty),+) => {$(
        impl Item for $type {
            #[inline(always)]
            fn multiply_add<const FUSED: bool>(self, factor: Self, term: Self) -> Self {
                if FUSED {
                    self.mul_add(factor, term)
                } else {
                    self * factor + term
                }
            }
        }
    )+};
}

item!(f32, f64);

/// Numbers side by side in the loops.
pub(super) const LANES: usize = 8;

/// The sum of the products of two vectors of one length.
#[inline(always)]
pub(super) fn dot<T: Item, const FUSED: bool>(a: &[T], b: &[T]) -> T {
    let mut sums = [[T::default(); LANES]; 2];
    let whole = a.len().min(b.len()) / (2 * LANES) * (2 * LANES);
    let pairs = a[..whole].chunks_exact(2 * LANES);
    for (a, b) in pairs.zip(b[..whole].chunks_exact(2 * LANES)) {
        for (half, sums) in sums.iter_mut().enumerate() {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let at = half * LANES + lane;
                *sum = a[at].multiply_add::<FUSED>(b[at], *sum);
            }
        }
    }
    let [mut sums, more] = sums;
    for (lane, (&a, &b)) in a[whole..].iter().zip(&b[whole..]).enumerate() {
        sums[lane % LANES] = a.multiply_add::<FUSED>(b, sums[lane % LANES]);
    }
    total(std::array::from_fn(|lane| sums[lane] + more[lane]))
}

/// The sum of the lanes.
#[inline(always)]
pub(super) fn total<T: Item>([a, b, c, d, e, f, g, h]: [T; LANES]) -> T {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// The sum of the squares.
pub(super) fn square_sum<T: Item>(isa: Isa, x: &[T]) -> T {
    wide(isa, SquareSum(x))
}

struct SquareSum<'a, T>(&'a [T]);

impl<T: Item> Loops for SquareSum<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> T {
        dot::<T, FUSED>(self.0, self.0)
    }
}

/// The lanes from item `at` on.
#[inline(always)]
pub(super) fn lanes<T: Item>(from: &[T], at: usize) -> [T; LANES] {
    let lanes = from[at..at + LANES].first_chunk();
    *lanes.expect("as many items as lanes")
}

/// Items of a column less those of an update `v w^T + w v^T` or the like: `a` and `b` are the column's own items of
/// the vectors that are not in its rows.
#[inline(always)]
pub(super) fn subtracted<T: Item, const N: usize, const FUSED: bool>(
    x: [T; N],
    (a, b): (T, T),
    v: [T; N],
    w: [T; N],
) -> [T; N] {
    std::array::from_fn(|lane| {
        let part = (-v[lane]).multiply_add::<FUSED>(b, x[lane]);
        (-w[lane]).multiply_add::<FUSED>(a, part)
    })
}
