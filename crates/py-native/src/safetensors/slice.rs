//! The class `PySafeSlice`: a tensor of which only a part is wanted.

use std::sync::Arc;

use nexus_safetensors::{Index, TensorInfo};
use pyo3::prelude::*;

use super::framework::{Framework, Part, item_type};
use super::index::{Indices, select};
use super::open::Open;

/// A tensor to be. Indexing it as NumPy does gives a part of it; `[...]` gives all of it.
#[pyclass(frozen, module = "nexus.safetensors")]
pub(crate) struct PySafeSlice {
    pub(crate) name: String,
    pub(crate) info: TensorInfo,
    pub(crate) open: Arc<Open>,
}

impl PySafeSlice {
    fn part<'py>(&self, py: Python<'py>, indices: &[Index]) -> PyResult<Bound<'py, PyAny>> {
        let Self { name, info, open } = self;
        let importer = &open.importer;
        if indices == [Index::Ellipsis] {
            return open.tensor(py, name, info);
        }
        let shape = importer.item_shape(info.dtype, &info.shape)?;
        let item = match importer.framework() {
            // Elements that share bytes stay what they are.
            Framework::Plain => info.dtype,
            _ => item_type(info.dtype),
        };
        let selection = select(item, &shape, indices)?;
        let strided = importer.takes(selection.layout());
        let (memory, layout) = open.source.part(py, name, &selection, strided)?;
        let dtype = info.dtype;
        importer.part(
            py,
            &Part {
                dtype,
                layout,
                memory,
            },
        )
    }
}

#[pymethods]
impl PySafeSlice {
    /// Return the length of each axis of the whole tensor.
    fn get_shape(&self) -> Vec<usize> {
        self.info.shape.clone()
    }

    /// Return the name of the element type in the format.
    fn get_dtype(&self) -> &'static str {
        self.info.dtype.name()
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = index.py();
        let torch = self.open.importer.framework() == Framework::Torch;
        match Indices::parse(index) {
            Ok(indices) if !(torch && indices.has_bool) => match self.part(py, &indices.list) {
                Err(_) if torch => {}
                done => return done,
            },
            Err(error) if !torch => return Err(error),
            _ => {}
        }
        // What is no basic index, or no index at all, torch itself knows best.
        self.part(py, &[Index::Ellipsis])?.get_item(index)
    }

    fn __repr__(&self) -> String {
        let (dtype, shape) = (self.info.dtype, &self.info.shape);
        format!("<nexus.safetensors.PySafeSlice {dtype} {shape:?}>")
    }
}
