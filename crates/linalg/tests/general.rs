//! Eigenvalues and eigenvectors of real matrices that are hard for the QR iteration.

use nexus_linalg::condensed::{self, Item};
use nexus_linalg::{Complex, Context, MatMut, MatRef};
use std::num::NonZero;

/// Numbers between -1 and 1 that look random.
fn random(len: usize, seed: usize) -> Vec<f64> {
    let mut state = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn matrices(n: usize) -> Vec<(&'static str, Vec<f64>)> {
    let of = |item: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        (0..n * n).map(|at| item(at / n, at % n)).collect()
    };
    let any = random(n * n, n);
    let one = |holds: bool| f64::from(u8::from(holds));
    let sine = 0.3_f64;
    let kahan = |i: usize, j: usize| {
        let scale = sine.powi(i as i32);
        scale * (one(i == j) - one(i < j) * (1.0 - sine * sine).sqrt())
    };
    let power = |i: usize| 0.5_f64.powi((60 * i / n) as i32);
    vec![
        ("random", any.clone()),
        ("zeros", vec![0.0; n * n]),
        ("ones", vec![1.0; n * n]),
        ("identity", of(&|i, j| one(i == j))),
        ("a cycle", of(&|i, j| one((i + 1) % n == j))),
        ("a cycle back", of(&|i, j| one((j + 1) % n == i))),
        ("a Jordan block", of(&|i, j| one(i == j || i + 1 == j))),
        (
            "a Jordan block below",
            of(&|i, j| one(i == j || j + 1 == i)),
        ),
        ("nilpotent", of(&|i, j| one(i < j))),
        (
            "skew",
            of(&|i, j| any[i.min(j) * n + i.max(j)] * (one(i < j) - one(i > j))),
        ),
        ("symmetric", of(&|i, j| any[i.min(j) * n + i.max(j)])),
        ("Kahan", of(&kahan)),
        (
            "Frank",
            of(&|i, j| {
                if j + 1 < i {
                    0.0
                } else {
                    (n - i.max(j)) as f64
                }
            }),
        ),
        ("graded", of(&|i, j| any[i * n + j] * power(i) * power(j))),
        (
            "graded upwards",
            of(&|i, j| any[i * n + j] * power(n - 1 - i) * power(n - 1 - j)),
        ),
        (
            "badly balanced",
            of(&|i, j| any[i * n + j] * power(i) / power(j)),
        ),
        (
            "clustered",
            of(&|i, j| one(i == j) + 1e-14 * any[i * n + j]),
        ),
        (
            "a companion",
            of(&|i, j| if i == 0 { any[j] } else { one(i == j + 1) }),
        ),
        (
            "pairs",
            of(&|i, j| one(i ^ 1 == j) * if i < j { 2.0 } else { -1.0 }),
        ),
        ("small", any.iter().map(|item| item * 1e-9).collect()),
        ("large", any.iter().map(|item| item * 1e9).collect()),
    ]
}

struct Found<T> {
    values: Vec<Complex<T>>,
    vectors: Vec<Complex<T>>,
}

fn eig<T: Item>(a: &[T], n: usize, threads: usize) -> Found<T> {
    let zero = Complex::new(T::default(), T::default());
    let (mut values, mut vectors) = (vec![zero; n], vec![zero; n * n]);
    let view = MatMut::with_strides(&mut vectors, (n, n), (1, n)).unwrap();
    let context = Context::default().threads(NonZero::new(threads).unwrap());
    condensed::eig(
        context,
        MatRef::new(a, n, n).unwrap(),
        &mut values,
        Some(view),
    )
    .unwrap();
    Found { values, vectors }
}

fn check<T: Item>() {
    for n in [1, 2, 3, 4, 5, 8, 9, 16, 23, 40, 65, 90] {
        for (name, a) in matrices(n) {
            let what = format!("{name}, {n}");
            let items: Vec<T> = a.iter().map(|&item| T::from_f64(item)).collect();
            let a: Vec<f64> = items.iter().map(|item| item.to_f64()).collect();
            let found = eig(&items, n, 1);
            let size = a.iter().map(|item| item * item).sum::<f64>().sqrt();
            let bound = 10.0 * n as f64 * T::EPSILON.to_f64() * size;
            let wide = |value: &Complex<T>| Complex::new(value.re.to_f64(), value.im.to_f64());
            for (j, value) in found.values.iter().map(wide).enumerate() {
                let v: Vec<_> = found.vectors[j * n..(j + 1) * n].iter().map(wide).collect();
                let length = v.iter().map(Complex::norm_sqr).sum::<f64>().sqrt();
                assert!(length > 0.0 && length.is_finite(), "{what}, {j}: {length}");
                let row = |i: usize| a[i * n..].iter().zip(&v).map(|(&a, &v)| v * a);
                let error = |i: usize| (row(i).sum::<Complex<f64>>() - v[i] * value).norm_sqr();
                let error = (0..n).map(error).sum::<f64>().sqrt();
                assert!(error <= bound * length, "{what}, {j}: {error} > {bound}");
            }
            let mut only = vec![found.values[0]; n];
            let view = MatRef::new(&items, n, n).unwrap();
            condensed::eig(Context::default(), view, &mut only, None).unwrap();
            let trace: f64 = (0..n).map(|i| a[i * n + i]).sum();
            for values in [&found.values, &only] {
                let sum: Complex<f64> = values.iter().map(wide).sum();
                assert!((sum - trace).norm_sqr().sqrt() <= bound, "{what}: {sum}");
            }
        }
    }
}

#[test]
fn vectors_belong_to_their_values_in_double_precision() {
    check::<f64>();
}

#[test]
fn vectors_belong_to_their_values_in_single_precision() {
    check::<f32>();
}

#[test]
fn eigenvalues_of_a_cycle_lie_on_a_circle() {
    for n in [3, 4, 7, 16, 64] {
        let a: Vec<f64> = (0..n * n)
            .map(|at| f64::from(u8::from((at / n + 1) % n == at % n)))
            .collect();
        for value in eig(&a, n, 1).values {
            assert!((value.norm_sqr() - 1.0).abs() < 1e-13 * n as f64, "{value}");
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_threads() {
    for n in [40, 150] {
        let a = random(n * n, 7);
        let (one, two) = (eig(&a, n, 1), eig(&a, n, 2));
        assert!(one.values == two.values && one.vectors == two.vectors);
    }
}
