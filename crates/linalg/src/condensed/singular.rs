//! Singular vectors of bidiagonal matrices: divide and conquer, M. Gu and S. C. Eisenstat, "A divide-and-conquer
//! algorithm for the bidiagonal SVD" (1995).

use super::golub_kahan::{SIZE_MIN, Side, iterate};
use super::merge::{
    Half, List, Vectors, ascending, by_halves, reorder, share, solve_all, write_values,
};
use super::secular::{Secular, vector_pair};
use super::simd::LANES;
use super::{largest, unit};
use crate::Context;
use crate::decompose::NoConvergence;
use crate::workspace::Room;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Rows up to which the iteration by sweeps runs.
const LEAF: usize = 16;

/// The singular values of the upper bidiagonal matrix with this diagonal and these items above it, descending, into
/// `diagonal`, and their vectors of length one as the rows of `left` and `right`, `n x n`. `above` has one item less,
/// and is used up. Numbers are finite.
///
/// Costs at most about `8/3 n^3` multiplications in products, less where values lie close together, and memory for
/// five matrices. The bits do not depend on the threads of `context`.
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
/// let (mut diagonal, mut above) = ([3.0, 4.0], [0.0]);
/// let (mut left, mut right) = ([0.0; 4], [0.0; 4]);
/// condensed::singular_vectors(Context::default(), &mut diagonal, &mut above, (&mut left, &mut right))?;
/// assert_eq!(diagonal, [4.0, 3.0]);
/// assert_eq!(left, [0.0, 1.0, 1.0, 0.0]);
/// # Ok::<(), nexus_linalg::decompose::NoConvergence>(())
/// ```
pub fn singular_vectors(
    context: Context,
    diagonal: &mut [f64],
    above: &mut [f64],
    (left, right): (&mut [f64], &mut [f64]),
) -> Result<(), NoConvergence> {
    let n = diagonal.len();
    assert!(
        left.len() == n * n && right.len() == n * n && above.len() + 1 == n.max(1),
        "n times n items on each side, and n - 1 above the diagonal"
    );
    if n == 0 {
        return Ok(());
    }
    let size = largest(diagonal).max(largest(above));
    let (down, up) = unit(size.max(f64::MIN_POSITIVE));
    for item in diagonal.iter_mut().chain(above.iter_mut()) {
        *item *= down;
    }
    let (mut left_rows, mut right_rows) = (Room::filled(0.0, n * n), Room::filled(0.0, n * n));
    let mut space = Room::filled(0.0, space(n));
    let failed = AtomicBool::new(false);
    let node = Node {
        start: 0,
        columns: n,
        diagonal,
        above,
        left: &mut left_rows,
        right: &mut right_rows,
        space: &mut space,
    };
    node.solve(context, &failed);
    if failed.into_inner() {
        return Err(NoConvergence);
    }
    let mut order = ascending(diagonal);
    order.reverse();
    let sorted = Room::gather(order.iter().map(|&i| diagonal[i] * up));
    diagonal.copy_from_slice(&sorted);
    for (to, from) in [(left, left_rows), (right, right_rows)] {
        for (to, &i) in to.chunks_exact_mut(n).zip(order.iter()) {
            to.copy_from_slice(&from[i * n..(i + 1) * n]);
        }
    }
    Ok(())
}

/// Items that a node of `m` rows works with: the vectors of its roots on both sides, and vectors as they were.
fn space(m: usize) -> usize {
    if m <= LEAF {
        0
    } else {
        2 * m * (m + LANES) + m * (m + 1)
    }
}

/// Some rows of the matrix, and as many columns, or one more: then there are as many items above the diagonal as on
/// it, and the last row of the right side is the vector that the matrix makes zero. Vectors are rows of zeros but for
/// these columns.
struct Node<'a> {
    start: usize,
    /// The items of a row.
    columns: usize,
    diagonal: &'a mut [f64],
    above: &'a mut [f64],
    left: &'a mut [f64],
    right: &'a mut [f64],
    space: &'a mut [f64],
}

/// What is left of a node when what needs no work is put aside.
struct Deflated {
    /// Vectors that go into the secular equation, by their poles; the first one's pole is zero.
    kept: Room<usize>,
    /// Vectors that stay.
    done: Room<usize>,
    left: Room<Half>,
    right: Room<Half>,
}

impl Node<'_> {
    fn solve(mut self, context: Context, failed: &AtomicBool) {
        let (m, n, start) = (self.diagonal.len(), self.columns, self.start);
        if m <= LEAF {
            let side = |rows| Side {
                rows,
                columns: n,
                start,
            };
            let (left, right) = (side(self.left), side(self.right));
            if iterate(self.diagonal, self.above, left, right, context.isa()).is_err() {
                failed.store(true, Relaxed);
            }
            return;
        }
        let middle = m / 2;
        let link = (self.diagonal[middle], self.above[middle]);
        let inner = context.within(2);
        context.for_each((middle as f64).powi(3), self.halves().into_iter(), |node| {
            node.solve(inner, failed);
        });
        if !failed.load(Relaxed) {
            self.merge(context, link);
        }
    }

    /// The rows before the middle one, with its column, and those behind it.
    fn halves(&mut self) -> [Node<'_>; 2] {
        let (m, n) = (self.diagonal.len(), self.columns);
        let middle = m / 2;
        let (first, second) = self.diagonal.split_at_mut(middle);
        let (above, below) = self.above.split_at_mut(middle);
        let (top, bottom) = self.left.split_at_mut(middle * n);
        let (before, behind) = self.right.split_at_mut((middle + 1) * n);
        let (work, other) = self.space.split_at_mut(space(middle));
        [
            Node {
                start: self.start,
                columns: n,
                diagonal: first,
                above,
                left: top,
                right: before,
                space: work,
            },
            Node {
                start: self.start + middle + 1,
                columns: n,
                diagonal: &mut second[1..],
                above: &mut below[1..],
                left: &mut bottom[n..],
                right: behind,
                space: other,
            },
        ]
    }

    /// Puts the halves together by the middle row, which has `link` on the diagonal and beside it.
    fn merge(mut self, context: Context, link: (f64, f64)) {
        let (m, n) = (self.diagonal.len(), self.columns);
        let middle = m / 2;
        self.left[middle * n + self.start + middle] = 1.0;
        self.diagonal[middle] = 0.0;
        let mut z = self.coupling(link);
        let found = self.deflate(&mut z);
        let poles = Room::gather(found.kept.iter().map(|&i| self.diagonal[i]));
        let parts = Room::gather(found.kept.iter().map(|&i| z[i]));
        let secular = Secular::of_squares(context.isa(), &poles, &parts);
        let width = secular.width();
        let space = std::mem::take(&mut self.space);
        let (distances, rest) = space.split_at_mut(m * (m + LANES));
        let (lefts, rest) = rest.split_at_mut(m * (m + LANES));
        let distances = &mut distances[..poles.len() * width];
        let lefts = &mut lefts[..poles.len() * width];
        let roots = solve_all(context, &secular, distances);
        let weights = secular.weights_of(distances, &parts);
        let halves = [&found.left, &found.right];
        let orders = halves.map(|halves| by_halves(&found.kept, halves));
        let rows = distances.chunks_exact_mut(width);
        let rows = rows.zip(lefts.chunks_exact_mut(width));
        context.for_each(8.0 * width as f64, rows, |(row, left)| {
            vector_pair(&secular, &weights, row, left);
            reorder(left, &orders[0]);
            reorder(row, &orders[1]);
        });
        let [left_order, right_order] =
            orders.map(|order| Room::gather(order.iter().map(|&i| found.kept[i])));
        let which = (&left_order[..], &found.done[..]);
        self.lefts()
            .combine(context, (lefts, width), which, &found.left, rest);
        let which = (&right_order[..], &found.done[..]);
        self.rights()
            .combine(context, (distances, width), which, &found.right, rest);
        write_values(self.diagonal, &secular, &roots, &found.done);
    }

    fn lefts(&mut self) -> Vectors<'_> {
        let (start, m) = (self.start, self.diagonal.len());
        Vectors {
            rows: self.left,
            columns: self.columns,
            span: [start, start + m / 2 + 1, start + m],
        }
    }

    fn rights(&mut self) -> Vectors<'_> {
        let (start, m) = (self.start, self.diagonal.len());
        Vectors {
            rows: self.right,
            columns: self.columns,
            span: [start, start + m / 2 + 1, start + self.above.len() + 1],
        }
    }

    /// The middle row in the right vectors of the halves, of which those that the matrix makes zero become one that has
    /// a part in it and one that has none.
    fn coupling(&mut self, (own, beside): (f64, f64)) -> Room<f64> {
        let (m, n, middle) = (self.diagonal.len(), self.columns, self.diagonal.len() / 2);
        let column = self.start + middle;
        let item = |i: usize| {
            if i <= middle {
                self.right[i * n + column] * own
            } else {
                self.right[i * n + column + 1] * beside
            }
        };
        let mut z = Room::gather((0..m).map(item));
        if self.above.len() == m {
            let (first, last) = (z[middle], item(m));
            let length = first.hypot(last);
            if length > 0.0 {
                self.rights()
                    .rotate((middle, m), (first / length, last / length));
                z[middle] = length;
            }
        }
        z
    }

    /// Puts vectors aside that are singular vectors of the whole but for roundings: those with no part in `z`, and
    /// after a rotation those whose pole is nearly zero and one of two whose poles are nearly equal.
    fn deflate(&mut self, z: &mut [f64]) -> Deflated {
        let (m, middle) = (z.len(), z.len() / 2);
        let which = |i| {
            if i <= middle {
                Half::First
            } else {
                Half::Second
            }
        };
        let mut left = Room::gather((0..m).map(which));
        let mut right = Room::gather((0..m).map(which));
        if self.above.len() == m {
            right[middle] = Half::Both;
        }
        let size = largest(self.diagonal).max(largest(z)).max(SIZE_MIN);
        let tolerance = 8.0 * f64::EPSILON * size;
        let (mut kept, mut done) = (List::new(m), List::new(m));
        kept.push(middle);
        let mut last: Option<usize> = None;
        for &i in ascending(self.diagonal).iter().filter(|&&i| i != middle) {
            if z[i].abs() <= tolerance {
                done.push(i);
                continue;
            }
            if self.diagonal[i] <= tolerance {
                let length = z[middle].hypot(z[i]);
                let (cosine, sine) = (z[middle] / length, z[i] / length);
                self.rights().rotate((middle, i), (cosine, sine));
                join(&mut right, (middle, i));
                z[middle] = length;
                self.diagonal[i] *= cosine.abs();
                done.push(i);
                continue;
            }
            if let Some(before) = last.replace(i) {
                let length = z[before].hypot(z[i]);
                let (cosine, sine) = (z[i] / length, -z[before] / length);
                let gap = self.diagonal[i] - self.diagonal[before];
                if (gap * cosine * sine).abs() <= tolerance {
                    z[i] = length;
                    self.lefts().rotate((before, i), (cosine, sine));
                    self.rights().rotate((before, i), (cosine, sine));
                    share(self.diagonal, (before, i), (cosine, sine));
                    join(&mut left, (before, i));
                    join(&mut right, (before, i));
                    done.push(before);
                } else {
                    kept.push(before);
                }
            }
        }
        if let Some(last) = last {
            kept.push(last);
        }
        // A middle row of nothing would leave its left vector alone.
        z[middle] = z[middle].abs().max(tolerance).copysign(z[middle]);
        let (kept, done) = (kept.done(), done.done());
        Deflated {
            kept,
            done,
            left,
            right,
        }
    }
}

/// Two vectors that have turned are in both halves when they were in different ones.
fn join(halves: &mut [Half], (i, j): (usize, usize)) {
    if halves[i] != halves[j] {
        (halves[i], halves[j]) = (Half::Both, Half::Both);
    }
}
