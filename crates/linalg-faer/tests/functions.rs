//! What singular values tell: bases, condition numbers, polar factors; figures by NumPy 2.4.6 and `SciPy` 1.17.1.

use nexus_linalg::functions::{Side, cond, null_space, orth, polar};
use nexus_linalg::norm::{self, MatrixNorm};
use nexus_linalg::tensor::Array;
use nexus_linalg::{Context, ErrorKind, MatMut, MatRef};
use nexus_linalg_faer::Faer;

fn random(m: usize, n: usize, seed: usize) -> Vec<f64> {
    (0..m * n)
        .map(|i| ((i as f64 + 1.0) * 0.7 + seed as f64).sin())
        .collect()
}

fn of<T>(items: &[T], m: usize, n: usize) -> MatRef<'_, T> {
    MatRef::new(items, m, n).unwrap()
}

fn matrix(array: &Array<f64>) -> MatRef<'_, f64> {
    of(array.items(), array.shape()[0], array.shape()[1])
}

fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Vec<f64> {
    let (m, n) = (a.shape().0, b.shape().1);
    let mut c = vec![0.0; m * n];
    let view = MatMut::new(&mut c, m, n).unwrap();
    Context::default().matmul(a, b, view).unwrap();
    c
}

fn size(items: &[f64]) -> f64 {
    norm::vector(items.iter().copied(), 2.0)
}

fn assert_orthonormal(q: MatRef<'_, f64>, what: &str) {
    let k = q.shape().1;
    let mut gram = product(q.transpose(), q);
    (0..k).for_each(|i| gram[i * k + i] -= 1.0);
    let bound = 10.0 * q.shape().0.max(1) as f64 * f64::EPSILON * (k as f64).sqrt();
    assert!(size(&gram) <= bound, "{what}: {}", size(&gram));
}

#[test]
fn ranges_and_null_spaces_have_orthonormal_bases_of_the_right_size() {
    // Rows, columns, rank.
    let cases = [
        (3, 3, 3),
        (5, 3, 2),
        (3, 5, 2),
        (40, 7, 4),
        (7, 40, 7),
        (6, 6, 1),
        (4, 2, 0),
        (0, 3, 0),
        (3, 0, 0),
    ];
    for (m, n, rank) in cases {
        let what = format!("{m}x{n}, rank {rank}");
        let a = product(
            of(&random(m, rank, 1), m, rank),
            of(&random(rank, n, 2), rank, n),
        );
        let view = of(&a, m, n);
        let (range, kernel) = (
            orth(&Faer, view, None).unwrap(),
            null_space(&Faer, view, None).unwrap(),
        );
        // The product of a smooth wave with another has rank two at most.
        let rank = rank.min(2);
        assert_eq!(range.shape(), [m, rank], "{what}");
        assert_eq!(kernel.shape(), [n, n - rank], "{what}");
        assert_orthonormal(matrix(&range), &what);
        assert_orthonormal(matrix(&kernel), &what);
        let bound = 10.0 * m.max(n) as f64 * f64::EPSILON * size(&a);
        assert!(size(&product(view, matrix(&kernel))) <= bound, "{what}");
        let q = matrix(&range);
        let inside = product(q, of(&product(q.transpose(), view), rank, n));
        let rest: Vec<f64> = a.iter().zip(&inside).map(|(a, b)| a - b).collect();
        assert!(size(&rest) <= bound, "{what}");
    }
    let (a, tolerance) = ([1.0, 0.0, 0.0, 1e-3], Some(1e-2));
    assert_eq!(
        orth(&Faer, of(&a, 2, 2), tolerance).unwrap().shape(),
        [2, 1]
    );
    assert_eq!(
        null_space(&Faer, of(&a, 2, 2), tolerance).unwrap().shape(),
        [2, 1]
    );
    let nan = [1.0, 2.0, f64::NAN, 4.0];
    let at = ErrorKind::NotANumber { at: (1, 0) };
    assert_eq!(orth(&Faer, of(&nan, 2, 2), None).unwrap_err().kind(), at);
    assert_eq!(
        null_space(&Faer, of(&nan, 2, 2), None).unwrap_err().kind(),
        at
    );
}

#[test]
fn condition_numbers_are_those_of_numpy() {
    use MatrixNorm::{Frobenius, Infinity, MinusInfinity, MinusOne, MinusTwo, Nuclear, One, Two};
    let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0];
    let cases = [
        (Two, 88.448_279_920_698_74),
        (MinusTwo, 0.011_306_042_366_189_41),
        (One, 133.0),
        (MinusOne, 28.000_000_000_000_007),
        (Infinity, 158.333_333_333_333_34),
        (MinusInfinity, 17.999_999_999_999_993),
        (Frobenius, 90.784_237_496_262_42),
        (Nuclear, 116.076_587_772_395_88),
    ];
    let found =
        |a: &[f64], m: usize, n: usize, kind| cond(&Faer, Context::default(), of(a, m, n), kind);
    for (kind, expected) in cases {
        let value = found(&a, 3, 3, kind).unwrap();
        assert!((value / expected - 1.0).abs() < 1e-12, "{kind:?}: {value}");
    }
    let singular = [1.0, 2.0, 2.0, 4.0];
    assert_eq!(found(&singular, 2, 2, One).unwrap(), f64::INFINITY);
    assert!(found(&singular, 2, 2, Two).unwrap() > 1e15);
    assert_eq!(found(&[0.0; 4], 2, 2, Two).unwrap(), f64::INFINITY);
    assert!(
        found(&[f64::NAN, 0.0, 0.0, 1.0], 2, 2, Two)
            .unwrap()
            .is_nan()
    );
    assert!(
        found(&[f64::NAN, 0.0, 0.0, 1.0], 2, 2, One)
            .unwrap()
            .is_nan()
    );
    assert!(found(&a, 1, 9, Two).unwrap() == 1.0);
    assert_eq!(
        found(&a, 1, 9, One).unwrap_err().to_string(),
        "cannot take the condition number of a 1x9 matrix: it is not square"
    );
    assert_eq!(
        found(&[], 0, 3, Two).unwrap_err().to_string(),
        "cannot take the condition number of a 0x3 matrix: it has no items"
    );
}

#[test]
fn polar_factors_are_orthonormal_and_positive_and_multiply_to_the_matrix() {
    for (m, n) in [(1, 1), (3, 3), (5, 3), (3, 5), (40, 33), (0, 2), (2, 0)] {
        for side in [Side::Left, Side::Right] {
            let what = format!("{m}x{n}, {side:?}");
            let a = random(m, n, 3);
            let order = if side == Side::Left { m } else { n };
            let (mut u, mut p) = (vec![f64::NAN; m * n], vec![f64::NAN; order * order]);
            let views = (
                MatMut::new(&mut u, m, n).unwrap(),
                MatMut::new(&mut p, order, order).unwrap(),
            );
            polar(
                &Faer,
                Context::default(),
                of(&a, m, n),
                side,
                views.0,
                views.1,
            )
            .unwrap();
            let (u, p_view) = (of(&u, m, n), of(&p, order, order));
            let back = match side {
                Side::Left => product(p_view, u),
                Side::Right => product(u, p_view),
            };
            let rest: Vec<f64> = a.iter().zip(&back).map(|(a, b)| a - b).collect();
            let bound = 10.0 * m.max(n) as f64 * f64::EPSILON * size(&a);
            assert!(size(&rest) <= bound, "{what}: {}", size(&rest));
            assert_orthonormal(if m >= n { u } else { u.transpose() }, &what);
            for i in 0..order {
                assert!(p[i * order + i] >= 0.0, "{what}");
                assert!(
                    (0..i).all(|j| p[i * order + j] == p[j * order + i]),
                    "{what}"
                );
            }
        }
    }
    // `scipy.linalg.polar`.
    let (mut u, mut p) = ([0.0; 4], [0.0; 4]);
    let views = (
        MatMut::new(&mut u, 2, 2).unwrap(),
        MatMut::new(&mut p, 2, 2).unwrap(),
    );
    let a = [1.0, 2.0, 3.0, 4.0];
    polar(
        &Faer,
        Context::default(),
        of(&a, 2, 2),
        Side::Right,
        views.0,
        views.1,
    )
    .unwrap();
    let expected: [f64; 8] = [
        -0.514_495_755_427_526_1,
        0.857_492_925_712_544_2,
        0.857_492_925_712_544_2,
        0.514_495_755_427_526_3,
        2.057_983_021_710_106_3,
        2.400_980_191_995_124,
        2.400_980_191_995_124,
        3.772_968_873_135_193,
    ];
    let error = u.iter().chain(&p).zip(expected).map(|(a, b)| (a - b).abs());
    assert!(error.fold(0.0, f64::max) < 1e-14, "{u:?} {p:?}");
    let views = (
        MatMut::new(&mut u, 1, 2).unwrap(),
        MatMut::new(&mut p, 2, 2).unwrap(),
    );
    let error = polar(
        &Faer,
        Context::default(),
        of(&a, 2, 2),
        Side::Right,
        views.0,
        views.1,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "cannot find the polar factor of 2x2 into 1x2"
    );
}
