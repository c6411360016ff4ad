//! Singular values of bidiagonal matrices: the differential quotient-difference iteration with shifts,
//! K. V. Fernando and B. N. Parlett, "Accurate singular values and differential qd algorithms" (1994).

use super::{largest, unit};
use crate::decompose::NoConvergence;

/// Transforms for each singular value, refused ones included; about three are usual.
const TRANSFORMS_MAX: usize = 100;
/// A shift beyond the least eigenvalue is tried again smaller so often, and then left out.
const TRIES_MAX: usize = 4;

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
    let mut parts = vec![Part {
        start: 0,
        end: n,
        shift: 0.0,
    }];
    let mut left = TRANSFORMS_MAX * n;
    let mut work = Work {
        q: vec![0.0; n],
        e: vec![0.0; n],
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
struct Part {
    start: usize,
    end: usize,
    shift: f64,
}

/// Where a transform goes before it is accepted.
struct Work {
    q: Vec<f64>,
    e: Vec<f64>,
}

/// The least numbers on the way of a transform.
#[derive(Clone, Copy)]
struct Trace {
    /// The least of all.
    least: f64,
    /// The least of all but the last.
    before: f64,
    /// The last.
    last: f64,
}

/// Finds the values of a part, from the last to the first; what falls apart goes to `parts`.
fn solve(
    part: Part,
    (q, e): (&mut [f64], &mut [f64]),
    parts: &mut Vec<Part>,
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
        if let Some(at) = (start..end - 1)
            .rev()
            .find(|&i| is_negligible(q, e, i, shift))
        {
            e[at] = 0.0;
            if at + 1 == end - 1 {
                q[end - 1] += shift;
                end -= 1;
            } else {
                parts.push(Part {
                    start,
                    end: at + 1,
                    shift,
                });
                start = at + 1;
                trace = None;
            }
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
        // Without a shift nothing becomes negative.
        if found.least >= 0.0 && new_e.iter().all(|item| item.is_finite()) || shift == 0.0 {
            q.copy_from_slice(new_q);
            e.copy_from_slice(new_e);
            return (shift, found);
        }
        shift = if found.before > 0.0 && found.last < 0.0 && shift + found.last > 0.0 {
            // Too far by nearly as much as the last is negative.
            (shift + found.last) * (1.0 - 4.0 * f64::EPSILON)
        } else {
            shift / 4.0
        };
    }
    unreachable!("the last try has no shift")
}

/// A shift close to the least eigenvalue, and seldom above.
fn guess(q: &[f64], e: &[f64], trace: Trace) -> f64 {
    let n = q.len();
    if trace.last > trace.least {
        return trace.least / 4.0;
    }
    // The eigenvalues of the last two rows, and how strongly the rows before are tied to them.
    let (above, item) = (q[n - 2] + if n > 2 { e[n - 3] } else { 0.0 }, q[n - 1]);
    let tie = q[n - 2] * e[n - 2];
    let corner = item + e[n - 2];
    let gap = above.min(trace.before) - corner;
    if gap > 0.0 && tie < gap * gap / 4.0 {
        // Temple's and Rayleigh's bounds on both sides of the least one.
        return (corner - tie / gap * (1.0 + tie / (gap * gap))).clamp(0.0, trace.least);
    }
    trace.least / 4.0
}

/// `L U - shift = U' L'`: the differential form, in which nothing cancels but the shift.
fn transform(
    (q, e): (&[f64], &[f64]),
    (new_q, new_e): (&mut [f64], &mut [f64]),
    shift: f64,
) -> Trace {
    let n = q.len();
    let mut d = q[0] - shift;
    let mut least = d;
    for i in 0..n - 1 {
        let sum = d + e[i];
        let ratio = q[i + 1] / sum;
        new_q[i] = sum;
        new_e[i] = e[i] * ratio;
        if i + 2 == n {
            let before = least;
            // Zero over zero: the rows are apart.
            let last = if sum == 0.0 {
                q[i + 1] - shift
            } else {
                d * ratio - shift
            };
            if sum == 0.0 {
                new_e[i] = 0.0;
            }
            new_q[i + 1] = last;
            return Trace {
                least: before.min(last),
                before,
                last,
            };
        }
        d = if sum == 0.0 {
            new_e[i] = 0.0;
            q[i + 1] - shift
        } else {
            d * ratio - shift
        };
        least = least.min(d);
    }
    new_q[0] = d;
    Trace {
        least,
        before: least,
        last: d,
    }
}

/// The squared singular values of two rows, the larger one first.
fn two(q: f64, e: f64, last: f64) -> (f64, f64) {
    let sum = q + e + last;
    if sum == 0.0 {
        return (0.0, 0.0);
    }
    // (sum + root) / 2 and the determinant over it.
    let half = ((q - last) + e) / 2.0;
    let root = (half * half + e * last).sqrt();
    let large = sum / 2.0 + root;
    (large, q * (last / large))
}
