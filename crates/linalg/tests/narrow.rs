//! Products of whole numbers, narrow floats and quantized weights.

use half::{bf16, f16};
use nexus_linalg::kernels::BlockFormat;
use nexus_linalg::{Context, ErrorKind, Integer, MatMut, MatRef, QMatrix, Widen};
use std::fmt::Debug;
use std::num::NonZero;

fn threads(count: usize) -> Context {
    Context::default().threads(NonZero::new(count).unwrap())
}

/// Numbers that fill all bits.
fn noise(len: usize, seed: u64) -> Vec<i64> {
    let mut state = seed;
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state ^ state >> 29) as i64
    };
    (0..len).map(next).collect()
}

const SHAPES: [(usize, usize, usize); 6] = [
    (0, 3, 2),
    (3, 0, 2),
    (1, 9, 1),
    (5, 33, 7),
    (300, 20, 9),
    (130, 260, 90),
];

fn check_wrapping<T: Integer + Debug + PartialEq + TryFrom<i128, Error: Debug>>(
    low: fn(i64) -> T,
    exact: fn(T) -> i128,
    modulus: u32,
) {
    for (m, k, n) in SHAPES {
        let a: Vec<T> = noise(m * k, 1).into_iter().map(low).collect();
        let b: Vec<T> = noise(k * n, 2).into_iter().map(low).collect();
        let (a, b) = (
            MatRef::new(&a, m, k).unwrap(),
            MatRef::new(&b, k, n).unwrap(),
        );
        for count in [1, 2] {
            let mut c = vec![low(7); m * n];
            let view = MatMut::new(&mut c, m, n).unwrap();
            threads(count).matmul_wrapping(a, b, view).unwrap();
            for (at, found) in c.into_iter().enumerate() {
                let (i, j) = (at / n, at % n);
                let product = |l| exact(a.get(i, l)).wrapping_mul(exact(b.get(l, j)));
                let sum = (0..k).fold(0_i128, |sum, l| sum.wrapping_add(product(l)));
                let difference = exact(found).wrapping_sub(sum);
                assert_eq!(
                    difference.trailing_zeros().min(modulus),
                    modulus,
                    "item ({i}, {j})"
                );
            }
        }
    }
}

#[test]
fn whole_numbers_wrap_around_in_their_own_type() {
    check_wrapping(|x| x as i8, i128::from, 8);
    check_wrapping(|x| x as u8, i128::from, 8);
    check_wrapping(|x| x as i16, i128::from, 16);
    check_wrapping(|x| x as u16, i128::from, 16);
    check_wrapping(|x| x as i32, i128::from, 32);
    check_wrapping(|x| x as u32, i128::from, 32);
    check_wrapping(|x| x, i128::from, 64);
    check_wrapping(|x| x as u64, i128::from, 64);
}

#[test]
fn long_numbers_that_fit_32_bits_and_almost_do_are_exact() {
    let limit = i64::from(i32::MAX);
    for large in [limit, limit + 1, -limit - 1, -limit - 2] {
        let a = [
            large, -3, 5, 7, 11, large, 1, 2, 3, 4, 5, 6, large, 0, 1, large,
        ];
        let view = MatRef::new(&a, 4, 4).unwrap();
        for view in [view, view.transpose()] {
            let mut c = [0; 16];
            let to = MatMut::new(&mut c, 4, 4).unwrap();
            threads(1).matmul_wrapping(view, view, to).unwrap();
            for (at, found) in c.into_iter().enumerate() {
                let product = |l| view.get(at / 4, l).wrapping_mul(view.get(l, at % 4));
                assert_eq!(found, (0..4).map(product).fold(0, i64::wrapping_add));
            }
        }
    }
}

/// The same number.
type Wide<T> = fn(T) -> f64;

fn check_wide<A: Widen<B>, B: Copy>(
    a: fn(i64) -> A,
    b: fn(i64) -> B,
    (wide_a, wide_b): (Wide<A>, Wide<B>),
    zero: A::Sum,
) where
    A::Sum: Into<f64>,
{
    for (m, k, n) in SHAPES {
        let a: Vec<A> = noise(m * k, 1).into_iter().map(a).collect();
        let b: Vec<B> = noise(k * n, 2).into_iter().map(b).collect();
        let (a, b) = (
            MatRef::new(&a, m, k).unwrap(),
            MatRef::new(&b, k, n).unwrap(),
        );
        for count in [1, 2] {
            let mut c = vec![zero; m * n];
            threads(count)
                .matmul_wide(a, b, MatMut::new(&mut c, m, n).unwrap())
                .unwrap();
            for (at, found) in c.into_iter().enumerate() {
                let (i, j) = (at / n, at % n);
                let exact: f64 = (0..k)
                    .map(|l| wide_a(a.get(i, l)) * wide_b(b.get(l, j)))
                    .sum();
                assert_eq!(found.into(), exact, "{m}x{k}x{n}, item ({i}, {j})");
            }
        }
    }
}

#[test]
fn narrow_items_are_added_up_in_a_wide_type() {
    check_wide(|x| x as i8, |x| x as i8, (f64::from, f64::from), 0);
    check_wide(|x| x as u8, |x| x as i8, (f64::from, f64::from), 0);
    check_wide(|x| x as i8, |x| x as u8, (f64::from, f64::from), 0);
    check_wide(|x| x as u8, |x| x as u8, (f64::from, f64::from), 0);
    check_wide(
        |x| x as i16 >> 4,
        |x| x as i16 >> 4,
        (f64::from, f64::from),
        0,
    );
    // Whole numbers below 64: sums are exact in `f32`.
    let half = |x| f16::from_f64((x % 64) as f64);
    let brain = |x| bf16::from_f64((x % 64) as f64);
    check_wide(half, half, (f16::to_f64, f16::to_f64), 0.0);
    check_wide(brain, brain, (bf16::to_f64, bf16::to_f64), 0.0);
}

#[test]
fn shapes_that_do_not_fit_are_an_error_that_names_them() {
    let (a, mut c, mut wide) = ([0_i8; 6], [0_i8; 4], [0_i32; 4]);
    let a = MatRef::new(&a, 2, 3).unwrap();
    let narrow = threads(1).matmul_wrapping(a, a, MatMut::new(&mut c, 2, 2).unwrap());
    let wide = threads(1).matmul_wide(a, a, MatMut::new(&mut wide, 2, 2).unwrap());
    for error in [narrow, wide].map(Result::unwrap_err) {
        assert_eq!(error.to_string(), "cannot multiply 2x3 by 2x3 into 2x2");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

const FORMATS: [BlockFormat; 2] = [BlockFormat::Q8_0, BlockFormat::Q4_0];

fn wave(len: usize, step: f32) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * step).sin()).collect()
}

#[test]
fn a_quantized_matrix_is_near_its_weights_and_its_products_near_theirs() {
    for format in FORMATS {
        for (m, k) in [(1, 1), (3, 31), (70, 33), (200, 96)] {
            let (weights, x) = (wave(m * k, 0.37), wave(k, 0.11));
            let matrix = QMatrix::quantize(format, MatRef::new(&weights, m, k).unwrap()).unwrap();
            let mut near = vec![f32::NAN; m * k];
            matrix
                .dequantize(MatMut::new(&mut near, m, k).unwrap())
                .unwrap();
            let most = if format == BlockFormat::Q8_0 {
                127.0
            } else {
                7.0
            };
            for (old, new) in weights.iter().zip(&near) {
                assert!((old - new).abs() <= 0.5 / most * 1.001);
            }
            let mut y = vec![f32::NAN; m];
            matrix.matvec(threads(1), &x, &mut y).unwrap();
            let mut exact = vec![f32::NAN; m];
            let column = MatRef::new(&x, k, 1).unwrap();
            matrix
                .matmul(threads(1), column, MatMut::new(&mut exact, m, 1).unwrap())
                .unwrap();
            for (i, (y, exact)) in y.iter().zip(&exact).enumerate() {
                let sizes: f32 = near[i * k..][..k].iter().map(|w| w.abs()).sum();
                assert!(
                    (y - exact).abs() <= 0.51 / 127.0 * sizes + 1e-5,
                    "{format:?}, row {i}"
                );
            }
        }
    }
}

#[test]
fn the_product_with_a_matrix_has_the_bits_of_the_dequantized_one() {
    let (m, k, n) = (300, 50, 7);
    let (weights, x) = (wave(m * k, 0.37), wave(k * n, 0.11));
    for format in FORMATS {
        let matrix = QMatrix::quantize(format, MatRef::new(&weights, m, k).unwrap()).unwrap();
        let mut near = vec![f32::NAN; m * k];
        matrix
            .dequantize(MatMut::new(&mut near, m, k).unwrap())
            .unwrap();
        let (mut found, mut expected) = (vec![f32::NAN; m * n], vec![f32::NAN; m * n]);
        let x = MatRef::new(&x, k, n).unwrap();
        matrix
            .matmul(threads(2), x, MatMut::new(&mut found, m, n).unwrap())
            .unwrap();
        let near = MatRef::new(&near, m, k).unwrap();
        threads(1)
            .matmul(near, x, MatMut::new(&mut expected, m, n).unwrap())
            .unwrap();
        assert_eq!(found, expected);
    }
}

#[test]
fn threads_and_rows_do_not_change_a_bit_of_a_quantized_product() {
    let (m, k) = (2000, 1024);
    let (weights, x) = (wave(m * k, 0.37), wave(k, 0.11));
    for format in FORMATS {
        let matrix = QMatrix::quantize(format, MatRef::new(&weights, m, k).unwrap()).unwrap();
        let (mut one, mut two) = (vec![f32::NAN; m], vec![f32::NAN; m]);
        matrix.matvec(threads(1), &x, &mut one).unwrap();
        matrix.matvec(threads(2), &x, &mut two).unwrap();
        assert_eq!(one, two);
        let last = &matrix.blocks()[matrix.blocks().len() / m * (m - 1)..];
        let row = QMatrix::from_blocks(format, (1, k), last).unwrap();
        let mut y = [f32::NAN];
        row.matvec(threads(1), &x, &mut y).unwrap();
        assert_eq!(y[0], one[m - 1]);
    }
}

#[test]
fn weights_that_cannot_be_quantized_are_named() {
    let check = |weight: f32, kind: ErrorKind, message: &str| {
        let mut weights = [0.0; 80];
        weights[75] = weight;
        let error = QMatrix::quantize(BlockFormat::Q4_0, MatRef::new(&weights, 2, 40).unwrap())
            .unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
    };
    let at = (1, 35);
    check(
        f32::NAN,
        ErrorKind::NotANumber { at },
        "cannot quantize a matrix with NaN at (1, 35)",
    );
    let message = "cannot quantize a matrix with an infinity at (1, 35)";
    check(f32::NEG_INFINITY, ErrorKind::Infinite { at }, message);
    let message = "cannot quantize a 2x40 matrix to Q4_0: a weight of row 1 is too large";
    check(1e6, ErrorKind::InvalidInput, message);
}

#[test]
fn blocks_and_vectors_of_other_sizes_are_refused() {
    let error = QMatrix::from_blocks(BlockFormat::Q8_0, (2, 33), vec![0; 100]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot take 100 bytes as a 2x33 matrix of Q8_0: it needs 34 bytes for each 32 items of a row"
    );
    assert!(QMatrix::from_blocks(BlockFormat::Q8_0, (usize::MAX, 33), vec![]).is_err());
    let matrix = QMatrix::from_blocks(BlockFormat::Q8_0, (2, 33), vec![0; 136]).unwrap();
    let error = matrix
        .matvec(threads(1), &[0.0; 32], &mut [0.0; 2])
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot multiply 2x33 by 32x1 into 2x1");
    let mut y = [0.0; 4];
    let x = MatRef::new(&[0.0; 4], 2, 2).unwrap();
    assert!(
        matrix
            .matmul(threads(1), x, MatMut::new(&mut y, 2, 2).unwrap())
            .is_err()
    );
    let error = matrix
        .dequantize(MatMut::new(&mut y, 2, 2).unwrap())
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot dequantize 2x33 by 2x2 into 2x33");
}

/// Blocks and items that the Python package `gguf` 0.19.0 makes of
/// `sin(0.7 * arange(64)) * linspace(0.1, 3, 64)`; the scales of its `Q4_0` may be negative.
#[test]
#[expect(
    clippy::unreadable_literal,
    reason = "numbers as the package prints them"
)]
fn blocks_of_gguf_files_are_read_as_gguf_reads_them() {
    let q8_0 = "be210008111208f6e3dbe60121353214e8c2b7cf033a5a501ed9a193ba06547f6e279f25e4beb6d20539544718dbaca4c8084767561bd19b93bf0c567a641ec78981b610";
    let q4_0 = "b3b1d8b7874727396aaaeaf8c68535071a6c9335d6a45325184c9ddcfae6a34204093c9e";
    let items = [
        (0, 0.0, -0.0),
        (1, 0.0897216796875, 0.1781005859375),
        (7, -0.4149627685546875, -0.356201171875),
        (15, -0.695343017578125, -0.71240234375),
        (16, -0.8187103271484375, -0.8905029296875),
        (24, -1.0654449462890625, -1.068603515625),
        (31, 0.4373931884765625, 0.356201171875),
        (32, -0.61480712890625, -0.69677734375),
        (45, 0.1756591796875, 0.348388671875),
        (53, -1.4272308349609375, -1.3935546875),
        (63, 0.351318359375, 0.348388671875),
    ];
    let bytes = |hex: &str| -> Vec<u8> {
        let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(digits).collect()
    };
    let read = |format, hex| {
        let matrix = QMatrix::from_blocks(format, (1, 64), bytes(hex)).unwrap();
        let mut items = [f32::NAN; 64];
        matrix
            .dequantize(MatMut::new(&mut items, 1, 64).unwrap())
            .unwrap();
        let mut product = [f32::NAN];
        matrix
            .matvec(threads(1), &[127.0; 64], &mut product)
            .unwrap();
        let exact = 127.0 * items.iter().sum::<f32>();
        assert!((product[0] - exact).abs() <= 1e-3);
        items
    };
    let found = (read(BlockFormat::Q8_0, q8_0), read(BlockFormat::Q4_0, q4_0));
    for (at, q8_0, q4_0) in items {
        let found = (f64::from(found.0[at]), f64::from(found.1[at]));
        assert_eq!(found, (q8_0, q4_0), "item {at}");
    }
}
