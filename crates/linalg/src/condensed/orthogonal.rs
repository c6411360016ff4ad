//! Factors `q r` of real matrices by blocks of reflectors, nearly all of it products of matrices: C. Bischof and C. Van
//! Loan, "The WY representation for products of Householder matrices" (1987).

use super::panel::Rows;
use super::reflector::{apply_block, apply_to_unit, block, block_factor};
use super::simd::Item;
use crate::dense::copy_into;
use crate::workspace::Room;
use crate::{Context, MatMut, MatRef};

/// Reflectors that are made one by one.
const PANEL: usize = 16;

/// `a = q r` of a matrix that is far from overflow: `r`, `k x n`, has zeros below the diagonal, and the columns of `q`,
/// `m x k`, are orthonormal; `k` is `m` or the lesser of `m` and `n`. Without `q` only `r` is found.
///
/// Costs about `2 n^2 (m - n / 3)` multiplications and additions for each of both where `m` is not less than `n`, and
/// memory for three matrices. The bits do not depend on the threads of `context`.
///
/// # Panics
/// When shapes do not fit.
///
/// ```
/// use nexus_linalg::{Context, MatMut, MatRef, condensed};
///
/// let (mut q, mut r) = ([0.0_f64; 4], [0.0; 4]);
/// let a = MatRef::new(&[3.0, 1.0, 4.0, 2.0], 2, 2)?;
/// condensed::qr(Context::default(), a, Some(MatMut::new(&mut q, 2, 2)?), MatMut::new(&mut r, 2, 2)?);
/// assert!((q[0] * r[0] - 3.0).abs() < 1e-15 && (r[0].abs() - 5.0).abs() < 1e-15 && r[2] == 0.0);
/// # Ok::<(), nexus_linalg::Error>(())
/// ```
pub fn qr<T: Item>(
    context: Context,
    a: MatRef<'_, T>,
    q: Option<MatMut<'_, T>>,
    mut r: MatMut<'_, T>,
) {
    let (m, n) = a.shape();
    // Row `j` has column `j`.
    let mut items = Room::filled(T::default(), m * n);
    let columns = MatMut::with_strides(&mut items, (m, n), (1, m.max(1)));
    copy_into(a, columns.expect("m times n items"));
    let reflectors = Reflectors::of(context, &mut items, m);
    let k = r.shape().0;
    let columns = MatRef::new(&items, n, m).expect("n times m items");
    copy_into(columns.block(0..n, 0..k).transpose(), r.reborrow());
    let Some(q) = q else { return };
    let k = q.shape().1;
    let mut rows = Room::filled(T::default(), k * m);
    let mut view = MatMut::new(&mut rows, k, m).expect("k times m items");
    let vectors = MatRef::new(&reflectors.vectors, reflectors.taus.len(), m);
    let vectors = vectors.expect("as many vectors as reflectors");
    apply_to_unit(context, (vectors, &reflectors.taus), view.reborrow());
    copy_into(view.as_ref(), q.transpose());
}

/// What made a matrix a triangle.
struct Reflectors<T> {
    /// Row `i` has zeros before item `i`, its one there, and the rest of the vector.
    vectors: Room<T>,
    taus: Room<T>,
}

impl<T: Item> Reflectors<T> {
    /// Of the columns of a matrix, `m` items each, which become those of the triangle.
    fn of(context: Context, columns: &mut [T], m: usize) -> Self {
        let steps = m.min(columns.len() / m.max(1));
        let mut vectors = Room::filled(T::default(), steps * m);
        let mut taus = Room::filled(T::default(), steps);
        let size = block(steps);
        for first in (0..steps).step_by(size) {
            let end = steps.min(first + size);
            let (own, others) = columns[first * m..].split_at_mut((end - first) * m);
            for start in (first..end).step_by(PANEL) {
                let stop = end.min(start + PANEL);
                let (panel, rest) = own[(start - first) * m..].split_at_mut((stop - start) * m);
                let rows = Rows {
                    items: panel,
                    step: m,
                    first: start,
                };
                let found = rows.triangle(context);
                let found_rows = found.vectors.chunks_exact(m - start);
                for (row, from) in vectors[start * m..].chunks_exact_mut(m).zip(found_rows) {
                    row[start..].copy_from_slice(from);
                }
                taus[start..stop].copy_from_slice(&found.taus);
                let v = MatRef::new(&found.vectors, stop - start, m - start);
                let factor = MatRef::new(&found.factor, stop - start, stop - start);
                let found = (v.expect("rows"), factor.expect("square"));
                apply_block(context, found, behind(rest, m, start));
            }
            let v = MatRef::new(&vectors[first * m..end * m], end - first, m);
            let v = v.expect("rows").block(0..end - first, first..m);
            let factor = block_factor(context, v, &taus[first..end]);
            let factor = MatRef::new(&factor, end - first, end - first).expect("square");
            apply_block(context, (v, factor), behind(others, m, first));
        }
        Self { vectors, taus }
    }
}

/// The items from item `first` on of rows of `m`.
fn behind<T>(rows: &mut [T], m: usize, first: usize) -> MatMut<'_, T> {
    let count = rows.len() / m;
    let all = MatMut::new(rows, count, m).expect("whole rows");
    all.block(0..count, first..m)
}
