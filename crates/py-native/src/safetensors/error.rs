//! Errors of the crate as Python exceptions, with the texts of `safetensors` 0.8.0.

use std::io;
use std::path::Path;

use nexus_safetensors::SafeTensorError;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

pyo3::create_exception!(
    nexus.safetensors,
    SafetensorError,
    PyValueError,
    "A file that is no sound safetensors file, or tensors that cannot be written as one.\n\n\
     `tensor`, `offset` (a byte of the file) and `hint` say more, or are None."
);

/// What was attempted, as it stands in the text of an error.
#[derive(Clone, Copy)]
pub(crate) enum Doing {
    ReadingFile,
    ReadingBytes,
    Writing,
}

/// Gives the exception its attributes, for those who raise it without them.
pub(crate) fn init(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<SafetensorError>();
    for name in ["tensor", "offset", "hint"] {
        class.setattr(name, py.None())?;
    }
    Ok(())
}

/// An exception without more to say.
pub(crate) fn plain(text: impl Into<String>) -> PyErr {
    SafetensorError::new_err(text.into())
}

/// A tensor that is not there.
pub(crate) fn missing(py: Python<'_>, name: &str) -> PyErr {
    let exception = plain(format!("File does not contain tensor {name}"));
    describe(py, &exception, Some(name), None, None);
    exception
}

/// The exception for an error of the crate.
pub(crate) fn to_exception(py: Python<'_>, doing: Doing, error: &SafeTensorError) -> PyErr {
    if let SafeTensorError::File { source, path, .. } = error
        && let Some(errno) = source.raw_os_error()
    {
        return of_system(py, doing, errno, source, path);
    }
    let text = match doing {
        Doing::ReadingFile => format!("Error while deserializing header: {error}"),
        Doing::ReadingBytes => format!("Error while deserializing: {error}"),
        Doing::Writing => format!("Error while serializing: {error}"),
    };
    let exception = plain(text);
    describe(
        py,
        &exception,
        tensor_of(error),
        offset_of(error),
        error.hint(),
    );
    exception
}

/// What the system refused is an `OSError`; what it refused to write, a `SafetensorError` too.
fn of_system(py: Python<'_>, doing: Doing, errno: i32, source: &io::Error, path: &Path) -> PyErr {
    if matches!(doing, Doing::ReadingFile) && source.kind() == io::ErrorKind::NotFound {
        let text = format!("No such file or directory: {}", path.display());
        let exception = pyo3::exceptions::PyFileNotFoundError::new_err(text);
        // With a file name, the text would be Python's own.
        let _ = exception.value(py).setattr("errno", errno);
        return exception;
    }
    let text = io::Error::from_raw_os_error(errno).to_string();
    let text = text
        .split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned();
    let arguments = (errno, text, path.as_os_str().to_owned());
    if !matches!(doing, Doing::Writing) {
        // Python makes a PermissionError, IsADirectoryError, ... of these three.
        return PyOSError::new_err(arguments);
    }
    let raised = py
        .import("nexus.safetensors._errors")
        .and_then(|module| module.call_method1("write_error", arguments));
    match raised {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

fn tensor_of(error: &SafeTensorError) -> Option<&str> {
    match error {
        SafeTensorError::TensorNotFound(name)
        | SafeTensorError::InvalidOffset(name)
        | SafeTensorError::DuplicateName(name)
        | SafeTensorError::Tensor { name, .. } => Some(name),
        SafeTensorError::ReservedName => Some("__metadata__"),
        _ => None,
    }
}

/// The byte of the file at which the header stops being sound, where that is known.
fn offset_of(error: &SafeTensorError) -> Option<usize> {
    match error {
        SafeTensorError::InvalidHeader(error) => Some(8 + error.valid_up_to()),
        SafeTensorError::InvalidHeaderDeserialization(error) if error.line() == 1 => {
            Some(8 + error.column().saturating_sub(1))
        }
        _ => None,
    }
}

fn describe(
    py: Python<'_>,
    exception: &PyErr,
    tensor: Option<&str>,
    offset: Option<usize>,
    hint: Option<&str>,
) {
    let value = exception.value(py);
    // What cannot be added must not hide the error itself.
    let _ = tensor.map(|tensor| value.setattr("tensor", tensor));
    if let Some(offset) = offset {
        let _ = value.setattr("offset", offset);
    }
    if let Some(hint) = hint {
        let _ = value.setattr("hint", hint);
        let _ = value.call_method1("add_note", (format!("hint: {hint}"),));
    }
    if let Some(offset) = offset {
        let _ = value.call_method1("add_note", (format!("at byte {offset} of the file"),));
    }
}
