//! The classes `SafeWriter` and `SafeAppender`: files that are written piece by piece.
#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments come from Python as values"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use nexus_safetensors::{Dtype, SafeTensorError, View, WriteOptions};
use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyType};

use super::error::{Doing, hinted, note, to_exception};
use super::given::Given;
use super::plan::ElementType;
use crate::raw::Memory;

/// How many bytes are written before signals are looked at.
const STEP_SIZE: usize = 64 << 20;

/// The room for the header of a new file that grows: some hundred tensors.
const HEADER_CAPACITY: usize = 64 << 10;

/// Writes a file whose tensors are declared first and come later, in any order and in pieces.
///
/// `tensors` says for each name what it will be: a pair of type and shape, or anything that has
/// `dtype` and `shape`, such as a tensor on torch's device "meta". The file appears when every byte
/// has come and the block ends; an exception in the block leaves what was there. Nothing is
/// buffered, and threads may write at once. With `fsync` the end waits for the disk.
///
/// >>> from nexus.safetensors import SafeWriter, Tensor, load_file
/// >>> with SafeWriter("large.safetensors", {"a": ("U8", (2,)), "b": ("F32", (2,))}) as file:
/// ...     file.write("a", Tensor(b"ab", dtype="U8", shape=(2,)))
/// ...     file.write_at("b", 4, bytes(4))
/// ...     file.write_at("b", 0, bytes(4))
/// ...     file.missing_bytes
/// 0
/// >>> load_file("large.safetensors")["a"].tobytes()
/// b'ab'
#[pyclass(frozen, module = "nexus.safetensors")]
pub(crate) struct SafeWriter {
    path: PathBuf,
    /// Locked without the interpreter in hand.
    writer: RwLock<Option<nexus_safetensors::SafeWriter>>,
}

impl SafeWriter {
    /// Does something with the writer, without the interpreter in hand.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&nexus_safetensors::SafeWriter) -> Result<T, SafeTensorError> + Send,
    ) -> PyResult<T> {
        let done = py.detach(|| {
            let writer = self.writer.read().unwrap_or_else(PoisonError::into_inner);
            writer.as_ref().map(act)
        });
        let done = done.ok_or_else(|| finished(py, &self.path))?;
        done.map_err(|error| to_exception(py, Doing::Writing, &error))
    }

    fn take(&self, py: Python<'_>) -> Option<nexus_safetensors::SafeWriter> {
        py.detach(|| {
            let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
            writer.take()
        })
    }

    /// Writes bytes in steps, so that signals are heeded.
    fn put(&self, py: Python<'_>, name: &str, offset: usize, bytes: &[u8]) -> PyResult<()> {
        // One step also for no bytes, so that name and place are checked.
        for at in (0..bytes.len().max(1)).step_by(STEP_SIZE) {
            let step = &bytes[at..bytes.len().min(at + STEP_SIZE)];
            let start = offset.saturating_add(at);
            self.with(py, |writer| writer.write_at(name, start, step))?;
            py.check_signals()?;
        }
        Ok(())
    }
}

#[pymethods]
impl SafeWriter {
    #[new]
    #[pyo3(signature = (path, tensors, metadata = None, *, fsync = false, align = None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        tensors: &Bound<'_, PyMapping>,
        metadata: Option<HashMap<String, String>>,
        fsync: bool,
        align: Option<usize>,
    ) -> PyResult<Self> {
        let items = tensors.items()?;
        let declared = items.iter().map(|item| {
            let (name, what): (String, Bound<'_, PyAny>) = item.extract()?;
            let declared = declaration(&what).inspect_err(|error| {
                note(py, error, format!("in the declaration of tensor `{name}`"));
            });
            declared.map(|(dtype, shape)| (name, dtype, shape))
        });
        let declared: Vec<_> = declared.collect::<PyResult<_>>()?;
        let options = WriteOptions::default().fsync(fsync).align(align);
        let create = || nexus_safetensors::SafeWriter::create(&path, declared, metadata, options);
        let writer = py.detach(create);
        let writer = writer.map_err(|error| to_exception(py, Doing::Writing, &error))?;
        Ok(Self {
            path,
            writer: RwLock::new(Some(writer)),
        })
    }

    /// Write a whole tensor, of the type and shape that were declared.
    fn write(&self, py: Python<'_>, name: &str, tensor: Given) -> PyResult<()> {
        let tensor = &tensor.writable;
        let wanted = self.with(py, |writer| {
            let missing = || SafeTensorError::TensorNotFound(name.to_owned());
            writer.header().info(name).cloned().ok_or_else(missing)
        })?;
        let (dtype, shape) = (tensor.dtype(), tensor.shape());
        if (dtype, shape) != (wanted.dtype, wanted.shape.as_slice()) {
            let text = format!(
                "cannot write tensor `{name}`: it is {dtype} {shape:?}, not {} {:?}",
                wanted.dtype, wanted.shape
            );
            return Err(hinted(py, &text, "convert it, or declare it as what it is"));
        }
        self.put(py, name, 0, &tensor.data())
    }

    /// Write a piece of a tensor, from its byte `offset` on: row-major, little-endian bytes.
    fn write_at(
        &self,
        py: Python<'_>,
        name: &str,
        offset: usize,
        data: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let memory = Memory::of_object(data)?;
        self.put(py, name, offset, memory.bytes())
    }

    /// How many bytes are still to come.
    #[getter]
    fn missing_bytes(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, |writer| Ok(writer.missing_bytes()))
    }

    /// Check that every byte has come, and let the file appear. Done by the end of the block.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let writer = self.take(py).ok_or_else(|| finished(py, &self.path))?;
        py.detach(|| writer.finish())
            .map_err(|error| to_exception(py, Doing::Writing, &error))
    }

    /// Leave what was there. Done when the block raises.
    fn discard(&self, py: Python<'_>) {
        drop(self.take(py));
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (exc_type, _exc_value, _traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        _exc_value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        match self.take(py) {
            Some(writer) if exc_type.is_none() => py
                .detach(|| writer.finish())
                .map_err(|error| to_exception(py, Doing::Writing, &error)),
            _ => Ok(()),
        }
    }
}

/// Adds tensors to a file one by one: a new one, or one that is there and has room in its header.
///
/// Tensors lie in the order in which they are pushed: push wide types first. With `fsync` a power
/// cut leaves the old tensors or all of them; see the Rust documentation of `SafeAppender` for what
/// a crash leaves.
///
/// >>> from nexus.safetensors import SafeAppender, Tensor, safe_open
/// >>> tensor = Tensor(b"ab", dtype="U8", shape=(2,))
/// >>> with SafeAppender.create("grows.safetensors") as file:
/// ...     file.push("a", tensor)
/// >>> with SafeAppender.open("grows.safetensors") as file:
/// ...     file.push("b", tensor)
/// >>> with safe_open("grows.safetensors", framework=None) as file:
/// ...     len(file)
/// 2
#[pyclass(frozen, module = "nexus.safetensors")]
pub(crate) struct SafeAppender {
    path: PathBuf,
    /// Locked without the interpreter in hand.
    appender: Mutex<Option<nexus_safetensors::SafeAppender>>,
}

impl SafeAppender {
    fn begin(
        py: Python<'_>,
        path: PathBuf,
        doing: fn(&Path) -> Doing<'_>,
        begin: impl FnOnce(&Path) -> Result<nexus_safetensors::SafeAppender, SafeTensorError> + Send,
    ) -> PyResult<Self> {
        let appender = py.detach(|| begin(&path));
        let appender = appender.map_err(|error| to_exception(py, doing(&path), &error))?;
        Ok(Self {
            path,
            appender: Mutex::new(Some(appender)),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<nexus_safetensors::SafeAppender>> {
        self.appender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut nexus_safetensors::SafeAppender) -> Result<T, SafeTensorError> + Send,
    ) -> PyResult<T> {
        let done = py.detach(|| self.lock().as_mut().map(act));
        let done = done.ok_or_else(|| finished(py, &self.path))?;
        done.map_err(|error| to_exception(py, Doing::Writing, &error))
    }
}

#[pymethods]
impl SafeAppender {
    /// Begin a new file, which takes the place of an old one at the end. Its header has room for
    /// `header_capacity` bytes: about 70 and the name for each tensor.
    #[classmethod]
    #[pyo3(signature = (path, *, header_capacity = HEADER_CAPACITY, metadata = None, fsync = false))]
    fn create(
        cls: &Bound<'_, PyType>,
        path: PathBuf,
        header_capacity: usize,
        metadata: Option<HashMap<String, String>>,
        fsync: bool,
    ) -> PyResult<Self> {
        let options = WriteOptions::default().fsync(fsync);
        Self::begin(
            cls.py(),
            path,
            |_| Doing::Writing,
            |path| {
                nexus_safetensors::SafeAppender::create(path, header_capacity, metadata, options)
            },
        )
    }

    /// Open a file to add tensors to it in place; no other appender may have it. What a crash of an
    /// earlier one has left is mended.
    #[classmethod]
    #[pyo3(signature = (path, *, fsync = false))]
    fn open(cls: &Bound<'_, PyType>, path: PathBuf, fsync: bool) -> PyResult<Self> {
        let options = WriteOptions::default().fsync(fsync);
        Self::begin(
            cls.py(),
            path,
            |path| Doing::Other("append to", path),
            |path| nexus_safetensors::SafeAppender::open(path, options),
        )
    }

    /// Write a tensor behind the last one.
    fn push(&self, py: Python<'_>, name: &str, tensor: Given) -> PyResult<()> {
        let tensor = &tensor.writable;
        self.with(py, |appender| {
            appender.push(name, tensor.dtype(), tensor.shape(), &tensor.data())
        })
    }

    /// How many bytes of header are left for further tensors.
    #[getter]
    fn header_room(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, |appender| Ok(appender.header_room()))
    }

    /// Write the header. Done by the end of the block.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let appender = py.detach(|| self.lock().take());
        let appender = appender.ok_or_else(|| finished(py, &self.path))?;
        py.detach(|| appender.finish())
            .map_err(|error| to_exception(py, Doing::Writing, &error))
    }

    /// Leave what was there. Done when the block raises.
    fn discard(&self, py: Python<'_>) {
        py.detach(|| drop(self.lock().take()));
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (exc_type, _exc_value, _traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        _exc_value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let appender = py.detach(|| self.lock().take());
        match appender {
            Some(appender) if exc_type.is_none() => py
                .detach(|| appender.finish())
                .map_err(|error| to_exception(py, Doing::Writing, &error)),
            _ => Ok(()),
        }
    }
}

fn finished(py: Python<'_>, path: &Path) -> PyErr {
    let text = format!(
        "cannot write to `{}`: it is finished or discarded",
        path.display()
    );
    hinted(py, &text, "write inside of the `with` block")
}

/// Type and shape of a tensor to be: a pair, or the attributes of an object.
fn declaration(what: &Bound<'_, PyAny>) -> PyResult<(Dtype, Vec<usize>)> {
    let (element, mut shape): (ElementType, Vec<usize>) = match what.extract() {
        Ok(pair) => pair,
        Err(_) if what.hasattr("dtype")? && what.hasattr("shape")? => (
            what.getattr("dtype")?.extract()?,
            what.getattr("shape")?.extract()?,
        ),
        Err(error) => return Err(error),
    };
    if element.in_pairs
        && let Some(last) = shape.last_mut()
    {
        *last = last.saturating_mul(2);
    }
    Ok((element.dtype, shape))
}
