//! Products of whole numbers and of narrow floats.
//!
//! [`Context::matmul_wide`] adds up products of narrow items in a wider type; [`Context::matmul_wrapping`]
//! multiplies whole numbers in their own type, which wraps around as it does in NumPy.

mod raw;

use crate::engine::Packing;
use crate::{Context, Error, MatMut, MatRef};
use half::{bf16, f16};
use nexus_kernels::{Cell, Dotted, Narrow, narrow_parts};
use raw::{SameBits, view, view_mut};
use std::num::Wrapping;

/// Item types whose products with items of type `B` are added up in a wider type.
///
/// | items | sums |
/// |---|---|
/// | `i8` or `u8` times `i8` or `u8`, `i16` times `i16` | `i32`, modulo 2^32 |
/// | `bf16` times `bf16`, `f16` times `f16` | `f32` |
///
/// Sums of up to 131 071 products of `i8` cannot overflow, nor 65 793 of `u8` with `i8`, nor 33 025 of `u8`.
pub trait Widen<B = Self>: Narrow {
    /// What products are added up in.
    type Sum: Copy;

    #[doc(hidden)]
    fn multiply(
        context: Context,
        operands: (MatRef<'_, Self>, MatRef<'_, B>),
        c: MatMut<'_, Self::Sum>,
    );
}

/// Whole numbers: `i8`, `i16`, `i32`, `i64` and the same without a sign.
pub trait Integer: Copy + 'static {
    #[doc(hidden)]
    fn multiply(
        context: Context,
        operands: (MatRef<'_, Self>, MatRef<'_, Self>),
        c: MatMut<'_, Self>,
    );
}

impl Context {
    /// `c = a * b`, with sums in a type that is wider than the items ([`Widen`] has the table).
    ///
    /// Products of floats are exact, and their sums have the bits of [`matmul`](Self::matmul) of the same
    /// numbers as `f32`; but one column of results may have other last bits, and rows that lie side by side
    /// are read once there. Bits do not depend on threads, strides or the other rows and columns. Items are
    /// widened while blocks are copied: no operand is copied as a whole.
    ///
    /// Where the machine adds up products of `bf16` itself (AVX512-BF16), subnormal items and sums are zeros.
    ///
    /// # Errors
    /// When the shapes are not `(m, k)`, `(k, n)` and `(m, n)`.
    ///
    /// ```
    /// use nexus_linalg::{Context, MatMut, MatRef};
    ///
    /// let (a, b) = ([100_i8, -128, 127, 1], [200_u8, 0, 255, 1]);
    /// let mut c = [0_i32; 4];
    /// let (a, b) = (MatRef::new(&a, 2, 2)?, MatRef::new(&b, 2, 2)?);
    /// Context::default().matmul_wide(a, b, MatMut::new(&mut c, 2, 2)?)?;
    /// assert_eq!(c, [-12_640, -128, 25_655, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn matmul_wide<A: Widen<B>, B>(
        &self,
        a: MatRef<'_, A>,
        b: MatRef<'_, B>,
        c: MatMut<'_, A::Sum>,
    ) -> Result<(), Error> {
        check(a.shape(), b.shape(), c.shape())?;
        A::multiply(*self, (a, b), c);
        Ok(())
    }

    /// `c = a * b` of whole numbers, modulo 2 to the power of their bits: exact where results fit.
    ///
    /// `i8` and `u8` take `4 * 256 * n` bytes for sums. Operands of `i64` and `u64` are read once to see
    /// whether all items fit `i32`: such products are several times as fast.
    ///
    /// # Errors
    /// When the shapes are not `(m, k)`, `(k, n)` and `(m, n)`.
    ///
    /// ```
    /// use nexus_linalg::{Context, MatMut, MatRef};
    ///
    /// let a = [1_i64 << 62, 3];
    /// let mut c = [0; 1];
    /// let row = MatRef::new(&a, 1, 2)?;
    /// Context::default().matmul_wrapping(row, row.transpose(), MatMut::new(&mut c, 1, 1)?)?;
    /// assert_eq!(c, [9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn matmul_wrapping<T: Integer>(
        &self,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        c: MatMut<'_, T>,
    ) -> Result<(), Error> {
        check(a.shape(), b.shape(), c.shape())?;
        T::multiply(*self, (a, b), c);
        Ok(())
    }

    /// `c = a * b`, for shapes that fit.
    fn narrow<A, B>(
        self,
        (a, b): (MatRef<'_, A>, MatRef<'_, B>),
        c: MatMut<'_, <A::Cell as Cell>::Sum>,
    ) where
        A: Narrow<Cell: Packing>,
        B: Narrow<Cell = A::Cell>,
    {
        let ((m, k), n) = (a.shape(), b.shape().1);
        self.share((m, k, n), |count| {
            narrow_parts(self.isa(), (a, b), c, count)
        });
    }
}

fn check(a: (usize, usize), b: (usize, usize), c: (usize, usize)) -> Result<(), Error> {
    if a.1 != b.0 || c != (a.0, b.1) {
        return Err(Error::shapes("multiply", a, b, c));
    }
    Ok(())
}

macro_rules! widen {
    ($($a:ty, $b:ty => $sum:ty $(, dotted if $is_dotted:expr)?;)*) => {$(
        impl Widen<$b> for $a {
            type Sum = $sum;

            fn multiply(context: Context, (a, b): (MatRef<'_, $a>, MatRef<'_, $b>), c: MatMut<'_, $sum>) {
                $(if $is_dotted(context, (a.shape().0, b.shape().1)) {
                    let operands: (MatRef<'_, Dotted<$a>>, MatRef<'_, Dotted<$b>>) = (view(a), view(b));
                    return context.narrow(operands, view_mut(c));
                })?
                context.narrow((a, b), view_mut(c));
            }
        }
    )*};
}

widen! {
    i8, i8 => i32, dotted if bytes_are_dotted;
    i8, u8 => i32, dotted if bytes_are_dotted;
    u8, i8 => i32, dotted if bytes_are_dotted;
    u8, u8 => i32, dotted if bytes_are_dotted;
    i16, i16 => i32;
    bf16, bf16 => f32, dotted if brains_are_dotted;
    f16, f16 => f32;
}

/// Whether the machine's dot products of bytes are faster for a result of this shape: its copies take more work than
/// a vector needs.
fn bytes_are_dotted(context: Context, (m, n): (usize, usize)) -> bool {
    m.min(n) > 1 && context.isa().has_byte_dots()
}

/// The same of `bf16`, where it may not depend on the shape: bits do not.
fn brains_are_dotted(context: Context, _: (usize, usize)) -> bool {
    context.isa().has_brain_dots()
}

/// Rows of `i32` sums that become bytes at a time.
const BYTE_ROWS: usize = 256;

/// Multiplies bytes by way of `i32` sums, whose low bits are the result's.
fn bytes<T: Widen<Sum = i32>>(
    context: Context,
    (a, b): (MatRef<'_, T>, MatRef<'_, T>),
    mut c: MatMut<'_, T>,
    low: fn(i32) -> T,
) {
    let (m, n) = c.shape();
    let mut sums = vec![0; BYTE_ROWS.min(m) * n];
    for start in (0..m).step_by(BYTE_ROWS) {
        let rows = BYTE_ROWS.min(m - start);
        let Ok(to) = MatMut::new(&mut sums, rows, n) else {
            unreachable!("the buffer holds the rows")
        };
        T::multiply(context, (a.row_range(start, start + rows), b), to);
        for (i, row) in sums.chunks_exact(n.max(1)).enumerate().take(rows) {
            for (j, &sum) in row.iter().enumerate() {
                *c.item(start + i, j) = low(sum);
            }
        }
    }
}

macro_rules! integer {
    ($($type:ty => $item:ty;)*) => {$(
        impl Integer for $type {
            fn multiply(context: Context, (a, b): (MatRef<'_, Self>, MatRef<'_, Self>), c: MatMut<'_, Self>) {
                wrapping::<$type, $item>(context, (a, b), c);
            }
        }
    )*};
}

integer! {
    i16 => i16;
    u16 => i16;
    i32 => i32;
    u32 => i32;
}

macro_rules! byte {
    ($($type:ty),*) => {$(
        impl Integer for $type {
            fn multiply(context: Context, operands: (MatRef<'_, Self>, MatRef<'_, Self>), c: MatMut<'_, Self>) {
                bytes(context, operands, c, |sum| sum as $type);
            }
        }
    )*};
}

byte!(i8, u8);

macro_rules! long {
    ($($type:ty),*) => {$(
        impl Integer for $type {
            fn multiply(context: Context, (a, b): (MatRef<'_, Self>, MatRef<'_, Self>), c: MatMut<'_, Self>) {
                let (a, b): (MatRef<'_, i64>, MatRef<'_, i64>) = (view(a), view(b));
                // A look at each item pays where each is used some times.
                let is_worth_it = a.shape().0.min(b.shape().1) >= LOOKS_MIN;
                if is_worth_it && fits_i32(a) && fits_i32(b) {
                    context.narrow((a, b), view_mut(c));
                } else {
                    wrapping::<i64, i64>(context, (a, b), view_mut(c));
                }
            }
        }
    )*};
}

long!(i64, u64);

/// From so many rows and columns on, `i64` operands are looked at.
const LOOKS_MIN: usize = 4;

fn fits_i32(view: MatRef<'_, i64>) -> bool {
    // Bit 31 and those above it are the same: all copies of the sign.
    let view = if view.strides().0 == 1 {
        view.transpose()
    } else {
        view
    };
    let fits = |&x: &i64| i64::from(x as i32) == x;
    let ((m, n), (row, column)) = (view.shape(), view.strides());
    // The rows of a view without columns may begin past the end.
    n == 0
        || (0..m).all(|i| {
            if column == 1 {
                let items = &view.data()[i * row..][..n];
                return items.iter().fold(true, |all, x| all & fits(x));
            }
            view.row(i).all(fits)
        })
}

fn wrapping<T, I>(context: Context, (a, b): (MatRef<'_, T>, MatRef<'_, T>), c: MatMut<'_, T>)
where
    T: SameBits<Wrapping<I>>,
    Wrapping<I>: nexus_kernels::Real + Packing,
{
    let (a, b): (MatRef<'_, Wrapping<I>>, MatRef<'_, Wrapping<I>>) = (view(a), view(b));
    let (one, zero) = (
        <Wrapping<I> as nexus_kernels::Real>::ONE,
        Wrapping::<I>::default(),
    );
    context.real_gemm(one, a, b, zero, view_mut(c));
}
