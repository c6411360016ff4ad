//! What the methods and operators of `Matrix` do.

#![expect(
    clippy::unnecessary_wraps,
    reason = "a table of methods has one kind of function"
)]

use crate::dtype::Kind;
use crate::elementwise::{self, Operation};
use crate::input::Operand;
use crate::output::Part;
use crate::products::dtype_named;
use crate::raw::{Array, Dims, Dtype, LinAlgError, Matrix, This, export, from_bytes};
use crate::stacks::Shape;
use crate::{index, products, quick, text};
use nexus_linalg::Context;
use nexus_tensor::dlpack::{self, Access, DEVICE_CPU};
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyList, PyMemoryView, PyString, PyTuple};

type Object<'py> = PyResult<Bound<'py, PyAny>>;
type Keywords<'a, 'py> = Option<&'a Bound<'py, PyDict>>;

/// `Matrix(data, dtype=None)`: the numbers of a nested list, a buffer, or an object with an array interface or
/// `DLPack`.
pub(crate) fn new<'py>(
    arguments: &Bound<'py, PyTuple>,
    keywords: Keywords<'_, 'py>,
) -> Object<'py> {
    let [dtype] = options("Matrix", keywords, ["dtype"])?;
    let data = match arguments.len() {
        1 => arguments.get_item(0)?,
        n => {
            let message = format!("Matrix() takes exactly one positional argument ({n} given)");
            return Err(PyTypeError::new_err(message));
        }
    };
    let array = data.extract::<Operand>()?.array;
    let dtype: Option<String> = dtype.map(|dtype| dtype.extract()).transpose()?;
    let array = match dtype {
        None => array,
        Some(name) => cast("Matrix", &array, dtype_named("Matrix", &name)?)?,
    };
    Matrix::new(array).into_object(arguments.py())
}

/// The items as ones of another type.
///
/// # Errors
/// `TypeError` where imaginary parts would be lost.
fn cast(function: &str, array: &Array, dtype: Dtype) -> PyResult<Array> {
    if array.dtype.kind() == Kind::Complex && dtype.kind() != Kind::Complex {
        let (from, to) = (array.dtype.name(), dtype.name());
        let message = format!("{function}: cannot make {to} of {from}: take the real part");
        return Err(PyTypeError::new_err(message));
    }
    array.of_type(dtype)
}

/// The values of keywords, in the order of their names; `None` counts as absent.
pub(crate) fn options<'py, const N: usize>(
    function: &str,
    keywords: Keywords<'_, 'py>,
    names: [&str; N],
) -> PyResult<[Option<Bound<'py, PyAny>>; N]> {
    let mut values = [const { None }; N];
    for (name, value) in keywords.into_iter().flatten() {
        let name: String = name.extract()?;
        let Some(place) = names.iter().position(|&known| known == name) else {
            let message = format!("{function}() got an unexpected keyword argument '{name}'");
            return Err(PyTypeError::new_err(message));
        };
        values[place] = Some(value).filter(|value| !value.is_none());
    }
    Ok(values)
}

pub(crate) fn shape<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyTuple::new(this.object.py(), this.array.shape().iter())?.into_any())
}

pub(crate) fn ndim<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyInt::new(this.object.py(), this.array.rank()).into_any())
}

pub(crate) fn size<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyInt::new(this.object.py(), this.array.len()).into_any())
}

pub(crate) fn dtype<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyString::new(this.object.py(), this.array.dtype.name()).into_any())
}

pub(crate) fn device<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyString::new(this.object.py(), "cpu").into_any())
}

pub(crate) fn t<'py>(this: This<'_, 'py>) -> Object<'py> {
    if this.array.rank() != 2 {
        let axes = this.array.rank();
        let message = format!("T is of a matrix; this has {axes} axes: take mT");
        return Err(LinAlgError::new_err(message));
    }
    Matrix::new(this.array.transposed()).into_object(this.object.py())
}

pub(crate) fn mt<'py>(this: This<'_, 'py>) -> Object<'py> {
    Shape::of("mT", &this.array)?;
    Matrix::new(this.array.transposed()).into_object(this.object.py())
}

/// The items of a matrix as ones of another type.
pub(crate) fn astype<'py>(this: This<'_, 'py>, dtype: &Bound<'py, PyAny>) -> Object<'py> {
    let name: String = dtype.extract()?;
    let dtype = dtype_named("astype", &name)?;
    Matrix::new(cast("astype", &this.array, dtype)?).into_object(this.object.py())
}

pub(crate) fn tolist<'py>(this: This<'_, 'py>) -> Object<'py> {
    text::nested(this.object.py(), &this.array)
}

pub(crate) fn tobytes<'py>(this: This<'_, 'py>) -> Object<'py> {
    PyMemoryView::from(&this.object)?.call_method0("tobytes")
}

pub(crate) fn repr<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyString::new(this.object.py(), &text::show(&this.array)).into_any())
}

pub(crate) fn len(this: This<'_, '_>) -> PyResult<isize> {
    let first = this.array.shape().first().copied();
    first.ok_or_else(|| PyTypeError::new_err("a number has no length"))
}

pub(crate) fn iterate<'py>(this: This<'_, 'py>) -> Object<'py> {
    let py = this.object.py();
    let rows = (0..len(this)?)
        .map(|i| Part(this.array.select(0, i)).into_python(py, None))
        .collect::<PyResult<Vec<_>>>()?;
    Ok(PyList::new(py, rows)?.try_iter()?.into_any())
}

/// Items, rows and parts by NumPy's basic indexing: numbers, slices, `...`.
pub(crate) fn item<'py>(this: This<'_, 'py>, key: &Bound<'py, PyAny>) -> Object<'py> {
    let part = index::part(&this.array, key)?;
    let part = Part(part).into_python(key.py(), None)?;
    Ok(part.into_bound(key.py()))
}

pub(crate) fn negative<'py>(this: This<'_, 'py>) -> Object<'py> {
    Matrix::new(elementwise::negative(&this.array)?).into_object(this.object.py())
}

pub(crate) fn positive<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(this.object.to_owned())
}

pub(crate) fn matmul<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> Object<'py> {
    let py = left.py();
    let (Some(a), Some(b)) = (Operand::of_matmul(left)?, Operand::of_matmul(right)?) else {
        return Ok(py.NotImplemented().into_bound(py));
    };
    let product = products::product(py, &a, &b, Context::default())?;
    Ok(Part(product).into_python(py, None)?.into_bound(py))
}

pub(crate) fn add<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> Object<'py> {
    item_by_item(left, right, Operation::Add)
}

pub(crate) fn subtract<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> Object<'py> {
    item_by_item(left, right, Operation::Subtract)
}

pub(crate) fn multiply<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> Object<'py> {
    item_by_item(left, right, Operation::Multiply)
}

pub(crate) fn divide<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> Object<'py> {
    item_by_item(left, right, Operation::Divide)
}

/// An operator of two operands, one of which is a matrix; a number beside it takes its type.
fn item_by_item<'py>(
    left: &Bound<'py, PyAny>,
    right: &Bound<'py, PyAny>,
    operation: Operation,
) -> Object<'py> {
    let py = left.py();
    if let (Some(a), Some(b)) = (Matrix::of(left), Matrix::of(right))
        && let Some(few) = quick::combined(py, (&a.array, &b.array), operation)
    {
        return Ok(few);
    }
    let pair = match (Matrix::of(left), Matrix::of(right)) {
        (Some(a), _) => Operand::of_operator(right, &a.array)?.map(|b| (a.array.clone(), b)),
        (None, Some(b)) => Operand::of_operator(left, &b.array)?.map(|a| (a, b.array.clone())),
        (None, None) => None,
    };
    match pair {
        Some((a, b)) => Matrix::new(elementwise::binary(py, &a, &b, operation)?).into_object(py),
        None => Ok(py.NotImplemented().into_bound(py)),
    }
}

/// Pickled as a buffer, which protocol 5 takes out of band.
pub(crate) fn reduce<'py>(this: This<'_, 'py>, protocol: &Bound<'py, PyAny>) -> Object<'py> {
    let py = this.object.py();
    let dense = if this.array.is_dense() {
        this.object.to_owned()
    } else {
        Matrix::new(this.array.copied()?).into_object(py)?
    };
    let items = if protocol.extract::<i32>()? >= 5 {
        py.import("pickle")?
            .call_method1("PickleBuffer", (dense,))?
    } else {
        dense.call_method0("tobytes")?
    };
    let arguments = (items, this.array.dtype.name(), shape(this)?);
    let rebuild = py.import("nexus._linalg")?.getattr("_rebuild")?;
    Ok((rebuild, arguments).into_pyobject(py)?.into_any())
}

/// The matrix that was pickled: its items lie in `items`, and are shared.
#[pyfunction(name = "_rebuild")]
#[pyo3(signature = (items, dtype, shape, /))]
pub(crate) fn rebuild<'py>(
    items: &Bound<'py, PyAny>,
    dtype: &str,
    shape: Vec<isize>,
) -> Object<'py> {
    let misfit = || {
        let message = format!("cannot unpickle a Matrix {shape:?} of {dtype}: other items");
        PyValueError::new_err(message)
    };
    let Some(dtype) = Dtype::named(dtype) else {
        return Err(misfit());
    };
    let count = shape.iter().try_fold(1_usize, |count, &n| {
        count.checked_mul(usize::try_from(n).ok()?)
    });
    let dims = Dims::new(shape.iter().copied())?;
    let bytes = PyMemoryView::from(items)?.call_method1("cast", ("B",))?;
    let flat = from_bytes(&bytes, dtype)?.ok_or_else(misfit)?;
    if Some(flat.len()) != count {
        return Err(misfit());
    }
    Matrix::new(flat.reshaped(dims)?).into_object(items.py())
}

/// The items as a memoryview (PEP 688).
pub(crate) fn buffer<'py>(this: This<'_, 'py>, flags: &Bound<'py, PyAny>) -> Object<'py> {
    if flags.extract::<i32>()? & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
        return Err(PyBufferError::new_err("a Matrix is read-only"));
    }
    Ok(PyMemoryView::from(&this.object)?.into_any())
}

/// What NumPy needs to view the items without a copy.
pub(crate) fn array_interface<'py>(this: This<'_, 'py>) -> Object<'py> {
    let py = this.object.py();
    let interface = PyDict::new(py);
    interface.set_item("version", nexus_tensor::numpy::VERSION)?;
    interface.set_item("typestr", this.array.dtype.typestr())?;
    interface.set_item("shape", shape(this)?)?;
    let strides = PyTuple::new(py, this.array.strides_bytes().iter())?;
    interface.set_item("strides", strides)?;
    interface.set_item("data", (this.array.address(), !this.lent))?;
    Ok(interface.into_any())
}

/// The items as a `DLPack` capsule, shared and read-only.
pub(crate) fn dlpack<'py>(
    this: This<'_, 'py>,
    arguments: &Bound<'py, PyTuple>,
    keywords: Keywords<'_, 'py>,
) -> Object<'py> {
    let py = this.object.py();
    if !arguments.is_empty() {
        let message = "__dlpack__() takes no positional arguments";
        return Err(PyTypeError::new_err(message));
    }
    let names = ["stream", "max_version", "dl_device", "copy"];
    let [stream, max_version, device, copy] = options("__dlpack__", keywords, names)?;
    let device: Option<(i32, i32)> = device.map(|it| it.extract()).transpose()?;
    let max_version: Option<(u32, u32)> = max_version.map(|it| it.extract()).transpose()?;
    let copy: Option<bool> = copy.map(|it| it.extract()).transpose()?;
    if stream.is_some() || device.is_some_and(|device| device != (DEVICE_CPU, 0)) {
        let message = "cannot export to a device: the items are in memory";
        return Err(PyBufferError::new_err(message));
    }
    let versioned = max_version.is_some_and(|(major, _)| major >= dlpack::VERSION.major);
    if copy == Some(true) || (copy.is_none() && !versioned && !this.lent) {
        // What may be written is a copy; DLPack before 1.0 cannot say that memory is read-only.
        return export(py, this.array.copied()?, versioned, Access::Writable);
    }
    if !versioned && !this.lent {
        let message = "cannot export read-only memory by DLPack before 1.0 without a copy";
        return Err(PyBufferError::new_err(message));
    }
    let access = if this.lent {
        Access::Writable
    } else {
        Access::ReadOnly
    };
    export(py, this.array.clone(), versioned, access)
}

pub(crate) fn dlpack_device<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok((DEVICE_CPU, 0).into_pyobject(this.object.py())?.into_any())
}

/// The versions of the standard that `nexus.linalg` follows.
const API_VERSIONS: [&str; 5] = ["2021.12", "2022.12", "2023.12", "2024.12", "2025.12"];

/// `nexus.linalg`, the namespace of the standard's functions for matrices.
pub(crate) fn array_namespace<'py>(
    this: This<'_, 'py>,
    arguments: &Bound<'py, PyTuple>,
    keywords: Keywords<'_, 'py>,
) -> Object<'py> {
    let [version] = options("__array_namespace__", keywords, ["api_version"])?;
    if !arguments.is_empty() {
        let message = "__array_namespace__() takes no positional arguments";
        return Err(PyTypeError::new_err(message));
    }
    if let Some(version) = version {
        let version: String = version.extract()?;
        if !API_VERSIONS.contains(&&*version) {
            let message =
                format!("nexus.linalg follows the array API up to 2025.12, not {version}");
            return Err(PyValueError::new_err(message));
        }
    }
    Ok(this.object.py().import("nexus.linalg")?.into_any())
}
