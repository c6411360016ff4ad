//! The loaders of `nexus.data`.

mod any;
mod batch;
mod images;
mod options;
mod shared;
mod state;

use std::path::PathBuf;
use std::sync::Arc;

use nexus_loader::{
    Cancel, Corpus, Error, ErrorKind, Loader as Inner, LoaderOptions, Maker, Rows, Tokens,
};
use pyo3::exceptions::{PyFileNotFoundError, PyOSError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

pub(crate) use any::AnyLoader;
pub(crate) use batch::Batch;
pub(crate) use images::{ImageBatch, ImageLoader};
use options::{Kind, ShuffleArgument};
use shared::Shared;

use crate::data::Size;
use crate::interrupt::interruptible;

/// One path or several.
struct Paths(Vec<PathBuf>);

impl<'py> FromPyObject<'_, 'py> for Paths {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(path) = value.extract() {
            return Ok(Self(vec![path]));
        }
        let refused = |what: &Bound<'_, PyAny>| {
            let kind = what.get_type();
            let message = format!("a source is a path, or several of them, not `{kind}`");
            PyTypeError::new_err(message)
        };
        if value.is_instance_of::<PyBytes>() {
            return Err(refused(&value));
        }
        let paths = value.try_iter().map_err(|_| refused(&value))?;
        let path = |path: PyResult<Bound<'py, PyAny>>| {
            let path = path?;
            path.extract().map_err(|_| refused(&path))
        };
        paths.map(path).collect::<PyResult<_>>().map(Self)
    }
}

/// Opens files and makes a loader of them, until a signal ends it.
fn opened<M: Maker>(
    py: Python<'_>,
    cancel: &Cancel,
    open: impl FnOnce() -> Result<Inner<M>, Error> + Send,
) -> PyResult<Arc<Shared<M>>> {
    let loader = interruptible(py, |_| Ok(()), || cancel.cancel(), open)?;
    let loader = loader.map_err(|error| exception(py, &error))?;
    Ok(Arc::new(Shared::new(loader)))
}

/// Batches of shuffled rows of tokens, from shards of many formats.
///
/// Threads of its own prepare batches ahead, without the interpreter.
///
/// >>> from pathlib import Path
/// >>> _ = Path("tokens.bin").write_bytes(bytes(range(64)))
/// >>> loader = Loader("tokens.bin", row_len=8, batch_size=2, stored="uint8", shuffle=False)
/// >>> len(loader), loader.rows, loader.dtype
/// (4, 8, 'uint16')
/// >>> batch = next(loader)
/// >>> batch
/// <nexus.data.Batch 2 × 8 uint16, epoch 0>
/// >>> memoryview(batch.tokens).tolist()[0]
/// [0, 1, 2, 3, 4, 5, 6, 7]
/// >>> state = loader.state_dict()
/// >>> rest = [batch.rows for batch in loader]
/// >>> loader.load_state_dict(state)
/// >>> [batch.rows for batch in loader] == rest == [[2, 3], [4, 5], [6, 7]]
/// True
#[pyclass(frozen, extends = AnyLoader, module = "nexus.data")]
pub(crate) struct Loader {
    inner: Arc<Shared<Tokens>>,
}

#[pymethods]
impl Loader {
    /// Opens shards: a file, a folder, or several.
    #[new]
    #[pyo3(signature = (
        source, /, *, row_len, batch_size = 1, kind = "windows", stride = None,
        shuffle = ShuffleArgument::AUTO, block = None, window = None, seed = 0, rank = 0, world_size = 1, worker = 0, workers = 1,
        tail = "drop", dtype = None, stored = None, field = None, format = None, access = "map",
        position_ids = false, cu_seqlens = false, pad_id = 0, threads = 2, prefetch = 16,
        cache = None,
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn new(
        py: Python<'_>,
        source: Paths,
        row_len: usize,
        batch_size: usize,
        kind: &str,
        stride: Option<usize>,
        shuffle: ShuffleArgument,
        block: Option<u64>,
        window: Option<u64>,
        seed: u64,
        rank: u64,
        world_size: u64,
        worker: u64,
        workers: u64,
        tail: &str,
        dtype: Option<&str>,
        stored: Option<&str>,
        field: Option<String>,
        format: Option<&str>,
        access: &str,
        position_ids: bool,
        cu_seqlens: bool,
        pad_id: i64,
        threads: usize,
        prefetch: usize,
        cache: Option<Size>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let kind = Kind::new(kind, stride.unwrap_or(row_len))?;
        let open = options::open(format, stored, field, access)?;
        let defaults = LoaderOptions::default();
        let given = LoaderOptions {
            shuffle: options::shuffle(shuffle, block, window)?,
            split: options::split(batch_size, (rank, world_size), (worker, workers), tail)?,
            token: dtype.map(options::token).transpose()?,
            seed,
            positions: position_ids,
            cu_seqlens,
            pad: pad_id,
            threads,
            ahead: prefetch,
            cache_size: cache.map_or(defaults.cache_size, |size| size.0),
        };
        let Paths(paths) = source;
        let inner = opened(py, &open.cancel, || {
            let corpus = Corpus::open(&paths, &open)?;
            let rows = match kind {
                Kind::Windows(stride) => Rows::windows(corpus, row_len, stride),
                Kind::Documents => Rows::documents(corpus, row_len),
                Kind::Packed => Rows::packed(corpus, row_len),
            }?;
            Inner::new(rows, &given)
        })?;
        let base = AnyLoader::new(inner.clone());
        Ok(PyClassInitializer::from(base).add_subclass(Self { inner }))
    }

    /// How many documents there are.
    #[getter]
    fn documents(&self, py: Python<'_>) -> u64 {
        self.inner
            .with(py, |loader| loader.rows().corpus().documents())
    }

    /// The share of packed rows that is padding; `None` where rows are not packed.
    #[getter]
    fn padding_share(&self, py: Python<'_>) -> Option<f64> {
        self.inner.with(py, |loader| {
            let packing = loader.rows().packing();
            packing.map(nexus_loader::pack::Packing::padding_share)
        })
    }

    /// The type of the tokens of batches, by NumPy's name.
    #[getter]
    fn dtype(&self, py: Python<'_>) -> String {
        self.inner.with(py, |loader| loader.token().to_string())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        self.inner.with(py, |loader| {
            let (rows, state) = (loader.rows(), loader.state());
            format!(
                "<nexus.data.Loader {} rows × {} {}, epoch {}, at {}>",
                state.rows,
                rows.row_len(),
                loader.token(),
                state.epoch,
                state.cursor
            )
        })
    }
}

impl any::Given for Tokens {
    fn give(py: Python<'_>, batch: nexus_loader::Batch) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Batch::new(batch))?.into_any())
    }
}

/// The built-in exception for an error, with the hint as note.
fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let message = error.to_string();
    let exception = match error.kind() {
        ErrorKind::NotFound => PyFileNotFoundError::new_err(message),
        ErrorKind::Io => PyOSError::new_err(message),
        ErrorKind::InvalidInput
        | ErrorKind::Corrupt
        | ErrorKind::Unsupported
        | ErrorKind::LimitReached => PyValueError::new_err(message),
        _ => PyRuntimeError::new_err(message),
    };
    let hint = error.hint().map(|hint| format!("hint: {hint}"));
    match hint.map(|hint| exception.value(py).call_method1("add_note", (hint,))) {
        Some(Err(error)) => error,
        _ => exception,
    }
}
