//! Elimination, Cholesky and triangular systems: small residuals on awkward matrices, errors that say where.

use nexus_linalg::dense::{
    Diagonal, Triangle, cholesky, det, inv, slogdet, solve, solve_triangular,
};
use nexus_linalg::{Complex, Context, ErrorKind, Field, Float, MatMut, MatRef, norm, stack};
use std::num::NonZero;

/// Sizes around those where the recursion begins and turns.
const SIZES: [usize; 10] = [1, 2, 3, 4, 15, 16, 17, 33, 64, 150];

fn random(rows: usize, columns: usize, seed: usize) -> Vec<f64> {
    (0..rows * columns)
        .map(|i| {
            let mut bits =
                ((i + 1) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (seed as u64) << 32;
            bits = (bits ^ bits >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            ((bits ^ bits >> 32) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        })
        .collect()
}

fn hilbert(n: usize) -> Vec<f64> {
    (0..n * n)
        .map(|at| 1.0 / (at / n + at % n + 1) as f64)
        .collect()
}

/// Rows of very different size.
fn graded(n: usize) -> Vec<f64> {
    let items = random(n, n, 5);
    (0..n * n)
        .map(|at| items[at] * 2.0_f64.powi(-((at / n) as i32)))
        .collect()
}

/// W. Kahan's upper triangular matrix.
fn kahan(n: usize) -> Vec<f64> {
    let (s, c) = (1.2_f64.sin(), 1.2_f64.cos());
    (0..n * n)
        .map(|at| match (at / n, at % n) {
            (i, j) if i == j => s.powi(i as i32),
            (i, j) if i < j => -c * s.powi(i as i32),
            _ => 0.0,
        })
        .collect()
}

fn product<T: Float>(a: &[T], b: &[T], (m, k, n): (usize, usize, usize)) -> Vec<T> {
    let mut c = vec![T::default(); m * n];
    let (a, b) = (MatRef::new(a, m, k).unwrap(), MatRef::new(b, k, n).unwrap());
    Context::default()
        .matmul(a, b, MatMut::new(&mut c, m, n).unwrap())
        .unwrap();
    c
}

fn size(items: &[f64]) -> f64 {
    norm::vector(items.iter().copied(), 2.0)
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    size(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

#[test]
fn solutions_have_small_residuals_on_awkward_matrices() {
    for n in SIZES {
        let kinds = [random(n, n, 1), hilbert(n.min(12)), graded(n), kahan(n)];
        for (kind, a) in kinds.iter().enumerate() {
            let n = a.len().isqrt();
            let b = random(n, 3, 2);
            let mut x = b.clone();
            let view = MatRef::new(a, n, n).unwrap();
            solve(Context::default(), view, MatMut::new(&mut x, n, 3).unwrap()).unwrap();
            let residual = distance(&product(a, &x, (n, n, 3)), &b);
            let bound = 10.0 * n as f64 * f64::EPSILON * (size(a) * size(&x) + size(&b));
            assert!(residual <= bound, "kind {kind}, {n}: {residual} > {bound}");
        }
    }
}

#[test]
fn an_inverse_times_its_matrix_is_the_identity() {
    for n in SIZES {
        let a = random(n, n, 3);
        let mut inverse = vec![0.0; n * n];
        let view = MatRef::new(&a, n, n).unwrap();
        inv(
            Context::default(),
            view,
            MatMut::new(&mut inverse, n, n).unwrap(),
        )
        .unwrap();
        let identity: Vec<f64> = (0..n * n)
            .map(|at| f64::from(u8::from(at / n == at % n)))
            .collect();
        let bound = 10.0 * n as f64 * f64::EPSILON * size(&a) * size(&inverse);
        assert!(
            distance(&product(&a, &inverse, (n, n, n)), &identity) <= bound,
            "{n}"
        );
    }
}

#[test]
fn the_bits_do_not_depend_on_threads_strides_or_other_columns() {
    let n = 300;
    let (a, b) = (random(n, n, 7), random(n, 5, 8));
    let turned: Vec<f64> = (0..n * n).map(|at| a[at % n * n + at / n]).collect();
    let solved = |threads: usize, a: MatRef<'_, f64>, columns: usize| {
        let mut x: Vec<f64> = (0..n * columns)
            .map(|at| b[at / columns * 5 + at % columns])
            .collect();
        let context = Context::default().threads(NonZero::new(threads).unwrap());
        solve(context, a, MatMut::new(&mut x, n, columns).unwrap()).unwrap();
        (0..n).map(|i| x[i * columns].to_bits()).collect::<Vec<_>>()
    };
    let by_rows = MatRef::new(&a, n, n).unwrap();
    let by_columns = MatRef::new(&turned, n, n).unwrap().transpose();
    let expected = solved(1, by_rows, 5);
    assert_eq!(solved(3, by_rows, 5), expected);
    assert_eq!(solved(2, by_columns, 5), expected);
    assert_eq!(solved(1, by_rows, 3), expected);
}

#[test]
fn determinants_are_products_of_pivots_with_the_sign_of_the_exchanges() {
    let determinant = |items: &[f64]| {
        let n = items.len().isqrt();
        det(Context::default(), MatRef::new(items, n, n).unwrap()).unwrap()
    };
    assert_eq!(determinant(&[]), 1.0);
    assert_eq!(determinant(&[0.0, 1.0, 1.0, 0.0]), -1.0);
    assert_eq!(determinant(&[1.0, 2.0, 2.0, 4.0]), 0.0);
    assert_eq!(
        determinant(&[2.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 4.0]),
        24.0
    );
    assert!(determinant(&[f64::NAN, 1.0, 1.0, 1.0]).is_nan());
    let tiny: Vec<f64> = (0..100 * 100)
        .map(|at| if at / 100 == at % 100 { -1e-10 } else { 0.0 })
        .collect();
    assert_eq!(determinant(&tiny), 0.0);
    let (sign, log) = slogdet(Context::default(), MatRef::new(&tiny, 100, 100).unwrap()).unwrap();
    assert_eq!(sign, 1.0);
    assert!((log - 100.0 * 1e-10_f64.ln()).abs() < 1e-9);
    let singular = MatRef::new(&[1.0, 2.0, 2.0, 4.0], 2, 2).unwrap();
    assert_eq!(
        slogdet(Context::default(), singular).unwrap(),
        (0.0, f64::NEG_INFINITY)
    );
}

#[test]
fn cholesky_gives_the_matrix_back_and_reads_the_lower_triangle() {
    for n in SIZES {
        let root = random(n, n, 11);
        let turned: Vec<f64> = (0..n * n).map(|at| root[at % n * n + at / n]).collect();
        let mut a = product(&root, &turned, (n, n, n));
        for i in 0..n {
            a[i * n + i] += n as f64;
        }
        let symmetric = a.clone();
        for i in 0..n {
            a[i * n + i + 1..(i + 1) * n].fill(f64::NAN);
        }
        let mut lower = vec![f64::NAN; n * n];
        let view = MatRef::new(&a, n, n).unwrap();
        let result = MatMut::new(&mut lower, n, n).unwrap();
        cholesky(Context::default(), view, result).unwrap();
        let turned: Vec<f64> = (0..n * n).map(|at| lower[at % n * n + at / n]).collect();
        let error = distance(&product(&lower, &turned, (n, n, n)), &symmetric);
        assert!(
            error <= 10.0 * n as f64 * f64::EPSILON * size(&symmetric),
            "{n}: {error}"
        );
        assert!((0..n).all(|i| lower[i * n + i] > 0.0
            && lower[i * n + i + 1..(i + 1) * n].iter().all(|&x| x == 0.0)));
    }
}

#[test]
fn errors_say_which_pivot_or_minor_failed_and_leave_the_result_alone() {
    let kind = |result: Result<(), nexus_linalg::Error>| result.unwrap_err().kind();
    let context = Context::default();
    let singular = [1.0, 2.0, 3.0, 2.0, 4.0, 6.0, 1.0, 1.0, 1.0];
    let singular = MatRef::new(&singular, 3, 3).unwrap();
    let mut b = [1.0, 2.0, 3.0];
    let found = kind(solve(context, singular, MatMut::new(&mut b, 3, 1).unwrap()));
    assert_eq!(found, ErrorKind::Singular { pivot: 2 });
    assert_eq!(b, [1.0, 2.0, 3.0]);
    // The failing minor lies beyond the first block.
    let n = 40;
    let mut a: Vec<f64> = (0..n * n)
        .map(|at| f64::from(u8::from(at / n == at % n)))
        .collect();
    a[37 * n + 37] = -1.0;
    let mut result = vec![7.0; n * n];
    let view = MatRef::new(&a, n, n).unwrap();
    let error = cholesky(context, view, MatMut::new(&mut result, n, n).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPositiveDefinite { minor: 38 });
    assert_eq!(
        error.to_string(),
        "cannot factor a 40x40 matrix: it is not positive definite, minor 38 is not positive"
    );
    assert!(result.iter().all(|&item| item == 7.0));
    let infinite = [1.0, 0.0, f64::INFINITY, 1.0];
    let view = MatRef::new(&infinite, 2, 2).unwrap();
    let found = kind(cholesky(
        context,
        view,
        MatMut::new(&mut result, 2, 2).unwrap(),
    ));
    assert_eq!(found, ErrorKind::Infinite { at: (1, 0) });
    let wide = MatRef::new(&infinite, 1, 4).unwrap();
    assert_eq!(
        kind(solve(context, wide, MatMut::new(&mut b, 1, 1).unwrap())),
        ErrorKind::InvalidInput
    );
}

#[test]
fn nan_in_the_triangle_that_is_read_makes_the_whole_factor_nan() {
    let a = [1.0, 0.0, f64::NAN, 1.0];
    let mut result = [0.0; 4];
    let view = MatRef::new(&a, 2, 2).unwrap();
    cholesky(
        Context::default(),
        view,
        MatMut::new(&mut result, 2, 2).unwrap(),
    )
    .unwrap();
    assert!([0, 2, 3].iter().all(|&at: &usize| result[at].is_nan()) && result[1] == 0.0);
}

#[test]
fn triangular_systems_are_solved_in_any_layout() {
    for n in SIZES {
        for (triangle, diagonal) in [
            (Triangle::Lower, Diagonal::Stored),
            (Triangle::Upper, Diagonal::Stored),
            (Triangle::Lower, Diagonal::Ones),
        ] {
            let mut a = random(n, n, 4);
            let mut full = vec![0.0; n * n];
            for i in 0..n {
                a[i * n + i] = 2.0 + n as f64;
                for j in 0..n {
                    let wanted = (triangle == Triangle::Lower && j < i)
                        || (triangle == Triangle::Upper && j > i);
                    if wanted {
                        a[i * n + j] /= n as f64;
                        full[i * n + j] = a[i * n + j];
                    }
                }
                full[i * n + i] = if diagonal == Diagonal::Ones {
                    1.0
                } else {
                    a[i * n + i]
                };
            }
            let x = random(n, 2, 9);
            let b = product(&full, &x, (n, n, 2));
            let mut turned: Vec<f64> = (0..2 * n).map(|at| b[at % n * 2 + at / n]).collect();
            let result = MatMut::new(&mut turned, 2, n).unwrap().transpose();
            let view = MatRef::new(&a, n, n).unwrap();
            solve_triangular(Context::default(), view, (triangle, diagonal), result).unwrap();
            let found: Vec<f64> = (0..2 * n).map(|at| turned[at % 2 * n + at / 2]).collect();
            assert!(
                distance(&found, &x) <= 1e-12 * size(&x),
                "{n} {triangle:?} {diagonal:?}"
            );
        }
    }
}

#[test]
fn a_determinant_in_range_survives_partial_products_out_of_range() {
    let context = Context::default();
    let two = |exponent: i32| 2.0_f64.powi(exponent);
    // Exponents of a diagonal, with the exponent of the determinant.
    let cases: [(&[i32], i32); 8] = [
        (&[660, 660, -996], 324),
        (&[-660, -660, 996], -324),
        (&[-660, -400, 1000], -60),
        (&[660, 660, -996, -330], -6),
        (&[660, 660, -996, -330, 20], 14),
        (&[-1000, -1000, -60, 1020, 1020], -20),
        (&[-500, -500, -60], -1060),
        (&[1000, 20, 3], 1023),
    ];
    for (exponents, expected) in cases {
        let n = exponents.len();
        let mut a = vec![0.0; n * n];
        for (i, &exponent) in exponents.iter().enumerate() {
            a[i * n + i] = two(exponent);
        }
        let expected = if expected < -1022 {
            two(expected + 100) * two(-100)
        } else {
            two(expected)
        };
        let view = MatRef::new(&a, n, n).unwrap();
        assert_eq!(det(context, view).unwrap(), expected, "{exponents:?}");
        let stacked = [&a[..]; 11].concat();
        let stacked = stack::Dense::new(&stacked, n, n).unwrap();
        let mut dets = [f64::NAN; 11];
        stack::det(context, &stacked, &mut dets).unwrap();
        assert_eq!(dets, [expected; 11], "{exponents:?}");
        // Rows in turn: the sign of a cycle.
        let turned = [&a[n..], &a[..n]].concat();
        let sign = if n % 2 == 0 { -1.0 } else { 1.0 };
        let view = MatRef::new(&turned, n, n).unwrap();
        assert_eq!(
            det(context, view).unwrap(),
            sign * expected,
            "{exponents:?}"
        );
        let complex: Vec<_> = a.iter().map(|&x| Complex::new(0.0, x)).collect();
        let view = MatRef::new(&complex, n, n).unwrap();
        let unit = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][n % 4];
        let expected = Complex::new(unit.0 * expected, unit.1 * expected);
        assert_eq!(det(context, view).unwrap(), expected, "{exponents:?}");
    }
}

#[test]
fn a_determinant_out_of_range_is_infinite_or_zero_and_never_nan() {
    let context = Context::default();
    for n in [2, 3, 4, 5, 20] {
        let diagonal = |size: f64| -> Vec<f64> {
            let item = |at: usize| if at / n == at % n { size } else { 0.0 };
            (0..n * n).map(item).collect()
        };
        let found = |a: &[f64]| det(context, MatRef::new(a, n, n).unwrap()).unwrap();
        assert_eq!(found(&diagonal(1e300)), f64::INFINITY);
        assert_eq!(found(&diagonal(1e-300)), 0.0);
        assert_eq!(found(&diagonal(0.0)), 0.0);
        assert!(found(&diagonal(f64::NAN)).is_nan());
        let complex: Vec<_> = diagonal(1e300)
            .iter()
            .map(|&x| Complex::new(x, 0.25 * x))
            .collect();
        let found = det(context, MatRef::new(&complex, n, n).unwrap()).unwrap();
        assert!(
            found.re.is_infinite() && found.im.is_infinite(),
            "{n} {found}"
        );
    }
}

#[test]
fn a_determinant_in_range_has_the_bits_of_the_plain_product_of_its_pivots() {
    for n in [5, 16, 33, 150] {
        let mut a = random(n, n, 9);
        for (i, row) in a.chunks_exact_mut(n).enumerate() {
            row[..i].fill(0.0);
        }
        let plain = (0..n).fold(1.0, |product, i| product * a[i * n + i]);
        let view = MatRef::new(&a, n, n).unwrap();
        assert_eq!(det(Context::default(), view).unwrap(), plain);
    }
}

fn check_strides<T: Field>(number: impl Fn(f64) -> T) {
    for n in [1, 4, 31, 40, 64, 65, 68, 150] {
        let mut items: Vec<T> = random(n, n, 2).into_iter().map(&number).collect();
        for pivot in items.iter_mut().step_by(n + 1) {
            *pivot = *pivot + number(8.0);
        }
        let turned: Vec<T> = (0..n * n).map(|at| items[at % n * n + at / n]).collect();
        let gaps: Vec<T> = items.iter().flat_map(|&x| [x, T::NAN]).collect();
        let b: Vec<T> = random(n, 1, 3).into_iter().map(&number).collect();
        let views = [
            MatRef::new(&items, n, n).unwrap(),
            MatRef::new(&turned, n, n).unwrap().transpose(),
            MatRef::with_strides(&gaps, (n, n), (2 * n, 2)).unwrap(),
        ];
        for kind in [
            (Triangle::Lower, Diagonal::Stored),
            (Triangle::Upper, Diagonal::Ones),
        ] {
            let [by_rows, others @ ..] = views.map(|a| {
                let (mut x, context) = (b.clone(), Context::default());
                solve_triangular(context, a, kind, MatMut::new(&mut x, n, 1).unwrap()).unwrap();
                x
            });
            assert!(others.iter().all(|x| *x == by_rows), "{n} {kind:?}");
        }
    }
}

#[test]
fn one_right_side_of_a_triangle_has_the_same_bits_for_any_strides() {
    check_strides(|x| x);
    check_strides(|x| x as f32);
    check_strides(|x| Complex::new(x, 0.5 - x));
}

#[test]
fn one_right_side_of_a_triangle_has_the_bits_that_it_has_among_others() {
    for n in [5, 64, 65, 68, 150] {
        let mut a = random(n, n, 2);
        a.iter_mut().step_by(n + 1).for_each(|pivot| *pivot += 8.0);
        let a = MatRef::new(&a, n, n).unwrap();
        let kind = (Triangle::Lower, Diagonal::Stored);
        let solved = |columns: usize| {
            let first = random(n, 1, 3);
            let mut b = random(n, columns, 4);
            (0..n).for_each(|i| b[i * columns] = first[i]);
            let view = MatMut::new(&mut b, n, columns).unwrap();
            solve_triangular(Context::default(), a, kind, view).unwrap();
            b.into_iter().step_by(columns).collect::<Vec<_>>()
        };
        for columns in [2, 5, 8, 13] {
            assert_eq!(solved(columns), solved(1), "{n} {columns}");
        }
    }
}
