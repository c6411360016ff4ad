//! Direct solutions: the trait of engines that factor sparse matrices, and the rules around it.

use super::columns::CscRef;
use super::index::Index;
use super::operator::{Operator, Stopped};
use crate::{Error, ErrorKind, Float, MatMut, MatRef};
use std::fmt;

/// Which factorisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Elimination with partial pivoting, for square matrices.
    Lu,
    /// Cholesky's, for symmetric positive definite matrices; the lower triangle is read.
    Cholesky,
    /// Orthogonal, for matrices with at least as many rows as columns: least squares.
    Qr,
}

impl Method {
    fn verb(self) -> &'static str {
        match self {
            Self::Lu => "eliminate in",
            Self::Cholesky => "take Cholesky's factor of",
            Self::Qr => "orthogonalise",
        }
    }
}

/// Why an engine could not factor. Numbers are those of the matrix, not of the engine's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorFault {
    /// No pivot but zero was left for this column.
    Singular {
        /// The column.
        column: usize,
    },
    /// Not positive definite.
    NotPositiveDefinite {
        /// The order of the first leading minor, in the order of elimination, that is not positive, counted from 1.
        minor: usize,
        /// The row whose pivot is not positive.
        row: usize,
    },
    /// There is no memory for the factor.
    Memory,
}

/// Where a matrix has items: canonical compressed columns, without values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Rows and columns.
    pub shape: (usize, usize),
    /// Where columns begin and end.
    pub pointers: Vec<usize>,
    /// The row of each item, ascending in each column.
    pub indices: Vec<usize>,
}

/// Engines that factor sparse matrices, on the calling thread.
pub trait Factorize<T> {
    /// Finds an order with little fill and where the factors have items.
    ///
    /// # Errors
    /// `Memory`.
    fn analyse(
        &self,
        method: Method,
        pattern: &Pattern,
    ) -> Result<Box<dyn Analysed<T>>, FactorFault>;
}

/// What an engine knows of a pattern.
pub trait Analysed<T>: Send + Sync {
    /// Factors the matrix of that pattern with these finite values.
    ///
    /// # Errors
    /// When the matrix has no such factor.
    fn factor(&self, pattern: &Pattern, values: &[T]) -> Result<Box<dyn Factored<T>>, FactorFault>;
}

/// What an engine made of a matrix.
pub trait Factored<T>: Send + Sync {
    /// `b` becomes the solution: for least squares, its first rows.
    fn solve(&self, b: MatMut<'_, T>);

    /// `b` becomes the solution with the transposed matrix. Never called after `Qr`.
    fn solve_transpose(&self, b: MatMut<'_, T>);
}

/// The pattern of a matrix, analysed: matrices that have it are factored without doing that again.
pub struct Analysis<T> {
    method: Method,
    pattern: Pattern,
    engine: Box<dyn Analysed<T>>,
}

impl<T> fmt::Debug for Analysis<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Analysis")
            .field("method", &self.method)
            .field("shape", &self.pattern.shape)
            .finish_non_exhaustive()
    }
}

impl<T: Float> Analysis<T> {
    /// Analyses the places where `a` has items.
    ///
    /// # Errors
    /// `InvalidInput` when the shape is none for the method, or there is no memory.
    pub fn new<I: Index>(
        engine: &impl Factorize<T>,
        method: Method,
        a: CscRef<'_, T, I>,
    ) -> Result<Self, Error> {
        let (m, n) = a.shape();
        let fits = if method == Method::Qr { m >= n } else { m == n };
        if !fits {
            let needs = if method == Method::Qr {
                "fewer rows than columns"
            } else {
                "not square"
            };
            let message = format!(
                "cannot {} a {m}x{n} sparse matrix: it is {needs}",
                method.verb()
            );
            return Err(Error::invalid(message));
        }
        let (pattern, _) = parts(a);
        let analysed = engine.analyse(method, &pattern);
        let engine = analysed.map_err(|fault| error(method, (m, n), fault))?;
        Ok(Self {
            method,
            pattern,
            engine,
        })
    }

    /// Factors a matrix with the pattern that was analysed.
    ///
    /// # Errors
    /// `InvalidInput` when the pattern is another one; `NotANumber` and `Infinite` with the place; `Singular` with
    /// the column that has no pivot; `NotPositiveDefinite` with the minor in the order of elimination.
    pub fn factor<I: Index>(&self, a: CscRef<'_, T, I>) -> Result<Factor<T>, Error> {
        let shape = self.pattern.shape;
        let (pattern, values) = parts(a);
        if pattern != self.pattern {
            let ((m, n), (rows, columns)) = (shape, pattern.shape);
            return Err(Error::invalid(format!(
                "cannot factor a {rows}x{columns} sparse matrix of {} items: one of {m}x{n} with {} items in other places was analysed",
                pattern.indices.len(),
                self.pattern.indices.len()
            )));
        }
        check_values(self.method, &pattern, &values)?;
        let factor = self.engine.factor(&pattern, &values);
        let engine = factor.map_err(|fault| error(self.method, shape, fault))?;
        Ok(Factor {
            method: self.method,
            shape,
            engine,
        })
    }
}

/// A factored matrix. As an [`Operator`] of a square matrix it applies the inverse.
pub struct Factor<T> {
    method: Method,
    shape: (usize, usize),
    engine: Box<dyn Factored<T>>,
}

impl<T> fmt::Debug for Factor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factor")
            .field("method", &self.method)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl<T: Float> Factor<T> {
    /// Analyses and factors.
    ///
    /// # Errors
    /// As [`Analysis::new`] and [`Analysis::factor`].
    pub fn new<I: Index>(
        engine: &impl Factorize<T>,
        method: Method,
        a: CscRef<'_, T, I>,
    ) -> Result<Self, Error> {
        Analysis::new(engine, method, a)?.factor(a)
    }

    /// Rows and columns of the matrix.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// Solves `a x = b`, `b` becoming `x`. After [`Method::Qr`] the first rows of `b`, as many as `a` has columns, become
    /// the `x` with the least `|a x - b|`; the others are arbitrary. NaN and infinities spread.
    ///
    /// # Errors
    /// `InvalidInput` when `b` has not as many rows as `a`.
    pub fn solve(&self, b: MatMut<'_, T>) -> Result<(), Error> {
        self.check(b.shape())?;
        if b.shape().1 > 0 && self.shape.1 > 0 {
            self.engine.solve(b);
        }
        Ok(())
    }

    /// Solves `a^T x = b`, `b` becoming `x`.
    ///
    /// # Errors
    /// As [`solve`](Self::solve); `InvalidInput` also after [`Method::Qr`].
    pub fn solve_transpose(&self, b: MatMut<'_, T>) -> Result<(), Error> {
        self.check(b.shape())?;
        if self.method == Method::Qr {
            let message =
                "cannot solve with a transposed sparse matrix after QR: use LU".to_owned();
            return Err(Error::invalid(message));
        }
        if b.shape().1 > 0 && self.shape.1 > 0 {
            self.engine.solve_transpose(b);
        }
        Ok(())
    }

    fn check(&self, (rows, columns): (usize, usize)) -> Result<(), Error> {
        let (m, n) = self.shape;
        if rows == m {
            return Ok(());
        }
        let message = format!("cannot solve {m}x{n} for {rows}x{columns}: the rows differ");
        Err(Error::invalid(message))
    }
}

impl<T: Float> Operator<T> for Factor<T> {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }
    fn apply(&self, x: MatRef<'_, T>, mut y: MatMut<'_, T>) -> Result<(), Stopped> {
        if x.shape() != y.shape() {
            return Err(Stopped);
        }
        crate::dense::copy_into(x, y.reborrow());
        self.solve(y).map_err(|_| Stopped)
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, mut y: MatMut<'_, T>) -> Result<(), Stopped> {
        if x.shape() != y.shape() {
            return Err(Stopped);
        }
        crate::dense::copy_into(x, y.reborrow());
        self.solve_transpose(y).map_err(|_| Stopped)
    }
}

/// A copy of a matrix, checked once more on the way.
fn parts<T: Float, I: Index>(a: CscRef<'_, T, I>) -> (Pattern, Vec<T>) {
    let shape = a.shape();
    let (pointers, indices, values) = a.to_canonical().into_parts();
    let wide = |items: Vec<I>| items.into_iter().map(Index::place).collect();
    (
        Pattern {
            shape,
            pointers: wide(pointers),
            indices: wide(indices),
        },
        values,
    )
}

/// Fails at the first NaN or infinity in the part that is read.
fn check_values<T: Float>(method: Method, pattern: &Pattern, values: &[T]) -> Result<(), Error> {
    if values.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    let (m, n) = pattern.shape;
    for j in 0..n {
        let items = pattern.pointers[j]..pattern.pointers[j + 1];
        for (&i, &value) in pattern.indices[items.clone()].iter().zip(&values[items]) {
            if value.is_finite() || (method == Method::Cholesky && i < j) {
                continue;
            }
            let (kind, is) = if value.is_nan() {
                (ErrorKind::NotANumber { at: (i, j) }, "NaN")
            } else {
                (ErrorKind::Infinite { at: (i, j) }, "an infinity")
            };
            let message = format!(
                "cannot {} a {m}x{n} sparse matrix: {is} at ({i}, {j})",
                method.verb()
            );
            return Err(Error::new(kind, message));
        }
    }
    Ok(())
}

fn error(method: Method, (m, n): (usize, usize), fault: FactorFault) -> Error {
    let operation = format!("cannot {} a {m}x{n} sparse matrix", method.verb());
    match fault {
        FactorFault::Singular { column } => Error::new(
            ErrorKind::Singular { pivot: column },
            format!("{operation}: it is singular, column {column} has no pivot"),
        ),
        FactorFault::NotPositiveDefinite { minor, row } => Error::new(
            ErrorKind::NotPositiveDefinite { minor },
            format!(
                "{operation}: it is not positive definite, the pivot of row {row} is not positive"
            ),
        ),
        FactorFault::Memory => Error::invalid(format!("{operation}: no memory for the factors")),
    }
}
