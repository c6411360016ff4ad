//! Functions of matrices: against high precision on hard matrices, and what they are by definition on larger ones.

mod complex;
mod fixtures;

use fixtures::{CASES, LOG, ROOT};
use nexus_linalg::functions::{RealOrComplex, expm, logm, real_schur, sqrtm, sylvester};
use nexus_linalg::products::{block_diag, chain_order, kron, multi_dot};
use nexus_linalg::{Complex, Context, Error, ErrorKind, Field, MatMut, MatRef, norm};
use std::num::NonZero;

const SIZES: [usize; 8] = [1, 2, 3, 5, 16, 17, 40, 90];

fn random(rows: usize, columns: usize, seed: usize) -> Vec<f64> {
    let mut state = seed as u64 + 1;
    let next = |_| {
        // G. Marsaglia's generator.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    let mut items: Vec<f64> = (0..rows * columns + 20).map(next).collect();
    items.drain(..20);
    items
}

fn make(n: usize, item: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..n * n).map(|at| item(at / n, at % n)).collect()
}

/// Awkward square matrices: random, graded, far from normal, defective, orthogonal, stochastic, with zero rows.
fn kinds(n: usize) -> Vec<Vec<f64>> {
    let items = random(n, n, 1);
    vec![
        items.clone(),
        make(n, |i, j| items[i * n + j] * 2.0_f64.powi(-((i + j) as i32))),
        make(n, |i, j| {
            if j > i {
                10.0
            } else {
                f64::from(u8::from(i == j)) * i as f64 / n as f64
            }
        }),
        make(n, |i, j| f64::from(u8::from(i == j || j == i + 1))),
        make(n, |i, j| f64::from(u8::from((i + 1) % n == j))),
        make(n, |_, _| 1.0 / n as f64),
        make(n, |_, _| 0.0),
        make(n, |i, j| 1.0 / (i + j + 1) as f64),
        make(n, |i, j| {
            if i.abs_diff(j) == 1 {
                if i > j { 1.0 } else { -1.0 }
            } else {
                0.0
            }
        }),
        make(n, |i, j| 1e300 * items[i * n + j]),
        make(n, |i, j| 1e-300 * items[i * n + j]),
    ]
}

fn of<T>(items: &[T], m: usize, n: usize) -> MatRef<'_, T> {
    MatRef::new(items, m, n).unwrap()
}

fn product<T: Field>(a: MatRef<'_, T>, b: MatRef<'_, T>) -> Vec<T> {
    let (m, n) = (a.shape().0, b.shape().1);
    let mut c = vec![T::default(); m * n];
    let view = MatMut::new(&mut c, m, n).unwrap();
    Context::default().matmul(a, b, view).unwrap();
    c
}

fn size<T: Field<Real = f64>>(items: &[T]) -> f64 {
    norm::vector(items.iter().map(|item| item.abs()), 2.0)
}

fn distance<T: Field<Real = f64>>(a: &[T], b: &[T]) -> f64 {
    norm::vector(a.iter().zip(b).map(|(&a, &b)| (a - b).abs()), 2.0)
}

fn exponential(a: &[f64]) -> Result<Vec<f64>, Error> {
    let n = a.len().isqrt();
    let mut result = vec![f64::INFINITY; n * n];
    let view = MatMut::new(&mut result, n, n)?;
    expm(Context::default(), of(a, n, n), view)?;
    Ok(result)
}

fn root(a: &[f64]) -> Result<RealOrComplex<f64>, Error> {
    let n = a.len().isqrt();
    sqrtm(Context::default(), of(a, n, n))
}

fn logarithm(a: &[f64]) -> Result<RealOrComplex<f64>, Error> {
    let n = a.len().isqrt();
    logm(Context::default(), of(a, n, n))
}

fn real(value: RealOrComplex<f64>) -> Vec<f64> {
    match value {
        RealOrComplex::Real(array) => array.into_items(),
        RealOrComplex::Complex(_) => panic!("complex"),
    }
}

fn complex(value: RealOrComplex<f64>) -> Vec<Complex<f64>> {
    match value {
        RealOrComplex::Real(array) => array.items().iter().map(|&item| item.into()).collect(),
        RealOrComplex::Complex(array) => array.into_items(),
    }
}

#[test]
fn hard_matrices_have_the_functions_that_high_precision_gives() {
    for case in CASES {
        let n = case.a.len().isqrt();
        let close = |found: &[f64], exact: &[f64], what: &str| {
            let error = distance(found, exact) / size(exact);
            assert!(error <= 1e-12, "{what} of {}, {n}: {error}", case.name);
        };
        close(&exponential(case.a).unwrap(), case.exponential, "exp");
        if let Some((square_root, log)) = case.roots {
            close(&real(root(case.a).unwrap()), square_root, "sqrt");
            close(&real(logarithm(case.a).unwrap()), log, "log");
        }
    }
}

#[test]
fn exponentials_of_opposite_matrices_are_inverse() {
    for n in SIZES {
        for (kind, a) in kinds(n).iter().enumerate().filter(|(kind, _)| *kind < 9) {
            if kind == 2 && n > 16 {
                continue;
            }
            let minus: Vec<f64> = a.iter().map(|item| -item).collect();
            let (plus, minus) = (exponential(a).unwrap(), exponential(&minus).unwrap());
            let identity = make(n, |i, j| f64::from(u8::from(i == j)));
            let error = distance(&product(of(&plus, n, n), of(&minus, n, n)), &identity);
            let bound = 10.0 * n as f64 * f64::EPSILON * size(&plus) * size(&minus);
            assert!(error <= bound, "{n}, kind {kind}: {error} > {bound}");
        }
    }
}

#[test]
fn exponentials_end_for_norms_of_any_size() {
    assert_eq!(exponential(&[]).unwrap(), []);
    assert_eq!(exponential(&[0.0; 4]).unwrap(), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(exponential(&[1e5]).unwrap(), [f64::INFINITY]);
    assert_eq!(exponential(&[-1e308, 0.0, 0.0, 1.0]).unwrap()[0], 0.0);
    // Far in the left half plane the exponential vanishes.
    let far = exponential(&[-1e300, 1e299, 2e299, -1e300]).unwrap();
    assert!(
        far.iter().all(|&item| item == 0.0 || item.is_nan()),
        "{far:?}"
    );
    for n in [2, 20] {
        for a in [f64::MAX, 1e200, 1e-310] {
            exponential(&make(n, |i, j| if (i + j) % 3 == 0 { a } else { -a })).unwrap();
        }
    }
    // A rotation by a large angle.
    let turn = exponential(&[0.0, -1e4, 1e4, 0.0]).unwrap();
    assert!((turn[0] - 1e4_f64.cos()).abs() < 1e-10 && (turn[2] - 1e4_f64.sin()).abs() < 1e-10);
}

#[test]
fn schur_forms_are_blocks_and_give_the_matrix_back() {
    for n in SIZES.into_iter().chain([0, 150]) {
        for (kind, a) in kinds(n).iter().enumerate() {
            let what = format!("{n}, kind {kind}");
            let (mut t, mut q) = (vec![f64::NAN; n * n], vec![f64::NAN; n * n]);
            let views = (
                MatMut::new(&mut t, n, n).unwrap(),
                MatMut::new(&mut q, n, n).unwrap(),
            );
            real_schur(of(a, n, n), views.0, views.1).unwrap();
            let back = product(
                of(&product(of(&q, n, n), of(&t, n, n)), n, n),
                of(&q, n, n).transpose(),
            );
            let (error, bound) = (distance(&back, a), 10.0 * n as f64 * f64::EPSILON * size(a));
            assert!(error <= bound, "{what}: {error} > {bound}");
            let identity = make(n, |i, j| f64::from(u8::from(i == j)));
            let error = distance(&product(of(&q, n, n).transpose(), of(&q, n, n)), &identity);
            let bound = 10.0 * n as f64 * f64::EPSILON * (n as f64).sqrt();
            assert!(error <= bound, "{what}: q, {error} > {bound}");
            for i in 0..n {
                for j in 0..i {
                    let item = t[i * n + j];
                    if i > j + 1 || item == 0.0 {
                        assert_eq!(item, 0.0, "{what}");
                        continue;
                    }
                    assert_eq!(t[i * n + i], t[j * n + j], "{what}");
                    assert!(
                        t[j * n + i] * item < 0.0 || t[j * n + i] * item == -0.0,
                        "{what}"
                    );
                    assert!(i + 1 == n || t[(i + 1) * n + i] == 0.0, "{what}");
                }
            }
        }
    }
}

#[test]
fn schur_forms_of_exponentials_of_few_items_are_found() {
    // Their eigenvalues are clustered and have few vectors.
    let mut all = Vec::new();
    for n in [7, 9, 12, 15, 60] {
        for seed in 0..if n < 20 { 200 } else { 10 } {
            let places = random(3, n + 1, seed);
            let mut items = vec![0.0; n * n];
            for place in places.chunks_exact(3) {
                let at = |x: f64| (f64::midpoint(x, 1.0) * n as f64) as usize;
                items[at(place[0]) * n + at(place[1])] = place[2].abs();
            }
            all.push((n, exponential(&items).unwrap()));
        }
    }
    let literal = "\
        1 0 0 0 0 0 0  0 1 0 0 0 0 0  0.11462741312222488 0.6721674303980975 1.0112801422041904 0 \
        0.32301044004466695 0.6935166822480294 0  0 0 0 1 0 0 0  0.00400300844870021 \
        0.03510343656270297 0.10512031248856735 0 1.0112801422041904 0.0362875445706569 0  \
        0.3320607561005402 0.022028608085699872 0.04896055028481834 0 0.9357193713796204 \
        1.0112801422041904 0  0.03200463370526246 0.2827488306869934 0.859286005570824 0 \
        0.8090970283444541 0.29229482303909377 1";
    all.push((
        7,
        literal
            .split_whitespace()
            .map(|x| x.parse().unwrap())
            .collect(),
    ));
    for (index, (n, a)) in all.into_iter().enumerate() {
        let (mut t, mut q) = (vec![f64::NAN; n * n], vec![f64::NAN; n * n]);
        let views = (
            MatMut::new(&mut t, n, n).unwrap(),
            MatMut::new(&mut q, n, n).unwrap(),
        );
        real_schur(of(&a, n, n), views.0, views.1)
            .unwrap_or_else(|error| panic!("{index}: {error}"));
        let half = product(of(&q, n, n), of(&t, n, n));
        let back = product(of(&half, n, n), of(&q, n, n).transpose());
        let (error, bound) = (
            distance(&back, &a),
            10.0 * n as f64 * f64::EPSILON * size(&a),
        );
        assert!(error <= bound, "{index}: {error} > {bound}");
    }
}

#[test]
fn square_roots_squared_are_the_matrix() {
    for n in SIZES {
        for (kind, a) in kinds(n).iter().enumerate() {
            let found = match root(a) {
                Ok(found) => complex(found),
                Err(error) => {
                    // Singular matrices may have none.
                    assert!(
                        matches!(error.kind(), ErrorKind::Singular { .. }),
                        "{n}, kind {kind}"
                    );
                    continue;
                }
            };
            let square = product(of(&found, n, n), of(&found, n, n));
            let a: Vec<Complex<f64>> = a.iter().map(|&item| item.into()).collect();
            let error = distance(&square, &a);
            let bound = 10.0 * n as f64 * f64::EPSILON * (size(&found) * size(&found) + size(&a));
            assert!(error <= bound, "{n}, kind {kind}: {error} > {bound}");
        }
    }
}

#[test]
fn exponentials_of_logarithms_are_the_matrix() {
    for n in SIZES {
        // Eigenvalues away from the negative axis.
        let items = random(n, n, 4);
        let away = make(n, |i, j| {
            items[i * n + j] + f64::from(u8::from(i == j)) * 2.0 * (n as f64).sqrt()
        });
        let near = make(n, |i, j| {
            1e-3 * items[i * n + j] + f64::from(u8::from(i == j))
        });
        let defective = make(n, |i, j| f64::from(u8::from(i == j || j == i + 1)));
        for (kind, a) in [away, near, defective].iter().enumerate() {
            let log = real(logarithm(a).unwrap());
            let back = exponential(&log).unwrap();
            let error = distance(&back, a);
            let bound = 100.0 * n as f64 * f64::EPSILON * (1.0 + size(&log)) * size(a);
            assert!(error <= bound, "{n}, kind {kind}: {error} > {bound}");
        }
    }
}

/// By `SciPy` 1.17.1.
#[test]
fn negative_eigenvalues_make_roots_and_logarithms_complex() {
    let a = [1.0, 2.0, 3.0, 4.0];
    let c = Complex::new;
    let cases = [
        (root(&a).unwrap(), ROOT),
        (logarithm(&a).unwrap(), LOG),
        (root(&[-4.0]).unwrap(), [c(0.0, 2.0); 4]),
        (
            logarithm(&[-1.0]).unwrap(),
            [c(0.0, std::f64::consts::PI); 4],
        ),
    ];
    for (found, expected) in cases {
        assert!(matches!(found, RealOrComplex::Complex(_)));
        let found = complex(found);
        assert!(
            distance(&found, &expected[..found.len()]) < 1e-14,
            "{found:?}"
        );
    }
}

#[test]
fn roots_in_single_precision_are_rounded_from_double() {
    let a = [4.0_f32, 1.0, 2.0, 3.0];
    let view = MatRef::new(&a, 2, 2).unwrap();
    let RealOrComplex::Real(found) = sqrtm(Context::default(), view).unwrap() else {
        panic!("complex");
    };
    let exact: Vec<f32> = real(root(&a.map(f64::from)).unwrap())
        .iter()
        .map(|&item| item as f32)
        .collect();
    assert_eq!(found.items(), exact);
}

/// The exponential in single precision, as numbers of double precision.
fn single<T: Field<Real = f32>>(a: &[T], n: usize) -> Vec<Complex<f64>> {
    let mut found = vec![T::NAN; n * n];
    let result = MatMut::new(&mut found, n, n).unwrap();
    expm(Context::default(), of(a, n, n), result).unwrap();
    let wide = |item: &T| Complex::new(f64::from(item.re()), f64::from(item.im()));
    found.iter().map(wide).collect()
}

#[test]
fn exponentials_in_single_precision_are_as_exact_as_its_roundings_let_them_be() {
    for n in SIZES {
        let items = random(n, n, 7);
        let mut matrices: Vec<_> = kinds(n).into_iter().take(9).collect();
        // Triangles with zeros on the diagonal, skew and large, diagonals that lie far apart, and small.
        matrices.push(make(n, |i, j| {
            f64::from(u8::from(j > i)) * items[i * n + j]
        }));
        matrices.push(make(n, |i, j| 2.0 * (items[i * n + j] - items[j * n + i])));
        matrices.push(make(n, |i, j| {
            items[i * n + j] - f64::from(u8::from(i == j)) * i as f64
        }));
        matrices.extend([0.25, 1e-3, 1e-30].map(|size| make(n, |i, j| size * items[i * n + j])));
        for (kind, a) in matrices.iter().enumerate() {
            let a: Vec<f32> = a.iter().map(|&item| item as f32).collect();
            let turn = Complex::new(0.6_f32, 0.8);
            let turned: Vec<Complex<f32>> = a.iter().map(|&item| turn * item).collect();
            let wide = |item: &Complex<f32>| Complex::new(item.re.into(), item.im.into());
            let check = |found: Vec<Complex<f64>>, a: Vec<Complex<f64>>| {
                let mut exact = vec![Complex::default(); n * n];
                let result = MatMut::new(&mut exact, n, n).unwrap();
                expm(Context::default(), of(&a, n, n), result).unwrap();
                let error = distance(&found, &exact) / size(&exact);
                let bound = n as f64 * f64::from(f32::EPSILON) * (1.0 + size(&a));
                assert!(error <= bound, "{n}, kind {kind}: {error} > {bound}");
            };
            let plain = a.iter().map(|&item| f64::from(item).into()).collect();
            check(single(&a, n), plain);
            check(single(&turned, n), turned.iter().map(wide).collect());
        }
    }
}

#[test]
fn exponentials_in_single_precision_end_for_norms_of_any_size() {
    assert!(single(&[100.0_f32], 1)[0].re.is_infinite());
    for n in [2, 20] {
        for a in [f32::MAX, 1e20, 1e5, 1e-40] {
            let items = make(n, |i, j| if (i + j) % 3 == 0 { 1.0 } else { -1.0 });
            single(
                &items
                    .iter()
                    .map(|&item| item as f32 * a)
                    .collect::<Vec<_>>(),
                n,
            );
        }
    }
}

#[test]
fn solutions_of_sylvesters_equation_have_small_residuals() {
    for (m, n) in [(1, 1), (2, 3), (17, 5), (5, 40), (60, 33), (0, 3), (3, 0)] {
        let shift = |n: usize| 1.5 * (n as f64).sqrt();
        let (a, b) = (random(m, m, 1), random(n, n, 2));
        let a = make(m, |i, j| {
            a[i * m + j] + f64::from(u8::from(i == j)) * shift(m)
        });
        let b = make(n, |i, j| {
            b[i * n + j] + f64::from(u8::from(i == j)) * shift(n)
        });
        let c = random(m, n, 3);
        let mut x = vec![f64::NAN; m * n];
        let view = MatMut::new(&mut x, m, n).unwrap();
        sylvester(
            Context::default(),
            (of(&a, m, m), of(&b, n, n)),
            of(&c, m, n),
            view,
        )
        .unwrap();
        let (left, right) = (
            product(of(&a, m, m), of(&x, m, n)),
            product(of(&x, m, n), of(&b, n, n)),
        );
        let sum: Vec<f64> = left.iter().zip(&right).map(|(x, y)| x + y).collect();
        let bound =
            10.0 * (m + n) as f64 * f64::EPSILON * ((size(&a) + size(&b)) * size(&x) + size(&c));
        assert!(
            distance(&sum, &c) <= bound,
            "{m}x{n}: {} > {bound}",
            distance(&sum, &c)
        );
    }
}

#[test]
fn the_number_of_threads_and_strides_do_not_change_a_bit() {
    let n = 70;
    let a = random(n, n, 8);
    let turned: Vec<f64> = (0..n * n).map(|at| a[at % n * n + at / n]).collect();
    let run = |threads: usize, view: MatRef<'_, f64>| {
        let context = Context::default().threads(NonZero::new(threads).unwrap());
        let mut e = vec![0.0; n * n];
        expm(context, view, MatMut::new(&mut e, n, n).unwrap()).unwrap();
        (
            e,
            sqrtm(context, view).unwrap(),
            logm(context, view).unwrap(),
        )
    };
    let expected = run(1, of(&a, n, n));
    assert_eq!(run(3, of(&a, n, n)), expected);
    assert_eq!(run(2, of(&turned, n, n).transpose()), expected);
}

#[test]
fn nan_makes_all_nan_and_what_cannot_be_is_an_error() {
    let nan = [1.0, f64::NAN, 0.0, 1.0];
    assert!(exponential(&nan).unwrap().iter().all(|item| item.is_nan()));
    assert!(real(root(&nan).unwrap()).iter().all(|item| item.is_nan()));
    assert!(
        real(logarithm(&nan).unwrap())
            .iter()
            .all(|item| item.is_nan())
    );
    let infinite = [1.0, 0.0, f64::INFINITY, 1.0];
    let at = ErrorKind::Infinite { at: (1, 0) };
    assert_eq!(exponential(&infinite).unwrap_err().kind(), at);
    assert_eq!(root(&infinite).unwrap_err().kind(), at);
    assert_eq!(logarithm(&infinite).unwrap_err().kind(), at);
    let error = root(&[0.0, 1.0, 0.0, 0.0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Singular { pivot: 0 });
    let error = logarithm(&[1.0, 0.0, 0.0, 0.0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Singular { pivot: 1 });
    assert_eq!(
        error.to_string(),
        "cannot take the logarithm of a 2x2 matrix: eigenvalue 1 is zero"
    );
    let wide = of(&nan, 1, 4);
    let mut result = [0.0; 4];
    let error = expm(
        Context::default(),
        wide,
        MatMut::new(&mut result, 1, 4).unwrap(),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "cannot take the exponential of a 1x4 matrix: it is not square"
    );
    let square = of(&nan, 2, 2);
    let error = expm(
        Context::default(),
        square,
        MatMut::new(&mut result, 1, 4).unwrap(),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "cannot take the exponential of 2x2 into 1x4"
    );
    let pair = (of(&[1.0], 1, 1), of(&[-1.0], 1, 1));
    let result = MatMut::new(&mut result, 1, 1).unwrap();
    let error = sylvester(Context::default(), pair, of(&[1.0], 1, 1), result).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Singular { pivot: 0 });
    let mut result = [0.0; 2];
    let result = MatMut::new(&mut result, 1, 2).unwrap();
    let error = sylvester(Context::default(), pair, of(&[1.0; 2], 1, 2), result).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn kronecker_products_and_blocks_lie_where_they_belong() {
    let (a, b) = ([1.0, 2.0, 3.0, 4.0], [0.0, 5.0, 6.0]);
    let mut result = [f64::NAN; 12];
    kron(
        of(&a, 2, 2),
        of(&b, 1, 3),
        MatMut::new(&mut result, 2, 6).unwrap(),
    )
    .unwrap();
    assert_eq!(
        result,
        [
            0.0, 5.0, 6.0, 0.0, 10.0, 12.0, 0.0, 15.0, 18.0, 0.0, 20.0, 24.0
        ]
    );
    let blocks = [of(&a, 2, 2).transpose(), of(&[], 0, 1), of(&b, 1, 3)];
    let mut result = [f64::NAN; 18];
    block_diag(&blocks, MatMut::new(&mut result, 3, 6).unwrap()).unwrap();
    let expected = [
        1.0, 3.0, 0.0, 0.0, 0.0, 0.0, 2.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 6.0,
    ];
    assert_eq!(result, expected);
    let wrong = MatMut::new(&mut result, 2, 6).unwrap();
    assert_eq!(
        block_diag(&blocks, wrong).unwrap_err().to_string(),
        "cannot lay blocks of 3x6 together along 2x6"
    );
    let wrong = MatMut::new(&mut result, 2, 6).unwrap();
    assert_eq!(
        kron(of(&a, 2, 2), of(&b, 3, 1), wrong)
            .unwrap_err()
            .to_string(),
        "cannot take the Kronecker product of 2x2 by 3x1 into 2x6"
    );
}

#[test]
fn chains_are_multiplied_in_any_number_and_errors_name_the_pair() {
    assert_eq!(chain_order(&[100, 2, 100, 3]).unwrap()[0], [0, 0, 0]);
    assert_eq!(chain_order(&[3, 100, 2, 100]).unwrap()[0][2], 1);
    // The example of the textbook.
    let lens = [30, 35, 15, 5, 10, 20, 25];
    let items: Vec<Vec<f64>> = lens
        .windows(2)
        .enumerate()
        .map(|(seed, pair)| random(pair[0], pair[1], seed))
        .collect();
    let chain: Vec<_> = items
        .iter()
        .zip(lens.windows(2))
        .map(|(items, pair)| of(items, pair[0], pair[1]))
        .collect();
    for count in 1..=chain.len() {
        let (m, n) = (lens[0], lens[count]);
        let mut found = vec![f64::NAN; m * n];
        let view = MatMut::new(&mut found, m, n).unwrap();
        multi_dot(Context::default(), &chain[..count], view).unwrap();
        let mut expected = items[0].clone();
        for (at, &next) in chain[1..count].iter().enumerate() {
            expected = product(of(&expected, m, lens[at + 1]), next);
        }
        assert!(
            distance(&found, &expected) <= 1e-13 * size(&expected).max(1.0),
            "{count}"
        );
    }
    let message = |chain: &[MatRef<'_, f64>], (m, n): (usize, usize)| {
        let mut result = vec![0.0; m * n];
        let view = MatMut::new(&mut result, m, n).unwrap();
        multi_dot(Context::default(), chain, view)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(&[chain[0], chain[2]], (30, 20)),
        "cannot multiply a chain: matrices 0 and 1 are 30x35 and 15x5"
    );
    assert_eq!(
        message(&chain[..2], (30, 20)),
        "cannot multiply a chain of 30x15 into 30x20"
    );
    assert_eq!(
        message(&[], (1, 1)),
        "cannot multiply a chain of no matrices"
    );
    let many = vec![of(&[1.0], 1, 1); 513];
    assert_eq!(
        message(&many, (1, 1)),
        "cannot multiply a chain of 513 matrices: more than 512"
    );
}
