//! Adding tensors to a file that has room in its header.
//!
//! The header of an appendable file ends in blanks, which JSON ignores, so that it can grow without
//! moving the data. Every reader of the format reads such a file.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use nexus_tensor::DType;
use xxhash_rust::xxh3::xxh3_64;

use crate::atomic::Replacement;
use crate::header::METADATA_NAME;
use crate::limits::HEADER_SIZE_MAX;
use crate::prepared::{LENGTH_SIZE, lay_out, pad_head};
use crate::sink::write_all_at;
use crate::stream_writer::tensor_size;
use crate::{Metadata, Rules, SafeTensorError, TensorInfo, WriteOptions};

/// Opens the trailer that follows the copy of a head.
const TRAILER_MAGIC: [u8; 16] = *b"nexus appended 1";

/// The size of a header that says nothing.
const EMPTY_JSON_SIZE: usize = "{}".len();

/// The magic, and the checksum of the copy.
const TRAILER_SIZE: usize = TRAILER_MAGIC.len() + size_of::<u64>();

/// Writes tensors one behind the other into a file whose header has room for them.
///
/// Tensors lie in the order in which they are pushed: push wide types first, or readers find
/// tensors that are not aligned to their elements.
///
/// # What a crash leaves
/// [`create`](Self::create) writes beside its target, as a save does: a crash leaves what was there.
/// [`open`](Self::open) works in place, in this order:
///
/// 1. Tensors are written behind the last one. A crash leaves a file that ends in bytes of no
///    tensor. Readers refuse it; opening it again cuts these bytes off, and the old tensors are
///    whole.
/// 2. [`finish`](Self::finish) writes the new header behind the data, with a checksum, then
///    over the old header, then cuts the copy off. A crash in between leaves a file that readers
///    refuse, because the copy belongs to no tensor; opening it again writes the new header from the
///    copy, and all tensors are whole.
///
/// With `fsync` each step is on the disk before the next begins, so that this holds for power cuts
/// too; without, it holds for killed programs. An appender that is dropped cuts off what it wrote.
///
/// ```
/// use nexus_safetensors::{Dtype, SafeAppender, SafeTensorsFile, WriteOptions};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("grows.safetensors");
/// let mut file = SafeAppender::create(&path, 4096, None, WriteOptions::default())?;
/// file.push("a", Dtype::F32, &[1], &1.5_f32.to_le_bytes())?;
/// file.finish()?;
///
/// let mut file = SafeAppender::open(&path, WriteOptions::default())?;
/// file.push("b", Dtype::U8, &[2], &[1, 2])?;
/// file.finish()?;
/// assert_eq!(SafeTensorsFile::open(&path)?.names(), ["a", "b"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SafeAppender {
    path: PathBuf,
    place: Place,
    /// The size of the head: the length and the header with its blanks.
    head_size: usize,
    text: Option<HashMap<String, String>>,
    tensors: Vec<(String, TensorInfo)>,
    names: HashSet<String>,
    /// The size of the header's JSON as it stands.
    json_size: usize,
    data_size: usize,
    options: WriteOptions,
}

#[derive(Debug)]
enum Place {
    /// A file that is to take the place of another.
    New(Replacement),
    /// The file itself.
    Old(Growing),
}

impl SafeAppender {
    /// Begins a new file with room for a header of `header_capacity` bytes. A tensor takes about 70
    /// bytes and its name. Nothing is at `path` before [`finish`](Self::finish).
    ///
    /// # Errors
    /// `HeaderCapacity` when `metadata` alone does not fit, `HeaderTooLarge`, `NotRegularFile`,
    /// `File`.
    pub fn create(
        path: impl AsRef<Path>,
        header_capacity: usize,
        metadata: Option<HashMap<String, String>>,
        options: WriteOptions,
    ) -> Result<Self, SafeTensorError> {
        let path = path.as_ref();
        if header_capacity > HEADER_SIZE_MAX {
            return Err(SafeTensorError::HeaderTooLarge);
        }
        let json_size = serde_json::to_vec(&Metadata::new(metadata.clone(), Vec::new())?)?.len();
        let head_size = LENGTH_SIZE + header_capacity.next_multiple_of(LENGTH_SIZE);
        check_capacity(METADATA_NAME, json_size, head_size)?;
        Ok(Self {
            path: path.to_owned(),
            place: Place::New(Replacement::create(path)?),
            head_size,
            text: metadata,
            tensors: Vec::new(),
            names: HashSet::new(),
            json_size,
            data_size: 0,
            options,
        })
    }

    /// Opens a file to add tensors to it in place, and locks it against other appenders. Mends what
    /// a crash of an earlier one has left. Its own header need not have been made here.
    ///
    /// # Errors
    /// `File` when it cannot be opened for reading and writing, or another appender has it; what
    /// [`SafeTensors::deserialize`](crate::SafeTensors::deserialize) refuses, save bytes behind the
    /// last tensor: they are cut off.
    pub fn open(path: impl AsRef<Path>, options: WriteOptions) -> Result<Self, SafeTensorError> {
        let path = path.as_ref();
        let file = open_locked(path)?;
        mend(&file, path)?;
        let (head_size, metadata) = read_head(&file, path)?;
        let size = file_size(&file, path)?;
        let end = data_end(head_size, &metadata)
            .filter(|&end| end <= size)
            .ok_or(SafeTensorError::MetadataIncompleteBuffer)?;
        let json_size = serde_json::to_vec(&metadata)?.len();
        // Infos can be written shorter than we write them.
        check_capacity(METADATA_NAME, json_size, head_size)?;
        let mut tensors: Vec<_> = metadata
            .iter()
            .map(|(name, info)| (name.to_owned(), info.clone()))
            .collect();
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        let growing = Growing {
            file,
            end: Some(end),
        };
        growing
            .cut_back()
            .map_err(SafeTensorError::file("cut", path))?;
        Ok(Self {
            path: path.to_owned(),
            place: Place::Old(growing),
            head_size,
            text: metadata.metadata().clone(),
            names: tensors.iter().map(|(name, _)| name.clone()).collect(),
            tensors,
            json_size,
            data_size: metadata.data_len(),
            options,
        })
    }

    /// Writes a tensor behind the last one: row-major, little-endian bytes. Costs one system call.
    ///
    /// # Errors
    /// Before anything is written: `HeaderCapacity` when the header has no room for it,
    /// `DuplicateName`, `ReservedName`, `InvalidTensorView` when there are more or fewer bytes than
    /// type and shape ask for. `File` when the system fails; what was pushed before stays.
    pub fn push(
        &mut self,
        name: &str,
        dtype: DType,
        shape: &[usize],
        bytes: &[u8],
    ) -> Result<(), SafeTensorError> {
        if name == METADATA_NAME {
            return Err(SafeTensorError::ReservedName);
        }
        if self.names.contains(name) {
            return Err(SafeTensorError::DuplicateName(name.to_owned()));
        }
        if tensor_size(dtype, shape)? != bytes.len() {
            let shape = shape.to_vec();
            return Err(SafeTensorError::InvalidTensorView(
                dtype,
                shape,
                bytes.len(),
            ));
        }
        let start = self.data_size;
        let end = start
            .checked_add(bytes.len())
            .ok_or(SafeTensorError::ValidationOverflow)?;
        let info = TensorInfo {
            dtype,
            shape: shape.to_vec(),
            data_offsets: (start, end),
        };
        let comma = usize::from(self.json_size > EMPTY_JSON_SIZE);
        let json_size = self.json_size + comma + entry_size(name, &info)?;
        check_capacity(name, json_size, self.head_size)?;
        let file = match &self.place {
            Place::New(replacement) => replacement.file(),
            Place::Old(growing) => &growing.file,
        };
        write_all_at(file, bytes, (self.head_size + start) as u64)
            .map_err(SafeTensorError::file("write", &self.path))?;
        self.names.insert(name.to_owned());
        self.tensors.push((name.to_owned(), info));
        (self.json_size, self.data_size) = (json_size, end);
        Ok(())
    }

    /// How many bytes of header are left for further tensors.
    pub fn header_room(&self) -> usize {
        (self.head_size - LENGTH_SIZE).saturating_sub(self.json_size)
    }

    /// Writes the header. The tensors are in the file when this returns.
    ///
    /// # Errors
    /// `File` when the system fails. A new file has then not appeared. An old one has its old
    /// tensors, or readers refuse it until an appender opens it and completes it.
    pub fn finish(self) -> Result<(), SafeTensorError> {
        let facts = self.tensors.into_iter().map(|(name, info)| {
            let (start, end) = info.data_offsets;
            (name, info.dtype, info.shape, end - start)
        });
        let metadata = lay_out(facts, self.text)?;
        let mut head = vec![0; LENGTH_SIZE];
        serde_json::to_writer(&mut head, &metadata)?;
        pad_head(&mut head, self.head_size)?;
        let in_file = SafeTensorError::file("write", &self.path);
        match self.place {
            Place::New(replacement) => {
                write_all_at(replacement.file(), &head, 0).map_err(in_file)?;
                replacement.commit(self.options.fsync)
            }
            Place::Old(growing) => {
                let end = (self.head_size + self.data_size) as u64;
                growing
                    .commit(&head, end, self.options.fsync)
                    .map_err(in_file)
            }
        }
    }
}

/// A file that tensors are added to. Dropped before [`commit`](Self::commit), it is as it was.
#[derive(Debug)]
struct Growing {
    file: File,
    /// Where the file ended; `None` from when there is no way back.
    end: Option<u64>,
}

impl Growing {
    fn cut_back(&self) -> io::Result<()> {
        match self.end {
            Some(end) if self.file.metadata()?.len() > end => self.file.set_len(end),
            _ => Ok(()),
        }
    }

    /// Puts a new head in the place of the old one of the same size. The data ends at `end`.
    fn commit(mut self, head: &[u8], end: u64, fsync: bool) -> io::Result<()> {
        let sync = |file: &File| if fsync { file.sync_all() } else { Ok(()) };
        // A push that failed may have written more.
        self.file.set_len(end)?;
        sync(&self.file)?;
        let copy = [head, &TRAILER_MAGIC, &xxh3_64(head).to_le_bytes()].concat();
        write_all_at(&self.file, &copy, end)?;
        sync(&self.file)?;
        // From here on the copy is the file's head, and `mend` completes what fails.
        self.end = None;
        write_all_at(&self.file, head, 0)?;
        sync(&self.file)?;
        self.file.set_len(end)?;
        sync(&self.file)
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // What cannot be cut off now is cut off when the file is opened again.
        let _ = self.cut_back();
    }
}

fn open_locked(path: &Path) -> Result<File, SafeTensorError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(SafeTensorError::file("open", path))?;
    let examined = file
        .metadata()
        .map_err(SafeTensorError::file("examine", path))?;
    if !examined.is_file() {
        return Err(SafeTensorError::NotRegularFile(path.to_owned()));
    }
    match file.try_lock() {
        Ok(()) => Ok(file),
        // Some network file systems have no locks.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(error) => Err(SafeTensorError::file("lock", path)(error.into())),
    }
}

/// Completes a commit that was cut short: writes the head from its copy at the end of the file.
fn mend(file: &File, path: &Path) -> Result<(), SafeTensorError> {
    let size = file_size(file, path)?;
    if let Ok((head_size, metadata)) = read_head(file, path)
        && data_end(head_size, &metadata) == Some(size)
    {
        return Ok(());
    }
    let Some((head, end)) = find_copy(file, size).map_err(SafeTensorError::file("read", path))?
    else {
        return Ok(());
    };
    write_all_at(file, &head, 0)
        .and_then(|()| file.sync_all())
        .and_then(|()| file.set_len(end))
        .map_err(SafeTensorError::file("mend", path))
}

/// The copy of a head at the end of a file, and where the data before it ends.
fn find_copy(file: &File, size: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
    let Some(trailer_at) = size.checked_sub(TRAILER_SIZE as u64) else {
        return Ok(None);
    };
    let trailer = read_at(file, trailer_at, TRAILER_SIZE)?;
    let (magic, checksum) = trailer.split_at(TRAILER_MAGIC.len());
    let length = read_at(file, 0, LENGTH_SIZE)?;
    let Some(head_size) = head_size(&length).filter(|_| magic == TRAILER_MAGIC) else {
        return Ok(None);
    };
    let Some(end) = trailer_at.checked_sub(head_size as u64) else {
        return Ok(None);
    };
    let head = read_at(file, end, head_size)?;
    let is_whole = checksum == xxh3_64(&head).to_le_bytes()
        && head.starts_with(&length)
        && Metadata::parse(&head[LENGTH_SIZE..], Rules::Compatible)
            .is_ok_and(|metadata| data_end(head_size, &metadata) == Some(end));
    Ok(is_whole.then_some((head, end)))
}

/// The size of the head, and what it says.
fn read_head(file: &File, path: &Path) -> Result<(usize, Metadata), SafeTensorError> {
    let size = file_size(file, path)?;
    if size < LENGTH_SIZE as u64 {
        return Err(SafeTensorError::HeaderTooSmall);
    }
    let in_file = || SafeTensorError::file("read", path);
    let length = read_at(file, 0, LENGTH_SIZE).map_err(in_file())?;
    let head_size = head_size(&length).ok_or(SafeTensorError::HeaderTooLarge)?;
    if size < head_size as u64 {
        return Err(SafeTensorError::InvalidHeaderLength);
    }
    let header_size = head_size - LENGTH_SIZE;
    let header = read_at(file, LENGTH_SIZE as u64, header_size).map_err(in_file())?;
    Ok((head_size, Metadata::parse(&header, Rules::Compatible)?))
}

/// Where the data ends; `None` behind the end of any file.
fn data_end(head_size: usize, metadata: &Metadata) -> Option<u64> {
    (head_size as u64).checked_add(metadata.data_len() as u64)
}

/// The size of the head that begins with these bytes, if it is within the limit.
fn head_size(length: &[u8]) -> Option<usize> {
    let length = u64::from_le_bytes(length.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    (length <= HEADER_SIZE_MAX).then(|| LENGTH_SIZE + length)
}

fn read_at(mut file: &File, offset: u64, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn file_size(file: &File, path: &Path) -> Result<u64, SafeTensorError> {
    let examined = file
        .metadata()
        .map_err(SafeTensorError::file("examine", path))?;
    Ok(examined.len())
}

/// The size of a tensor's entry in the header.
fn entry_size(name: &str, info: &TensorInfo) -> Result<usize, SafeTensorError> {
    let colon = 1;
    Ok(serde_json::to_vec(name)?.len() + colon + serde_json::to_vec(info)?.len())
}

fn check_capacity(name: &str, needed: usize, head_size: usize) -> Result<(), SafeTensorError> {
    let capacity = head_size - LENGTH_SIZE;
    if needed <= capacity {
        Ok(())
    } else {
        Err(SafeTensorError::HeaderCapacity {
            name: name.to_owned(),
            needed,
            capacity,
        })
    }
}
