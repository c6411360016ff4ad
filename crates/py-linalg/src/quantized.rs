//! What the methods of `QMatrix` do.

#![expect(
    clippy::unnecessary_wraps,
    reason = "a table of methods has one kind of function"
)]

use crate::call::{Call, Pieces};
use crate::dtype::Kind;
use crate::failed;
use crate::input::Operand;
use crate::matrix::options;
use crate::output::Part;
use crate::raw::{Array, Dims, Dtype, LinAlgError, Matrix, Output, QMatrix, Stack, ThisQ};
use crate::run::run;
use crate::stacks::Shape;
use crate::text;
use nexus_linalg::kernels::BlockFormat;
use nexus_linalg::stack::Stack as _;
use nexus_linalg::{Context, Error, MatMut, MatRef};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyMemoryView, PyString, PyTuple};

type Object<'py> = PyResult<Bound<'py, PyAny>>;
type Keywords<'a, 'py> = Option<&'a Bound<'py, PyDict>>;

const FORMATS: [(&str, BlockFormat); 2] =
    [("q8_0", BlockFormat::Q8_0), ("q4_0", BlockFormat::Q4_0)];

/// Multiplications that cost as much as rounding one item to its block.
const COST_OF_ROUNDING: f64 = 16.0;

/// `QMatrix(weights, format="q8_0")`: the nearest numbers to those of any real operand.
pub(crate) fn new<'py>(
    arguments: &Bound<'py, PyTuple>,
    keywords: Keywords<'_, 'py>,
) -> Object<'py> {
    let py = arguments.py();
    let [weights, format] = bind("QMatrix", arguments, keywords, ["weights", "format"])?;
    let weights = weights.ok_or_else(|| PyTypeError::new_err("QMatrix() takes weights"))?;
    let format = match format {
        Some(name) => format_named(&name)?,
        None => BlockFormat::Q8_0,
    };
    let weights = floats("QMatrix", &weights.extract::<Operand>()?.array)?;
    if weights.rank() != 2 {
        let found = text::shape(&weights.shape());
        let message = format!("QMatrix: expected a matrix of weights, found {found}");
        return Err(LinAlgError::new_err(message));
    }
    let cost = weights.len() as f64 * COST_OF_ROUNDING;
    let made = run(py, cost, move || {
        let weights = Stack::<f32>::new(&weights);
        let made = nexus_linalg::QMatrix::quantize(format, weights.get(0));
        let made = made.map_err(|error| failed(&error))?;
        let blocks = made.blocks();
        Ok(QMatrix {
            format,
            shape: made.shape(),
            blocks: Array::of(blocks, Dims::shape(&[blocks.len()])?)?,
        })
    })?;
    made.into_object(py)
}

/// `QMatrix.from_blocks(data, format, shape)`: the blocks of a buffer, shared with it.
pub(crate) fn from_blocks<'py>(
    arguments: &Bound<'py, PyTuple>,
    keywords: Keywords<'_, 'py>,
) -> Object<'py> {
    let py = arguments.py();
    let names = ["data", "format", "shape"];
    let [Some(data), Some(format), Some(shape)] = bind("from_blocks", arguments, keywords, names)?
    else {
        return Err(PyTypeError::new_err(
            "from_blocks() takes data, format and shape",
        ));
    };
    let data = data.extract::<Operand>()?.array;
    if data.dtype != Dtype::U8 {
        let message = format!(
            "from_blocks: data is bytes, not items of type {}",
            data.dtype.name()
        );
        return Err(PyTypeError::new_err(message));
    }
    let made = QMatrix {
        format: format_named(&format)?,
        shape: shape.extract()?,
        blocks: data.reshaped(Dims::shape(&[data.len()])?)?,
    };
    with_blocks(&made, |_| Ok(()))?;
    made.into_object(py)
}

/// The values of positional and keyword arguments; `None` counts as absent. The first one has no keyword.
fn bind<'py, const N: usize>(
    function: &str,
    arguments: &Bound<'py, PyTuple>,
    keywords: Keywords<'_, 'py>,
    names: [&str; N],
) -> PyResult<[Option<Bound<'py, PyAny>>; N]> {
    let mut values = options(function, keywords, names)?;
    if values[0].is_some() {
        let name = names[0];
        let message = format!("{function}() takes {name} by position alone");
        return Err(PyTypeError::new_err(message));
    }
    if arguments.len() > N {
        let count = arguments.len();
        let message = format!("{function}() takes at most {N} arguments ({count} given)");
        return Err(PyTypeError::new_err(message));
    }
    for ((place, name), value) in values.iter_mut().zip(names).zip(arguments.iter()) {
        if place.replace(value).is_some() {
            let message = format!("{function}() got multiple values for argument '{name}'");
            return Err(PyTypeError::new_err(message));
        }
    }
    Ok(values)
}

fn format_named(name: &Bound<'_, PyAny>) -> PyResult<BlockFormat> {
    let name: String = name.extract()?;
    let known = FORMATS.iter().find(|&&(known, _)| known == name);
    known.map(|&(_, format)| format).ok_or_else(|| {
        let message = format!("QMatrix: format is \"q8_0\" or \"q4_0\", not \"{name}\"");
        PyValueError::new_err(message)
    })
}

fn name_of(format: BlockFormat) -> &'static str {
    match format {
        BlockFormat::Q8_0 => FORMATS[0].0,
        BlockFormat::Q4_0 => FORMATS[1].0,
    }
}

/// The items as float32.
///
/// # Errors
/// `TypeError` where imaginary parts would be lost.
fn floats(function: &str, array: &Array) -> PyResult<Array> {
    if array.dtype.kind() == Kind::Complex {
        let dtype = array.dtype.name();
        let message = format!("{function}: expected real numbers, not {dtype}");
        return Err(PyTypeError::new_err(message));
    }
    array.prepared::<f32>()
}

/// Does `work` with the library's matrix, which borrows the blocks.
///
/// # Errors
/// Where the blocks do not fit the shape; of `work`.
fn with_blocks<R>(
    matrix: &QMatrix,
    work: impl FnOnce(nexus_linalg::QMatrix<'_>) -> Result<R, Error>,
) -> PyResult<R> {
    let blocks = matrix.blocks.values::<u8>();
    nexus_linalg::QMatrix::from_blocks(matrix.format, matrix.shape, &*blocks)
        .and_then(work)
        .map_err(|error| failed(&error))
}

pub(crate) fn shape<'py>(this: ThisQ<'_, 'py>) -> Object<'py> {
    Ok(this.shape.into_pyobject(this.object.py())?.into_any())
}

pub(crate) fn format<'py>(this: ThisQ<'_, 'py>) -> Object<'py> {
    Ok(PyString::new(this.object.py(), name_of(this.format)).into_any())
}

pub(crate) fn nbytes<'py>(this: ThisQ<'_, 'py>) -> Object<'py> {
    Ok(PyInt::new(this.object.py(), this.blocks.len()).into_any())
}

pub(crate) fn repr<'py>(this: ThisQ<'_, 'py>) -> Object<'py> {
    let (rows, columns) = this.shape;
    let text = format!("QMatrix {rows}x{columns} {}", name_of(this.format));
    Ok(PyString::new(this.object.py(), &text).into_any())
}

/// The bytes of all blocks as a memoryview.
pub(crate) fn blocks<'py>(this: ThisQ<'_, 'py>) -> Object<'py> {
    let bytes = Matrix::new(this.blocks.clone()).into_object(this.object.py())?;
    Ok(PyMemoryView::from(&bytes)?.into_any())
}

/// Pickled as a buffer, which protocol 5 takes out of band.
pub(crate) fn reduce<'py>(this: ThisQ<'_, 'py>, protocol: &Bound<'py, PyAny>) -> Object<'py> {
    let py = this.object.py();
    let bytes = Matrix::new(this.blocks.clone()).into_object(py)?;
    let data = if protocol.extract::<i32>()? >= 5 {
        py.import("pickle")?
            .call_method1("PickleBuffer", (bytes,))?
    } else {
        bytes.call_method0("tobytes")?
    };
    let rebuild = this.object.get_type().getattr("from_blocks")?;
    let arguments = (data, name_of(this.format), this.shape);
    Ok((rebuild, arguments).into_pyobject(py)?.into_any())
}

/// The items as float32.
pub(crate) fn dequantize<'py>(
    this: ThisQ<'_, 'py>,
    arguments: &Bound<'py, PyTuple>,
    keywords: Keywords<'_, 'py>,
) -> Object<'py> {
    let py = this.object.py();
    if !arguments.is_empty() {
        let message = "dequantize() takes no positional arguments";
        return Err(PyTypeError::new_err(message));
    }
    let [like, out] = options("dequantize", keywords, ["like", "out"])?;
    let call = Call::plain(py, "dequantize", (like.as_ref(), out.as_ref()))?;
    let matrix = QMatrix::clone(&this);
    let (m, n) = matrix.shape;
    let items = run(py, m as f64 * n as f64, move || {
        let mut output = Output::<f32>::new(Dims::shape(&[m, n])?)?;
        with_blocks(&matrix, |blocks| {
            blocks.dequantize(MatMut::new(output.items(), m, n)?)
        })?;
        Ok(output.into_array())
    })?;
    Ok(call.give(items)?.into_bound(py))
}

/// `x @ W.T`: rows of activations times the rows of the matrix.
pub(crate) fn linear<'py>(
    this: ThisQ<'_, 'py>,
    arguments: &Bound<'py, PyTuple>,
    keywords: Keywords<'_, 'py>,
) -> Object<'py> {
    let py = this.object.py();
    let x = match arguments.len() {
        1 => arguments.get_item(0)?,
        n => {
            let message = format!("linear() takes exactly one positional argument ({n} given)");
            return Err(PyTypeError::new_err(message));
        }
    };
    let [threads, like, out] = options("linear", keywords, ["threads", "like", "out"])?;
    let threads = threads.map_or(Ok(1), |threads| threads.extract())?;
    let call = Call::new(
        py,
        "linear",
        ("raise", threads),
        (like.as_ref(), out.as_ref()),
    )?;
    let x = x.extract::<Operand>()?.array;
    let y = rows_times(py, &this, &x, call.plan.context)?;
    Ok(call.give(y)?.into_bound(py))
}

/// Each vector along the last axis of `x` times the rows of the matrix. One vector alone is rounded, as
/// `nexus_linalg::QMatrix::matvec` has it.
fn rows_times(py: Python<'_>, q: &QMatrix, x: &Array, context: Context) -> PyResult<Array> {
    if x.rank() < 2 {
        return product(py, q, x, context);
    }
    let (m, k) = q.shape;
    let x = floats("linear", x)?;
    let axis = x.rank() - 1;
    if x.shape()[axis] != k.cast_signed() {
        let x = text::shape(&x.shape());
        let message = format!("linear: rows of {x} do not fit the {m}x{k} matrix: {k} items each");
        return Err(LinAlgError::new_err(message));
    }
    let n = x.shape()[..axis].iter().product::<isize>().cast_unsigned();
    let result = x.shape().with(axis, m.cast_signed());
    let rows = x.reshaped(Dims::shape(&[n, k])?)?;
    let q = q.clone();
    run(py, m as f64 * k as f64 * n as f64, move || {
        let mut output = Output::<f32>::new(result)?;
        let rows = rows.values::<f32>();
        with_blocks(&q, |weights| {
            let x = MatRef::new(&rows, n, k)?.transpose();
            let y = MatMut::new(output.items(), n, m)?.transpose();
            weights.matmul(context, x, y)
        })?;
        Ok(output.into_array())
    })
}

/// `q @ x`. The other way round, there is `linear`.
pub(crate) fn matmul<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> Object<'py> {
    let py = left.py();
    let Some(q) = QMatrix::of(left) else {
        let message = "cannot multiply by a QMatrix from the left: q.linear(x) is x @ W.T";
        return Err(PyTypeError::new_err(message));
    };
    let Some(x) = Operand::of_matmul(right)? else {
        return Ok(py.NotImplemented().into_bound(py));
    };
    let product = product(py, q, &x, Context::default())?;
    Ok(Part(product).into_python(py, None)?.into_bound(py))
}

/// The product with a vector, which is rounded, or with each matrix of a stack, as float32.
pub(crate) fn product(py: Python<'_>, q: &QMatrix, x: &Array, context: Context) -> PyResult<Array> {
    let (m, k) = q.shape;
    let x = floats("matmul", x)?;
    let inner = if x.rank() == 1 {
        0
    } else {
        x.rank().wrapping_sub(2)
    };
    if x.shape().get(inner) != Some(&k.cast_signed()) {
        let x = text::shape(&x.shape());
        let message = format!("cannot multiply a {m}x{k} QMatrix by {x}: the inner sizes differ");
        return Err(LinAlgError::new_err(message));
    }
    let (n, count) = if x.rank() == 1 {
        (1, 1)
    } else {
        let sizes = Shape::of("matmul", &x)?;
        (sizes.n, sizes.count())
    };
    let result = x.shape().with(inner, m.cast_signed());
    let q = q.clone();
    run(py, m as f64 * x.len() as f64, move || {
        let mut output = Output::<f32>::new(result)?;
        with_blocks(&q, |weights| {
            if x.rank() == 1 {
                return weights.matvec(context, &x.values::<f32>(), output.items());
            }
            let stack = Stack::<f32>::new(&x);
            for (index, y) in Pieces::new(output.items(), m * n, count).enumerate() {
                weights.matmul(context, stack.get(index), MatMut::new(y, m, n)?)?;
            }
            Ok(())
        })?;
        Ok(output.into_array())
    })
}
