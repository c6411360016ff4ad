//! The classes `safe_open` and `_safe_open_handle`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nexus_safetensors::{SafeTensorError, TensorInfo};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyMemoryView, PyTuple, PyType};

use super::argument;
use super::checksum;
use super::device::Device;
use super::error::{Doing, missing, plain, to_exception};
use super::framework::{Framework, Home, Importer};
use super::slice::PySafeSlice;
use super::source::{BackendName, RulesName, Source, Way};
use crate::raw::{Memory, PausedCollection};

/// An open file and whom its tensors are for.
pub(crate) struct Open {
    pub(crate) source: Source,
    pub(crate) importer: Importer,
}

impl Open {
    fn new(
        py: Python<'_>,
        path: &Path,
        framework: Framework,
        device: Option<Device>,
        read: fn(&Path, Way) -> Result<Source, SafeTensorError>,
        way: Way,
    ) -> PyResult<Self> {
        let device = device.unwrap_or(Device::Cpu);
        // A file that is not there is worse than a device that is not.
        if !path.as_os_str().is_empty() && path.exists() {
            framework.check_device(device)?;
        }
        let source = py.detach(|| read(path, way));
        let source = source.map_err(|error| to_exception(py, Doing::ReadingFile(path), &error))?;
        let importer = Importer::new(py, framework, device)?;
        Ok(Self { source, importer })
    }

    pub(crate) fn info(&self, py: Python<'_>, name: &str) -> PyResult<&TensorInfo> {
        let info = self.source.file().info(name);
        info.map_err(|error| match error {
            SafeTensorError::TensorNotFound(name) => missing(py, &name),
            error => to_exception(py, Doing::ReadingFile(Path::new("")), &error),
        })
    }

    pub(crate) fn tensor<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        info: &TensorInfo,
    ) -> PyResult<Bound<'py, PyAny>> {
        let memory = self.source.memory(py, name)?;
        self.importer.tensor(py, info.dtype, &info.shape, memory)
    }

    fn tensors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tensors = PyDict::new(py);
        let source = self.source.loaded(py)?;
        let _paused = PausedCollection::new(py);
        for group in source.file().groups() {
            let memory = source.group_memory(py, &group)?;
            let home = Home::new(memory);
            for (name, info, range) in group.tensors() {
                let tensor = self.importer.tensor_in(py, info, &home, range)?;
                tensors.set_item(name, tensor)?;
            }
        }
        Ok(tensors)
    }
}

/// Opens a file; tensors are read as they are asked for.
///
/// `framework` says what tensors are: "pt", "np", "tf", "flax", "paddle" or "mlx", or None for
/// `nexus.safetensors.Tensor`. `device` is where torch and paddle put them. With the backend
/// "mmap" they are views of a private map of the file: nothing is read before it is touched, writes
/// stay in memory, and a tensor keeps the map alive after the file is closed. "pread", "direct" and
/// "uring" read them when they are asked for, `get_tensors` all at once; "populate" is a map that
/// is read in at once; "auto" maps, unless the file lies behind a network. `rules="strict"` refuses
/// what other readers may read in another way.
///
/// >>> from nexus.safetensors import Tensor, safe_open, save_file
/// >>> save_file({"x": Tensor(b"ab", dtype="U8", shape=(2,))}, "x.safetensors", {"by": "hand"})
/// >>> with safe_open("x.safetensors", framework="np") as file:
/// ...     file
/// ...     file.metadata()
/// ...     file["x"]
/// <safe_open 'x.safetensors': 1 tensor, 98 bytes, framework np>
/// {'by': 'hand'}
/// array([97, 98], dtype=uint8)
#[pyclass(name = "safe_open", module = "nexus.safetensors", frozen, subclass)]
pub(crate) struct SafeOpen {
    path: PathBuf,
    open: Mutex<Option<Arc<Open>>>,
}

impl SafeOpen {
    fn opened(&self) -> PyResult<Arc<Open>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.clone().ok_or_else(|| plain("File is closed"))
    }
}

#[pymethods]
impl SafeOpen {
    #[new]
    #[pyo3(signature = (filename, framework, device = Some(Device::Cpu), *, backend = Way::DEFAULT_BACKEND, rules = Way::DEFAULT_RULES))]
    fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = argument::filename)] filename: PathBuf,
        #[pyo3(from_py_with = argument::framework)] framework: Framework,
        #[pyo3(from_py_with = argument::device)] device: Option<Device>,
        #[pyo3(from_py_with = argument::backend)] backend: BackendName,
        rules: RulesName,
    ) -> PyResult<Self> {
        let open = Open::new(
            py,
            &filename,
            framework,
            device,
            Source::open,
            Way::new(backend, rules),
        )?;
        Ok(Self {
            path: filename,
            open: Mutex::new(Some(Arc::new(open))),
        })
    }

    /// Return the names, sorted.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.opened()?.source.file().names().into_pyobject(py)
    }

    /// Return the names in the order of the data.
    fn offset_keys(&self) -> PyResult<Vec<String>> {
        Ok(self.opened()?.source.file().offset_keys())
    }

    /// Return the free text of the header.
    fn metadata(&self) -> PyResult<Option<HashMap<String, String>>> {
        Ok(self.opened()?.source.file().metadata().cloned())
    }

    /// Return one tensor.
    fn get_tensor<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = argument::name)] name: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let open = self.opened()?;
        open.tensor(py, name, open.info(py, name)?)
    }

    /// Return every tensor by name, in the order of the data.
    fn get_tensors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.opened()?.tensors(py)
    }

    /// Return a tensor to be: index it to get a part.
    fn get_slice(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = argument::name)] name: &str,
    ) -> PyResult<PySafeSlice> {
        let open = self.opened()?;
        let info = open.info(py, name)?.clone();
        let name = name.to_owned();
        Ok(PySafeSlice { name, info, open })
    }

    /// Return type, shape, first byte and one past the last byte of a tensor in the file.
    fn info<'py>(
        &self,
        py: Python<'py>,
        name: &str,
    ) -> PyResult<(&'static str, Bound<'py, PyTuple>, usize, usize)> {
        let open = self.opened()?;
        let info = open.info(py, name)?;
        let range = open.source.file().byte_range(info);
        let shape = PyTuple::new(py, &info.shape)?;
        Ok((info.dtype.name(), shape, range.start, range.end))
    }

    /// Let the file go as soon as the last of its tensors does.
    fn close(&self) {
        let open = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(open);
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let open = self.opened()?;
        match open.source.file().info(name) {
            Ok(info) => open.tensor(py, name, info),
            Err(_) => Err(PyKeyError::new_err(name.to_owned())),
        }
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        let open = self.opened()?;
        let found = name.extract::<String>();
        Ok(found.is_ok_and(|name| open.source.file().info(&name).is_ok()))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.keys(py)?.try_iter()
    }

    fn __len__(&self) -> PyResult<usize> {
        Ok(self.opened()?.source.file().len())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (_exc_type, _exc_value, _traceback))]
    fn __exit__(
        &self,
        _exc_type: &Bound<'_, PyAny>,
        _exc_value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.close();
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let path = self.path.as_os_str().into_pyobject(py)?.repr()?;
        let Ok(open) = self.opened() else {
            return Ok(format!("<safe_open {path}: closed>"));
        };
        let (file, framework) = (open.source.file(), open.importer.framework().short_name());
        let (count, size) = (file.len(), file.size_bytes());
        let tensors = if count == 1 { "tensor" } else { "tensors" };
        Ok(format!(
            "<safe_open {path}: {count} {tensors}, {size} bytes, framework {framework}>"
        ))
    }

    /// The class itself: what it is generic in is known to type checkers only.
    #[classmethod]
    fn __class_getitem__<'py>(
        cls: &Bound<'py, PyType>,
        _item: &Bound<'py, PyAny>,
    ) -> Bound<'py, PyType> {
        cls.clone()
    }
}

/// `safe_open` for a file that Python has opened by name; the name is opened anew.
#[pyclass(name = "_safe_open_handle", module = "nexus.safetensors", frozen, extends = SafeOpen)]
pub(crate) struct SafeOpenHandle;

#[pymethods]
impl SafeOpenHandle {
    #[new]
    #[pyo3(signature = (f, framework, device = Some(Device::Cpu), *, backend = Way::DEFAULT_BACKEND, rules = Way::DEFAULT_RULES))]
    fn new(
        f: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = argument::framework)] framework: Framework,
        #[pyo3(from_py_with = argument::device)] device: Option<Device>,
        #[pyo3(from_py_with = argument::backend)] backend: BackendName,
        rules: RulesName,
    ) -> PyResult<PyClassInitializer<Self>> {
        f.getattr("fileno")?;
        let filename = f.getattr("name")?.extract()?;
        let open = SafeOpen::new(f.py(), filename, framework, device, backend, rules)?;
        Ok(PyClassInitializer::from(open).add_subclass(Self))
    }
}

/// Every tensor of the bytes of a file by name, in the order of the data. The bytes are copied once.
#[pyfunction]
#[pyo3(signature = (data, framework, *, rules = Way::DEFAULT_RULES))]
pub(crate) fn load<'py>(
    data: &Bound<'py, PyAny>,
    framework: Framework,
    rules: RulesName,
) -> PyResult<Bound<'py, PyDict>> {
    let py = data.py();
    let buffer;
    let bytes = match data.cast::<PyBytes>() {
        Ok(bytes) => bytes.as_bytes(),
        // `safetensors` takes nothing else, and says so.
        Err(error) if PyMemoryView::from(data).is_err() => {
            return Err(argument::named(py, "bytes", error.into()));
        }
        Err(_) => {
            buffer = Memory::of_object(data)?;
            buffer.bytes()
        }
    };
    let source = py.detach(|| Source::copy_of(bytes, rules.0));
    let source = source.map_err(|error| to_exception(py, Doing::ReadingBytes(bytes), &error))?;
    let importer = Importer::new(py, framework, Device::Cpu)?;
    Open { source, importer }.tensors(py)
}

/// Every tensor of a file by name, in the order of the data. With the backend "mmap" they are views
/// of a private map of the file; else the whole file is read at once. With `verify` each is compared
/// with its checksum before.
#[pyfunction]
#[pyo3(signature = (
    filename, framework, device = Some(Device::Cpu), *,
    backend = Way::DEFAULT_BACKEND, rules = Way::DEFAULT_RULES, verify = false
))]
#[expect(
    clippy::needless_pass_by_value,
    reason = "arguments come from Python as values"
)]
pub(crate) fn load_file(
    py: Python<'_>,
    #[pyo3(from_py_with = argument::filename)] filename: PathBuf,
    #[pyo3(from_py_with = argument::framework)] framework: Framework,
    #[pyo3(from_py_with = argument::device)] device: Option<Device>,
    #[pyo3(from_py_with = argument::backend)] backend: BackendName,
    rules: RulesName,
    verify: bool,
) -> PyResult<Bound<'_, PyDict>> {
    let way = Way::new(backend, rules);
    let open = Open::new(py, &filename, framework, device, Source::load, way)?;
    if verify {
        checksum::check(py, &filename, open.source.file())?;
    }
    open.tensors(py)
}
