//! Functions of matrices, and what singular values tell of one.
//!
//! [`expm`] stands on products and elimination; [`sqrtm`], [`logm`] and [`sylvester`] on [`real_schur`]; [`polar`],
//! [`orth`], [`null_space`] and [`cond`] on the singular values of an engine. What does not need an engine is
//! computed in f64, also for f32.
//!
//! NaN in a matrix makes every number of a result NaN, and an infinity is an error, as in
//! [`decompose`](crate::decompose).

mod condition;
mod elementary;
mod expm;
mod francis;
mod hessenberg;
mod logm;
mod polar;
mod root;
mod schur;
mod space;
mod sylvester;
mod triangular;

pub use condition::cond;
pub use expm::expm;
pub use logm::logm;
pub use polar::{Side, polar};
pub use root::sqrtm;
pub use schur::real_schur;
pub use space::{null_space, orth};
pub use sylvester::sylvester;

use crate::decompose::Contents;
use crate::tensor::Array;
use crate::{Complex, Context, Error, Field, Float, MatMut, MatRef};

/// A function of a real matrix: real where it can be, else complex.
#[derive(Clone, Debug, PartialEq)]
pub enum RealOrComplex<T> {
    /// No imaginary parts.
    Real(Array<T>),
    /// Complex items.
    Complex(Array<Complex<T>>),
}

impl<T: Float> RealOrComplex<T> {
    fn of(items: &Square<Complex<f64>>, real: bool) -> Self {
        let shape = vec![items.n, items.n];
        let items = items.items.iter();
        if real {
            let items = items.map(|item| T::from_f64(item.re)).collect();
            return Self::Real(Array::new(items, shape));
        }
        let items = items.map(|item| Complex::new(T::from_f64(item.re), T::from_f64(item.im)));
        Self::Complex(Array::new(items.collect(), shape))
    }

    fn nan(n: usize) -> Self {
        Self::Real(Array::new(vec![<T as Field>::NAN; n * n], vec![n, n]))
    }
}

/// A square matrix in row-major order.
#[derive(Clone, Debug, PartialEq)]
struct Square<T> {
    n: usize,
    items: Vec<T>,
}

impl<T: Field> Square<T> {
    fn zeros(n: usize) -> Self {
        let items = vec![T::default(); n * n];
        Self { n, items }
    }

    fn identity(n: usize) -> Self {
        let mut identity = Self::zeros(n);
        identity.add_diagonal(T::ONE);
        identity
    }

    fn view(&self) -> MatRef<'_, T> {
        MatRef::new(&self.items, self.n, self.n).expect("n times n items")
    }

    fn view_mut(&mut self) -> MatMut<'_, T> {
        MatMut::new(&mut self.items, self.n, self.n).expect("n times n items")
    }

    fn at(&self, i: usize, j: usize) -> T {
        self.items[i * self.n + j]
    }

    fn item(&mut self, i: usize, j: usize) -> &mut T {
        &mut self.items[i * self.n + j]
    }

    fn times(&self, context: Context, other: &Self) -> Self {
        product(context, self.view(), other.view())
    }

    fn scaled(mut self, factor: T) -> Self {
        self.items
            .iter_mut()
            .for_each(|item| *item = *item * factor);
        self
    }

    fn add(&mut self, factor: T, other: &Self) {
        for (item, &other) in self.items.iter_mut().zip(&other.items) {
            *item = *item + factor * other;
        }
    }

    fn add_diagonal(&mut self, value: T) {
        for item in self.items.iter_mut().step_by(self.n + 1) {
            *item = *item + value;
        }
    }

    fn is_finite(&self) -> bool {
        self.items.iter().all(|item| item.is_finite())
    }
}

impl Square<f64> {
    /// A copy of a square matrix, whose contents are told first.
    fn of<T: Float>(operation: &str, a: MatRef<'_, T>) -> Result<(Self, Contents<T>), Error> {
        let (m, n) = a.shape();
        if m != n {
            let message = format!("cannot {operation} a {m}x{n} matrix: it is not square");
            return Err(Error::invalid(message));
        }
        let contents = Contents::of(operation, a, None)?;
        let items = (0..n).flat_map(|i| a.row(i).map(|item| item.to_f64()));
        let items = items.collect();
        Ok((Self { n, items }, contents))
    }

    fn write<T: Float>(&self, result: MatMut<'_, T>) {
        write_rounded(&self.items, result);
    }

    fn to_complex(&self) -> Square<Complex<f64>> {
        Square {
            n: self.n,
            items: self.items.iter().map(|&item| item.into()).collect(),
        }
    }

    /// The largest sum of absolute values of a column.
    fn norm_one(&self) -> f64 {
        column_sums(self.n, &self.items)
    }
}

impl Square<Complex<f64>> {
    fn norm_one(&self) -> f64 {
        let sizes: Vec<f64> = self.items.iter().map(|&item| Field::abs(item)).collect();
        column_sums(self.n, &sizes)
    }
}

fn column_sums(n: usize, items: &[f64]) -> f64 {
    let mut sums = vec![0.0; n];
    for row in items.chunks_exact(n.max(1)) {
        sums.iter_mut()
            .zip(row)
            .for_each(|(sum, item)| *sum += item.abs());
    }
    sums.into_iter().fold(0.0, f64::max)
}

/// A product of square matrices.
fn product<T: Field>(context: Context, a: MatRef<'_, T>, b: MatRef<'_, T>) -> Square<T> {
    let mut result = Square::zeros(a.shape().0);
    context.gemm(T::ONE, a, b, T::default(), result.view_mut());
    result
}

fn write_rounded<T: Float>(items: &[f64], mut result: MatMut<'_, T>) {
    let (m, n) = result.shape();
    for i in 0..m {
        for j in 0..n {
            *result.item(i, j) = T::from_f64(items[i * n + j]);
        }
    }
}

fn fill<T: Field>(mut result: MatMut<'_, T>, value: T) {
    let (m, n) = result.shape();
    for i in 0..m {
        for j in 0..n {
            *result.item(i, j) = value;
        }
    }
}

/// Refuses a result that has not the shape of the matrix.
fn check_result<T>(
    operation: &str,
    (m, n): (usize, usize),
    result: &MatMut<'_, T>,
) -> Result<(), Error> {
    if result.shape() == (m, n) {
        return Ok(());
    }
    let (rows, columns) = result.shape();
    let message = format!("cannot {operation} {m}x{n} into {rows}x{columns}");
    Err(Error::invalid(message))
}
