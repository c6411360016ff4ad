//! Settings of steps from keyword arguments: they go through the form that plans have.

use std::fmt::Write;

use nexus_data::Error;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// A step of a plan, by its name and settings.
pub(super) fn step(op: &str, settings: Option<&Bound<'_, PyDict>>) -> PyResult<String> {
    let mut plan = format!("op = {}\n", quote(op));
    for (key, value) in settings.into_iter().flatten() {
        let (key, value) = (key.extract::<String>()?, value_of(&value)?);
        let _ = writeln!(plan, "{} = {value}", quote(&key));
    }
    Ok(plan)
}

/// The error of a step that was given as keyword arguments: they stand in no plan and on no line.
pub(super) fn exception(error: Error) -> PyErr {
    let message = error.to_string();
    let place = message.strip_prefix("plan, line ");
    let said = place.and_then(|rest| rest.split_once(": "));
    let said = said.map_or(message.as_str(), |(_, said)| said);
    Python::attach(|py| super::exception_saying(py, error, said.to_owned()))
}

/// A number of bytes, or a text such as `1GiB`.
pub(crate) struct Size(pub(crate) u64);

impl<'py> FromPyObject<'_, 'py> for Size {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(text) = value.extract::<String>() {
            return nexus_data::parse_size(&text)
                .map(Self)
                .map_err(PyValueError::new_err);
        }
        value.extract::<u64>().map(Self)
    }
}

/// A value in TOML. What is switched off is `false`, for TOML has no null.
fn value_of(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_none() {
        return Ok("false".to_owned());
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(value.is_true().to_string());
    }
    if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        return value.repr()?.extract();
    }
    if let Ok(value) = value.cast::<PyString>() {
        return Ok(quote(value.to_str()?));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let values: Vec<_> = value
            .try_iter()?
            .map(|each| value_of(&each?))
            .collect::<PyResult<_>>()?;
        return Ok(format!("[{}]", values.join(", ")));
    }
    if let Ok(path) = value.extract::<std::path::PathBuf>() {
        return path.to_str().map(quote).ok_or_else(|| {
            PyValueError::new_err(format!("the path {} is no Unicode", path.display()))
        });
    }
    let kind = value.get_type().name()?.to_string();
    Err(PyTypeError::new_err(format!(
        "a setting is a number, a text, a path, true or false, None or a list, not `{kind}`"
    )))
}

/// An option of object stores, which take all of them as text.
pub(super) fn text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(value.is_true().to_string());
    }
    if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyString>() {
        return value.str()?.extract();
    }
    let kind = value.get_type().name()?.to_string();
    Err(PyTypeError::new_err(format!(
        "an option of object stores is a text, a whole number, true or false, not `{kind}`"
    )))
}

/// A string in TOML: JSON's escapes are TOML's, but for DEL.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
