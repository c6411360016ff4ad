//! Real matrices of at most four rows with all loops unrolled: one, or several side by side in the lanes of
//! registers.
//!
//! A matrix goes through the same operations in the same order alone and in a lane, so its bits are the same.
//! Which row becomes the pivot's is decided by selection, not by branches. Elimination is with row exchanges
//! (Golub & Van Loan, "Matrix Computations", 4th ed., 3.4), Cholesky's by rows (4.2).

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "loops of a constant length, over several rows at once"
)]

mod jacobi;
mod orthogonal;
mod simd;
mod singular;

use super::determinant::determinant;
use crate::{Complex, Field, Float, Isa, MatMut, MatRef};
use orthogonal::Shape;
use simd::{One, Vector};

/// Matrices side by side at most.
pub(crate) const LANES: usize = 16;

/// Which of the matrices side by side have no result here: a pivot is zero, a minor is not positive.
pub(crate) type Wrong = [bool; LANES];

/// The operations of this file, for types that have them: `None` asks for the general ones.
pub trait Tiny: Copy + 'static {
    /// How many matrices are worked on side by side.
    fn width(_: Isa) -> usize {
        LANES
    }

    /// The determinant.
    fn det(_: MatRef<'_, Self>) -> Option<Self> {
        None
    }

    /// Solves `a x = b` for one right side or as many as rows, `b` becoming `x`, or says which pivot is zero.
    fn solve(_: MatRef<'_, Self>, _: &mut MatMut<'_, Self>) -> Option<Result<(), usize>> {
        None
    }

    /// The inverse into the result, or which pivot is zero.
    fn inv(_: MatRef<'_, Self>, _: &mut MatMut<'_, Self>) -> Option<Result<(), usize>> {
        None
    }

    /// The lower triangular factor of a matrix into the result, or `false` where there is none, with the result as it
    /// was.
    fn cholesky(_: MatRef<'_, Self>, _: &mut MatMut<'_, Self>) -> bool {
        false
    }

    /// The eigenvalues of a symmetric matrix, whose lower triangle is read and whose items are far from overflow,
    /// in any order, and its eigenvectors.
    fn eigh(
        _: MatRef<'_, Self>,
        _: &mut [Self::Real],
        _: Option<&mut MatMut<'_, Self>>,
    ) -> Option<()>
    where
        Self: Field,
    {
        None
    }

    /// The factors `q`, `m x k`, and `r`, `k x n`, of a matrix that is far from overflow, or `false`.
    fn qr(_: MatRef<'_, Self>, _: &mut MatMut<'_, Self>, _: &mut MatMut<'_, Self>) -> bool {
        false
    }

    /// [`Tiny::qr`] of several matrices, one after the other, for `m`, `n` and `k`.
    fn qr_lanes<'a>(
        _: Isa,
        _: (usize, usize, usize),
        _: &impl Fn(usize) -> MatRef<'a, Self>,
        _: &mut [Self],
        _: &mut [Self],
    ) -> Option<Wrong> {
        None
    }

    /// The determinants of up to [`Tiny::width`] matrices.
    fn det_lanes<'a>(
        _: Isa,
        _: usize,
        _: &impl Fn(usize) -> MatRef<'a, Self>,
        _: &mut [Self],
    ) -> Option<()> {
        None
    }

    /// [`Tiny::solve`] for several matrices, whose right sides lie one after the other. Those of singular
    /// matrices stay.
    fn solve_lanes<'a>(
        _: Isa,
        _: (usize, usize),
        _: &impl Fn(usize) -> MatRef<'a, Self>,
        _: &mut [Self],
    ) -> Option<Wrong> {
        None
    }

    /// The inverses of several matrices, one after the other.
    fn inv_lanes<'a>(
        _: Isa,
        _: usize,
        _: &impl Fn(usize) -> MatRef<'a, Self>,
        _: &mut [Self],
    ) -> Option<Wrong> {
        None
    }

    /// [`Tiny::eigh`] of several matrices, one after the other, with the vectors by columns where there is room
    /// for them.
    fn eigh_lanes<'a>(
        _: Isa,
        _: usize,
        _: &impl Fn(usize) -> MatRef<'a, Self>,
        _: &mut [Self::Real],
        _: &mut [Self],
    ) -> Option<Wrong>
    where
        Self: Field,
    {
        None
    }

    /// The singular values of a matrix whose items are far from overflow, and as many vectors by columns, or `false`.
    fn svd(
        _: MatRef<'_, Self>,
        _: &mut [Self::Real],
        _: Option<(MatMut<'_, Self>, MatMut<'_, Self>)>,
    ) -> bool
    where
        Self: Field,
    {
        false
    }

    /// [`Tiny::svd`] of several matrices, one after the other, with the vectors by columns where there is room for
    /// them.
    fn svd_lanes<'a>(
        _: Isa,
        _: (usize, usize),
        _: &impl Fn(usize) -> MatRef<'a, Self>,
        _: &mut [Self::Real],
        _: (&mut [Self], &mut [Self]),
    ) -> Option<Wrong>
    where
        Self: Field,
    {
        None
    }

    /// The products of several square matrices, one after the other, with the roundings of other products.
    fn multiply_lanes<'a>(
        _: Isa,
        _: usize,
        _: &impl Fn(usize) -> MatRef<'a, Self>,
        _: &impl Fn(usize) -> MatRef<'a, Self>,
        _: &mut [Self],
    ) -> Option<()> {
        None
    }

    /// The lower triangular factors of several matrices, one after the other.
    fn cholesky_lanes<'a>(
        _: Isa,
        _: usize,
        _: &impl Fn(usize) -> MatRef<'a, Self>,
        _: &mut [Self],
    ) -> Option<Wrong> {
        None
    }
}

impl Tiny for Complex<f32> {}
impl Tiny for Complex<f64> {}

/// Calls `$work` with the number of rows as a constant, or returns `None`.
macro_rules! with_rows {
    ($rows:expr, $N:ident => $work:expr) => {
        match $rows {
            1 => with_rows!(1, $N, $work),
            2 => with_rows!(2, $N, $work),
            3 => with_rows!(3, $N, $work),
            4 => with_rows!(4, $N, $work),
            _ => None,
        }
    };
    ($rows:literal, $N:ident, $work:expr) => {{
        const $N: usize = $rows;
        Some($work)
    }};
}

/// Calls `$work` with an order that the matrices have at most, and its square, or returns `None`.
macro_rules! with_order {
    ($shape:expr, $N:ident, $SIZE:ident => $work:expr) => {
        match $shape.order() {
            Some(1..=4) => with_order!(4, $N, $SIZE, $work),
            Some(5..=16) => with_order!(16, $N, $SIZE, $work),
            Some(17..=32) => with_order!(32, $N, $SIZE, $work),
            _ => None,
        }
    };
    ($order:literal, $N:ident, $SIZE:ident, $work:expr) => {{
        const $N: usize = $order;
        const $SIZE: usize = $N * $N;
        Some($work)
    }};
}

/// Calls `$work` with a number of items that columns have at most, or returns `None`.
macro_rules! with_capacity {
    ($order:expr, $N:ident => $work:expr) => {
        match $order {
            Some(1..=4) => with_rows!(4, $N, $work),
            Some(5..=8) => with_rows!(8, $N, $work),
            Some(9..=16) => with_rows!(16, $N, $work),
            _ => None,
        }
    };
}

macro_rules! tiny {
    ($type:ident) => {
        impl Tiny for $type {
            fn width(isa: Isa) -> usize {
                simd::width::<Self>(isa)
            }

            fn det(a: MatRef<'_, Self>) -> Option<Self> {
                with_rows!(a.shape().0, N => {
                    let mut a = load::<One<Self>, N, N>(|_| a);
                    let found = eliminate::<_, N, 0>(&mut a, &mut [[]; N]);
                    if found.doubtful & 1 == 0 {
                        found.det.0
                    } else {
                        determinant(found.sign.0, (0..N).map(|i| a[i][i].0))
                    }
                })
            }

            fn solve(a: MatRef<'_, Self>, b: &mut MatMut<'_, Self>) -> Option<Result<(), usize>> {
                match b.shape().1 {
                    1 => with_rows!(a.shape().0, N => solve_one::<Self, N, 1>(a, b)),
                    width if width == a.shape().0 => {
                        with_rows!(width, N => solve_one::<Self, N, N>(a, b))
                    }
                    _ => None,
                }
            }

            fn inv(
                a: MatRef<'_, Self>,
                result: &mut MatMut<'_, Self>,
            ) -> Option<Result<(), usize>> {
                with_rows!(a.shape().0, N => inv_one::<Self, N>(a, result))
            }

            fn cholesky(a: MatRef<'_, Self>, result: &mut MatMut<'_, Self>) -> bool {
                let done = with_rows!(a.shape().0, N => factor_one::<Self, N>(a, result));
                done.unwrap_or(false)
            }

            fn eigh(
                a: MatRef<'_, Self>,
                values: &mut [Self],
                vectors: Option<&mut MatMut<'_, Self>>,
            ) -> Option<()> {
                with_rows!(a.shape().0, N => jacobi::eigh::<Self, N>(a, values, vectors)?)
            }

            fn qr(
                a: MatRef<'_, Self>,
                q: &mut MatMut<'_, Self>,
                r: &mut MatMut<'_, Self>,
            ) -> bool {
                let ((rows, columns), (_, width)) = (a.shape(), q.shape());
                let shape = Shape {
                    rows,
                    columns,
                    width,
                };
                with_order!(shape, N, SIZE => simd::qr_one::<Self, N, SIZE>(a, q, r))
                    .unwrap_or(false)
            }

            fn qr_lanes<'a>(
                isa: Isa,
                (rows, columns, width): (usize, usize, usize),
                get: &impl Fn(usize) -> MatRef<'a, Self>,
                q: &mut [Self],
                r: &mut [Self],
            ) -> Option<Wrong> {
                let shape = Shape {
                    rows,
                    columns,
                    width,
                };
                with_order!(shape, N, SIZE => simd::qr::<Self, N, SIZE>(isa, get, shape, q, r)?)
            }

            fn det_lanes<'a>(
                isa: Isa,
                rows: usize,
                get: &impl Fn(usize) -> MatRef<'a, Self>,
                result: &mut [Self],
            ) -> Option<()> {
                with_rows!(rows, N => simd::det::<Self, N>(isa, get, result)?)
            }

            fn solve_lanes<'a>(
                isa: Isa,
                (rows, width): (usize, usize),
                get: &impl Fn(usize) -> MatRef<'a, Self>,
                b: &mut [Self],
            ) -> Option<Wrong> {
                if width == 1 {
                    with_rows!(rows, N => simd::solve::<Self, N, 1>(isa, get, b)?)
                } else if width == rows {
                    with_rows!(rows, N => simd::solve::<Self, N, N>(isa, get, b)?)
                } else {
                    None
                }
            }

            fn inv_lanes<'a>(
                isa: Isa,
                rows: usize,
                get: &impl Fn(usize) -> MatRef<'a, Self>,
                result: &mut [Self],
            ) -> Option<Wrong> {
                with_rows!(rows, N => simd::inv::<Self, N>(isa, get, result)?)
            }

            fn eigh_lanes<'a>(
                isa: Isa,
                rows: usize,
                get: &impl Fn(usize) -> MatRef<'a, Self>,
                values: &mut [Self],
                vectors: &mut [Self],
            ) -> Option<Wrong> {
                with_rows!(rows, N => simd::eigh::<Self, N>(isa, get, values, vectors)?)
            }

            fn svd(
                a: MatRef<'_, Self>,
                values: &mut [Self],
                vectors: Option<(MatMut<'_, Self>, MatMut<'_, Self>)>,
            ) -> bool {
                with_capacity!(singular::order(a.shape(), vectors.is_some()), N =>
                    simd::svd_one::<Self, N>(a, values, vectors))
                .unwrap_or(false)
            }

            fn svd_lanes<'a>(
                isa: Isa,
                shape: (usize, usize),
                get: &impl Fn(usize) -> MatRef<'a, Self>,
                values: &mut [Self],
                (u, v): (&mut [Self], &mut [Self]),
            ) -> Option<Wrong> {
                with_capacity!(singular::order(shape, !u.is_empty()), N =>
                    simd::svd::<Self, N>(isa, get, values, u, v)?)
            }

            fn multiply_lanes<'a>(
                isa: Isa,
                rows: usize,
                a: &impl Fn(usize) -> MatRef<'a, Self>,
                b: &impl Fn(usize) -> MatRef<'a, Self>,
                result: &mut [Self],
            ) -> Option<()> {
                match rows {
                    2 => simd::multiply::<Self, 2>(isa, a, b, result),
                    3 => simd::multiply::<Self, 3>(isa, a, b, result),
                    4 => simd::multiply::<Self, 4>(isa, a, b, result),
                    _ => None,
                }
            }

            fn cholesky_lanes<'a>(
                isa: Isa,
                rows: usize,
                get: &impl Fn(usize) -> MatRef<'a, Self>,
                result: &mut [Self],
            ) -> Option<Wrong> {
                with_rows!(rows, N => simd::factor::<Self, N>(isa, get, result)?)
            }
        }
    };
}

tiny!(f32);
tiny!(f64);

/// As many matrices as `V` has lanes, of `N` rows and `M` columns.
type Block<V, const N: usize, const M: usize> = [[V; M]; N];

/// The matrices that `get` has for the lanes.
#[inline(always)]
fn load<'a, V: Vector, const N: usize, const M: usize>(
    get: impl Fn(usize) -> MatRef<'a, V::Item>,
) -> Block<V, N, M> {
    let strides = get(0).strides();
    let cut = |len: usize| {
        V::each(|lane| {
            let matrix = get(lane);
            // Matrices of one stack lie in the same way.
            assert!(matrix.strides() == strides, "strides of a stack");
            &matrix.data()[..len]
        })
    };
    // Constants let the compiler see that all items are there.
    if strides == (M, 1) {
        gather::<V, N, M>(&cut(N * M), (M, 1))
    } else {
        let reach = (N - 1) * strides.0 + (M - 1) * strides.1 + 1;
        gather::<V, N, M>(&cut(reach), strides)
    }
}

#[inline(always)]
fn gather<V: Vector, const N: usize, const M: usize>(
    data: &V::Each<&[V::Item]>,
    (row, column): (usize, usize),
) -> Block<V, N, M> {
    let mut block = [[V::splat(V::Item::default()); M]; N];
    for (i, line) in block.iter_mut().enumerate() {
        for (j, place) in line.iter_mut().enumerate() {
            *place = V::pick(data, i * row + j * column);
        }
    }
    block
}

/// Writes the matrices of the lanes that `keep` names to items in row-major order.
#[inline(always)]
fn store<V: Vector, const N: usize, const M: usize>(
    block: &Block<V, N, M>,
    to: &mut [V::Item],
    keep: impl Fn(usize) -> bool,
) {
    for (i, line) in block.iter().enumerate() {
        for (j, value) in line.iter().enumerate() {
            let value = value.lanes();
            for (lane, items) in to.chunks_exact_mut(N * M).enumerate() {
                if keep(lane) {
                    items[i * M + j] = value[lane];
                }
            }
        }
    }
}

/// What elimination says beside its factors.
struct Eliminated<V: Vector, const N: usize> {
    /// The product of the pivots, with the sign.
    det: V,
    /// One, or minus one after an odd number of exchanges.
    sign: V,
    /// The lanes where a partial product is no normal number.
    doubtful: u16,
    /// The lanes whose pivot of each column is zero.
    zero: [u16; N],
}

/// Makes `a` upper triangular and does the same to the rows of `b`.
#[inline(always)]
fn eliminate<V: Vector, const N: usize, const M: usize>(
    a: &mut Block<V, N, N>,
    b: &mut Block<V, N, M>,
) -> Eliminated<V, N> {
    let nothing = V::splat(V::Item::default());
    let (least, most) = (V::splat(V::Item::MIN_POSITIVE), V::splat(V::Item::INFINITY));
    let mut sign = V::splat(V::Item::ONE);
    let (mut det, mut zero, mut tiny) = (sign, [0; N], 0);
    for column in 0..N {
        for below in column + 1..N {
            let greater = V::greater(a[below][column].abs(), a[column][column].abs());
            for j in column..N {
                let (x, y) = (a[column][j], a[below][j]);
                a[column][j] = V::select(greater, y, x);
                a[below][j] = V::select(greater, x, y);
            }
            for j in 0..M {
                let (x, y) = (b[column][j], b[below][j]);
                b[column][j] = V::select(greater, y, x);
                b[below][j] = V::select(greater, x, y);
            }
            det = V::select(greater, nothing.sub(det), det);
            sign = V::select(greater, nothing.sub(sign), sign);
        }
        let pivot = a[column][column];
        let is_zero = V::equal(pivot, nothing);
        zero[column] = V::bits(is_zero);
        det = det.mul(pivot);
        tiny |= V::bits(V::greater(least, det.abs()));
        for below in column + 1..N {
            let factor = V::select(is_zero, nothing, a[below][column].div(pivot));
            for j in column + 1..N {
                a[below][j] = a[below][j].sub(factor.mul(a[column][j]));
            }
            for j in 0..M {
                b[below][j] = b[below][j].sub(factor.mul(b[column][j]));
            }
        }
    }
    // Infinities and NaN stay.
    let finite = V::bits(V::greater(most, det.abs()));
    Eliminated {
        det,
        sign,
        doubtful: tiny | !finite,
        zero,
    }
}

/// Solves the upper triangular system, `b` becoming the solution.
#[inline(always)]
fn substitute<V: Vector, const N: usize, const M: usize>(
    a: &Block<V, N, N>,
    b: &mut Block<V, N, M>,
) {
    for i in (0..N).rev() {
        for known in (i + 1..N).rev() {
            for j in 0..M {
                b[i][j] = b[i][j].sub(a[i][known].mul(b[known][j]));
            }
        }
        for j in 0..M {
            b[i][j] = b[i][j].div(a[i][i]);
        }
    }
}

/// Identities.
#[inline(always)]
fn identity<V: Vector, const N: usize>() -> Block<V, N, N> {
    let mut block = [[V::splat(V::Item::default()); N]; N];
    for (i, line) in block.iter_mut().enumerate() {
        line[i] = V::splat(V::Item::ONE);
    }
    block
}

/// The lower triangular factors of positive definite matrices, and the lanes where a minor is not positive.
#[inline(always)]
fn factor<V: Vector, const N: usize>(a: &Block<V, N, N>) -> (Block<V, N, N>, u16) {
    let nothing = V::splat(V::Item::default());
    let (mut l, mut wrong) = ([[nothing; N]; N], 0);
    for i in 0..N {
        for j in 0..=i {
            let rest = (0..j).fold(a[i][j], |rest, k| rest.sub(l[i][k].mul(l[j][k])));
            if i == j {
                // What overflowed on the way is no pivot either.
                let positive = V::bits(V::greater(rest, nothing));
                let finite = V::bits(V::greater(V::splat(V::Item::INFINITY), rest));
                wrong |= !(positive & finite);
                l[i][i] = rest.sqrt();
            } else {
                l[i][j] = rest.div(l[j][j]);
            }
        }
    }
    (l, wrong)
}

/// The pivot that is zero in the only lane.
#[inline(always)]
fn zero_pivot<const N: usize>(zero: [u16; N]) -> Result<(), usize> {
    match zero.iter().position(|&lanes| lanes != 0) {
        Some(pivot) => Err(pivot),
        None => Ok(()),
    }
}

#[inline(always)]
fn solve_one<T: Float, const N: usize, const M: usize>(
    a: MatRef<'_, T>,
    b: &mut MatMut<'_, T>,
) -> Result<(), usize> {
    let mut a = load::<One<T>, N, N>(|_| a);
    let mut x = load::<One<T>, N, M>(|_| b.as_ref());
    zero_pivot(eliminate(&mut a, &mut x).zero)?;
    substitute(&a, &mut x);
    write(&x, b);
    Ok(())
}

#[inline(always)]
fn inv_one<T: Float, const N: usize>(
    a: MatRef<'_, T>,
    result: &mut MatMut<'_, T>,
) -> Result<(), usize> {
    let mut a = load::<One<T>, N, N>(|_| a);
    let mut x = identity();
    zero_pivot(eliminate(&mut a, &mut x).zero)?;
    substitute(&a, &mut x);
    write(&x, result);
    Ok(())
}

#[inline(always)]
fn factor_one<T: Float, const N: usize>(a: MatRef<'_, T>, result: &mut MatMut<'_, T>) -> bool {
    let (l, wrong) = factor(&load::<One<T>, N, N>(|_| a));
    let done = wrong & 1 == 0;
    if done {
        write(&l, result);
    }
    done
}

/// Writes the only matrix of a block.
#[inline(always)]
fn write<T: Float, const N: usize, const M: usize>(
    block: &Block<One<T>, N, M>,
    to: &mut MatMut<'_, T>,
) {
    let (row, column) = to.strides();
    let items = &mut to.data_mut()[..=(N - 1) * row + (M - 1) * column];
    for (i, line) in block.iter().enumerate() {
        for (j, value) in line.iter().enumerate() {
            items[i * row + j * column] = value.0;
        }
    }
}

#[inline(always)]
fn det_side_by_side<'a, V: Vector, const N: usize>(
    get: &impl Fn(usize) -> MatRef<'a, V::Item>,
    result: &mut [V::Item],
) {
    let last = result.len() - 1;
    let mut a = load::<V, N, N>(|lane| get(lane.min(last)));
    let found = eliminate::<V, N, 0>(&mut a, &mut [[]; N]);
    result.copy_from_slice(&found.det.lanes()[..=last]);
    for (lane, det) in result.iter_mut().enumerate() {
        if found.doubtful >> lane & 1 == 1 {
            let pivots = (0..N).map(|i| a[i][i].lanes()[lane]);
            *det = determinant(found.sign.lanes()[lane], pivots);
        }
    }
}

#[inline(always)]
fn solve_side_by_side<'a, V: Vector, const N: usize, const M: usize>(
    get: &impl Fn(usize) -> MatRef<'a, V::Item>,
    b: &mut [V::Item],
) -> Wrong {
    let last = b.len() / (N * M) - 1;
    let mut x = load::<V, N, M>(|lane| {
        let start = lane.min(last) * N * M;
        MatRef::new(&b[start..start + N * M], N, M).expect("a matrix")
    });
    let mut a = load::<V, N, N>(|lane| get(lane.min(last)));
    let zero = eliminate(&mut a, &mut x).zero;
    substitute(&a, &mut x);
    let wrong = wrong(zero.into_iter().fold(0, |all, lanes| all | lanes));
    store(&x, b, |lane| !wrong[lane]);
    wrong
}

#[inline(always)]
fn inv_side_by_side<'a, V: Vector, const N: usize>(
    get: &impl Fn(usize) -> MatRef<'a, V::Item>,
    result: &mut [V::Item],
) -> Wrong {
    let last = result.len() / (N * N) - 1;
    let mut x = identity::<V, N>();
    let mut a = load::<V, N, N>(|lane| get(lane.min(last)));
    let zero = eliminate(&mut a, &mut x).zero;
    substitute(&a, &mut x);
    store(&x, result, |_| true);
    wrong(zero.into_iter().fold(0, |all, lanes| all | lanes))
}

#[inline(always)]
fn factor_side_by_side<'a, V: Vector, const N: usize>(
    get: &impl Fn(usize) -> MatRef<'a, V::Item>,
    result: &mut [V::Item],
) -> Wrong {
    let last = result.len() / (N * N) - 1;
    let (l, minors) = factor(&load::<V, N, N>(|lane| get(lane.min(last))));
    store(&l, result, |_| true);
    wrong(minors)
}

/// Bits as flags.
#[inline(always)]
fn wrong(lanes: u16) -> Wrong {
    std::array::from_fn(|lane| lanes >> lane & 1 == 1)
}

/// The products of square matrices in row-major order, each item added up with one rounding a step.
#[inline(always)]
fn multiply<'a, T: Float, const N: usize>(
    a: &impl Fn(usize) -> MatRef<'a, T>,
    b: &impl Fn(usize) -> MatRef<'a, T>,
    result: &mut [T],
) {
    for (at, items) in result.chunks_exact_mut(N * N).enumerate() {
        let (a, b) = (
            load::<One<T>, N, N>(|_| a(at)),
            load::<One<T>, N, N>(|_| b(at)),
        );
        for (line, factors) in items.chunks_exact_mut(N).zip(&a) {
            let mut sums = [T::default(); N];
            for (factor, row) in factors.iter().zip(&b) {
                for (sum, item) in sums.iter_mut().zip(row) {
                    *sum = factor.0.mul_add(item.0, *sum);
                }
            }
            line.copy_from_slice(&sums);
        }
    }
}
