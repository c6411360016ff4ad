//! One product of matrices within a contraction.

use crate::{Context, Field, MatMut, MatRef};
use std::borrow::Cow;

/// The sizes and strides of a product of matrices.
pub(super) struct Product {
    pub(super) shape: (usize, usize, usize),
    pub(super) a: (usize, usize),
    pub(super) b: (usize, usize),
    pub(super) c: (usize, usize),
}

/// Up to so many products, loops are faster than the blocked product.
const LOOPS_MAX: usize = 64;

impl Product {
    pub(super) fn run<T: Field>(&self, context: Context, a: &[T], b: &[T], c: &mut [T]) {
        let (m, k, n) = self.shape;
        let work = m.saturating_mul(k).saturating_mul(n);
        if work > 0 && work <= LOOPS_MAX {
            return self.run_loops(a, b, c);
        }
        let a = MatRef::with_strides(a, (m, k), self.a).expect("inside the operand");
        let b = MatRef::with_strides(b, (k, n), self.b).expect("inside the operand");
        let c = MatMut::with_strides(c, (m, n), self.c).expect("inside the result");
        // One column may have other bits for other strides; one row has not, nor has a product of dense vectors.
        if n != 1 {
            context.gemm(T::ONE, a, b, T::default(), c);
        } else if m != 1 {
            let (a, b, c) = (b.transpose(), a.transpose(), c.transpose());
            context.gemm(T::ONE, a, b, T::default(), c);
        } else {
            let (a, b) = (dense(a), dense(b.transpose()));
            let a = MatRef::new(&a, 1, k).expect("k items");
            let b = MatRef::new(&b, k, 1).expect("k items");
            context.gemm(T::ONE, a, b, T::default(), c);
        }
    }

    fn run_loops<T: Field>(&self, a: &[T], b: &[T], c: &mut [T]) {
        let (m, k, n) = self.shape;
        for i in 0..m {
            for j in 0..n {
                let (a, b) = (&a[i * self.a.0..], &b[j * self.b.1..]);
                let mut sum = a[0] * b[0];
                for l in 1..k {
                    sum = sum + a[l * self.a.1] * b[l * self.b.0];
                }
                c[i * self.c.0 + j * self.c.1] = sum;
            }
        }
    }
}

/// The items of one row, side by side.
fn dense<T: Field>(row: MatRef<'_, T>) -> Cow<'_, [T]> {
    match row.strides() {
        (_, 1) => Cow::Borrowed(row.data()),
        _ => Cow::Owned(row.row(0).copied().collect()),
    }
}
