//! What the errors say. The texts of the first variants are those of the `safetensors` crate 0.8.0.

use std::fmt::{self, Display};

use super::SafeTensorError;
use crate::limits::ALIGN_MAX;

impl Display for SafeTensorError {
    #[expect(clippy::too_many_lines, reason = "a line or so for each variant")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidHeader(error) => write!(f, "invalid UTF-8 in header: {error}"),
            Self::InvalidHeaderDeserialization(error) => write!(f, "invalid JSON in header: {error}"),
            Self::JsonError(error) => write!(f, "JSON error: {error}"),
            Self::HeaderTooLarge => f.write_str("header too large"),
            Self::HeaderTooSmall => f.write_str("header too small"),
            Self::InvalidHeaderLength => f.write_str("invalid header length"),
            Self::TensorNotFound(name) => write!(f, "tensor `{name}` not found"),
            Self::TensorInvalidInfo => f.write_str("invalid shape, data type, or offset for tensor"),
            Self::InvalidOffset(name) => write!(f, "invalid offset for tensor `{name}`"),
            Self::IoError(error) => write!(f, "I/O error: {error}"),
            Self::InvalidTensorView(dtype, shape, size) => {
                let shape: Vec<_> = shape.iter().map(ToString::to_string).collect();
                let shape = shape.join(", ");
                write!(f, "tensor of type {dtype} and shape ({shape}) can't be created from {size} bytes")
            }
            Self::MetadataIncompleteBuffer => f.write_str("incomplete metadata, file not fully covered"),
            Self::ValidationOverflow => {
                f.write_str("overflow computing buffer size from shape and/or element type")
            }
            Self::MisalignedSlice => f.write_str(
                "The slice is slicing for subbytes dtypes, and the slice does not end up at a byte boundary, \
                 this is invalid.",
            ),
            Self::File {
                action,
                path,
                source,
            } => write!(f, "cannot {action} `{}`: {source}", path.display()),
            Self::NotRegularFile(path) => {
                write!(
                    f,
                    "cannot replace `{}`: it is not a regular file",
                    path.display()
                )
            }
            Self::DuplicateName(name) => write!(
                f,
                "cannot write tensor `{name}`: there are two of that name"
            ),
            Self::ReservedName => {
                f.write_str("cannot write tensor `__metadata__`: the name is reserved")
            }
            Self::InvalidAlignment(align) => write!(
                f,
                "cannot align data to {align} bytes: a power of two from 8 to {ALIGN_MAX} is needed"
            ),
            Self::WrongBufferSize { size, needed } => {
                write!(f, "cannot write {needed} bytes to memory of {size}")
            }
            Self::OutOfTensor {
                name,
                start,
                len,
                size,
            } => write!(
                f,
                "cannot write tensor `{name}`: {len} bytes from byte {start} on do not fit its {size} bytes"
            ),
            Self::Unwritten { path, name, at } => write!(
                f,
                "cannot finish `{}`: tensor `{name}` lacks byte {at}",
                path.display()
            ),
            Self::HeaderCapacity {
                name,
                needed,
                capacity,
            } => write!(
                f,
                "cannot append tensor `{name}`: the header needs {needed} bytes and has {capacity}"
            ),
            Self::InvalidPattern(pattern) => {
                write!(
                    f,
                    "cannot name shards `{pattern}`: not a file name with `{{suffix}}` in it"
                )
            }
            Self::UnexpectedEnd {
                path,
                tensor,
                at,
                size,
            } => {
                match tensor {
                    Some(name) => write!(f, "cannot read tensor `{name}` of")?,
                    None => f.write_str("cannot read the header of")?,
                }
                write!(f, " `{}`: data ends at byte {at} of {size}", path.display())
            }
            Self::SizeChanged {
                path,
                before,
                after,
            } => {
                write!(
                    f,
                    "cannot read `{}`: it changed from {before} to {after} bytes meanwhile",
                    path.display()
                )
            }
            Self::NotInMemory(name) => {
                write!(
                    f,
                    "cannot borrow tensor `{name}`: its file is read on demand"
                )
            }
            Self::WrongSize { name, size, given } => {
                write!(
                    f,
                    "cannot read tensor `{name}`: it has {size} bytes, the memory for it {given}"
                )
            }
            Self::RunOutside {
                name,
                size,
                run: (start, end),
            } => {
                write!(
                    f,
                    "cannot read bytes {start}..{end} of tensor `{name}`: it has {size}"
                )
            }
            Self::Cast { name, from, to } => {
                write!(f, "cannot convert tensor `{name}` from {from} to {to}")
            }
            Self::InvalidShard { axis, rank, world } => {
                write!(
                    f,
                    "cannot cut a tensor along axis {axis} for process {rank} of {world}"
                )
            }
            Self::Checkpoint { path, problem } => {
                write!(f, "cannot open checkpoint `{}`: {problem}", path.display())
            }
            Self::InFile { path, source } => {
                write!(f, "cannot read `{}`: {source}", path.display())
            }
            Self::Cancelled => f.write_str("cannot go on: the caller asked to stop"),
            Self::AlreadyPacked(path) => {
                write!(f, "cannot pack `{}`: it is packed already", path.display())
            }
            Self::Checksums(what) => write!(f, "cannot read the checksums of the file: {what}"),
            Self::NotPacked => f.write_str("cannot unpack the file: it is not packed"),
            Self::Packed {
                name: Some(name),
                what,
            } => write!(f, "cannot unpack tensor `{name}`: {what}"),
            Self::Packed { name: None, what } => write!(f, "cannot unpack the file: {what}"),
            Self::PackedVersion(version) => {
                write!(
                    f,
                    "cannot unpack the file: it is of version {version}, later than version 1"
                )
            }
            Self::TargetSize {
                name,
                range,
                target,
            } => write!(
                f,
                "cannot unpack bytes {range:?} of tensor `{name}` to {target} bytes"
            ),
            Self::Tensor { name, source } => write!(f, "cannot view tensor `{name}`: {source}"),
            Self::DuplicateKey(name) => {
                write!(f, "cannot accept header: key `{name}` is there twice")
            }
            Self::NulInHeader(name) => {
                write!(f, "cannot accept header: NUL in `{}`", name.escape_debug())
            }
            Self::BlanksAroundHeader => f.write_str("cannot accept header: blanks around the JSON"),
            Self::UnknownField { tensor, field } => {
                write!(
                    f,
                    "cannot accept header: unknown field `{field}` in the info of tensor `{tensor}`"
                )
            }
            Self::UnusualInfo(name) => {
                write!(
                    f,
                    "cannot accept header: the info of tensor `{name}` is not a plain object"
                )
            }
            Self::InvalidIndex(error) => error.fmt(f),
        }
    }
}
