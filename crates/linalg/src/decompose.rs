//! Decompositions by an engine, and the rules that hold for every engine.
//!
//! An engine does [`Decompose`] for finite matrices of ordinary size. The functions here bring it there: they
//! look for NaN and infinities, scale what would overflow, put values in order, and choose signs.
//!
//! - NaN in the part of a matrix that is read makes every number of the result NaN; [`rank`] has no such
//!   number and fails.
//! - An infinity is an error that names its place.
//! - The diagonal of `r` is not negative. In each eigenvector of a symmetric matrix and in each left singular
//!   vector, the first of the items with the largest absolute value is positive.

use crate::dense::{Triangle, copy_into};
use crate::scan::largest_finite;
use crate::{Context, Error, ErrorKind, Float, MatMut, MatRef, norm};

/// An iteration did not end within its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoConvergence;

/// Decompositions on the calling thread. Shapes fit; operands have items, which are finite and far from overflow.
pub trait Decompose<T> {
    /// `a = q r`: `q` is `m x k` with orthonormal columns, `r` is `k x n` with zeros below the diagonal; `k` is
    /// `m` or the lesser of `m` and `n`.
    fn qr(&self, a: MatRef<'_, T>, q: MatMut<'_, T>, r: MatMut<'_, T>);

    /// `a = u diag(values) v^T`, values nearly descending; `u` and `v` are square, or as wide as there are values.
    ///
    /// # Errors
    /// When the iteration does not end.
    fn svd(
        &self,
        a: MatRef<'_, T>,
        values: &mut [T],
        vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
    ) -> Result<(), NoConvergence>;

    /// `a = v diag(values) v^T`, values nearly ascending; the lower triangle of `a` is read.
    ///
    /// # Errors
    /// When the iteration does not end.
    fn eigh(
        &self,
        a: MatRef<'_, T>,
        values: &mut [T],
        vectors: Option<MatMut<'_, T>>,
    ) -> Result<(), NoConvergence>;

    /// `a v = v diag(values)`, as real and imaginary parts. Of a conjugate pair of values, which stand side by
    /// side, `vectors` has the real and the imaginary part of the first one's vector. Vectors may have any length.
    ///
    /// # Errors
    /// When the iteration does not end.
    fn eig(
        &self,
        a: MatRef<'_, T>,
        values: (&mut [T], &mut [T]),
        vectors: Option<MatMut<'_, T>>,
    ) -> Result<(), NoConvergence>;
}

/// What [`Decompose::qr`] says, for any matrix; the diagonal of `r` is not negative.
///
/// # Errors
/// `InvalidInput` when the shapes do not fit, `Infinite`.
pub fn qr<T: Float>(
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    mut q: MatMut<'_, T>,
    mut r: MatMut<'_, T>,
) -> Result<(), Error> {
    let ((m, n), (_, k)) = (a.shape(), q.shape());
    if q.shape() != (m, k) || r.shape() != (k, n) || (k != m && k != m.min(n)) {
        return Err(Error::shapes("factor", (m, n), q.shape(), r.shape()));
    }
    if m == 0 || n == 0 {
        identity(&mut q);
        return Ok(());
    }
    match Contents::of("factor", a, None)? {
        Contents::NaN => {
            fill(&mut q, T::NAN);
            fill(&mut r, T::NAN);
        }
        Contents::Finite(size) => {
            let scale = Scale::of(size);
            scale.apply(a, |a| engine.qr(a, q.reborrow(), r.reborrow()));
            for i in 0..k.min(n) {
                if *r.item(i, i) < T::default() {
                    negate(r.reborrow().transpose(), i);
                    negate(q.reborrow(), i);
                }
            }
            scale.undo_all(&mut r);
        }
    }
    Ok(())
}

/// What [`Decompose::svd`] says, for any matrix, with values that descend and are not negative, and signs that depend on the matrix alone.
///
/// # Errors
/// `InvalidInput` when the shapes do not fit, `Infinite`, `NoConvergence`.
pub fn svd<T: Float>(
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    values: &mut [T],
    mut vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
) -> Result<(), Error> {
    let (m, n) = a.shape();
    let k = m.min(n);
    let fit = |width: usize, rows: usize| width == k || width == rows;
    let fits = vectors.as_ref().is_none_or(|(u, v)| {
        let ((u_rows, u_width), (v_rows, v_width)) = (u.shape(), v.shape());
        (u_rows, v_rows) == (m, n) && fit(u_width, m) && fit(v_width, n)
    });
    if values.len() != k || !fits {
        let message = format!("cannot decompose {m}x{n}: the results have other shapes");
        return Err(Error::invalid(message));
    }
    if k == 0 {
        if let Some((u, v)) = &mut vectors {
            identity(u);
            identity(v);
        }
        return Ok(());
    }
    match Contents::of("decompose", a, None)? {
        Contents::NaN => {
            values.fill(T::NAN);
            if let Some((u, v)) = &mut vectors {
                fill(u, T::NAN);
                fill(v, T::NAN);
            }
        }
        Contents::Finite(size) => {
            let scale = Scale::of(size);
            let both = vectors.as_mut().map(|(u, v)| (u.reborrow(), v.reborrow()));
            scale
                .apply(a, |a| engine.svd(a, values, both))
                .map_err(|_| no_convergence("the singular values", (m, n)))?;
            for (j, value) in values.iter_mut().enumerate() {
                if *value < T::default() {
                    *value = -*value;
                    if let Some((_, v)) = &mut vectors {
                        negate(v.reborrow(), j);
                    }
                }
            }
            sort(
                values,
                |a, b| a > b,
                |i, j| {
                    if let Some((u, v)) = &mut vectors {
                        exchange(u, i, j);
                        exchange(v, i, j);
                    }
                },
            );
            if let Some((u, v)) = &mut vectors {
                for j in 0..u.shape().1 {
                    if leads_with_minus(u.as_ref(), j) {
                        negate(u.reborrow(), j);
                        if j < k {
                            negate(v.reborrow(), j);
                        }
                    }
                }
            }
            scale.undo(values);
        }
    }
    Ok(())
}

/// What [`Decompose::eigh`] says, for any symmetric matrix, with values that ascend and signs that depend on the matrix alone.
///
/// # Errors
/// `InvalidInput` when the shapes do not fit, `Infinite`, `NoConvergence`.
pub fn eigh<T: Float>(
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    values: &mut [T],
    mut vectors: Option<MatMut<'_, T>>,
) -> Result<(), Error> {
    let n = check_eigen(a, values.len(), vectors.as_ref())?;
    if n == 0 {
        return Ok(());
    }
    match Contents::of("decompose", a, Some(Triangle::Lower))? {
        Contents::NaN => {
            values.fill(T::NAN);
            if let Some(v) = &mut vectors {
                fill(v, T::NAN);
            }
        }
        Contents::Finite(size) => {
            let scale = Scale::of(size);
            scale
                .apply(a, |a| {
                    engine.eigh(a, values, vectors.as_mut().map(MatMut::reborrow))
                })
                .map_err(|_| no_convergence("the eigenvalues", (n, n)))?;
            sort(
                values,
                |a, b| a < b,
                |i, j| {
                    if let Some(v) = &mut vectors {
                        exchange(v, i, j);
                    }
                },
            );
            if let Some(v) = &mut vectors {
                for j in 0..n {
                    if leads_with_minus(v.as_ref(), j) {
                        negate(v.reborrow(), j);
                    }
                }
            }
            scale.undo(values);
        }
    }
    Ok(())
}

/// What [`Decompose::eig`] says, for any square matrix, with vectors of length 1.
///
/// # Errors
/// `InvalidInput` when the shapes do not fit, `Infinite`, `NoConvergence`.
pub fn eig<T: Float>(
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    (real, imaginary): (&mut [T], &mut [T]),
    mut vectors: Option<MatMut<'_, T>>,
) -> Result<(), Error> {
    let n = check_eigen(a, real.len().min(imaginary.len()), vectors.as_ref())?;
    if n == 0 {
        return Ok(());
    }
    match Contents::of("decompose", a, None)? {
        Contents::NaN => {
            real.fill(T::NAN);
            imaginary.fill(T::NAN);
            if let Some(v) = &mut vectors {
                fill(v, T::NAN);
            }
        }
        Contents::Finite(size) => {
            let scale = Scale::of(size);
            scale
                .apply(a, |a| {
                    let vectors = vectors.as_mut().map(MatMut::reborrow);
                    engine.eig(a, (&mut *real, &mut *imaginary), vectors)
                })
                .map_err(|_| no_convergence("the eigenvalues", (n, n)))?;
            if let Some(v) = &mut vectors {
                normalize(v, imaginary);
            }
            scale.undo(real);
            scale.undo(imaginary);
        }
    }
    Ok(())
}

/// How many singular values are greater than `tolerance` times the largest one: the larger dimension times
/// epsilon where none is given.
///
/// # Errors
/// `Infinite`, `NotANumber`, `NoConvergence`.
pub fn rank<T: Float>(
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    tolerance: Option<T>,
) -> Result<usize, Error> {
    let (m, n) = a.shape();
    let mut values = vec![T::default(); m.min(n)];
    svd(engine, a, &mut values, None)?;
    if values.first().is_some_and(|value| value.is_nan()) {
        let at = position(a, T::is_nan).unwrap_or_default();
        let message = format!("cannot take the rank of a {m}x{n} matrix: NaN at {at:?}");
        return Err(Error::new(ErrorKind::NotANumber { at }, message));
    }
    Ok(count_above(&values, (m, n), tolerance))
}

/// The pseudo-inverse (E. H. Moore, R. Penrose) into `result`; singular values up to `tolerance` times the
/// largest one count as zero.
///
/// # Errors
/// `InvalidInput` when `result` is not `n x m`, `Infinite`, `NoConvergence`.
pub fn pinv<T: Float>(
    engine: &impl Decompose<T>,
    context: Context,
    a: MatRef<'_, T>,
    tolerance: Option<T>,
    result: MatMut<'_, T>,
) -> Result<(), Error> {
    let (m, n) = a.shape();
    if result.shape() != (n, m) {
        return Err(Error::shapes("invert", (m, n), (m, n), result.shape()));
    }
    let thin = Thin::of(engine, a, tolerance)?;
    let (u, v) = (thin.u(), thin.v_divided());
    context.gemm(
        T::ONE,
        MatRef::new(&v, n, thin.rank)?,
        u.transpose(),
        T::default(),
        result,
    );
    Ok(())
}

/// The least-squares solution of `a x = b` with the least norm, into `x`; returns the rank of `a`.
///
/// # Errors
/// `InvalidInput` when the shapes are not `(m, n)`, `(m, columns)` and `(n, columns)`, `Infinite`,
/// `NoConvergence`.
pub fn lstsq<T: Float>(
    engine: &impl Decompose<T>,
    context: Context,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    tolerance: Option<T>,
    x: MatMut<'_, T>,
) -> Result<usize, Error> {
    let ((m, n), (b_rows, columns)) = (a.shape(), b.shape());
    if b_rows != m || x.shape() != (n, columns) {
        return Err(Error::shapes("solve", (m, n), b.shape(), x.shape()));
    }
    let thin = Thin::of(engine, a, tolerance)?;
    let mut middle = vec![T::default(); thin.rank * columns];
    let mut projected = MatMut::new(&mut middle, thin.rank, columns)?;
    context.gemm(
        T::ONE,
        thin.u().transpose(),
        b,
        T::default(),
        projected.reborrow(),
    );
    let v = thin.v_divided();
    let v = MatRef::new(&v, n, thin.rank)?;
    context.gemm(T::ONE, v, projected.as_ref(), T::default(), x);
    Ok(thin.rank)
}

/// A thin singular value decomposition, as far as the values count. NaN leaves one column of NaN.
struct Thin<T> {
    shape: (usize, usize),
    values: Vec<T>,
    /// By columns.
    u: Vec<T>,
    /// By columns.
    v: Vec<T>,
    rank: usize,
}

impl<T: Float> Thin<T> {
    fn of(
        engine: &impl Decompose<T>,
        a: MatRef<'_, T>,
        tolerance: Option<T>,
    ) -> Result<Self, Error> {
        let (m, n) = a.shape();
        let k = m.min(n);
        let zeros = |len| vec![T::default(); len];
        let (mut values, mut u, mut v) = (zeros(k), zeros(m * k), zeros(n * k));
        let vectors = (
            MatMut::with_strides(&mut u, (m, k), (1, m))?,
            MatMut::with_strides(&mut v, (n, k), (1, n))?,
        );
        svd(engine, a, &mut values, Some(vectors))?;
        let nan = values.first().is_some_and(|value| value.is_nan());
        let rank = if nan {
            1
        } else {
            count_above(&values, (m, n), tolerance)
        };
        Ok(Self {
            shape: (m, n),
            values,
            u,
            v,
            rank,
        })
    }

    fn u(&self) -> MatRef<'_, T> {
        let m = self.shape.0;
        MatRef::with_strides(&self.u, (m, self.rank), (1, m)).expect("as many columns as values")
    }

    /// `v` with each column divided by its singular value, by rows.
    fn v_divided(&self) -> Vec<T> {
        let n = self.shape.1;
        (0..n)
            .flat_map(|i| (0..self.rank).map(move |j| self.v[j * n + i] / self.values[j]))
            .collect()
    }
}

fn count_above<T: Float>(values: &[T], (m, n): (usize, usize), tolerance: Option<T>) -> usize {
    let default = T::from_f64(m.max(n) as f64) * T::EPSILON;
    let limit = values.first().map_or(T::default(), |&largest| {
        largest * tolerance.unwrap_or(default)
    });
    values.iter().filter(|&&value| value > limit).count()
}

/// What a matrix holds.
pub(crate) enum Contents<T> {
    /// Finite numbers up to this absolute value.
    Finite(T),
    /// NaN somewhere, and no infinity before it.
    NaN,
}

impl<T: Float> Contents<T> {
    /// Looks at the whole matrix, or at a triangle.
    pub(crate) fn of(
        operation: &str,
        a: MatRef<'_, T>,
        triangle: Option<Triangle>,
    ) -> Result<Self, Error> {
        let (m, n) = a.shape();
        let mut largest = T::default();
        for i in 0..m {
            let columns = match triangle {
                Some(Triangle::Lower) => 0..(i + 1).min(n),
                Some(Triangle::Upper) => i.min(n)..n,
                None => 0..n,
            };
            let row = a.block(i..i + 1, columns.clone());
            if let Some(size) = quick(row) {
                if size > largest {
                    largest = size;
                }
                continue;
            }
            for (j, &item) in columns.zip(row.row(0)) {
                let size = item.abs();
                if size.is_nan() {
                    return Ok(Self::NaN);
                }
                if !size.is_finite() {
                    let message =
                        format!("cannot {operation} a {m}x{n} matrix: an infinity at ({i}, {j})");
                    return Err(Error::new(ErrorKind::Infinite { at: (i, j) }, message));
                }
                if size > largest {
                    largest = size;
                }
            }
        }
        Ok(Self::Finite(largest))
    }
}

/// The largest absolute value of a row whose items lie side by side and are finite.
fn quick<T: Float>(row: MatRef<'_, T>) -> Option<T> {
    let n = row.shape().1;
    (row.strides().1 == 1).then(|| largest_finite(&row.data()[..n]))?
}

/// A power of two that takes a matrix away from overflow and underflow.
struct Scale<T> {
    factor: Option<(T, T)>,
}

impl<T: Float> Scale<T> {
    /// For a matrix whose largest absolute value this is.
    fn of(size: T) -> Self {
        let limit = T::MAX.to_f64().log2();
        let exponent = size.to_f64().log2().floor();
        let near = exponent.abs() < limit * SAFE_EXPONENT || size == T::default();
        let exponent = exponent.clamp(2.0 - limit, limit - 2.0);
        let factor = (!near).then(|| {
            (
                T::from_f64((-exponent).exp2()),
                T::from_f64(exponent.exp2()),
            )
        });
        Self { factor }
    }

    fn apply<R>(&self, a: MatRef<'_, T>, work: impl FnOnce(MatRef<'_, T>) -> R) -> R {
        let Some((factor, _)) = self.factor else {
            return work(a);
        };
        let (m, n) = a.shape();
        let mut copy = vec![T::default(); m * n];
        let mut view = MatMut::new(&mut copy, m, n).expect("m times n items");
        copy_into(a, view.reborrow());
        for item in view.reborrow().into_data() {
            *item = *item * factor;
        }
        work(view.as_ref())
    }

    fn undo(&self, values: &mut [T]) {
        if let Some((_, back)) = self.factor {
            for value in values {
                *value = *value * back;
            }
        }
    }

    fn undo_all(&self, a: &mut MatMut<'_, T>) {
        if let Some((_, back)) = self.factor {
            let (m, n) = a.shape();
            for i in 0..m {
                for j in 0..n {
                    let item = a.item(i, j);
                    *item = *item * back;
                }
            }
        }
    }
}

/// Matrices are scaled when the exponent of their largest item is past this part of the range.
const SAFE_EXPONENT: f64 = 0.25;

fn check_eigen<T: Float>(
    a: MatRef<'_, T>,
    values: usize,
    vectors: Option<&MatMut<'_, T>>,
) -> Result<usize, Error> {
    let (m, n) = a.shape();
    if m != n {
        let message = format!("cannot take the eigenvalues of a {m}x{n} matrix: it is not square");
        return Err(Error::invalid(message));
    }
    if values != n || vectors.is_some_and(|v| v.shape() != (n, n)) {
        let message = format!("cannot decompose {n}x{n}: the results have other shapes");
        return Err(Error::invalid(message));
    }
    Ok(n)
}

fn no_convergence(what: &str, (m, n): (usize, usize)) -> Error {
    let message = format!("cannot find {what} of a {m}x{n} matrix: the iteration does not end");
    Error::new(ErrorKind::NoConvergence, message)
}

fn position<T: Float>(a: MatRef<'_, T>, is: impl Fn(T) -> bool) -> Option<(usize, usize)> {
    let (m, n) = a.shape();
    (0..m)
        .flat_map(|i| (0..n).map(move |j| (i, j)))
        .find(|&(i, j)| is(a.get(i, j)))
}

fn fill<T: Float>(a: &mut MatMut<'_, T>, value: T) {
    let (m, n) = a.shape();
    for i in 0..m {
        for j in 0..n {
            *a.item(i, j) = value;
        }
    }
}

/// Gives the vectors of [`Decompose::eig`] the length 1.
fn normalize<T: Float>(v: &mut MatMut<'_, T>, imaginary: &[T]) {
    let n = imaginary.len();
    let mut first = 0;
    while first < n {
        let last = if imaginary[first] == T::default() {
            first
        } else {
            (first + 1).min(n - 1)
        };
        let columns = v.as_ref().block(0..n, first..last + 1);
        let items = (0..n).flat_map(|i| columns.row(i).copied());
        let length = norm::vector(items, 2.0);
        if length > T::default() {
            for i in 0..n {
                for j in first..=last {
                    let item = v.item(i, j);
                    *item = *item / length;
                }
            }
        }
        first = last + 1;
    }
}

/// Sorts values that are nearly in order, and tells each exchange of neighbours.
fn sort<T: Float>(
    values: &mut [T],
    before: impl Fn(T, T) -> bool,
    mut exchanged: impl FnMut(usize, usize),
) {
    for end in 1..values.len() {
        for i in (1..=end).rev() {
            if !before(values[i], values[i - 1]) {
                break;
            }
            values.swap(i - 1, i);
            exchanged(i - 1, i);
        }
    }
}

fn exchange<T: Float>(a: &mut MatMut<'_, T>, first: usize, last: usize) {
    for i in 0..a.shape().0 {
        let item = *a.item(i, first);
        *a.item(i, first) = std::mem::replace(a.item(i, last), item);
    }
}

fn identity<T: Float>(a: &mut MatMut<'_, T>) {
    fill(a, T::default());
    let (m, n) = a.shape();
    for i in 0..m.min(n) {
        *a.item(i, i) = T::ONE;
    }
}

fn negate<T: Float>(mut a: MatMut<'_, T>, column: usize) {
    for i in 0..a.shape().0 {
        let item = a.item(i, column);
        *item = -*item;
    }
}

/// Whether the first of the largest items of a column is negative.
fn leads_with_minus<T: Float>(a: MatRef<'_, T>, column: usize) -> bool {
    let mut lead = T::default();
    for i in 0..a.shape().0 {
        let item = a.get(i, column);
        if item.abs() > lead.abs() {
            lead = item;
        }
    }
    lead < T::default()
}
