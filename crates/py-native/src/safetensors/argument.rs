//! Arguments of the functions that `safetensors` has: one of a wrong type is refused in the words of
//! its release 0.8.0, which begin with the argument's name. Elsewhere the name stands in a note.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// Puts the name of an argument before the text of a `TypeError`.
pub(super) fn named(py: Python<'_>, name: &str, error: PyErr) -> PyErr {
    if !error.get_type(py).is(py.get_type::<PyTypeError>()) {
        return error;
    }
    PyTypeError::new_err(format!("argument '{name}': {}", error.value(py)))
}

/// For each name, a function for `from_py_with`.
macro_rules! names {
    ($($name:ident)*) => {
        $(pub(super) fn $name<'a, 'py, T: FromPyObject<'a, 'py>>(
            object: &'a Bound<'py, PyAny>,
        ) -> PyResult<T> {
            let extracted = object.extract::<T>();
            extracted.map_err(|error| named(object.py(), stringify!($name), error.into()))
        })*
    };
}

names! {
    backend bytes data_len data_ptr device dtype filename framework metadata name shape tensor_dict
}
