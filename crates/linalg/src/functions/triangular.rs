//! Systems with upper triangular complex matrices, by recursions that end in products.

use super::C;
use crate::dense::copy_into;
use crate::{Context, MatMut, MatRef};

/// Rows up to which the plain loops run.
const LEAF: usize = 16;

/// A sum of eigenvalues that is zero: these rows of the two matrices.
#[derive(Debug)]
pub(super) struct ZeroSum(pub(super) usize, pub(super) usize);

/// Solves `a x + x b = c` for upper triangular `a` and `b`, `c` becoming `x`. A quotient of zeros counts as zero.
///
/// I. Jonsson, B. Kågström, "Recursive blocked algorithms for solving triangular systems: part I" (2002).
pub(super) fn solve_sylvester(
    context: Context,
    a: MatRef<'_, C>,
    b: MatRef<'_, C>,
    mut c: MatMut<'_, C>,
) -> Result<(), ZeroSum> {
    let (m, n) = c.shape();
    let (minus, one) = (C::new(-1.0, 0.0), C::new(1.0, 0.0));
    if m.max(n) <= LEAF {
        return substitute(a, b, c);
    }
    if m >= n {
        let (top, bottom) = (0..m / 2, m / 2..m);
        let corner = a.block(bottom.clone(), bottom.clone());
        solve_sylvester(context, corner, b, c.reborrow().block(bottom.clone(), 0..n))
            .map_err(|ZeroSum(i, j)| ZeroSum(i + m / 2, j))?;
        let known = owned(c.as_ref().block(bottom.clone(), 0..n));
        let known = MatRef::new(&known, bottom.len(), n).expect("as many items");
        let between = a.block(top.clone(), bottom);
        let rest = c.reborrow().block(top.clone(), 0..n);
        context.gemm(minus, between, known, one, rest);
        solve_sylvester(
            context,
            a.block(top.clone(), top.clone()),
            b,
            c.block(top, 0..n),
        )
    } else {
        let (left, right) = (0..n / 2, n / 2..n);
        let corner = b.block(left.clone(), left.clone());
        solve_sylvester(context, a, corner, c.reborrow().block(0..m, left.clone()))?;
        let known = owned(c.as_ref().block(0..m, left.clone()));
        let known = MatRef::new(&known, m, left.len()).expect("as many items");
        let between = b.block(left, right.clone());
        let rest = c.reborrow().block(0..m, right.clone());
        context.gemm(minus, known, between, one, rest);
        let corner = b.block(right.clone(), right.clone());
        solve_sylvester(context, a, corner, c.block(0..m, right))
            .map_err(|ZeroSum(i, j)| ZeroSum(i, j + n / 2))
    }
}

/// Item by item.
fn substitute(a: MatRef<'_, C>, b: MatRef<'_, C>, mut c: MatMut<'_, C>) -> Result<(), ZeroSum> {
    let (m, n) = c.shape();
    for j in 0..n {
        for i in (0..m).rev() {
            let mut sum = c.as_ref().get(i, j);
            for k in i + 1..m {
                sum -= a.get(i, k) * c.as_ref().get(k, j);
            }
            for k in 0..j {
                sum -= c.as_ref().get(i, k) * b.get(k, j);
            }
            let divisor = a.get(i, i) + b.get(j, j);
            *c.item(i, j) = if divisor != C::default() {
                sum / divisor
            } else if sum == C::default() {
                sum
            } else {
                return Err(ZeroSum(i, j));
            };
        }
    }
    Ok(())
}

/// Solves `a x = b` for an upper triangular `a` whose diagonal is not zero, `b` becoming `x`.
pub(super) fn solve_upper(context: Context, a: MatRef<'_, C>, mut b: MatMut<'_, C>) {
    let (m, n) = b.shape();
    if m <= LEAF {
        for i in (0..m).rev() {
            for k in i + 1..m {
                let factor = a.get(i, k);
                for j in 0..n {
                    let known = b.as_ref().get(k, j);
                    *b.item(i, j) -= factor * known;
                }
            }
            let pivot = a.get(i, i);
            (0..n).for_each(|j| *b.item(i, j) /= pivot);
        }
        return;
    }
    let (top, bottom) = (0..m / 2, m / 2..m);
    let corner = a.block(bottom.clone(), bottom.clone());
    solve_upper(context, corner, b.reborrow().block(bottom.clone(), 0..n));
    let known = owned(b.as_ref().block(bottom.clone(), 0..n));
    let known = MatRef::new(&known, bottom.len(), n).expect("as many items");
    let (minus, one) = (C::new(-1.0, 0.0), C::new(1.0, 0.0));
    let rest = b.reborrow().block(top.clone(), 0..n);
    context.gemm(minus, a.block(top.clone(), bottom), known, one, rest);
    solve_upper(
        context,
        a.block(top.clone(), top.clone()),
        b.block(top, 0..n),
    );
}

/// A copy by rows.
pub(super) fn owned(a: MatRef<'_, C>) -> Vec<C> {
    let (m, n) = a.shape();
    let mut items = vec![C::default(); m * n];
    copy_into(a, MatMut::new(&mut items, m, n).expect("m times n items"));
    items
}
