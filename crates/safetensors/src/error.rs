//! The one error of this crate.

mod text;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::Utf8Error;

use nexus_tensor::DType;

use crate::{CheckpointProblem, IndexError};

/// What a caller can do about a [`SafeTensorError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The arguments contradict each other: mend them.
    InvalidInput,
    /// The file is not a sound safetensors file: fetch or write it anew.
    Corrupt,
    /// There is no such file or tensor.
    NotFound,
    /// The file is sound but of a later version: a later reader reads it.
    Unsupported,
    /// A limit of [`limits`](crate::limits) is reached.
    LimitReached,
    /// The operating system refused or failed.
    Io,
    /// The caller asked to stop.
    Cancelled,
}

/// Why a file cannot be read or written.
///
/// Variants and texts are those of the `safetensors` crate 0.8.0, so that callers who match or
/// print them see the same; the variants from [`File`](Self::File) on are additions.
#[derive(Debug)]
#[non_exhaustive]
pub enum SafeTensorError {
    /// The header is not UTF-8.
    InvalidHeader(Utf8Error),
    /// The header is not the JSON that the format asks for.
    InvalidHeaderDeserialization(serde_json::Error),
    /// The header is larger than [`HEADER_SIZE_MAX`](crate::limits::HEADER_SIZE_MAX).
    HeaderTooLarge,
    /// There are fewer than 8 bytes.
    HeaderTooSmall,
    /// The header ends behind the end of the bytes.
    InvalidHeaderLength,
    /// There is no tensor of this name.
    TensorNotFound(String),
    /// The size that shape and type ask for is not the size that the offsets give.
    TensorInvalidInfo,
    /// The tensor of this name does not start where the one before it ends.
    InvalidOffset(String),
    /// An input or output error without a path.
    IoError(io::Error),
    /// The header cannot be written as JSON.
    JsonError(serde_json::Error),
    /// The number of bytes is not the one that type and shape ask for.
    InvalidTensorView(DType, Vec<usize>, usize),
    /// The bytes end before or after the last tensor does.
    MetadataIncompleteBuffer,
    /// A size overflows.
    ValidationOverflow,
    /// Elements smaller than a byte do not fill the last byte.
    MisalignedSlice,
    /// An input or output error while working on a file.
    File {
        /// What was attempted: `open`, `map`, `write`, ...
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A save would replace something that is not a regular file.
    NotRegularFile(PathBuf),
    /// Two tensors to be written have this name.
    DuplicateName(String),
    /// A tensor to be written has the name that the format reserves: `__metadata__`.
    ReservedName,
    /// Data cannot be aligned to this number of bytes.
    InvalidAlignment(usize),
    /// The memory to be written to has not the size of the file.
    WrongBufferSize {
        /// The size of the memory.
        size: usize,
        /// The size of the file.
        needed: usize,
    },
    /// A piece to be written ends behind its tensor.
    OutOfTensor {
        /// The tensor's name.
        name: String,
        /// At which byte of the tensor the piece begins.
        start: usize,
        /// The size of the piece.
        len: usize,
        /// The size of the tensor.
        size: usize,
    },
    /// A file is to be finished that lacks bytes.
    Unwritten {
        /// The file.
        path: PathBuf,
        /// The first tensor that lacks bytes.
        name: String,
        /// The first byte of the tensor that has not been written.
        at: usize,
    },
    /// The header of an appended file has no room for this tensor.
    HeaderCapacity {
        /// The tensor's name.
        name: String,
        /// The size of the header with the tensor.
        needed: usize,
        /// The size that the header has.
        capacity: usize,
    },
    /// The pattern of shard names has no `{suffix}`, or names another folder.
    InvalidPattern(String),
    /// A file ends before its data do: it was cut since it was opened.
    UnexpectedEnd {
        /// Which file.
        path: PathBuf,
        /// The tensor whose bytes are missing; `None` for the header.
        tensor: Option<String>,
        /// The size of the file by now.
        at: u64,
        /// The size that it had.
        size: u64,
    },
    /// A file had another size after it was read than before.
    SizeChanged {
        /// Which file.
        path: PathBuf,
        /// The size before.
        before: u64,
        /// The size after.
        after: u64,
    },
    /// A tensor of a file that is read on demand cannot be borrowed, only read.
    NotInMemory(String),
    /// Memory for a tensor has not the tensor's size.
    WrongSize {
        /// The tensor's name.
        name: String,
        /// The size of the tensor.
        size: usize,
        /// The size of the memory.
        given: usize,
    },
    /// A run of bytes does not lie in its tensor.
    RunOutside {
        /// The tensor's name.
        name: String,
        /// The size of the tensor.
        size: usize,
        /// First byte and one past the last.
        run: (usize, usize),
    },
    /// A tensor cannot be converted to another type.
    Cast {
        /// The tensor's name.
        name: String,
        /// The type it has.
        from: DType,
        /// The type asked for.
        to: DType,
    },
    /// A tensor cannot be cut so among processes.
    InvalidShard {
        /// Along which axis.
        axis: usize,
        /// For which process.
        rank: usize,
        /// Of how many.
        world: usize,
    },
    /// The files of a checkpoint do not fit together.
    Checkpoint {
        /// The folder or index.
        path: PathBuf,
        /// What is wrong.
        problem: CheckpointProblem,
    },
    /// One file of a checkpoint is not sound.
    InFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<SafeTensorError>,
    },
    /// The caller asked to stop.
    Cancelled,
    /// The file to be packed is packed already.
    AlreadyPacked(PathBuf),
    /// The checksums of the file cannot be read.
    Checksums(String),
    /// The file is not a packed one.
    NotPacked,
    /// A packed file, or one tensor of it, is not sound.
    Packed {
        /// The tensor's name; `None` when it is the whole file.
        name: Option<String>,
        /// What is wrong.
        what: String,
    },
    /// A file is packed in a version of the format that is not known.
    PackedVersion(u64),
    /// The memory for some bytes of a packed tensor is not as large as they are, or the bytes are
    /// not inside the tensor.
    TargetSize {
        /// The tensor's name.
        name: String,
        /// The bytes that were asked for.
        range: Range<usize>,
        /// The size of the memory.
        target: usize,
    },
    /// A mapped tensor cannot be viewed.
    Tensor {
        /// The tensor's name.
        name: String,
        /// Why.
        source: nexus_tensor::Error,
    },
    /// Strict rules: this key is in the header twice.
    DuplicateKey(String),
    /// Strict rules: this name, or the free text of this name, contains a NUL.
    NulInHeader(String),
    /// Strict rules: there are blanks before or behind the JSON that pad nothing.
    BlanksAroundHeader,
    /// Strict rules: an info has a field that the format does not know.
    UnknownField {
        /// The tensor's name.
        tensor: String,
        /// The field's name.
        field: String,
    },
    /// Strict rules: the info of this tensor is no object, or its type no string.
    UnusualInfo(String),
    /// An index does not fit the tensor, or is no index.
    InvalidIndex(IndexError),
}

impl SafeTensorError {
    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidHeader(_)
            | Self::InvalidHeaderDeserialization(_)
            | Self::HeaderTooSmall
            | Self::InvalidHeaderLength
            | Self::TensorInvalidInfo
            | Self::InvalidOffset(_)
            | Self::MetadataIncompleteBuffer
            | Self::UnexpectedEnd { .. }
            | Self::SizeChanged { .. }
            | Self::ValidationOverflow
            | Self::MisalignedSlice
            | Self::DuplicateKey(_)
            | Self::NulInHeader(_)
            | Self::BlanksAroundHeader
            | Self::UnknownField { .. }
            | Self::UnusualInfo(_)
            | Self::Checksums(_)
            | Self::Packed { .. } => ErrorKind::Corrupt,
            Self::PackedVersion(_) => ErrorKind::Unsupported,
            Self::TensorNotFound(_) => ErrorKind::NotFound,
            Self::HeaderTooLarge | Self::HeaderCapacity { .. } | Self::Tensor { .. } => {
                ErrorKind::LimitReached
            }
            Self::Checkpoint { problem, .. } => problem.kind(),
            Self::InFile { source, .. } => source.kind(),
            Self::Cancelled => ErrorKind::Cancelled,
            Self::JsonError(_)
            | Self::InvalidTensorView(..)
            | Self::NotRegularFile(_)
            | Self::DuplicateName(_)
            | Self::ReservedName
            | Self::InvalidIndex(_)
            | Self::InvalidAlignment(_)
            | Self::WrongBufferSize { .. }
            | Self::OutOfTensor { .. }
            | Self::Unwritten { .. }
            | Self::InvalidPattern(_)
            | Self::NotInMemory(_)
            | Self::WrongSize { .. }
            | Self::RunOutside { .. }
            | Self::Cast { .. }
            | Self::InvalidShard { .. }
            | Self::AlreadyPacked(_)
            | Self::NotPacked
            | Self::TargetSize { .. } => ErrorKind::InvalidInput,
            Self::IoError(source) | Self::File { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::Io,
            },
        }
    }

    /// What to try next, where there is something to try; one line for people.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::HeaderTooSmall | Self::HeaderTooLarge | Self::InvalidHeader(_) => Some(
                "is it a safetensors file? A Git LFS pointer or a web page saved by mistake is not",
            ),
            Self::InvalidHeaderLength | Self::MetadataIncompleteBuffer => Some(
                "the file may be cut off: compare its size with the source's and fetch it again",
            ),
            Self::UnexpectedEnd { .. } | Self::SizeChanged { .. } => Some(
                "another program writes to the file: let it finish, and replace files by renaming",
            ),
            Self::NotInMemory(_) => Some("ask for its region, or open the file with `mmap`"),
            Self::Checkpoint { problem, .. } => problem.hint(),
            Self::InFile { source, .. } => source.hint(),
            Self::NotRegularFile(_) => Some("give the path of a file"),
            Self::DuplicateKey(_) | Self::NulInHeader(_) => Some(
                "readers may disagree on this file: do not trust it, or read it by `Rules::Compatible`",
            ),
            Self::BlanksAroundHeader | Self::UnknownField { .. } | Self::UnusualInfo(_) => {
                Some("read it by `Rules::Compatible` and save it again to make it strict")
            }
            Self::InvalidIndex(error) => error.hint(),
            Self::HeaderCapacity { .. } => {
                Some("create the file with a larger header, or save its tensors anew")
            }
            Self::InvalidPattern(_) => Some("give a pattern such as `model{suffix}.safetensors`"),
            Self::NotPacked => Some("open it as any safetensors file"),
            Self::Packed { .. } => Some("fetch the file again, or pack the original anew"),
            Self::PackedVersion(_) => Some("read it with a later release"),
            _ => None,
        }
    }

    pub(crate) fn packed(name: Option<&str>, what: impl Into<String>) -> Self {
        Self::Packed {
            name: name.map(str::to_owned),
            what: what.into(),
        }
    }

    /// Names the file, where the error does not do so itself.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        match self {
            Self::File { .. } | Self::UnexpectedEnd { .. } | Self::SizeChanged { .. } => self,
            error => Self::InFile {
                path: path.to_owned(),
                source: Box::new(error),
            },
        }
    }

    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

impl std::error::Error for SafeTensorError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InvalidHeader(source) => Some(source),
            Self::InvalidHeaderDeserialization(source) | Self::JsonError(source) => Some(source),
            Self::IoError(source) | Self::File { source, .. } => Some(source),
            Self::Tensor { source, .. } => Some(source),
            Self::InvalidIndex(source) => Some(source),
            Self::Checkpoint { problem, .. } => problem.source(),
            Self::InFile { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<io::Error> for SafeTensorError {
    fn from(error: io::Error) -> Self {
        Self::IoError(error)
    }
}

impl From<serde_json::Error> for SafeTensorError {
    fn from(error: serde_json::Error) -> Self {
        Self::JsonError(error)
    }
}
