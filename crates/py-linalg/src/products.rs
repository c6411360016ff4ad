//! Products of matrices and vectors.

use crate::call::{Call, Pieces};
use crate::dtype::{Item, Kind, computing, with_item, with_whole};
use crate::elementwise::{self, Operation, broadcast_shape};
use crate::failed;
use crate::input::Operand;
use crate::quantized;
use crate::raw::{Array, Dims, Dtype, LinAlgError, Output, QMatrix, Stack};
use crate::run::run;
use crate::stacks::Shape;
use crate::text::shape;
use half::{bf16, f16};
use nexus_linalg::stack::{self, Stack as _};
use nexus_linalg::{Context, Error, MatMut, MatRef};
use pyo3::Borrowed;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// The matrix product; a vector on the left is a row, one on the right a column. Products of whole numbers wrap
/// around in their type, unless `dtype` names a wider one. The left one may be a `QMatrix`.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, dtype = None, threads = 1, like = None, out = None))]
pub(crate) fn matmul(
    py: Python<'_>,
    x1: Left,
    x2: Operand,
    dtype: Option<&str>,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "matmul", ("raise", threads), (like, out))?;
    let dtype = dtype.map(|name| dtype_named("matmul", name)).transpose()?;
    let context = call.plan.context;
    call.give(match x1 {
        Left::Array(a) => {
            let dtype = dtype.unwrap_or_else(|| product_type(a.dtype, x2.array.dtype));
            product_of_type(py, &a, &x2.array, dtype, context)?
        }
        Left::Quantized(q) => {
            if dtype.is_some_and(|dtype| dtype != Dtype::F32) {
                let message = "matmul: the product of a QMatrix is float32";
                return Err(PyTypeError::new_err(message));
            }
            quantized::product(py, &q, &x2.array, context)?
        }
    })
}

/// The left operand of a product.
pub(crate) enum Left {
    Array(Array),
    Quantized(QMatrix),
}

impl<'py> FromPyObject<'_, 'py> for Left {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match QMatrix::of(&object) {
            Some(q) => Ok(Self::Quantized(q.clone())),
            None => object.extract::<Operand>().map(|a| Self::Array(a.array)),
        }
    }
}

/// The type of this name.
///
/// # Errors
/// `ValueError` that lists the names.
pub(crate) fn dtype_named(function: &str, name: &str) -> PyResult<Dtype> {
    Dtype::named(name).ok_or_else(|| {
        let names: Vec<&str> = Dtype::ALL.iter().map(|dtype| dtype.name()).collect();
        let names = names.join(", ");
        PyValueError::new_err(format!("{function}: dtype is one of {names}, not {name}"))
    })
}

/// The type of a product: whole numbers stay whole, narrow floats give float32.
fn product_type(a: Dtype, b: Dtype) -> Dtype {
    let dtype = a.promote(b);
    if dtype.kind() == Kind::Whole {
        dtype
    } else {
        dtype.computed()
    }
}

/// The product of `a` and `b` on the threads of a context.
pub(crate) fn product(py: Python<'_>, a: &Array, b: &Array, context: Context) -> PyResult<Array> {
    product_of_type(py, a, b, product_type(a.dtype, b.dtype), context)
}

/// [`product`] with sums and results of a type.
fn product_of_type(
    py: Python<'_>,
    a: &Array,
    b: &Array,
    dtype: Dtype,
    context: Context,
) -> PyResult<Array> {
    let misfit = |why: &str| {
        let (a, b) = (shape(&a.shape()), shape(&b.shape()));
        LinAlgError::new_err(format!("cannot multiply {a} by {b}: {why}"))
    };
    if a.rank() == 0 || b.rank() == 0 {
        return Err(misfit("use `*` for numbers"));
    }
    let row = if a.rank() == 1 {
        a.expanded(0)?
    } else {
        a.clone()
    };
    let column = if b.rank() == 1 {
        b.expanded(1)?
    } else {
        b.clone()
    };
    let (left, right) = (Shape::of("matmul", &row)?, Shape::of("matmul", &column)?);
    if left.n != right.m {
        return Err(misfit("the inner sizes differ"));
    }
    let differ = || misfit("the stacks differ");
    let batch = broadcast_shape(&left.batch, &right.batch).ok_or_else(differ)?;
    let result = Shape {
        batch,
        m: left.m,
        n: right.n,
    };
    let under = |array: &Array, m, n| {
        let dims = result.with(&[m, n])?;
        array.broadcast(&dims).ok_or_else(differ)
    };
    let (a_stack, b_stack) = (
        under(&row, left.m, left.n)?,
        under(&column, right.m, right.n)?,
    );
    let each = left.m as f64 * left.n as f64 * right.n as f64;
    let product = run(py, each * result.count() as f64, move || {
        multiply(context, (&a_stack, &b_stack), dtype, &result)
    })?;
    let rank = product.rank();
    let product = if b.rank() == 1 {
        product.select(rank - 1, 0)
    } else {
        product
    };
    Ok(if a.rank() == 1 {
        product.select(product.rank() - if b.rank() == 1 { 1 } else { 2 }, 0)
    } else {
        product
    })
}

/// The products of two stacks with sums of a type, by the kernel for the types of the operands.
fn multiply(
    context: Context,
    (a, b): (&Array, &Array),
    dtype: Dtype,
    result: &Shape,
) -> PyResult<Array> {
    macro_rules! wide {
        ($left:ty, $right:ty, $sum:ty) => {
            each_product::<$left, $right, $sum>(context, (a, b), result, |context, a, b, c| {
                context.matmul_wide(a, b, c)
            })
        };
    }
    match (a.dtype, b.dtype, dtype) {
        (Dtype::I8, Dtype::I8, Dtype::I32) => return wide!(i8, i8, i32),
        (Dtype::U8, Dtype::U8, Dtype::I32) => return wide!(u8, u8, i32),
        (Dtype::I8, Dtype::U8, Dtype::I32) => return wide!(i8, u8, i32),
        (Dtype::U8, Dtype::I8, Dtype::I32) => return wide!(u8, i8, i32),
        (Dtype::I16, Dtype::I16, Dtype::I32) => return wide!(i16, i16, i32),
        (Dtype::F16, Dtype::F16, Dtype::F32) => return wide!(f16, f16, f32),
        (Dtype::BF16, Dtype::BF16, Dtype::F32) => return wide!(bf16, bf16, f32),
        _ => {}
    }
    if dtype.kind() == Kind::Whole {
        return with_whole!(dtype, T => {
            each_product::<T, T, T>(context, (a, b), result, |context, a, b, c| {
                context.matmul_wrapping(a, b, c)
            })
        });
    }
    let product = computing!(dtype, T => {
        let mut output = Output::<T>::new(result.with(&[result.m, result.n])?)?;
        let (a, b) = (a.prepared::<T>()?, b.prepared::<T>()?);
        let (a, b) = (Stack::<T>::new(&a), Stack::<T>::new(&b));
        let done = stack::matmul(context, &a, &b, output.items());
        done.map_err(|error| failed(&error))?;
        PyResult::Ok(output.into_array())
    })?;
    product.of_type(dtype)
}

fn each_product<A: Item, B: Item, C: Item>(
    context: Context,
    (a, b): (&Array, &Array),
    sizes: &Shape,
    work: impl Fn(Context, MatRef<'_, A>, MatRef<'_, B>, MatMut<'_, C>) -> Result<(), Error> + Sync,
) -> PyResult<Array> {
    let (m, n) = (sizes.m, sizes.n);
    let mut output = Output::<C>::new(sizes.with(&[m, n])?)?;
    let (a, b) = (a.prepared::<A>()?, b.prepared::<B>()?);
    let (a, b) = (Stack::<A>::new(&a), Stack::<B>::new(&b));
    let cost = m as f64 * n as f64 * a.shape().1 as f64;
    let places = Pieces::new(output.items(), m * n, sizes.count());
    let failures = stack::map(context, cost, places, |context, index, items| {
        work(
            context,
            a.get(index),
            b.get(index),
            MatMut::new(items, m, n)?,
        )
    });
    match failures.into_iter().next() {
        Some((_, error)) => Err(failed(&error)),
        None => Ok(output.into_array()),
    }
}

/// Each matrix with its rows and columns exchanged: a view.
#[pyfunction]
#[pyo3(signature = (x, /, *, like = None))]
pub(crate) fn matrix_transpose(
    py: Python<'_>,
    x: Operand,
    like: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::plain(py, "matrix_transpose", (like, None))?;
    Shape::of("matrix_transpose", &x.array)?;
    call.give(x.array.transposed())
}

/// The products of the items of two vectors.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, threads = 1, like = None, out = None))]
pub(crate) fn outer(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "outer", ("raise", threads), (like, out))?;
    let (a, b) = (x1.array, x2.array);
    if a.rank() != 1 || b.rank() != 1 {
        let (a, b) = (shape(&a.shape()), shape(&b.shape()));
        return Err(LinAlgError::new_err(format!(
            "outer: expected two vectors, found {a} and {b}"
        )));
    }
    call.give(each_by_each(py, &a.expanded(1)?, &b.expanded(0)?)?)
}

/// The products of the items of a column and of a row, in the type of a product.
fn each_by_each(py: Python<'_>, column: &Array, row: &Array) -> PyResult<Array> {
    let dtype = product_type(column.dtype, row.dtype);
    let (column, row) = (column.of_type(dtype)?, row.of_type(dtype)?);
    elementwise::binary(py, &column, &row, Operation::Multiply)
}

/// An axis counted from the front.
pub(crate) fn axis_of(name: &str, axis: isize, rank: usize) -> PyResult<usize> {
    let rank = rank.cast_signed();
    let at = if axis < 0 { axis + rank } else { axis };
    if (0..rank).contains(&at) {
        Ok(at.cast_unsigned())
    } else {
        Err(PyValueError::new_err(format!(
            "{name}: axis {axis} is out of range for {rank} axes"
        )))
    }
}

/// An axis moved to the end.
fn last(array: &Array, axis: usize) -> Array {
    let order: Vec<usize> = (0..array.rank())
        .filter(|&i| i != axis)
        .chain([axis])
        .collect();
    array.permuted(&order)
}

/// The sums of products along an axis, with broadcasting over the others; the items of `x1` are conjugated.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, axis = -1, threads = 1, like = None, out = None))]
pub(crate) fn vecdot(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    axis: isize,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "vecdot", ("raise", threads), (like, out))?;
    // The axis counts from the end for both, as the standard asks.
    let moved = |array: &Array| {
        let rank = array.rank().cast_signed();
        let from_end = if axis < 0 { axis } else { axis - rank };
        axis_of("vecdot", from_end, array.rank()).map(|at| last(array, at))
    };
    let (a, b) = (moved(&x1.array)?, moved(&x2.array)?);
    if a.shape().last() != b.shape().last() {
        let (a, b) = (shape(&x1.array.shape()), shape(&x2.array.shape()));
        let message = format!("vecdot: axis {axis} of {a} and of {b} differ in length");
        return Err(LinAlgError::new_err(message));
    }
    let row = elementwise::conjugated(&a)?.expanded(a.rank() - 1)?;
    let column = b.expanded(b.rank())?;
    let product = product(py, &row, &column, call.plan.context)?;
    let rank = product.rank();
    call.give(product.select(rank - 1, 0).select(rank - 2, 0))
}

/// The vector product of vectors of three items along an axis.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, axis = -1, like = None, out = None))]
pub(crate) fn cross(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    axis: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "cross", ("raise", 1), (like, out))?;
    let rank = x1.array.rank().max(x2.array.rank());
    let at = axis_of("cross", axis, rank)?;
    let part = |array: &Array| {
        let more = rank - array.rank();
        let own = at.checked_sub(more).filter(|&own| array.shape()[own] == 3);
        own.map(|own| last(array, own)).ok_or_else(|| {
            let found = shape(&array.shape());
            LinAlgError::new_err(format!("cross: axis {axis} of {found} has not length 3"))
        })
    };
    let (a, b) = (part(&x1.array)?, part(&x2.array)?);
    let turned = |array: &Array, by: isize| array.select(array.rank() - 1, by % 3);
    let item = |i: isize| {
        let (ahead, behind) = (i + 1, i + 2);
        let plus = elementwise::binary(
            py,
            &turned(&a, ahead),
            &turned(&b, behind),
            Operation::Multiply,
        )?;
        let minus = elementwise::binary(
            py,
            &turned(&a, behind),
            &turned(&b, ahead),
            Operation::Multiply,
        )?;
        elementwise::binary(py, &plus, &minus, Operation::Subtract)
    };
    let parts = [item(0)?, item(1)?, item(2)?];
    call.give(stacked(&parts, at)?)
}

/// Arrays of one shape and type as one, side by side along a new axis.
fn stacked(parts: &[Array; 3], axis: usize) -> PyResult<Array> {
    fn go<T: Item>(parts: &[Array; 3], axis: usize) -> PyResult<Array> {
        let values: Vec<T> = parts
            .iter()
            .flat_map(|part| part.values::<T>().into_owned())
            .collect();
        let dims = Dims::new([3].into_iter().chain(parts[0].shape().iter().copied()))?;
        let front = Array::of(&values, dims)?;
        let mut order: Vec<usize> = (1..front.rank()).collect();
        order.insert(axis, 0);
        Ok(front.permuted(&order))
    }
    with_item!(parts[0].dtype, T => go::<T>(parts, axis))
}

/// Which axes `tensordot` sums over.
pub(crate) enum Axes {
    /// The last of one operand and the first of the other.
    Count(usize),
    /// These, in pairs.
    Pairs(Vec<isize>, Vec<isize>),
}

impl<'py> FromPyObject<'_, 'py> for Axes {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let side = |item: &Bound<'_, PyAny>| match item.extract::<isize>() {
            Ok(axis) => Ok(vec![axis]),
            Err(_) => item.extract::<Vec<isize>>(),
        };
        let pairs = || {
            let both = object.extract::<Vec<Bound<'py, PyAny>>>()?;
            let [left, right] = &both[..] else {
                return Err(PyValueError::new_err("not a pair"));
            };
            Ok(Self::Pairs(side(left)?, side(right)?))
        };
        match object.extract::<usize>() {
            Ok(count) => Ok(Self::Count(count)),
            Err(_) => pairs().map_err(|_| {
                let message = format!(
                    "tensordot: axes is a number of axes, or a pair of axes or of lists of them, not {}",
                    &*object
                );
                PyValueError::new_err(message)
            }),
        }
    }
}

/// The sums of products over several axes.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, axes = Axes::Count(2), threads = 1, like = None, out = None))]
pub(crate) fn tensordot(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    axes: Axes,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "tensordot", ("raise", threads), (like, out))?;
    let (a, b) = (x1.array, x2.array);
    let (from_a, from_b) = match axes {
        Axes::Count(count) if count <= a.rank().min(b.rank()) => {
            ((a.rank() - count..a.rank()).collect(), (0..count).collect())
        }
        Axes::Count(count) => {
            let message = format!("tensordot: the operands have no {count} axes to sum over");
            return Err(PyValueError::new_err(message));
        }
        Axes::Pairs(left, right) => {
            let axes = |axes: &[isize], rank| -> PyResult<Vec<usize>> {
                axes.iter()
                    .map(|&axis| axis_of("tensordot", axis, rank))
                    .collect()
            };
            (axes(&left, a.rank())?, axes(&right, b.rank())?)
        }
    };
    let once = |axes: &[usize]| (0..axes.len()).all(|i| !axes[..i].contains(&axes[i]));
    let fit = from_a.len() == from_b.len()
        && once(&from_a)
        && once(&from_b)
        && from_a
            .iter()
            .zip(&from_b)
            .all(|(&i, &j)| a.shape()[i] == b.shape()[j]);
    if !fit {
        let (a, b) = (shape(&a.shape()), shape(&b.shape()));
        let message = format!("tensordot: axes {from_a:?} of {a} and {from_b:?} of {b} do not fit");
        return Err(LinAlgError::new_err(message));
    }
    let kept = |array: &Array, used: &[usize]| -> Vec<usize> {
        (0..array.rank())
            .filter(|axis| !used.contains(axis))
            .collect()
    };
    let (kept_a, kept_b) = (kept(&a, &from_a), kept(&b, &from_b));
    let length = |array: &Array, axes: &[usize]| -> isize {
        axes.iter().map(|&axis| array.shape()[axis]).product()
    };
    let k = length(&a, &from_a);
    let rows = a.permuted(&[&kept_a[..], &from_a].concat());
    let rows = rows.reshaped(Dims::new([length(&a, &kept_a), k])?)?;
    let columns = b.permuted(&[&from_b[..], &kept_b].concat());
    let columns = columns.reshaped(Dims::new([k, length(&b, &kept_b)])?)?;
    let result = if from_a.is_empty() {
        each_by_each(py, &rows, &columns)?
    } else {
        product(py, &rows, &columns, call.plan.context)?
    };
    let lengths = kept_a.iter().map(|&axis| a.shape()[axis]);
    let lengths = lengths.chain(kept_b.iter().map(|&axis| b.shape()[axis]));
    call.give(result.reshaped(Dims::new(lengths)?)?)
}
