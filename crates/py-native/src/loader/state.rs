//! States as dictionaries.

use nexus_loader::State;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The version of `state_dict`.
const VERSION: u64 = 1;

pub(super) fn to_dict(py: Python<'_>, state: State) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for (name, number) in [
        ("version", VERSION),
        ("seed", state.seed),
        ("epoch", state.epoch),
        ("cursor", state.cursor),
        ("rows", state.rows),
        ("fingerprint", state.fingerprint),
    ] {
        dict.set_item(name, number)?;
    }
    Ok(dict)
}

pub(super) fn of_dict(state: &Bound<'_, PyDict>) -> PyResult<State> {
    let number = |name: &str| -> PyResult<u64> {
        let Some(value) = state.get_item(name)? else {
            let message = format!("cannot load a state without `{name}`");
            return Err(PyValueError::new_err(message));
        };
        value.extract().map_err(|_| {
            let shown = value.repr().map(|shown| shown.to_string());
            let shown = shown.unwrap_or_default();
            let message =
                format!("cannot load a state whose `{name}` is {shown}, no number from 0");
            PyValueError::new_err(message)
        })
    };
    let version = number("version")?;
    if version != VERSION {
        let message = format!("cannot load a state of version {version}: {VERSION} is known");
        return Err(PyValueError::new_err(message));
    }
    Ok(State {
        seed: number("seed")?,
        epoch: number("epoch")?,
        cursor: number("cursor")?,
        rows: number("rows")?,
        fingerprint: number("fingerprint")?,
    })
}
