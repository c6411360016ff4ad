//! The exponential.

use super::elementary::{self, sinh};
use super::{C, Square, check_result, fill, wide};
use crate::decompose::Contents;
use crate::norm::estimate::estimate_one;
use crate::{Conj, Context, Error, Field, MatMut, MatRef, dense};

/// The exponential of a square matrix, into `result`.
///
/// By Padé approximants of the matrix divided by a power of two, and as many squarings: N. J. Higham, "The scaling
/// and squaring method for the matrix exponential revisited" (2005), with the choice of both by A. H. Al-Mohy, N. J.
/// Higham, "A new scaling and squaring algorithm for the matrix exponential" (2009), whose exact diagonals of
/// triangular matrices are used too. Costs six products, a solution with `n` right sides, and a product for each
/// squaring: about the logarithm of the norm. What overflows is infinite or NaN.
///
/// ```
/// use nexus_linalg::{Context, MatMut, MatRef, functions};
///
/// let (a, mut e) = ([0.0_f64, 1.0, 0.0, 0.0], [0.0; 4]);
/// functions::expm(Context::default(), MatRef::new(&a, 2, 2)?, MatMut::new(&mut e, 2, 2)?)?;
/// assert_eq!(e, [1.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `InvalidInput` when the shapes are not square and equal, `Infinite`.
pub fn expm<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
    result: MatMut<'_, T>,
) -> Result<(), Error> {
    check_result("take the exponential of", a.shape(), &result)?;
    if T::IS_COMPLEX {
        any_exponential::<T, C>(context, a, result)
    } else {
        any_exponential::<T, f64>(context, a, result)
    }
}

fn any_exponential<T: Field, W: Field<Real = f64>>(
    context: Context,
    a: MatRef<'_, T>,
    result: MatMut<'_, T>,
) -> Result<(), Error> {
    let (a, contents) = Square::<W>::of("take the exponential of", a)?;
    match contents {
        Contents::NaN => fill(result, T::NAN),
        Contents::Finite(_) if is_upper(&a) => exponential(context, a, true)?.write(result),
        Contents::Finite(_) => {
            let turned = a.transposed();
            if is_upper(&turned) {
                exponential(context, turned, true)?
                    .transposed()
                    .write(result);
            } else {
                exponential(context, a, false)?.write(result);
            }
        }
    }
    Ok(())
}

/// Norms up to which an approximant of this degree is exact to the unit roundoff: table 3.1 of 2009, and 2.3 of 2005.
const DEGREES: [(u32, f64); 4] = [
    (3, 1.495_585_217_958_292e-2),
    (5, 2.539_398_330_063_23e-1),
    (7, 9.504_178_996_162_932e-1),
    (9, 2.097_847_961_257_068),
];
/// The same for degree 13, by which larger matrices are divided: section 5 of 2009.
const LIMIT: f64 = 4.25;

/// Matrices are brought below two to this power first, so that no power of them overflows.
const EXPONENT_MAX: i32 = 64;

fn exponential<W: Field<Real = f64>>(
    context: Context,
    mut a: Square<W>,
    upper: bool,
) -> Result<Square<W>, Error> {
    let n = a.n;
    if n == 0 {
        return Ok(a);
    }
    let diagonal: Vec<W> = (0..n).map(|i| a.at(i, i)).collect();
    let above: Vec<W> = (1..n).map(|i| a.at(i - 1, i)).collect();
    let size = a.norm_one();
    let mut squarings = 0;
    if size > f64::from(EXPONENT_MAX).exp2() {
        // The norm itself may overflow, its largest item does not.
        squarings = (size.min(f64::MAX).log2() + (n as f64).log2()).ceil() as i32 - EXPONENT_MAX;
        a = a.scaled(f64::from(-squarings / 2).exp2());
        a = a.scaled(f64::from(squarings / 2 - squarings).exp2());
    }
    let powers = Powers::of(context, a);
    let (degree, more) = powers.choose(context);
    squarings += more;
    let mut result = powers.approximant(context, degree, more)?;
    for left in (0..squarings).rev() {
        if upper {
            exact_diagonals(&mut result, &diagonal, &above, left + 1);
        }
        result = result.times(context, &result);
        if !result.is_finite() || result.items.iter().all(|&item| item == W::default()) {
            break;
        }
    }
    if upper {
        exact_diagonals(&mut result, &diagonal, &above, 0);
    }
    Ok(result)
}

/// A matrix and its powers.
struct Powers<W> {
    one: Square<W>,
    two: Square<W>,
    four: Square<W>,
    six: Square<W>,
}

impl<W: Field<Real = f64>> Powers<W> {
    fn of(context: Context, one: Square<W>) -> Self {
        let two = one.times(context, &one);
        let four = two.times(context, &two);
        let six = two.times(context, &four);
        Self {
            one,
            two,
            four,
            six,
        }
    }

    /// The degree of the approximant, and how often the matrix is halved before: algorithm 5.1 of 2009.
    fn choose(&self, context: Context) -> (u32, i32) {
        let root = |norm: f64, power: i32| norm.powf(1.0 / f64::from(power));
        let d4 = root(self.four.norm_one(), 4);
        let d6 = root(self.six.norm_one(), 6);
        let small = d4.max(d6);
        for (degree, limit) in &DEGREES[..2] {
            if small <= *limit && self.more(*degree, 0) == 0 {
                return (*degree, 0);
            }
        }
        let d8 = root(norm_of_product(context, &self.four, &self.four), 8);
        let middle = d6.max(d8);
        for (degree, limit) in &DEGREES[2..] {
            if middle <= *limit && self.more(*degree, 0) == 0 {
                return (*degree, 0);
            }
        }
        let d10 = root(norm_of_product(context, &self.four, &self.six), 10);
        let size = middle.min(d8.max(d10));
        let halvings = (size / LIMIT).log2().ceil().max(0.0) as i32;
        (13, halvings + self.more(13, halvings))
    }

    /// How many more halvings rounding errors ask for: the function `l` of 2009, of the matrix halved so often.
    fn more(&self, degree: u32, halvings: i32) -> i32 {
        let n = self.one.n;
        let scale = f64::from(-halvings).exp2();
        let size = self.one.norm_one() * scale;
        // One divided by the leading coefficient of the backward error: (2m)! (2m + 1)! / (m!)^2.
        let m = f64::from(degree);
        let choose = (1..=degree)
            .map(f64::from)
            .fold(1.0, |c, i| c * (m + i) / i);
        let factorial: f64 = (1..=2 * degree + 1).map(f64::from).product();
        let unit = f64::EPSILON / 2.0 * choose * factorial;
        // The norm of a power is at most the power of the norm.
        if size.powi(2 * degree as i32) <= unit {
            return 0;
        }
        let sizes: Vec<f64> = self
            .one
            .items
            .iter()
            .map(|&item| Field::abs(item) * scale)
            .collect();
        let mut sums = vec![1.0; n];
        let mut next = vec![0.0; n];
        for _ in 0..=2 * degree {
            next.fill(0.0);
            for (row, &sum) in sizes.chunks_exact(n).zip(&sums) {
                for (next, &size) in next.iter_mut().zip(row) {
                    *next += sum * size;
                }
            }
            std::mem::swap(&mut sums, &mut next);
        }
        let power = sums.into_iter().fold(0.0, f64::max);
        if power == 0.0 {
            return 0;
        }
        let value = (power / (size * unit)).log2() / (2.0 * m);
        value.ceil().max(0.0) as i32
    }

    /// The approximant of this degree at the matrix halved so often.
    fn approximant(
        mut self,
        context: Context,
        degree: u32,
        halvings: i32,
    ) -> Result<Square<W>, Error> {
        let half = |power: i32| f64::from(-halvings * power).exp2();
        if halvings > 0 {
            self.one = self.one.scaled(half(1));
            self.two = self.two.scaled(half(2));
            self.four = self.four.scaled(half(4));
            self.six = self.six.scaled(half(6));
        }
        let b = coefficients(degree);
        let (mut odd, mut even) = if degree == 13 {
            let high = |at: usize| self.sum(&[0.0, b[at], b[at + 2], b[at + 4]]);
            let low = |at: usize| self.sum(&[b[at], b[at + 2], b[at + 4], b[at + 6]]);
            let join = |at: usize| {
                let mut sum = self.six.times(context, &high(at + 8));
                sum.add(1.0, &low(at));
                sum
            };
            (join(1), join(0))
        } else {
            let part = |at: usize| {
                let own: Vec<f64> = b.iter().skip(at).step_by(2).copied().collect();
                let mut sum = self.sum(&own[..own.len().min(4)]);
                if let Some(&last) = own.get(4) {
                    sum.add(last, &self.four.times(context, &self.four));
                }
                sum
            };
            (part(1), part(0))
        };
        odd = self.one.times(context, &odd);
        let mut result = even.clone();
        result.add(1.0, &odd);
        even.add(-1.0, &odd);
        dense::solve(context, even.view(), result.view_mut())?;
        Ok(result)
    }

    /// A polynomial in the square of the matrix.
    fn sum(&self, b: &[f64]) -> Square<W> {
        let mut sum = Square::zeros(self.one.n);
        sum.add_diagonal(W::from_real(b[0]));
        for (&b, power) in b[1..].iter().zip([&self.two, &self.four, &self.six]) {
            sum.add(b, power);
        }
        sum
    }
}

/// The coefficients of the numerator of the diagonal approximant, the last one 1: `(2m - j)! / ((m - j)! j!)`.
fn coefficients(degree: u32) -> Vec<f64> {
    let m = u128::from(degree);
    let mut b = vec![1_u128];
    for j in (0..m).rev() {
        b.push(b[b.len() - 1] * (2 * m - j) * (j + 1) / (m - j));
    }
    b.into_iter().rev().map(|b| b as f64).collect()
}

/// Rows up to which a product costs less than its estimate.
const PRODUCT_MAX: usize = 64;

/// The 1-norm of a product; of a large one an estimate, by products with vectors.
fn norm_of_product<W: Field<Real = f64>>(context: Context, a: &Square<W>, b: &Square<W>) -> f64 {
    let n = a.n;
    if n <= PRODUCT_MAX {
        return a.times(context, b).norm_one();
    }
    let apply = |first: (MatRef<'_, W>, Conj), last: (MatRef<'_, W>, Conj), x: &mut [W]| {
        let mut middle = vec![W::default(); n];
        multiply(context, first, x, &mut middle);
        multiply(context, last, &middle, x);
    };
    estimate_one(
        n,
        |x| apply((b.view(), Conj::No), (a.view(), Conj::No), x),
        |x| {
            let (a, b) = (a.view().transpose(), b.view().transpose());
            apply((a, Conj::Yes), (b, Conj::Yes), x);
        },
    )
}

/// A matrix times a vector.
fn multiply<W: Field>(context: Context, a: (MatRef<'_, W>, Conj), from: &[W], to: &mut [W]) {
    let n = from.len();
    let from = MatRef::new(from, n, 1).expect("n items");
    let to = MatMut::new(to, n, 1).expect("n items");
    W::gemm(context, W::ONE, a, (from, Conj::No), W::default(), to);
}

/// Writes the diagonal and what is right above it as they are in the exponential of the matrix halved so often:
/// code fragment 2.1 of 2009.
fn exact_diagonals<W: Field<Real = f64>>(
    result: &mut Square<W>,
    diagonal: &[W],
    above: &[W],
    halvings: i32,
) {
    let half = |x: W| -> C { wide(x.scale(f64::from(-halvings).exp2())) };
    for (i, &x) in diagonal.iter().enumerate() {
        *result.item(i, i) = wide(elementary::exponential(half(x)));
    }
    for (i, &b) in above.iter().enumerate() {
        let (x, y) = (half(diagonal[i]), half(diagonal[i + 1]));
        *result.item(i, i + 1) = wide(half(b) * divided_difference(x, y));
    }
}

/// `(e^x - e^y) / (x - y)` without cancellation.
fn divided_difference(x: C, y: C) -> C {
    let (middle, half) = ((x + y).scale(0.5), (x - y).scale(0.5));
    let exponential = elementary::exponential;
    if Field::abs(half) > 1.0 {
        (exponential(x) - exponential(y)).divide(x - y)
    } else if half == C::default() {
        exponential(middle)
    } else {
        (exponential(middle) * sinh(half)).divide(half)
    }
}

fn is_upper<W: Field>(a: &Square<W>) -> bool {
    (1..a.n).all(|i| {
        a.items[i * a.n..i * a.n + i]
            .iter()
            .all(|&item| item == W::default())
    })
}
