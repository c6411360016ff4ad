//! The engine behind [`Gemm`]: the blocked product of `nexus-kernels`, with a workspace for each thread.

use crate::workspace::Room;
use crate::{Context, Field, Gemm, MatMut, MatRef};
use nexus_kernels::{BrainPair, Cell, GemmPart, Pair, Quad, Real, Small};
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::num::Wrapping;

/// The real item types that the kernels multiply.
pub trait Scalar: Real + Packing {
    /// Calls `f` with that many items of any value, which this thread keeps where they are not many.
    #[doc(hidden)]
    fn with_spare<R>(len: usize, f: impl FnOnce(&mut [Self]) -> R) -> R;
}

/// What tiles multiply, with room for each thread's copies of it.
pub trait Packing: Cell {
    /// Calls `f` with the workspace of this thread.
    #[doc(hidden)]
    fn with_workspace<R>(f: impl FnOnce(&mut Vec<MaybeUninit<Self>>) -> R) -> R;
}

/// Spare items that need no heap.
const SPARE_SMALL: usize = 512;
/// Spare items that a thread keeps at most.
const SPARE_MAX: usize = 1 << 20;

/// The default engine: one thread, the widest instructions of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Engine;

impl<T: Field> Gemm<T> for Engine {
    fn gemm(&self, alpha: T, a: MatRef<'_, T>, b: MatRef<'_, T>, beta: T, c: MatMut<'_, T>) {
        let ((m, k), (k_b, n)) = (a.shape(), b.shape());
        assert_eq!((k, (m, n)), (k_b, c.shape()), "shapes of a, b and c");
        Context::default().gemm(alpha, a, b, beta, c);
    }
}

/// Computes a part with the workspace of this thread.
pub(crate) fn run<P: Packing>(part: GemmPart<'_, P>) {
    P::with_workspace(|workspace| {
        let len = part.workspace_len();
        if workspace.len() < len {
            workspace.resize(len, MaybeUninit::uninit());
        }
        part.run(workspace);
    });
}

macro_rules! workspace {
    ($type:ty) => {
        impl Packing for $type {
            fn with_workspace<R>(f: impl FnOnce(&mut Vec<MaybeUninit<Self>>) -> R) -> R {
                thread_local! {
                    static WORKSPACE: RefCell<Vec<MaybeUninit<$type>>> = const { RefCell::new(Vec::new()) };
                }
                WORKSPACE.with_borrow_mut(f)
            }
        }
    };
}

macro_rules! scalar {
    ($type:ident) => {
        impl Scalar for $type {
            fn with_spare<R>(len: usize, f: impl FnOnce(&mut [Self]) -> R) -> R {
                thread_local! {
                    static SPARE: RefCell<Vec<Vec<$type>>> = const { RefCell::new(Vec::new()) };
                }
                if len <= SPARE_SMALL {
                    return f(&mut [0.0; SPARE_SMALL][..len]);
                }
                let mut room = Room::within(0.0, len);
                let mut spare = Vec::new();
                let items = if let Some(room) = &mut room {
                    &mut room[..]
                } else {
                    // Calls within calls take one each, and give them back in turn.
                    spare = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
                    if spare.len() < len {
                        spare = vec![0.0; len];
                    }
                    &mut spare[..len]
                };
                let result = f(items);
                if room.is_none() && spare.len() <= SPARE_MAX {
                    SPARE.with_borrow_mut(|all| all.push(spare));
                }
                result
            }
        }
    };
}

workspace!(f32);
workspace!(f64);
workspace!(Wrapping<i16>);
workspace!(Wrapping<i32>);
workspace!(Wrapping<i64>);
workspace!(Pair);
workspace!(Small);
workspace!(Quad);
workspace!(BrainPair);
scalar!(f32);
scalar!(f64);

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_kernels::NaiveGemm;
    use proptest::prelude::*;

    /// A matrix of small whole numbers in an odd layout: sums are exact in any order.
    fn data(len: usize, seed: usize) -> Vec<f32> {
        (0..len)
            .map(|i| ((i * 31 + seed * 17) % 13) as f32 - 6.0)
            .collect()
    }

    proptest! {
        #[test]
        fn the_engine_equals_its_naive_twin_on_strided_views(
            (m, k, n) in (0_usize..40, 0_usize..40, 0_usize..40),
            (gap_a, gap_b, gap_c) in (0_usize..4, 0_usize..4, 0_usize..4),
            transposed in any::<[bool; 3]>(),
            (alpha, beta) in (-2_i8..3, -2_i8..3),
        ) {
            let layout = |rows: usize, columns: usize, gap: usize, transposed: bool| {
                if transposed { (1, rows + gap) } else { (columns + gap, 1) }
            };
            let (a, b) = (data(50 * 50, 1), data(50 * 50, 2));
            let a = MatRef::with_strides(&a, (m, k), layout(m, k, gap_a, transposed[0])).unwrap();
            let b = MatRef::with_strides(&b, (k, n), layout(k, n, gap_b, transposed[1])).unwrap();
            let (mut fast, mut naive) = (data(50 * 50, 3), data(50 * 50, 3));
            let strides = layout(m, n, gap_c, transposed[2]);
            let (alpha, beta) = (f32::from(alpha), f32::from(beta));
            Engine.gemm(alpha, a, b, beta, MatMut::with_strides(&mut fast, (m, n), strides).unwrap());
            NaiveGemm.gemm(alpha, a, b, beta, MatMut::with_strides(&mut naive, (m, n), strides).unwrap());
            prop_assert_eq!(fast, naive);
        }
    }

    #[test]
    fn an_inner_size_of_zero_gives_zeros() {
        let mut c = [f64::NAN; 4];
        let (a, b) = (
            MatRef::new(&[], 2, 0).unwrap(),
            MatRef::new(&[], 0, 2).unwrap(),
        );
        Engine.gemm(1.0, a, b, 0.0, MatMut::new(&mut c, 2, 2).unwrap());
        assert_eq!(c, [0.0; 4]);
    }
}
