//! Saves that go on while the program does.

use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use memmap2::MmapMut;

use crate::atomic::Replacement;
use crate::prepared::in_file;
use crate::sink::write_file;
use crate::{Prepared, SafeTensorError, View, WriteMode, WriteOptions};

/// A copy of tensors as they were, in huge pages, laid out as the file will be.
///
/// Costs the size of the file in memory, and the time of one copy by up to 4 threads. Because file
/// and memory are aligned alike, a direct save of it needs no further copy.
pub struct Snapshot {
    file: MmapMut,
    size: usize,
}

impl Snapshot {
    /// Copies tensors.
    ///
    /// # Errors
    /// As [`serialize`](crate::serialize); `IoError` when there is no memory.
    pub fn of<S, V, I>(
        data: I,
        data_info: Option<HashMap<String, String>>,
    ) -> Result<Self, SafeTensorError>
    where
        S: AsRef<str> + Ord + Display,
        V: View,
        I: IntoIterator<Item = (S, V)>,
    {
        Self::of_prepared(&Prepared::new(data, data_info)?)
    }

    /// Copies tensors that are prepared already.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_prepared<V: View>(prepared: &Prepared<V>) -> Result<Self, SafeTensorError> {
        let size = prepared.size_bytes();
        let mut file = MmapMut::map_anon(size)?;
        prepared.overwrite(&mut file[..size])?;
        Ok(Self { file, size })
    }

    /// The bytes of the file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.file[..self.size]
    }

    /// Writes the file in the place of another, as
    /// [`serialize_to_file_with`](crate::serialize_to_file_with) does; `align` was chosen before.
    /// Tells which way the bytes went.
    ///
    /// # Errors
    /// `NotRegularFile`, and `File` when the system fails. The target is then as it was.
    pub fn save(&self, path: &Path, options: WriteOptions) -> Result<WriteMode, SafeTensorError> {
        let replacement = Replacement::create(path)?;
        let bytes = self.as_bytes();
        let parts = std::iter::once(Ok(bytes.into()));
        let mode = write_file(replacement.file(), bytes.len() as u64, parts, options)
            .map_err(in_file("write", path))?;
        replacement.commit(options.fsync)?;
        Ok(mode)
    }
}

/// Writes tensors to a file while the caller goes on: returns when they are copied, and may be
/// changed then. Costs the memory of a [`Snapshot`] until the save is done.
///
/// ```
/// use nexus_safetensors::{Dtype, SafeTensorsFile, TensorView, WriteOptions, save_async};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("a.safetensors");
/// let mut weights = [1, 2, 3];
/// let view = TensorView::new(Dtype::U8, vec![3], &weights)?;
/// let pending = save_async([("a", view)], None, &path, WriteOptions::default())?;
/// weights[0] = 9;
/// pending.wait()?;
/// assert_eq!(SafeTensorsFile::open(&path)?.tensor("a")?.data(), [1, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`Snapshot::of`], at once. What happens later is reported by [`PendingSave::wait`].
#[expect(
    clippy::implicit_hasher,
    reason = "the signatures of the `safetensors` crate"
)]
pub fn save_async<S, V, I>(
    data: I,
    data_info: Option<HashMap<String, String>>,
    path: &Path,
    options: WriteOptions,
) -> Result<PendingSave, SafeTensorError>
where
    S: AsRef<str> + Ord + Display,
    V: View,
    I: IntoIterator<Item = (S, V)>,
{
    let prepared = Prepared::aligned(data, data_info, options.align)?;
    let snapshot = Snapshot::of_prepared(&prepared)?;
    PendingSave::start(path, move |path| snapshot.save(path, options))
}

/// A save on a thread of its own.
///
/// Dropping it waits for the save, so that what was asked for is on disk when the program ends; an
/// error is then lost. [`wait`](Self::wait) reports it.
#[derive(Debug)]
pub struct PendingSave {
    path: PathBuf,
    thread: Option<JoinHandle<Result<WriteMode, SafeTensorError>>>,
}

impl PendingSave {
    /// Saves owned tensors, or tensors that live forever, without a copy. They must not change
    /// until the save is done.
    ///
    /// # Errors
    /// `IoError` when no thread can be started.
    pub fn of<V: View + Send + 'static>(
        prepared: Prepared<V>,
        path: &Path,
        options: WriteOptions,
    ) -> Result<Self, SafeTensorError> {
        Self::start(path, move |path| prepared.save(path, options))
    }

    fn start(
        path: &Path,
        save: impl FnOnce(&Path) -> Result<WriteMode, SafeTensorError> + Send + 'static,
    ) -> Result<Self, SafeTensorError> {
        let target = path.to_owned();
        let thread = thread::Builder::new()
            .name("safetensors-save".to_owned())
            .spawn(move || save(&target))?;
        Ok(Self {
            path: path.to_owned(),
            thread: Some(thread),
        })
    }

    /// The file that is being saved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether [`wait`](Self::wait) would return at once.
    pub fn is_done(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the save. Tells which way the bytes went.
    ///
    /// # Errors
    /// As [`serialize_to_file_with`](crate::serialize_to_file_with); the target is then as it was.
    pub fn wait(mut self) -> Result<WriteMode, SafeTensorError> {
        let outcome = self.thread.take().map(JoinHandle::join);
        match outcome {
            Some(Ok(outcome)) => outcome,
            // A panic in a view of the caller.
            Some(Err(_)) => Err(SafeTensorError::file("write", &self.path)(
                io::Error::other("a tensor's `data` has panicked"),
            )),
            None => Err(io::Error::other("the save has been waited for").into()),
        }
    }
}

impl Drop for PendingSave {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The caller has chosen not to hear of it.
            let _ = thread.join();
        }
    }
}
