//! The approximant: which degree, of the matrix halved how often, and what it is.

use crate::functions::{Square, absolute};
use crate::norm::estimate::estimate_one;
use crate::{Conj, Context, Error, Field, Float, MatMut, MatRef, dense};

/// What the precision of a type decides.
struct Precision {
    /// Degrees, and the sizes up to which they are exact to the unit roundoff; larger matrices are brought to the
    /// last one's.
    degrees: &'static [(usize, f64)],
    /// Matrices are brought below two to this power first, so that no power of them overflows.
    exponent_max: i32,
    /// Whether more halvings than the size asks for pay.
    guards_roundings: bool,
}

/// Table 2.3 of 2005.
const SINGLE: Precision = Precision {
    degrees: &[
        (3, 4.258_730_016_922_831e-1),
        (5, 1.880_152_677_804_762),
        (7, 3.925_724_783_138_66),
    ],
    exponent_max: 12,
    guards_roundings: false,
};

/// Table 3.1 of 2009, with 2.3 of 2005, and for degree 13 section 5 of 2009.
const DOUBLE: Precision = Precision {
    degrees: &[
        (3, 1.495_585_217_958_292e-2),
        (5, 2.539_398_330_063_23e-1),
        (7, 9.504_178_996_162_932e-1),
        (9, 2.097_847_961_257_068),
        (13, 4.25),
    ],
    exponent_max: 64,
    guards_roundings: true,
};

fn precision<T: Field>() -> &'static Precision {
    if T::Real::EPSILON.to_f64() > f64::EPSILON {
        &SINGLE
    } else {
        &DOUBLE
    }
}

/// The power of two that a matrix must be below.
pub(super) fn exponent_max<T: Field>() -> i32 {
    precision::<T>().exponent_max
}

/// The approximant of the exponential of the matrix halved some times, room for another matrix, and how often it is
/// halved.
pub(super) fn approximant<T: Field>(
    context: Context,
    a: Square<T>,
) -> Result<(Square<T>, Square<T>, i32), Error> {
    let mut powers = Powers::of(context, a);
    let (degree, halvings) = powers.choose(context);
    let (result, space) = powers.approximant(context, degree, halvings)?;
    Ok((result, space, halvings))
}

/// A matrix and its even powers.
struct Powers<T> {
    one: Square<T>,
    /// The square, and as many of those after it as were needed.
    even: Vec<Square<T>>,
    norm: f64,
}

impl<T: Field> Powers<T> {
    fn of(context: Context, one: Square<T>) -> Self {
        let (even, norm) = (vec![one.times(context, &one)], one.norm_one());
        Self { one, even, norm }
    }

    /// Computes the next even power.
    fn grow(&mut self, context: Context) {
        let last = self.even.len() - 1;
        let next = self.even[last / 2].times(context, &self.even[last - last / 2]);
        self.even.push(next);
    }

    /// The degree of the approximant, and how often the matrix is halved before: algorithm 5.1 of 2009. No power is
    /// computed, and no norm of one estimated, where bounds tell the same.
    fn choose(&mut self, context: Context) -> (usize, i32) {
        let degrees = precision::<T>().degrees;
        let root = |norm: f64, power: i32| norm.powf(1.0 / f64::from(power));
        let d2 = root(self.even[0].norm_one(), 2);
        if let Some(degree) = self.fit(&degrees[..1], d2) {
            return (degree, 0);
        }
        self.grow(context);
        let d4 = root(self.even[1].norm_one(), 4);
        // The norm of a power is at most the product of the norms of its factors.
        if let Some(degree) = self.fit(&degrees[..2], (d2 * d4 * d4).cbrt()) {
            return (degree, 0);
        }
        self.grow(context);
        let d6 = root(self.even[2].norm_one(), 6);
        let small = d4.max(d6);
        if let Some(degree) = self.fit(&degrees[..2], small) {
            return (degree, 0);
        }
        let (&(last, limit), between) = degrees[2..].split_last().expect("five degrees or three");
        let eighth = || root(norm_of_product(context, &self.even[1], &self.even[1]), 8);
        let mut d8 = None;
        if between.last().is_some_and(|&(_, limit)| d6 <= limit)
            && let Some(degree) = self.fit(between, d6.max(*d8.insert(eighth())))
        {
            return (degree, 0);
        }
        let halvings = |size: f64| (size / limit).log2().ceil().max(0.0) as i32;
        let least = self.halvings_for_roundings(last);
        if least >= halvings(small) {
            return (last, least);
        }
        let d8 = d8.unwrap_or_else(eighth);
        let mut size = small.min(d6.max(d8));
        // The tenth power is bounded by terms that an approximant of less than degree 12 does not have.
        if last >= 12 {
            let d10 = root(norm_of_product(context, &self.even[1], &self.even[2]), 10);
            size = size.min(d8.max(d10));
        }
        (last, least.max(halvings(size)))
    }

    /// The first of the degrees that is enough for this size, and for rounding errors.
    fn fit(&self, degrees: &[(usize, f64)], size: f64) -> Option<usize> {
        let fits = |&&(degree, limit): &&(usize, f64)| {
            size <= limit && self.halvings_for_roundings(degree) == 0
        };
        degrees.iter().find(fits).map(|&(degree, _)| degree)
    }

    /// How many halvings rounding errors ask for: the function `l` of 2009. None in single precision, for which it was
    /// not made: there the squarings that follow lose more digits than they save.
    ///
    /// That needs the norm of a high power of the absolute values, by products with a vector. Where all items of a
    /// positive vector change by nearly the same factor, so they do from then on (L. Collatz, "Einschliessungssatz
    /// fuer die charakteristischen Zahlen von Matrizen", 1942): the products end as soon as that decides.
    fn halvings_for_roundings(&self, degree: usize) -> i32 {
        if !precision::<T>().guards_roundings {
            return 0;
        }
        let n = self.one.n;
        let m = degree as f64;
        // One divided by the leading coefficient of the backward error: (2m)! (2m + 1)! / (m!)^2.
        let choose = (1..=degree).fold(1.0, |c, i| c * (m + i as f64) / i as f64);
        let factorial: f64 = (1..=2 * degree + 1).map(|i| i as f64).product();
        let unit = T::Real::EPSILON.to_f64() / 2.0 * choose * factorial;
        let size = self.norm.log2();
        let halvings = |log: f64| {
            let value = (log - size - unit.log2()) / (2.0 * m);
            value.ceil().max(0.0) as i32
        };
        // The norm of a power is at most the power of the norm.
        if self.norm == 0.0 || halvings((2.0 * m + 1.0) * size) == 0 {
            return 0;
        }
        let (mut sums, mut next) = (vec![1.0; n], vec![0.0; n]);
        let mut log = 0.0;
        for left in (0..=2 * degree).rev() {
            self.add_sizes(&sums, &mut next);
            let (least, most) = ratios(&next, &sums);
            let largest = next.iter().copied().fold(0.0, f64::max);
            if largest == 0.0 {
                return 0;
            }
            for item in &mut next {
                *item /= largest;
            }
            log += largest.log2();
            let after = |ratio: f64| match left {
                0 => halvings(log),
                left => halvings(log + left as f64 * ratio.log2()),
            };
            if after(least) == after(most) {
                return after(least);
            }
            std::mem::swap(&mut sums, &mut next);
        }
        halvings(log)
    }

    /// The product of the absolute values, transposed, with a vector.
    fn add_sizes(&self, from: &[f64], to: &mut [f64]) {
        to.fill(0.0);
        for (row, &factor) in self.one.items.chunks_exact(from.len()).zip(from) {
            for (to, &item) in to.iter_mut().zip(row) {
                *to += factor * absolute(item);
            }
        }
    }

    /// The approximant of this degree of the matrix halved so often, and room for another matrix.
    fn approximant(
        mut self,
        context: Context,
        degree: usize,
        halvings: i32,
    ) -> Result<(Square<T>, Square<T>), Error> {
        let n = self.one.n;
        let b: Vec<T::Real> = coefficients(degree)
            .zip(0..)
            .map(|(b, power)| T::Real::from_f64(b * f64::from(-halvings * power).exp2()))
            .collect();
        let even: Vec<_> = b.iter().step_by(2).copied().collect();
        let odd: Vec<_> = b[1..].iter().step_by(2).copied().collect();
        // Of nine terms the eighth power is worth a product; of more, those after the sixth are multiplied by it.
        if even.len() == 5 {
            self.grow(context);
        }
        let (mut p, mut q, mut space) = (Square::zeros(n), Square::zeros(n), Square::zeros(n));
        self.polynomial(context, &odd, &mut q, &mut space);
        self.one.times_into(context, &q, &mut p);
        self.polynomial(context, &even, &mut q, &mut space);
        for (odd, even) in p.items.iter_mut().zip(&mut q.items) {
            (*odd, *even) = (*even + *odd, *even - *odd);
        }
        dense::solve(context, q.view(), p.view_mut())?;
        Ok((p, space))
    }

    /// A polynomial in the square of the matrix.
    fn polynomial(
        &self,
        context: Context,
        b: &[T::Real],
        sum: &mut Square<T>,
        space: &mut Square<T>,
    ) {
        let have = self.even.len() + 1;
        let (low, high) = b.split_at(b.len().min(have));
        self.combine(low, sum);
        if let Some(highest) = self.even.last()
            && !high.is_empty()
        {
            let first = std::iter::once(T::Real::default());
            self.combine(
                &first.chain(high.iter().copied()).collect::<Vec<_>>(),
                space,
            );
            let (a, b) = (highest.view(), space.view());
            context.gemm(T::ONE, a, b, T::ONE, sum.view_mut());
        }
    }

    /// `b[0]` times the identity and the other `b` times the powers, in one pass.
    fn combine(&self, b: &[T::Real], sum: &mut Square<T>) {
        for (at, block) in sum.items.chunks_mut(BLOCK).enumerate() {
            block.fill(T::default());
            for (power, &b) in self.even.iter().zip(&b[1..]) {
                for (item, power) in block.iter_mut().zip(&power.items[at * BLOCK..]) {
                    *item = *item + power.scale(b);
                }
            }
        }
        sum.add_diagonal(T::from_real(b[0]));
    }
}

/// Items that are summed up while they are in the first cache.
const BLOCK: usize = 1024;

/// The least and the greatest of the quotients; of what was zero there is none.
fn ratios(next: &[f64], from: &[f64]) -> (f64, f64) {
    let quotients = next
        .iter()
        .zip(from)
        .filter(|&(_, from)| *from > 0.0)
        .map(|(next, from)| next / from);
    quotients.fold((f64::INFINITY, 0.0), |(least, most), quotient| {
        (quotient.min(least), quotient.max(most))
    })
}

/// The coefficients of the numerator of the diagonal approximant, the last one 1: `(2m - j)! / ((m - j)! j!)`.
fn coefficients(degree: usize) -> impl Iterator<Item = f64> {
    let m = degree as u128;
    let mut b = vec![1_u128];
    for j in (0..m).rev() {
        b.push(b[b.len() - 1] * (2 * m - j) * (j + 1) / (m - j));
    }
    b.into_iter().rev().map(|b| b as f64)
}

/// Rows up to which a product costs less than its estimate.
const PRODUCT_MAX: usize = 64;

/// The 1-norm of a product; of a large one an estimate, by products with vectors.
fn norm_of_product<T: Field>(context: Context, a: &Square<T>, b: &Square<T>) -> f64 {
    let n = a.n;
    if n <= PRODUCT_MAX {
        return a.times(context, b).norm_one();
    }
    let apply = |first: (MatRef<'_, T>, Conj), last: (MatRef<'_, T>, Conj), x: &mut [T]| {
        let mut middle = vec![T::default(); n];
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
fn multiply<T: Field>(context: Context, a: (MatRef<'_, T>, Conj), from: &[T], to: &mut [T]) {
    let n = from.len();
    let from = MatRef::new(from, n, 1).expect("n items");
    let to = MatMut::new(to, n, 1).expect("n items");
    T::gemm(context, T::ONE, a, (from, Conj::No), T::default(), to);
}
