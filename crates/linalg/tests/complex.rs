//! Complex systems, determinants and Cholesky factors: NumPy's numbers, small residuals, the same bits.

use nexus_linalg::dense::{
    Diagonal, Triangle, cholesky, det, inv, slogdet, solve, solve_triangular,
};
use nexus_linalg::{Complex, Context, ErrorKind, Field, Float, MatMut, MatRef, norm};
use std::num::NonZero;

type C = Complex<f64>;

/// Sizes around those where the recursion begins and turns.
const SIZES: [usize; 9] = [1, 2, 3, 15, 16, 17, 33, 64, 150];

/// The matrix of the fixtures, which NumPy 2.4.6 computed.
const A: [C; 9] = [
    C::new(1.0, 2.0),
    C::new(3.0, -1.0),
    C::new(0.5, 0.0),
    C::new(0.0, -2.0),
    C::new(4.0, 0.0),
    C::new(1.0, 1.0),
    C::new(2.0, 0.0),
    C::new(-1.0, 1.0),
    C::new(0.0, 3.0),
];

fn random<T: Field>(rows: usize, columns: usize, seed: usize) -> Vec<T> {
    let part = |i: usize| {
        let unit = ((i + 1) * 2_654_435_761 + seed * 40_503) % 65_537;
        T::Real::from_f64(unit as f64 / 32_768.5 - 1.0)
    };
    (0..rows * columns)
        .map(|i| T::from_parts(part(2 * i), part(2 * i + 1)))
        .collect()
}

fn product<T: Field>(a: &[T], b: &[T], (m, k, n): (usize, usize, usize)) -> Vec<T> {
    let mut c = vec![T::default(); m * n];
    let (a, b) = (MatRef::new(a, m, k).unwrap(), MatRef::new(b, k, n).unwrap());
    Context::default()
        .matmul(a, b, MatMut::new(&mut c, m, n).unwrap())
        .unwrap();
    c
}

fn adjoint<T: Field>(a: &[T], n: usize) -> Vec<T> {
    (0..n * n).map(|at| a[at % n * n + at / n].conj()).collect()
}

fn size<T: Field>(items: &[T]) -> f64 {
    norm::vector(items.iter().copied(), 2.0).to_f64()
}

fn distance<T: Field>(a: &[T], b: &[T]) -> f64 {
    size(&a.iter().zip(b).map(|(&a, &b)| a - b).collect::<Vec<_>>())
}

fn square<T>(items: &[T]) -> MatRef<'_, T> {
    let n = items.len().isqrt();
    MatRef::new(items, n, n).unwrap()
}

fn identity<T: Field>(n: usize) -> Vec<T> {
    let item = |at: usize| {
        if at / n == at % n {
            T::ONE
        } else {
            T::default()
        }
    };
    (0..n * n).map(item).collect()
}

#[test]
fn results_are_those_of_numpy() {
    let context = Context::default();
    let mut x = [C::new(1.0, 0.0), C::new(2.0, -1.0), C::new(0.0, 3.0)];
    solve(context, square(&A), MatMut::new(&mut x, 3, 1).unwrap()).unwrap();
    let expected = [
        C::new(0.411_463_664_278_403_25, 0.188_843_398_157_625_1),
        C::new(0.302_456_499_488_229_06, -0.280_962_128_966_223_13),
        C::new(0.679_631_525_076_765_9, 0.267_144_319_344_943_3),
    ];
    assert!(distance(&x, &expected) < 1e-14);
    assert!((det(context, square(&A)).unwrap() - C::new(-35.0, 27.0)).abs() < 1e-13);
    let (sign, log) = slogdet(context, square(&A)).unwrap();
    assert!((sign - C::new(-0.791_782_255_563_472, 0.610_803_454_291_821_1)).abs() < 1e-15);
    assert!((log - 3.788_816_916_301_364_3).abs() < 1e-14);
    let h = product(&A, &adjoint(&A, 3), (3, 3, 3));
    assert!((0..3).all(|i| h[4 * i].im == 0.0), "the diagonal is real");
    let mut lower = [C::NAN; 9];
    cholesky(context, square(&h), MatMut::new(&mut lower, 3, 3).unwrap()).unwrap();
    let zero = C::default();
    let expected = [
        C::new(3.905_124_837_953_327, 0.0),
        zero,
        zero,
        C::new(2.176_626_958_859_231_7, 0.640_184_399_664_479_8),
        C::new(4.105_174_663_323_528, 0.0),
        zero,
        C::new(-0.512_147_519_731_583_9, -0.128_036_879_932_895_98),
        C::new(0.047_920_326_809_224_11, 2.667_564_859_046_806),
        C::new(2.757_374_265_577_113_6, 0.0),
    ];
    assert!(distance(&lower, &expected) < 1e-14);
}

fn check_systems<T: Field>() {
    let context = Context::default();
    let epsilon = T::Real::EPSILON.to_f64();
    for n in SIZES {
        let hilbert: Vec<T> = (0..n * n)
            .map(|at| {
                let (i, j) = (at / n, at % n);
                let turn = T::from_parts(T::Real::from_f64(0.6), T::Real::from_f64(0.8));
                turn.scale(T::Real::from_f64(1.0 / (i + j + 1) as f64))
            })
            .collect();
        let graded: Vec<T> = (0..n * n)
            .map(|at| {
                let factor = T::Real::from_f64(2.0_f64.powi(-((at / n) as i32) / 2));
                random::<T>(n, n, 5)[at].scale(factor)
            })
            .collect();
        for (kind, a) in [random(n, n, 1), hilbert, graded].iter().enumerate() {
            let b = random::<T>(n, 3, 2);
            let mut x = b.clone();
            solve(context, square(a), MatMut::new(&mut x, n, 3).unwrap()).unwrap();
            let residual = distance(&product(a, &x, (n, n, 3)), &b);
            let bound = 10.0 * n as f64 * epsilon * (size(a) * size(&x) + size(&b));
            assert!(residual <= bound, "kind {kind}, {n}: {residual} > {bound}");
        }
        let a = random::<T>(n, n, 3);
        let mut inverse = vec![T::NAN; n * n];
        inv(
            context,
            square(&a),
            MatMut::new(&mut inverse, n, n).unwrap(),
        )
        .unwrap();
        let bound = 10.0 * n as f64 * epsilon * size(&a) * size(&inverse);
        let error = distance(&product(&a, &inverse, (n, n, n)), &identity(n));
        assert!(error <= bound, "{n}: {error}");
    }
}

#[test]
fn solutions_and_inverses_have_small_residuals() {
    check_systems::<Complex<f64>>();
    check_systems::<Complex<f32>>();
}

fn check_cholesky<T: Field>() {
    for n in SIZES {
        let root = random::<T>(n, n, 11);
        let mut a = product(&root, &adjoint(&root, n), (n, n, n));
        for i in 0..n {
            a[i * n + i] = a[i * n + i] + T::from_real(T::Real::from_f64(n as f64));
        }
        let whole = a.clone();
        let odd = T::from_parts(T::Real::default(), T::Real::NAN);
        for i in 0..n {
            a[i * n + i + 1..(i + 1) * n].fill(T::NAN);
            // The imaginary part of the diagonal is not read either.
            a[i * n + i] = T::from_real(a[i * n + i].re()) + odd;
        }
        let mut lower = vec![T::NAN; n * n];
        let result = MatMut::new(&mut lower, n, n).unwrap();
        cholesky(Context::default(), square(&a), result).unwrap();
        let back = product(&lower, &adjoint(&lower, n), (n, n, n));
        let bound = 10.0 * n as f64 * T::Real::EPSILON.to_f64() * size(&whole);
        assert!(distance(&back, &whole) <= bound, "{n}");
        for i in 0..n {
            let item = lower[i * n + i];
            assert!(item.re() > T::Real::default() && item.im() == T::Real::default());
            assert!(
                lower[i * n + i + 1..(i + 1) * n]
                    .iter()
                    .all(|&x| x == T::default())
            );
        }
    }
}

#[test]
fn cholesky_gives_a_hermitian_matrix_back_and_reads_the_lower_triangle() {
    check_cholesky::<Complex<f64>>();
    check_cholesky::<Complex<f32>>();
}

#[test]
fn triangular_systems_are_solved_in_any_layout() {
    for n in SIZES {
        for triangle in [Triangle::Lower, Triangle::Upper] {
            let mut a = random::<C>(n, n, 4);
            let mut full = vec![C::default(); n * n];
            for at in 0..n * n {
                let (i, j) = (at / n, at % n);
                if i == j {
                    a[at] = C::new(2.0, n as f64);
                } else {
                    a[at] /= n as f64;
                }
                let wanted = if triangle == Triangle::Lower {
                    j <= i
                } else {
                    j >= i
                };
                full[at] = if wanted { a[at] } else { C::default() };
            }
            let x = random::<C>(n, 2, 9);
            let b = product(&full, &x, (n, n, 2));
            let mut turned: Vec<C> = (0..2 * n).map(|at| b[at % n * 2 + at / n]).collect();
            let result = MatMut::new(&mut turned, 2, n).unwrap().transpose();
            let kind = (triangle, Diagonal::Stored);
            solve_triangular(Context::default(), square(&a), kind, result).unwrap();
            let found: Vec<C> = (0..2 * n).map(|at| turned[at % 2 * n + at / 2]).collect();
            assert!(distance(&found, &x) <= 1e-13 * size(&x), "{n} {triangle:?}");
        }
    }
}

#[test]
fn the_bits_of_solutions_do_not_depend_on_threads_strides_or_other_columns() {
    let n = 200;
    let (a, b) = (random::<C>(n, n, 7), random::<C>(n, 5, 8));
    let turned: Vec<C> = (0..n * n).map(|at| a[at % n * n + at / n]).collect();
    let solved = |threads: usize, a: MatRef<'_, C>, columns: usize| {
        let mut x: Vec<C> = (0..n * columns)
            .map(|at| b[at / columns * 5 + at % columns])
            .collect();
        let context = Context::default().threads(NonZero::new(threads).unwrap());
        solve(context, a, MatMut::new(&mut x, n, columns).unwrap()).unwrap();
        (0..n).map(|i| x[i * columns]).collect::<Vec<_>>()
    };
    let by_columns = MatRef::new(&turned, n, n).unwrap().transpose();
    let expected = solved(1, square(&a), 5);
    assert_eq!(solved(3, square(&a), 5), expected);
    assert_eq!(solved(2, by_columns, 5), expected);
    assert_eq!(solved(1, square(&a), 3), expected);
}

#[test]
fn errors_name_the_pivot_the_minor_and_the_infinity() {
    let context = Context::default();
    let i = C::new(0.0, 1.0);
    let singular = [C::ONE, i, i, -C::ONE];
    let mut b = [C::ONE; 2];
    let error = solve(
        context,
        square(&singular),
        MatMut::new(&mut b, 2, 1).unwrap(),
    )
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Singular { pivot: 1 });
    assert_eq!(det(context, square(&singular)).unwrap(), C::default());
    let (sign, log) = slogdet(context, square(&singular)).unwrap();
    assert_eq!((sign, log), (C::default(), f64::NEG_INFINITY));
    let mut result = [C::default(); 4];
    let indefinite = [C::ONE, C::default(), C::new(0.0, 2.0), C::ONE];
    let view = MatMut::new(&mut result, 2, 2).unwrap();
    let error = cholesky(context, square(&indefinite), view).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPositiveDefinite { minor: 2 });
    let infinite = [C::ONE, C::default(), C::new(0.0, f64::INFINITY), C::ONE];
    let view = MatMut::new(&mut result, 2, 2).unwrap();
    let error = cholesky(context, square(&infinite), view).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Infinite { at: (1, 0) });
}

#[test]
fn quotients_determinants_and_norms_do_not_overflow_on_the_way() {
    let large = C::new(1e300, -1e300);
    assert_eq!(Field::divide(large, large), C::ONE);
    assert!((Field::abs(large) / 1e300 - 2.0_f64.sqrt()).abs() < 1e-15);
    assert_eq!(
        Field::divide(C::new(4.0, 2.0), C::new(0.0, 2.0)),
        C::new(1.0, -2.0)
    );
    let length: f64 = norm::vector([large, large].into_iter(), 2.0);
    assert!((length / 2e300 - 1.0).abs() < 1e-15);
    let sum: f64 = norm::vector([C::new(3.0, 4.0), C::new(0.0, -5.0)].into_iter(), 1.0);
    assert_eq!(sum, 10.0);
    let nan: f64 = norm::vector([C::new(f64::INFINITY, f64::NAN)].into_iter(), 2.0);
    assert!(nan.is_nan());
    let tiny: Vec<C> = identity::<C>(100)
        .iter()
        .map(|item| item * C::new(0.0, 1e-10))
        .collect();
    let (sign, log) = slogdet(Context::default(), square(&tiny)).unwrap();
    assert!((sign - C::ONE).abs() < 1e-14 && (log - 100.0 * 1e-10_f64.ln()).abs() < 1e-9);
}
