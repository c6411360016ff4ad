//! Texts that Python hands in, where they lie: strings, bytes, files and Arrow columns.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{BinaryType, ByteArrayType, LargeBinaryType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, GenericByteArray, LargeBinaryArray, StructArray,
};
use arrow_schema::DataType;
use nexus_tokenizer::limits::TEXT_SIZE_MAX;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyByteArray, PyBytes, PyString};

use crate::raw::arrays;

/// The column of a table that holds the texts, where it has several.
const COLUMN: &str = "text";

/// Texts and what keeps them in memory.
pub(super) struct Texts(Vec<Owner>);

enum Owner {
    /// CPython keeps the UTF-8 of a string with it.
    Str(PyBackedStr),
    Bytes(PyBackedBytes),
    File(Vec<u8>),
    Column(Column),
}

/// A column of texts, taken as bytes: that they are UTF-8 is only what the producer says.
enum Column {
    Short(BinaryArray),
    Long(LargeBinaryArray),
    View(BinaryViewArray),
}

impl Texts {
    /// Takes a column of Arrow's, or an iterable of strings, bytes and paths of files.
    ///
    /// # Errors
    /// `TypeError` for other objects, `OSError` for a file that cannot be read.
    pub(super) fn new(texts: &Bound<'_, PyAny>) -> PyResult<Self> {
        if texts.is_instance_of::<PyString>() || texts.is_instance_of::<PyBytes>() {
            let message = "cannot take one text as a sequence of texts: put it into a list";
            return Err(PyTypeError::new_err(message));
        }
        if let Some(arrays) = arrays(texts)? {
            let columns = arrays.iter().map(Column::new);
            let owners: PyResult<_> = columns.map(|column| column.map(Owner::Column)).collect();
            return owners.map(Self);
        }
        let owners: PyResult<_> = texts.try_iter()?.map(|text| Owner::new(&text?)).collect();
        owners.map(Self)
    }

    /// The texts in order; one that is missing in a column is empty.
    ///
    /// # Errors
    /// A message for bytes that are no UTF-8, and for a text that is too long.
    pub(super) fn views(&self) -> Result<Vec<&str>, String> {
        let mut views = Vec::with_capacity(self.0.len());
        for owner in &self.0 {
            match owner {
                Owner::Str(text) => add(&mut views, Ok(text))?,
                Owner::Bytes(bytes) => add(&mut views, Err(bytes))?,
                Owner::File(bytes) => add(&mut views, Err(bytes))?,
                Owner::Column(column) => column.views(&mut views)?,
            }
        }
        Ok(views)
    }
}

/// Adds a text, or bytes that may be one.
fn add<'a>(views: &mut Vec<&'a str>, text: Result<&'a str, &'a [u8]>) -> Result<(), String> {
    let number = views.len();
    let text = text.or_else(std::str::from_utf8).map_err(|error| {
        let at = error.valid_up_to();
        format!("cannot encode text {number}: it is no UTF-8 from byte {at} on")
    })?;
    if text.len() > TEXT_SIZE_MAX {
        return Err(format!(
            "cannot encode text {number} of {} bytes: the limit is {TEXT_SIZE_MAX}",
            text.len()
        ));
    }
    views.push(text);
    Ok(())
}

impl Owner {
    fn new(text: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = text.cast::<PyString>() {
            return Ok(Self::Str(text.clone().try_into()?));
        }
        if let Ok(bytes) = text.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.clone().into()));
        }
        if let Ok(bytes) = text.cast::<PyByteArray>() {
            return Ok(Self::Bytes(bytes.clone().into()));
        }
        let Ok(path) = text.extract::<PathBuf>() else {
            let message = format!(
                "cannot take a text of type {}: it is str, bytes or a path of a file",
                text.get_type().name()?
            );
            return Err(PyTypeError::new_err(message));
        };
        let bytes = text.py().detach(|| read(&path))?;
        Ok(Self::File(bytes))
    }
}

/// Reads a file, and a byte more than a text has at most.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let at_path = |error: std::io::Error| {
        std::io::Error::new(
            error.kind(),
            format!("cannot read `{}`: {error}", path.display()),
        )
    };
    let mut bytes = Vec::new();
    let mut file = File::open(path)
        .map_err(at_path)?
        .take(TEXT_SIZE_MAX as u64 + 1);
    file.read_to_end(&mut bytes).map_err(at_path)?;
    Ok(bytes)
}

impl Column {
    fn new(array: &ArrayRef) -> PyResult<Self> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Short(array.as_string::<i32>().clone().into()),
            DataType::LargeUtf8 => Self::Long(array.as_string::<i64>().clone().into()),
            DataType::Utf8View => Self::View(array.as_string_view().clone().to_binary_view()),
            DataType::Binary => Self::Short(array.as_binary::<i32>().clone()),
            DataType::LargeBinary => Self::Long(array.as_binary::<i64>().clone()),
            DataType::BinaryView => Self::View(array.as_binary_view().clone()),
            DataType::Struct(_) => return Self::new(of_table(array.as_struct())?),
            other => {
                let message = format!("cannot take an Arrow column of type {other} as texts");
                return Err(PyTypeError::new_err(message));
            }
        })
    }

    fn views<'a>(&'a self, views: &mut Vec<&'a str>) -> Result<(), String> {
        match self {
            Self::Short(array) => views_of::<BinaryType>(array, views),
            Self::Long(array) => views_of::<LargeBinaryType>(array, views),
            Self::View(array) => {
                let mut bytes = array.iter().map(Option::unwrap_or_default);
                bytes.try_for_each(|bytes| add(views, Err(bytes)))
            }
        }
    }
}

fn views_of<'a, T: ByteArrayType<Native = [u8]>>(
    array: &'a GenericByteArray<T>,
    views: &mut Vec<&'a str>,
) -> Result<(), String> {
    let mut bytes = array.iter().map(Option::unwrap_or_default);
    bytes.try_for_each(|bytes| add(views, Err(bytes)))
}

/// The only column of a table, or the one called `text`.
fn of_table(table: &StructArray) -> PyResult<&ArrayRef> {
    match table.columns() {
        [column] => Ok(column),
        columns => table.column_by_name(COLUMN).ok_or_else(|| {
            PyValueError::new_err(format!(
                "cannot choose one of {} columns: none is called `{COLUMN}`; select one",
                columns.len()
            ))
        }),
    }
}
