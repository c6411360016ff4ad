//! Schur forms.

use super::elementary::square_root;
use super::{C, Square, check_result, fill};
use crate::condensed::{francis, hessenberg};
use crate::decompose::{self, Contents, NoConvergence};
use crate::{Complex, Context, Error, ErrorKind, Field, Float, MatMut, MatRef};

/// The real Schur form of any square matrix: `a = q t q^T` with orthogonal `q` and blocks of one or two rows along the
/// diagonal of `t`, of which those of two rows have equal diagonals and a pair of conjugate eigenvalues. NaN makes
/// both NaN. By J. G. F. Francis, "The QR transformation, part 2" (1962). Costs about `25 n^3` operations on the calling
/// thread.
///
/// # Errors
/// `InvalidInput` when the shapes are not square and equal, `Infinite`, `NoConvergence`.
pub fn real_schur<T: Float>(
    a: MatRef<'_, T>,
    t: MatMut<'_, T>,
    q: MatMut<'_, T>,
) -> Result<(), Error> {
    check_result("find the Schur form of", a.shape(), &t)?;
    check_result("find the Schur form of", a.shape(), &q)?;
    let (a, contents) = Square::<f64>::of("find the Schur form of", a)?;
    match contents {
        Contents::NaN => {
            fill(t, <T as Field>::NAN);
            fill(q, <T as Field>::NAN);
        }
        Contents::Finite(size) => {
            let form = Form::of(a, size.to_f64())?.unscaled();
            form.t.write(t);
            form.q.write(q);
        }
    }
    Ok(())
}

/// `a = scale * q t q^T`, in real numbers.
struct Form {
    t: Square<f64>,
    q: Square<f64>,
    /// A power of four.
    scale: f64,
}

/// `a = scale * q t q^H`, with a unitary `q` and an upper triangular `t`.
pub(super) struct Triangular {
    pub(super) t: Square<C>,
    pub(super) q: Square<C>,
    /// A power of four.
    pub(super) scale: f64,
}

impl Triangular {
    /// Of any square matrix; none of one with NaN.
    ///
    /// # Errors
    /// `InvalidInput` when the matrix is not square, `Infinite`, `NoConvergence`.
    pub(super) fn of<T: Field>(operation: &str, a: MatRef<'_, T>) -> Result<Option<Self>, Error> {
        if !T::IS_COMPLEX {
            let (a, contents) = Square::<f64>::of(operation, a)?;
            let Contents::Finite(size) = contents else {
                return Ok(None);
            };
            let form = Form::of(a, size.to_f64())?;
            let scale = form.scale;
            let (t, q) = form.into_complex();
            return Ok(Some(Self { t, q, scale }));
        }
        let (a, contents) = Square::<C>::of(operation, a)?;
        let Contents::Finite(size) = contents else {
            return Ok(None);
        };
        let half = half_exponent(size.to_f64());
        let a = a.scaled((-half).exp2()).scaled((-half).exp2());
        let (mut t, mut q) = (Square::zeros(a.n), Square::zeros(a.n));
        decompose::schur(a.view(), t.view_mut(), q.view_mut())?;
        let scale = (2.0 * half).exp2();
        Ok(Some(Self { t, q, scale }))
    }

    /// The same with its scale in the triangle.
    pub(super) fn unscaled(self) -> Self {
        let t = self.t.scaled(self.scale);
        Self {
            t,
            scale: 1.0,
            ..self
        }
    }
}

/// Matrices are scaled when the exponent of their largest item is past this.
const EXPONENT_MAX: f64 = 256.0;

/// Half of the exponent that a matrix is divided by whose largest item has this size.
fn half_exponent(size: f64) -> f64 {
    let exponent = if size == 0.0 { 0.0 } else { size.log2() };
    if exponent.abs() > EXPONENT_MAX {
        (exponent / 2.0).floor()
    } else {
        0.0
    }
}

impl Form {
    /// Of a finite matrix whose largest item has this size.
    pub(super) fn of(a: Square<f64>, size: f64) -> Result<Self, Error> {
        let n = a.n;
        let half = half_exponent(size);
        // In two steps, because the square of a half may be no number.
        let mut t = a.scaled((-half).exp2()).scaled((-half).exp2());
        let mut q = Square::identity(n);
        if n > 1 {
            let context = Context::default();
            let reflectors = hessenberg::reduce(context.isa(), &mut t.items, n);
            // The iteration turns rows, which lie together.
            q.items = reflectors.transposed(context);
            francis::iterate(context.isa(), &mut t.items, n, Some(&mut q.items)).map_err(
                |NoConvergence| {
                    let message = format!(
                        "cannot find the Schur form of a {n}x{n} matrix: the iteration does not end"
                    );
                    Error::new(ErrorKind::NoConvergence, message)
                },
            )?;
            q = q.transposed();
        }
        let scale = (2.0 * half).exp2();
        Ok(Self { t, q, scale })
    }

    /// The form with its scale in the triangle.
    fn unscaled(self) -> Self {
        let t = if self.scale == 1.0 {
            self.t
        } else {
            self.t.scaled(self.scale)
        };
        Self {
            t,
            scale: 1.0,
            ..self
        }
    }

    /// The same in complex numbers: an upper triangle and a unitary matrix. Blocks of two rows are turned into
    /// triangles one by one.
    fn into_complex(self) -> (Square<C>, Square<C>) {
        let (mut t, mut q) = (self.t.to_complex(), self.q.to_complex());
        let n = t.n;
        for m in 1..n {
            let below = self.t.at(m, m - 1);
            if below == 0.0 {
                continue;
            }
            let (a, b, d) = (
                self.t.at(m - 1, m - 1),
                self.t.at(m - 1, m),
                self.t.at(m, m),
            );
            let half = (a - d) / 2.0;
            let root = square_root(Complex::new(half * half + b * below, 0.0));
            // An eigenvalue, less the last item of the block.
            let shift = Complex::new(half, 0.0) + root;
            let length = Field::abs(shift).hypot(below);
            let (c, s) = (shift / length, below / length);
            for j in m - 1..n {
                let (x, y) = (t.at(m - 1, j), t.at(m, j));
                *t.item(m - 1, j) = c.conj() * x + y * s;
                *t.item(m, j) = c * y - x * s;
            }
            let turn = |a: &mut Square<C>, rows: usize| {
                for i in 0..rows {
                    let (x, y) = (a.at(i, m - 1), a.at(i, m));
                    *a.item(i, m - 1) = x * c + y * s;
                    *a.item(i, m) = y * c.conj() - x * s;
                }
            };
            turn(&mut t, m + 1);
            turn(&mut q, n);
            *t.item(m, m - 1) = Complex::default();
        }
        (t, q)
    }
}
