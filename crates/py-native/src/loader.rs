//! The loaders of `nexus.data`.

mod batch;
mod images;
mod options;
mod state;

use std::path::PathBuf;

use nexus_loader::{Corpus, Error, ErrorKind, Loader as Inner, LoaderOptions, Rows, Tokens};
use pyo3::exceptions::{PyFileNotFoundError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

pub(crate) use batch::Batch;
pub(crate) use images::{ImageBatch, ImageLoader};
use options::{Kind, ShuffleArgument};
use state::Shared;

use crate::data::Size;

/// One path or several.
#[derive(FromPyObject)]
enum Paths {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

impl Paths {
    fn into_vec(self) -> Vec<PathBuf> {
        match self {
            Self::One(path) => vec![path],
            Self::Several(paths) => paths,
        }
    }
}

/// Batches of shuffled rows of tokens, from shards of many formats.
///
/// Threads of its own prepare batches ahead, without the interpreter. Iterating gives the rest of an
/// epoch; iterating again gives the next one.
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
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct Loader {
    inner: Shared<Tokens>,
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
    ) -> PyResult<Self> {
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
        let paths = source.into_vec();
        let opened = py.detach(|| {
            let corpus = Corpus::open(&paths, &open)?;
            let rows = match kind {
                Kind::Windows(stride) => Rows::windows(corpus, row_len, stride),
                Kind::Documents => Rows::documents(corpus, row_len),
                Kind::Packed => Rows::packed(corpus, row_len),
            }?;
            Inner::new(rows, &given)
        });
        let inner = Shared::new(opened.map_err(|error| exception(py, &error))?);
        Ok(Self { inner })
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// The next batch. At the end of an epoch it raises `StopIteration`, once.
    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Batch>> {
        Ok(self.inner.next(py)?.map(Batch::new))
    }

    /// How many batches an epoch has.
    fn __len__(&self, py: Python<'_>) -> usize {
        self.inner.with(py, |loader| loader.batches() as usize)
    }

    /// How many batches are left of this epoch.
    #[getter]
    fn batches_left(&self, py: Python<'_>) -> u64 {
        self.inner.with(py, |loader| loader.batches_left())
    }

    /// How many rows there are.
    #[getter]
    fn rows(&self, py: Python<'_>) -> u64 {
        self.inner.with(py, |loader| loader.rows().count())
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

    /// The epoch of the next batch.
    #[getter]
    fn epoch(&self, py: Python<'_>) -> u64 {
        self.inner.with(py, |loader| loader.state().epoch)
    }

    /// Where the loader is, as plain numbers. Batches that are prepared and not given do not count.
    fn state_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.inner.state(py)
    }

    /// The state after so many steps of an epoch, for those who count steps themselves.
    #[pyo3(signature = (epoch, steps, /))]
    fn state_at<'py>(
        &self,
        py: Python<'py>,
        epoch: u64,
        steps: u64,
    ) -> PyResult<Bound<'py, PyDict>> {
        self.inner.state_at(py, epoch, steps)
    }

    /// Goes on where another loader stopped, whatever its batch size, ranks and workers were.
    #[pyo3(signature = (state, /))]
    fn load_state_dict(&self, py: Python<'_>, state: &Bound<'_, PyDict>) -> PyResult<()> {
        self.inner.load(py, state)
    }

    /// Goes to the start of an epoch; where the loader is in that epoch already, it stays.
    #[pyo3(signature = (epoch, /))]
    fn set_epoch(&self, py: Python<'_>, epoch: u64) {
        self.inner.with(py, |loader| loader.set_epoch(epoch));
    }

    /// Ends the threads. The next batch starts them anew.
    fn close(&self, py: Python<'_>) {
        self.inner.with(py, nexus_loader::Loader::stop);
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, pyo3::types::PyTuple>) {
        self.close(py);
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
