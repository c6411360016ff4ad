//! Every instruction set of this machine computes the same numbers, but for roundings.

use nexus_linalg::functions::expm;
use nexus_linalg::{Complex, Context, Field, Float, Gemm, Isa, MatMut, MatRef, QMatrix, kernels};
use nexus_linalg::{dense, norm, stack};
use std::num::NonZero;

fn contexts() -> Vec<Context> {
    let isas = ["portable", "avx2", "avx512"].into_iter();
    let isas = isas.filter_map(Isa::named);
    isas.map(|isa| Context::default().with_isa(isa)).collect()
}

fn items<T: Field>(len: usize, seed: usize) -> Vec<T> {
    let part = |at: usize| {
        let number = ((at + 1) * 2_654_435_761 + seed * 40_503) % 65_537;
        T::Real::from_f64(number as f64 / 32_768.5 - 1.0)
    };
    (0..len)
        .map(|at| T::from_parts(part(2 * at), part(2 * at + 1)))
        .collect()
}

fn distance<T: Field>(a: &[T], b: &[T]) -> f64 {
    let differences = a.iter().zip(b).map(|(&a, &b)| (a - b).abs().to_f64());
    norm::vector(differences, 2.0)
}

fn check<T: Field>()
where
    kernels::NaiveGemm: Gemm<T>,
{
    let epsilon = T::Real::EPSILON.to_f64();
    for (m, k, n) in [
        (1, 1, 1),
        (3, 4, 5),
        (17, 33, 9),
        (70, 90, 110),
        (200, 5, 1),
    ] {
        let (a, b) = (items::<T>(m * k, 1), items::<T>(k * n, 2));
        let (a, b) = (
            MatRef::new(&a, m, k).unwrap(),
            MatRef::new(&b, k, n).unwrap(),
        );
        let mut exact = vec![T::default(); m * n];
        let view = MatMut::new(&mut exact, m, n).unwrap();
        kernels::NaiveGemm.gemm(T::ONE, a, b, T::default(), view);
        for context in contexts() {
            let run = |context: Context| {
                let mut c = vec![T::NAN; m * n];
                let view = MatMut::new(&mut c, m, n).unwrap();
                context.matmul(a, b, view).unwrap();
                c
            };
            let c = run(context);
            let bound = 4.0 * k as f64 * epsilon * ((m * n) as f64).sqrt();
            assert!(distance(&c, &exact) <= bound, "{m}x{k}x{n}, {context:?}");
            assert_eq!(run(context.threads(NonZero::new(3).unwrap())), c);
        }
    }
    for n in [1, 2, 4, 5, 16, 17, 60, 130] {
        let (a, b) = (items::<T>(n * n, 3), items::<T>(n * 3, 4));
        let a = MatRef::new(&a, n, n).unwrap();
        for context in contexts() {
            let mut x = b.clone();
            dense::solve(context, a, MatMut::new(&mut x, n, 3).unwrap()).unwrap();
            let mut back = vec![T::default(); n * 3];
            let x_view = MatRef::new(&x, n, 3).unwrap();
            let view = MatMut::new(&mut back, n, 3).unwrap();
            kernels::NaiveGemm.gemm(T::ONE, a, x_view, T::default(), view);
            let size = norm::vector(x.iter().map(|x| x.abs().to_f64()), 2.0);
            let bound = 10.0 * n as f64 * epsilon * (1.0 + n as f64 * size);
            assert!(distance(&back, &b) <= bound, "{n}, {context:?}");
        }
    }
}

#[test]
fn products_and_systems_are_right_with_every_instruction_set() {
    assert_eq!(contexts()[0].isa().name(), "portable");
    check::<f32>();
    check::<f64>();
    check::<Complex<f32>>();
    check::<Complex<f64>>();
}

#[test]
fn a_stack_has_the_bits_of_its_matrices_with_every_instruction_set() {
    for n in [2, 3, 4, 6, 20] {
        let matrices = items::<f64>(n * n * 11, 5);
        let matrices = stack::Dense::new(&matrices, n, n).unwrap();
        for context in contexts() {
            let mut dets = [0.0; 11];
            let failures = stack::det(context, &matrices, &mut dets).unwrap();
            assert!(failures.is_empty());
            for (index, det) in dets.iter().enumerate() {
                use stack::Stack;
                let alone = dense::det(context, matrices.get(index)).unwrap();
                assert_eq!(alone, *det, "{n}, {context:?}");
            }
        }
    }
}

#[test]
fn weights_and_exponentials_are_right_with_every_instruction_set() {
    let (m, k) = (40, 64);
    let weights = items::<f32>(m * k, 6);
    let view = MatRef::new(&weights, m, k).unwrap();
    let q = QMatrix::quantize(kernels::BlockFormat::Q8_0, view).unwrap();
    let x = items::<f32>(k, 7);
    let results: Vec<_> = contexts()
        .into_iter()
        .map(|context| {
            let mut y = vec![0.0; m];
            q.matvec(context, &x, &mut y).unwrap();
            let mut e = vec![0.0; m * m];
            let square = MatRef::with_strides(&weights, (m, m), (k, 1)).unwrap();
            expm(context, square, MatMut::new(&mut e, m, m).unwrap()).unwrap();
            let size = norm::vector(e.iter().map(|item| item.to_f64()), 2.0);
            (y, e, size)
        })
        .collect();
    for (y, e, size) in &results {
        assert!(distance(y, &results[0].0) <= 1e-4);
        assert!(distance(e, &results[0].1) <= 1e-4 * size);
    }
}
