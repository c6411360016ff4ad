//! Functions of matrices, and what singular values tell of one.
//!
//! [`expm`] stands on products and elimination; [`sqrtm`], [`logm`] and [`sylvester`] on Schur forms; [`polar`],
//! [`orth`], [`null_space`] and [`cond`] on the singular values of an engine. Schur forms and what stands on them are
//! computed in f64 and complex numbers of it, also for f32.
//!
//! NaN in a matrix makes every number of a result NaN, and an infinity is an error, as in
//! [`decompose`](crate::decompose).

mod condition;
mod elementary;
mod expm;
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
use crate::dense::copy_into;
use crate::tensor::Array;
use crate::{Complex, Context, Error, Field, Float, MatMut, MatRef};

/// What is computed with where it must be complex.
type C = Complex<f64>;

/// A function of a matrix: real where it can be, else complex. That of a complex matrix is complex.
#[derive(Clone, Debug, PartialEq)]
pub enum RealOrComplex<T> {
    /// No imaginary parts.
    Real(Array<T>),
    /// Complex items.
    Complex(Array<Complex<T>>),
}

impl<T: Float> RealOrComplex<T> {
    fn of(items: &Square<C>, real: bool) -> Self {
        let shape = vec![items.n, items.n];
        let items = items.items.iter();
        if real {
            let items = items.map(|item| T::from_f64(item.re)).collect();
            return Self::Real(Array::new(items, shape));
        }
        let items = items.map(|item| Complex::new(T::from_f64(item.re), T::from_f64(item.im)));
        Self::Complex(Array::new(items.collect(), shape))
    }

    fn nan(n: usize, real: bool) -> Self {
        let shape = vec![n, n];
        if real {
            return Self::Real(Array::new(vec![<T as Field>::NAN; n * n], shape));
        }
        let nan = Complex::new(<T as Field>::NAN, <T as Field>::NAN);
        Self::Complex(Array::new(vec![nan; n * n], shape))
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

    /// The product, into another matrix of this order.
    fn times_into(&self, context: Context, other: &Self, result: &mut Self) {
        context.gemm(
            T::ONE,
            self.view(),
            other.view(),
            T::default(),
            result.view_mut(),
        );
    }

    fn scaled(mut self, factor: T::Real) -> Self {
        self.items
            .iter_mut()
            .for_each(|item| *item = item.scale(factor));
        self
    }

    fn add(&mut self, factor: T::Real, other: &Self) {
        for (item, other) in self.items.iter_mut().zip(&other.items) {
            *item = *item + other.scale(factor);
        }
    }

    fn add_diagonal(&mut self, value: T) {
        for item in self.items.iter_mut().step_by(self.n + 1) {
            *item = *item + value;
        }
    }

    fn transposed(&self) -> Self {
        let mut turned = Self::zeros(self.n);
        copy_into(self.view().transpose(), turned.view_mut());
        turned
    }

    fn is_finite(&self) -> bool {
        self.items.iter().all(|item| item.is_finite())
    }
}

impl<W: Field> Square<W> {
    /// A copy of a square matrix, whose contents are told first. Imaginary parts go where there is no place for them.
    fn of<T: Field>(operation: &str, a: MatRef<'_, T>) -> Result<(Self, Contents<T::Real>), Error> {
        let (m, n) = a.shape();
        if m != n {
            let message = format!("cannot {operation} a {m}x{n} matrix: it is not square");
            return Err(Error::invalid(message));
        }
        let contents = Contents::of(operation, a, None)?;
        let items = (0..n).flat_map(|i| a.row(i).map(|&item| wide(item)));
        let items = items.collect();
        Ok((Self { n, items }, contents))
    }

    fn write<T: Field>(&self, result: MatMut<'_, T>) {
        write_rounded(&self.items, result);
    }

    fn to_complex(&self) -> Square<C> {
        Square {
            n: self.n,
            items: self.items.iter().map(|&item| wide(item)).collect(),
        }
    }

    /// The largest sum of absolute values of a column.
    fn norm_one(&self) -> f64 {
        let mut sums = vec![0.0; self.n];
        for row in self.items.chunks_exact(self.n.max(1)) {
            sums.iter_mut()
                .zip(row)
                .for_each(|(sum, item)| *sum += absolute(*item));
        }
        sums.into_iter().fold(0.0, f64::max)
    }
}

/// A number as one that is computed with.
fn wide<T: Field, W: Field>(item: T) -> W {
    let part = |part: T::Real| W::Real::from_f64(part.to_f64());
    W::from_parts(part(item.re()), part(item.im()))
}

/// The absolute value, by squares where these are ordinary numbers.
#[inline]
fn absolute<T: Field>(item: T) -> f64 {
    if !T::IS_COMPLEX {
        return item.re().abs().to_f64();
    }
    let (re, im) = (item.re().to_f64(), item.im().to_f64());
    let square = re * re + im * im;
    if square > f64::SMALL && square < f64::LARGE {
        square.sqrt()
    } else {
        re.hypot(im)
    }
}

/// A product of square matrices.
fn product<T: Field>(context: Context, a: MatRef<'_, T>, b: MatRef<'_, T>) -> Square<T> {
    let mut result = Square::zeros(a.shape().0);
    context.gemm(T::ONE, a, b, T::default(), result.view_mut());
    result
}

/// Writes the nearest numbers, without imaginary parts where there is no place for them.
fn write_rounded<W: Field, T: Field>(items: &[W], mut result: MatMut<'_, T>) {
    let (m, n) = result.shape();
    for i in 0..m {
        for j in 0..n {
            *result.item(i, j) = wide(items[i * n + j]);
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
