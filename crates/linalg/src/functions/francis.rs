//! The QR iteration with two shifts at a time: from Hessenberg to Schur form.

use super::Square;
use crate::decompose::NoConvergence;

/// Sweeps for each row, on average: J. G. F. Francis's iteration takes about two for each eigenvalue.
const SWEEPS_PER_ROW_MAX: usize = 30;

/// After so many sweeps for one eigenvalue the shifts are others, lest the iteration goes round in circles.
const SWEEPS_OF_A_KIND: usize = 10;

/// What is less has too few bits to be turned by; the matrix is far from it.
const SMALLEST: f64 = f64::MIN_POSITIVE / f64::EPSILON / f64::EPSILON;

/// Takes `h`, which has no items below its first subdiagonal, to blocks of one or two rows along the diagonal, and
/// multiplies the transpose `q` by the inverse of the same from the left, so that rows are turned (G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed., algorithm
/// 7.5.2, with LAPACK's shifts). Numbers are far from overflow.
pub(super) fn iterate(h: &mut Square<f64>, q: &mut Square<f64>) -> Result<(), NoConvergence> {
    let size = h.norm_one();
    let mut left = SWEEPS_PER_ROW_MAX * h.n.max(10);
    // The rows from `end` on are done.
    let (mut end, mut sweeps) = (h.n, 0);
    while end > 1 {
        let start = active_start(h, end, size);
        if start + 1 == end {
            (end, sweeps) = (end - 1, 0);
        } else if start + 2 == end {
            finish_pair(h, q, start);
            (end, sweeps) = (start, 0);
        } else {
            left = left.checked_sub(1).ok_or(NoConvergence)?;
            sweeps += 1;
            let shifts = shifts(h, start, end, sweeps);
            sweep(h, q, (start, end), shifts);
        }
    }
    Ok(())
}

/// Where the last block begins that ends before row `end`; the item left of it becomes zero.
fn active_start(h: &mut Square<f64>, end: usize, size: f64) -> usize {
    for i in (1..end).rev() {
        let around = h.at(i, i).abs() + h.at(i - 1, i - 1).abs();
        let around = if around == 0.0 { size } else { around };
        if h.at(i, i - 1).abs() <= (f64::EPSILON * around).max(SMALLEST) {
            *h.item(i, i - 1) = 0.0;
            return i;
        }
    }
    0
}

/// The mean of two shifts, and the product of what each is beside it: of the eigenvalues of the last two rows. So
/// written, shifts that are near each other and near the items of the diagonal lose nothing.
fn shifts(h: &Square<f64>, start: usize, end: usize, sweeps: usize) -> (f64, f64) {
    let (i, j) = (end - 2, end - 1);
    if sweeps.is_multiple_of(SWEEPS_OF_A_KIND) {
        // In turn from the last rows and from the first ones.
        let (at, size) = if sweeps.is_multiple_of(2 * SWEEPS_OF_A_KIND) {
            (
                start,
                h.at(start + 1, start).abs() + h.at(start + 2, start + 1).abs(),
            )
        } else {
            (j, h.at(j, i).abs() + h.at(i, i - 1).abs())
        };
        let x = 0.75 * size + h.at(at, at);
        return (x, 0.4375 * size * size);
    }
    let (a, b, c, d) = (h.at(i, i), h.at(i, j), h.at(j, i), h.at(j, j));
    let mean = a / 2.0 + d / 2.0;
    (mean, (a - mean) * (d - mean) - b * c)
}

/// One sweep over the rows from `start` up to `end`.
fn sweep(
    h: &mut Square<f64>,
    q: &mut Square<f64>,
    (start, end): (usize, usize),
    (mean, beside): (f64, f64),
) {
    let n = h.n;
    let (a, b, c, d) = (
        h.at(start, start),
        h.at(start, start + 1),
        h.at(start + 1, start),
        h.at(start + 1, start + 1),
    );
    // The first column of the matrix less one shift, times the matrix less the other, without a common factor.
    let mut x = [
        ((a - mean) * (a - mean) + beside) / c + b,
        (a - mean) + (d - mean),
        h.at(start + 2, start + 1),
    ];
    for k in start..end - 1 {
        let rows = (end - k).min(3);
        if k > start {
            x = [0.0; 3];
            (0..rows).for_each(|i| x[i] = h.at(k + i, k - 1));
        }
        let Some((v, lead)) = reflector(x, rows) else {
            continue;
        };
        if k > start {
            *h.item(k, k - 1) = lead;
            (1..rows).for_each(|i| *h.item(k + i, k - 1) = 0.0);
        }
        reflect_rows(h, k, &v[..rows], k..n);
        reflect_columns(h, k, &v[..rows], (k + 4).min(end));
        reflect_rows(q, k, &v[..rows], 0..n);
    }
}

/// As in the reduction to Hessenberg form, for three items.
fn reflector(x: [f64; 3], rows: usize) -> Option<([f64; 3], f64)> {
    let scale = x[..rows]
        .iter()
        .fold(0.0_f64, |most, item| most.max(item.abs()));
    if scale == 0.0 || x[1..rows].iter().all(|&item| item == 0.0) {
        return None;
    }
    let mut v = [0.0; 3];
    (0..rows).for_each(|i| v[i] = x[i] / scale);
    let length = v.iter().map(|item| item * item).sum::<f64>().sqrt();
    let lead = -length.copysign(v[0]);
    v[0] -= lead;
    let unit = (length * v[0].abs()).sqrt();
    Some((v.map(|item| item / unit), lead * scale))
}

fn reflect_rows(a: &mut Square<f64>, first: usize, v: &[f64], columns: std::ops::Range<usize>) {
    let n = a.n;
    let (x, rest) = a.items[first * n..(first + v.len()) * n].split_at_mut(n);
    let (y, z) = rest.split_at_mut(n);
    let (x, y) = (&mut x[columns.clone()], &mut y[columns.clone()]);
    if let [r, s, t] = *v {
        let z = &mut z[columns];
        for ((x, y), z) in x.iter_mut().zip(y).zip(z) {
            let sum = r * *x + s * *y + t * *z;
            *x -= r * sum;
            *y -= s * sum;
            *z -= t * sum;
        }
    } else {
        let (r, s) = (v[0], v[1]);
        for (x, y) in x.iter_mut().zip(y) {
            let sum = r * *x + s * *y;
            *x -= r * sum;
            *y -= s * sum;
        }
    }
}

fn reflect_columns(a: &mut Square<f64>, first: usize, v: &[f64], rows: usize) {
    let n = a.n;
    let rows = a.items.chunks_exact_mut(n).take(rows);
    if let [r, s, t] = *v {
        for row in rows {
            let [x, y, z] = &mut row[first..first + 3] else {
                continue;
            };
            let sum = r * *x + s * *y + t * *z;
            *x -= r * sum;
            *y -= s * sum;
            *z -= t * sum;
        }
    } else {
        let (r, s) = (v[0], v[1]);
        for row in rows {
            let [x, y] = &mut row[first..first + 2] else {
                continue;
            };
            let sum = r * *x + s * *y;
            *x -= r * sum;
            *y -= s * sum;
        }
    }
}

/// Turns a block of two rows: to a triangle where its eigenvalues are real, else to one with an equal diagonal.
fn finish_pair(h: &mut Square<f64>, q: &mut Square<f64>, k: usize) {
    let (a, b, c, d) = (
        h.at(k, k),
        h.at(k, k + 1),
        h.at(k + 1, k),
        h.at(k + 1, k + 1),
    );
    let half = (a - d) / 2.0;
    let discriminant = half * half + b * c;
    let (x, y) = if discriminant >= 0.0 {
        // An eigenvector.
        (half + discriminant.sqrt().copysign(half), c)
    } else {
        let (sum, twice) = (b + c, a - d);
        let length = sum.hypot(twice);
        if length == 0.0 {
            return;
        }
        let cosine = f64::midpoint(1.0, sum.abs() / length).sqrt();
        (cosine, -(half / (length * cosine)).copysign(half * sum))
    };
    let length = x.hypot(y);
    let (cosine, sine) = (x / length, y / length);
    let n = h.n;
    for (a, first) in [(&mut *h, k), (q, 0)] {
        for j in first..n {
            let (x, y) = (a.at(k, j), a.at(k + 1, j));
            *a.item(k, j) = cosine * x + sine * y;
            *a.item(k + 1, j) = cosine * y - sine * x;
        }
    }
    for i in 0..k + 2 {
        let (x, y) = (h.at(i, k), h.at(i, k + 1));
        *h.item(i, k) = cosine * x + sine * y;
        *h.item(i, k + 1) = cosine * y - sine * x;
    }
    if discriminant >= 0.0 {
        *h.item(k + 1, k) = 0.0;
    } else {
        let middle = f64::midpoint(h.at(k, k), h.at(k + 1, k + 1));
        *h.item(k, k) = middle;
        *h.item(k + 1, k + 1) = middle;
    }
}
