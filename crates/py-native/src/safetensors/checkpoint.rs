//! The class `Checkpoint`: the files of one model, and ways to load them.
#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments come from Python as values"
)]

use std::num::NonZeroUsize;
use std::path::PathBuf;

use nexus_safetensors::{ReadOptions, SafeTensorError, SafeTensorsFile};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::device::Device;
use super::error::{Doing, to_exception};
use super::framework::{Framework, Importer};
use super::plan::Plan;
use super::source::{BackendName, RulesName, Way};
use super::stream::{Reading, TensorStream};
use super::write::TensorSpec;
use crate::raw::{Memory, destinations};

/// A budget that is never reached: pieces are as small as in a stream, so that signals are heeded,
/// but nothing waits.
const NO_BUDGET: usize = usize::MAX - 1;

/// How many bytes are read into the caller's memory before signals are looked at.
const STEP_SIZE: usize = 64 << 20;

/// A file, a folder or an index of files.
#[pyclass(frozen, module = "nexus._native")]
pub(crate) struct Checkpoint {
    path: PathBuf,
    inner: nexus_safetensors::Checkpoint,
}

impl Checkpoint {
    fn refusal(&self, py: Python<'_>, error: &SafeTensorError) -> PyErr {
        to_exception(py, Doing::Other("load", &self.path), error)
    }
}

#[pymethods]
impl Checkpoint {
    #[new]
    #[pyo3(signature = (path, *, backend, threads = None, rules = Way::DEFAULT_RULES))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        backend: BackendName,
        threads: Option<NonZeroUsize>,
        rules: RulesName,
    ) -> PyResult<Self> {
        let options = ReadOptions::from(backend.0).threads(threads).rules(rules.0);
        let opened = py.detach(|| nexus_safetensors::Checkpoint::open_with(&path, &options));
        let inner =
            opened.map_err(|error| to_exception(py, Doing::Other("load", &path), &error))?;
        Ok(Self { path, inner })
    }

    /// Return the names, sorted.
    fn names(&self) -> Vec<&str> {
        self.inner.names().collect()
    }

    /// Return type, shape and size in bytes of one tensor.
    fn info<'py>(
        &self,
        py: Python<'py>,
        name: &str,
    ) -> PyResult<(&'static str, Bound<'py, PyTuple>, usize)> {
        let info = self.inner.info(name);
        let info = info.map_err(|error| self.refusal(py, &error))?;
        let (start, end) = info.data_offsets;
        Ok((
            info.dtype.name(),
            PyTuple::new(py, &info.shape)?,
            end - start,
        ))
    }

    /// Return what the plan says by name, in the order of the files.
    #[pyo3(signature = (plan, framework, device = Device::Cpu, *, progress = None))]
    fn load<'py>(
        &self,
        py: Python<'py>,
        plan: &Plan,
        framework: Framework,
        device: Device,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let importer = Importer::new(py, framework, device)?;
        let mut reading = self.read(py, plan, NO_BUDGET, progress)?;
        let tensors = PyDict::new(py);
        while let Some(loaded) = reading.next(py)? {
            let memory = Memory::of_region(loaded.region);
            let tensor = importer.tensor(py, loaded.dtype, &loaded.shape, memory)?;
            tensors.set_item(loaded.name, tensor)?;
        }
        Ok(tensors)
    }

    /// Return an iterator of what the plan says.
    #[pyo3(signature = (plan, framework, device = Device::Cpu, *, budget_bytes, progress = None))]
    fn stream(
        &self,
        py: Python<'_>,
        plan: &Plan,
        framework: Framework,
        device: Device,
        budget_bytes: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<TensorStream> {
        let importer = Importer::new(py, framework, device)?;
        let reading = self.read(py, plan, budget_bytes, progress)?;
        Ok(TensorStream::new(reading, importer))
    }

    /// Fill memory with tensors, whole and as they are.
    #[pyo3(signature = (targets, *, progress = None))]
    fn load_into(
        &self,
        py: Python<'_>,
        targets: Vec<(String, Py<TensorSpec>)>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let refusal = |error: SafeTensorError| self.refusal(py, &error);
        let mut targets = self.in_file_order(&targets).map_err(refusal)?;
        let total: usize = targets.iter().map(|(_, _, spec)| spec.data_len).sum();
        let mut done = 0;
        while let Some((file, ..)) = targets.first() {
            let file = *file;
            let mut size = 0;
            let step = targets.iter().take_while(|(of, _, spec)| {
                let fits = size == 0 || size + spec.data_len <= STEP_SIZE;
                size += spec.data_len;
                fits && std::ptr::eq(*of, file)
            });
            let count = step.count();
            let step: Vec<_> = targets.drain(..count).collect();
            let named = step.iter().map(|&(_, name, spec)| (name, spec));
            let step_size: usize = step.iter().map(|(_, _, spec)| spec.data_len).sum();
            let destinations = destinations(named)?;
            py.detach(|| file.load_into(destinations))
                .map_err(refusal)?;
            py.check_signals()?;
            done += step_size;
            if let Some(progress) = &progress {
                progress.call1(py, (done, total))?;
            }
        }
        Ok(())
    }
}

/// A tensor to be read: its file, its name, and where it goes.
type Target<'a> = (&'a SafeTensorsFile, &'a str, &'a TensorSpec);

impl Checkpoint {
    fn read(
        &self,
        py: Python<'_>,
        plan: &Plan,
        budget_bytes: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Reading> {
        let path = self.path.clone();
        Reading::start(py, path, &self.inner, &plan.0, budget_bytes, progress)
    }

    fn in_file_order<'a>(
        &'a self,
        targets: &'a [(String, Py<TensorSpec>)],
    ) -> Result<Vec<Target<'a>>, SafeTensorError> {
        let mut placed = Vec::with_capacity(targets.len());
        for (name, spec) in targets {
            let file = self.inner.file_of(name)?;
            let start = file.info(name)?.data_offsets.0;
            // The files lie in one list.
            placed.push((
                (std::ptr::from_ref(file), start),
                (file, name.as_str(), spec.get()),
            ));
        }
        placed.sort_by_key(|&(place, _)| place);
        Ok(placed.into_iter().map(|(_, target)| target).collect())
    }
}
