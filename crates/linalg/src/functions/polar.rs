//! The polar decomposition.

use super::check_result;
use crate::decompose::{self, Decompose};
use crate::dense::copy_into;
use crate::{Conj, Context, Error, Field, Float, MatMut, MatRef};
use std::cmp::Ordering;

/// On which side of the orthonormal factor the positive one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `a = p u`, `p` of the order of the rows.
    Left,
    /// `a = u p`, `p` of the order of the columns.
    Right,
}

/// The polar decomposition of an `m x n` matrix: `u`, of its shape, with orthonormal columns or rows, whichever are
/// fewer, and `p`, Hermitian and positive semidefinite. NaN in `a` makes both NaN. Costs a singular value
/// decomposition and two products. N. J. Higham, "Functions of Matrices" (2008), chapter 8.
///
/// # Errors
/// `InvalidInput` when the shapes do not fit, `Infinite`, `NoConvergence`.
pub fn polar<T: Field>(
    engine: &impl Decompose<T>,
    context: Context,
    a: MatRef<'_, T>,
    side: Side,
    u: MatMut<'_, T>,
    mut p: MatMut<'_, T>,
) -> Result<(), Error> {
    let ((m, n), zero) = (a.shape(), T::default());
    let (k, order) = match side {
        Side::Left => (m.min(n), m),
        Side::Right => (m.min(n), n),
    };
    check_result("find the polar factor of", (m, n), &u)?;
    check_result("find the positive factor of", (order, order), &p)?;
    let zeros = |len| vec![zero; len];
    let (mut values, mut w, mut v) = (vec![T::Real::default(); k], zeros(m * k), zeros(n * k));
    let vectors = (MatMut::new(&mut w, m, k)?, MatMut::new(&mut v, n, k)?);
    decompose::svd(context, engine, a, &mut values, Some(vectors))?;
    let (w, v) = (MatRef::new(&w, m, k)?, MatRef::new(&v, n, k)?);
    let adjoint = |a: MatRef<'_, T>, b: MatRef<'_, T>, c: MatMut<'_, T>| {
        T::gemm(
            context,
            T::ONE,
            (a, Conj::No),
            (b.transpose(), Conj::Yes),
            zero,
            c,
        );
    };
    adjoint(w, v, u);
    let basis = match side {
        Side::Left => w,
        Side::Right => v,
    };
    let rooted: Vec<T> = (0..order)
        .flat_map(|i| {
            basis
                .row(i)
                .zip(&values)
                .map(|(&item, value)| item.scale(value.sqrt()))
        })
        .collect();
    let rooted = MatRef::new(&rooted, order, k)?;
    adjoint(rooted, rooted, p.reborrow());
    // One triangle decides, so that the result is Hermitian to the last bit.
    let half = p.as_ref();
    let mut even = zeros(order * order);
    for i in 0..order {
        for j in 0..order {
            let item = half.get(i.max(j), i.min(j));
            even[i * order + j] = match i.cmp(&j) {
                Ordering::Less => item.conj(),
                Ordering::Equal => T::from_real(item.re()),
                Ordering::Greater => item,
            };
        }
    }
    copy_into(MatRef::new(&even, order, order)?, p);
    Ok(())
}
