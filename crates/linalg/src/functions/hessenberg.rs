//! Reduction to Hessenberg form: no items below the first subdiagonal.

use super::Square;

/// Reduces `t` to `h` with `t = q h q^T`, and multiplies `q` by that from the right: A. S. Householder's reflections, a
/// column each (G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed., algorithm 7.4.2).
pub(super) fn reduce(t: &mut Square<f64>, q: &mut Square<f64>) {
    let n = t.n;
    for k in 0..n.saturating_sub(2) {
        let column: Vec<f64> = (k + 1..n).map(|i| t.at(i, k)).collect();
        let Some((v, lead)) = reflector(&column) else {
            continue;
        };
        from_left(t, k + 1, &v);
        from_right(t, k + 1, &v);
        from_right(q, k + 1, &v);
        *t.item(k + 1, k) = lead;
        (k + 2..n).for_each(|i| *t.item(i, k) = 0.0);
    }
}

/// The vector `v` of length `sqrt(2)` for which `x - v (v^T x)` has one item that is not zero, the first one; and that.
/// None where it is so already.
fn reflector(x: &[f64]) -> Option<(Vec<f64>, f64)> {
    let largest = x[1..]
        .iter()
        .fold(0.0_f64, |most, item| most.max(item.abs()));
    if largest == 0.0 {
        return None;
    }
    let scale = largest.max(x[0].abs());
    let scaled: Vec<f64> = x.iter().map(|item| item / scale).collect();
    let length = scaled.iter().map(|item| item * item).sum::<f64>().sqrt();
    let lead = -length.copysign(x[0]);
    let mut v = scaled;
    v[0] -= lead;
    // Of `|v|^2 = 2 length (length + |x[0]|)`, the part that makes it 2.
    let unit = (length * v[0].abs()).sqrt();
    for item in &mut v {
        *item /= unit;
    }
    Some((v, lead * scale))
}

/// Reflects the rows from `first` on.
fn from_left(a: &mut Square<f64>, first: usize, v: &[f64]) {
    let n = a.n;
    let mut sums = vec![0.0; n];
    let rows = || first * n..(first + v.len()) * n;
    for (row, &factor) in a.items[rows()].chunks_exact(n).zip(v) {
        for (sum, item) in sums.iter_mut().zip(row) {
            *sum += factor * item;
        }
    }
    for (row, &factor) in a.items[rows()].chunks_exact_mut(n).zip(v) {
        for (item, sum) in row.iter_mut().zip(&sums) {
            *item -= factor * sum;
        }
    }
}

/// Reflects the columns from `first` on.
fn from_right(a: &mut Square<f64>, first: usize, v: &[f64]) {
    let n = a.n;
    for row in a.items.chunks_exact_mut(n) {
        let row = &mut row[first..first + v.len()];
        let sum: f64 = row.iter().zip(v).map(|(item, factor)| item * factor).sum();
        for (item, factor) in row.iter_mut().zip(v) {
            *item -= sum * factor;
        }
    }
}
