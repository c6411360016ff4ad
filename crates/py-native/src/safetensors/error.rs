//! Errors of the crate as Python exceptions, with the texts of `safetensors` 0.8.0.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use nexus_safetensors::{ErrorKind, Location, Metadata, SafeTensorError, locate, locate_in};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

pyo3::create_exception!(
    nexus.safetensors,
    SafetensorError,
    PyValueError,
    "A file that is no sound safetensors file, or tensors that cannot be written as one.\n\n\
     `tensor`, `offset` (a byte of the file) and `hint` say more, or are None."
);

/// The size of the number that opens a file.
const LENGTH_SIZE: u64 = size_of::<u64>() as u64;

/// What was attempted, and on what, as it stands in the text of an error.
#[derive(Clone, Copy)]
pub(crate) enum Doing<'a> {
    ReadingFile(&'a Path),
    ReadingBytes(&'a [u8]),
    Writing,
    /// What `safetensors` has no words for: a verb, and what it is done to.
    Other(&'static str, &'a Path),
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

/// An exception that says what to do.
pub(crate) fn hinted(py: Python<'_>, text: &str, hint: &str) -> PyErr {
    let exception = plain(text);
    describe(py, &exception, &Location::default(), Some(hint));
    exception
}

/// A tensor that is not there.
pub(crate) fn missing(py: Python<'_>, name: &str) -> PyErr {
    let exception = plain(format!("File does not contain tensor {name}"));
    set(py, &exception, "tensor", name);
    exception
}

/// The exception for an error of the crate. What is read again to find its place is the file that
/// the error names or that was opened.
pub(crate) fn to_exception(py: Python<'_>, doing: Doing<'_>, error: &SafeTensorError) -> PyErr {
    if let SafeTensorError::File { source, path, .. } = error
        && let Some(errno) = source.raw_os_error()
    {
        return of_system(py, doing, errno, source, path);
    }
    if let (Doing::Other(verb, _), SafeTensorError::InFile { path, source }) = (doing, error) {
        return to_exception(py, Doing::Other(verb, path), source);
    }
    let text = match doing {
        Doing::ReadingFile(_) => format!("Error while deserializing header: {error}"),
        Doing::ReadingBytes(_) => format!("Error while deserializing: {error}"),
        Doing::Writing => format!("Error while serializing: {error}"),
        Doing::Other(verb, path) => format!("cannot {verb} `{}`: {error}", path.display()),
    };
    let exception = plain(text);
    if let (Doing::Writing, SafeTensorError::HeaderTooLarge) = (doing, error) {
        // There is no file that could be wrong.
        let hint = "write fewer tensors or less metadata to one file";
        describe(py, &exception, &Location::default(), Some(hint));
        return exception;
    }
    let location = match doing {
        Doing::ReadingBytes(bytes) => py.detach(|| locate(bytes, error)),
        Doing::ReadingFile(path) | Doing::Other(_, path) if error.kind() == ErrorKind::Corrupt => {
            py.detach(|| locate_at(path, error)).unwrap_or_default()
        }
        Doing::ReadingFile(_) | Doing::Writing | Doing::Other(..) => locate(&[], error),
    };
    describe(py, &exception, &location, error.hint());
    exception
}

/// The place of an error in a file, of which the head is read again.
fn locate_at(path: &Path, error: &SafeTensorError) -> io::Result<Location> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut head = Vec::new();
    (&mut file).take(LENGTH_SIZE).read_to_end(&mut head)?;
    if let Ok(head_size) = Metadata::head_size(&head, size) {
        file.take(head_size as u64 - LENGTH_SIZE)
            .read_to_end(&mut head)?;
    }
    Ok(locate_in(&head, size, error))
}

/// What the system refused is an `OSError`; what it refused to write, a `SafetensorError` too.
fn of_system(
    py: Python<'_>,
    doing: Doing<'_>,
    errno: i32,
    source: &io::Error,
    path: &Path,
) -> PyErr {
    if matches!(doing, Doing::ReadingFile(_)) && source.kind() == io::ErrorKind::NotFound {
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

fn describe(py: Python<'_>, exception: &PyErr, location: &Location, hint: Option<&str>) {
    if let Some(tensor) = &location.tensor {
        set(py, exception, "tensor", tensor);
    }
    if let Some(offset) = location.offset {
        set(py, exception, "offset", offset);
    }
    if let Some(hint) = hint {
        set(py, exception, "hint", hint);
        note(py, exception, format!("hint: {hint}"));
    }
    if location.offset.is_some() {
        note(py, exception, format!("at {location}"));
    }
}

/// Adds a line to an exception.
pub(crate) fn note(py: Python<'_>, exception: &PyErr, text: String) {
    // What cannot be added must not hide the error itself.
    let _ = exception.value(py).call_method1("add_note", (text,));
}

/// Gives an exception an attribute.
pub(crate) fn set<'py>(
    py: Python<'py>,
    exception: &PyErr,
    name: &str,
    value: impl IntoPyObject<'py>,
) {
    let _ = exception.value(py).setattr(name, value);
}
