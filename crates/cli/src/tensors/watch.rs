//! Tensors that are counted while they are written, and that stop the writer after Ctrl-C.

use crate::failure::Failure;
use crate::interrupt;
use crate::progress::{Progress, ProgressMode};
use nexus_safetensors::{
    Dtype, SafeTensorError, TensorView, View, WriteOptions, serialize_to_file_with,
};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The progress of a job that moves bytes.
pub(super) struct Watch {
    progress: Progress,
    stage: &'static str,
    done: AtomicU64,
    total: u64,
    interrupted: Arc<AtomicBool>,
}

impl Watch {
    pub(super) fn new(
        mode: ProgressMode,
        stage: &'static str,
        total: u64,
    ) -> Result<Self, Failure> {
        Ok(Self {
            progress: Progress::new(mode),
            stage,
            done: AtomicU64::new(0),
            total,
            interrupted: interrupt::flag()?,
        })
    }

    /// Shows that so many bytes are done in all.
    pub(super) fn set(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.progress.update(self.stage, done, Some(self.total));
    }

    /// Shows that so many bytes more are done.
    pub(super) fn add(&self, size: u64) {
        self.set(self.done.load(Ordering::Relaxed) + size);
    }

    /// Whether to stop.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Writes tensors to a file, at once or not at all.
    pub(super) fn write<'a>(
        &self,
        tensors: impl IntoIterator<Item = (&'a str, TensorView<'a>)>,
        metadata: HashMap<String, String>,
        target: &Path,
        options: WriteOptions,
    ) -> Result<(), Failure> {
        let watched = tensors
            .into_iter()
            .map(|(name, view)| (name, Watched { watch: self, view }));
        // A file without text has none, as it was read.
        let metadata = Some(metadata).filter(|metadata| !metadata.is_empty());
        let written = serialize_to_file_with(watched, metadata, target, options);
        match written {
            Err(SafeTensorError::InvalidTensorView(..)) if self.is_interrupted() => {
                Err(Failure::interrupted())
            }
            written => Ok(written?),
        }
    }
}

struct Watched<'a> {
    watch: &'a Watch,
    view: TensorView<'a>,
}

impl View for Watched<'_> {
    fn dtype(&self) -> Dtype {
        self.view.dtype()
    }

    fn shape(&self) -> &[usize] {
        self.view.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = self.view.data();
        self.watch.add(bytes.len() as u64);
        // Too few bytes end the write; without any to write, there is no need to.
        if self.watch.is_interrupted() {
            Cow::Borrowed(&[])
        } else {
            bytes.into()
        }
    }

    fn data_len(&self) -> usize {
        self.view.data().len()
    }
}
