//! Rows of a batch as Python dictionaries.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, BinaryArray, BooleanArray, ListArray, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field};
use nexus_data::columns;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use super::pixels::Pixels;

/// The columns of a batch, their types found out once.
pub(super) struct Columns<'a> {
    cells: Vec<(Py<PyString>, Cells<'a>)>,
}

enum Cells<'a> {
    Strings(&'a StringArray),
    /// JSON objects, and the function that reads them.
    Json(&'a StringArray, Py<PyAny>),
    Long(&'a UInt64Array),
    Short(&'a UInt32Array),
    Lists(&'a ListArray, &'a UInt32Array),
    Texts(Box<dyn Fn(usize) -> &'a str + 'a>, &'a dyn Array),
    Whole(Box<dyn Fn(usize) -> i64 + 'a>, &'a dyn Array),
    Real(Box<dyn Fn(usize) -> f64 + 'a>, &'a dyn Array),
    Truth(&'a BooleanArray),
    Bytes(&'a BinaryArray),
    Pixels(Pixels<'a>),
}

impl<'a> Columns<'a> {
    pub(super) fn new(py: Python<'_>, batch: &'a RecordBatch) -> PyResult<Self> {
        let mut cells = Vec::with_capacity(batch.num_columns());
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let name = PyString::intern(py, field.name());
            cells.push((name.unbind(), Cells::new(py, field, array.as_ref())?));
        }
        Ok(Self { cells })
    }

    pub(super) fn row<'py>(&self, py: Python<'py>, row: usize) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, cells) in &self.cells {
            dict.set_item(name, cells.get(py, row)?)?;
        }
        Ok(dict)
    }
}

impl<'a> Cells<'a> {
    fn new(py: Python<'_>, field: &Field, array: &'a dyn Array) -> PyResult<Self> {
        let (name, metadata) = (field.name().as_str(), field.metadata());
        Ok(match array.data_type() {
            DataType::Utf8 if name == columns::FIELDS => {
                let loads = py.import("json")?.getattr("loads")?;
                Self::Json(array.as_string(), loads.unbind())
            }
            DataType::Utf8 => Self::Strings(array.as_string()),
            DataType::UInt64 => Self::Long(array.as_primitive::<UInt64Type>()),
            DataType::UInt32 => Self::Short(array.as_primitive::<UInt32Type>()),
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::FixedSizeList(_, _) if name == columns::PIXELS => {
                Self::Pixels(Pixels::new(py, array.as_fixed_size_list(), metadata)?)
            }
            DataType::LargeUtf8 => {
                let texts = array.as_string::<i64>();
                Self::Texts(Box::new(|row| texts.value(row)), array)
            }
            DataType::Utf8View => {
                let texts = array.as_string_view();
                Self::Texts(Box::new(|row| texts.value(row)), array)
            }
            DataType::Int32 => {
                let numbers = array.as_primitive::<Int32Type>();
                Self::Whole(Box::new(|row| numbers.value(row).into()), array)
            }
            DataType::Int64 => {
                let numbers = array.as_primitive::<Int64Type>();
                Self::Whole(Box::new(|row| numbers.value(row)), array)
            }
            DataType::Float32 => {
                let numbers = array.as_primitive::<Float32Type>();
                Self::Real(Box::new(|row| numbers.value(row).into()), array)
            }
            DataType::Float64 => {
                let numbers = array.as_primitive::<Float64Type>();
                Self::Real(Box::new(|row| numbers.value(row)), array)
            }
            DataType::Boolean => Self::Truth(array.as_boolean()),
            DataType::List(item) if item.data_type() == &DataType::UInt32 => {
                let list = array.as_list::<i32>();
                Self::Lists(list, list.values().as_primitive::<UInt32Type>())
            }
            other => {
                let message = format!("column `{name}` of type {other} has no form in Python");
                return Err(PyTypeError::new_err(message));
            }
        })
    }

    fn get<'py>(&self, py: Python<'py>, row: usize) -> PyResult<Bound<'py, PyAny>> {
        let valid = |array: &dyn Array| array.is_valid(row);
        match self {
            Self::Strings(array) => Ok(valid(array).then(|| array.value(row)).into_pyobject(py)?),
            Self::Json(array, loads) => Ok(loads.call1(py, (array.value(row),))?.into_bound(py)),
            Self::Long(array) => Ok(valid(array).then(|| array.value(row)).into_pyobject(py)?),
            Self::Short(array) => Ok(valid(array).then(|| array.value(row)).into_pyobject(py)?),
            Self::Texts(get, array) => Ok(valid(*array).then(|| get(row)).into_pyobject(py)?),
            Self::Whole(get, array) => Ok(valid(*array).then(|| get(row)).into_pyobject(py)?),
            Self::Real(get, array) => Ok(valid(*array).then(|| get(row)).into_pyobject(py)?),
            Self::Truth(array) => Ok(valid(*array).then(|| array.value(row)).into_pyobject(py)?),
            Self::Bytes(array) => {
                let bytes = valid(array).then(|| PyBytes::new(py, array.value(row)));
                Ok(bytes.into_pyobject(py)?)
            }
            Self::Pixels(pixels) => pixels.get(py, row),
            Self::Lists(list, values) => {
                let offsets = list.value_offsets();
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                Ok(PyList::new(py, &values.values()[range])?.into_any())
            }
        }
    }
}

/// `batch` with other texts.
pub(super) fn with_text(batch: &RecordBatch, texts: &[String]) -> PyResult<RecordBatch> {
    let schema = batch.schema();
    let Some((at, _)) = schema.column_with_name(columns::TEXT) else {
        return Err(PyTypeError::new_err(
            "step `map` needs the column `text`; put it before `cut`",
        ));
    };
    let mut columns = batch.columns().to_vec();
    columns[at] = Arc::new(StringArray::from_iter_values(texts));
    RecordBatch::try_new(schema, columns).map_err(|error| PyTypeError::new_err(error.to_string()))
}
