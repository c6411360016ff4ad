//! Orthonormal bases of what a matrix reaches and of what it takes to zero.

use crate::decompose::{self, Decompose};
use crate::tensor::Array;
use crate::{Context, Error, ErrorKind, Field, MatMut, MatRef};

/// An orthonormal basis of the range of an `m x n` matrix, as the columns of an `m x rank` matrix: left singular
/// vectors whose values are greater than `tolerance` times the largest one, the larger dimension times epsilon
/// where none is given. Costs a singular value decomposition.
///
/// # Errors
/// `Infinite`, `NotANumber`, `NoConvergence`.
pub fn orth<T: Field>(
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    tolerance: Option<T::Real>,
) -> Result<Array<T>, Error> {
    let (m, n) = a.shape();
    let vectors = Vectors::of(engine, a, (m.min(n), m.min(n)), tolerance)?;
    let u = MatRef::new(&vectors.u, m, m.min(n))?;
    Ok(columns(u.block(0..m, 0..vectors.rank)))
}

/// An orthonormal basis of the vectors that an `m x n` matrix takes to zero, as the columns of an `n x (n - rank)`
/// matrix: right singular vectors whose values do not count, as [`orth`] counts. Costs a singular value
/// decomposition.
///
/// # Errors
/// As [`orth`].
pub fn null_space<T: Field>(
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    tolerance: Option<T::Real>,
) -> Result<Array<T>, Error> {
    let (m, n) = a.shape();
    // All of the right vectors. A tall matrix has no more of them than columns.
    let u_width = m.min(n);
    let vectors = Vectors::of(engine, a, (u_width, n), tolerance)?;
    let v = MatRef::new(&vectors.v, n, n)?;
    Ok(columns(v.block(0..n, vectors.rank..n)))
}

/// Singular vectors, by rows, and how many values count.
struct Vectors<T> {
    u: Vec<T>,
    v: Vec<T>,
    rank: usize,
}

impl<T: Field> Vectors<T> {
    fn of(
        engine: &impl Decompose<T>,
        a: MatRef<'_, T>,
        (u_width, v_width): (usize, usize),
        tolerance: Option<T::Real>,
    ) -> Result<Self, Error> {
        let (m, n) = a.shape();
        let zeros = |len| vec![T::default(); len];
        let (mut values, mut u, mut v) = (
            vec![T::Real::default(); m.min(n)],
            zeros(m * u_width),
            zeros(n * v_width),
        );
        let vectors = (
            MatMut::new(&mut u, m, u_width)?,
            MatMut::new(&mut v, n, v_width)?,
        );
        decompose::svd(Context::default(), engine, a, &mut values, Some(vectors))?;
        let nan = |(i, j): &(usize, usize)| a.get(*i, *j).is_nan();
        let mut places = (0..m).flat_map(|i| (0..n).map(move |j| (i, j)));
        if let Some(at) = places.find(nan) {
            let message = format!("cannot take the rank of a {m}x{n} matrix: NaN at {at:?}");
            return Err(Error::new(ErrorKind::NotANumber { at }, message));
        }
        let rank = decompose::count_above(&values, (m, n), tolerance);
        Ok(Self { u, v, rank })
    }
}

fn columns<T: Field>(a: MatRef<'_, T>) -> Array<T> {
    let (m, n) = a.shape();
    let items = (0..m).flat_map(|i| a.row(i).copied()).collect();
    Array::new(items, vec![m, n])
}
