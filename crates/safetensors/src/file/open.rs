//! The ways to open and to load a file.

use std::fs::File;
use std::io;
use std::path::Path;

use super::{SafeTensorsFile, Source};
use crate::header::{LENGTH_SIZE, split_with};
use crate::io::{
    BLOCK, Backend, ReadOptions, Reader, Refusal, Way, copy_parallel, fill_head, read_head,
    read_length,
};
use crate::raw::{Memory, Pages};
use crate::{Metadata, Rules, SafeTensorError};

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
