//! Torch and Paddle: tensors that share the memory by `DLPack`.

use std::sync::atomic::{AtomicBool, Ordering};

use nexus_tensor::DType;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::super::device::Device;
use super::types::{Types, attribute};
use super::{Framework, Part, import, placement};
use crate::raw::capsule;

pub(super) struct Torch {
    module: Py<PyModule>,
    from_dlpack: Py<PyAny>,
    /// `device=`, where tensors are to be moved.
    placement: Option<Py<PyDict>>,
    types: Types,
    /// Types that this torch does not take by `DLPack`: they come as bytes and are viewed.
    by_view: [AtomicBool; DType::ALL.len()],
}

impl Torch {
    pub(super) fn new(py: Python<'_>, device: Device) -> PyResult<Self> {
        let module = import(py, "torch", Framework::Torch)?;
        // The function behind `torch.from_dlpack`, which asks nothing of its argument.
        let from_dlpack = module
            .getattr("_C")
            .and_then(|inner| inner.getattr("_from_dlpack"))
            .or_else(|_| py.import("torch.utils.dlpack")?.getattr("from_dlpack"))?;
        let placement = match device {
            Device::Cpu => None,
            device => Some(placement(py, "device", device)?.unbind()),
        };
        let by_view = DType::ALL.map(|dtype| AtomicBool::new(dtype.size_bytes().is_none()));
        Ok(Self {
            module: module.unbind(),
            from_dlpack: from_dlpack.unbind(),
            placement,
            types: Types::new(),
            by_view,
        })
    }

    pub(super) fn tensor<'py>(&self, py: Python<'py>, part: &Part) -> PyResult<Bound<'py, PyAny>> {
        let tensor = self.on_cpu(py, part)?;
        match &self.placement {
            None => Ok(tensor),
            Some(keywords) => tensor.call_method("to", (), Some(keywords.bind(py))),
        }
    }

    fn on_cpu<'py>(&self, py: Python<'py>, part: &Part) -> PyResult<Bound<'py, PyAny>> {
        let dtype = part.dtype;
        let find = || self.module.bind(py).getattr(attribute(dtype)?);
        let wanted = self.types.get(py, dtype, find)?;
        let by_view = &self.by_view[dtype as usize];
        if !by_view.load(Ordering::Relaxed) {
            match self.share(py, part, dtype) {
                Ok(tensor) => return Ok(tensor),
                // One byte an item: these can be viewed. Others have no second way.
                Err(_) if dtype.size_bytes() == Some(1) => by_view.store(true, Ordering::Relaxed),
                Err(error) => return Err(error),
            }
        }
        self.share(py, part, DType::U8)?
            .call_method1("view", (wanted,))
    }

    fn share<'py>(
        &self,
        py: Python<'py>,
        part: &Part,
        dtype: DType,
    ) -> PyResult<Bound<'py, PyAny>> {
        let capsule = capsule(py, dtype, &part.layout, &part.memory, false)?;
        self.from_dlpack.bind(py).call1((capsule,))
    }
}

pub(super) struct Paddle {
    from_dlpack: Py<PyAny>,
    /// Where tensors are to be moved.
    place: Option<String>,
}

impl Paddle {
    pub(super) fn new(py: Python<'_>, device: Device) -> PyResult<Self> {
        import(py, "paddle", Framework::Paddle)?;
        let module = import(py, "paddle.utils.dlpack", Framework::Paddle)?;
        let place = match device {
            Device::Cpu => None,
            Device::Named("cuda", Some(number)) => Some(format!("gpu:{number}")),
            device => Some(device.to_string()),
        };
        Ok(Self {
            from_dlpack: module.getattr("from_dlpack")?.unbind(),
            place,
        })
    }

    /// `part` must be dense.
    pub(super) fn tensor<'py>(&self, py: Python<'py>, part: &Part) -> PyResult<Bound<'py, PyAny>> {
        // Paddle has no 16-bit unsigned numbers: files that it wrote so hold the upper halves of
        // floats.
        let dtype = match part.dtype {
            DType::U16 => DType::BF16,
            dtype => dtype,
        };
        attribute(dtype)?;
        let capsule = capsule(py, dtype, &part.layout, &part.memory, false)?;
        let tensor = self.from_dlpack.bind(py).call1((capsule,))?;
        match &self.place {
            None => Ok(tensor),
            Some(place) => tensor.call_method1("to", (place,)),
        }
    }
}
