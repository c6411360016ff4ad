//! An open file and what its header says.

mod fetch;
mod open;

pub use fetch::{Destination, Group};

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nexus_tensor::{Layout, Tensor, TensorRef};

use crate::io::Reader;
use crate::raw::{Memory, Pages};
use crate::{Metadata, SafeTensorError, TensorInfo, TensorView};

/// An open file. Clones are cheap, share its memory and may go to other threads.
///
/// [`open`](Self::open) maps the file: a tensor's pages are read when they are first touched.
/// [`open_with`](Self::open_with) reads tensors when they are asked for, if that is the backend.
/// [`load`](Self::load) reads everything at once, to memory that no other program can change.
///
/// ```no_run
/// let file = nexus_safetensors::SafeTensorsFile::open("model.safetensors")?;
/// for (name, info) in file.infos() {
///     println!("{name}: {} {:?} at {:?}", info.dtype, info.shape, file.byte_range(info));
/// }
/// let kept = file.shared_tensor("embedding")?; // outlives `file`
/// # Ok::<(), nexus_safetensors::SafeTensorError>(())
/// ```
#[derive(Clone)]
pub struct SafeTensorsFile {
    inner: Arc<Inner>,
}

struct Inner {
    path: Option<PathBuf>,
    metadata: Metadata,
    data_start: usize,
    source: Source,
}

/// Where the bytes of tensors come from.
enum Source {
    /// A map, whose pages can be given back and read again.
    Map(Arc<Memory>),
    /// Memory that cannot be had again: the open file counts as a holder of every tensor.
    Loaded(Arc<Memory>),
    /// Reads on demand.
    Reader(Reader),
}

impl Source {
    fn loaded(pages: Pages) -> Self {
        Self::Loaded(Memory::counted(pages))
    }
}

impl SafeTensorsFile {
    fn new(path: Option<&Path>, metadata: Metadata, data_start: usize, source: Source) -> Self {
        let inner = Inner {
            path: path.map(Path::to_owned),
            metadata,
            data_start,
            source,
        };
        inner.hold();
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The path it was opened by; `None` for a copy of bytes.
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// The size of the whole file.
    pub fn size_bytes(&self) -> usize {
        self.inner.data_start + self.inner.metadata.data_len()
    }

    /// The content of the header.
    pub fn header(&self) -> &Metadata {
        &self.inner.metadata
    }

    /// The free text of the header, `__metadata__`.
    pub fn metadata(&self) -> Option<&HashMap<String, String>> {
        self.inner.metadata.metadata().as_ref()
    }

    /// The names, sorted.
    pub fn names(&self) -> Vec<&str> {
        self.infos().map(|(name, _)| name).collect()
    }

    /// The names in the order of the data.
    pub fn offset_keys(&self) -> Vec<String> {
        self.inner.metadata.offset_keys()
    }

    /// Names and infos, sorted by name.
    pub fn infos(&self) -> impl ExactSizeIterator<Item = (&str, &TensorInfo)> {
        self.inner.metadata.iter()
    }

    /// What the header says of one tensor.
    ///
    /// # Errors
    /// `TensorNotFound`.
    pub fn info(&self, name: &str) -> Result<&TensorInfo, SafeTensorError> {
        let missing = || SafeTensorError::TensorNotFound(name.to_owned());
        self.inner.metadata.info(name).ok_or_else(missing)
    }

    /// Where the bytes of one of this file's tensors lie, counted from the start of the file.
    pub fn byte_range(&self, info: &TensorInfo) -> Range<usize> {
        self.inner.range(info)
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.inner.metadata.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.inner.metadata.is_empty()
    }

    /// One tensor, borrowed.
    ///
    /// # Errors
    /// `TensorNotFound`; `NotInMemory` for a file whose tensors are read on demand.
    pub fn tensor(&self, name: &str) -> Result<TensorView<'_>, SafeTensorError> {
        let info = self.info(name)?;
        let range = self.byte_range(info);
        let data = match &self.inner.source {
            Source::Map(memory) => {
                memory.pin(&range);
                memory.slice(range)
            }
            Source::Loaded(memory) => memory.slice(range),
            Source::Reader(_) => return Err(SafeTensorError::NotInMemory(name.to_owned())),
        };
        Ok(TensorView::checked(info.dtype, &info.shape, data))
    }

    /// Whether tensors are in memory or mapped, so that a [`region`](Self::region) reads nothing.
    pub fn is_in_memory(&self) -> bool {
        !matches!(self.inner.source, Source::Reader(_))
    }

    /// The length and the JSON, as they stand in the file.
    pub(crate) fn head(&self) -> Result<Vec<u8>, SafeTensorError> {
        let size = self.inner.data_start;
        match &self.inner.source {
            Source::Map(memory) | Source::Loaded(memory) => Ok(memory.slice(0..size).to_vec()),
            Source::Reader(reader) => {
                let mut head = vec![0; size];
                let read = reader.read_exact(0, &mut head);
                read.map_err(|failure| self.explain(failure))?;
                Ok(head)
            }
        }
    }

    /// One tensor as a strided view, borrowed.
    ///
    /// # Errors
    /// As [`tensor`](Self::tensor); `Tensor` as [`TensorView::to_tensor_ref`].
    pub fn tensor_ref(&self, name: &str) -> Result<TensorRef<'_>, SafeTensorError> {
        self.tensor(name)?.to_tensor_ref().map_err(unviewable(name))
    }

    /// One tensor that keeps its bytes alive. Nothing is copied.
    ///
    /// # Errors
    /// As [`region`](Self::region); `Tensor` as [`TensorView::to_tensor_ref`].
    pub fn shared_tensor(&self, name: &str) -> Result<Tensor, SafeTensorError> {
        let info = self.info(name)?;
        let layout = Layout::contiguous(info.shape.as_slice()).map_err(unviewable(name))?;
        let owner = Arc::new(self.region(name)?);
        Tensor::from_owner(info.dtype, layout, owner).map_err(unviewable(name))
    }
}

impl Inner {
    /// Counts the file as a holder of every tensor, where they cannot be had again.
    fn hold(&self) {
        if let Source::Loaded(memory) = &self.source {
            for (_, info) in self.metadata.iter() {
                memory.acquire(&self.range(info));
            }
        }
    }

    fn range(&self, info: &TensorInfo) -> Range<usize> {
        let (start, end) = info.data_offsets;
        self.data_start + start..self.data_start + end
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Source::Loaded(memory) = &self.source
            // Else the memory goes as a whole.
            && Arc::strong_count(memory) > 1
        {
            for (_, info) in self.metadata.iter() {
                memory.release(&self.range(info));
            }
        }
    }
}

impl std::fmt::Debug for SafeTensorsFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SafeTensorsFile")
            .field("path", &self.path())
            .field("len", &self.len())
            .field("size_bytes", &self.size_bytes())
            .finish()
    }
}

fn unviewable(name: &str) -> impl FnOnce(nexus_tensor::Error) -> SafeTensorError {
    move |source| SafeTensorError::Tensor {
        name: name.to_owned(),
        source,
    }
}
