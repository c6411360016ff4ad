//! Writing: to bytes, to a stream, or to a file in one step.
#![expect(
    clippy::implicit_hasher,
    reason = "the signatures of the `safetensors` crate"
)]

use std::collections::HashMap;
use std::fmt::Display;
use std::io::Write;
use std::path::Path;

use crate::{Prepared, SafeTensorError, View, WriteOptions};

/// Writes tensors to bytes: one allocation of the size of the file, in huge pages where the system
/// has them, filled by up to 4 threads. Peak memory is twice the data where the tensors themselves
/// are counted.
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
    Prepared::new(data, data_info)?.to_vec()
}

/// Writes tensors to memory of exactly [`serialized_size`] bytes. [`Prepared::write_into`] does so
/// for memory without values, and makes the header only once.
///
/// # Errors
/// As [`serialize`]; `WrongBufferSize` when the memory has another size.
pub fn serialize_into<S, V, I>(
    data: I,
    data_info: Option<HashMap<String, String>>,
    memory: &mut [u8],
) -> Result<(), SafeTensorError>
where
    S: AsRef<str> + Ord + Display,
    V: View,
    I: IntoIterator<Item = (S, V)>,
{
    Prepared::new(data, data_info)?.overwrite(memory)
}

/// How many bytes [`serialize`] makes of these tensors. Makes the header and nothing else.
///
/// # Errors
/// As [`serialize`].
pub fn serialized_size<S, V, I>(
    data: I,
    data_info: Option<HashMap<String, String>>,
) -> Result<usize, SafeTensorError>
where
    S: AsRef<str> + Ord + Display,
    V: View,
    I: IntoIterator<Item = (S, V)>,
{
    Ok(Prepared::new(data, data_info)?.size_bytes())
}

/// Writes tensors to anything that takes bytes: a pipe, a socket, a compressor. Nothing is copied;
/// each tensor is one `write_all`.
///
/// ```
/// use nexus_safetensors::{Dtype, TensorView, serialize, serialize_to_writer};
///
/// let tensors = || [("a", TensorView::new(Dtype::U8, vec![2], &[1, 2]).unwrap())];
/// let mut stream = Vec::new();
/// serialize_to_writer(tensors(), None, &mut stream)?;
/// assert_eq!(stream, serialize(tensors(), None)?);
/// # Ok::<(), nexus_safetensors::SafeTensorError>(())
/// ```
///
/// # Errors
/// As [`serialize`]; `IoError` when the stream fails, which may then have a part of the bytes.
pub fn serialize_to_writer<S, V, I>(
    data: I,
    data_info: Option<HashMap<String, String>>,
    out: impl Write,
) -> Result<(), SafeTensorError>
where
    S: AsRef<str> + Ord + Display,
    V: View,
    I: IntoIterator<Item = (S, V)>,
{
    Prepared::new(data, data_info)?.write_to(out)
}

/// Writes tensors to a file, which appears or changes at once and only when all went well.
///
/// The tensors go to a temporary file beside the target, which then takes its name. A symbolic link
/// is followed; an existing file keeps its mode, and its owner and group where the system permits;
/// a new one gets the mode that the umask gives; what is not a regular file is refused. Costs the
/// memory of the header and at most 14 MiB.
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
/// ```
/// use nexus_safetensors::{Dtype, SafeTensorsFile, TensorView, WriteOptions, serialize_to_file_with};
///
/// let path = tempfile::tempdir()?.keep().join("aligned.safetensors");
/// let tensors = [("a", TensorView::new(Dtype::U8, vec![2], &[1, 2])?)];
/// let options = WriteOptions::default().fsync(true).align(4096);
/// serialize_to_file_with(tensors, None, &path, options)?;
///
/// let file = SafeTensorsFile::open(&path)?;
/// assert_eq!(file.byte_range(file.info("a")?), 4096..4098);
/// # std::fs::remove_dir_all(path.parent().unwrap())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`serialize_to_file`]; `InvalidAlignment`.
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
    Prepared::aligned(data, data_info, options.align)?.save(filename, options)?;
    Ok(())
}
