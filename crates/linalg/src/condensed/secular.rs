//! Eigenvalues of a diagonal matrix plus one of rank one: the roots of the secular equation
//! `1 / rho + sum(w_i / (d_i - x)) = 0`, with their distances from all poles `d_i` to full relative accuracy. For
//! singular values poles and roots are squares.
//!
//! Roots are found by the middle way of R.-C. Li, "Solving secular equations stably and efficiently" (1993), inside
//! brackets. Weights that belong to the roots as computed make orthogonal vectors: M. Gu and S. C. Eisenstat, "A
//! stable and efficient algorithm for the rank-one modification of the symmetric eigenproblem" (1994).

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use super::simd::{LANES, Loops, wide};
use crate::Isa;
use crate::workspace::Room;

/// Steps for each root; about six are usual.
const STEPS_MAX: usize = 200;

/// A pole that is not there: far from all others, and its weight is zero.
const NOWHERE: f64 = 1e150;

/// The equation: poles that ascend strictly, and positive weights, both filled up to whole [`LANES`].
pub(super) struct Secular {
    /// Or their square roots.
    poles: Room<f64>,
    squares: bool,
    weights: Room<f64>,
    count: usize,
    /// `1 / rho`, which is positive.
    inverse: f64,
    isa: Isa,
}

/// A root as its distance from the nearest pole.
#[derive(Clone, Copy, Default)]
pub(super) struct Root {
    pub(super) origin: usize,
    pub(super) offset: f64,
}

/// The sum at a point and its slope, of the poles below and of those above.
struct Sums {
    below: f64,
    below_slope: f64,
    above: f64,
    above_slope: f64,
}

/// Where a root lies for certain.
struct Bracket {
    low: f64,
    high: f64,
}

impl Secular {
    /// `z` are the roots of the weights.
    pub(super) fn new(isa: Isa, poles: &[f64], z: &[f64], rho: f64) -> Self {
        let squares = false;
        let count = poles.len();
        let filled = count.next_multiple_of(LANES);
        let (mut all, mut weights) = (Room::filled(NOWHERE, filled), Room::filled(0.0, filled));
        all[..count].copy_from_slice(poles);
        for (weight, z) in weights.iter_mut().zip(z) {
            *weight = z * z;
        }
        Self {
            poles: all,
            squares,
            weights,
            count,
            inverse: 1.0 / rho,
            isa,
        }
    }

    /// The equation `1 + sum(z_i^2 / (d_i^2 - x^2)) = 0` of singular values: `d_i` ascend strictly from zero.
    pub(super) fn of_squares(isa: Isa, poles: &[f64], z: &[f64]) -> Self {
        Self {
            squares: true,
            ..Self::new(isa, poles, z, 1.0)
        }
    }

    /// The difference of two poles.
    #[inline(always)]
    fn apart(&self, pole: f64, other: f64) -> f64 {
        let sum = if self.squares { pole + other } else { 1.0 };
        (pole - other) * sum
    }

    /// The distances that belong to one root, whole lanes of them.
    pub(super) fn width(&self) -> usize {
        self.poles.len()
    }

    pub(super) fn value(&self, root: Root) -> f64 {
        let (pole, offset) = (self.poles[root.origin], root.offset);
        if self.squares {
            pole + offset / (pole + (pole * pole + offset).max(0.0).sqrt())
        } else {
            pole + offset
        }
    }

    /// The root after pole `index`, and `d_i - x` for all poles.
    pub(super) fn root(&self, index: usize, distances: &mut [f64]) -> Root {
        let last = index + 1 == self.count;
        let root = wide(
            self.isa,
            Search {
                it: self,
                index,
                distances: &mut *distances,
                last,
            },
        );
        let origin = self.poles[root.origin];
        for (distance, pole) in distances.iter_mut().zip(self.poles.iter()) {
            *distance = self.apart(*pole, origin) - root.offset;
        }
        root
    }

    /// The roots of the weights that have the roots as computed, by K. Löwner's formula; `z` gives their signs.
    /// `distances` are those of all roots, one after the other.
    pub(super) fn weights_of(&self, distances: &[f64], z: &[f64]) -> Room<f64> {
        let mut products = Room::filled(-1.0, self.width());
        wide(
            self.isa,
            Loewner {
                it: self,
                distances,
                products: &mut products,
            },
        );
        for (product, z) in products.iter_mut().zip(z) {
            *product = product.abs().sqrt().copysign(*z);
        }
        products
    }
}

struct Search<'a> {
    it: &'a Secular,
    index: usize,
    distances: &'a mut [f64],
    last: bool,
}

impl Loops for Search<'_> {
    type Output = Root;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> Root {
        if self.last {
            self.beyond_all()
        } else {
            self.between_two()
        }
    }
}

impl Search<'_> {
    #[inline(always)]
    fn shift(&mut self, origin: usize) {
        let shift = self.it.poles[origin];
        for (distance, pole) in self.distances.iter_mut().zip(self.it.poles.iter()) {
            *distance = self.it.apart(*pole, shift);
        }
    }

    /// The sums at `x`, measured from the origin.
    #[inline(always)]
    fn sums(&self, x: f64) -> Sums {
        let mut sums = [[0.0; LANES]; 4];
        let weights = self.it.weights.chunks_exact(LANES);
        for (poles, weights) in self.distances.chunks_exact(LANES).zip(weights) {
            for lane in 0..LANES {
                let inverse = 1.0 / (poles[lane] - x);
                let below = if inverse < 0.0 { inverse } else { 0.0 };
                let above = if inverse < 0.0 { 0.0 } else { inverse };
                let (low, high) = (weights[lane] * below, weights[lane] * above);
                sums[0][lane] += low;
                sums[1][lane] += low * below;
                sums[2][lane] += high;
                sums[3][lane] += high * above;
            }
        }
        let [below, below_slope, above, above_slope] = sums.map(|lanes| lanes.iter().sum());
        Sums {
            below,
            below_slope,
            above,
            above_slope,
        }
    }

    /// The value of the equation, or `None` where it is zero but for roundings.
    #[inline(always)]
    fn value(&self, sums: &Sums) -> Option<f64> {
        let value = self.it.inverse + sums.below + sums.above;
        let size = self.it.inverse - sums.below + sums.above;
        (value.abs() > 8.0 * f64::EPSILON * size).then_some(value)
    }

    /// Steps that `next` proposes until the equation holds, from `start`.
    #[inline(always)]
    fn search(
        &self,
        start: f64,
        mut bracket: Bracket,
        next: impl Fn(f64, f64, &Sums) -> f64,
    ) -> f64 {
        let (mut x, mut before) = (bracket.inner(start), f64::INFINITY);
        for _ in 0..STEPS_MAX {
            let sums = self.sums(x);
            let Some(value) = self.value(&sums) else {
                break;
            };
            if value < 0.0 {
                bracket.low = x;
            } else {
                bracket.high = x;
            }
            let proposed = next(x, value, &sums);
            // Where the model is poor, halving is sure.
            let is_slow = value.abs() > before / 2.0;
            let new = if is_slow {
                bracket.middle()
            } else {
                bracket.inner(proposed)
            };
            before = if is_slow { f64::INFINITY } else { value.abs() };
            if new == x {
                break;
            }
            x = new;
        }
        x
    }

    #[inline(always)]
    fn between_two(mut self) -> Root {
        let index = self.index;
        let gap = self
            .it
            .apart(self.it.poles[index + 1], self.it.poles[index]);
        self.shift(index);
        let sums = self.sums(gap / 2.0);
        let value = self.it.inverse + sums.below + sums.above;
        let (first, second) = (self.it.weights[index], self.it.weights[index + 1]);
        // The rest changes little on the way to the root.
        let rest = value + 2.0 * (first - second) / gap;
        let is_left = value >= 0.0;
        let (origin, weight, toward) = if is_left {
            (index, first, gap)
        } else {
            (index + 1, second, -gap)
        };
        let start = nearest(rest, rest * toward + first + second, weight * toward);
        let bracket = if is_left {
            Bracket {
                low: 0.0,
                high: gap / 2.0,
            }
        } else {
            self.shift(origin);
            Bracket {
                low: -gap / 2.0,
                high: 0.0,
            }
        };
        let (below, above) = (self.distances[index], self.distances[index + 1]);
        let offset = self.search(start, bracket, |x, value, sums| {
            let (below, above) = (below - x, above - x);
            let slope = sums.below_slope + sums.above_slope;
            let rest = value - below * sums.below_slope - above * sums.above_slope;
            let sum = (below + above) * value - below * above * slope;
            let step = nearest(rest, sum, below * above * value);
            if step * value < 0.0 {
                x + step
            } else {
                x - value / slope
            }
        });
        Root { origin, offset }
    }

    /// The root that is greater than all poles.
    #[inline(always)]
    fn beyond_all(mut self) -> Root {
        let origin = self.index;
        self.shift(origin);
        let total: f64 = self.it.weights.iter().sum();
        let high = total / self.it.inverse * (1.0 + 4.0 * f64::EPSILON * self.it.count as f64);
        let sums = self.sums(high);
        let weight = self.it.weights[origin];
        let rest = self.it.inverse + sums.below + sums.above + weight / high;
        let offset = self.search(
            weight / rest,
            Bracket { low: 0.0, high },
            |x, value, sums| {
                // All of the sum as one pole.
                sums.below_slope * x * x / (value + sums.below_slope * x)
            },
        );
        Root { origin, offset }
    }
}

/// The solution of `a x^2 - b x + c = 0` that is nearest to zero where the two have different signs or `b` is
/// positive, as the models need it.
#[inline(always)]
fn nearest(a: f64, b: f64, c: f64) -> f64 {
    let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
    if b > 0.0 {
        2.0 * c / (b + root)
    } else {
        (b - root) / (2.0 * a)
    }
}

impl Bracket {
    #[inline(always)]
    fn middle(&self) -> f64 {
        f64::midpoint(self.low, self.high)
    }

    /// `x`, or the middle where it is not inside.
    #[inline(always)]
    fn inner(&self, x: f64) -> f64 {
        if x > self.low && x < self.high {
            x
        } else {
            self.middle()
        }
    }
}

struct Loewner<'a> {
    it: &'a Secular,
    distances: &'a [f64],
    products: &'a mut [f64],
}

impl Loops for Loewner<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let poles = &self.it.poles;
        let rows = self.distances.chunks_exact(poles.len());
        for (j, row) in rows.take(self.it.count).enumerate() {
            let pole = poles[j];
            // Of the pole itself there is no quotient.
            let own = self.products[j] * row[j];
            let lanes = self.products.chunks_exact_mut(LANES);
            let rows = row.chunks_exact(LANES).zip(poles.chunks_exact(LANES));
            for (products, (row, poles)) in lanes.zip(rows) {
                for lane in 0..LANES {
                    products[lane] *= row[lane] / self.it.apart(poles[lane], pole);
                }
            }
            self.products[j] = own;
        }
    }
}

/// Writes `weights / distances` at length one over the distances: the eigenvector of a root. Those of poles that
/// are not there are zeros.
pub(super) fn vector(isa: Isa, weights: &[f64], distances: &mut [f64]) {
    wide(isa, Quotients { weights, distances });
}

/// Writes the right singular vector of a root over the distances, and the left one, whose first item stands for the row
/// of the weights.
pub(super) fn vector_pair(
    secular: &Secular,
    weights: &[f64],
    distances: &mut [f64],
    left: &mut [f64],
) {
    let poles = &secular.poles;
    let right = Quotients { weights, distances };
    wide(secular.isa, Pair { poles, left, right });
}

struct Quotients<'a> {
    weights: &'a [f64],
    distances: &'a mut [f64],
}

impl Loops for Quotients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let weights = self.weights.chunks_exact(LANES);
        for (items, weights) in self.distances.chunks_exact_mut(LANES).zip(weights) {
            for lane in 0..LANES {
                items[lane] = weights[lane] / items[lane];
            }
        }
        normalize(self.distances);
    }
}

/// Both vectors of a root: [`Quotients`], and their products with the poles behind `-1`.
struct Pair<'a> {
    poles: &'a [f64],
    left: &'a mut [f64],
    right: Quotients<'a>,
}

impl Loops for Pair<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Quotients { weights, distances } = self.right;
        let right = distances.iter_mut().zip(weights);
        for ((left, pole), (right, weight)) in self.left.iter_mut().zip(self.poles).zip(right) {
            *right = weight / *right;
            *left = pole * *right;
        }
        self.left[0] = -1.0;
        normalize(distances);
        normalize(self.left);
    }
}

#[inline(always)]
fn normalize(items: &mut [f64]) {
    let mut squares = [0.0; LANES];
    for items in items.chunks_exact(LANES) {
        for lane in 0..LANES {
            squares[lane] += items[lane] * items[lane];
        }
    }
    let scale = 1.0 / squares.iter().sum::<f64>().sqrt();
    for item in items {
        *item *= scale;
    }
}
