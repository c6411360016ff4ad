//! Products of whole numbers and of narrow floats: exact, whatever their layout, and with the bits that wide
//! operands give.

use half::{bf16, f16};
use nexus_kernels::{
    Cell, Dotted, Gemm, GemmParts, Isa, MatMut, MatRef, NaiveGemm, Narrow, Real, gemm_parts,
    narrow_parts,
};
use proptest::prelude::*;
use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::num::Wrapping;

fn all_isas() -> impl Iterator<Item = Isa> {
    ["portable", "avx2", "avx512"]
        .into_iter()
        .filter_map(Isa::named)
}

fn run<P: Cell>(parts: GemmParts<'_, P>) {
    for part in parts {
        let mut workspace = vec![MaybeUninit::uninit(); part.workspace_len()];
        part.run(&mut workspace);
    }
}

/// A matrix and where its items lie.
#[derive(Debug)]
struct Matrix<T> {
    data: Vec<T>,
    shape: (usize, usize),
    strides: (usize, usize),
}

impl<T: Copy> Matrix<T> {
    /// Item `(i, j)` is number `i * columns + j` of `items`, which begin again when they end.
    fn new(items: &[T], (rows, columns): (usize, usize), by_columns: bool, gap: usize) -> Self {
        let strides = if by_columns {
            (1, rows + gap)
        } else {
            (columns + gap, 1)
        };
        let mut data = vec![items[0]; (rows + gap) * (columns + gap)];
        for i in 0..rows {
            for j in 0..columns {
                data[i * strides.0 + j * strides.1] = items[(i * columns + j) % items.len()];
            }
        }
        Self {
            data,
            shape: (rows, columns),
            strides,
        }
    }

    fn view(&self) -> MatRef<'_, T> {
        MatRef::with_strides(&self.data, self.shape, self.strides).unwrap()
    }

    fn view_mut(&mut self) -> MatMut<'_, T> {
        MatMut::with_strides(&mut self.data, self.shape, self.strides).unwrap()
    }

    fn map<U: Copy>(&self, f: impl FnMut(T) -> U) -> Matrix<U> {
        Matrix {
            data: self.data.iter().copied().map(f).collect(),
            shape: self.shape,
            strides: self.strides,
        }
    }
}

type Map<T, U> = fn(T) -> U;

/// [`check_narrow`] of bytes, as pairs and for dot products.
fn check_bytes<A, B>((a, b): (&Matrix<A>, &Matrix<B>), how: (bool, usize))
where
    A: Copy + Debug + Into<i32>,
    B: Copy + Debug + Into<i32>,
    A: Narrow<Cell: Cell<Sum = Wrapping<i32>>>,
    B: Narrow<Cell = A::Cell>,
    Dotted<A>: Narrow<Cell: Cell<Sum = Wrapping<i32>>>,
    Dotted<B>: Narrow<Cell = <Dotted<A> as Narrow>::Cell>,
{
    check_narrow(
        (a, b),
        (|x| Wrapping(x.into()), |x| Wrapping(x.into())),
        how,
    );
    let dotted = (&a.map(Dotted), &b.map(Dotted));
    check_narrow(
        dotted,
        (|x| Wrapping(x.0.into()), |x| Wrapping(x.0.into())),
        how,
    );
}

/// Compares a product of narrow items with the naive product of the same numbers as `wide` ones.
fn check_narrow<A, B, S>(
    (a, b): (&Matrix<A>, &Matrix<B>),
    (wide_a, wide_b): (Map<A, S>, Map<B, S>),
    (by_columns, count): (bool, usize),
) where
    A: Narrow + Debug,
    B: Narrow<Cell = A::Cell> + Debug,
    A::Cell: Cell<Sum = S>,
    S: Real + Debug,
{
    let shape = (a.shape.0, b.shape.1);
    let mut expected = Matrix::new(&[S::ONE], shape, by_columns, 1);
    NaiveGemm.gemm(
        S::ONE,
        a.map(wide_a).view(),
        b.map(wide_b).view(),
        S::default(),
        expected.view_mut(),
    );
    for isa in all_isas() {
        let mut found = Matrix::new(&[S::ONE], shape, by_columns, 1);
        run(narrow_parts(
            isa,
            (a.view(), b.view()),
            found.view_mut(),
            count,
        ));
        assert_eq!(found.data, expected.data, "{} {a:?} {b:?}", isa.name());
    }
}

fn check_wrapping<T: Real + Debug>(
    a: &Matrix<T>,
    b: &Matrix<T>,
    (by_columns, count): (bool, usize),
) {
    let shape = (a.shape.0, b.shape.1);
    let mut expected = Matrix::new(&[T::ONE], shape, by_columns, 1);
    NaiveGemm.gemm(T::ONE, a.view(), b.view(), T::ONE, expected.view_mut());
    for isa in all_isas() {
        let mut found = Matrix::new(&[T::ONE], shape, by_columns, 1);
        run(gemm_parts(
            isa,
            T::ONE,
            (a.view(), b.view()),
            T::ONE,
            found.view_mut(),
            count,
        ));
        assert_eq!(found.data, expected.data, "{} {a:?} {b:?}", isa.name());
    }
}

/// Numbers at the ends of each type's range, and some between them.
const EDGES: [i64; 15] = [
    i64::MIN,
    i64::MAX,
    -1,
    0,
    1,
    i32::MIN as i64,
    i32::MAX as i64,
    u32::MAX as i64,
    i16::MIN as i64,
    i16::MAX as i64,
    i8::MIN as i64,
    i8::MAX as i64,
    0x0123_4567_89AB_CDEF,
    u8::MAX as i64,
    3,
];

/// Every number meets every other one.
fn edges<T: Copy>(convert: fn(i64) -> T) -> (Matrix<T>, Matrix<T>) {
    let items = EDGES.map(convert);
    let column: Vec<T> = items.iter().flat_map(|&item| [item; 17]).collect();
    let turned: Vec<T> = (0..17 * 15).map(|i| items[(i * 7 + i / 17) % 15]).collect();
    (
        Matrix::new(&column, (17 * 15, 17), false, 0),
        Matrix::new(&turned, (17, 15), false, 0),
    )
}

#[test]
fn products_at_the_ends_of_the_ranges_are_exact() {
    let how = (false, 1);
    let (a, b) = edges(|x| x as i8);
    check_bytes((&a, &b), how);
    let (c, d) = edges(|x| x as u8);
    check_bytes((&c, &d), how);
    check_bytes((&c, &b), how);
    check_bytes((&a, &d), how);
    let (a, b) = edges(|x| x as i16);
    check_narrow(
        (&a, &b),
        (|x| Wrapping(x.into()), |x| Wrapping(x.into())),
        how,
    );
    check_wrapping(&a.map(Wrapping), &b.map(Wrapping), how);
    let (a, b) = edges(|x| i64::from(x as i32));
    check_narrow((&a, &b), (Wrapping, Wrapping), how);
    let (a, b) = edges(|x| Wrapping(x as i32));
    check_wrapping(&a, &b, how);
    let (a, b) = edges(Wrapping);
    check_wrapping(&a, &b, how);
}

#[test]
fn sums_of_the_largest_products_do_not_saturate() {
    // 2 * 128 * 255 is more than 16 bits hold, and 131071 * 128 * 128 all that 32 do.
    for (k, n) in [(2, 1), (2, 3), (131_071, 1), (131_071, 2)] {
        let a = Matrix::new(&[i8::MIN], (1, k), false, 0);
        let b = Matrix::new(&[i8::MIN], (k, n), false, 0);
        check_bytes((&a, &b), (false, 1));
        let b = Matrix::new(&[u8::MAX], (k, n), false, 0);
        check_bytes((&a, &b), (false, 1));
    }
}

#[test]
fn every_size_around_the_tiles_is_right() {
    let items: Vec<i8> = (0..997).map(|i| (i * 89 % 256) as u8 as i8).collect();
    for m in [1, 2, 7, 8, 15, 16, 17, 33, 65] {
        for n in [1, 2, 3, 5, 6, 7, 12, 13] {
            for k in [0, 1, 2, 3, 8, 9, 63, 64, 65, 257, 1025] {
                let (a, b) = (
                    Matrix::new(&items, (m, k), k % 2 == 0, 0),
                    Matrix::new(&items, (k, n), n % 2 == 0, 0),
                );
                check_bytes((&a, &b), (m % 2 == 0, 1));
            }
        }
    }
}

/// Bits of numbers that are not infinite, with denormals and both zeros.
fn halves(seed: u64, len: usize) -> Vec<u16> {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 48) as u16 & 0xBFFF
        })
        .collect()
}

/// Bits of `bf16` whose products' sums are neither subnormal nor infinite, with zeros.
fn normal(bits: u16) -> u16 {
    match bits & 0x1F {
        0 => bits & 0x8000,
        _ => bits & 0x807F | (0x60 + (bits >> 7 & 0x1F)) << 7,
    }
}

fn check_halves<T: Narrow<Cell: Cell<Sum = f32>>>(
    bits: &[u16],
    (from_bits, wide): (Map<u16, T>, Map<T, f32>),
    (m, k, n): (usize, usize, usize),
    by_columns: [bool; 3],
    count: usize,
) {
    let items: Vec<T> = bits.iter().copied().map(from_bits).collect();
    let a = Matrix::new(&items, (m, k), by_columns[0], 2);
    let b = Matrix::new(&items[m..], (k, n), by_columns[1], 1);
    for isa in all_isas() {
        let mut expected = Matrix::new(&[f32::NAN], (m, n), by_columns[2], 1);
        let (wide_a, wide_b) = (a.map(wide), b.map(wide));
        run(gemm_parts(
            isa,
            1.0,
            (wide_a.view(), wide_b.view()),
            0.0,
            expected.view_mut(),
            1,
        ));
        let mut found = Matrix::new(&[f32::NAN], (m, n), by_columns[2], 1);
        run(narrow_parts(
            isa,
            (a.view(), b.view()),
            found.view_mut(),
            count,
        ));
        for (found, expected) in found.data.iter().zip(&expected.data) {
            assert_eq!(
                found.to_bits(),
                expected.to_bits(),
                "{m}x{k}x{n} with {}",
                isa.name()
            );
        }
    }
}

/// The product of rows with a vector is right, and has the same bits for the rows from `first` on alone.
fn check_vector<T: Narrow<Cell: Cell<Sum = f32>>>(
    rows: MatRef<'_, T>,
    x: MatRef<'_, T>,
    wide: Map<T, f64>,
    (first, count): (usize, usize),
) -> Result<(), TestCaseError> {
    let (m, k) = rows.shape();
    for isa in all_isas() {
        let (mut all, mut some) = (vec![f32::NAN; m], vec![f32::NAN; m - first]);
        run(narrow_parts(
            isa,
            (rows, x),
            MatMut::new(&mut all, m, 1).unwrap(),
            1,
        ));
        let c = MatMut::new(&mut some, m - first, 1).unwrap();
        run(narrow_parts(isa, (rows.row_range(first, m), x), c, count));
        prop_assert_eq!(&some, &all[first..]);
        for (i, &item) in all.iter().enumerate() {
            let exact: f64 = (0..k)
                .map(|l| wide(rows.get(i, l)) * wide(x.get(l, 0)))
                .sum();
            prop_assert!((f64::from(item) - exact).abs() <= 1e-6 * (k as f64 + 1.0));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn strided_views_of_whole_numbers_equal_the_naive_twin(
        (m, k, n) in (0_usize..50, 0_usize..90, 0_usize..50),
        by_columns in any::<[bool; 3]>(),
        items in proptest::collection::vec(any::<i64>(), 50),
        count in 1_usize..5,
    ) {
        let a = Matrix::new(&items, (m, k), by_columns[0], 1);
        let b = Matrix::new(&items[7..], (k, n), by_columns[1], 2);
        let how = (by_columns[2], count);
        check_wrapping(&a.map(Wrapping), &b.map(Wrapping), how);
        check_wrapping(&a.map(|x| Wrapping(x as i32)), &b.map(|x| Wrapping(x as i32)), how);
        check_wrapping(&a.map(|x| Wrapping(x as i16)), &b.map(|x| Wrapping(x as i16)), how);
        let bytes = (&a.map(|x| x as u8), &b.map(|x| x as i8));
        check_bytes(bytes, how);
        check_bytes((&a.map(|x| x as i8), &b.map(|x| x as u8)), how);
        let words = (&a.map(|x| x as i16), &b.map(|x| x as i16));
        check_narrow(words, (|x| Wrapping(x.into()), |x| Wrapping(x.into())), how);
        let small = (&a.map(|x| i64::from(x as i32)), &b.map(|x| i64::from(x as i32)));
        check_narrow(small, (Wrapping, Wrapping), how);
    }

    #[test]
    fn narrow_floats_have_the_bits_that_wide_ones_have(
        (m, k, n) in (1_usize..50, 0_usize..600, 2_usize..50),
        by_columns in any::<[bool; 3]>(),
        seed in any::<u64>(),
        count in 1_usize..5,
    ) {
        let bits = halves(seed, 700);
        check_halves(&bits, (bf16::from_bits, bf16::to_f32), (m, k, n), by_columns, count);
        let dotted: (Map<_, _>, Map<Dotted<bf16>, _>) = (|bits| Dotted(bf16::from_bits(normal(bits))), |x| x.0.to_f32());
        check_halves(&bits, dotted, (m, k, n), by_columns, count);
        check_halves(&bits, (f16::from_bits, f16::to_f32), (m, k, n), by_columns, count);
    }

    #[test]
    fn rows_of_a_matrix_times_a_vector_are_right_and_do_not_change_a_bit(
        (m, k) in (1_usize..40, 0_usize..600),
        first in 0_usize..40,
        count in 1_usize..5,
        step in 1_usize..3,
    ) {
        let first = first % m;
        let a: Vec<f16> = (0..=m * k).map(|i| f16::from_f64((i as f64 * 0.731).sin())).collect();
        let x: Vec<f16> = (0..=k * step).map(|i| f16::from_f64((i as f64 * 0.3).cos())).collect();
        let view = MatRef::new(&a, m, k).unwrap();
        let x = MatRef::with_strides(&x, (k, 1), (step, 1)).unwrap();
        check_vector(view, x, f16::to_f64, (first, count))?;
        let brains: Vec<_> = a.iter().map(|&x| Dotted(bf16::from_f32(x.to_f32()))).collect();
        let few: Vec<_> = (0..k).map(|l| Dotted(bf16::from_f32(x.get(l, 0).to_f32()))).collect();
        let (view, x) = (MatRef::new(&brains, m, k).unwrap(), MatRef::new(&few, k, 1).unwrap());
        check_vector(view, x, |x| x.0.to_f64(), (first, count))?;
    }
}

#[test]
fn infinities_and_nan_go_through_narrow_floats() {
    let a = [1.0, f32::INFINITY, f32::NAN, -0.0].map(bf16::from_f32);
    let b = [2.0, 1.0, 0.0, 3.0].map(bf16::from_f32);
    for isa in all_isas() {
        let mut c = [0.0_f32; 4];
        let (a, b) = (
            MatRef::new(&a, 2, 2).unwrap(),
            MatRef::new(&b, 2, 2).unwrap(),
        );
        run(narrow_parts(
            isa,
            (a, b),
            MatMut::new(&mut c, 2, 2).unwrap(),
            1,
        ));
        assert!(c[0].is_nan() && c[1] == f32::INFINITY && c[2].is_nan() && c[3].is_nan());
    }
}
