//! The classes `ElementType` and `Plan`: what to load, as Python says it.

use nexus_safetensors::{Dtype, can_cast};
use pyo3::prelude::*;

use super::error::plain;
use super::framework::NAMES;

/// A type of elements, by the format's name or a framework's, or a framework's own object for it.
#[derive(Clone, Copy)]
pub(crate) struct ElementType {
    pub(crate) dtype: Dtype,
    /// Whether it is a framework's item of two elements, so that the last dimension counts pairs.
    pub(crate) in_pairs: bool,
}

impl<'py> FromPyObject<'_, 'py> for ElementType {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let text = name_of(&object)?;
        let name = text.strip_prefix("torch.").unwrap_or(&text);
        let found = NAMES.iter().find(|(known, _)| *known == name);
        let found = found.map(|&(_, dtype)| dtype).or_else(|| name.parse().ok());
        let dtype = found.ok_or_else(|| {
            let known = NAMES.map(|(name, _)| name).join(", ");
            plain(format!(
                "dtype {name:?} is invalid (expected one of: {known}, or a name of the format such as F32)"
            ))
        })?;
        Ok(Self {
            dtype,
            in_pairs: dtype == Dtype::F4 && name != dtype.name(),
        })
    }
}

/// The name of a type: a string is one, NumPy's and TensorFlow's types have one, so have the
/// scalar classes of NumPy and JAX, and torch's types print as one.
fn name_of(object: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(name) = object.extract() {
        return Ok(name);
    }
    for attribute in ["name", "__name__"] {
        if let Ok(name) = object.getattr(attribute).and_then(|name| name.extract()) {
            return Ok(name);
        }
    }
    object.str()?.extract()
}

/// Which tensors of a checkpoint to load, which parts of them, and as which type.
#[pyclass(frozen, module = "nexus._native")]
pub(crate) struct Plan(pub(super) nexus_safetensors::Plan);

#[pymethods]
impl Plan {
    #[new]
    #[pyo3(signature = (
        names = None, *, dtype = None, dtypes = Vec::new(), shard = Vec::new(), rank = 0, world = 1,
    ))]
    fn new(
        names: Option<Vec<String>>,
        dtype: Option<ElementType>,
        dtypes: Vec<(String, ElementType)>,
        shard: Vec<(String, usize)>,
        rank: usize,
        world: usize,
    ) -> PyResult<Self> {
        let mut plan = match names {
            None => nexus_safetensors::Plan::all(),
            Some(names) => nexus_safetensors::Plan::names(names),
        };
        if let Some(ElementType { dtype, .. }) = dtype {
            if !can_cast(Dtype::F32, dtype) {
                return Err(plain(format!(
                    "cannot load as {dtype}: floats are converted to F64, F32, F16 or BF16"
                )));
            }
            plan = plan.dtype(dtype);
        }
        for (name, ElementType { dtype, .. }) in dtypes {
            plan = plan.dtype_of(name, dtype);
        }
        for (pattern, axis) in shard {
            plan = plan.shard(&pattern, axis, rank, world);
        }
        Ok(Self(plan))
    }
}
