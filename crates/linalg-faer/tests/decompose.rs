//! Decompositions: backward errors and orthogonality within ten roundings for each row, and the rules.

use nexus_linalg::decompose::{self, eig, eigh, lstsq, pinv, qr, rank, svd};
use nexus_linalg::norm::{self, MatrixNorm};
use nexus_linalg::{
    Context, ErrorKind, Float, Gemm, MatMut, MatRef, engine::Engine, least_squares,
};
use nexus_linalg_faer::Faer;

const SHAPES: [(usize, usize); 12] = [
    (0, 0),
    (0, 3),
    (3, 0),
    (1, 1),
    (2, 2),
    (3, 3),
    (5, 3),
    (3, 5),
    (17, 17),
    (60, 7),
    (7, 60),
    (150, 140),
];

fn random<T: Float>(rows: usize, columns: usize, scale: f64) -> Vec<T> {
    (0..rows * columns)
        .map(|i| {
            let unit = ((i + 1) * 2_654_435_761 % 65_537) as f64 / 32_768.5 - 1.0;
            T::from_f64(unit * scale)
        })
        .collect()
}

/// Awkward matrices of this shape, of ordinary size.
fn kinds<T: Float>((m, n): (usize, usize)) -> Vec<Vec<T>> {
    let make = |item: &dyn Fn(usize, usize) -> f64| -> Vec<T> {
        (0..m * n)
            .map(|at| T::from_f64(item(at / n, at % n)))
            .collect()
    };
    let (s, c) = (1.2_f64.sin(), 1.2_f64.cos());
    vec![
        random(m, n, 1.0),
        make(&|_, _| 0.0),
        make(&|_, _| 1.0),
        make(&|i, j| 1.0 / (i + j + 1) as f64),
        make(&|i, j| ((i * 7 + j * 3) % 11) as f64 * 2.0_f64.powi(-(i as i32) / 4)),
        make(&|i, j| {
            let above = if i < j { -c } else { 0.0 };
            s.powi(i as i32) * if i == j { 1.0 } else { above }
        }),
        make(&|i, j| {
            if i == j {
                1.0
            } else if j == i + 1 {
                1e-8
            } else {
                0.0
            }
        }),
    ]
}

fn of<T>(items: &[T], shape: (usize, usize)) -> MatRef<'_, T> {
    MatRef::new(items, shape.0, shape.1).unwrap()
}

fn product<T: Float>(a: MatRef<'_, T>, b: MatRef<'_, T>) -> Vec<T> {
    let (m, n) = (a.shape().0, b.shape().1);
    let mut c = vec![T::default(); m * n];
    Engine.gemm(
        T::ONE,
        a,
        b,
        T::default(),
        MatMut::new(&mut c, m, n).unwrap(),
    );
    c
}

fn size<T: Float>(items: &[T]) -> f64 {
    norm::vector(items.iter().map(|item| item.to_f64()), 2.0)
}

fn distance<T: Float>(a: &[T], b: &[T]) -> f64 {
    norm::vector(a.iter().zip(b).map(|(&a, &b)| a.to_f64() - b.to_f64()), 2.0)
}

fn assert_orthonormal<T: Float>(q: MatRef<'_, T>, what: &str) {
    let k = q.shape().1;
    let identity: Vec<T> = (0..k * k)
        .map(|at| T::from_f64(f64::from(u8::from(at / k == at % k))))
        .collect();
    let error = distance(&product(q.transpose(), q), &identity);
    let bound = 10.0 * q.shape().0.max(1) as f64 * T::EPSILON.to_f64() * (k.max(1) as f64).sqrt();
    assert!(error <= bound, "{what}: {error} > {bound}");
}

fn bound<T: Float>((m, n): (usize, usize), a: &[T]) -> f64 {
    10.0 * m.max(n) as f64 * T::EPSILON.to_f64() * size(a)
}

fn check_qr_and_svd<T: Float>()
where
    Faer: decompose::Decompose<T>,
{
    for (m, n) in SHAPES {
        for (kind, a) in kinds::<T>((m, n)).iter().enumerate() {
            let what = format!("{m}x{n}, kind {kind}");
            for k in [m.min(n), m] {
                let (mut q, mut r) = (vec![T::NAN; m * k], vec![T::NAN; k * n]);
                let (q_view, r_view) = (
                    MatMut::new(&mut q, m, k).unwrap(),
                    MatMut::new(&mut r, k, n).unwrap(),
                );
                qr(&Faer, of(a, (m, n)), q_view, r_view).unwrap();
                assert!(
                    distance(&product(of(&q, (m, k)), of(&r, (k, n))), a) <= bound((m, n), a),
                    "qr {what}"
                );
                assert_orthonormal(of(&q, (m, k)), &what);
                assert!(
                    (0..k.min(n)).all(|i| r[i * n + i] >= T::default()),
                    "{what}"
                );
            }
            for (u_width, v_width) in [(m.min(n), m.min(n)), (m, n)] {
                let k = m.min(n);
                let (mut s, mut u, mut v) = (
                    vec![T::NAN; k],
                    vec![T::NAN; m * u_width],
                    vec![T::NAN; n * v_width],
                );
                let vectors = (
                    MatMut::with_strides(&mut u, (m, u_width), (1, m)).unwrap(),
                    MatMut::with_strides(&mut v, (n, v_width), (1, n)).unwrap(),
                );
                svd(&Faer, of(a, (m, n)), &mut s, Some(vectors)).unwrap();
                let u = MatRef::with_strides(&u, (m, u_width), (1, m)).unwrap();
                let v = MatRef::with_strides(&v, (n, v_width), (1, n)).unwrap();
                let scaled: Vec<T> = (0..m * k)
                    .map(|at| u.get(at / k, at % k) * s[at % k])
                    .collect();
                let back = product(of(&scaled, (m, k)), v.block(0..n, 0..k).transpose());
                assert!(distance(&back, a) <= bound((m, n), a), "svd {what}");
                assert_orthonormal(u, &what);
                assert_orthonormal(v, &what);
                assert!(
                    s.windows(2).all(|pair| pair[0] >= pair[1])
                        && s.iter().all(|&s| s >= T::default()),
                    "{what}"
                );
                let mut only = vec![T::NAN; k];
                svd(&Faer, of(a, (m, n)), &mut only, None).unwrap();
                assert!(distance(&only, &s) <= bound((m, n), a), "{what}");
            }
        }
    }
}

#[test]
fn q_and_singular_vectors_are_orthonormal_and_give_the_matrix_back() {
    check_qr_and_svd::<f64>();
    check_qr_and_svd::<f32>();
}

#[test]
fn eigenvectors_of_symmetric_matrices_are_orthonormal_and_the_upper_triangle_is_not_read() {
    for n in [0, 1, 2, 3, 16, 33, 130] {
        for (kind, mut a) in kinds::<f64>((n, n)).into_iter().enumerate() {
            for i in 0..n {
                for j in i + 1..n {
                    a[i * n + j] = a[j * n + i];
                }
            }
            let whole = a.clone();
            for i in 0..n {
                a[i * n + i + 1..(i + 1) * n].fill(f64::NAN);
            }
            let (mut w, mut v) = (vec![f64::NAN; n], vec![f64::NAN; n * n]);
            let view = MatMut::with_strides(&mut v, (n, n), (1, n)).unwrap();
            eigh(&Faer, of(&a, (n, n)), &mut w, Some(view)).unwrap();
            let v = MatRef::with_strides(&v, (n, n), (1, n)).unwrap();
            assert_orthonormal(v, &format!("{n}, kind {kind}"));
            assert!(w.windows(2).all(|pair| pair[0] <= pair[1]));
            let scaled: Vec<f64> = (0..n * n)
                .map(|at| v.get(at / n, at % n) * w[at % n])
                .collect();
            let error = distance(&product(of(&scaled, (n, n)), v.transpose()), &whole);
            assert!(error <= bound((n, n), &whole), "{n}, kind {kind}: {error}");
            let mut only = vec![f64::NAN; n];
            eigh(&Faer, of(&a, (n, n)), &mut only, None).unwrap();
            assert!(
                distance(&only, &w) <= bound((n, n), &whole),
                "{n}, kind {kind}"
            );
        }
    }
}

#[test]
fn eigenvalues_of_any_square_matrix_belong_to_their_vectors() {
    for n in [0, 1, 2, 3, 16, 33, 100] {
        let a = random::<f64>(n, n, 1.0);
        let (mut re, mut im, mut v) = (vec![0.0; n], vec![0.0; n], vec![0.0; n * n]);
        let view = MatMut::with_strides(&mut v, (n, n), (1, n)).unwrap();
        eig(&Faer, of(&a, (n, n)), (&mut re, &mut im), Some(view)).unwrap();
        let v = MatRef::with_strides(&v, (n, n), (1, n)).unwrap();
        let av = product(of(&a, (n, n)), v);
        let mut j = 0;
        while j < n {
            let pair = im[j] != 0.0;
            for i in 0..n {
                let (x, y) = (v.get(i, j), if pair { v.get(i, j + 1) } else { 0.0 });
                let real = av[i * n + j] - (re[j] * x - im[j] * y);
                assert!(real.abs() <= 1e-12 * size(&a), "{n}: {real}");
                if pair {
                    let imaginary = av[i * n + j + 1] - (re[j] * y + im[j] * x);
                    assert!(imaginary.abs() <= 1e-12 * size(&a), "{n}: {imaginary}");
                }
            }
            j += if pair { 2 } else { 1 };
        }
    }
}

#[test]
fn numbers_near_the_ends_of_the_range_keep_their_digits() {
    for scale in [1e-310, 1e-290, 1e290, 1e307] {
        let a = random::<f64>(6, 4, scale);
        let unit = random::<f64>(6, 4, 1.0);
        let (mut found, mut expected) = ([0.0; 4], [0.0; 4]);
        svd(&Faer, of(&a, (6, 4)), &mut found, None).unwrap();
        svd(&Faer, of(&unit, (6, 4)), &mut expected, None).unwrap();
        for (found, expected) in found.iter().zip(expected) {
            // Denormal numbers have fewer bits.
            let tolerance = if scale < 1e-300 { 1e-12 } else { 1e-14 };
            assert!(
                (found / scale - expected).abs() <= tolerance * 10.0,
                "{scale}: {found}"
            );
        }
        let norm = norm::vector(a.iter().copied(), 2.0) / scale;
        assert!((norm / norm::vector(unit.iter().copied(), 2.0) - 1.0).abs() < 1e-13);
    }
}

#[test]
fn nan_spreads_over_the_result_and_an_infinity_is_an_error_with_its_place() {
    let nan = [1.0, 2.0, f64::NAN, 4.0];
    let infinite = [1.0, 2.0, 3.0, f64::NEG_INFINITY];
    let (mut s, mut q, mut r) = ([0.0; 2], [0.0; 4], [0.0; 4]);
    svd(&Faer, of(&nan, (2, 2)), &mut s, None).unwrap();
    assert!(s.iter().all(|value| value.is_nan()));
    let error = svd(&Faer, of(&infinite, (2, 2)), &mut s, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Infinite { at: (1, 1) });
    assert_eq!(
        error.to_string(),
        "cannot decompose a 2x2 matrix: an infinity at (1, 1)"
    );
    let views = (
        MatMut::new(&mut q, 2, 2).unwrap(),
        MatMut::new(&mut r, 2, 2).unwrap(),
    );
    qr(&Faer, of(&nan, (2, 2)), views.0, views.1).unwrap();
    assert!(q.iter().chain(&r).all(|value| value.is_nan()));
    eigh(&Faer, of(&nan, (2, 2)), &mut s, None).unwrap();
    assert!(s.iter().all(|value| value.is_nan()));
    let error = rank(&Faer, of(&nan, (2, 2)), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotANumber { at: (1, 0) });
    let mut inverse = [0.0; 4];
    pinv(
        &Faer,
        Context::default(),
        of(&nan, (2, 2)),
        None,
        MatMut::new(&mut inverse, 2, 2).unwrap(),
    )
    .unwrap();
    assert!(inverse.iter().all(|value| value.is_nan()));
}

#[test]
fn ranks_pseudo_inverses_and_least_squares_agree_with_their_definitions() {
    let a = [1.0, 2.0, 2.0, 4.0, 3.0, 6.0];
    assert_eq!(rank(&Faer, of(&a, (3, 2)), None).unwrap(), 1);
    assert_eq!(rank(&Faer, of(&[0.0; 6], (3, 2)), None).unwrap(), 0);
    assert_eq!(rank(&Faer, of::<f64>(&[], (3, 0)), None).unwrap(), 0);
    let mut p = [0.0; 6];
    pinv(
        &Faer,
        Context::default(),
        of(&a, (3, 2)),
        None,
        MatMut::new(&mut p, 2, 3).unwrap(),
    )
    .unwrap();
    let back = product(
        of(&product(of(&a, (3, 2)), of(&p, (2, 3))), (3, 3)),
        of(&a, (3, 2)),
    );
    assert!(distance(&back, &a) < 1e-14);
    let b = [1.0, 2.0, 3.0];
    let mut x = [0.0; 2];
    let view = MatMut::new(&mut x, 2, 1).unwrap();
    let found = lstsq(
        &Faer,
        Context::default(),
        of(&a, (3, 2)),
        of(&b, (3, 1)),
        None,
        view,
    )
    .unwrap();
    assert_eq!(found, 1);
    assert!(distance(&x, &[0.2, 0.4]) < 1e-15);
}

#[test]
fn norms_equal_their_definitions() {
    let a = [1.0, -2.0, 3.0, 4.0];
    let found = |norm| norm::matrix(&Faer, of(&a, (2, 2)), norm).unwrap();
    assert_eq!(found(MatrixNorm::One), 6.0);
    assert_eq!(found(MatrixNorm::MinusOne), 4.0);
    assert_eq!(found(MatrixNorm::Infinity), 7.0);
    assert_eq!(found(MatrixNorm::MinusInfinity), 3.0);
    assert!((found(MatrixNorm::Frobenius) - 30.0_f64.sqrt()).abs() < 1e-15);
    assert!((found(MatrixNorm::Two) * found(MatrixNorm::MinusTwo) - 10.0).abs() < 1e-14);
    let sum = found(MatrixNorm::Two) + found(MatrixNorm::MinusTwo);
    assert!((found(MatrixNorm::Nuclear) - sum).abs() < 1e-15);
    for (order, expected) in [
        (0.0, 2.0),
        (1.0, 7.0),
        (3.0, 91.0_f64.cbrt()),
        (-1.0, 0.0),
        (f64::INFINITY, 4.0),
        (f64::NEG_INFINITY, 0.0),
    ] {
        let norm: f64 = norm::vector([-3.0, 0.0, 4.0].into_iter(), order);
        assert!((norm - expected).abs() < 1e-14, "{order}: {norm}");
    }
    assert_eq!(
        norm::vector([1e200_f64, 1e200].into_iter(), 2.0),
        1e200 * 2.0_f64.sqrt()
    );
}

#[test]
fn least_squares_by_elimination_or_qr_are_those_by_singular_vectors() {
    for (m, n) in [(1, 1), (4, 4), (30, 30), (40, 7), (7, 40), (12, 12)] {
        for scale in [1.0, 1e-200, 1e200] {
            let mut items = random::<f64>(m, n, scale);
            // The last one has two equal rows, so its rank is not full.
            if m == 12 {
                items.copy_within(0..n, n);
            }
            let (a, b) = (of(&items, (m, n)), random::<f64>(m, 3, 1.0));
            let b = of(&b, (m, 3));
            let (mut x, mut expected) = (vec![f64::NAN; n * 3], vec![0.0; n * 3]);
            let (mut values, mut wanted) = (vec![0.0; m.min(n)], vec![0.0; m.min(n)]);
            decompose::svd(&Faer, a, &mut wanted, None).unwrap();
            let context = Context::default();
            let to = MatMut::new(&mut expected, n, 3).unwrap();
            let rank = decompose::lstsq(&Faer, context, a, b, None, to).unwrap();
            let to = MatMut::new(&mut x, n, 3).unwrap();
            let found = least_squares::solve(&Faer, context, a, b, None, to, &mut values).unwrap();
            assert_eq!((found, &values), (rank, &wanted), "{m}x{n}");
            let condition = wanted[0] / wanted[rank - 1];
            let apart = distance(&x, &expected);
            assert!(
                apart <= 1e-13 * condition * size(&expected),
                "{m}x{n}: {apart}"
            );
        }
    }
    let (mut x, mut values) = ([0.0; 2], [0.0; 2]);
    let a = [1.0, f64::NAN, 0.0, 1.0];
    let (a, b) = (of(&a, (2, 2)), of(&[1.0, 1.0], (2, 1)));
    let to = MatMut::new(&mut x, 2, 1).unwrap();
    least_squares::solve(&Faer, Context::default(), a, b, None, to, &mut values).unwrap();
    assert!(x.iter().chain(&values).all(|item| item.is_nan()));
    let to = MatMut::new(&mut x, 1, 2).unwrap();
    let shapes = least_squares::solve(&Faer, Context::default(), a, b, None, to, &mut values);
    assert_eq!(shapes.unwrap_err().kind(), ErrorKind::InvalidInput);
}
