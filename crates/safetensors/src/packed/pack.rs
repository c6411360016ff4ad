//! Writing a packed file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;

use nexus_tensor::DType;
use xxhash_rust::xxh3::xxh3_64;

use super::encode::Plan;
use super::manifest::{
    CODEC, Entry, Manifest, PACKED_HEADER_KEY, PACKED_KEY, format_of, plain_head, shared_text,
};
use crate::{
    Metadata, SafeTensorError, SafeTensorsFile, TensorInfo, View, WriteOptions,
    serialize_to_file_with,
};

/// How [`pack_file`] and [`unpack_file`](super::unpack_file) work.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct PackOptions {
    /// Threads; by default as many as the machine runs at once.
    pub threads: Option<NonZeroUsize>,
    /// How the file is written.
    pub write: WriteOptions,
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
/// Reads the source twice: once to count, once to pack. Memory holds one packed tensor and 26
/// bytes for each 16 KiB of the source. A tensor that would not get smaller is stored as it is.
/// The target appears at once or not at all, and may be the source.
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
/// What [`SafeTensorsFile::open`] and [`serialize_to_file_with`] refuse, and `AlreadyPacked`.
pub fn pack_file(
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    options: &PackOptions,
) -> Result<PackReport, SafeTensorError> {
    let source = source.as_ref();
    let file = SafeTensorsFile::open(source)?;
    if is_packed(file.header()) {
        return Err(SafeTensorError::AlreadyPacked(source.to_owned()));
    }
    let threads = threads_or_all(options.threads);
    let tensors = file
        .infos()
        .map(|(name, info)| Ok(Packing::new(name, info, file.tensor(name)?.data(), threads)));
    let tensors: Vec<_> = tensors.collect::<Result<_, SafeTensorError>>()?;
    let text = packed_text(&file, &tensors)?;
    let report = PackReport {
        raw_bytes: tensors.iter().map(|tensor| tensor.bytes.len()).sum(),
        packed_bytes: tensors.iter().map(Packing::data_len).sum(),
        tensors: tensors.iter().map(Packing::report).collect(),
    };
    let views = tensors.iter().map(|tensor| (tensor.name, tensor));
    serialize_to_file_with(views, Some(text), target.as_ref(), options.write)?;
    Ok(report)
}

/// The `__metadata__` of the packed file.
fn packed_text(
    file: &SafeTensorsFile,
    tensors: &[Packing<'_>],
) -> Result<HashMap<String, String>, SafeTensorError> {
    let original = file.image().unwrap_or_default();
    let packed = tensors.iter().filter(|tensor| tensor.plan.is_some());
    let entries = packed.map(|tensor| (tensor.name.to_owned(), Entry::new(tensor.info)));
    let manifest = Manifest::new(original.len(), xxh3_64(original), entries.collect());

    let mut text = shared_text(file.metadata());
    let infos = file.infos();
    let infos = infos.map(|(name, info)| (name, info.dtype, info.shape.as_slice()));
    let head = &original[..original.len() - file.header().data_len()];
    if plain_head(infos, text.clone())? != head {
        // The length is that of the text. UTF-8, or the file would not be open.
        let header = String::from_utf8_lossy(&head[size_of::<u64>()..]).into_owned();
        text.insert(PACKED_HEADER_KEY.to_owned(), header);
    }
    text.insert(PACKED_KEY.to_owned(), serde_json::to_string(&manifest)?);
    Ok(text)
}

/// A tensor that is packed when it is written.
struct Packing<'a> {
    name: &'a str,
    info: &'a TensorInfo,
    bytes: &'a [u8],
    plan: Option<Plan>,
    packed_shape: [usize; 1],
    threads: NonZeroUsize,
}

impl<'a> Packing<'a> {
    fn new(name: &'a str, info: &'a TensorInfo, bytes: &'a [u8], threads: NonZeroUsize) -> Self {
        let plan = format_of(info.dtype)
            .map(|format| Plan::new(format, bytes, threads))
            .filter(|plan| plan.size() < bytes.len());
        Self {
            name,
            info,
            bytes,
            packed_shape: [plan.as_ref().map_or(0, Plan::size)],
            plan,
            threads,
        }
    }

    fn report(&self) -> PackedTensorReport {
        PackedTensorReport {
            name: self.name.to_owned(),
            dtype: self.info.dtype,
            codec: self.plan.is_some().then_some(CODEC),
            raw_bytes: self.bytes.len(),
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

    fn data(&self) -> Cow<'_, [u8]> {
        match &self.plan {
            // Nothing where the source changed meanwhile, which the writer refuses.
            Some(plan) => plan
                .pack(self.bytes, self.threads)
                .unwrap_or_default()
                .into(),
            None => self.bytes.into(),
        }
    }

    fn data_len(&self) -> usize {
        self.plan.as_ref().map_or(self.bytes.len(), Plan::size)
    }
}

pub(crate) fn threads_or_all(threads: Option<NonZeroUsize>) -> NonZeroUsize {
    threads
        .or_else(|| std::thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN)
}
