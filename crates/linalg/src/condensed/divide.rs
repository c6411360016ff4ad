//! Eigenvectors of symmetric tridiagonal matrices: divide and conquer, J. J. M. Cuppen, "A divide and conquer method
//! for the symmetric tridiagonal eigenproblem" (1981), with the deflation and the vectors of M. Gu and S. C.
//! Eisenstat, "A divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem" (1995).

use super::merge::{
    Half, List, Vectors, ascending, by_halves, reorder, share, solve_all, write_values,
};
use super::rotate::iterate;
use super::secular::{Secular, vector};
use super::simd::LANES;
use super::{largest, unit};
use crate::Context;
use crate::decompose::NoConvergence;
use crate::workspace::Room;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Rows up to which the QL iteration runs.
const LEAF: usize = 16;

/// The eigenvalues of the matrix with this diagonal and these items beside it, ascending, into `diagonal`, and their
/// eigenvectors of length one as the rows of `vectors`, `n x n`. `beside` has one item less, and is used up. Numbers
/// are finite.
///
/// Costs at most about `4/3 n^3` multiplications in products, less where values lie close together, and memory for
/// three matrices. The bits do not depend on the threads of `context`.
///
/// # Errors
/// When the iteration does not end within its limit.
///
/// # Panics
/// When lengths do not fit.
///
/// ```
/// use nexus_linalg::{Context, condensed};
///
/// let (mut diagonal, mut beside, mut vectors) = ([2.0, 2.0], [1.0], [0.0; 4]);
/// condensed::eigenvectors(Context::default(), &mut diagonal, &mut beside, &mut vectors)?;
/// assert!((diagonal[0] - 1.0).abs() < 1e-15 && (diagonal[1] - 3.0).abs() < 1e-15);
/// assert!((vectors[2] - vectors[3]).abs() < 1e-15);
/// # Ok::<(), nexus_linalg::decompose::NoConvergence>(())
/// ```
pub fn eigenvectors(
    context: Context,
    diagonal: &mut [f64],
    beside: &mut [f64],
    vectors: &mut [f64],
) -> Result<(), NoConvergence> {
    let n = diagonal.len();
    assert!(
        vectors.len() == n * n && beside.len() + 1 == n.max(1),
        "n times n items, and n - 1 beside the diagonal"
    );
    if n == 0 {
        return Ok(());
    }
    let (down, up) = unit(
        largest(diagonal)
            .max(largest(beside))
            .max(f64::MIN_POSITIVE),
    );
    for item in diagonal.iter_mut().chain(beside.iter_mut()) {
        *item *= down;
    }
    let mut rows = Room::filled(0.0, n * n);
    let mut space = Room::filled(0.0, space(n));
    let failed = AtomicBool::new(false);
    let node = Node {
        start: 0,
        columns: n,
        diagonal,
        beside,
        rows: &mut rows,
        space: &mut space,
    };
    node.solve(context, &failed);
    if failed.into_inner() {
        return Err(NoConvergence);
    }
    let order = ascending(diagonal);
    let sorted = Room::gather(order.iter().map(|&i| diagonal[i] * up));
    diagonal.copy_from_slice(&sorted);
    for (to, &i) in vectors.chunks_exact_mut(n).zip(order.iter()) {
        to.copy_from_slice(&rows[i * n..(i + 1) * n]);
    }
    Ok(())
}

/// Items that a node of `m` rows works with: distances of its roots, and its vectors as they were.
fn space(m: usize) -> usize {
    if m <= LEAF {
        0
    } else {
        m * (m + LANES) + m * m
    }
}

/// Some rows of the matrix. Their vectors are rows of zeros but for these columns.
struct Node<'a> {
    start: usize,
    columns: usize,
    diagonal: &'a mut [f64],
    beside: &'a mut [f64],
    rows: &'a mut [f64],
    space: &'a mut [f64],
}

/// What is left of a node when what needs no work is put aside.
struct Deflated {
    /// Vectors that go into the secular equation, by their poles.
    kept: Room<usize>,
    /// Vectors that stay.
    done: Room<usize>,
    halves: Room<Half>,
}

impl Node<'_> {
    fn solve(self, context: Context, failed: &AtomicBool) {
        let Node {
            start,
            columns,
            diagonal,
            beside,
            rows,
            space: work,
        } = self;
        let m = diagonal.len();
        if m <= LEAF {
            if iterate(diagonal, beside, rows, (start, columns), context.isa()).is_err() {
                failed.store(true, Relaxed);
            }
            return;
        }
        let half = m / 2;
        let link = beside[half - 1];
        diagonal[half - 1] -= link.abs();
        diagonal[half] -= link.abs();
        {
            let (first, second) = diagonal.split_at_mut(half);
            let (above, below) = beside.split_at_mut(half);
            let (top, bottom) = rows.split_at_mut(half * columns);
            let (left, right) = work.split_at_mut(space(half));
            let nodes = [
                Node {
                    start,
                    columns,
                    diagonal: first,
                    beside: &mut above[..half - 1],
                    rows: top,
                    space: left,
                },
                Node {
                    start: start + half,
                    columns,
                    diagonal: second,
                    beside: below,
                    rows: bottom,
                    space: right,
                },
            ];
            let inner = context.within(nodes.len());
            let cost = (half as f64).powi(3);
            context.for_each(cost, nodes.into_iter(), |node| node.solve(inner, failed));
        }
        if failed.load(Relaxed) {
            return;
        }
        let node = Node {
            start,
            columns,
            diagonal,
            beside,
            rows,
            space: work,
        };
        node.merge(context, link);
    }

    /// Puts the halves together: their matrices side by side, plus `|link|` times the square of `(.., 1, +-1, ..)`.
    fn merge(mut self, context: Context, link: f64) {
        let mut z = self.coupling(link);
        let rho = 2.0 * link.abs();
        let found = self.deflate(&mut z, rho);
        let kept = &found.kept;
        if kept.is_empty() {
            return;
        }
        let poles = Room::gather(kept.iter().map(|&i| self.diagonal[i]));
        let parts = Room::gather(kept.iter().map(|&i| z[i]));
        let secular = Secular::new(context.isa(), &poles, &parts, rho);
        let order = by_halves(kept, &found.halves);
        let m = self.diagonal.len();
        let (distances, rest) = std::mem::take(&mut self.space).split_at_mut(m * (m + LANES));
        let distances = &mut distances[..kept.len() * secular.width()];
        let roots = solve_all(context, &secular, distances);
        vectors_of(context, &secular, (distances, &parts), &order);
        let order = Room::gather(order.iter().map(|&i| kept[i]));
        let factors = (&*distances, secular.width());
        let which = (&order[..], &found.done[..]);
        self.vectors()
            .combine(context, factors, which, &found.halves, rest);
        write_values(self.diagonal, &secular, &roots, &found.done);
    }

    /// The vector of rank one in the eigenvectors of the halves, at length one.
    fn coupling(&self, link: f64) -> Room<f64> {
        let (m, n) = (self.diagonal.len(), self.columns);
        let middle = self.start + m / 2;
        let size = f64::sqrt(0.5);
        let item = |i: usize| {
            if i < m / 2 {
                self.rows[i * n + middle - 1] * size
            } else {
                self.rows[i * n + middle] * size.copysign(link)
            }
        };
        Room::gather((0..m).map(item))
    }

    /// Puts vectors aside that are eigenvectors of the whole but for roundings: those with no part in `z`, and after
    /// a rotation one of two whose poles are nearly equal.
    fn deflate(&mut self, z: &mut [f64], rho: f64) -> Deflated {
        let (m, half) = (z.len(), z.len() / 2);
        let which = |i| if i < half { Half::First } else { Half::Second };
        let mut halves = Room::gather((0..m).map(which));
        let tolerance = 8.0 * f64::EPSILON * largest(self.diagonal).max(rho * largest(z));
        let (mut kept, mut done) = (List::new(m), List::new(m));
        let mut last: Option<usize> = None;
        for &i in ascending(self.diagonal).iter() {
            if rho * z[i].abs() <= tolerance {
                done.push(i);
                continue;
            }
            if let Some(before) = last.replace(i) {
                let length = z[before].hypot(z[i]);
                let (cosine, sine) = (z[i] / length, -z[before] / length);
                let gap = self.diagonal[i] - self.diagonal[before];
                if (gap * cosine * sine).abs() <= tolerance {
                    (z[before], z[i]) = (0.0, length);
                    self.rotate((before, i), (cosine, sine));
                    if halves[before] != halves[i] {
                        (halves[before], halves[i]) = (Half::Both, Half::Both);
                    }
                    done.push(before);
                } else {
                    kept.push(before);
                }
            }
        }
        if let Some(last) = last {
            kept.push(last);
        }
        let (kept, done) = (kept.done(), done.done());
        Deflated { kept, done, halves }
    }

    /// Turns two vectors, and gives each its part of the diagonal.
    fn rotate(&mut self, pair: (usize, usize), by: (f64, f64)) {
        self.vectors().rotate(pair, by);
        share(self.diagonal, pair, by);
    }

    fn vectors(&mut self) -> Vectors<'_> {
        let (start, m) = (self.start, self.diagonal.len());
        Vectors {
            rows: self.rows,
            columns: self.columns,
            span: [start, start + m / 2, start + m],
        }
    }
}

/// Turns distances into vectors, whose items lie in the given order.
fn vectors_of(
    context: Context,
    secular: &Secular,
    (distances, z): (&mut [f64], &[f64]),
    order: &[usize],
) {
    let width = secular.width();
    let weights = secular.weights_of(distances, z);
    let rows = distances.chunks_exact_mut(width);
    context.for_each(4.0 * width as f64, rows, |row| {
        vector(context.isa(), &weights, row);
        reorder(row, order);
    });
}
