//! Eigenvalues and eigenvectors of real matrices by their Schur form.

use super::simd::Item;
use super::{francis, hessenberg, quasi};
use crate::decompose::NoConvergence;
use crate::dense::copy_into;
use crate::{Complex, Context, MatMut, MatRef};

/// Vectors that are multiplied at once.
const BLOCK: usize = 64;

/// The eigenvalues of a square matrix and its eigenvectors by columns, of any length. Of a conjugate pair the value
/// with the positive imaginary part stands first, and the other one next to it. Numbers are finite and far from
/// overflow.
///
/// Costs about `10 n^3` multiplications and additions, with vectors `25 n^3` and memory for five matrices. The bits do
/// not depend on the threads of `context`.
///
/// # Errors
/// When the iteration does not end within its limit.
///
/// # Panics
/// When shapes do not fit.
pub fn eig<T: Item>(
    context: Context,
    a: MatRef<'_, T>,
    values: &mut [Complex<T>],
    vectors: Option<MatMut<'_, Complex<T>>>,
) -> Result<(), NoConvergence> {
    let n = values.len();
    let mut t = vec![T::default(); n * n];
    copy_into(a, square(&mut t, n));
    let reflectors = hessenberg::reduce(context.isa(), &mut t, n);
    let Some(mut vectors) = vectors else {
        francis::iterate(context.isa(), &mut t, n, None)?;
        quasi::eigenvalues(&t, n, values);
        return Ok(());
    };
    let mut q = reflectors.transposed(context);
    francis::iterate(context.isa(), &mut t, n, Some(&mut q))?;
    quasi::eigenvalues(&t, n, values);
    let mut triangle = vec![T::default(); n * n];
    quasi::eigenvectors(context.isa(), &t, n, values, &mut triangle);
    // The Schur form is not needed any more.
    let mut rows = t;
    let (triangle, q) = (view(&triangle, n), view(&q, n));
    for first in (0..n).step_by(BLOCK) {
        let block = first..(first + BLOCK).min(n);
        // A vector ends with its block of the Schur form.
        let width = (block.end + 1).min(n);
        context.gemm(
            T::ONE,
            triangle.block(block.clone(), 0..width),
            q.block(0..width, 0..n),
            T::default(),
            square(&mut rows, n).block(block, 0..n),
        );
    }
    for i in 0..n {
        let mut j = 0;
        while j < n {
            let re = rows[j * n + i];
            if values[j].im == T::default() {
                *vectors.item(i, j) = Complex::new(re, T::default());
                j += 1;
            } else {
                let im = rows[(j + 1) * n + i];
                *vectors.item(i, j) = Complex::new(re, im);
                *vectors.item(i, j + 1) = Complex::new(re, -im);
                j += 2;
            }
        }
    }
    Ok(())
}

fn view<T: Item>(items: &[T], n: usize) -> MatRef<'_, T> {
    MatRef::new(items, n, n).expect("n times n items")
}

fn square<T: Item>(items: &mut [T], n: usize) -> MatMut<'_, T> {
    MatMut::new(items, n, n).expect("n times n items")
}
