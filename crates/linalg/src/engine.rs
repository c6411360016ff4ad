//! The engine behind [`Gemm`]: the `gemm` crates (MIT), which choose their code for the CPU at run
//! time, AVX-512 included.
//!
//! Our own kernels replace it here, behind the same trait, where they measure better.

use crate::{Gemm, MatMut, MatRef};
use gemm_common::Parallelism;

/// The item types that have a fast engine.
pub trait Scalar: Copy + Default + Send + Sync + PartialEq + 'static {
    /// The number one.
    const ONE: Self;

    /// `c = alpha * a * b + beta * c` by raw strides, all counted in items.
    #[doc(hidden)]
    fn multiply(
        alpha: Self,
        a: MatRef<'_, Self>,
        b: MatRef<'_, Self>,
        beta: Self,
        c: MatMut<'_, Self>,
    );
}

/// The default engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Engine;

impl<T: Scalar> Gemm<T> for Engine {
    fn gemm(&self, alpha: T, a: MatRef<'_, T>, b: MatRef<'_, T>, beta: T, c: MatMut<'_, T>) {
        let ((m, k), (k_b, n)) = (a.shape(), b.shape());
        assert_eq!((k, (m, n)), (k_b, c.shape()), "shapes of a, b and c");
        T::multiply(alpha, a, b, beta, c);
    }
}

macro_rules! scalar {
    ($type:ident, $entry:expr) => {
        impl Scalar for $type {
            const ONE: Self = 1.0;

            fn multiply(
                alpha: Self,
                a: MatRef<'_, Self>,
                b: MatRef<'_, Self>,
                beta: Self,
                c: MatMut<'_, Self>,
            ) {
                raw::call($entry(), alpha, a, b, beta, c);
            }
        }
    };
}

scalar!(f32, gemm_f32::gemm::f32::get_gemm_fn);
scalar!(f64, gemm_f64::gemm::f64::get_gemm_fn);

mod raw {
    //! The one unsafe call.

    use super::{MatMut, MatRef, Parallelism, Scalar};

    /// The entry points of the `gemm` crates: sizes, then per matrix a pointer, column stride and
    /// row stride; `alpha` there scales `c`, `beta` the product.
    type Entry<T> = unsafe fn(
        usize,
        usize,
        usize,
        *mut T,
        isize,
        isize,
        bool,
        *const T,
        isize,
        isize,
        *const T,
        isize,
        isize,
        T,
        T,
        bool,
        bool,
        bool,
        Parallelism,
    );

    pub(super) fn call<T: Scalar>(
        entry: Entry<T>,
        alpha: T,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        beta: T,
        mut c: MatMut<'_, T>,
    ) {
        let ((m, k), (_, n)) = (a.shape(), b.shape());
        if m == 0 || n == 0 {
            return;
        }
        // Views are checked against their slices, whose sizes in bytes fit an `isize`.
        let strides = |(row, column): (usize, usize)| (row as isize, column as isize);
        let ((a_row, a_column), (b_row, b_column)) = (strides(a.strides()), strides(b.strides()));
        let (c_row, c_column) = strides(c.strides());
        let read_c = beta != T::default();
        // SAFETY: `MatRef` and `MatMut` proved at construction that every item of the m x k, k x n
        // and m x n views lies inside its slice and that no two items of `c` share a place; `c` is
        // borrowed mutably, so it does not alias `a` or `b`. The shapes were compared by `gemm`.
        unsafe {
            entry(
                m,
                n,
                k,
                c.data_mut().as_mut_ptr(),
                c_column,
                c_row,
                read_c,
                a.data().as_ptr(),
                a_column,
                a_row,
                b.data().as_ptr(),
                b_column,
                b_row,
                beta,
                alpha,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

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
