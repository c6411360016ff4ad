//! Writing: to bytes, or to a file in one step.
#![expect(
    clippy::implicit_hasher,
    reason = "the signatures of the `safetensors` crate"
)]

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::atomic::Replacement;
use crate::{Metadata, SafeTensorError, TensorInfo, View};

/// Gathers small writes; larger ones pass through.
const BUFFER_SIZE: usize = 1 << 20;

/// How [`serialize_to_file_with`] writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// Wait until file and folder are on the disk, so that a power cut after the return cannot
    /// undo the save. Off by default: a save is atomic either way.
    pub fsync: bool,
}

impl WriteOptions {
    /// Sets [`fsync`](Self::fsync).
    #[must_use]
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }
}

/// Writes tensors to bytes. Peak memory is twice the data where the tensors themselves are counted.
///
/// Tensors are ordered by descending type, then by name, so that each starts at a multiple of its
/// element size.
///
/// # Errors
/// Kind `InvalidInput`: a tensor's bytes do not fit its shape, two have one name, or one has the
/// reserved name; `HeaderTooLarge`.
pub fn serialize<S, V, I>(
    data: I,
    data_info: Option<HashMap<String, String>>,
) -> Result<Vec<u8>, SafeTensorError>
where
    S: AsRef<str> + Ord + Display,
    V: View,
    I: IntoIterator<Item = (S, V)>,
{
    let prepared = Prepared::new(data, data_info)?;
    let mut bytes = Vec::with_capacity(prepared.size());
    prepared.write(&mut bytes)?;
    Ok(bytes)
}

/// Writes tensors to a file, which appears or changes at once and only when all went well.
///
/// The tensors go to a temporary file beside the target, which then takes its name. A symbolic link
/// is followed; an existing file keeps its mode, a new one gets the mode that the umask gives; what
/// is not a regular file is refused. Costs the memory of the header and a buffer of 1 MiB.
///
/// # Errors
/// As [`serialize`], `NotRegularFile`, and `File` when the system fails. The target is then as it
/// was and the temporary file is gone.
pub fn serialize_to_file<S, V, I>(
    data: I,
    data_info: Option<HashMap<String, String>>,
    filename: &Path,
) -> Result<(), SafeTensorError>
where
    S: AsRef<str> + Ord + Display,
    V: View,
    I: IntoIterator<Item = (S, V)>,
{
    serialize_to_file_with(data, data_info, filename, WriteOptions::default())
}

/// [`serialize_to_file`] with options.
///
/// # Errors
/// As [`serialize_to_file`].
pub fn serialize_to_file_with<S, V, I>(
    data: I,
    data_info: Option<HashMap<String, String>>,
    filename: &Path,
    options: WriteOptions,
) -> Result<(), SafeTensorError>
where
    S: AsRef<str> + Ord + Display,
    V: View,
    I: IntoIterator<Item = (S, V)>,
{
    let prepared = Prepared::new(data, data_info)?;
    let replacement = Replacement::create(filename)?;
    prepared
        .write_file(replacement.file())
        .map_err(|error| match error {
            SafeTensorError::IoError(source) => SafeTensorError::file("write", filename)(source),
            other => other,
        })?;
    replacement.commit(options.fsync)
}

/// Tensors in the order of the file, and the head that describes them.
struct Prepared<V> {
    head: Vec<u8>,
    tensors: Vec<V>,
    data_len: usize,
}

impl<V: View> Prepared<V> {
    fn new<S, I>(
        data: I,
        data_info: Option<HashMap<String, String>>,
    ) -> Result<Self, SafeTensorError>
    where
        S: AsRef<str> + Ord + Display,
        I: IntoIterator<Item = (S, V)>,
    {
        let mut data: Vec<_> = data.into_iter().collect();
        // Larger elements first, so that every tensor is aligned; then names, so that the same
        // tensors give the same bytes.
        data.sort_by(|(a_name, a), (b_name, b)| {
            b.dtype().cmp(&a.dtype()).then_with(|| a_name.cmp(b_name))
        });
        let mut infos = Vec::with_capacity(data.len());
        let mut tensors = Vec::with_capacity(data.len());
        let mut start = 0_usize;
        for (name, tensor) in data {
            let end = start
                .checked_add(tensor.data_len())
                .ok_or(SafeTensorError::ValidationOverflow)?;
            let (dtype, shape) = (tensor.dtype(), tensor.shape().to_vec());
            infos.push((
                name.to_string(),
                TensorInfo {
                    dtype,
                    shape,
                    data_offsets: (start, end),
                },
            ));
            tensors.push(tensor);
            start = end;
        }
        let metadata = Metadata::new(data_info, infos)?;
        Ok(Self {
            head: metadata.to_head()?,
            tensors,
            data_len: start,
        })
    }

    fn size(&self) -> usize {
        self.head.len() + self.data_len
    }

    fn write_file(&self, file: &File) -> Result<(), SafeTensorError> {
        let mut out = BufWriter::with_capacity(BUFFER_SIZE, file);
        self.write(&mut out)?;
        Ok(out.flush()?)
    }

    fn write(&self, out: &mut impl Write) -> Result<(), SafeTensorError> {
        out.write_all(&self.head)?;
        for tensor in &self.tensors {
            let bytes = tensor.data();
            // The head is written: a `View` that has lied about its size must not spoil the file.
            if bytes.len() != tensor.data_len() {
                let shape = tensor.shape().to_vec();
                return Err(SafeTensorError::InvalidTensorView(
                    tensor.dtype(),
                    shape,
                    bytes.len(),
                ));
            }
            out.write_all(&bytes)?;
        }
        Ok(())
    }
}
