//! The complex Schur form, without an engine, and eigenvectors by it.
//!
//! Householder reflections to Hessenberg form, then steps of the QR iteration with one shift: G. H. Golub and
//! C. F. Van Loan, "Matrix computations", sections 7.4 and 7.5.

use super::contents::{Contents, Scale};
use super::vectors::{fill, identity};
use super::{check_eigen, no_convergence, other_shapes};
use crate::dense::copy_into;
use crate::field::{largest_part, unit};
use crate::{Context, Error, Field, Float, MatMut, MatRef, norm};

/// Steps for each eigenvalue before the iteration is given up.
const STEPS_MAX: usize = 60;
/// Each so many steps without an eigenvalue the shift is another one.
const STEPS_STALE: usize = 10;

/// `a = z t z^H`: `z` has orthonormal columns, `t` has zeros below the diagonal and the eigenvalues on it. Both
/// are complex, also for a real matrix. Costs about `25 n^3` complex multiplications on one thread.
///
/// # Errors
/// `InvalidInput` when the shapes are not square and equal, `Infinite`, `NoConvergence`.
///
/// ```
/// use nexus_linalg::{Complex, MatMut, MatRef, decompose};
///
/// let rotation = [0.0, -1.0, 1.0, 0.0];
/// let (mut t, mut z) = ([Complex::<f64>::default(); 4], [Complex::default(); 4]);
/// let views = (MatMut::new(&mut t, 2, 2)?, MatMut::new(&mut z, 2, 2)?);
/// decompose::schur(MatRef::new(&rotation, 2, 2)?, views.0, views.1)?;
/// assert!((t[0] * t[3] - 1.0).norm_sqr() < 1e-30 && t[2] == Complex::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn schur<T: Field>(
    a: MatRef<'_, T>,
    mut t: MatMut<'_, T::Complex>,
    mut z: MatMut<'_, T::Complex>,
) -> Result<(), Error> {
    let n = check_eigen(a, a.shape().0, Some(&z))?;
    if t.shape() != (n, n) {
        return Err(other_shapes((n, n)));
    }
    let Contents::Finite(size) = Contents::of("decompose", a, None)? else {
        fill(&mut t, T::Complex::NAN);
        fill(&mut z, T::Complex::NAN);
        return Ok(());
    };
    let scale = Scale::of(size);
    let mut form = scale.apply(a, Form::new);
    form.iterate()
        .map_err(|super::NoConvergence| no_convergence("the Schur form", (n, n)))?;
    copy_into(form.t(), t.reborrow());
    copy_into(form.z(), z);
    scale.undo_all(&mut t);
    Ok(())
}

/// Eigenvalues, and vectors where they are wanted, of a finite matrix of ordinary size. Vectors that grow are scaled on the way.
pub(super) fn eig<T: Field>(
    a: MatRef<'_, T>,
    values: &mut [T::Complex],
    vectors: Option<MatMut<'_, T::Complex>>,
) -> Result<(), super::NoConvergence> {
    let mut form = Form::<T::Complex>::new(a);
    form.iterate()?;
    let n = form.n;
    for (i, value) in values.iter_mut().enumerate() {
        *value = form.t[i * n + i];
    }
    let Some(vectors) = vectors else {
        return Ok(());
    };
    let triangle = form.triangular_vectors();
    let triangle = MatRef::new(&triangle, n, n).expect("n times n items");
    Context::default().gemm(
        T::Complex::ONE,
        form.z(),
        triangle,
        T::Complex::default(),
        vectors,
    );
    Ok(())
}

/// A matrix on its way to triangular form: `a = z t z^H`, both by rows.
struct Form<C> {
    n: usize,
    t: Vec<C>,
    z: Vec<C>,
}

impl<C: Field> Form<C> {
    fn new<T: Field<Complex = C>>(a: MatRef<'_, T>) -> Self {
        let n = a.shape().0;
        let t = (0..n).flat_map(|i| a.row(i).map(|item| item.to_complex()));
        let mut form = Self {
            n,
            t: t.collect(),
            z: vec![C::default(); n * n],
        };
        identity(&mut MatMut::new(&mut form.z, n, n).expect("n times n items"));
        for column in 0..n.saturating_sub(2) {
            form.reflect(column);
        }
        form
    }

    fn t(&self) -> MatRef<'_, C> {
        MatRef::new(&self.t, self.n, self.n).expect("n times n items")
    }

    fn z(&self) -> MatRef<'_, C> {
        MatRef::new(&self.z, self.n, self.n).expect("n times n items")
    }

    /// Makes zeros of a column below the item under the diagonal.
    fn reflect(&mut self, column: usize) {
        let (n, first) = (self.n, column + 1);
        let mut v: Vec<C> = (first..n).map(|i| self.t[i * n + column]).collect();
        if v[1..].iter().all(|&item| item == C::default()) {
            return;
        }
        shrink(&mut v);
        let length = norm::vector(v.iter().copied(), 2.0);
        let sign = if v[0] == C::default() {
            C::ONE
        } else {
            unit(v[0])
        };
        v[0] = v[0] + sign.scale(length);
        let length = norm::vector(v.iter().copied(), 2.0);
        for item in &mut v {
            *item = item.shrink(length);
        }
        let two = C::from_real(C::Real::from_f64(2.0));
        // From the left, by rows: `t - 2 v (v^H t)`.
        let mut sums = vec![C::default(); n];
        for (row, &item) in self.t[first * n..].chunks_exact(n).zip(&v) {
            add_multiple(&mut sums, item.conj(), row);
        }
        for (row, &item) in self.t[first * n..].chunks_exact_mut(n).zip(&v) {
            add_multiple(row, -(two * item), &sums);
        }
        for i in first + 1..n {
            self.t[i * n + column] = C::default();
        }
        // From the right: `t - 2 (t v) v^H`, and `z` likewise.
        let adjoint: Vec<C> = v.iter().map(|item| item.conj()).collect();
        for row in self.t.chunks_exact_mut(n).chain(self.z.chunks_exact_mut(n)) {
            let row = &mut row[first..];
            let product = row.iter().zip(&v);
            let sum = product.fold(C::default(), |sum, (&x, &y)| sum + x * y);
            add_multiple(row, -(two * sum), &adjoint);
        }
    }

    /// Makes a triangle of a Hessenberg matrix.
    fn iterate(&mut self) -> Result<(), super::NoConvergence> {
        let n = self.n;
        let size = norm::vector(self.t.iter().copied(), 2.0);
        let (mut end, mut steps) = (n, 0);
        while end > 1 {
            let start = self.split(end, size, steps);
            if start + 1 == end {
                (end, steps) = (start, 0);
                continue;
            }
            steps += 1;
            if steps > STEPS_MAX {
                return Err(super::NoConvergence);
            }
            let shift = self.shift(end, steps);
            self.step(start, end, shift);
        }
        Ok(())
    }

    /// Where the last block that does not fall apart begins; what is negligible becomes zero: beside its
    /// neighbours, or beside the whole matrix where that does not come about.
    fn split(&mut self, end: usize, size: C::Real, steps: usize) -> usize {
        let n = self.n;
        for i in (1..end).rev() {
            let near = self.t[(i - 1) * n + i - 1].abs1() + self.t[i * n + i].abs1();
            let near = if near == C::Real::default() || steps > STEPS_STALE {
                size
            } else {
                near
            };
            let below = &mut self.t[i * n + i - 1];
            if below.abs1() <= near * C::Real::EPSILON {
                *below = C::default();
                return i;
            }
        }
        0
    }

    /// J. H. Wilkinson's shift: the eigenvalue of the last two rows that is nearer to the last item.
    fn shift(&self, end: usize, steps: usize) -> C {
        let n = self.n;
        let at = |i: usize, j: usize| self.t[(end - 2 + i) * n + end - 2 + j];
        if steps.is_multiple_of(STEPS_STALE) {
            return at(1, 1) + C::from_real(at(1, 0).abs());
        }
        let half = C::Real::from_f64(0.5);
        let middle = (at(0, 0) - at(1, 1)).scale(half);
        let product = at(0, 1) * at(1, 0);
        let root = square_root(middle * middle + product);
        let toward = (middle * root.conj()).re() < C::Real::default();
        let divisor = middle + if toward { -root } else { root };
        if divisor == C::default() {
            at(1, 1)
        } else {
            at(1, 1) - product.divide(divisor)
        }
    }

    /// One step of the QR iteration on the rows and columns from `start` up to `end`.
    fn step(&mut self, start: usize, end: usize, shift: C) {
        let n = self.n;
        let mut x = self.t[start * n + start] - shift;
        let mut y = self.t[(start + 1) * n + start];
        for k in start..end - 1 {
            if k > start {
                (x, y) = (self.t[k * n + k - 1], self.t[(k + 1) * n + k - 1]);
            }
            let Some((c, s)) = rotation(x, y) else {
                continue;
            };
            let (top, bottom) = self.t[k * n..(k + 2) * n].split_at_mut(n);
            let from = k.saturating_sub(1).max(start);
            for (x, y) in top[from..].iter_mut().zip(&mut bottom[from..]) {
                (*x, *y) = (x.scale(c) + s * *y, y.scale(c) - s.conj() * *x);
            }
            if k > start {
                bottom[k - 1] = C::default();
            }
            let rows = (k + 3).min(end);
            let t = self.t.chunks_exact_mut(n).take(rows);
            for row in t.chain(self.z.chunks_exact_mut(n)) {
                let (x, y) = (row[k], row[k + 1]);
                (row[k], row[k + 1]) = (x.scale(c) + s.conj() * y, y.scale(c) - s * x);
            }
        }
    }

    /// The eigenvectors of the triangle as columns of a triangle, by rows.
    fn triangular_vectors(&self) -> Vec<C> {
        let n = self.n;
        let size = norm::vector(self.t.iter().copied(), 2.0);
        let least = size * C::Real::EPSILON;
        let least = if least > C::Real::MIN_POSITIVE {
            least
        } else {
            C::Real::MIN_POSITIVE
        };
        let limit = C::Real::from_f64(C::Real::MAX.to_f64().powf(GROWTH_MAX));
        let mut vectors = vec![C::default(); n * n];
        let mut x = vec![C::default(); n];
        for k in 0..n {
            let value = self.t[k * n + k];
            x[k] = C::ONE;
            for i in (0..k).rev() {
                let row = self.t[i * n..(i + 1) * n].iter().zip(&x);
                let row = row.take(k + 1).skip(i + 1);
                let sum = row.fold(C::default(), |sum, (&t, &x)| sum + t * x);
                let gap = self.t[i * n + i] - value;
                let gap = if gap.abs() < least {
                    C::from_real(least)
                } else {
                    gap
                };
                x[i] = -sum.divide(gap);
                let size = x[i].abs();
                if size > limit {
                    for item in &mut x[i..=k] {
                        *item = item.shrink(size);
                    }
                }
            }
            for i in 0..=k {
                vectors[i * n + k] = x[i];
            }
        }
        vectors
    }
}

/// The part of the range that items of an eigenvector grow into before it is scaled.
const GROWTH_MAX: f64 = 0.25;

/// Divides numbers by their largest part, so that tiny ones have all their bits from here on.
fn shrink<C: Field>(items: &mut [C]) {
    let mut size = C::Real::default();
    for &item in &*items {
        let part = largest_part(item);
        size = if part > size { part } else { size };
    }
    for item in items {
        *item = item.shrink(size);
    }
}

/// `row + factor * other`.
fn add_multiple<C: Field>(row: &mut [C], factor: C, other: &[C]) {
    for (item, &other) in row.iter_mut().zip(other) {
        *item = *item + factor * other;
    }
}

/// The rotation `c`, `s` with `c x + s y` the only item left, or none where `y` is zero.
fn rotation<C: Field>(x: C, y: C) -> Option<(C::Real, C)> {
    if y == C::default() {
        return None;
    }
    let mut both = [x, y];
    shrink(&mut both);
    let [x, y] = both;
    if x == C::default() {
        return Some((C::Real::default(), unit(y).conj()));
    }
    let length = norm::vector(both.into_iter(), 2.0);
    let c = x.abs() / length;
    Some((c, (unit(x) * y.conj()).shrink(length)))
}

/// The root with a real part that is not negative.
fn square_root<C: Field>(value: C) -> C {
    if value == C::default() {
        return value;
    }
    let half = C::Real::from_f64(0.5);
    let (size, re) = (value.abs(), value.re());
    let large = ((size + re.abs()) * half).sqrt();
    let small = value.im() / (large + large);
    if re >= C::Real::default() {
        C::from_parts(large, small)
    } else if value.im() < C::Real::default() {
        C::from_parts(-small, -large)
    } else {
        C::from_parts(small, large)
    }
}
