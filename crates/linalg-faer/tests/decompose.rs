//! Decompositions: backward errors and orthogonality within ten roundings for each row, and the rules.

use nexus_linalg::decompose::{self, eig, eigh, lstsq, pinv, qr, rank, schur, svd};
use nexus_linalg::norm::{self, MatrixNorm};
use nexus_linalg::{
    Complex, Context, ErrorKind, Field, Float, Gemm, MatMut, MatRef, engine::Engine,
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

/// Numbers between -1 and 1.
fn units() -> impl Iterator<Item = f64> {
    (0..).map(|i: usize| ((i + 1) * 2_654_435_761 % 65_537) as f64 / 32_768.5 - 1.0)
}

/// A number of the type: for real ones without the imaginary part.
fn number<T: Field>(re: f64, im: f64) -> T {
    T::from_parts(T::Real::from_f64(re), T::Real::from_f64(im))
}

fn random<T: Field>(rows: usize, columns: usize, scale: f64) -> Vec<T> {
    let im = units().skip(rows * columns);
    let parts = units().zip(im).take(rows * columns);
    parts
        .map(|(re, im)| number(re * scale, im * scale))
        .collect()
}

/// Awkward matrices of this shape, of ordinary size; complex ones with a phase that differs from item to item.
fn kinds<T: Field>((m, n): (usize, usize)) -> Vec<Vec<T>> {
    let make = |item: &dyn Fn(usize, usize) -> f64| -> Vec<T> {
        (0..m * n)
            .map(|at| {
                let (i, j) = (at / n, at % n);
                let (size, angle) = (
                    item(i, j),
                    if T::IS_COMPLEX {
                        (i * i + 3 * j) as f64
                    } else {
                        0.0
                    },
                );
                number(size * angle.cos(), size * angle.sin())
            })
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

fn product<T: Field>(a: MatRef<'_, T>, b: MatRef<'_, T>) -> Vec<T> {
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

/// The conjugate transpose, by rows.
fn adjoint<T: Field>(a: MatRef<'_, T>) -> Vec<T> {
    let (m, n) = a.shape();
    (0..m * n).map(|at| a.get(at % m, at / m).conj()).collect()
}

fn size<T: Field>(items: &[T]) -> f64 {
    norm::vector(items.iter().copied(), 2.0).to_f64()
}

fn distance<T: Field>(a: &[T], b: &[T]) -> f64 {
    size(&a.iter().zip(b).map(|(&a, &b)| a - b).collect::<Vec<_>>())
}

fn epsilon<T: Field>() -> f64 {
    T::Real::EPSILON.to_f64()
}

fn assert_orthonormal<T: Field>(q: MatRef<'_, T>, what: &str) {
    let (m, k) = q.shape();
    let identity: Vec<T> = (0..k * k)
        .map(|at| number(f64::from(u8::from(at / k == at % k)), 0.0))
        .collect();
    let error = distance(&product(of(&adjoint(q), (k, m)), q), &identity);
    let bound = 10.0 * m.max(1) as f64 * epsilon::<T>() * (k.max(1) as f64).sqrt();
    assert!(error <= bound, "{what}: {error} > {bound}");
}

/// The first of the largest items of each of the columns is real and not negative.
fn assert_signs<T: Field>(v: MatRef<'_, T>, what: &str) {
    let (m, n) = v.shape();
    for j in 0..n {
        let column: Vec<T> = (0..m).map(|i| v.get(i, j)).collect();
        let largest = column
            .iter()
            .map(|item| item.abs().to_f64())
            .fold(0.0, f64::max);
        let near = |item: &&T| item.abs().to_f64() >= largest * (1.0 - 4.0 * epsilon::<T>());
        let is_real = |item: &T| item.im() == T::Real::default() && item.re() >= T::Real::default();
        assert!(
            column.iter().filter(near).any(is_real),
            "{what}, column {j}"
        );
    }
}

fn bound<T: Field>((m, n): (usize, usize), a: &[T]) -> f64 {
    10.0 * m.max(n) as f64 * epsilon::<T>() * size(a)
}

fn check_qr_and_svd<T: Field>()
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
                qr(Context::default(), &Faer, of(a, (m, n)), q_view, r_view).unwrap();
                assert!(
                    distance(&product(of(&q, (m, k)), of(&r, (k, n))), a) <= bound((m, n), a),
                    "qr {what}"
                );
                assert_orthonormal(of(&q, (m, k)), &what);
                assert!(
                    (0..k.min(n)).all(|i| r[i * n + i].re() >= T::Real::default()
                        && r[i * n + i].im() == T::Real::default()),
                    "{what}"
                );
            }
            for (u_width, v_width) in [(m.min(n), m.min(n)), (m, n)] {
                let k = m.min(n);
                let (mut s, mut u, mut v) = (
                    vec![T::Real::NAN; k],
                    vec![T::NAN; m * u_width],
                    vec![T::NAN; n * v_width],
                );
                let vectors = (
                    MatMut::with_strides(&mut u, (m, u_width), (1, m)).unwrap(),
                    MatMut::with_strides(&mut v, (n, v_width), (1, n)).unwrap(),
                );
                svd(
                    Context::default(),
                    &Faer,
                    of(a, (m, n)),
                    &mut s,
                    Some(vectors),
                )
                .unwrap();
                let u = MatRef::with_strides(&u, (m, u_width), (1, m)).unwrap();
                let v = MatRef::with_strides(&v, (n, v_width), (1, n)).unwrap();
                let scaled: Vec<T> = (0..m * k)
                    .map(|at| u.get(at / k, at % k).scale(s[at % k]))
                    .collect();
                let back = adjoint(v.block(0..n, 0..k));
                let back = product(of(&scaled, (m, k)), of(&back, (k, n)));
                assert!(distance(&back, a) <= bound((m, n), a), "svd {what}");
                assert_orthonormal(u, &what);
                assert_orthonormal(v, &what);
                assert_signs(u, &what);
                assert!(
                    s.windows(2).all(|pair| pair[0] >= pair[1])
                        && s.iter().all(|&s| s >= T::Real::default()),
                    "{what}"
                );
                let mut only = vec![T::Real::NAN; k];
                svd(Context::default(), &Faer, of(a, (m, n)), &mut only, None).unwrap();
                assert!(distance(&only, &s) <= bound((m, n), a), "{what}");
            }
        }
    }
}

#[test]
fn q_and_singular_vectors_are_orthonormal_and_give_the_matrix_back() {
    check_qr_and_svd::<f64>();
    check_qr_and_svd::<f32>();
    check_qr_and_svd::<Complex<f64>>();
    check_qr_and_svd::<Complex<f32>>();
}

fn check_eigh<T: Field>()
where
    Faer: decompose::Decompose<T>,
{
    for n in [0, 1, 2, 3, 16, 33, 130] {
        for (kind, mut a) in kinds::<T>((n, n)).into_iter().enumerate() {
            for i in 0..n {
                a[i * n + i] = T::from_real(a[i * n + i].re());
                for j in i + 1..n {
                    a[i * n + j] = a[j * n + i].conj();
                }
            }
            let whole = a.clone();
            for i in 0..n {
                a[i * n + i + 1..(i + 1) * n].fill(T::NAN);
                // Of the diagonal the real part is read.
                a[i * n + i] = number(a[i * n + i].re().to_f64(), 7.0);
            }
            let (mut w, mut v) = (vec![T::Real::NAN; n], vec![T::NAN; n * n]);
            let view = MatMut::with_strides(&mut v, (n, n), (1, n)).unwrap();
            eigh(
                Context::default(),
                &Faer,
                of(&a, (n, n)),
                &mut w,
                Some(view),
            )
            .unwrap();
            let v = MatRef::with_strides(&v, (n, n), (1, n)).unwrap();
            let what = format!("{n}, kind {kind}");
            assert_orthonormal(v, &what);
            assert_signs(v, &what);
            assert!(w.windows(2).all(|pair| pair[0] <= pair[1]));
            let scaled: Vec<T> = (0..n * n)
                .map(|at| v.get(at / n, at % n).scale(w[at % n]))
                .collect();
            let back = product(of(&scaled, (n, n)), of(&adjoint(v), (n, n)));
            let error = distance(&back, &whole);
            assert!(error <= bound((n, n), &whole), "{what}: {error}");
            let mut only = vec![T::Real::NAN; n];
            eigh(Context::default(), &Faer, of(&a, (n, n)), &mut only, None).unwrap();
            assert!(distance(&only, &w) <= bound((n, n), &whole), "{what}");
        }
    }
}

#[test]
fn eigenvectors_of_hermitian_matrices_are_orthonormal_and_the_upper_triangle_is_not_read() {
    check_eigh::<f64>();
    check_eigh::<f32>();
    check_eigh::<Complex<f64>>();
    check_eigh::<Complex<f32>>();
}

fn check_eig<T: Field>()
where
    Faer: decompose::Decompose<T>,
{
    for n in [0, 1, 2, 3, 16, 33, 100] {
        for (kind, a) in kinds::<T>((n, n)).iter().enumerate() {
            let what = format!("{n}, kind {kind}");
            let (mut w, mut v) = (vec![T::Complex::NAN; n], vec![T::Complex::NAN; n * n]);
            let view = MatMut::with_strides(&mut v, (n, n), (1, n)).unwrap();
            eig(Context::default(), &Faer, of(a, (n, n)), &mut w, Some(view))
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            let v = MatRef::with_strides(&v, (n, n), (1, n)).unwrap();
            assert_signs(v, &what);
            let complex: Vec<T::Complex> = a.iter().map(|item| item.to_complex()).collect();
            let av = product(of(&complex, (n, n)), v);
            let bound = bound((n, n), a).max(f64::MIN_POSITIVE);
            for j in 0..n {
                let column: Vec<_> = (0..n).map(|i| v.get(i, j)).collect();
                let length = size(&column);
                assert!(
                    (length - 1.0).abs() <= n.max(10) as f64 * epsilon::<T>(),
                    "{what}, {j}: length {length}"
                );
                let found: Vec<_> = (0..n).map(|i| av[i * n + j]).collect();
                let expected: Vec<_> = column.iter().map(|&item| item * w[j]).collect();
                let error = distance(&found, &expected);
                assert!(error <= bound, "{what}: {error} > {bound}");
            }
            let mut only = vec![T::Complex::NAN; n];
            eig(Context::default(), &Faer, of(a, (n, n)), &mut only, None).unwrap();
            let trace = (0..n).fold(T::default(), |sum, i| sum + a[i * n + i]);
            let sum = |values: &[T::Complex]| {
                values.iter().fold(T::Complex::default(), |sum, &w| sum + w)
            };
            for values in [&w, &only] {
                let error = (sum(values) - trace.to_complex()).abs().to_f64();
                assert!(error <= 10.0 * bound, "{what}: {error}");
            }
        }
    }
}

#[test]
fn eigenvalues_of_any_square_matrix_belong_to_their_vectors() {
    check_eig::<f64>();
    check_eig::<f32>();
    check_eig::<Complex<f64>>();
    check_eig::<Complex<f32>>();
}

fn check_schur<T: Field>() {
    for n in [0, 1, 2, 3, 16, 33, 100] {
        for (kind, a) in kinds::<T>((n, n)).iter().enumerate() {
            let what = format!("{n}, kind {kind}");
            let (mut t, mut z) = (vec![T::Complex::NAN; n * n], vec![T::Complex::NAN; n * n]);
            let views = (
                MatMut::new(&mut t, n, n).unwrap(),
                MatMut::new(&mut z, n, n).unwrap(),
            );
            schur(of(a, (n, n)), views.0, views.1)
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            let below = (0..n * n).filter(|at| at / n > at % n);
            assert!(
                below.into_iter().all(|at| t[at] == T::Complex::default()),
                "{what}"
            );
            let z = of(&z, (n, n));
            assert_orthonormal(z, &what);
            let zt = product(z, of(&t, (n, n)));
            let back = product(of(&zt, (n, n)), of(&adjoint(z), (n, n)));
            let complex: Vec<T::Complex> = a.iter().map(|item| item.to_complex()).collect();
            let error = distance(&back, &complex);
            assert!(error <= bound((n, n), a), "{what}: {error}");
        }
    }
}

#[test]
fn the_schur_form_is_a_triangle_that_gives_the_matrix_back() {
    check_schur::<f64>();
    check_schur::<f32>();
    check_schur::<Complex<f64>>();
    check_schur::<Complex<f32>>();
}

#[test]
fn conjugate_pairs_of_a_real_matrix_stand_side_by_side_the_positive_one_first() {
    let n = 40;
    let a = random::<f64>(n, n, 1.0);
    let (mut w, mut v) = (vec![Complex::NAN; n], vec![Complex::NAN; n * n]);
    let view = MatMut::new(&mut v, n, n).unwrap();
    eig(
        Context::default(),
        &Faer,
        of(&a, (n, n)),
        &mut w,
        Some(view),
    )
    .unwrap();
    let mut j = 0;
    let mut pairs = 0;
    while j < n {
        if w[j].im == 0.0 {
            assert!((0..n).all(|i| v[i * n + j].im == 0.0));
            j += 1;
        } else {
            assert!(w[j].im > 0.0 && w[j + 1] == w[j].conj());
            assert!((0..n).all(|i| v[i * n + j + 1] == v[i * n + j].conj()));
            (j, pairs) = (j + 2, pairs + 1);
        }
    }
    assert!(pairs > 10);
}

#[test]
fn numbers_near_the_ends_of_the_range_keep_their_digits() {
    for scale in [1e-310, 1e-290, 1e290, 1e307] {
        let a = random::<f64>(6, 4, scale);
        let unit = random::<f64>(6, 4, 1.0);
        let (mut found, mut expected) = ([0.0; 4], [0.0; 4]);
        svd(Context::default(), &Faer, of(&a, (6, 4)), &mut found, None).unwrap();
        svd(
            Context::default(),
            &Faer,
            of(&unit, (6, 4)),
            &mut expected,
            None,
        )
        .unwrap();
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
    svd(Context::default(), &Faer, of(&nan, (2, 2)), &mut s, None).unwrap();
    assert!(s.iter().all(|value| value.is_nan()));
    let error = svd(
        Context::default(),
        &Faer,
        of(&infinite, (2, 2)),
        &mut s,
        None,
    )
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Infinite { at: (1, 1) });
    assert_eq!(
        error.to_string(),
        "cannot decompose a 2x2 matrix: an infinity at (1, 1)"
    );
    let views = (
        MatMut::new(&mut q, 2, 2).unwrap(),
        MatMut::new(&mut r, 2, 2).unwrap(),
    );
    qr(
        Context::default(),
        &Faer,
        of(&nan, (2, 2)),
        views.0,
        views.1,
    )
    .unwrap();
    assert!(q.iter().chain(&r).all(|value| value.is_nan()));
    eigh(Context::default(), &Faer, of(&nan, (2, 2)), &mut s, None).unwrap();
    assert!(s.iter().all(|value| value.is_nan()));
    let error = rank(Context::default(), &Faer, of(&nan, (2, 2)), None).unwrap_err();
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
    assert_eq!(
        rank(Context::default(), &Faer, of(&a, (3, 2)), None).unwrap(),
        1
    );
    assert_eq!(
        rank(Context::default(), &Faer, of(&[0.0; 6], (3, 2)), None).unwrap(),
        0
    );
    assert_eq!(
        rank(Context::default(), &Faer, of::<f64>(&[], (3, 0)), None).unwrap(),
        0
    );
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
        &mut [0.0; 2],
    )
    .unwrap();
    assert_eq!(found, 1);
    assert!(distance(&x, &[0.2, 0.4]) < 1e-15);
}

#[test]
fn norms_equal_their_definitions() {
    let a = [1.0, -2.0, 3.0, 4.0];
    let found = |norm| -> f64 { norm::matrix(&Faer, of(&a, (2, 2)), norm).unwrap() };
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

/// The solution by the pseudo-inverse.
fn by_pinv<T: Field>(a: MatRef<'_, T>, b: MatRef<'_, T>) -> Vec<T>
where
    Faer: decompose::Decompose<T>,
{
    let ((m, n), (_, columns)) = (a.shape(), b.shape());
    let (mut p, mut x) = (vec![T::default(); n * m], vec![T::default(); n * columns]);
    let context = Context::default();
    pinv(&Faer, context, a, None, MatMut::new(&mut p, n, m).unwrap()).unwrap();
    let to = MatMut::new(&mut x, n, columns).unwrap();
    context.matmul(of(&p, (n, m)), b, to).unwrap();
    x
}

fn check_least_squares<T: Field<Real = f64>>(to: impl Fn(f64, f64) -> T)
where
    Faer: decompose::Decompose<T>,
{
    for (m, n) in [(1, 1), (4, 4), (30, 30), (40, 7), (7, 40), (12, 12)] {
        for scale in [1.0, 1e-200, 1e200] {
            let (re, im) = (random::<f64>(m, n, scale), random::<f64>(n, m, scale));
            let mut items: Vec<T> = re.iter().zip(&im).map(|(&re, &im)| to(re, im)).collect();
            for i in 0..m.min(n) {
                items[i * n + i] = items[i * n + i] + to(2.0 * scale, 0.0);
            }
            // The last one has two equal rows, so its rank is not full.
            if m == 12 {
                items.copy_within(0..n, n);
            }
            let b: Vec<T> = random::<f64>(m, 3, 1.0)
                .iter()
                .map(|&b| to(b, -b))
                .collect();
            let (a, b) = (of(&items, (m, n)), of(&b, (m, 3)));
            let mut x = vec![T::NAN; n * 3];
            let (mut values, mut wanted) = (vec![0.0; m.min(n)], vec![0.0; m.min(n)]);
            svd(Context::default(), &Faer, a, &mut wanted, None).unwrap();
            let view = MatMut::new(&mut x, n, 3).unwrap();
            let found = lstsq(&Faer, Context::default(), a, b, None, view, &mut values).unwrap();
            assert_eq!(found, if m == 12 { 11 } else { m.min(n) });
            assert_eq!(values, wanted, "{m}x{n}");
            let expected = by_pinv(a, b);
            let condition = wanted[0] / wanted[found - 1];
            let most = |items: &mut dyn Iterator<Item = T>| items.map(T::abs).fold(0.0, f64::max);
            let apart = most(&mut x.iter().zip(&expected).map(|(&x, &y)| x - y));
            let size = most(&mut expected.iter().copied());
            assert!(apart <= 1e-13 * condition * size, "{m}x{n}: {apart}");
        }
    }
}

#[test]
fn least_squares_by_elimination_or_qr_are_those_of_the_pseudo_inverse() {
    check_least_squares(|re, _| re);
    check_least_squares(Complex::new);
    let (mut x, mut values) = ([0.0; 2], [0.0; 2]);
    let a = [1.0, f64::NAN, 0.0, 1.0];
    let (a, b) = (of(&a, (2, 2)), of(&[1.0, 1.0], (2, 1)));
    let to = MatMut::new(&mut x, 2, 1).unwrap();
    lstsq(&Faer, Context::default(), a, b, None, to, &mut values).unwrap();
    assert!(x.iter().chain(&values).all(|item| item.is_nan()));
    let to = MatMut::new(&mut x, 1, 2).unwrap();
    let shapes = lstsq(&Faer, Context::default(), a, b, None, to, &mut values);
    assert_eq!(shapes.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn least_squares_without_rows_columns_or_right_sides_have_results_of_their_shapes() {
    let items: Vec<f64> = random(5, 5, 1.0);
    for (m, n, columns) in [
        (2, 2, 0),
        (5, 3, 0),
        (3, 5, 0),
        (0, 3, 2),
        (3, 0, 2),
        (0, 0, 2),
        (0, 0, 0),
    ] {
        let (mut x, mut values) = (vec![f64::NAN; n * columns], vec![0.0; m.min(n)]);
        let (a, b) = (of(&items, (m, n)), of(&items, (m, columns)));
        let view = MatMut::new(&mut x, n, columns).unwrap();
        let found = lstsq(&Faer, Context::default(), a, b, None, view, &mut values).unwrap();
        assert_eq!(found, m.min(n), "{m}x{n}");
        assert!(x.iter().all(|&x| x == 0.0), "{m}x{n}");
        let mut p = vec![f64::NAN; n * m];
        let view = MatMut::new(&mut p, n, m).unwrap();
        pinv(&Faer, Context::default(), a, None, view).unwrap();
        assert!(p.iter().all(|p| p.is_finite()), "{m}x{n}");
    }
}

#[test]
fn least_squares_have_the_same_bits_for_any_strides_of_one_right_side() {
    for (m, n) in [(30, 30), (40, 7), (7, 40), (90, 80)] {
        let (a, b) = (random::<f64>(m, n, 1.0), random::<f64>(m, 1, 1.0));
        let apart: Vec<f64> = b.iter().flat_map(|&b| [b, f64::NAN, 0.0]).collect();
        let [dense, strided] = [
            of(&b, (m, 1)),
            MatRef::with_strides(&apart, (m, 1), (3, 1)).unwrap(),
        ]
        .map(|b| {
            let (mut x, mut values) = (vec![0.0; n], vec![0.0; m.min(n)]);
            let view = MatMut::new(&mut x, n, 1).unwrap();
            let a = of(&a, (m, n));
            lstsq(&Faer, Context::default(), a, b, None, view, &mut values).unwrap();
            x
        });
        assert_eq!(dense, strided, "{m}x{n}");
    }
}

#[test]
fn vectors_have_the_same_bits_by_rows_and_by_columns() {
    // Zeros stay zeros without a sign, in columns that are turned and in others.
    let n = 40;
    let item = |k: usize| match (k / n, k % n) {
        (i, j) if i == j => -1.0 - i as f64,
        (i, j) if i + 1 == j && i % 3 == 0 => 0.5,
        _ => 0.0,
    };
    let items: Vec<f64> = (0..n * n).map(item).collect();
    let a = MatRef::new(&items, n, n).unwrap();
    let found = |by_rows: bool| {
        let strides = if by_rows { (n, 1) } else { (1, n) };
        let mut parts = [(); 4].map(|()| vec![f64::NAN; n * n]);
        let [q, r, u, v] = parts.each_mut();
        let view = |items| MatMut::with_strides(items, (n, n), strides).unwrap();
        decompose::qr(Context::default(), &Faer, a, view(q), view(r)).unwrap();
        let mut values = vec![0.0; n];
        let vectors = Some((view(u), view(v)));
        decompose::svd(Context::default(), &Faer, a, &mut values, vectors).unwrap();
        let at = |k: usize| if by_rows { k } else { k % n * n + k / n };
        parts.map(|part| {
            (0..n * n)
                .map(|k| part[at(k)].to_bits())
                .collect::<Vec<_>>()
        })
    };
    let (rows, columns) = (found(true), found(false));
    assert!(rows == columns);
}
