//! The element types of a framework, looked up once each.

use nexus_tensor::DType;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::super::error::plain;

/// Type objects by element type.
pub(super) struct Types([PyOnceLock<Py<PyAny>>; DType::ALL.len()]);

impl Types {
    pub(super) fn new() -> Self {
        Self([const { PyOnceLock::new() }; DType::ALL.len()])
    }

    /// The type object, which `find` looks up the first time.
    pub(super) fn get<'a, 'py>(
        &'a self,
        py: Python<'py>,
        dtype: DType,
        find: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<&'a Bound<'py, PyAny>> {
        let place = &self.0[dtype as usize];
        let found = place.get_or_try_init(py, || find().map(Bound::unbind))?;
        Ok(found.bind(py))
    }
}

/// The name that NumPy, torch and `ml_dtypes` have for a type.
pub(crate) fn attribute(dtype: DType) -> PyResult<&'static str> {
    NAMES
        .iter()
        .find_map(|(name, named)| (*named == dtype).then_some(*name))
        .ok_or_else(|| plain(format!("Dtype not understood: {dtype}")))
}

/// Names of frameworks' types, in the order in which errors list them.
pub(crate) const NAMES: [(&str, DType); 20] = [
    ("bool", DType::BOOL),
    ("int8", DType::I8),
    ("uint8", DType::U8),
    ("int16", DType::I16),
    ("uint16", DType::U16),
    ("int32", DType::I32),
    ("uint32", DType::U32),
    ("int64", DType::I64),
    ("uint64", DType::U64),
    ("float16", DType::F16),
    ("float32", DType::F32),
    ("float64", DType::F64),
    ("bfloat16", DType::BF16),
    ("float8_e4m3fn", DType::F8_E4M3),
    ("float8_e4m3fnuz", DType::F8_E4M3FNUZ),
    ("float8_e5m2", DType::F8_E5M2),
    ("float8_e5m2fnuz", DType::F8_E5M2FNUZ),
    ("float8_e8m0fnu", DType::F8_E8M0),
    ("float4_e2m1fn_x2", DType::F4),
    ("complex64", DType::C64),
];
