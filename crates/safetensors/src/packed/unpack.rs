//! Opening a packed file, and turning it back.

use std::io::Write;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;

use nexus_tensor::DType;
use xxhash_rust::xxh3::Xxh3;

use super::block::Format;
use super::decode::{Blocks, VALUE_SIZE};
use super::isa::Isa;
use super::manifest::{Manifest, PACKED_HEADER_KEY, PACKED_KEY, plain_head, shared_text};
use super::pack::PackOptions;
use crate::atomic::Replacement;
use crate::io::threads_or_all;
use crate::limits::UNPACK_BUFFER_SIZE;
use crate::pieces::Pieces;
use crate::raw::Pages;
use crate::{Backend, Metadata, Region, Rules, SafeTensorError, SafeTensorsFile, TensorInfo};

/// A packed file, seen as the original: names, types, shapes and bytes are those of before.
///
/// Opening checks the header; a tensor is decoded when it is asked for. May go to other threads.
pub struct PackedFile {
    file: SafeTensorsFile,
    manifest: Manifest,
    original: Metadata,
    // The original's length and header.
    head: Vec<u8>,
    threads: usize,
    isa: Isa,
}

impl PackedFile {
    /// Opens a packed file and checks its header. Tensors are read when they are asked for, a few
    /// blocks at a time, so that a file that is cut meanwhile is an error and no signal.
    ///
    /// # Errors
    /// What [`SafeTensorsFile::open_with`] and [`new`](Self::new) refuse.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SafeTensorError> {
        Self::new(SafeTensorsFile::open_with(path, &Backend::Read.into())?)
    }

    /// Takes an open file, and reads what it says of its packed tensors.
    ///
    /// # Errors
    /// `NotPacked`, `PackedVersion`, and `Packed` when header and manifest do not agree.
    pub fn new(file: SafeTensorsFile) -> Result<Self, SafeTensorError> {
        let text = file.metadata().and_then(|text| text.get(PACKED_KEY));
        let manifest = Manifest::parse(text.ok_or(SafeTensorError::NotPacked)?)?;
        let head = original_head(&file, &manifest)?;
        let original = Metadata::parse(&head[size_of::<u64>()..], Rules::Compatible)?;
        check(&file, &manifest, &original)?;
        let size = (head.len() as u64).checked_add(original.data_len() as u64);
        let size = size.ok_or(SafeTensorError::ValidationOverflow)?;
        if manifest.size != size {
            let said = manifest.size;
            let what = format!("the original has {size} bytes, not {said}");
            return Err(SafeTensorError::packed(None, what));
        }
        Ok(Self {
            file,
            manifest,
            original,
            head,
            threads: threads_or_all(None),
            isa: Isa::detect(),
        })
    }

    /// Decodes with so many threads; by default with as many as the machine runs at once.
    #[must_use]
    pub fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = threads.into();
        self
    }

    /// Decodes with this instruction set; by default with the widest.
    #[must_use]
    pub fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = isa;
        self
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The packed file as any reader sees it.
    pub fn file(&self) -> &SafeTensorsFile {
        &self.file
    }

    /// The header of the original, with the original's offsets.
    pub fn header(&self) -> &Metadata {
        &self.original
    }

    /// Whether a tensor is stored in fewer bytes than it has; `false` also for unknown names.
    pub fn is_tensor_packed(&self, name: &str) -> bool {
        self.manifest.tensors.contains_key(name)
    }

    /// What the original's header says of one tensor.
    ///
    /// # Errors
    /// `TensorNotFound`.
    pub fn info(&self, name: &str) -> Result<&TensorInfo, SafeTensorError> {
        let missing = || SafeTensorError::TensorNotFound(name.to_owned());
        self.original.info(name).ok_or_else(missing)
    }

    /// The bytes of one tensor. Allocates them, at most twice the size of the packed tensor.
    ///
    /// # Errors
    /// `TensorNotFound`; `Packed` when the tensor's blocks are not sound.
    pub fn unpack(&self, name: &str) -> Result<Vec<u8>, SafeTensorError> {
        let tensor = self.tensor(name)?;
        let mut bytes = vec![0; tensor.size()];
        self.decode(name, &tensor, 0..bytes.len(), &mut bytes)?;
        Ok(bytes)
    }

    /// The bytes of one tensor, in memory of their own: large pages where the tensor fills some.
    ///
    /// # Errors
    /// As [`unpack`](Self::unpack); `IoError` when there is no memory.
    pub fn region(&self, name: &str) -> Result<Region, SafeTensorError> {
        let tensor = self.tensor(name)?;
        let size = tensor.size();
        let mut pages = Pages::zeroed(size)?;
        self.decode(name, &tensor, 0..size, pages.as_mut_slice())?;
        Ok(Region::of_pages(pages, 0..size))
    }

    /// Decodes one tensor to memory that is there.
    ///
    /// # Errors
    /// As [`unpack`](Self::unpack), and `TargetSize` when `target` has not the tensor's size.
    pub fn unpack_into(&self, name: &str, target: &mut [u8]) -> Result<(), SafeTensorError> {
        let tensor = self.tensor(name)?;
        self.decode(name, &tensor, 0..tensor.size(), target)
    }

    /// Decodes some of the bytes of one tensor. Reads only the blocks of 16 KiB that they lie in.
    ///
    /// # Errors
    /// As [`unpack_into`](Self::unpack_into), and `TargetSize` also for a range that is not
    /// inside the tensor or cuts a packed value in two.
    pub fn unpack_range_into(
        &self,
        name: &str,
        range: Range<usize>,
        target: &mut [u8],
    ) -> Result<(), SafeTensorError> {
        self.decode(name, &self.tensor(name)?, range, target)
    }

    fn tensor<'a>(&'a self, name: &'a str) -> Result<Stored<'a>, SafeTensorError> {
        let bytes = self.file.pieces(name)?;
        let Some(entry) = self.manifest.tensors.get(name) else {
            return Ok(Stored::Raw(bytes));
        };
        let (format, _, shape) = entry.check(name)?;
        let len =
            nexus_tensor::element_count(&shape).map_err(|_| SafeTensorError::ValidationOverflow)?;
        Blocks::read(name, format, len, bytes).map(Stored::Packed)
    }

    fn decode(
        &self,
        name: &str,
        tensor: &Stored<'_>,
        range: Range<usize>,
        target: &mut [u8],
    ) -> Result<(), SafeTensorError> {
        let inside = range.start <= range.end && range.end <= tensor.size();
        let odd = |at: usize| matches!(tensor, Stored::Packed(_)) && !at.is_multiple_of(VALUE_SIZE);
        if !inside || range.len() != target.len() || odd(range.start) || odd(range.end) {
            return Err(SafeTensorError::TargetSize {
                name: name.to_owned(),
                range,
                target: target.len(),
            });
        }
        match tensor {
            Stored::Raw(bytes) => bytes.read_into(range.start, target),
            Stored::Packed(blocks) => {
                let values = range.start / VALUE_SIZE..range.end / VALUE_SIZE;
                blocks.unpack(values, target, self.isa, self.threads)
            }
        }
    }
}

impl std::fmt::Debug for PackedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackedFile")
            .field("file", &self.file)
            .field("packed", &self.manifest.tensors.len())
            .field("isa", &self.isa.name())
            .finish_non_exhaustive()
    }
}

/// Writes the original of a packed file, byte for byte, whoever wrote it.
///
/// Memory holds 16 MiB of values. The target appears at once or not at all.
///
/// # Errors
/// What [`PackedFile::open`] and [`PackedFile::unpack`] refuse; `Packed` when the result has not
/// the checksum of the original; `File` and `NotRegularFile` as for a save; `Cancelled`.
pub fn unpack_file(
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    options: &PackOptions,
) -> Result<(), SafeTensorError> {
    let mut packed = PackedFile::open(source)?;
    packed.threads = threads_or_all(options.threads);
    let target = target.as_ref();
    let replacement = Replacement::create(target)?;
    let mut hasher = Xxh3::new();
    let mut write = |bytes: &[u8]| {
        hasher.update(bytes);
        let mut file = replacement.file();
        file.write_all(bytes)
            .map_err(SafeTensorError::file("write", target))
    };
    write(&packed.head)?;
    let mut buffer = Vec::new();
    for name in packed.original.offset_keys() {
        let tensor = packed.tensor(&name)?;
        for start in (0..tensor.size()).step_by(UNPACK_BUFFER_SIZE) {
            options.cancel.check()?;
            let end = tensor.size().min(start + UNPACK_BUFFER_SIZE);
            buffer.resize(end - start, 0);
            packed.decode(&name, &tensor, start..end, &mut buffer)?;
            write(&buffer)?;
        }
    }
    let (found, said) = (format!("{:016x}", hasher.digest()), &packed.manifest.xxh3);
    if found != *said {
        let what = format!("the bytes have the checksum {found}, the original's is {said}");
        return Err(SafeTensorError::packed(None, what));
    }
    replacement.commit(options.write.fsync)
}

/// The bytes of one tensor as they lie in the packed file.
enum Stored<'a> {
    Raw(Pieces<'a>),
    Packed(Blocks<'a>),
}

impl Stored<'_> {
    /// The size of the tensor. Cannot overflow: blocks are not smaller than half of their values.
    fn size(&self) -> usize {
        match self {
            Self::Raw(bytes) => bytes.size(),
            Self::Packed(blocks) => VALUE_SIZE * blocks.len(),
        }
    }
}

/// The head of the original: kept in the file, or as any writer would make it.
fn original_head(file: &SafeTensorsFile, manifest: &Manifest) -> Result<Vec<u8>, SafeTensorError> {
    let text = file.metadata();
    if let Some(header) = text.and_then(|text| text.get(PACKED_HEADER_KEY)) {
        let size = header.len() as u64;
        return Ok([&size.to_le_bytes(), header.as_bytes()].concat());
    }
    let mut tensors = Vec::with_capacity(file.len());
    for (name, info) in file.infos() {
        tensors.push(match manifest.tensors.get(name) {
            Some(entry) => {
                let (_, dtype, shape) = entry.check(name)?;
                (name, dtype, shape)
            }
            None => (name, info.dtype, info.shape.clone()),
        });
    }
    let tensors = tensors.iter();
    let tensors = tensors.map(|(name, dtype, shape)| (*name, *dtype, shape.as_slice()));
    plain_head(tensors, shared_text(text))
}

/// Every tensor of the original is in the file, packed as the manifest says or as it was.
fn check(
    file: &SafeTensorsFile,
    manifest: &Manifest,
    original: &Metadata,
) -> Result<(), SafeTensorError> {
    if file.len() != original.len() {
        let (found, said) = (file.len(), original.len());
        let what = format!("there are {found} tensors, the original has {said}");
        return Err(SafeTensorError::packed(None, what));
    }
    for (name, entry) in &manifest.tensors {
        let (_, dtype, shape): (Format, _, _) = entry.check(name)?;
        let refused = || SafeTensorError::packed(Some(name), "it is not in the file");
        let stored = file.header().info(name).ok_or_else(refused)?;
        let said = original.info(name);
        if stored.dtype != DType::U8 || stored.shape.len() != 1 {
            return Err(SafeTensorError::packed(
                Some(name),
                "it is not a list of U8",
            ));
        }
        if said.is_none_or(|said| said.dtype != dtype || said.shape != shape) {
            let what = "the original's header has another type or shape than the manifest";
            return Err(SafeTensorError::packed(Some(name), what));
        }
    }
    for (name, stored) in file.infos() {
        if manifest.tensors.contains_key(name) {
            continue;
        }
        let said = original.info(name);
        if said.is_none_or(|said| said.dtype != stored.dtype || said.shape != stored.shape) {
            let what = "the original's header has another type or shape than the file";
            return Err(SafeTensorError::packed(Some(name), what));
        }
    }
    Ok(())
}
