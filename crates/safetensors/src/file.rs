//! Opening and loading files.

mod fetch;

pub use fetch::{Destination, Group};

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nexus_tensor::{Layout, Tensor, TensorRef};

use crate::header::{LENGTH_SIZE, split_with};
use crate::io::{
    BLOCK, Backend, ReadOptions, Reader, Refusal, Way, copy_parallel, fill_head, read_head,
    read_length,
};
use crate::raw::{Memory, Pages};
use crate::{Metadata, Rules, SafeTensorError, TensorInfo, TensorView};

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
        Self::open_with(path, &Backend::Map.into())
    }

    /// Opens a file and checks its header; a backend other than a map reads tensors when they are
    /// asked for, by position, so that a file that is cut meanwhile is an error and no signal.
    ///
    /// Costs a few system calls and the parsing of the header.
    ///
    /// # Errors
    /// As [`open`](Self::open); `UnexpectedEnd`.
    pub fn open_with(
        path: impl AsRef<Path>,
        options: &ReadOptions,
    ) -> Result<Self, SafeTensorError> {
        let path = path.as_ref();
        let (file, size) = open_file(path)?;
        let way = Way::to_open(&file, options);
        Self::open_way(path, file, size, way)
    }

    /// Opens a file of which most will be read.
    pub(crate) fn open_to_load(
        path: &Path,
        options: &ReadOptions,
    ) -> Result<Self, SafeTensorError> {
        let (file, size) = open_file(path)?;
        let way = Way::to_load(&file, size, options);
        Self::open_way(path, file, size, way)
    }

    fn open_way(path: &Path, file: File, size: u64, way: Way) -> Result<Self, SafeTensorError> {
        match way.backend {
            Backend::Map => Self::map(path, &file, size, way.rules),
            Backend::Populate => Self::map_whole(path, &file, size, way.rules),
            _ => {
                let reader = Reader::new(file, size, way);
                let head = read_head(&reader).map_err(|refusal| refused(path, size, refusal));
                head.map(|(metadata, data_start)| {
                    Self::new(Some(path), metadata, data_start, Source::Reader(reader))
                })
            }
        }
    }

    /// Reads a whole file. On return all bytes are in memory, and can be written to.
    ///
    /// The header is checked before memory is taken. While the file is open it holds all tensors;
    /// then each goes with its last [`Region`](crate::Region). With [`Backend::Map`] as [`open`](Self::open).
    ///
    /// ```no_run
    /// use nexus_safetensors::{ReadOptions, SafeTensorsFile};
    ///
    /// let file = SafeTensorsFile::load("model.safetensors", &ReadOptions::default())?;
    /// let weights = file.region("embedding")?;
    /// assert_eq!(weights.len(), file.info("embedding")?.data_offsets.1 - file.info("embedding")?.data_offsets.0);
    /// # Ok::<(), nexus_safetensors::SafeTensorError>(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open); `UnexpectedEnd` and `SizeChanged` when another program cuts or
    /// extends the file meanwhile.
    pub fn load(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, SafeTensorError> {
        let path = path.as_ref();
        let (file, size) = open_file(path)?;
        let way = Way::to_load(&file, size, options);
        match way.backend {
            Backend::Map => Self::map(path, &file, size, way.rules),
            Backend::Populate => Self::map_whole(path, &file, size, way.rules),
            _ => Self::read(path, &Reader::new(file, size, way)),
        }
    }

    /// Copies the bytes of a file, so that tensors can outlive and be changed apart from them.
    ///
    /// # Errors
    /// `IoError` when there is no memory, and what
    /// [`SafeTensors::deserialize`](crate::SafeTensors::deserialize) refuses.
    pub fn copy_of(bytes: &[u8]) -> Result<Self, SafeTensorError> {
        Self::copy_of_with(bytes, Rules::Compatible)
    }

    /// [`copy_of`](Self::copy_of) by rules of one's choice.
    ///
    /// Every byte is read once, and judged after it was copied: bytes that another thread changes
    /// meanwhile give arbitrary tensors, but never a header that was not checked.
    ///
    /// # Errors
    /// As [`copy_of`](Self::copy_of), and what the rules refuse.
    pub fn copy_of_with(bytes: &[u8], rules: Rules) -> Result<Self, SafeTensorError> {
        let size = bytes.len() as u64;
        // Refused before anything large is taken.
        let data_start = Metadata::head_size(&bytes[..bytes.len().min(LENGTH_SIZE)], size)?;
        let mut pages = Pages::zeroed(bytes.len())?;
        let (head, data) = pages.as_mut_slice().split_at_mut(data_start);
        head.copy_from_slice(&bytes[..data_start]);
        let metadata = Metadata::parse(&head[LENGTH_SIZE..], rules)?;
        if metadata.data_len() != data.len() {
            return Err(SafeTensorError::MetadataIncompleteBuffer);
        }
        copy_parallel(&bytes[data_start..], data);
        Ok(Self::new(None, metadata, data_start, Source::loaded(pages)))
    }

    /// The same file with all bytes in memory, as after [`load`](Self::load): read in bulk through
    /// the descriptor that is open already. Costs nothing where they are in memory or mapped.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn loaded(&self) -> Result<Self, SafeTensorError> {
        match &self.inner.source {
            Source::Map(_) | Source::Loaded(_) => Ok(self.clone()),
            Source::Reader(reader) => Self::read(self.path().unwrap_or(Path::new("")), reader),
        }
    }

    fn map(path: &Path, file: &File, size: u64, rules: Rules) -> Result<Self, SafeTensorError> {
        let (pages, metadata, data_start) = map_file(path, file, size, rules)?;
        let source = Source::Map(Memory::counted(pages));
        Ok(Self::new(Some(path), metadata, data_start, source))
    }

    fn map_whole(
        path: &Path,
        file: &File,
        size: u64,
        rules: Rules,
    ) -> Result<Self, SafeTensorError> {
        let (pages, metadata, data_start) = map_file(path, file, size, rules)?;
        // By one thread: several spoil each other's read-ahead.
        let populated = pages.populate();
        // A cut is the better news than the fault that it makes.
        check_size(path, file, size)?;
        match populated {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Unsupported => pages.touch(),
            Err(error) => return Err(SafeTensorError::file("read", path)(error)),
        }
        let source = Source::loaded(pages);
        Ok(Self::new(Some(path), metadata, data_start, source))
    }

    fn read(path: &Path, reader: &Reader) -> Result<Self, SafeTensorError> {
        let size = reader.size();
        let mut pages = Pages::reserve(size).map_err(SafeTensorError::file("read", path))?;
        let head = read_length(reader).and_then(|data_start| {
            let head = &mut pages.as_mut_slice()[..data_start];
            Ok((fill_head(reader, head)?, data_start))
        });
        let (metadata, data_start) = head.map_err(|refusal| refused(path, size, refusal))?;
        let start = data_start / BLOCK * BLOCK;
        let rest = &mut pages.as_mut_slice()[start..];
        reader.fill_arena((start as u64, rest)).map_err(|failure| {
            let header = (&metadata, data_start);
            failure.at_end().explain(path, size, Some(header))
        })?;
        check_size(path, reader.file(), size)?;
        let source = Source::loaded(pages);
        Ok(Self::new(Some(path), metadata, data_start, source))
    }

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

    /// The bytes of the whole file, unless tensors are read on demand.
    pub(crate) fn image(&self) -> Option<&[u8]> {
        match &self.inner.source {
            Source::Map(memory) | Source::Loaded(memory) => {
                Some(memory.slice(0..self.size_bytes()))
            }
            Source::Reader(_) => None,
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

fn open_file(path: &Path) -> Result<(File, u64), SafeTensorError> {
    let file = File::open(path).map_err(SafeTensorError::file("open", path))?;
    let size = file
        .metadata()
        .map_err(SafeTensorError::file("examine", path))?;
    Ok((file, size.len()))
}

fn map_file(
    path: &Path,
    file: &File,
    size: u64,
    rules: Rules,
) -> Result<(Pages, Metadata, usize), SafeTensorError> {
    let pages = Pages::of_file(file, size).map_err(SafeTensorError::file("map", path))?;
    let bytes = pages.slice(0..pages.len());
    let (metadata, data) = split_with(bytes, rules)?;
    let data_start = bytes.len() - data.len();
    Ok((pages, metadata, data_start))
}

fn check_size(path: &Path, file: &File, before: u64) -> Result<(), SafeTensorError> {
    let after = file
        .metadata()
        .map_err(SafeTensorError::file("examine", path))?;
    if after.len() == before {
        return Ok(());
    }
    Err(SafeTensorError::SizeChanged {
        path: path.to_owned(),
        before,
        after: after.len(),
    })
}

fn refused(path: &Path, size: u64, refusal: Refusal) -> SafeTensorError {
    match refusal {
        Refusal::Header(error) => error,
        Refusal::Read(failure) => failure.explain(path, size, None),
    }
}

fn unviewable(name: &str) -> impl FnOnce(nexus_tensor::Error) -> SafeTensorError {
    move |source| SafeTensorError::Tensor {
        name: name.to_owned(),
        source,
    }
}
