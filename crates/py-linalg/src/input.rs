//! What a function takes: a `Matrix`, nested lists of numbers, or memory of another object.

use crate::dtype::Kind;
use crate::limits::RANK_MAX;
use crate::raw::{
    Array, Dims, Dtype, Matrix, Name, State, few_of_list, from_buffer, from_dlpack, from_interface,
    from_struct,
};
use nexus_linalg::Complex;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyComplex, PyFloat, PyInt, PyList, PyString, PyTuple};

/// An operand. Items of our types are shared with the object they come from, others are copied.
pub(crate) struct Operand {
    pub(crate) array: Array,
}

impl Operand {
    /// The other operand of an operator beside `left`: a number takes its type, unless it is of a greater kind.
    /// `None` for what is no operand.
    pub(crate) fn of_operator(other: &Bound<'_, PyAny>, left: &Array) -> PyResult<Option<Array>> {
        if let Some(matrix) = Matrix::of(other) {
            return Ok(Some(matrix.array.clone()));
        }
        let scalar = Dims::new([])?;
        if is_number(other) {
            if other.is_instance_of::<PyInt>() && left.dtype.kind() == Kind::Whole {
                let value = Array::of(&[other.extract::<i64>()?], scalar)?;
                return Ok(Some(value.of_type(left.dtype)?));
            }
            let value = Array::of(&[other.extract::<f64>()?], scalar)?;
            return Ok(Some(match left.dtype.kind() {
                Kind::Whole => value,
                _ => value.of_type(left.dtype)?,
            }));
        }
        if let Some(value) = complex_number(other) {
            let dtype = match left.dtype.computed() {
                Dtype::F32 | Dtype::C64 => Dtype::C64,
                _ => Dtype::C128,
            };
            return Ok(Some(Array::of(&[value], scalar)?.of_type(dtype)?));
        }
        Self::of_matmul(other)
    }

    /// The same for operators that take no numbers.
    pub(crate) fn of_matmul(other: &Bound<'_, PyAny>) -> PyResult<Option<Array>> {
        match other.extract::<Self>() {
            Ok(operand) => Ok(Some(operand.array)),
            Err(error) if error.is_instance_of::<PyTypeError>(other.py()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Operand {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let array = if let Some(matrix) = Matrix::of(&object) {
            matrix.array.clone()
        } else if let Some(few) = object
            .cast::<PyList>()
            .ok()
            .and_then(|list| few_of_list(&list))
        {
            few
        } else if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
            from_nested(&object)?
        } else {
            from_memory(&object)?
        };
        Ok(Self { array })
    }
}

/// Whether an option is true, as Python's `if` has it.
pub(crate) fn truth(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    object.is_truthy()
}

/// A number, or an operand.
pub(crate) struct Numbers {
    pub(crate) array: Array,
}

impl<'py> FromPyObject<'_, 'py> for Numbers {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let array = if is_number(&object) {
            Array::of(&[object.extract::<f64>()?], Dims::new([])?)?
        } else {
            object.extract::<Operand>()?.array
        };
        Ok(Self { array })
    }
}

/// Doors of other objects, the cheapest first.
fn from_memory(object: &Bound<'_, PyAny>) -> PyResult<Array> {
    let py = object.py();
    // An object without the door is asked for the next one; NumPy's structure is cheaper than its buffer.
    if crate::raw::is_ndarray(object) {
        if let Some(capsule) = State::current(py).attribute(object, Name::ArrayStruct) {
            return from_struct(object, &capsule);
        }
    } else if crate::raw::has_buffer(object) {
        return from_buffer(object);
    } else if State::current(py).is_known_tensor(object) {
        return from_dlpack(object);
    }
    if let Some(capsule) = object.getattr_opt("__array_struct__")? {
        return from_struct(object, &capsule);
    }
    if object.hasattr("__dlpack__")? {
        return from_dlpack(object);
    }
    if let Some(interface) = object.getattr_opt("__array_interface__")? {
        return from_interface(object, &interface);
    }
    let sequence = object.hasattr("__getitem__")? && object.len().is_ok();
    if sequence && !object.is_instance_of::<PyString>() {
        let items = object.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        return from_nested(PyList::new(py, items)?.as_any());
    }
    Err(PyTypeError::new_err(format!(
        "expected a Matrix, a buffer, an array or nested lists of numbers, not {}",
        object.get_type().name()?
    )))
}

/// Lists and tuples of one depth and equal lengths; the innermost items are numbers or arrays.
fn from_nested(object: &Bound<'_, PyAny>) -> PyResult<Array> {
    let mut shape = Vec::new();
    let mut first = object.clone();
    loop {
        let row = items(&first);
        match row {
            Some(row) if shape.len() < RANK_MAX => {
                shape.push(row.len());
                match row.into_iter().next() {
                    Some(item) => first = item,
                    None => break,
                }
            }
            Some(_) => {
                return Err(PyValueError::new_err(format!(
                    "more than {RANK_MAX} lists within lists"
                )));
            }
            None if is_number(&first) || complex_number(&first).is_some() => break,
            None => {
                let inner = first
                    .extract::<Operand>()
                    .map_err(|_| not_a_number(&first, &vec![0; shape.len()]))?;
                shape.extend(inner.array.shape().iter().map(|n| n.cast_unsigned()));
                break;
            }
        }
    }
    let mut values = Values::Real(Vec::new());
    fill(object, &shape, &mut Vec::new(), &mut values)?;
    let shape = Dims::shape(&shape)?;
    match values {
        Values::Real(values) => Array::of(&values, shape),
        Values::Complex(values) => Array::of(&values, shape),
    }
}

/// Numbers of nested lists: real until there is one that is not.
enum Values {
    Real(Vec<f64>),
    Complex(Vec<Complex<f64>>),
}

impl Values {
    fn push(&mut self, value: f64) {
        match self {
            Self::Real(values) => values.push(value),
            Self::Complex(values) => values.push(value.into()),
        }
    }

    fn complex(&mut self) -> &mut Vec<Complex<f64>> {
        if let Self::Real(values) = self {
            *self = Self::Complex(values.iter().map(|&value| value.into()).collect());
        }
        match self {
            Self::Complex(values) => values,
            Self::Real(_) => unreachable!("made complex above"),
        }
    }

    fn add(&mut self, array: &Array) {
        match self {
            Self::Real(values) if array.dtype.kind() != Kind::Complex => {
                values.extend_from_slice(&array.values::<f64>());
            }
            _ => self.complex().extend_from_slice(&array.values()),
        }
    }
}

/// Appends the numbers of `object`, which must have this shape; `path` says where it stands.
fn fill(
    object: &Bound<'_, PyAny>,
    shape: &[usize],
    path: &mut Vec<usize>,
    values: &mut Values,
) -> PyResult<()> {
    let Some((&len, inner)) = shape.split_first() else {
        if let Some(value) = number(object) {
            values.push(value);
        } else {
            let value = complex_number(object).ok_or_else(|| not_a_number(object, path))?;
            values.complex().push(value);
        }
        return Ok(());
    };
    let Some(row) = items(object) else {
        let array = object
            .extract::<Operand>()
            .map_err(|_| not_a_number(object, path))?
            .array;
        if array
            .shape()
            .iter()
            .map(|n| n.cast_unsigned())
            .ne(shape.iter().copied())
        {
            return Err(uneven(
                path,
                &format!("shape {:?}", &*array.shape()),
                &format!("shape {shape:?}"),
            ));
        }
        values.add(&array);
        return Ok(());
    };
    if row.len() != len {
        return Err(uneven(
            path,
            &format!("{} items", row.len()),
            &len.to_string(),
        ));
    }
    for (index, item) in row.iter().enumerate() {
        path.push(index);
        fill(item, inner, path, values)?;
        path.pop();
    }
    Ok(())
}

/// The items of a list or a tuple.
fn items<'py>(object: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    if let Ok(list) = object.cast::<PyList>() {
        Some(list.iter().collect())
    } else {
        object
            .cast::<PyTuple>()
            .ok()
            .map(|tuple| tuple.iter().collect())
    }
}

fn is_number(object: &Bound<'_, PyAny>) -> bool {
    (object.is_instance_of::<PyFloat>() || object.is_instance_of::<PyInt>())
        && !object.is_instance_of::<PyBool>()
}

/// A number, or an object that says what float it is.
fn number(object: &Bound<'_, PyAny>) -> Option<f64> {
    let refused = object.is_instance_of::<PyComplex>()
        || object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyBool>();
    if refused || items(object).is_some() {
        return None;
    }
    object.extract().ok()
}

/// A complex number, or an object that says which one it is.
fn complex_number(object: &Bound<'_, PyAny>) -> Option<Complex<f64>> {
    if object.is_instance_of::<PyString>() || object.is_instance_of::<PyBool>() {
        return None;
    }
    let number = match object.cast::<PyComplex>() {
        Ok(number) => number.clone(),
        Err(_) => object
            .call_method0("__complex__")
            .ok()?
            .cast_into::<PyComplex>()
            .ok()?,
    };
    Some(Complex::new(number.real(), number.imag()))
}

fn not_a_number(object: &Bound<'_, PyAny>, path: &[usize]) -> PyErr {
    let name = object.get_type().name();
    let name = name.map_or_else(|_| "?".into(), |name| name.to_string());
    PyTypeError::new_err(format!("item {path:?} is {name}, not a number"))
}

fn uneven(path: &[usize], found: &str, expected: &str) -> PyErr {
    let message = format!("item {path:?} has {found}, the first one of its kind has {expected}");
    PyValueError::new_err(message)
}
