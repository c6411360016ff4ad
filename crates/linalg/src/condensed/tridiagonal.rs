//! Eigenvalues of symmetric tridiagonal matrices: the root-free QL iteration of Pal, Walker and Kahan, in
//! B. N. Parlett, "The Symmetric Eigenvalue Problem" (1998), section 8.15.

use super::{largest, unit};
use crate::decompose::NoConvergence;

/// Sweeps for each eigenvalue; more than a few are never seen.
const SWEEPS_MAX: usize = 50;

/// The eigenvalues of the matrix with this diagonal and these items beside it, ascending, into `diagonal`.
/// `beside` has one item less, and is used up. Costs about `n^2` steps of two divisions. Numbers are finite.
///
/// # Errors
/// When the iteration does not end within its limit.
///
/// ```
/// let (mut diagonal, mut beside) = ([2.0, 2.0], [1.0]);
/// nexus_linalg::condensed::eigenvalues(&mut diagonal, &mut beside)?;
/// assert_eq!(diagonal, [1.0, 3.0]);
/// # Ok::<(), nexus_linalg::decompose::NoConvergence>(())
/// ```
pub fn eigenvalues(diagonal: &mut [f64], beside: &mut [f64]) -> Result<(), NoConvergence> {
    let n = diagonal.len();
    let size = largest(diagonal).max(largest(beside));
    if n == 0 || size == 0.0 {
        return Ok(());
    }
    let (down, up) = unit(size);
    for item in diagonal.iter_mut() {
        *item *= down;
    }
    for item in beside.iter_mut() {
        *item = (*item * down) * (*item * down);
    }
    let mut start = 0;
    while start < n {
        let end = (start..n - 1)
            .find(|&i| is_negligible(diagonal, beside, i))
            .unwrap_or(n - 1);
        let (block, squares) = (&mut diagonal[start..=end], &mut beside[start..end]);
        // The iteration is for matrices whose larger items are at the end.
        if block[block.len() - 1].abs() < block[0].abs() {
            block.reverse();
            squares.reverse();
        }
        iterate(block, squares)?;
        start = end + 1;
    }
    diagonal.sort_unstable_by(f64::total_cmp);
    for item in diagonal.iter_mut() {
        *item *= up;
    }
    Ok(())
}

/// Whether a squared item beside the diagonal is nothing to its neighbours.
fn is_negligible(diagonal: &[f64], squares: &[f64], i: usize) -> bool {
    squares[i] <= f64::EPSILON * f64::EPSILON * (diagonal[i] * diagonal[i + 1]).abs()
        || squares[i] < f64::MIN_POSITIVE
}

/// The eigenvalues of a block, from its first to its last.
fn iterate(diagonal: &mut [f64], squares: &mut [f64]) -> Result<(), NoConvergence> {
    let n = diagonal.len();
    let mut sweeps = SWEEPS_MAX * n;
    let mut first = 0;
    while first < n {
        let last = (first..n - 1)
            .find(|&i| is_negligible(diagonal, squares, i))
            .unwrap_or(n - 1);
        if last < n - 1 {
            squares[last] = 0.0;
        }
        match last - first {
            0 => first += 1,
            1 => {
                let pair = two(diagonal[first], squares[first], diagonal[last]);
                (diagonal[first], diagonal[last]) = pair;
                squares[first] = 0.0;
                first += 2;
            }
            _ if sweeps == 0 => return Err(NoConvergence),
            _ => {
                sweeps -= 1;
                sweep(&mut diagonal[first..=last], &mut squares[first..last]);
            }
        }
    }
    Ok(())
}

/// The eigenvalues of a matrix of order two with the diagonal `a`, `c` and the square `b2` beside it.
fn two(a: f64, b2: f64, c: f64) -> (f64, f64) {
    let half = (a - c) / 2.0;
    let root = (half * half + b2).sqrt();
    let middle = f64::midpoint(a, c);
    // The larger one has no cancellation; the product is the determinant.
    let far = if middle < 0.0 {
        middle - root
    } else {
        middle + root
    };
    if far == 0.0 {
        return (0.0, 0.0);
    }
    let near = (a / far) * c - b2 / far;
    (near, far)
}

/// One sweep of QL, from the last row to the first, with Wilkinson's shift.
fn sweep(diagonal: &mut [f64], squares: &mut [f64]) {
    let last = diagonal.len() - 1;
    let root = squares[0].sqrt();
    let slope = (diagonal[1] - diagonal[0]) / (2.0 * root);
    let shift = diagonal[0] - root / (slope + slope.hypot(1.0).copysign(slope));
    let (mut cosine, mut sine) = (1.0, 0.0);
    let mut gamma = diagonal[last] - shift;
    let mut square = gamma * gamma;
    for i in (0..last).rev() {
        let beside = squares[i];
        let sum = square + beside;
        if i + 1 < last {
            squares[i + 1] = sine * sum;
        }
        let before = cosine;
        cosine = square / sum;
        sine = beside / sum;
        let (old, item) = (gamma, diagonal[i]);
        gamma = cosine * (item - shift) - sine * old;
        diagonal[i + 1] = old + (item - gamma);
        square = if cosine == 0.0 {
            before * beside
        } else {
            gamma * gamma / cosine
        };
    }
    squares[0] = sine * square;
    diagonal[0] = shift + gamma;
}
