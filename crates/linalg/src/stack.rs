//! Many matrices of one shape: small ones side by side in registers, and all of them shared among threads.
//!
//! A matrix has the same result, to the bit, at any place of a stack, in a stack of any length and alone. What
//! fails does so for one matrix: the others have their results.
//!
//! ```
//! use nexus_linalg::{Context, MatRef, stack};
//!
//! let matrices = [1.0, 2.0, 3.0, 4.0, 2.0, 0.0, 0.0, 2.0];
//! let matrices = stack::Dense::new(&matrices, 2, 2)?;
//! let mut dets = [0.0_f64; 2];
//! let failures = stack::det(Context::default(), &matrices, &mut dets)?;
//! assert!(failures.is_empty());
//! assert_eq!(dets, [-2.0, 4.0]);
//! # Ok::<(), nexus_linalg::Error>(())
//! ```

use crate::decompose::{self, Decompose};
use crate::dense::tiny::{LANES, Tiny, Wrong};
use crate::{Context, Error, Field, Isa, MatMut, MatRef, dense};
use std::sync::{Mutex, PoisonError};

/// Matrices of one shape, by number.
pub trait Stack<T>: Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// None.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows and columns of each.
    fn shape(&self) -> (usize, usize);

    /// One of them.
    ///
    /// # Panics
    /// When `index` is not less than the length.
    fn get(&self, index: usize) -> MatRef<'_, T>;
}

/// Matrices that lie one after the other, in row-major order.
#[derive(Clone, Copy, Debug)]
pub struct Dense<'a, T> {
    items: &'a [T],
    shape: (usize, usize),
}

impl<'a, T> Dense<'a, T> {
    /// Matrices of this shape.
    ///
    /// # Errors
    /// `InvalidInput` when the items are not those of whole matrices.
    pub fn new(items: &'a [T], rows: usize, columns: usize) -> Result<Self, Error> {
        let size = rows.checked_mul(columns);
        if size.is_none_or(|size| size == 0 || !items.len().is_multiple_of(size)) {
            let message = format!(
                "cannot take {} items as {rows}x{columns} matrices",
                items.len()
            );
            return Err(Error::invalid(message));
        }
        let shape = (rows, columns);
        Ok(Self { items, shape })
    }
}

impl<T: Copy + Sync> Stack<T> for Dense<'_, T> {
    fn len(&self) -> usize {
        self.items.len() / (self.shape.0 * self.shape.1)
    }

    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn get(&self, index: usize) -> MatRef<'_, T> {
        let (rows, columns) = self.shape;
        let size = rows * columns;
        MatRef::new(&self.items[index * size..(index + 1) * size], rows, columns)
            .expect("as many items as a matrix has")
    }
}

/// Which matrices have no result, in ascending order, and why.
pub type Failures = Vec<(usize, Error)>;

/// Calls `work` with each of `places` and its number, on the threads of `context`; `cost` is the number of
/// multiplications of each. `work` gets the context for what it calls: where the matrices are fewer than the
/// threads, they are worked on one after the other, with all threads.
pub fn map<P>(
    context: Context,
    cost: f64,
    places: impl ExactSizeIterator<Item = P> + Send,
    work: impl Fn(Context, usize, P) -> Result<(), Error> + Sync,
) -> Failures {
    let failures = Mutex::new(Vec::new());
    let fail = |index, error| {
        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push((index, error));
    };
    let inner = context.within(places.len());
    context.for_each(cost, places.enumerate(), |(index, place)| {
        if let Err(error) = work(inner, index, place) {
            fail(index, error);
        }
    });
    in_order(failures)
}

/// [`map`] over blocks of a few matrices, whose results lie one after the other: `lanes` tries a block, and
/// says for each matrix of it whether `alone` is to be asked. `None` asks for all.
fn in_lanes<T: Field>(
    context: Context,
    cost: f64,
    (result, size): (&mut [T], usize),
    lanes: impl Fn(Isa, usize, &mut [T]) -> Option<Wrong> + Sync,
    alone: impl Fn(Context, usize, &mut [T]) -> Result<(), Error> + Sync,
) -> Failures {
    if size == 0 {
        return Vec::new();
    }
    let isa = context.isa();
    let width = T::width(isa);
    let failures = Mutex::new(Vec::new());
    let inner = context.within(result.len() / size);
    let blocks = result.chunks_mut(size * width).enumerate();
    context.for_each(cost * width as f64, blocks, |(block, items)| {
        let first = block * width;
        let again = lanes(isa, first, items).unwrap_or([true; LANES]);
        if again == [false; LANES] {
            return;
        }
        for (lane, items) in items.chunks_exact_mut(size).enumerate() {
            if again[lane]
                && let Err(error) = alone(inner, first + lane, items)
            {
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push((first + lane, error));
            }
        }
    });
    in_order(failures)
}

/// The multiplications of elimination.
fn cubic(n: usize) -> f64 {
    (n as f64).powi(3)
}

/// Checks that a stack has square matrices and the result as many items as it needs.
fn check<T>(
    operation: &str,
    a: &impl Stack<T>,
    (len, size): (usize, usize),
) -> Result<usize, Error> {
    let (m, n) = a.shape();
    if m != n {
        let message = format!("cannot {operation} {m}x{n} matrices: they are not square");
        return Err(Error::invalid(message));
    }
    if a.len().checked_mul(size) != Some(len) {
        let count = a.len();
        let message = format!("cannot {operation} {count} {n}x{n} matrices into {len} items");
        return Err(Error::invalid(message));
    }
    Ok(n)
}

/// The determinant of each matrix: [`dense::det`].
///
/// # Errors
/// `InvalidInput` when the matrices are not square or `result` has another length than the stack.
pub fn det<T: Field>(
    context: Context,
    a: &impl Stack<T>,
    result: &mut [T],
) -> Result<Failures, Error> {
    let n = check("take the determinants of", a, (result.len(), 1))?;
    Ok(in_lanes(
        context,
        cubic(n) / 3.0,
        (result, 1),
        |isa, first, items| {
            let done = Tiny::det_lanes(isa, n, &|lane| a.get(first + lane), items);
            done.map(|()| [false; LANES])
        },
        |context, index, items| {
            items[0] = dense::det(context, a.get(index))?;
            Ok(())
        },
    ))
}

/// Solves `a x = b` for each matrix: [`dense::solve`]. `b` has an `n` by `width` matrix for each, one after the
/// other, which becomes `x`; where a matrix is singular, it stays.
///
/// # Errors
/// `InvalidInput` when the matrices are not square or `b` has another length than they need.
pub fn solve<T: Field>(
    context: Context,
    a: &impl Stack<T>,
    b: &mut [T],
    width: usize,
) -> Result<Failures, Error> {
    let n = check("solve with", a, (b.len(), a.shape().0 * width))?;
    if width == 0 && n > 0 {
        // Singular matrices are so without right sides, too.
        return Ok(map(
            context,
            cubic(n) / 3.0,
            0..a.len(),
            |context, index, _| dense::solve(context, a.get(index), MatMut::new(&mut [], n, 0)?),
        ));
    }
    Ok(in_lanes(
        context,
        cubic(n) / 3.0 + (n * n * width) as f64,
        (b, n * width),
        |isa, first, items| Tiny::solve_lanes(isa, (n, width), &|lane| a.get(first + lane), items),
        |context, index, items| dense::solve(context, a.get(index), MatMut::new(items, n, width)?),
    ))
}

/// The inverse of each matrix: [`dense::inv`]. The items of a singular one are arbitrary.
///
/// # Errors
/// `InvalidInput` when the matrices are not square or `result` has not as many items.
pub fn inv<T: Field>(
    context: Context,
    a: &impl Stack<T>,
    result: &mut [T],
) -> Result<Failures, Error> {
    let (m, n) = a.shape();
    let n = check("invert", a, (result.len(), m * n))?;
    Ok(in_lanes(
        context,
        cubic(n),
        (result, n * n),
        |isa, first, items| Tiny::inv_lanes(isa, n, &|lane| a.get(first + lane), items),
        |context, index, items| dense::inv(context, a.get(index), MatMut::new(items, n, n)?),
    ))
}

/// The Cholesky factor of each matrix: [`dense::cholesky`]. The items of one that is not positive definite are
/// arbitrary.
///
/// # Errors
/// `InvalidInput` when the matrices are not square or `result` has not as many items.
pub fn cholesky<T: Field>(
    context: Context,
    a: &impl Stack<T>,
    result: &mut [T],
) -> Result<Failures, Error> {
    let (m, n) = a.shape();
    let n = check("factor", a, (result.len(), m * n))?;
    Ok(in_lanes(
        context,
        cubic(n) / 6.0,
        (result, n * n),
        |isa, first, items| Tiny::cholesky_lanes(isa, n, &|lane| a.get(first + lane), items),
        |context, index, items| dense::cholesky(context, a.get(index), MatMut::new(items, n, n)?),
    ))
}

/// The factors of each matrix, `q` with `width` columns and `r` with as many rows: [`decompose::qr`]. The items of a
/// matrix without a result are arbitrary.
///
/// # Errors
/// `InvalidInput` when `width` is neither the number of rows nor the lesser of rows and columns, or `q` and `r` have
/// not as many items as the factors.
pub fn qr<T: Field>(
    context: Context,
    engine: &(impl Decompose<T> + Sync),
    a: &impl Stack<T>,
    width: usize,
    (q, r): (&mut [T], &mut [T]),
) -> Result<Failures, Error> {
    let ((m, n), count) = (a.shape(), a.len());
    let fits = |len: usize, size: usize| count.checked_mul(size) == Some(len);
    if (width != m && width != m.min(n)) || !fits(q.len(), m * width) || !fits(r.len(), width * n) {
        let message = format!(
            "cannot factor {count} {m}x{n} matrices, {width} columns wide, into {} and {} items",
            q.len(),
            r.len()
        );
        return Err(Error::invalid(message));
    }
    if q.is_empty() || r.is_empty() {
        // The factors are an identity, or nothing.
        for q in q.chunks_exact_mut((m * width).max(1)) {
            q.fill(T::default());
            q.iter_mut()
                .step_by(width + 1)
                .for_each(|item| *item = T::ONE);
        }
        return Ok(Vec::new());
    }
    let failures = Mutex::new(Vec::new());
    let (q_size, r_size) = (m * width, width * n);
    let inner = context.within(a.len());
    let isa = context.isa();
    let lanes = T::width(isa);
    let blocks = q
        .chunks_mut(q_size * lanes)
        .zip(r.chunks_mut(r_size * lanes));
    let cost = 2.0 * (m * n * width) as f64 * lanes as f64;
    context.for_each(cost, blocks.enumerate(), |(block, (q, r))| {
        let first = block * lanes;
        let together = is_filled(q.len() / q_size, lanes)
            .then(|| Tiny::qr_lanes(isa, (m, n, width), &|lane| a.get(first + lane), q, r));
        let again = together.flatten().unwrap_or([true; LANES]);
        let pairs = q.chunks_exact_mut(q_size).zip(r.chunks_exact_mut(r_size));
        for ((lane, (q, r)), again) in pairs.enumerate().zip(again) {
            let index = first + lane;
            let mut alone = || {
                let (q, r) = (MatMut::new(q, m, width)?, MatMut::new(r, width, n)?);
                decompose::qr(inner, engine, a.get(index), q, r)
            };
            if again && let Err(error) = alone() {
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push((index, error));
            }
        }
    });
    Ok(in_order(failures))
}

/// What failed on any thread, by number.
fn in_order(failures: Mutex<Failures>) -> Failures {
    let mut failures = failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|&(index, _)| index);
    failures
}

/// The eigenvalues of each Hermitian matrix, and its eigenvectors by columns where there is room for them:
/// [`decompose::eigh`]. The items of a matrix without a result are arbitrary.
///
/// # Errors
/// `InvalidInput` when the matrices are not square, or `values` and `vectors` have other lengths than `n` and
/// `n * n` for each, or none for vectors.
pub fn eigh<T: Field>(
    context: Context,
    engine: &(impl Decompose<T> + Sync),
    a: &impl Stack<T>,
    values: &mut [T::Real],
    vectors: &mut [T],
) -> Result<Failures, Error> {
    let (m, n) = a.shape();
    let wanted = !vectors.is_empty();
    if wanted {
        check("decompose", a, (vectors.len(), m * n))?;
    }
    let n = check("decompose", a, (values.len(), n))?;
    if n == 0 {
        return Ok(Vec::new());
    }
    let failures = Mutex::new(Vec::new());
    let size = if wanted { n * n } else { 0 };
    let isa = context.isa();
    let lanes = T::width(isa);
    let count = a.len().div_ceil(lanes);
    let blocks = chunks(values, n * lanes).zip(chunks(vectors, size * lanes));
    let blocks = Counted((0..count).zip(blocks), count);
    let cost = 8.0 * cubic(n) * lanes as f64;
    let inner = context.within(a.len());
    context.for_each(cost, blocks, |(block, (values, vectors))| {
        let first = block * lanes;
        let again = Tiny::eigh_lanes(isa, n, &|lane| a.get(first + lane), values, vectors);
        let again = again.unwrap_or([true; LANES]);
        for (lane, values) in values.chunks_exact_mut(n).enumerate() {
            let vectors = wanted.then(|| {
                let columns = &mut vectors[lane * size..(lane + 1) * size];
                let Ok(view) = MatMut::with_strides(columns, (n, n), (1, n)) else {
                    unreachable!("n times n items")
                };
                view
            });
            if !again[lane] {
                decompose::arrange(values, vectors);
            } else if let Err(error) =
                decompose::eigh(inner, engine, a.get(first + lane), values, vectors)
            {
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push((first + lane, error));
            }
        }
    });
    Ok(in_order(failures))
}

/// The singular values of each matrix and, where there is room for them, as many left and right singular vectors by
/// columns: [`decompose::svd`]. `u` has `widths.0` vectors for each matrix and `v` `widths.1`. The items of a matrix
/// without a result are arbitrary.
///
/// # Errors
/// `InvalidInput` when the lengths are not those of the results for each matrix, or of no vectors.
pub fn svd<T: Field>(
    context: Context,
    engine: &(impl Decompose<T> + Sync),
    a: &impl Stack<T>,
    values: &mut [T::Real],
    (u, v): (&mut [T], &mut [T]),
    widths: (usize, usize),
) -> Result<Failures, Error> {
    let ((m, n), count) = (a.shape(), a.len());
    let k = m.min(n);
    let wanted = !u.is_empty() || !v.is_empty();
    let (u_size, v_size) = if wanted {
        (m * widths.0, n * widths.1)
    } else {
        (0, 0)
    };
    let fits = |len: usize, size: usize| count.checked_mul(size) == Some(len);
    if !fits(values.len(), k) || !fits(u.len(), u_size) || !fits(v.len(), v_size) {
        let message = format!(
            "cannot decompose {count} {m}x{n} matrices into {} values and {} and {} items of vectors",
            values.len(),
            u.len(),
            v.len()
        );
        return Err(Error::invalid(message));
    }
    let failures = Mutex::new(Vec::new());
    let isa = context.isa();
    let lanes = T::width(isa);
    let is_thin = !wanted || widths == (k, k);
    let vectors = chunks(u, u_size * lanes).zip(chunks(v, v_size * lanes));
    let blocks = (0..count.div_ceil(lanes)).zip(chunks(values, k * lanes).zip(vectors));
    let inner = context.within(count);
    let cost = 8.0 * cubic(m.max(n)) * lanes as f64;
    let blocks = Counted(blocks, count.div_ceil(lanes));
    context.for_each(cost, blocks, |(block, (values, (u, v)))| {
        let first = block * lanes;
        let len = lanes.min(count - first);
        let together = (is_thin && k > 0 && is_filled(len, lanes)).then(|| {
            let places = (&mut *u, &mut *v);
            Tiny::svd_lanes(isa, (m, n), &|lane| a.get(first + lane), values, places)
        });
        let again = together.flatten().unwrap_or([true; LANES]);
        for (lane, again) in again.into_iter().enumerate().take(len) {
            let values = &mut values[lane * k..(lane + 1) * k];
            let u = &mut u[lane * u_size..(lane + 1) * u_size];
            let v = &mut v[lane * v_size..(lane + 1) * v_size];
            let mut alone = || {
                let vectors = if wanted {
                    Some((by_columns(u, m, widths.0)?, by_columns(v, n, widths.1)?))
                } else {
                    None
                };
                if again {
                    return decompose::svd(inner, engine, a.get(first + lane), values, vectors);
                }
                decompose::order_singular(values, vectors);
                Ok(())
            };
            if let Err(error) = alone() {
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push((first + lane, error));
            }
        }
    });
    Ok(in_order(failures))
}

/// The product of each matrix of one stack with that of another: [`Context::matmul`].
///
/// # Errors
/// `InvalidInput` when the stacks differ in length, or `result` has not as many items as their products.
pub fn matmul<T: Field>(
    context: Context,
    a: &impl Stack<T>,
    b: &impl Stack<T>,
    result: &mut [T],
) -> Result<(), Error> {
    let ((m, k), (k_b, n), count) = (a.shape(), b.shape(), a.len());
    let size = m * n;
    if k != k_b || b.len() != count || count.checked_mul(size) != Some(result.len()) {
        let message = format!(
            "cannot multiply {count} {m}x{k} matrices by {} {k_b}x{n} ones into {} items",
            b.len(),
            result.len()
        );
        return Err(Error::invalid(message));
    }
    if size == 0 {
        return Ok(());
    }
    let isa = context.isa();
    let inner = context.within(count).with_isa(isa);
    let is_square = m == k && k == n;
    // Some at a time cost less to hand out, where they are enough.
    let some = if inner.count() > 1 { 1 } else { LANES };
    let blocks = result.chunks_mut(size * some).enumerate();
    let cost = (size * k * some) as f64;
    context.for_each(cost, blocks, |(block, items)| {
        let first = block * some;
        let (left, right) = (|i| a.get(first + i), |i| b.get(first + i));
        if is_square && Tiny::multiply_lanes(isa, m, &left, &right, items).is_some() {
            return;
        }
        for (i, items) in items.chunks_exact_mut(size).enumerate() {
            let Ok(product) = MatMut::new(items, m, n) else {
                unreachable!("as many items as a product has")
            };
            inner.gemm(T::ONE, left(i), right(i), T::default(), product);
        }
    });
    Ok(())
}

/// Whether so many matrices are done sooner side by side than one after the other, where the latter has registers too.
fn is_filled(count: usize, lanes: usize) -> bool {
    4 * count > lanes
}

/// Items of vectors that lie by columns.
fn by_columns<T>(items: &mut [T], rows: usize, columns: usize) -> Result<MatMut<'_, T>, Error> {
    Ok(MatMut::with_strides(items, (rows, columns), (1, rows))?)
}

/// Chunks as of `chunks_mut`; of no size, without an end.
fn chunks<T>(mut items: &mut [T], size: usize) -> impl Iterator<Item = &mut [T]> {
    std::iter::from_fn(move || {
        let len = size.min(items.len());
        let (some, rest) = std::mem::take(&mut items).split_at_mut(len);
        items = rest;
        (size == 0 || !some.is_empty()).then_some(some)
    })
}

/// An iterator, and how many it has.
struct Counted<I>(I, usize);

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.0.next()?;
        self.1 -= 1;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.1, Some(self.1))
    }
}

impl<I: Iterator> ExactSizeIterator for Counted<I> {}
