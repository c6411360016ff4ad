//! Sums of products by subscripts, chains of products, and matrices made of matrices.

use crate::call::{Call, Pieces};
use crate::dtype::{Element, Item, Kind, computing, with_item};
use crate::elementwise::{self, Operation, broadcast_shape};
use crate::failed;
use crate::input::Operand;
use crate::output::EINSUM_PATH;
use crate::products::product;
use crate::raw::{Array, Dims, Dtype, LinAlgError, Output, Stack};
use crate::run::run;
use crate::stacks::Shape;
use crate::text::shape;
use nexus_linalg::products::{self, chain_order};
use nexus_linalg::stack::{self, Stack as _};
use nexus_linalg::tensor::{ArrayMut, ArrayRef, Einsum, row_major};
use nexus_linalg::{Context, MatMut, MatRef};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// The longest axis.
const LEN_MAX: usize = isize::MAX.cast_unsigned();

/// Operands, of which numbers are arrays without axes.
fn arrays(operands: &Bound<'_, PyTuple>) -> PyResult<Vec<Array>> {
    let array = |operand: Bound<'_, PyAny>| match operand.extract::<Operand>() {
        Ok(operand) => Ok(operand.array),
        Err(error) => {
            let row = PyList::new(operand.py(), [operand])?;
            let row = row.extract::<Operand>().map_err(|_| error)?.array;
            Ok(row.select(0, 0))
        }
    };
    operands.iter().map(array).collect()
}

/// The type that holds the items of all; float64 of none.
fn common_type(arrays: &[Array]) -> Dtype {
    let types = arrays.iter().map(|array| array.dtype);
    types.reduce(Dtype::promote).unwrap_or(Dtype::F64)
}

/// What subscripts say of these operands.
fn plan(subscripts: &str, operands: &[Array]) -> PyResult<Einsum> {
    let shapes: Vec<Vec<usize>> = operands.iter().map(lens).collect();
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    Einsum::new(subscripts, &shapes)
        .map_err(|error| LinAlgError::new_err(format!("einsum: {error}")))
}

fn lens(array: &Array) -> Vec<usize> {
    array.shape().iter().map(|n| n.cast_unsigned()).collect()
}

/// The sum of products that `subscripts` name, as `numpy.einsum` reads them, in the cheapest order.
#[pyfunction]
#[pyo3(signature = (subscripts, /, *operands, threads = 1, like = None, out = None))]
pub(crate) fn einsum(
    py: Python<'_>,
    subscripts: &str,
    operands: &Bound<'_, PyTuple>,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "einsum", ("raise", threads), (like, out))?;
    let operands = arrays(operands)?;
    let plan = plan(subscripts, &operands)?;
    let (dtype, context) = (common_type(&operands), call.plan.context);
    let items = plan.shape().iter().map(|&n| n as f64).product::<f64>();
    let read = operands.iter().map(|array| array.len() as f64).sum::<f64>();
    let cost = plan.cost() + items + read;
    let result = run(py, cost, move || {
        if dtype.kind() == Kind::Whole {
            check_exact(&plan, &operands)?;
        }
        let result = computing!(dtype, T => contracted::<T>(context, &plan, &operands))?;
        match dtype.kind() {
            // By way of the widest type, because a sum wraps around.
            Kind::Whole => result.of_type(Dtype::I64)?.of_type(dtype),
            _ => Ok(result),
        }
    })?;
    call.give(result)
}

fn contracted<T: Element>(context: Context, plan: &Einsum, operands: &[Array]) -> PyResult<Array> {
    let values: Vec<_> = operands.iter().map(Array::values::<T>).collect();
    let shapes: Vec<Vec<usize>> = operands.iter().map(lens).collect();
    let strides: Vec<Vec<usize>> = shapes.iter().map(|shape| row_major(shape)).collect();
    let axes = shapes.iter().zip(&strides);
    let views = values
        .iter()
        .zip(axes)
        .map(|(values, (shape, strides))| ArrayRef::new(values, shape, strides));
    let views = views
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| failed(&error))?;
    let mut result = Output::<T>::new(Dims::shape(plan.shape())?)?;
    let strides = row_major(plan.shape());
    let target = ArrayMut::new(result.items(), plan.shape(), &strides);
    let done = target.and_then(|target| plan.run(context, &views, target));
    done.map_err(|error| failed(&error))?;
    Ok(result.into_array())
}

/// Below this float64 has all whole numbers.
const EXACT_MAX: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;

/// Refuses whole numbers whose sums of products may be rounded.
fn check_exact(plan: &Einsum, operands: &[Array]) -> PyResult<()> {
    let largest = |array: &Array| {
        let values = array.values::<f64>();
        values
            .iter()
            .fold(1.0_f64, |most, value| most.max(value.abs()))
    };
    let bound = operands.iter().map(largest).product::<f64>() * plan.products_per_item();
    if bound < EXACT_MAX {
        return Ok(());
    }
    let message = format!(
        "einsum: sums of these whole numbers may reach {bound:.0}, not below 2**53: give float64 operands, or use matmul"
    );
    Err(PyValueError::new_err(message))
}

/// The order in which `einsum` contracts: pairs of positions in a list, which leave it for their contraction at its
/// end, and the number of operations.
#[pyfunction]
#[pyo3(signature = (subscripts, /, *operands))]
pub(crate) fn einsum_path(
    py: Python<'_>,
    subscripts: &str,
    operands: &Bound<'_, PyTuple>,
) -> PyResult<Py<PyAny>> {
    let plan = plan(subscripts, &arrays(operands)?)?;
    let path = plan.path().to_vec().into_pyobject(py)?.into_any().unbind();
    let cost = plan.cost().into_pyobject(py)?.into_any().unbind();
    EINSUM_PATH.of(py, vec![path, cost])
}

/// The product of a chain of matrices, in the order that costs least; the first may be a row, the last a column.
#[pyfunction]
#[pyo3(signature = (arrays, /, *, threads = 1, like = None, out = None))]
pub(crate) fn multi_dot(
    py: Python<'_>,
    arrays: Vec<Operand>,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "multi_dot", ("raise", threads), (like, out))?;
    let chain: Vec<Array> = arrays.into_iter().map(|operand| operand.array).collect();
    let last = chain.len().saturating_sub(1);
    let size = |(at, array): (usize, &Array)| {
        let dims = lens(array);
        match *dims {
            [n] if at == 0 && last > 0 => Ok((1, n)),
            [n] if at == last && last > 0 => Ok((n, 1)),
            [.., m, n] => Ok((m, n)),
            _ => {
                let found = shape(&array.shape());
                let message = format!("multi_dot: expected a matrix at {at}, found shape {found}");
                Err(LinAlgError::new_err(message))
            }
        }
    };
    let sizes = chain
        .iter()
        .enumerate()
        .map(size)
        .collect::<PyResult<Vec<_>>>()?;
    let rows = sizes.iter().map(|size| size.0);
    let lens: Vec<usize> = rows.chain(sizes.last().map(|size| size.1)).collect();
    let cuts =
        chain_order(&lens).map_err(|error| LinAlgError::new_err(format!("multi_dot: {error}")))?;
    call.give(part(py, &chain, &cuts, (0, last), call.plan.context)?)
}

/// The product of the matrices from `first` to `last`.
fn part(
    py: Python<'_>,
    chain: &[Array],
    cuts: &[Vec<usize>],
    (first, last): (usize, usize),
    context: Context,
) -> PyResult<Array> {
    if first == last {
        return Ok(chain[first].clone());
    }
    let cut = cuts[first][last];
    let left = part(py, chain, cuts, (first, cut), context)?;
    let right = part(py, chain, cuts, (cut + 1, last), context)?;
    product(py, &left, &right, context)
}

/// The Kronecker product of vectors, or of each pair of matrices of stacks: each item of `a` times all of `b`.
#[pyfunction]
#[pyo3(signature = (a, b, /, *, threads = 1, like = None, out = None))]
pub(crate) fn kron(
    py: Python<'_>,
    a: Operand,
    b: Operand,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "kron", ("raise", threads), (like, out))?;
    let (a, b) = (a.array, b.array);
    if a.rank() == 1 && b.rank() == 1 {
        let items = elementwise::binary(py, &a.expanded(1)?, &b.expanded(0)?, Operation::Multiply)?;
        let count = items.len().cast_signed();
        return call.give(items.reshaped(Dims::new([count])?)?);
    }
    let (left, right) = (Shape::of("kron", &a)?, Shape::of("kron", &b)?);
    let batch = broadcast_shape(&left.batch, &right.batch).ok_or_else(|| {
        let (a, b) = (shape(&a.shape()), shape(&b.shape()));
        LinAlgError::new_err(format!("kron: the stacks of {a} and {b} do not fit"))
    })?;
    let side = |m: usize, p: usize| {
        m.checked_mul(p).filter(|&n| n <= LEN_MAX).ok_or_else(|| {
            let (a, b) = (shape(&a.shape()), shape(&b.shape()));
            PyValueError::new_err(format!("kron: the product of {a} and {b} is too large"))
        })
    };
    let (m, n) = (side(left.m, right.m)?, side(left.n, right.n)?);
    let whole = Shape { batch, m, n };
    if a.dtype.kind() == Kind::Whole && b.dtype.kind() == Kind::Whole {
        let (rank_a, rank_b) = (a.rank(), b.rank());
        let a = a.expanded(rank_a - 1)?.expanded(rank_a + 1)?;
        let b = b.expanded(rank_b - 2)?.expanded(rank_b)?;
        let items = elementwise::binary(py, &a, &b, Operation::Multiply)?;
        return call.give(items.reshaped(whole.with(&[m, n])?)?);
    }
    let under = |array: &Array, own: &Shape| {
        let dims = whole.with(&[own.m, own.n])?;
        Ok::<_, PyErr>(array.broadcast(&dims).expect("the stack fits"))
    };
    let (a, b) = (under(&a, &left)?, under(&b, &right)?);
    let context = call.plan.context;
    let result = run(
        py,
        whole.count() as f64 * m as f64 * n as f64,
        move || computing!(a.dtype.promote(b.dtype), T => kronecker::<T>(context, (&a, &b), &whole)),
    )?;
    call.give(result)
}

fn kronecker<T: Element>(
    context: Context,
    (a, b): (&Array, &Array),
    whole: &Shape,
) -> PyResult<Array> {
    let (m, n) = (whole.m, whole.n);
    let mut result = Output::<T>::new(whole.with(&[m, n])?)?;
    let (a, b) = (a.prepared::<T>()?, b.prepared::<T>()?);
    let (a, b) = (Stack::<T>::new(&a), Stack::<T>::new(&b));
    let places = Pieces::new(result.items(), m * n, whole.count());
    let failures = stack::map(context, (m * n) as f64, places, |_, index, items| {
        products::kron(a.get(index), b.get(index), MatMut::new(items, m, n)?)
    });
    match failures.into_iter().next() {
        Some((_, error)) => Err(failed(&error)),
        None => Ok(result.into_array()),
    }
}

/// Matrices along a diagonal, zeros elsewhere. A vector is a row, a number a matrix of one item; stacks broadcast.
#[pyfunction]
#[pyo3(signature = (*arrays, like = None, out = None))]
pub(crate) fn block_diag(
    py: Python<'_>,
    arrays: &Bound<'_, PyTuple>,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::plain(py, "block_diag", (like, out))?;
    let matrix = |array: Array| match array.rank() {
        0 => array.expanded(0)?.expanded(0),
        1 => array.expanded(0),
        _ => Ok(array),
    };
    let blocks = self::arrays(arrays)?;
    let blocks = blocks
        .into_iter()
        .map(matrix)
        .collect::<PyResult<Vec<_>>>()?;
    let misfit = || {
        let shapes: Vec<String> = blocks.iter().map(|block| shape(&block.shape())).collect();
        let shapes = shapes.join(", ");
        LinAlgError::new_err(format!("block_diag: the stacks of {shapes} do not fit"))
    };
    let mut whole = Shape {
        batch: Dims::new([])?,
        m: 0,
        n: 0,
    };
    for block in &blocks {
        let sizes = Shape::of("block_diag", block)?;
        let batch = broadcast_shape(&whole.batch, &sizes.batch).ok_or_else(misfit)?;
        let (m, n) = (whole.m + sizes.m, whole.n + sizes.n);
        if m.max(n) > LEN_MAX {
            let message = "block_diag: the blocks together are too large";
            return Err(PyValueError::new_err(message));
        }
        whole = Shape { batch, m, n };
    }
    let under = |block: &Array| {
        let sizes = Shape::of("block_diag", block)?;
        let dims = whole.with(&[sizes.m, sizes.n])?;
        block.broadcast(&dims).ok_or_else(misfit)
    };
    let blocks = blocks.iter().map(under).collect::<PyResult<Vec<_>>>()?;
    let dtype = common_type(&blocks);
    let result = run(
        py,
        whole.count() as f64 * whole.m as f64 * whole.n as f64,
        move || with_item!(dtype, T => laid::<T>(&blocks, &whole)),
    )?;
    call.give(result)
}

fn laid<T: Item>(blocks: &[Array], whole: &Shape) -> PyResult<Array> {
    let (m, n) = (whole.m, whole.n);
    let mut result = Output::<T>::new(whole.with(&[m, n])?)?;
    let blocks = blocks
        .iter()
        .map(Array::prepared::<T>)
        .collect::<PyResult<Vec<_>>>()?;
    let stacks: Vec<_> = blocks.iter().map(Stack::<T>::new).collect();
    for (index, items) in Pieces::new(result.items(), m * n, whole.count()).enumerate() {
        let parts: Vec<MatRef<'_, T>> = stacks.iter().map(|stack| stack.get(index)).collect();
        let place = MatMut::new(items, m, n);
        let done = place
            .map_err(Into::into)
            .and_then(|place| products::block_diag(&parts, place));
        done.map_err(|error| failed(&error))?;
    }
    Ok(result.into_array())
}
