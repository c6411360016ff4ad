//! Tensors in the order of the file, with the head that describes them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::io::Write;
use std::iter;
use std::mem::MaybeUninit;
use std::path::Path;

use nexus_tensor::DType;

use crate::atomic::Replacement;
use crate::limits::{ALIGN_MAX, HEADER_SIZE_MAX};
use crate::sink::write_file;
use crate::sys::memory::{Destination, filled_vec};
use crate::{Metadata, SafeTensorError, TensorInfo, View, WriteMode, WriteOptions};

/// The size of the number that opens a file.
pub(crate) const LENGTH_SIZE: usize = size_of::<u64>();

/// How many bytes of tensors that are made for the save are held at a time.
const OWNED_SIZE_MAX: usize = 8 << 20;

/// Tensors that are ready to be written: sorted, checked, with their header.
///
/// [`serialize`](crate::serialize) and its kin make one and use it once. Make one yourself to know
/// the size before you have the memory.
///
/// ```
/// use nexus_safetensors::{Dtype, Prepared, TensorView};
///
/// let tensor = TensorView::new(Dtype::U8, vec![3], &[1, 2, 3])?;
/// let prepared = Prepared::new([("a", tensor)], None)?;
/// let mut memory = Vec::with_capacity(prepared.size_bytes());
/// let written = prepared.write_into(&mut memory.spare_capacity_mut()[..prepared.size_bytes()])?;
/// assert!(written.ends_with(&[1, 2, 3]));
/// # Ok::<(), nexus_safetensors::SafeTensorError>(())
/// ```
pub struct Prepared<V> {
    head: Vec<u8>,
    tensors: Vec<V>,
    data_size: usize,
}

impl<V: View> Prepared<V> {
    /// Sorts and checks tensors and makes their header. Costs the memory of the header.
    ///
    /// Tensors are ordered by descending type, then by name, so that each starts at a multiple of
    /// its element size.
    ///
    /// # Errors
    /// Kind `InvalidInput`: a tensor's size does not fit its shape, two have one name, or one has
    /// the reserved name; `HeaderTooLarge`.
    pub fn new<S, I>(
        data: I,
        data_info: Option<HashMap<String, String>>,
    ) -> Result<Self, SafeTensorError>
    where
        S: AsRef<str> + Ord + Display,
        I: IntoIterator<Item = (S, V)>,
    {
        Self::aligned(data, data_info, None)
    }

    /// [`new`](Self::new) with the data at a multiple of `align` bytes of the file; see
    /// [`WriteOptions::align`].
    ///
    /// # Errors
    /// As [`new`](Self::new); `InvalidAlignment`.
    pub fn aligned<S, I>(
        data: I,
        data_info: Option<HashMap<String, String>>,
        align: Option<usize>,
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
        let facts = data.iter().map(|(name, tensor)| {
            let shape = tensor.shape().to_vec();
            (name.to_string(), tensor.dtype(), shape, tensor.data_len())
        });
        let metadata = lay_out(facts, data_info)?;
        Ok(Self {
            head: padded_head(&metadata, align)?,
            tensors: data.into_iter().map(|(_, tensor)| tensor).collect(),
            data_size: metadata.data_len(),
        })
    }

    /// The size of the file.
    pub fn size_bytes(&self) -> usize {
        self.head.len() + self.data_size
    }

    /// Writes the file to new memory: one allocation of exactly its size, in huge pages where the
    /// system has them, filled by up to 4 threads.
    ///
    /// # Errors
    /// `InvalidTensorView` for a tensor that has more or fewer bytes than it said.
    pub fn to_vec(&self) -> Result<Vec<u8>, SafeTensorError> {
        filled_vec(self.size_bytes(), |memory| self.fill(memory))
    }

    /// Writes the file to memory of exactly its size, and returns it with its values. Large memory
    /// that has not been touched yet is asked for in huge pages.
    ///
    /// # Errors
    /// `WrongBufferSize` when the memory has another size; as [`to_vec`](Self::to_vec).
    pub fn write_into<'a>(
        &self,
        memory: &'a mut [MaybeUninit<u8>],
    ) -> Result<&'a mut [u8], SafeTensorError> {
        self.check_size(memory.len())?;
        self.fill(Destination::new(memory))
    }

    /// [`write_into`](Self::write_into) for memory that has values already.
    ///
    /// # Errors
    /// As [`write_into`](Self::write_into).
    pub fn overwrite(&self, memory: &mut [u8]) -> Result<(), SafeTensorError> {
        self.check_size(memory.len())?;
        self.fill(Destination::over(memory))?;
        Ok(())
    }

    /// Writes the file to anything that takes bytes: a pipe, a socket, a compressor.
    ///
    /// # Errors
    /// `IoError`; as [`to_vec`](Self::to_vec).
    pub fn write_to(&self, mut out: impl Write) -> Result<(), SafeTensorError> {
        for part in self.parts() {
            out.write_all(&part?)?;
        }
        Ok(out.flush()?)
    }

    /// Writes the file in the place of another, as
    /// [`serialize_to_file_with`](crate::serialize_to_file_with) does. Tells which way the bytes
    /// went.
    ///
    /// # Errors
    /// `NotRegularFile`, and `File` when the system fails; as [`to_vec`](Self::to_vec). The target
    /// is then as it was and the temporary file is gone.
    pub fn save(&self, path: &Path, options: WriteOptions) -> Result<WriteMode, SafeTensorError> {
        let replacement = Replacement::create(path)?;
        let mode = self.write_replacement(&replacement, path, options)?;
        replacement.commit(options.fsync)?;
        Ok(mode)
    }

    pub(crate) fn write_replacement(
        &self,
        replacement: &Replacement,
        path: &Path,
        options: WriteOptions,
    ) -> Result<WriteMode, SafeTensorError> {
        let size = self.size_bytes() as u64;
        write_file(replacement.file(), size, self.parts(), options).map_err(in_file("write", path))
    }

    fn check_size(&self, size: usize) -> Result<(), SafeTensorError> {
        let needed = self.size_bytes();
        if size == needed {
            Ok(())
        } else {
            Err(SafeTensorError::WrongBufferSize { size, needed })
        }
    }

    fn fill<'a>(&self, mut memory: Destination<'a>) -> Result<&'a mut [u8], SafeTensorError> {
        let mut batch = Vec::with_capacity(1 + self.tensors.len());
        let mut owned_size = 0;
        for part in self.parts() {
            let part = part?;
            if let Cow::Owned(bytes) = &part {
                owned_size += bytes.len();
            }
            batch.push(part);
            if owned_size > OWNED_SIZE_MAX {
                memory.copy(&batch);
                batch.clear();
                owned_size = 0;
            }
        }
        memory.copy(&batch);
        Ok(memory.finish())
    }

    /// The bytes of the file, piece by piece.
    fn parts(&self) -> impl Iterator<Item = Result<Cow<'_, [u8]>, SafeTensorError>> {
        iter::once(Ok(Cow::Borrowed(self.head.as_slice())))
            .chain(self.tensors.iter().map(checked_bytes))
    }
}

/// The head is made: a `View` that has lied about its size must not spoil the file.
fn checked_bytes<V: View>(tensor: &V) -> Result<Cow<'_, [u8]>, SafeTensorError> {
    let bytes = tensor.data();
    if bytes.len() == tensor.data_len() {
        Ok(bytes)
    } else {
        let shape = tensor.shape().to_vec();
        Err(SafeTensorError::InvalidTensorView(
            tensor.dtype(),
            shape,
            bytes.len(),
        ))
    }
}

/// Puts tensors one behind the other, in the order given.
pub(crate) fn lay_out(
    facts: impl Iterator<Item = (String, DType, Vec<usize>, usize)>,
    text: Option<HashMap<String, String>>,
) -> Result<Metadata, SafeTensorError> {
    let mut start = 0_usize;
    let infos: Result<Vec<_>, _> = facts
        .map(|(name, dtype, shape, size)| {
            let end = start
                .checked_add(size)
                .ok_or(SafeTensorError::ValidationOverflow)?;
            let data_offsets = (start, end);
            start = end;
            let info = TensorInfo {
                dtype,
                shape,
                data_offsets,
            };
            Ok::<_, SafeTensorError>((name, info))
        })
        .collect();
    Metadata::new(text, infos?)
}

/// The head of a file whose data begins at a multiple of `align`.
pub(crate) fn padded_head(
    metadata: &Metadata,
    align: Option<usize>,
) -> Result<Vec<u8>, SafeTensorError> {
    let align = align.unwrap_or(LENGTH_SIZE);
    if !align.is_power_of_two() || !(LENGTH_SIZE..=ALIGN_MAX).contains(&align) {
        return Err(SafeTensorError::InvalidAlignment(align));
    }
    let mut head = metadata.to_head()?;
    let size = head.len().next_multiple_of(align);
    pad_head(&mut head, size)?;
    Ok(head)
}

/// Lengthens a head to `size` bytes with blanks, which JSON ignores.
pub(crate) fn pad_head(head: &mut Vec<u8>, size: usize) -> Result<(), SafeTensorError> {
    let header_size = size - LENGTH_SIZE;
    if header_size > HEADER_SIZE_MAX {
        return Err(SafeTensorError::HeaderTooLarge);
    }
    head.resize(size, b' ');
    head[..LENGTH_SIZE].copy_from_slice(&(header_size as u64).to_le_bytes());
    Ok(())
}

/// Gives an error of the system the file that it happened on.
pub(crate) fn in_file(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(SafeTensorError) -> SafeTensorError {
    move |error| match error {
        SafeTensorError::IoError(source) => SafeTensorError::file(action, path)(source),
        other => other,
    }
}
