//! Where the memory of a tensor comes from: the one place that knows the ways to read a file.

use std::path::Path;

use nexus_safetensors::{
    Backend, Group, ReadOptions, Rules, SafeTensorError, SafeTensorsFile, Selection,
};
use nexus_tensor::Layout;
use pyo3::prelude::*;

use super::error::{Doing, hinted, plain, to_exception};
use crate::raw::Memory;

/// How a file is read, as Python says it: `backend=` and `rules=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) backend: Backend,
    pub(crate) rules: Rules,
}

impl Way {
    /// What `safetensors` 0.8.0 does by default: a private map, and whatever it accepts.
    pub(crate) const DEFAULT_BACKEND: BackendName = BackendName(Backend::Map);
    pub(crate) const DEFAULT_RULES: RulesName = RulesName(Rules::Compatible);

    pub(crate) fn new(backend: BackendName, rules: RulesName) -> Self {
        Self {
            backend: backend.0,
            rules: rules.0,
        }
    }

    fn options(self) -> ReadOptions {
        ReadOptions::from(self.backend).rules(self.rules)
    }
}

/// The argument `backend=`.
#[derive(Clone, Copy)]
pub(crate) struct BackendName(pub(crate) Backend);

impl<'py> FromPyObject<'_, 'py> for BackendName {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let name: String = object.extract()?;
        name.parse().map(Self).map_err(|_| {
            // The text is that of `safetensors` 0.8.0, which knows no more than these two.
            hinted(
                object.py(),
                &format!("backend {name:?} is invalid (expected one of: \"mmap\", \"pread\")"),
                "there are \"auto\", \"populate\", \"direct\" and \"uring\" too",
            )
        })
    }
}

/// The argument `rules=`.
#[derive(Clone, Copy)]
pub(crate) struct RulesName(pub(crate) Rules);

impl<'py> FromPyObject<'_, 'py> for RulesName {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<String>()?.as_str() {
            "compatible" => Ok(Self(Rules::Compatible)),
            "strict" => Ok(Self(Rules::Strict)),
            name => Err(plain(format!(
                "rules {name:?} is invalid (expected one of: \"compatible\", \"strict\")"
            ))),
        }
    }
}

/// An open file.
pub(crate) struct Source {
    file: SafeTensorsFile,
}

impl Source {
    /// Opens a file and reads its header; tensors are read when they are asked for.
    pub(crate) fn open(path: &Path, way: Way) -> Result<Self, SafeTensorError> {
        let file = SafeTensorsFile::open_with(path, &way.options())?;
        Ok(Self { file })
    }

    /// Reads a whole file at once.
    pub(crate) fn load(path: &Path, way: Way) -> Result<Self, SafeTensorError> {
        let file = SafeTensorsFile::load(path, &way.options())?;
        Ok(Self { file })
    }

    /// Copies the bytes of a file.
    pub(crate) fn copy_of(bytes: &[u8], rules: Rules) -> Result<Self, SafeTensorError> {
        let file = SafeTensorsFile::copy_of_with(bytes, rules)?;
        Ok(Self { file })
    }

    /// The same with all bytes in memory, where this reads on demand.
    pub(crate) fn loaded(&self, py: Python<'_>) -> PyResult<Self> {
        let file = py.detach(|| self.file.loaded());
        let file = file.map_err(|error| self.refusal(py, &error))?;
        Ok(Self { file })
    }

    fn refusal(&self, py: Python<'_>, error: &SafeTensorError) -> PyErr {
        let path = self.file.path().unwrap_or(Path::new(""));
        to_exception(py, Doing::ReadingFile(path), error)
    }

    /// The header and the places of the tensors.
    pub(crate) fn file(&self) -> &SafeTensorsFile {
        &self.file
    }

    /// The memory of one tensor.
    pub(crate) fn memory(&self, py: Python<'_>, name: &str) -> PyResult<Memory> {
        let region = if self.file.is_in_memory() {
            self.file.region(name)
        } else {
            py.detach(|| self.file.region(name))
        };
        let region = region.map_err(|error| self.refusal(py, &error))?;
        Ok(Memory::of_region(region))
    }

    /// The memory of neighbouring tensors.
    pub(crate) fn group_memory(&self, py: Python<'_>, group: &Group<'_>) -> PyResult<Memory> {
        let region = group.region().map_err(|error| self.refusal(py, &error))?;
        Ok(Memory::of_region(region))
    }

    /// The memory of some elements of one tensor, and where they lie in it. Views of what is in
    /// memory if `strided` layouts are of use; else these elements alone, densely, of which no
    /// others are read.
    pub(crate) fn part(
        &self,
        py: Python<'_>,
        name: &str,
        selection: &Selection,
        strided: bool,
    ) -> PyResult<(Memory, Layout)> {
        if strided && self.file.is_in_memory() {
            return Ok((self.memory(py, name)?, selection.layout().clone()));
        }
        let region = py.detach(|| self.file.read_ranges(name, selection.runs()));
        let region = region.map_err(|error| self.refusal(py, &error))?;
        let layout = Layout::contiguous(selection.shape());
        let layout = layout.map_err(|error| plain(error.to_string()))?;
        Ok((Memory::of_region(region), layout))
    }
}
