//! Names of devices, with the rules and texts of `safetensors` 0.8.0.

use std::fmt;

use pyo3::prelude::*;

use super::error::plain;

/// Where a framework is to put tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Cpu,
    /// A kind of accelerator, and which one; Apple's has no number.
    Named(&'static str, Option<usize>),
    /// The accelerator of this number, of the kind that the framework has.
    Numbered(usize),
}

const MPS: &str = "mps";
const NUMBERED_KINDS: [&str; 7] = ["cuda", "musa", "npu", "xpu", "xla", "mlu", "hpu"];

impl Device {
    fn parse(name: &str) -> PyResult<Self> {
        let invalid = || plain(format!("device {name} is invalid"));
        let (kind, number) = match name.split_once(':') {
            None => (name, None),
            Some((_, number)) if number.contains(':') => return Err(invalid()),
            Some((kind, number)) => (kind, Some(number)),
        };
        if name == "cpu" {
            return Ok(Self::Cpu);
        }
        if kind == MPS {
            return match number.map(str::parse::<usize>).transpose()? {
                None | Some(0) => Ok(Self::Named(MPS, None)),
                Some(_) => Err(plain(format!(
                    "device {name} is invalid: only mps or mps:0 is supported"
                ))),
            };
        }
        let kind = NUMBERED_KINDS.into_iter().find(|each| *each == kind);
        let number = number.map_or(Ok(0), str::parse);
        kind.ok_or_else(invalid)
            .and_then(|kind| Ok(Self::Named(kind, Some(number?))))
    }

    /// As Python's torch and paddle take it.
    pub(crate) fn to_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Numbered(number) => Ok(number.into_pyobject(py)?.into_any()),
            named => Ok(named.to_string().into_pyobject(py)?.into_any()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Named(kind, None) => f.write_str(kind),
            Self::Named(kind, Some(number)) => write!(f, "{kind}:{number}"),
            Self::Numbered(number) => write!(f, "{number}"),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Device {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(name) = object.extract::<String>() {
            return Self::parse(&name);
        }
        let number = object.extract().map(Self::Numbered);
        number.or_else(|_| Err(plain(format!("device {} is invalid", object.repr()?))))
    }
}
