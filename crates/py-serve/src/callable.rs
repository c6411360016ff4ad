//! A Python callable as a handler.

use nexus_handler::{Bytes, Error, ErrorKind, Handler, Request, Response, Result};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyMapping, PySequence, PyString, PyType};

/// Calls `callable(bytes)`, one request at a time, on a thread of its own.
pub(crate) struct Callable(Py<PyAny>);

impl Callable {
    pub(crate) fn new(callable: Py<PyAny>) -> Self {
        Self(callable)
    }
}

impl Handler for Callable {
    fn handle(&self, request: Request) -> Result<Response> {
        let called = Python::try_attach(|py| {
            let body = PyBytes::new(py, request.body());
            let answer = self
                .0
                .bind(py)
                .call1((body,))
                .and_then(|answer| response(&answer));
            answer.or_else(|error| failure(py, &error))
        });
        called.unwrap_or_else(|| {
            Err(Error::new(
                ErrorKind::Unavailable,
                "the interpreter is ending",
            ))
        })
    }
}

/// `bytes` and `bytearray` as they are, `str` as text, mappings and sequences as JSON.
fn response(answer: &Bound<'_, PyAny>) -> PyResult<Response> {
    if answer.is_instance_of::<PyBytes>() || answer.is_instance_of::<PyByteArray>() {
        let bytes: PyBackedBytes = answer.extract()?;
        return Ok(Response::new(Bytes::from_owner(bytes)));
    }
    if answer.is_instance_of::<PyString>() {
        return Ok(Response::text(answer.extract::<String>()?));
    }
    // `json.dumps` knows `dict` and `list` alone.
    let plain = if answer.cast::<PyMapping>().is_ok() {
        Some(answer.py().get_type::<PyDict>())
    } else if answer.cast::<PySequence>().is_ok() {
        Some(answer.py().get_type::<PyList>())
    } else {
        None
    };
    if let Some(plain) = plain {
        let dumps = answer.py().import("json")?.getattr("dumps")?;
        let text = dumps.call1((plain.call1((answer,))?,))?;
        return Ok(Response::json(text.extract::<String>()?));
    }
    let found = answer.get_type().name()?.to_string();
    Err(pyo3::exceptions::PyTypeError::new_err(format!(
        "the handler returned {found}, expected bytes, str, dict or list"
    )))
}

/// What an exception of the handler means to the client.
///
/// `EndpointError` is the handler's own choice of a status; a `JSONDecodeError` that nobody caught
/// is the body's fault; anything else is the handler's, and its traceback goes to standard error.
fn failure(py: Python<'_>, error: &PyErr) -> Result<Response> {
    match refusal(py, error) {
        Ok(Some((status, message))) => match ErrorKind::from_status(status) {
            Some(kind) => Err(Error::new(kind, message)),
            None => Ok(Response::text(message).with_status(status)),
        },
        Ok(None) => {
            error.display(py);
            Err(Error::internal(error.to_string()))
        }
        Err(second) => {
            error.display(py);
            second.display(py);
            Err(Error::internal(error.to_string()))
        }
    }
}

/// Status and message, if the exception is one that refuses the request.
fn refusal(py: Python<'_>, error: &PyErr) -> PyResult<Option<(u16, String)>> {
    static ENDPOINT_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static DECODE_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let value = error.value(py);
    if value.is_instance(ENDPOINT_ERROR.import(py, "nexus.serve", "EndpointError")?)? {
        let status = value.getattr("status")?.extract()?;
        return Ok(Some((status, value.getattr("message")?.extract()?)));
    }
    if value.is_instance(DECODE_ERROR.import(py, "json", "JSONDecodeError")?)? {
        return Ok(Some((400, format!("the body is not JSON: {value}"))));
    }
    Ok(None)
}
