//! Factors that are kept: small residuals on awkward matrices, pivots as `SciPy`'s, errors that say where.

use nexus_linalg::dense::{
    Ldl, Lu, LuRef, Orientation, Symmetry, Triangle, cholesky, cholesky_solve, inv, solve,
};
use nexus_linalg::{Context, ErrorKind, Float, MatMut, MatRef, norm};
use std::num::NonZero;

const SIZES: [usize; 9] = [1, 2, 3, 15, 16, 17, 33, 64, 150];

fn random(rows: usize, columns: usize, seed: usize) -> Vec<f64> {
    (0..rows * columns)
        .map(|i| (((i + 1) * 2_654_435_761 + seed * 40_503) % 65_537) as f64 / 32_768.5 - 1.0)
        .collect()
}

fn make(n: usize, item: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..n * n).map(|at| item(at / n, at % n)).collect()
}

/// Symmetric matrices that are not definite: random, with a zero diagonal, graded, J. H. Wilkinson's, clustered.
fn symmetric(n: usize) -> Vec<Vec<f64>> {
    let items = random(n, n, 3);
    let even = |i: usize, j: usize| items[i.max(j) * n + i.min(j)];
    let middle = (n as f64 - 1.0) / 2.0;
    vec![
        make(n, even),
        make(n, |i, j| if i == j { 0.0 } else { even(i, j) }),
        make(n, |i, j| even(i, j) * 2.0_f64.powi(-((i + j) as i32) / 2)),
        make(n, |i, j| match i.abs_diff(j) {
            0 => (i as f64 - middle).abs() - 1.0,
            1 => 1.0,
            _ => 0.0,
        }),
        make(n, |i, j| f64::from(u8::from(i == j)) + 1e-10 * even(i, j)),
        make(n, |i, j| 1e-310 * even(i, j)),
    ]
}

fn of<T>(items: &[T], m: usize, n: usize) -> MatRef<'_, T> {
    MatRef::new(items, m, n).unwrap()
}

fn product<T: Float>(a: MatRef<'_, T>, b: MatRef<'_, T>) -> Vec<T> {
    let (m, n) = (a.shape().0, b.shape().1);
    let mut c = vec![T::default(); m * n];
    let view = MatMut::new(&mut c, m, n).unwrap();
    Context::default().matmul(a, b, view).unwrap();
    c
}

fn size(items: &[f64]) -> f64 {
    norm::vector(items.iter().copied(), 2.0)
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    norm::vector(a.iter().zip(b).map(|(a, b)| a - b), 2.0)
}

fn unpack(lu: &Lu<f64>) -> (Vec<f64>, Vec<f64>) {
    let (m, n) = lu.shape();
    let k = m.min(n);
    let (mut l, mut u) = (vec![f64::NAN; m * k], vec![f64::NAN; k * n]);
    let views = (MatMut::new(&mut l, m, k), MatMut::new(&mut u, k, n));
    lu.unpack(views.0.unwrap(), views.1.unwrap()).unwrap();
    (l, u)
}

#[test]
fn the_factors_of_any_shape_give_the_matrix_back() {
    let shapes = [
        (0, 0),
        (0, 3),
        (3, 0),
        (1, 5),
        (5, 1),
        (40, 7),
        (7, 40),
        (100, 65),
        (65, 100),
    ];
    let squares = SIZES.map(|n| (n, n));
    for (m, n) in shapes.into_iter().chain(squares) {
        let k = m.min(n);
        let a = random(m, n, 1);
        let lu = Lu::factor(Context::default(), of(&a, m, n));
        let (l, u) = unpack(&lu);
        let rows = lu.permutation().iter();
        let exchanged: Vec<f64> = rows
            .flat_map(|&row| &a[row * n..(row + 1) * n])
            .copied()
            .collect();
        let error = distance(&product(of(&l, m, k), of(&u, k, n)), &exchanged);
        let bound = 10.0 * k as f64 * f64::EPSILON * size(&a);
        assert!(error <= bound, "{m}x{n}: {error} > {bound}");
        assert!(l.iter().all(|item| item.abs() <= 1.0), "{m}x{n}");
    }
}

/// Made by `SciPy` 1.17.1: `lu` and `lu_factor`.
#[test]
fn permutations_and_exchanges_are_those_of_scipy() {
    let context = Context::default();
    let tall = Lu::factor(context, of(&random(4, 3, 1), 4, 3));
    assert_eq!(tall.permutation(), [1, 3, 0, 2]);
    let u = [
        -0.905_305_400_003_051_7,
        0.809_359_598_394_799_9,
        0.524_024_596_792_651_6,
        0.0,
        -1.454_541_686_811_935_4,
        0.454_689_359_011_681_95,
        0.0,
        0.0,
        -0.766_892_225_059_532_6,
    ];
    assert!(distance(&unpack(&tall).1, &u) < 1e-14);
    let square = Lu::factor(context, of(&random(5, 5, 1), 5, 5));
    assert_eq!(square.exchanges(), [2, 3, 3, 3, 4]);
    let wide = Lu::factor(context, of(&random(3, 5, 1), 3, 5));
    assert_eq!(wide.permutation(), [2, 1, 0]);
}

#[test]
fn kept_factors_solve_as_elimination_does_bit_by_bit_and_transposed() {
    for n in SIZES {
        let (a, b) = (random(n, n, 1), random(n, 3, 2));
        let context = Context::default();
        let lu = Lu::factor(context.threads(NonZero::new(2).unwrap()), of(&a, n, n));
        let (mut expected, mut x) = (b.clone(), b.clone());
        solve(
            context,
            of(&a, n, n),
            MatMut::new(&mut expected, n, 3).unwrap(),
        )
        .unwrap();
        lu.solve(
            context,
            Orientation::AsIs,
            MatMut::new(&mut x, n, 3).unwrap(),
        )
        .unwrap();
        assert_eq!(x, expected);
        // Right sides by columns.
        let mut turned: Vec<f64> = (0..3 * n).map(|at| b[at % n * 3 + at / n]).collect();
        let view = MatMut::new(&mut turned, 3, n).unwrap().transpose();
        lu.solve(context, Orientation::Transposed, view).unwrap();
        let x: Vec<f64> = (0..3 * n).map(|at| turned[at % 3 * n + at / 3]).collect();
        let residual = distance(&product(of(&a, n, n).transpose(), of(&x, n, 3)), &b);
        let bound = 10.0 * n as f64 * f64::EPSILON * (size(&a) * size(&x) + size(&b));
        assert!(residual <= bound, "{n}: {residual} > {bound}");
    }
}

#[test]
fn the_reciprocal_condition_is_not_below_the_true_one_and_within_three_of_it() {
    let kahan = |n: usize| {
        let (s, c) = (1.2_f64.sin(), 1.2_f64.cos());
        make(n, move |i, j| match i.cmp(&j) {
            std::cmp::Ordering::Equal => s.powi(i as i32),
            std::cmp::Ordering::Less => -c * s.powi(i as i32),
            std::cmp::Ordering::Greater => 0.0,
        })
    };
    let hilbert = make(8, |i, j| 1.0 / (i + j + 1) as f64);
    let mut matrices = vec![hilbert, kahan(30)];
    matrices.extend(SIZES.map(|n| random(n, n, 6)));
    for a in matrices {
        let n = a.len().isqrt();
        let mut inverse = vec![0.0; n * n];
        let context = Context::default();
        inv(
            context,
            of(&a, n, n),
            MatMut::new(&mut inverse, n, n).unwrap(),
        )
        .unwrap();
        let norm_one = |a: &[f64]| {
            let sum = |j: usize| (0..n).map(|i| a[i * n + j].abs()).sum::<f64>();
            (0..n).map(sum).fold(0.0, f64::max)
        };
        let exact = 1.0 / norm_one(&a) / norm_one(&inverse);
        let found = Lu::factor(context, of(&a, n, n)).rcond(context).unwrap();
        // The inverse itself is as exact as the condition allows.
        let slack = 1.0 + n as f64 * f64::EPSILON / exact;
        assert!(
            found >= exact / slack && found <= 3.0 * exact * slack,
            "{n}: {found} for {exact}"
        );
    }
    let rcond =
        |a: &[f64], n: usize| Lu::factor(Context::default(), of(a, n, n)).rcond(Context::default());
    assert_eq!(rcond(&[], 0).unwrap(), 1.0);
    assert_eq!(rcond(&[1.0, 2.0, 2.0, 4.0], 2).unwrap(), 0.0);
    assert!(rcond(&[f64::NAN, 2.0, 2.0, 4.0], 2).unwrap().is_nan());
    assert_eq!(rcond(&[f64::INFINITY, 0.0, 0.0, 1.0], 2).unwrap(), 0.0);
}

#[test]
fn symmetric_factors_give_the_matrix_back_and_solve() {
    for n in SIZES {
        for (kind, a) in symmetric(n).iter().enumerate() {
            for triangle in [Triangle::Lower, Triangle::Upper] {
                let what = format!("{n}, kind {kind}, {triangle:?}");
                // The triangle that is not read may hold anything.
                let read = make(n, |i, j| match triangle {
                    Triangle::Lower if j > i => f64::NAN,
                    Triangle::Upper if j < i => f64::NAN,
                    _ => a[i * n + j],
                });
                let ldl = Ldl::factor(of(&read, n, n), triangle, Symmetry::Hermitian).unwrap();
                let (mut l, mut d) = (vec![f64::NAN; n * n], vec![f64::NAN; n * n]);
                let views = (MatMut::new(&mut l, n, n), MatMut::new(&mut d, n, n));
                ldl.unpack(views.0.unwrap(), views.1.unwrap()).unwrap();
                let outside = |i: usize, j: usize| match triangle {
                    Triangle::Lower => j > i,
                    Triangle::Upper => j < i,
                };
                for (at, &item) in l.iter().enumerate() {
                    let (i, j) = (at / n, at % n);
                    assert!(!outside(i, j) || item == 0.0, "{what}");
                    assert!(i != j || item == 1.0, "{what}");
                }
                let p = ldl.permutation();
                let exchanged = make(n, |i, j| a[p[i] * n + p[j]]);
                let half = product(of(&l, n, n), of(&d, n, n));
                let back = product(of(&half, n, n), of(&l, n, n).transpose());
                let error = distance(&back, &exchanged);
                let bound = 10.0 * n as f64 * f64::EPSILON * size(a) + 1e-321;
                assert!(error <= bound, "{what}: {error} > {bound}");
                if kind == 5 {
                    continue;
                }
                let b = random(n, 2, 4);
                let mut x = b.clone();
                match ldl.solve(Context::default(), MatMut::new(&mut x, n, 2).unwrap()) {
                    Ok(()) => {
                        let residual = distance(&product(of(a, n, n), of(&x, n, 2)), &b);
                        let bound =
                            10.0 * n as f64 * f64::EPSILON * (size(a) * size(&x) + size(&b));
                        assert!(residual <= bound, "{what}: {residual} > {bound}");
                    }
                    Err(error) => {
                        assert!(matches!(error.kind(), ErrorKind::Singular { .. }), "{what}");
                    }
                }
            }
        }
    }
}

/// Permutation, rows where a block of two begins, diagonal of `d`: by `scipy.linalg.ldl` (`SciPy` 1.17.1).
#[test]
fn symmetric_pivots_are_those_of_scipy() {
    type Case = (
        usize,
        usize,
        Triangle,
        &'static [usize],
        &'static [usize],
        f64,
        f64,
    );
    let cases: &[Case] = &[
        (
            5,
            1,
            Triangle::Lower,
            &[0, 2, 1, 3, 4],
            &[0],
            0.052_667_958_557_761_275,
            0.140_976_895_333_010_44,
        ),
        (
            5,
            1,
            Triangle::Upper,
            &[0, 1, 2, 3, 4],
            &[3],
            -1.357_227_038_412_315_7,
            -0.089_734_043_364_816_83,
        ),
        (
            6,
            2,
            Triangle::Lower,
            &[0, 5, 2, 3, 4, 1],
            &[0, 2],
            -0.079_999_084_486_625_88,
            0.912_327_252_953_220_9,
        ),
        (
            6,
            2,
            Triangle::Upper,
            &[4, 1, 2, 3, 0, 5],
            &[2, 4],
            0.912_350_904_420_564_8,
            -0.079_999_084_486_625_88,
        ),
        (
            7,
            9,
            Triangle::Lower,
            &[0, 1, 2, 3, 4, 5, 6],
            &[0, 3],
            -0.044_370_355_676_945_854,
            -0.672_144_139_528_603_9,
        ),
        (
            7,
            9,
            Triangle::Upper,
            &[0, 1, 2, 5, 4, 3, 6],
            &[5],
            0.643_286_427_977_715_8,
            0.014_289_637_914_460_541,
        ),
    ];
    for &(n, seed, triangle, permutation, twos, second, last) in cases {
        let items = random(n, n, seed);
        let a = make(n, |i, j| {
            items[i.max(j) * n + i.min(j)] * if i == j { 0.1 } else { 1.0 }
        });
        let ldl = Ldl::factor(of(&a, n, n), triangle, Symmetry::Hermitian).unwrap();
        let (mut l, mut d) = (vec![0.0; n * n], vec![0.0; n * n]);
        let views = (MatMut::new(&mut l, n, n), MatMut::new(&mut d, n, n));
        ldl.unpack(views.0.unwrap(), views.1.unwrap()).unwrap();
        assert_eq!(ldl.permutation(), permutation);
        let found: Vec<usize> = (1..n)
            .filter(|&i| d[i * n + i - 1] != 0.0)
            .map(|i| i - 1)
            .collect();
        assert_eq!(found, twos);
        assert!((d[n + 1] - second).abs() < 1e-13 && (d[n * n - 1] - last).abs() < 1e-13);
    }
}

#[test]
fn inertia_counts_the_signs_of_eigenvalues() {
    type Case = (&'static [f64], (usize, usize, usize));
    let cases: &[Case] = &[
        (&[2.0, 0.0, 0.0, 3.0], (2, 0, 0)),
        (&[0.0, 1.0, 1.0, 0.0], (1, 1, 0)),
        (&[1.0, 1.0, 1.0, 1.0], (1, 0, 1)),
        (&[0.0, 0.0, 0.0, -1.0], (0, 1, 1)),
        (&[], (0, 0, 0)),
    ];
    for (a, expected) in cases {
        let n = a.len().isqrt();
        let ldl = Ldl::factor(of(a, n, n), Triangle::Lower, Symmetry::Hermitian).unwrap();
        assert_eq!(ldl.inertia(), *expected, "{a:?}");
    }
}

#[test]
fn cholesky_factors_solve_in_either_triangle() {
    for n in SIZES {
        let root = random(n, n, 11);
        let mut a = product(of(&root, n, n), of(&root, n, n).transpose());
        (0..n).for_each(|i| a[i * n + i] += n as f64);
        let b = random(n, 2, 4);
        let mut factor = vec![0.0; n * n];
        let context = Context::default();
        cholesky(
            context,
            of(&a, n, n),
            MatMut::new(&mut factor, n, n).unwrap(),
        )
        .unwrap();
        let lower = of(&factor, n, n);
        for known in [
            (lower, Triangle::Lower),
            (lower.transpose(), Triangle::Upper),
        ] {
            let mut x = b.clone();
            cholesky_solve(context, known, MatMut::new(&mut x, n, 2).unwrap()).unwrap();
            let residual = distance(&product(of(&a, n, n), of(&x, n, 2)), &b);
            let bound = 10.0 * n as f64 * f64::EPSILON * (size(&a) * size(&x) + size(&b));
            assert!(residual <= bound, "{n}: {residual} > {bound}");
        }
    }
}

#[test]
fn nan_spreads_and_ends() {
    for n in [1, 2, 5, 40] {
        for place in [0, n * n / 2, n * n - 1] {
            let mut a = random(n, n, 1);
            a[place] = f64::NAN;
            let mut x = random(n, 1, 2);
            let context = Context::default();
            let lu = Lu::factor(context, of(&a, n, n));
            lu.solve(
                context,
                Orientation::AsIs,
                MatMut::new(&mut x, n, 1).unwrap(),
            )
            .unwrap();
            assert!(x.iter().any(|item| item.is_nan()));
            let mut x = random(n, 1, 2);
            a.fill(f64::NAN);
            let ldl = Ldl::factor(of(&a, n, n), Triangle::Lower, Symmetry::Hermitian).unwrap();
            ldl.solve(context, MatMut::new(&mut x, n, 1).unwrap())
                .unwrap();
            assert!(x.iter().all(|item| item.is_nan()));
        }
    }
}

#[test]
fn what_does_not_fit_or_is_singular_is_an_error_that_says_so() {
    let context = Context::default();
    let message = |result: Result<(), nexus_linalg::Error>| result.unwrap_err().to_string();
    let singular = [1.0, 2.0, 2.0, 4.0];
    let lu = Lu::factor(context, of(&singular, 2, 2));
    let mut b = [1.0, 2.0];
    let view = MatMut::new(&mut b, 2, 1).unwrap();
    let error = lu
        .solve(context, Orientation::Transposed, view)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Singular { pivot: 1 });
    assert_eq!(b, [1.0, 2.0]);
    let wide = Lu::factor(context, of(&singular, 1, 4));
    let mut one = [1.0];
    assert_eq!(
        message(wide.solve(
            context,
            Orientation::AsIs,
            MatMut::new(&mut one, 1, 1).unwrap()
        )),
        "cannot solve with the factors of a 1x4 matrix: it is not square"
    );
    assert_eq!(
        message(lu.solve(
            context,
            Orientation::AsIs,
            MatMut::new(&mut one, 1, 1).unwrap()
        )),
        "cannot solve 2x2 for 1x1: the rows differ"
    );
    for exchanges in [&[0, 2][..], &[1, 0], &[1], &[0, 1, 2]] {
        let error = LuRef::new(of(&singular, 2, 2), exchanges)
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("one for each row with that or a later one"),
            "{error}"
        );
    }
    let ldl = Ldl::factor(of(&singular, 2, 2), Triangle::Lower, Symmetry::Hermitian).unwrap();
    let error = ldl
        .solve(context, MatMut::new(&mut b, 2, 1).unwrap())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Singular { pivot: 1 });
    assert_eq!(
        Ldl::factor(of(&singular, 1, 4), Triangle::Lower, Symmetry::Hermitian)
            .unwrap_err()
            .to_string(),
        "cannot factor a 1x4 matrix: it is not square"
    );
}
