//! What `Auto` means for one file.

use std::fs::File;

use super::{Backend, ReadOptions, processors};
use crate::Rules;
use crate::limits::DIRECT_SIZE_MIN;
use crate::sys::{self, FileSystem};

/// How many bytes a thread reads at a time: enough to make the call cheap, few enough to share.
const CHUNK_SIZE: usize = 4 << 20;
/// The same behind a network, where a request is a round trip.
const NETWORK_CHUNK_SIZE: usize = 16 << 20;
const DIRECT_CHUNK_SIZE: usize = 16 << 20;
/// More readers than this only hurt where the bytes come from memory.
const READ_THREADS_MAX: usize = 4;
/// Half of them may wait for fresh memory, which the kernel clears, and the disk is still busy.
const DIRECT_THREADS: usize = 8;
const NETWORK_THREADS: usize = 8;

/// A backend without `Auto`, and its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) backend: Backend,
    pub(crate) threads: usize,
    pub(crate) chunk: usize,
    pub(crate) rules: Rules,
}

impl Way {
    /// The way to have tensors of an open file one by one.
    pub(crate) fn to_open(file: &File, options: &ReadOptions) -> Self {
        let backend = match options.backend {
            Backend::Auto if sys::file_system(file) == FileSystem::Network => Backend::Read,
            Backend::Auto => Backend::Map,
            chosen => chosen,
        };
        Self::with(backend, file, options)
    }

    /// The way to have the whole file.
    pub(crate) fn to_load(file: &File, size: u64, options: &ReadOptions) -> Self {
        let cold = || sys::resident(file, size).is_some_and(|part| part < 0.5);
        let backend = match options.backend {
            Backend::Auto
                if size >= DIRECT_SIZE_MIN
                    && !options.reuse
                    && sys::file_system(file) == FileSystem::Local
                    && cold() =>
            {
                Backend::Direct
            }
            Backend::Auto => Backend::Read,
            chosen => chosen,
        };
        Self::with(backend, file, options)
    }

    fn with(backend: Backend, file: &File, options: &ReadOptions) -> Self {
        let (threads, chunk) = match backend {
            Backend::Direct => (DIRECT_THREADS, DIRECT_CHUNK_SIZE),
            Backend::Read if sys::file_system(file) == FileSystem::Network => {
                (NETWORK_THREADS, NETWORK_CHUNK_SIZE)
            }
            _ => (processors().min(READ_THREADS_MAX), CHUNK_SIZE),
        };
        Self {
            backend,
            threads: options.threads.map_or(threads, Into::into),
            chunk,
            rules: options.rules,
        }
    }
}
