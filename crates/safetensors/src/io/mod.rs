//! The load engine: bytes of a file into memory, by the way that suits file and machine.
//!
//! Nothing here lives longer than a call: threads are joined and rings closed before it returns, so
//! that a fork between calls takes nothing half done along.

mod choose;
mod direct;
mod gather;
mod head;
mod options;
mod parallel;
mod reader;

pub use options::{Backend, ReadOptions, UnknownBackend};

pub(crate) use choose::Way;
pub(crate) use direct::BLOCK;
pub(crate) use gather::{Bytes, gather, total};
pub(crate) use head::{Refusal, fill_head, read_head, read_length};
pub(crate) use parallel::{
    copy_parallel, cut, each, each_piece, each_with, fill_from, processors, threads_or_all,
};
pub(crate) use reader::Reader;

use std::io;
use std::path::Path;

use crate::{Metadata, SafeTensorError, TensorInfo};

/// A place in a file and the memory for what is there.
pub(crate) type Job<'a> = (u64, &'a mut [u8]);

/// Why a read has not filled its memory.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is nothing to read at this place: the file ends before it.
    End {
        /// Where a read found nothing.
        at: u64,
        /// Where the file ends by now.
        end: u64,
    },
    /// The system refused.
    Io(io::Error),
}

impl Failure {
    /// The error for a file of so many bytes; with a header and the place of the data, it names
    /// the tensor.
    pub(crate) fn explain(
        self,
        path: &Path,
        size: u64,
        header: Option<(&Metadata, usize)>,
    ) -> SafeTensorError {
        let (at, end) = match self {
            Self::End { at, end } => (at, end),
            Self::Io(error) => return SafeTensorError::file("read", path)(error),
        };
        let tensor = header.and_then(|(metadata, start)| {
            let at = usize::try_from(at).ok()?.saturating_sub(start);
            let holds = |&(_, info): &(&str, &TensorInfo)| {
                info.data_offsets.0 <= at && at < info.data_offsets.1
            };
            metadata.iter().find(holds)
        });
        SafeTensorError::UnexpectedEnd {
            path: path.to_owned(),
            tensor: tensor.map(|(name, _)| name.to_owned()),
            at: end,
            size,
        }
    }

    /// The same, seen from the first byte that is missing.
    pub(crate) fn at_end(self) -> Self {
        match self {
            Self::End { end, .. } => Self::End { at: end, end },
            Self::Io(error) => Self::Io(error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
