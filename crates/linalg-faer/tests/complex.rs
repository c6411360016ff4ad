//! Decompositions of complex matrices against NumPy 2.4.6, and the rules at their edges.

use nexus_linalg::decompose::{Decompose, eig, eigh, lstsq, pinv, qr, rank, schur, svd};
use nexus_linalg::norm::{self, MatrixNorm};
use nexus_linalg::{Complex, Context, ErrorKind, Field, Float, MatMut, MatRef};
use nexus_linalg_faer::Faer;

type C = Complex<f64>;

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

fn of<T>(items: &[T], (m, n): (usize, usize)) -> MatRef<'_, T> {
    MatRef::new(items, m, n).unwrap()
}

fn two_by_two(items: &mut [C]) -> MatMut<'_, C> {
    MatMut::new(items, 2, 2).unwrap()
}

fn assert_close(found: &[C], expected: &[(f64, f64)]) {
    assert_eq!(found.len(), expected.len());
    for (&found, &(re, im)) in found.iter().zip(expected) {
        assert!((found - C::new(re, im)).abs() < 1e-14, "{found}");
    }
}

#[test]
fn values_are_those_of_numpy() {
    let mut values = [0.0; 3];
    svd(Context::default(), &Faer, of(&A, (3, 3)), &mut values, None).unwrap();
    let expected = [
        5.771_763_305_914_59,
        3.877_585_469_155_063,
        1.975_115_001_688_610_5,
    ];
    assert!(
        values
            .iter()
            .zip(expected)
            .all(|(x, y)| (x - y).abs() < 1e-14)
    );
    let mut h = [C::default(); 9];
    for (at, item) in h.iter_mut().enumerate() {
        *item = (0..3)
            .map(|k| A[at / 3 * 3 + k] * A[at % 3 * 3 + k].conj())
            .sum();
    }
    eigh(Context::default(), &Faer, of(&h, (3, 3)), &mut values, None).unwrap();
    let expected = [
        3.901_079_269_895_400_4,
        15.035_669_070_602_484,
        33.313_251_659_502_1,
    ];
    assert!(
        values
            .iter()
            .zip(expected)
            .all(|(x, y)| (x - y).abs() < 1e-13)
    );
    let mut values = [C::default(); 3];
    eig(Context::default(), &Faer, of(&A, (3, 3)), &mut values, None).unwrap();
    values.sort_by(|x, y| x.re.total_cmp(&y.re));
    assert_close(
        &values,
        &[
            (-0.482_327_432_273_935_04, 3.936_524_123_743_556),
            (1.249_065_526_657_155_3, 2.212_749_264_212_732_7),
            (4.233_261_905_616_776, -1.149_273_387_956_288_4),
        ],
    );
}

#[test]
fn vectors_of_a_real_matrix_have_length_one_and_a_real_positive_lead() {
    let a = [0.0, 1.0, 2.0, -3.0, 1.0, 0.5, 1.0, -2.0, 2.0];
    let (mut w, mut v) = ([C::NAN; 3], [C::NAN; 9]);
    let view = MatMut::new(&mut v, 3, 3).unwrap();
    eig(
        Context::default(),
        &Faer,
        of(&a, (3, 3)),
        &mut w,
        Some(view),
    )
    .unwrap();
    // Of the same matrix by NumPy, each vector times the conjugate phase of its largest item.
    assert_close(
        &w,
        &[
            (-0.150_977_286_072_974_06, 2.230_301_804_502_639),
            (-0.150_977_286_072_974_06, -2.230_301_804_502_639),
            (3.301_954_572_145_948, 0.0),
        ],
    );
    assert_close(
        &v,
        &[
            (0.301_745_777_273_289_6, -0.475_510_073_032_084_37),
            (0.301_745_777_273_289_6, 0.475_510_073_032_084_37),
            (0.406_890_752_528_057_9, 0.0),
            (0.723_096_783_946_689_4, 0.0),
            (0.723_096_783_946_689_4, 0.0),
            (-0.346_710_153_884_781_05, 0.0),
            (0.145_938_715_729_624_22, 0.372_387_685_940_207_9),
            (0.145_938_715_729_624_22, -0.372_387_685_940_207_9),
            (0.845_122_467_279_353_7, 0.0),
        ],
    );
}

#[test]
fn pseudo_inverses_and_least_squares_are_those_of_numpy() {
    let tall = MatRef::with_strides(&A, (3, 2), (3, 1)).unwrap();
    assert_eq!(rank(Context::default(), &Faer, tall, None).unwrap(), 2);
    let mut p = [C::default(); 6];
    let view = MatMut::new(&mut p, 2, 3).unwrap();
    pinv(&Faer, Context::default(), tall, None, view).unwrap();
    let expected = [
        (0.096_045_197_740_113_03, -0.180_790_960_451_977_43),
        (0.011_299_435_028_248_563, 0.124_293_785_310_734_51),
        (0.146_892_655_367_231_7, 0.005_649_717_514_124_291),
        (0.129_943_502_824_858_84, 0.039_548_022_598_870_08),
        (0.129_943_502_824_858_84, 0.005_649_717_514_124_318),
        (-0.031_073_446_327_683_72, -0.019_774_011_299_435_047),
    ];
    assert_close(&p, &expected);
    let b = [C::new(0.0, 1.0), C::default(), C::default()];
    let mut x = [C::default(); 2];
    let view = MatMut::new(&mut x, 2, 1).unwrap();
    let mut values = [0.0; 2];
    let b = of(&b, (3, 1));
    let rank = lstsq(&Faer, Context::default(), tall, b, None, view, &mut values).unwrap();
    assert_eq!(rank, 2);
    let turned = [expected[0], expected[3]].map(|(re, im)| (-im, re));
    assert_close(&x, &turned);
}

#[test]
fn norms_are_those_of_numpy() {
    let found = |norm| -> f64 { norm::matrix(&Faer, of(&A, (3, 3)), norm).unwrap() };
    for (norm, expected) in [
        (MatrixNorm::Frobenius, 7.228_416_147_400_48),
        (MatrixNorm::One, 8.576_491_222_541_476),
        (MatrixNorm::Infinity, 7.414_213_562_373_095),
        (MatrixNorm::Two, 5.771_763_305_914_59),
    ] {
        assert!((found(norm) - expected).abs() < 1e-14, "{norm:?}");
    }
}

#[test]
fn nan_in_either_part_spreads_and_an_infinity_is_an_error() {
    let nan = [C::ONE, C::new(0.0, f64::NAN), C::ONE, C::ONE];
    let (mut w, mut q, mut r) = ([C::ONE; 2], [C::ONE; 4], [C::ONE; 4]);
    eig(Context::default(), &Faer, of(&nan, (2, 2)), &mut w, None).unwrap();
    assert!(w.iter().all(|&item| Field::is_nan(item)));
    qr(
        Context::default(),
        &Faer,
        of(&nan, (2, 2)),
        two_by_two(&mut q),
        two_by_two(&mut r),
    )
    .unwrap();
    assert!(q.iter().chain(&r).all(|&item| Field::is_nan(item)));
    (q, r) = ([C::ONE; 4], [C::ONE; 4]);
    schur(of(&nan, (2, 2)), two_by_two(&mut q), two_by_two(&mut r)).unwrap();
    assert!(q.iter().chain(&r).all(|&item| Field::is_nan(item)));
    let infinite = [C::ONE, C::ONE, C::new(0.0, f64::NEG_INFINITY), C::ONE];
    let error = eig(
        Context::default(),
        &Faer,
        of(&infinite, (2, 2)),
        &mut w,
        None,
    )
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Infinite { at: (1, 0) });
}

#[test]
fn numbers_near_the_ends_of_the_range_keep_their_digits() {
    let mut expected = [0.0; 3];
    svd(
        Context::default(),
        &Faer,
        of(&A, (3, 3)),
        &mut expected,
        None,
    )
    .unwrap();
    for scale in [1e-300, 1e300] {
        let scaled = A.map(|item| item * scale);
        let mut found = [0.0; 3];
        svd(
            Context::default(),
            &Faer,
            of(&scaled, (3, 3)),
            &mut found,
            None,
        )
        .unwrap();
        let mut values = [C::default(); 3];
        eig(
            Context::default(),
            &Faer,
            of(&scaled, (3, 3)),
            &mut values,
            None,
        )
        .unwrap();
        let sum = values.iter().map(|value| value / scale).sum::<C>();
        assert!((sum - C::new(5.0, 5.0)).abs() < 1e-13, "{scale}: {sum}");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / scale - expected).abs() < 1e-13, "{scale}: {found}");
        }
    }
}

/// The largest distance of an eigenvalue of `half (1 + i)`, disturbed by `by` beside the diagonal, from it.
fn astray<R: Float>(n: usize, by: f64) -> f64
where
    Complex<R>: Field<Real = R, Complex = Complex<R>>,
    Faer: Decompose<Complex<R>>,
{
    let part = |value: f64| Complex::new(R::from_f64(value), R::from_f64(value));
    let items: Vec<Complex<R>> = (0..n * n)
        .map(|at| part(if at % (n + 1) == 0 { 0.5 } else { by }))
        .collect();
    let (mut only, mut values) = (vec![Complex::NAN; n], vec![Complex::NAN; n]);
    let mut vectors = vec![Complex::NAN; n * n];
    eig(
        Context::default(),
        &Faer,
        of(&items, (n, n)),
        &mut only,
        None,
    )
    .unwrap();
    let view = MatMut::new(&mut vectors, n, n).unwrap();
    eig(
        Context::default(),
        &Faer,
        of(&items, (n, n)),
        &mut values,
        Some(view),
    )
    .unwrap();
    let far = |value: &Complex<R>| Field::abs(*value - part(0.5)).to_f64();
    only.iter().chain(&values).map(far).fold(0.0, f64::max)
}

#[test]
fn eigenvalues_that_are_equal_but_for_roundings_are_found() {
    for n in [2, 3, 5, 10] {
        for exponent in [-7, -8, -10, -15, -17, -18, -20, -30, -60] {
            let by = 10_f64.powi(exponent);
            let size = 2.0 * n as f64 * by;
            let rounding = 10.0 * n as f64;
            assert!(
                astray::<f64>(n, by) <= size + rounding * f64::EPSILON,
                "{n} {by}"
            );
            assert!(
                astray::<f32>(n, by) <= size + rounding * f64::from(f32::EPSILON),
                "{n} {by}"
            );
        }
    }
}
