//! Writing a packed file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use nexus_tensor::DType;
use xxhash_rust::xxh3::Xxh3;

use super::encode::Plan;
use super::manifest::{
    CODEC, Entry, Manifest, PACKED_HEADER_KEY, PACKED_KEY, format_of, plain_head, shared_text,
};
use crate::cancel::Cancel;
use crate::io::threads_or_all;
use crate::{
    Backend, Metadata, Region, SafeTensorError, SafeTensorsFile, TensorInfo, View, WriteOptions,
    serialize_to_file_with,
};

/// How [`pack_file`] and [`unpack_file`](super::unpack_file) work.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PackOptions {
    /// Threads; by default as many as the machine runs at once.
    pub threads: Option<NonZeroUsize>,
    /// How the file is written.
    pub write: WriteOptions,
    pub(super) cancel: Cancel,
}

impl PackOptions {
    /// Sets [`threads`](Self::threads).
    #[must_use]
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sets [`write`](Self::write).
    #[must_use]
    pub fn write(mut self, write: WriteOptions) -> Self {
        self.write = write;
        self
    }

    /// Stops with the error `Cancelled` soon after the flag is set.
    #[must_use]
    pub fn cancelled_by(mut self, flag: Arc<AtomicBool>) -> Self {
        self.cancel = Cancel::by(flag);
        self
    }
}

/// What [`pack_file`] did with one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackedTensorReport {
    /// The tensor's name.
    pub name: String,
    /// The type of its elements.
    pub dtype: DType,
    /// The code, or `None` where the tensor is stored as it is.
    pub codec: Option<&'static str>,
    /// Its bytes in the original.
    pub raw_bytes: usize,
    /// Its bytes in the packed file.
    pub packed_bytes: usize,
}

/// What [`pack_file`] did. Sizes are those of the tensors, without headers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackReport {
    /// The bytes of all tensors in the original.
    pub raw_bytes: usize,
    /// The bytes of all tensors in the packed file.
    pub packed_bytes: usize,
    /// Each tensor, sorted by name.
    pub tensors: Vec<PackedTensorReport>,
}

/// Whether a header says that its file is packed.
pub fn is_packed(metadata: &Metadata) -> bool {
    let text = metadata.metadata().as_ref();
    text.is_some_and(|text| text.contains_key(PACKED_KEY))
}

/// Packs the BF16 and F16 tensors of a file into another file.
///
/// Reads the source twice: once to count, once to pack. Memory holds one tensor, packed and not,
/// and 26 bytes for each 16 KiB of the source. A tensor that would not get smaller is stored as it
/// is. The target appears at once or not at all, and may be the source.
///
/// ```
/// use nexus_safetensors::packed::{PackOptions, PackedFile, pack_file, unpack_file};
/// use nexus_safetensors::{Dtype, TensorView, serialize_to_file};
///
/// let folder = tempfile::tempdir()?;
/// let [raw, packed, again] = ["raw", "packed", "again"].map(|name| folder.path().join(name));
/// let weights: Vec<u8> = (0..4096_u16).flat_map(|n| (0x3C00 | n % 512).to_le_bytes()).collect();
/// let view = TensorView::new(Dtype::BF16, vec![64, 64], &weights)?;
/// serialize_to_file([("w", view)], None, &raw)?;
///
/// let report = pack_file(&raw, &packed, &PackOptions::default())?;
/// assert!(report.packed_bytes < 7 * report.raw_bytes / 10);
/// let file = PackedFile::open(&packed)?;
/// assert_eq!(file.unpack("w")?, weights);
/// assert_eq!(file.region("w")?.as_ref(), weights);
///
/// unpack_file(&packed, &again, &PackOptions::default())?;
/// assert_eq!(std::fs::read(&again)?, std::fs::read(&raw)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What [`SafeTensorsFile::open_with`] and [`serialize_to_file_with`] refuse; `AlreadyPacked`;
/// `UnexpectedEnd` when another program cuts the source meanwhile; `Cancelled`.
pub fn pack_file(
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    options: &PackOptions,
) -> Result<PackReport, SafeTensorError> {
    let path = source.as_ref();
    let file = SafeTensorsFile::open_with(path, &Backend::Read.into())?;
    if is_packed(file.header()) {
        return Err(SafeTensorError::AlreadyPacked(path.to_owned()));
    }
    let source = Source {
        file: &file,
        threads: threads_or_all(options.threads),
        cancel: options.cancel.clone(),
        failure: Mutex::default(),
    };
    let head = file.head()?;
    let mut hasher = Xxh3::new();
    hasher.update(&head);
    let mut tensors = Vec::with_capacity(file.len());
    for (name, info) in file.header().iter_by_offset() {
        let bytes = source.bytes(name)?;
        hasher.update(bytes.as_ref());
        tensors.push(Packing::new(&source, name, info, bytes.as_ref()));
    }
    tensors.sort_unstable_by_key(|tensor| tensor.name);
    let text = packed_text(&file, &head, hasher.digest(), &tensors)?;
    let report = PackReport {
        raw_bytes: file.header().data_len(),
        packed_bytes: tensors.iter().map(Packing::data_len).sum(),
        tensors: tensors.iter().map(Packing::report).collect(),
    };
    let views = tensors.iter().map(|tensor| (tensor.name, tensor));
    let saved = serialize_to_file_with(views, Some(text), target.as_ref(), options.write);
    drop(tensors);
    // What went wrong with the source says more than what the writer made of it.
    let failure = source.failure.into_inner();
    saved.map_err(|error| {
        let failure = failure.unwrap_or_else(PoisonError::into_inner);
        failure.unwrap_or(error)
    })?;
    Ok(report)
}

/// The `__metadata__` of the packed file.
fn packed_text(
    file: &SafeTensorsFile,
    head: &[u8],
    xxh3: u64,
    tensors: &[Packing<'_>],
) -> Result<HashMap<String, String>, SafeTensorError> {
    let packed = tensors.iter().filter(|tensor| tensor.plan.is_some());
    let entries = packed.map(|tensor| (tensor.name.to_owned(), Entry::new(tensor.info)));
    let manifest = Manifest::new(file.size_bytes(), xxh3, entries.collect());

    let mut text = shared_text(file.metadata());
    let infos = file.infos();
    let infos = infos.map(|(name, info)| (name, info.dtype, info.shape.as_slice()));
    if plain_head(infos, text.clone())? != head {
        // The length is that of the text. UTF-8, or the file would not be open.
        let header = String::from_utf8_lossy(&head[size_of::<u64>()..]).into_owned();
        text.insert(PACKED_HEADER_KEY.to_owned(), header);
    }
    text.insert(PACKED_KEY.to_owned(), serde_json::to_string(&manifest)?);
    Ok(text)
}

/// The file that is packed.
struct Source<'a> {
    file: &'a SafeTensorsFile,
    threads: usize,
    cancel: Cancel,
    /// Why a tensor has no bytes for the writer.
    failure: Mutex<Option<SafeTensorError>>,
}

impl Source<'_> {
    /// One tensor, in memory of its own.
    fn bytes(&self, name: &str) -> Result<Region, SafeTensorError> {
        self.cancel.check()?;
        self.file.region(name)
    }
}

/// A tensor that is read again and packed when it is written.
struct Packing<'a> {
    source: &'a Source<'a>,
    name: &'a str,
    info: &'a TensorInfo,
    plan: Option<Plan>,
    packed_shape: [usize; 1],
}

impl<'a> Packing<'a> {
    fn new(source: &'a Source<'a>, name: &'a str, info: &'a TensorInfo, bytes: &[u8]) -> Self {
        let plan = format_of(info.dtype)
            .map(|format| Plan::new(format, bytes, source.threads))
            .filter(|plan| plan.size() < bytes.len());
        Self {
            source,
            name,
            info,
            packed_shape: [plan.as_ref().map_or(0, Plan::size)],
            plan,
        }
    }

    fn raw_size(&self) -> usize {
        self.info.data_offsets.1 - self.info.data_offsets.0
    }

    fn packed(&self) -> Result<Vec<u8>, SafeTensorError> {
        let bytes = self.source.bytes(self.name)?;
        let Some(plan) = &self.plan else {
            return Ok(bytes.as_ref().to_vec());
        };
        let changed = || {
            let path = self.source.file.path().unwrap_or(Path::new(""));
            SafeTensorError::file("pack", path)(io::Error::other("its bytes changed meanwhile"))
        };
        plan.pack(bytes.as_ref(), self.source.threads)
            .ok_or_else(changed)
    }

    fn report(&self) -> PackedTensorReport {
        PackedTensorReport {
            name: self.name.to_owned(),
            dtype: self.info.dtype,
            codec: self.plan.is_some().then_some(CODEC),
            raw_bytes: self.raw_size(),
            packed_bytes: self.data_len(),
        }
    }
}

impl View for Packing<'_> {
    fn dtype(&self) -> DType {
        match self.plan {
            Some(_) => DType::U8,
            None => self.info.dtype,
        }
    }

    fn shape(&self) -> &[usize] {
        match self.plan {
            Some(_) => &self.packed_shape,
            None => &self.info.shape,
        }
    }

    /// Nothing where it cannot be had, which the writer refuses.
    fn data(&self) -> Cow<'_, [u8]> {
        let packed = self.packed().unwrap_or_else(|error| {
            let failure = self.source.failure.lock();
            *failure.unwrap_or_else(PoisonError::into_inner) = Some(error);
            Vec::new()
        });
        packed.into()
    }

    fn data_len(&self) -> usize {
        self.plan.as_ref().map_or(self.raw_size(), Plan::size)
    }
}
