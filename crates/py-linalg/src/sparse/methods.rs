//! What the methods and operators of `SparseMatrix` do.

#![expect(
    clippy::unnecessary_wraps,
    reason = "a table of methods has one kind of function"
)]

use super::matrix::{Format, Sparse, check_real};
use super::products;
use crate::elementwise::{self, Operation};
use crate::input::Operand;
use crate::output::Part;
use crate::products::dtype_named;
use crate::raw::{Array, Class, Matrix, Receiver};
use nexus_linalg::Context;
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyString};

type Object<'py> = PyResult<Bound<'py, PyAny>>;
type This<'a, 'py> = Receiver<'a, 'py, Sparse>;

pub(crate) fn shape<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(this.shape.into_pyobject(this.object.py())?.into_any())
}

pub(crate) fn ndim<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyInt::new(this.object.py(), 2).into_any())
}

pub(crate) fn nnz<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyInt::new(this.object.py(), this.stored()).into_any())
}

pub(crate) fn dtype<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyString::new(this.object.py(), this.data.dtype.name()).into_any())
}

pub(crate) fn format<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyString::new(this.object.py(), this.format.name()).into_any())
}

fn array<'py>(this: This<'_, 'py>, array: &Array) -> Object<'py> {
    Matrix::new(array.clone()).into_object(this.object.py())
}

pub(crate) fn data<'py>(this: This<'_, 'py>) -> Object<'py> {
    array(this, &this.data)
}

pub(crate) fn indices<'py>(this: This<'_, 'py>) -> Object<'py> {
    array(this, &this.indices)
}

pub(crate) fn indptr<'py>(this: This<'_, 'py>) -> Object<'py> {
    array(this, &this.indptr)
}

pub(crate) fn t<'py>(this: This<'_, 'py>) -> Object<'py> {
    this.transposed().give(this.object.py())
}

/// More than that of NumPy's arrays.
pub(crate) fn array_priority<'py>(this: This<'_, 'py>) -> Object<'py> {
    Ok(PyFloat::new(this.object.py(), 10.1).into_any())
}

fn of_format<'py>(this: This<'_, 'py>, format: Format) -> Object<'py> {
    let py = this.object.py();
    if this.format == format {
        return Ok(this.object.to_owned());
    }
    this.of_format(py, format)?.give(py)
}

pub(crate) fn tocsr<'py>(this: This<'_, 'py>) -> Object<'py> {
    of_format(this, Format::Csr)
}

pub(crate) fn tocsc<'py>(this: This<'_, 'py>) -> Object<'py> {
    of_format(this, Format::Csc)
}

pub(crate) fn sum_duplicates<'py>(this: This<'_, 'py>) -> Object<'py> {
    this.to_canonical(this.object.py())?.give(this.object.py())
}

pub(crate) fn todense<'py>(this: This<'_, 'py>) -> Object<'py> {
    Matrix::new(this.to_dense(this.object.py())?).into_object(this.object.py())
}

pub(crate) fn diagonal<'py>(this: This<'_, 'py>) -> Object<'py> {
    Matrix::new(this.diagonal(this.object.py())?).into_object(this.object.py())
}

/// The items as ones of another type.
pub(crate) fn astype<'py>(this: This<'_, 'py>, dtype: &Bound<'py, PyAny>) -> Object<'py> {
    let name: String = dtype.extract()?;
    let dtype = dtype_named("astype", &name)?;
    check_real("astype", "dtype", dtype)?;
    this.of_type(dtype)?.give(this.object.py())
}

/// A `scipy.sparse` array over the same memory.
pub(crate) fn to_scipy<'py>(this: This<'_, 'py>) -> Object<'py> {
    let py = this.object.py();
    let (Ok(numpy), Ok(scipy)) = (py.import("numpy"), py.import("scipy.sparse")) else {
        let message = "to_scipy needs the package scipy: install it with `pip install scipy`";
        return Err(PyImportError::new_err(message));
    };
    let view = |array: Object<'py>| numpy.call_method1("asarray", (array?,));
    let arrays = (view(data(this))?, view(indices(this))?, view(indptr(this))?);
    let class = match this.format {
        Format::Csr => "csr_array",
        Format::Csc => "csc_array",
    };
    let keywords = PyDict::new(py);
    keywords.set_item("shape", this.shape)?;
    scipy.getattr(class)?.call((arrays,), Some(&keywords))
}

/// Pickled as its three arrays.
pub(crate) fn reduce<'py>(this: This<'_, 'py>, _protocol: &Bound<'py, PyAny>) -> Object<'py> {
    let py = this.object.py();
    let rebuild = py.import("nexus._linalg")?.getattr("_rebuild_sparse")?;
    let arrays = (data(this)?, indices(this)?, indptr(this)?);
    let arguments = (this.format.name(), this.shape, arrays.0, arrays.1, arrays.2);
    Ok((rebuild, arguments).into_pyobject(py)?.into_any())
}

pub(crate) fn repr<'py>(this: This<'_, 'py>) -> Object<'py> {
    let (m, n) = this.shape;
    let (dtype, format) = (this.data.dtype.name(), this.format.name());
    let items = match this.stored() {
        1 => "1 item".to_owned(),
        count => format!("{count} items"),
    };
    let text = format!("SparseMatrix {m}x{n} {dtype} {format}, {items}");
    Ok(PyString::new(this.object.py(), &text).into_any())
}

fn not_implemented(py: Python<'_>) -> Object<'_> {
    Ok(py.NotImplemented().into_bound(py))
}

pub(crate) fn matmul<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> Object<'py> {
    let py = left.py();
    let sparse = |operand| Sparse::of_sparse("matmul", operand);
    let product = match (sparse(left)?, sparse(right)?) {
        (Some(a), Some(b)) => return products::times_sparse(py, &a, &b)?.give(py),
        (Some(a), None) => match Operand::of_matmul(right)? {
            Some(b) => products::times_dense(py, &a, &b, Context::default())?,
            None => return not_implemented(py),
        },
        (None, Some(b)) => match Operand::of_matmul(left)? {
            Some(a) if a.rank() == 2 => {
                let (b, a) = (b.transposed(), a.transposed());
                products::times_dense(py, &b, &a, Context::default())?.transposed()
            }
            Some(a) => products::times_dense(py, &b.transposed(), &a, Context::default())?,
            None => return not_implemented(py),
        },
        (None, None) => return not_implemented(py),
    };
    Ok(Part(product).into_python(py, None)?.into_bound(py))
}

pub(crate) fn add<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> Object<'py> {
    sum(left, right, 1.0)
}

pub(crate) fn subtract<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> Object<'py> {
    sum(left, right, -1.0)
}

/// `left + beta right` of two sparse matrices.
fn sum<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>, beta: f64) -> Object<'py> {
    let py = left.py();
    let sparse = |operand| Sparse::of_sparse("add", operand);
    match (sparse(left)?, sparse(right)?) {
        (Some(a), Some(b)) => products::sum(py, (1.0, &a), (beta, &b))?.give(py),
        _ => not_implemented(py),
    }
}

pub(crate) fn multiply<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> Object<'py> {
    match Sparse::of(left) {
        Some(_) => scaled(left, right, Operation::Multiply),
        None => scaled(right, left, Operation::Multiply),
    }
}

pub(crate) fn divide<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> Object<'py> {
    scaled(left, right, Operation::Divide)
}

/// A sparse matrix times a number, or by one.
fn scaled<'py>(
    matrix: &Bound<'py, PyAny>,
    factor: &Bound<'py, PyAny>,
    operation: Operation,
) -> Object<'py> {
    let py = matrix.py();
    let Some(matrix) = Sparse::of(matrix) else {
        return not_implemented(py);
    };
    let factor = if Sparse::of(factor).is_none() {
        Operand::of_operator(factor, &matrix.data)?
    } else {
        None
    };
    match factor.filter(|factor| factor.rank() == 0) {
        Some(factor) => {
            let data = elementwise::binary(py, &matrix.data, &factor, operation)?;
            check_real("multiply", "the product", data.dtype)?;
            matrix.with_data(data).give(py)
        }
        None => not_implemented(py),
    }
}

pub(crate) fn negative<'py>(this: This<'_, 'py>) -> Object<'py> {
    let data = elementwise::negative(&this.data)?;
    this.with_data(data).give(this.object.py())
}
