//! Writing a file piece by piece, for models larger than memory.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nexus_tensor::{DType, size_bytes};

use crate::atomic::Replacement;
use crate::prepared::{lay_out, padded_head};
use crate::sink::write_all_at;
use crate::sys::write::{preallocate, start_write_back};
use crate::{Metadata, SafeTensorError, WriteOptions};

/// Pieces from this size on are sent to the disk at once when the save is to be durable.
const WRITE_BACK_SIZE_MIN: usize = 1 << 20;

/// Writes a file whose tensors are declared first and come later, in any order and in pieces.
///
/// The file has the layout that [`serialize`](crate::serialize) gives the same tensors. It appears
/// at [`finish`](Self::finish), when every byte has come; dropped before, the writer leaves nothing.
/// Methods take `&self`, so that threads can write at once. Nothing is buffered: a piece costs one
/// system call, and goes through the page cache whatever [`WriteOptions::mode`] says.
///
/// ```
/// use nexus_safetensors::{Dtype, SafeTensorsFile, SafeWriter, WriteOptions};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("large.safetensors");
/// let specs = [("small", Dtype::U8, vec![2]), ("large", Dtype::F32, vec![2, 2])];
/// let writer = SafeWriter::create(&path, specs, None, WriteOptions::default())?;
/// writer.write("small", &[1, 2])?;
/// writer.write_at("large", 8, &[0; 8])?;
/// writer.write_at("large", 0, &[0; 8])?;
/// writer.finish()?;
///
/// assert_eq!(SafeTensorsFile::open(&path)?.tensor("small")?.data(), [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SafeWriter {
    path: PathBuf,
    replacement: Replacement,
    metadata: Metadata,
    data_start: usize,
    options: WriteOptions,
    /// What has been written of the data.
    written: Mutex<Ranges>,
}

impl SafeWriter {
    /// Lays out the file and reserves its space. Nothing is at `path` yet.
    ///
    /// # Errors
    /// As [`serialize_to_file_with`](crate::serialize_to_file_with): a full disk, for one, is known
    /// here where the file system can reserve space.
    pub fn create<S: Into<String>>(
        path: impl AsRef<Path>,
        specs: impl IntoIterator<Item = (S, DType, Vec<usize>)>,
        metadata: Option<HashMap<String, String>>,
        options: WriteOptions,
    ) -> Result<Self, SafeTensorError> {
        let path = path.as_ref();
        let mut facts = Vec::new();
        for (name, dtype, shape) in specs {
            let size = tensor_size(dtype, &shape)?;
            facts.push((name.into(), dtype, shape, size));
        }
        // The order of `serialize`.
        facts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let metadata = lay_out(facts.into_iter(), metadata)?;
        let head = padded_head(&metadata, options.align)?;
        let replacement = Replacement::create(path)?;
        let size = head.len() + metadata.data_len();
        preallocate(replacement.file(), size as u64)
            .and_then(|()| write_all_at(replacement.file(), &head, 0))
            .map_err(SafeTensorError::file("write", path))?;
        Ok(Self {
            path: path.to_owned(),
            replacement,
            metadata,
            data_start: head.len(),
            options,
            written: Mutex::default(),
        })
    }

    /// What the file will say of its tensors.
    pub fn header(&self) -> &Metadata {
        &self.metadata
    }

    /// Writes a whole tensor: row-major, little-endian bytes.
    ///
    /// # Errors
    /// `TensorNotFound`; `InvalidTensorView` when there are more or fewer bytes than declared;
    /// `File`. After an error the tensor may be half written: write it again, or drop the writer.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), SafeTensorError> {
        let place = self.place(name)?;
        if place.len() != bytes.len() {
            return Err(self.unfit(name, bytes.len()));
        }
        self.put(place.start, bytes)
    }

    /// Writes a piece of a tensor that begins at its byte `offset`. What has been written before may
    /// be written again.
    ///
    /// # Errors
    /// `TensorNotFound`; `OutOfTensor` when the piece ends behind the tensor; `File`.
    pub fn write_at(&self, name: &str, offset: usize, bytes: &[u8]) -> Result<(), SafeTensorError> {
        let place = self.place(name)?;
        match offset.checked_add(bytes.len()) {
            Some(end) if end <= place.len() => self.put(place.start + offset, bytes),
            _ => Err(SafeTensorError::OutOfTensor {
                name: name.to_owned(),
                start: offset,
                len: bytes.len(),
                size: place.len(),
            }),
        }
    }

    /// How many bytes are still to come.
    pub fn missing_bytes(&self) -> usize {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        self.metadata.data_len() - written.0.iter().map(Range::len).sum::<usize>()
    }

    /// Checks that every byte has come and gives the file its name.
    ///
    /// # Errors
    /// `Unwritten` names the first tensor in the order of the file that lacks bytes; `File`. The
    /// target is then as it was.
    pub fn finish(self) -> Result<(), SafeTensorError> {
        let written = self
            .written
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(gap) = written.first_gap(self.metadata.data_len()) {
            return Err(unwritten(&self.path, &self.metadata, gap));
        }
        self.replacement.commit(self.options.fsync)
    }

    fn place(&self, name: &str) -> Result<Range<usize>, SafeTensorError> {
        let missing = || SafeTensorError::TensorNotFound(name.to_owned());
        let (start, end) = self.metadata.info(name).ok_or_else(missing)?.data_offsets;
        Ok(start..end)
    }

    fn unfit(&self, name: &str, size: usize) -> SafeTensorError {
        match self.metadata.info(name) {
            Some(info) => SafeTensorError::InvalidTensorView(info.dtype, info.shape.clone(), size),
            None => SafeTensorError::TensorNotFound(name.to_owned()),
        }
    }

    fn put(&self, start: usize, bytes: &[u8]) -> Result<(), SafeTensorError> {
        let offset = (self.data_start + start) as u64;
        let file = self.replacement.file();
        write_all_at(file, bytes, offset).map_err(SafeTensorError::file("write", &self.path))?;
        if self.options.fsync && bytes.len() >= WRITE_BACK_SIZE_MIN {
            start_write_back(file, offset, bytes.len() as u64);
        }
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.add(start..start + bytes.len());
        Ok(())
    }
}

impl std::fmt::Debug for SafeWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SafeWriter")
            .field("path", &self.path)
            .field("len", &self.metadata.len())
            .field("missing_bytes", &self.missing_bytes())
            .finish_non_exhaustive()
    }
}

/// The size that type and shape ask for.
pub(crate) fn tensor_size(dtype: DType, shape: &[usize]) -> Result<usize, SafeTensorError> {
    size_bytes(dtype, shape).map_err(|error| match error.kind() {
        nexus_tensor::ErrorKind::LimitReached => SafeTensorError::ValidationOverflow,
        _ => SafeTensorError::MisalignedSlice,
    })
}

/// Names the tensor that byte `gap` of the data belongs to.
fn unwritten(path: &Path, metadata: &Metadata, gap: usize) -> SafeTensorError {
    let lacking = metadata
        .iter()
        .find(|(_, info)| (info.data_offsets.0..info.data_offsets.1).contains(&gap));
    let (name, at) = match lacking {
        Some((name, info)) => (name.to_owned(), gap - info.data_offsets.0),
        None => (String::new(), gap),
    };
    SafeTensorError::Unwritten {
        path: path.to_owned(),
        name,
        at,
    }
}

/// Disjoint ranges in ascending order that do not touch.
#[derive(Default)]
struct Ranges(Vec<Range<usize>>);

impl Ranges {
    fn add(&mut self, new: Range<usize>) {
        if new.is_empty() {
            return;
        }
        // All that overlap or touch the new one become one with it.
        let first = self.0.partition_point(|old| old.end < new.start);
        let last = self.0.partition_point(|old| old.start <= new.end);
        let joined = match self.0[first..last] {
            [] => new,
            ref old => old[0].start.min(new.start)..old[old.len() - 1].end.max(new.end),
        };
        self.0.splice(first..last, [joined]);
    }

    /// The first place in `0..size` that is not in any range.
    fn first_gap(&self, size: usize) -> Option<usize> {
        let covered = match self.0.first() {
            Some(first) if first.start == 0 => first.end,
            _ => 0,
        };
        (covered < size).then_some(covered)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Ranges;

    proptest! {
        #[test]
        fn ranges_agree_with_a_set_of_bytes(pieces in prop::collection::vec((0..40_usize, 0..9_usize), 0..20)) {
            let (mut ranges, mut twin) = (Ranges::default(), [false; 50]);
            for (start, len) in pieces {
                ranges.add(start..start + len);
                twin[start..start + len].fill(true);
                let shown: Vec<_> = ranges.0.iter().cloned().flatten().collect();
                let expected: Vec<_> = (0..50).filter(|&at| twin[at]).collect();
                prop_assert_eq!(shown, expected);
                prop_assert!(ranges.0.windows(2).all(|pair| pair[0].end < pair[1].start));
                prop_assert_eq!(ranges.first_gap(50), twin.iter().position(|written| !written));
            }
        }
    }
}
