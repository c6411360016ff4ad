//! The logarithm.

use super::elementary::{self, argument, exponential, logarithm, power, sinh};
use super::root::{back, is_off_the_negative_axis, square_root};
use super::schur::Triangular;
use super::triangular::solve_upper;
use super::{C, RealOrComplex, Square};
use crate::{Context, Error, ErrorKind, Field, MatRef};
use std::f64::consts::{FRAC_PI_2, PI};

/// The principal logarithm of a square matrix: the one whose eigenvalues have imaginary parts in `(-pi, pi]`. That of
/// a real matrix is real unless an eigenvalue is negative.
///
/// By inverse scaling and squaring of a Schur form: A. H. Al-Mohy, N. J. Higham, "Improved inverse scaling and squaring
/// algorithms for the matrix logarithm" (2012). Costs a Schur form, square roots of it until it is near the identity,
/// and up to seven triangular solutions with `n` right sides.
///
/// # Errors
/// `InvalidInput` when the matrix is not square, `Infinite`; `Singular` when an eigenvalue is zero, with its row in a
/// Schur form; `NoConvergence`.
pub fn logm<T: Field>(context: Context, a: MatRef<'_, T>) -> Result<RealOrComplex<T::Real>, Error> {
    let n = a.shape().0;
    let Some(form) = Triangular::of("take the logarithm of", a)? else {
        return Ok(RealOrComplex::nan(n, !T::IS_COMPLEX));
    };
    let Triangular { t, q, scale } = form;
    if let Some(pivot) = (0..n).find(|&i| t.at(i, i) == C::default()) {
        let message =
            format!("cannot take the logarithm of a {n}x{n} matrix: eigenvalue {pivot} is zero");
        return Err(Error::new(ErrorKind::Singular { pivot }, message));
    }
    let real = !T::IS_COMPLEX && is_off_the_negative_axis(&t);
    let log = triangular_logarithm(context, &t).ok_or_else(|| {
        let message = format!(
            "cannot take the logarithm of a {n}x{n} matrix: its roots do not come near one"
        );
        Error::new(ErrorKind::NoConvergence, message)
    })?;
    let mut result = back(context, &log, &q);
    result.add_diagonal(C::new(scale.ln(), 0.0));
    Ok(RealOrComplex::of(&result, real))
}

/// Distances from the identity up to which an approximant of degree 1, 2, ... is exact: table 2.1 of the paper.
const LIMITS: [f64; 7] = [
    1.59e-5, 2.31e-3, 1.94e-2, 6.21e-2, 1.28e-1, 2.06e-1, 2.88e-1,
];

/// Square roots at most: eigenvalues of any size are near one after half as many.
const ROOTS_MAX: u32 = 200;

/// The logarithm of an upper triangular matrix without zero eigenvalues.
fn triangular_logarithm(context: Context, t: &Square<C>) -> Option<Square<C>> {
    let n = t.n;
    if n == 0 {
        return Some(t.clone());
    }
    let (mut root, mut roots, degree) = near_identity(context, t)?;
    root.add_diagonal(-C::new(1.0, 0.0));
    exact_power(&mut root, t, roots);
    let mut log = Square::zeros(n);
    for (node, weight) in gauss_legendre(degree) {
        let mut divisor = root.clone().scaled(node);
        divisor.add_diagonal(C::new(1.0, 0.0));
        let mut term = root.clone();
        solve_upper(context, divisor.view(), term.view_mut());
        log.add(weight, &term);
    }
    while roots > 0 {
        let step = roots.min(1000);
        log = log.scaled(f64::from(step).exp2());
        roots -= step;
    }
    for i in 0..n {
        *log.item(i, i) = logarithm(t.at(i, i));
    }
    for i in 1..n {
        *log.item(i - 1, i) = t.at(i - 1, i) * logarithm_difference(t.at(i - 1, i - 1), t.at(i, i));
    }
    Some(log)
}

/// A root of the matrix so near the identity that an approximant is exact, how often the root was taken, and the
/// degree: algorithm 4.1 of the paper, with norms of powers that are computed.
fn near_identity(context: Context, t: &Square<C>) -> Option<(Square<C>, u32, usize)> {
    let mut root = t.clone();
    let mut roots = 0;
    let mut values: Vec<C> = (0..t.n).map(|i| t.at(i, i)).collect();
    while values
        .iter()
        .any(|value| Field::abs(value - 1.0) > LIMITS[6])
    {
        for value in &mut values {
            *value = elementary::square_root(*value);
        }
        square_root(context, root.view_mut()).ok()?;
        roots += 1;
        if roots > ROOTS_MAX {
            return None;
        }
    }
    let first = roots;
    let mut more = 0;
    while roots <= ROOTS_MAX {
        let mut rest = root.clone();
        rest.add_diagonal(-C::new(1.0, 0.0));
        let two = rest.times(context, &rest);
        let size = |power: &Square<C>, degree: f64| power.norm_one().powf(1.0 / degree);
        let d2 = size(&two, 2.0);
        let three = two.times(context, &rest);
        let d3 = size(&three, 3.0);
        let reach = |distance: f64, degrees: std::ops::RangeInclusive<usize>| {
            degrees
                .into_iter()
                .find(|&degree| distance <= LIMITS[degree - 1])
        };
        if roots == first
            && let Some(degree) = reach(d2.max(d3), 1..=2)
        {
            return Some((root, roots, degree));
        }
        let d4 = size(&two.times(context, &two), 4.0);
        let far = d3.max(d4);
        if let Some(degree) = reach(far, 3..=6) {
            return Some((root, roots, degree));
        }
        if far <= LIMITS[6] && far / 2.0 <= LIMITS[4] && more < 2 {
            more += 1;
        } else {
            let d5 = size(&two.times(context, &three), 5.0);
            if let Some(degree) = reach(far.min(d4.max(d5)), 6..=7) {
                return Some((root, roots, degree));
            }
        }
        square_root(context, root.view_mut()).ok()?;
        roots += 1;
    }
    None
}

/// Writes the diagonal and what is right above it of a root less the identity without the cancellation that roots
/// taken one after the other suffer: A. H. Al-Mohy, "A more accurate Briggs method for the logarithm" (2012); N. J.
/// Higham, L. Lin, "A Schur-Padé algorithm for fractional powers of a matrix" (2011), equation 5.6.
fn exact_power(rest: &mut Square<C>, t: &Square<C>, roots: u32) {
    if !is_off_the_negative_axis(t) {
        return;
    }
    for i in 0..t.n {
        *rest.item(i, i) = root_less_one(t.at(i, i), roots);
    }
    let power = (-f64::from(roots)).exp2();
    for i in 1..t.n {
        let (x, y) = (t.at(i - 1, i - 1), t.at(i, i));
        *rest.item(i - 1, i) = t.at(i - 1, i) * power_difference(x, y, power);
    }
}

/// `x^(1 / 2^roots) - 1`.
fn root_less_one(mut x: C, mut roots: u32) -> C {
    if roots == 0 {
        return x - 1.0;
    }
    if argument(x).abs() >= FRAC_PI_2 {
        x = elementary::square_root(x);
        roots -= 1;
    }
    let mut rest = x - 1.0;
    for _ in 0..roots {
        x = elementary::square_root(x);
        rest /= x + 1.0;
    }
    rest
}

/// `(log(y) - log(x)) / (y - x)`.
fn logarithm_difference(x: C, y: C) -> C {
    if x == y {
        x.inv()
    } else if are_apart(x, y) {
        (logarithm(y) - logarithm(x)) / (y - x)
    } else {
        half_difference(x, y) * 2.0 / (y - x)
    }
}

/// `(y^p - x^p) / (y - x)`.
fn power_difference(x: C, y: C, p: f64) -> C {
    if x == y {
        power(x, p - 1.0) * p
    } else if are_apart(x, y) {
        (power(y, p) - power(x, p)) / (y - x)
    } else {
        let middle = exponential((logarithm(x) + logarithm(y)) * (p / 2.0));
        middle * sinh(half_difference(x, y) * p) * 2.0 / (y - x)
    }
}

fn are_apart(x: C, y: C) -> bool {
    Field::abs(y - x) > Field::abs(x + y) / 2.0
}

/// Half of `log(y) - log(x)` for near numbers: an inverse hyperbolic tangent, and turns of the plane.
fn half_difference(x: C, y: C) -> C {
    let z = (y - x) / (y + x);
    let w = z * 2.0 / (C::new(1.0, 0.0) - z);
    // The logarithm of 1 + w, exact for small w.
    let log = C::new(
        (2.0 * w.re + w.norm_sqr()).ln_1p() / 2.0,
        w.im.atan2(1.0 + w.re),
    );
    let turns = (((logarithm(y) - logarithm(x)).im - PI) / (2.0 * PI)).ceil();
    log / 2.0 + C::new(0.0, PI * turns)
}

/// Nodes and weights of the Gauss-Legendre rule on `[0, 1]`.
fn gauss_legendre(degree: usize) -> Vec<(f64, f64)> {
    let m = degree as f64;
    let node = |at: usize| {
        let mut x = (PI * (at as f64 + 0.75) / (m + 0.5)).cos();
        let mut slope = 1.0;
        // Newton's steps square the error of a start that has three digits.
        for _ in 0..6 {
            let (mut value, mut before) = (1.0, 0.0);
            for k in 1..=degree {
                let k = k as f64;
                (value, before) = (
                    ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
                    value,
                );
            }
            slope = m * (x * value - before) / (x * x - 1.0);
            x -= value / slope;
        }
        (f64::midpoint(x, 1.0), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..degree).map(node).collect()
}
