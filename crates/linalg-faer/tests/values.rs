//! Values without vectors, against those that come with vectors, closed forms and numbers by mpmath.

use nexus_linalg::condensed;
use nexus_linalg::{Context, Float, MatMut, MatRef, decompose};
use nexus_linalg_faer::Faer;

/// Numbers between -1 and 1 that look random.
fn random(len: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Square matrices by rows: random, graded both ways, clustered, of low rank, Hilbert, Kahan, zeros, denormal.
fn kinds(n: usize) -> Vec<(&'static str, Vec<f64>)> {
    let at = |f: &dyn Fn(usize, usize) -> f64| (0..n * n).map(|k| f(k / n, k % n)).collect();
    let noise = random(n * n, n as u64);
    let power = |i: usize| 0.5_f64.powi((60 * i / n) as i32);
    vec![
        ("random", noise.clone()),
        ("graded", at(&|i, j| noise[i * n + j] * power(i) * power(j))),
        (
            "graded upwards",
            at(&|i, j| noise[i * n + j] * power(n - 1 - i) * power(n - 1 - j)),
        ),
        (
            "clustered",
            at(&|i, j| f64::from(u8::from(i == j)) + 1e-14 * noise[i * n + j]),
        ),
        ("of rank one", at(&|i, j| noise[i] * noise[j])),
        ("Hilbert", at(&|i, j| 1.0 / (i + j + 1) as f64)),
        (
            "Kahan",
            at(&|i, j| match i.cmp(&j) {
                std::cmp::Ordering::Less => -0.6 * 0.8_f64.powi(i as i32),
                std::cmp::Ordering::Equal => 0.8_f64.powi(i as i32),
                std::cmp::Ordering::Greater => 0.0,
            }),
        ),
        ("zeros", vec![0.0; n * n]),
        ("ones", vec![1.0; n * n]),
        (
            "diagonal",
            at(&|i, j| if i == j { (i % 3) as f64 - 1.0 } else { 0.0 }),
        ),
        ("denormal", noise.iter().map(|x| x * 1e-310).collect()),
        ("huge", noise.iter().map(|x| x * 1e300).collect()),
    ]
}

fn assert_near<T: Float>(found: &[T], expected: &[T], n: usize, what: &str) {
    let size = expected
        .iter()
        .map(|x| x.to_f64().abs())
        .fold(f64::MIN_POSITIVE, f64::max);
    let bound = 10.0 * n as f64 * T::EPSILON.to_f64() * size;
    for (found, expected) in found.iter().zip(expected) {
        let apart = (found.to_f64() - expected.to_f64()).abs();
        assert!(apart <= bound, "{what}: {found} for {expected}");
    }
}

fn check<T: Float>(to: impl Fn(f64) -> T)
where
    Faer: decompose::Decompose<T>,
{
    for n in [1, 2, 3, 5, 16, 40, 97] {
        for (kind, items) in kinds(n) {
            let items: Vec<T> = items.iter().map(|&x| to(x)).collect();
            if items.iter().any(|x| !x.is_finite()) {
                continue;
            }
            let what = format!("{kind} {n}x{n}");
            let a = MatRef::new(&items, n, n).unwrap();
            let (mut u, mut v) = (vec![to(0.0); n * n], vec![to(0.0); n * n]);
            let (mut alone, mut beside) = (vec![to(0.0); n], vec![to(0.0); n]);
            decompose::eigh(Context::default(), &Faer, a, &mut alone, None).unwrap();
            let vectors = Some(MatMut::new(&mut v, n, n).unwrap());
            decompose::eigh(Context::default(), &Faer, a, &mut beside, vectors).unwrap();
            assert_near(&alone, &beside, n, &format!("eigenvalues, {what}"));
            decompose::svd(Context::default(), &Faer, a, &mut alone, None).unwrap();
            let u = MatMut::new(&mut u, n, n).unwrap();
            let vectors = Some((u, MatMut::new(&mut v, n, n).unwrap()));
            decompose::svd(Context::default(), &Faer, a, &mut beside, vectors).unwrap();
            assert_near(&alone, &beside, n, &format!("singular values, {what}"));
        }
    }
}

#[test]
fn values_alone_are_those_that_come_with_vectors() {
    check(|x| x);
    check(|x| x as f32);
}

#[test]
fn tall_and_wide_matrices_have_the_singular_values_of_their_transposes() {
    for (m, n) in [(7, 1), (40, 3), (50, 30), (90, 20)] {
        let items = random(m * n, 5);
        let a = MatRef::new(&items, m, n).unwrap();
        let (mut tall, mut wide) = (vec![0.0; n], vec![0.0; n]);
        decompose::svd(Context::default(), &Faer, a, &mut tall, None).unwrap();
        decompose::svd(Context::default(), &Faer, a.transpose(), &mut wide, None).unwrap();
        assert_eq!(tall, wide);
        let (mut u, mut v) = (vec![0.0; m * n], vec![0.0; n * n]);
        let u = MatMut::new(&mut u, m, n).unwrap();
        let vectors = Some((u, MatMut::new(&mut v, n, n).unwrap()));
        decompose::svd(Context::default(), &Faer, a, &mut wide, vectors).unwrap();
        assert_near(&tall, &wide, m, &format!("{m}x{n}"));
    }
}

#[test]
fn second_differences_have_the_values_of_the_closed_form() {
    for n in [1, 2, 3, 10, 100, 501] {
        let mut diagonal = vec![2.0; n];
        condensed::eigenvalues(&mut diagonal, &mut vec![-1.0; n - 1]).unwrap();
        let angle = |k: usize| std::f64::consts::PI * k as f64 / (2 * n + 2) as f64;
        let expected: Vec<f64> = (1..=n).map(|k| 4.0 * angle(k).sin().powi(2)).collect();
        assert_near(&diagonal, &expected, 1, "second differences");
        // The first differences are a bidiagonal factor of the matrix with 1 for its first item.
        let mut diagonal = vec![1.0; n];
        condensed::singular_values(&mut diagonal, &mut vec![-1.0; n - 1]).unwrap();
        let angle = |k: usize| std::f64::consts::PI * (2 * k - 1) as f64 / (4 * n + 2) as f64;
        let expected: Vec<f64> = (1..=n).rev().map(|k| 2.0 * angle(k).sin()).collect();
        assert_near(&diagonal, &expected, 1, "first differences");
    }
}

#[test]
fn a_diagonal_of_zeros_and_wilkinsons_pairs_end() {
    for n in [2, 3, 20, 21] {
        let mut diagonal = vec![0.0; n];
        condensed::eigenvalues(&mut diagonal, &mut vec![1.0; n - 1]).unwrap();
        let angle = |k: usize| std::f64::consts::PI * k as f64 / (n + 1) as f64;
        let expected: Vec<f64> = (1..=n).rev().map(|k| 2.0 * angle(k).cos()).collect();
        assert_near(&diagonal, &expected, 1, "zeros on the diagonal");
        let mut diagonal = vec![0.0; n];
        condensed::singular_values(&mut diagonal, &mut vec![1.0; n - 1]).unwrap();
        assert_near(&diagonal[..n - 1], &vec![1.0; n - 1], 1, "ones above zeros");
        assert_eq!(diagonal[n - 1], 0.0);
    }
    // J. H. Wilkinson's W21+: |i - 10| on the diagonal, ones beside it. The largest are a pair.
    let mut diagonal: Vec<f64> = (0..21).map(|i| f64::from(i - 10_i32).abs()).collect();
    condensed::eigenvalues(&mut diagonal, &mut [1.0; 20]).unwrap();
    assert!((diagonal[20] - 10.746_194_182_903_393).abs() < 1e-13);
    assert!((diagonal[19] - 10.746_194_182_903_322).abs() < 1e-13);
}
