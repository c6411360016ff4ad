//! Singular values of bidiagonal matrices: the differential quotient-difference iteration with shifts,
//! K. V. Fernando and B. N. Parlett, "Accurate singular values and differential qd algorithms" (1994).

use super::{largest, unit};
use crate::decompose::NoConvergence;
use crate::workspace::Room;

/// Transforms for each singular value, refused ones included; about three are usual.
const TRANSFORMS_MAX: usize = 100;
/// A shift beyond the least eigenvalue is tried again smaller so often, and then left out.
const TRIES_MAX: usize = 4;

/// How many transforms lie between two looks for rows that have come apart.
const SPLIT_EVERY: usize = 8;

/// The singular values of the matrix with this diagonal and these items above it, descending, into `diagonal`.
/// `above` has one item less, and is used up. Costs about `n^2` to `2 n^2` divisions; small values are as exact,
/// relative to themselves, as large ones. Numbers are finite.
///
/// # Errors
/// When the iteration does not end within its limit.
///
/// ```
/// let (mut diagonal, mut above) = ([3.0, -4.0], [0.0]);
/// nexus_linalg::condensed::singular_values(&mut diagonal, &mut above)?;
/// assert_eq!(diagonal, [4.0, 3.0]);
/// # Ok::<(), nexus_linalg::decompose::NoConvergence>(())
/// ```
pub fn singular_values(diagonal: &mut [f64], above: &mut [f64]) -> Result<(), NoConvergence> {
    let n = diagonal.len();
    let size = largest(diagonal).max(largest(above));
    if n == 0 || size == 0.0 {
        return Ok(());
    }
    let (down, up) = unit(size);
    for item in diagonal.iter_mut().chain(above.iter_mut()) {
        let scaled = *item * down;
        *item = scaled * scaled;
    }
    let whole = Part {
        start: 0,
        end: n,
        shift: 0.0,
    };
    // Parts have rows, and no two the same.
    let mut parts = Parts {
        waiting: Room::filled(whole, n),
        count: 1,
    };
    let mut left = TRANSFORMS_MAX * n;
    let mut work = Work {
        q: Room::filled(0.0, n),
        e: Room::filled(0.0, n),
    };
    while let Some(part) = parts.pop() {
        solve(part, (diagonal, above), &mut parts, &mut left, &mut work)?;
    }
    for item in diagonal.iter_mut() {
        *item = item.max(0.0).sqrt() * up;
    }
    diagonal.sort_unstable_by(|a, b| b.total_cmp(a));
    Ok(())
}

/// Rows that no other rows touch, and what has been taken from their eigenvalues.
#[derive(Clone, Copy)]
struct Part {
    start: usize,
    end: usize,
    shift: f64,
}

/// Parts that wait.
struct Parts {
    waiting: Room<Part>,
    count: usize,
}

impl Parts {
    fn push(&mut self, part: Part) {
        self.waiting[self.count] = part;
        self.count += 1;
    }

    fn pop(&mut self) -> Option<Part> {
        self.count = self.count.checked_sub(1)?;
        Some(self.waiting[self.count])
    }
}

/// Where a transform goes before it is accepted.
struct Work {
    q: Room<f64>,
    e: Room<f64>,
}

/// What a transform has met: the least numbers on its way are close to the least eigenvalues.
#[derive(Clone, Copy)]
struct Trace {
    /// The last number, the one before, the one before that.
    last: [f64; 3],
    /// The least of all, of all but the last, of all but the last two.
    least: [f64; 3],
}

impl Trace {
    /// Of the rows but the last.
    fn shortened(self) -> Self {
        let ([_, a, b], [_, c, d]) = (self.last, self.least);
        Self {
            last: [a, b, b],
            least: [c, d, d],
        }
    }
}

/// Finds the values of a part, from the last to the first; what falls apart goes to `parts`.
fn solve(
    part: Part,
    (q, e): (&mut [f64], &mut [f64]),
    parts: &mut Parts,
    left: &mut usize,
    work: &mut Work,
) -> Result<(), NoConvergence> {
    let Part {
        mut start,
        mut end,
        mut shift,
    } = part;
    let mut trace: Option<Trace> = None;
    turn(&mut q[start..end], &mut e[start..end - 1]);
    loop {
        // The last rows come apart first.
        if end - start > 1 && is_negligible(q, e, end - 2, shift) {
            q[end - 1] += shift;
            end -= 1;
            trace = trace.map(Trace::shortened);
            continue;
        }
        if left.is_multiple_of(SPLIT_EVERY)
            && let Some(at) = (start..end - 1).find(|&i| is_negligible(q, e, i, shift))
        {
            parts.push(Part {
                start,
                end: at + 1,
                shift,
            });
            start = at + 1;
            trace = None;
        }
        match end - start {
            1 => {
                q[start] += shift;
                return Ok(());
            }
            2 => {
                let (large, small) = two(q[start], e[start], q[start + 1]);
                (q[start], q[start + 1]) = (large + shift, small + shift);
                return Ok(());
            }
            _ => {}
        }
        if *left == 0 {
            return Err(NoConvergence);
        }
        let rows = (&mut q[start..end], &mut e[start..end - 1]);
        let (taken, found) = step(rows, trace, left, work);
        shift += taken;
        trace = Some(found);
    }
}

/// The least eigenvalues are to be found at the end.
fn turn(q: &mut [f64], e: &mut [f64]) {
    if q[0] < q[q.len() - 1] {
        q.reverse();
        e.reverse();
    }
}

/// Whether an item above the diagonal changes no singular value, by its square.
fn is_negligible(q: &[f64], e: &[f64], i: usize, shift: f64) -> bool {
    const SMALL: f64 = f64::EPSILON * f64::EPSILON;
    e[i] <= SMALL * (shift + q[i + 1]) || e[i] <= SMALL * shift || e[i] < f64::MIN_POSITIVE
}

/// One transform with the largest shift that can be hoped for; returns the shift.
fn step(
    (q, e): (&mut [f64], &mut [f64]),
    trace: Option<Trace>,
    left: &mut usize,
    work: &mut Work,
) -> (f64, Trace) {
    let n = q.len();
    let (new_q, new_e) = (&mut work.q[..n], &mut work.e[..n - 1]);
    let mut shift = trace.map_or(0.0, |trace| guess(q, e, trace));
    for tries in 0.. {
        *left = left.saturating_sub(1);
        if tries == TRIES_MAX {
            shift = 0.0;
        }
        let found = transform((q, e), (new_q, new_e), shift);
        // Without a shift nothing becomes negative; what overflows on the way makes the last number NaN.
        if found.least[0] >= 0.0 && found.last[0].is_finite() || shift == 0.0 {
            q.copy_from_slice(new_q);
            e.copy_from_slice(new_e);
            return (shift, found);
        }
        let overshoot = shift + found.last[0];
        shift = if found.least[1] >= 0.0 && overshoot > 0.0 {
            // Too far by a little more than the last is negative.
            overshoot * (1.0 - 4.0 * f64::EPSILON)
        } else {
            shift / 4.0
        };
    }
    unreachable!("the last try has no shift")
}

/// A shift close to the least eigenvalue, and seldom above.
fn guess(q: &[f64], e: &[f64], trace: Trace) -> f64 {
    let n = q.len();
    let [least, others, _] = trace.least;
    // Seen as `U L`, the last row has this diagonal, tied to the others by this square.
    let (corner, tie) = (q[n - 1], q[n - 1] * e[n - 2]);
    let gap = others.min(q[n - 2]) - corner;
    if trace.last[0] <= least && gap > 0.0 && tie < gap * gap / 4.0 {
        // A refused transform costs more than a shift that is a little short.
        let shift = corner - 1.1 * tie / gap;
        return shift.max(0.0) * (1.0 - 16.0 * f64::EPSILON);
    }
    least / 2.0
}

/// `L U - shift = U' L'`: the differential form, in which nothing cancels but the shift.
fn transform(
    (q, e): (&[f64], &[f64]),
    (new_q, new_e): (&mut [f64], &mut [f64]),
    shift: f64,
) -> Trace {
    let n = q.len();
    let mut d = q[0] - shift;
    let mut trace = Trace {
        last: [d; 3],
        least: [d; 3],
    };
    for i in 0..n - 1 {
        let sum = d + e[i];
        new_q[i] = sum;
        // Zero over zero: the rows are apart.
        (new_e[i], d) = if sum == 0.0 {
            (0.0, q[i + 1] - shift)
        } else {
            let ratio = q[i + 1] / sum;
            (e[i] * ratio, d * ratio - shift)
        };
        let [least, others, _] = trace.least;
        let [last, before, _] = trace.last;
        trace = Trace {
            last: [d, last, before],
            least: [d.min(least), least, others],
        };
    }
    new_q[n - 1] = d;
    trace
}

/// The squared singular values of two rows, the larger one first.
pub(super) fn two(q: f64, e: f64, last: f64) -> (f64, f64) {
    let sum = q + e + last;
    if sum == 0.0 {
        return (0.0, 0.0);
    }
    // (sum + root) / 2 and the determinant over it.
    let half = f64::midpoint(q - last, e);
    let root = (half * half + e * last).sqrt();
    let large = sum / 2.0 + root;
    (large, q * (last / large))
}
