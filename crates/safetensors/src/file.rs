//! Reading a file through a memory map.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nexus_tensor::{Layout, Tensor, TensorRef};

use crate::header::split;
use crate::raw::Map;
use crate::{Metadata, SafeTensorError, TensorInfo, TensorView};

/// A memory-mapped file. Clones are cheap, share the map and may go to other threads.
///
/// Opening reads the header; a tensor's pages are read when they are first touched.
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
    bytes: Arc<FileBytes>,
}

/// The bytes of a file, which live as long as anybody shares them.
pub struct FileBytes(Map);

impl FileBytes {
    /// The size of the file. Does not borrow the bytes.
    #[expect(clippy::len_without_is_empty, reason = "a file has 10 bytes at least")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The address of the first byte, for bindings that let others write to tensors. Writes stay in
    /// memory and never reach the file. Whoever writes must do so while no Rust code borrows the
    /// bytes.
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.0.as_mut_ptr()
    }
}

impl AsRef<[u8]> for FileBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl SafeTensorsFile {
    /// Maps a file and checks its header. Costs three system calls and the parsing of the header.
    ///
    /// The file must not be changed in place or cut while it is open: views would show the change,
    /// and touching a page behind the new end raises SIGBUS. Writers that replace the file, as
    /// [`serialize_to_file`](crate::serialize_to_file) does, are harmless.
    ///
    /// # Errors
    /// `File` when the file cannot be opened or mapped, and what
    /// [`SafeTensors::deserialize`](crate::SafeTensors::deserialize) refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SafeTensorError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(SafeTensorError::file("open", path))?;
        let map = Map::of_file(&file).map_err(SafeTensorError::file("map", path))?;
        Self::new(Some(path.to_owned()), map)
    }

    /// Copies the bytes of a file, so that tensors can outlive and be changed apart from them.
    ///
    /// # Errors
    /// `IoError` when there is no memory, and what
    /// [`SafeTensors::deserialize`](crate::SafeTensors::deserialize) refuses.
    pub fn copy_of(bytes: &[u8]) -> Result<Self, SafeTensorError> {
        // Refused before anything is allocated.
        split(bytes)?;
        Self::new(None, Map::copy_of(bytes)?)
    }

    fn new(path: Option<PathBuf>, map: Map) -> Result<Self, SafeTensorError> {
        let bytes = map.as_slice();
        let (metadata, data) = split(bytes)?;
        let data_start = bytes.len() - data.len();
        let inner = Inner {
            path,
            metadata,
            data_start,
            bytes: Arc::new(FileBytes(map)),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
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
        let (start, end) = info.data_offsets;
        self.inner.data_start + start..self.inner.data_start + end
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
    /// `TensorNotFound`.
    pub fn tensor(&self, name: &str) -> Result<TensorView<'_>, SafeTensorError> {
        let info = self.info(name)?;
        let data = &self.inner.bytes.0.as_slice()[self.byte_range(info)];
        Ok(TensorView::checked(info.dtype, &info.shape, data))
    }

    /// One tensor as a strided view, borrowed.
    ///
    /// # Errors
    /// `TensorNotFound`; `Tensor` as [`TensorView::to_tensor_ref`].
    pub fn tensor_ref(&self, name: &str) -> Result<TensorRef<'_>, SafeTensorError> {
        self.tensor(name)?.to_tensor_ref().map_err(refused(name))
    }

    /// One tensor that keeps the map alive. Nothing is copied.
    ///
    /// # Errors
    /// As [`tensor_ref`](Self::tensor_ref).
    pub fn shared_tensor(&self, name: &str) -> Result<Tensor, SafeTensorError> {
        let info = self.info(name)?;
        let owner = Arc::new(Window {
            bytes: self.bytes(),
            range: self.byte_range(info),
        });
        Layout::contiguous(info.shape.as_slice())
            .and_then(|layout| Tensor::from_owner(info.dtype, layout, owner))
            .map_err(refused(name))
    }

    /// The bytes of the whole file, shared.
    pub fn bytes(&self) -> Arc<FileBytes> {
        self.inner.bytes.clone()
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

/// The part of a file that one tensor lies in.
struct Window {
    bytes: Arc<FileBytes>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Window {
    fn as_ref(&self) -> &[u8] {
        &self.bytes.0.as_slice()[self.range.clone()]
    }
}

fn refused(name: &str) -> impl FnOnce(nexus_tensor::Error) -> SafeTensorError {
    move |source| SafeTensorError::Tensor {
        name: name.to_owned(),
        source,
    }
}
