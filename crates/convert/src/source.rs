//! A file of tensors in any of the formats that are understood.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use nexus_tensor::{DType, size_bytes};

use crate::archive::Archive;
use crate::input::Input;
use crate::limits::{NOTES_MAX, OUTPUT_FACTOR_MAX, TENSORS_MAX, output_size_max};
use crate::{Error, ErrorKind, gguf, npy, torch};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One array ([format page](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)).
    Npy,
    /// A zip archive of `.npy` files.
    Npz,
    /// A zip archive of a pickle and its storages, as `torch.save` writes it since version 1.6.
    Torch,
    /// [GGUF](https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), version 2 or 3.
    Gguf,
}

impl Format {
    /// The name that people know.
    pub fn name(self) -> &'static str {
        match self {
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Torch => "torch",
            Self::Gguf => "gguf",
        }
    }
}

/// What to do with the quantised tensors of a GGUF file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quantized {
    /// Refuse the file.
    #[default]
    Refuse,
    /// Keep the blocks as bytes: the last axis counts the bytes of a row, and the metadata names the
    /// type under `gguf.type.NAME`.
    Keep,
    /// Turn `Q4_0` to `Q8_0`, `Q2_K` to `Q6_K`, `IQ4_NL`, `IQ4_XS` and `MXFP4` into 32-bit floats, and
    /// refuse other quantised types.
    ToF32,
    /// As `ToF32`, to 16-bit floats.
    ToF16,
}

/// How [`Source::open`] reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenOptions {
    /// What to do with quantised tensors.
    pub quantized: Quantized,
}

impl OpenOptions {
    /// Sets [`quantized`](Self::quantized).
    #[must_use]
    pub fn quantized(mut self, quantized: Quantized) -> Self {
        self.quantized = quantized;
        self
    }
}

/// One tensor of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The name, unique in its source.
    pub name: String,
    /// The type of the elements, as they are written.
    pub dtype: DType,
    /// The length of each axis, the last one varying fastest.
    pub shape: Vec<usize>,
    /// The number of bytes, as they are written.
    pub size_bytes: usize,
}

impl Entry {
    pub(crate) fn new(name: String, dtype: DType, shape: Vec<usize>) -> Result<Self, Error> {
        let size_bytes =
            size_bytes(dtype, &shape).map_err(|error| Error::from(error).within(&name))?;
        Ok(Self {
            name,
            dtype,
            shape,
            size_bytes,
        })
    }
}

/// Gives the bytes of tensors by their index.
pub(crate) trait Read: Send + Sync {
    fn read(&self, index: usize) -> Result<Vec<u8>, Error>;
}

/// What was left out or changed, as lines for people.
#[derive(Default)]
pub(crate) struct Notes {
    lines: Vec<String>,
    more: usize,
}

impl Notes {
    pub(crate) fn push(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < NOTES_MAX {
            self.lines.push(line());
        } else {
            self.more += 1;
        }
    }

    fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} more", self.more));
        }
        self.lines
    }
}

/// What a format finds in a file.
pub(crate) struct Content {
    pub(crate) entries: Vec<Entry>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) notes: Notes,
    pub(crate) reader: Box<dyn Read>,
}

/// An open file and the list of its tensors. Threads may read side by side.
pub struct Source {
    format: Format,
    entries: Vec<Entry>,
    metadata: BTreeMap<String, String>,
    notes: Vec<String>,
    reader: Box<dyn Read>,
}

impl Source {
    /// Opens a file and reads what describes its tensors. The format is known by the first bytes.
    ///
    /// The file must not change while it is open: shorter than it was, it is an error; changed in
    /// place, it is read as it is.
    ///
    /// # Errors
    /// `NotFound` and `Io`; `Unsupported` for other formats and for content that is no tensor or not
    /// safe to read; `Corrupt`; `LimitReached`.
    pub fn open(path: impl AsRef<Path>, options: OpenOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        let input = Input::open(path).map_err(|error| Error::io("open", path, error))?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy());
        Self::new(&input, name.as_deref().unwrap_or_default(), options)
            .map_err(|error| error.within(format_args!("cannot convert `{}`", path.display())))
    }

    /// Reads bytes as a file. An array without a name is called `array`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: Vec<u8>, options: OpenOptions) -> Result<Self, Error> {
        Self::new(&Input::from_bytes(bytes), "array", options)
    }

    fn new(input: &Input, name: &str, options: OpenOptions) -> Result<Self, Error> {
        let head = input.read(0..input.size().min(512), "the first bytes")?;
        let (format, content) = match head.as_slice() {
            [b'P', b'K', 3 | 5, 4 | 6, ..] => {
                let archive = Archive::open(input)?;
                if torch::is_checkpoint(&archive) {
                    (Format::Torch, torch::open(archive)?)
                } else {
                    (Format::Npz, npy::open_archive(archive)?)
                }
            }
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => (Format::Npy, npy::open(input, name)?),
            [b'G', b'G', b'U', b'F', ..] => (Format::Gguf, gguf::open(input, options.quantized)?),
            head => return Err(unknown(head)),
        };
        Self::checked(format, content, input.size())
    }

    fn checked(format: Format, content: Content, input_size: u64) -> Result<Self, Error> {
        let entries = content.entries;
        if entries.len() > TENSORS_MAX {
            let what = format!("the file has {} tensors", entries.len());
            return Err(Error::limit(what, "TENSORS_MAX", TENSORS_MAX));
        }
        let mut names = HashSet::new();
        if let Some(entry) = entries.iter().find(|entry| !names.insert(&entry.name)) {
            let message = format!("two tensors are named `{}`", entry.name);
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let size = entries.iter().fold(0, |sum: u64, entry| {
            sum.saturating_add(entry.size_bytes as u64)
        });
        if size > output_size_max(input_size) {
            let what = format!("a file of {input_size} bytes declares {size} bytes of tensors");
            return Err(Error::limit(what, "OUTPUT_FACTOR_MAX", OUTPUT_FACTOR_MAX));
        }
        Ok(Self {
            format,
            entries,
            metadata: content.metadata,
            notes: content.notes.into_lines(),
            reader: content.reader,
        })
    }

    /// How the file is written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The tensors, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Free text that belongs to the tensors, to be written as `__metadata__`. `format` is `pt` or
    /// `np`, which loaders ask for.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// What was left out or is not as it was, a line for each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The number of bytes of all tensors.
    pub fn size_bytes(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| entry.size_bytes as u64)
            .sum()
    }

    /// The bytes of the tensor at `index`: row-major, little-endian, `size_bytes` of them. Costs one
    /// allocation of that size, and a second one where elements must be put in order.
    ///
    /// # Errors
    /// `Corrupt` when the file ends early or a checksum differs, `LimitReached` when there is no
    /// memory, `Io`.
    ///
    /// # Panics
    /// When there is no such index.
    pub fn read(&self, index: usize) -> Result<Vec<u8>, Error> {
        let entry = &self.entries[index];
        let bytes = self.reader.read(index);
        let bytes = bytes.map_err(|error| error.within(format_args!("tensor `{}`", entry.name)))?;
        debug_assert_eq!(bytes.len(), entry.size_bytes);
        Ok(bytes)
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("format", &self.format)
            .field("len", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// Says what a file is that is none of ours, as far as its first bytes tell.
fn unknown(head: &[u8]) -> Error {
    /// The number that opens a checkpoint of torch before 1.6, pickled.
    const LEGACY: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    let legacy = head.get(2..).is_some_and(|rest| rest.starts_with(LEGACY));
    let tar = head.get(257..262) == Some(b"ustar");
    if legacy || tar {
        return Error::unsupported("it is a torch file of the format before 1.6").with_hint(
            "load it with torch and save it again: torch.save(torch.load(path, weights_only=True), path)",
        );
    }
    let error = Error::unsupported("it is no npy, npz, torch or GGUF file");
    match head {
        [0x80, 2..=5, ..] => Error::unsupported("it is a bare pickle")
            .with_hint("pickles can run code; save the tensors with torch.save or numpy.savez"),
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => {
            error.with_hint("it looks like a safetensors file, which needs no conversion")
        }
        [0x89, b'H', b'D', b'F', ..] => error.with_hint("HDF5 is not read; save as npz"),
        _ => error.with_hint("files are known by their content, not by their name"),
    }
}
