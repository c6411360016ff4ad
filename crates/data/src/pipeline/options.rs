//! How a pipeline is run.

use crate::limits::{BATCH_ROWS_MAX, BATCH_SIZE_MAX, THREADS_MAX};
use crate::source::{BatchLimit, Reader};
use crate::{Cancel, Error, Node, Progress, stages};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Bytes that steps may hold which compare all documents.
const MEMORY_SIZE: u64 = 256 << 20;

/// The least of it that a run can be given.
const MEMORY_SIZE_MIN: u64 = 32 << 20;
/// How a pipeline is run.
#[derive(Clone)]
pub struct RunOptions {
    /// Worker threads; 0, the default, for as many as the machine runs at once.
    pub threads: usize,
    /// Stops the run when it is cancelled.
    pub cancel: Cancel,
    /// Hears how far the run is.
    pub progress: Option<Arc<dyn Progress>>,
    /// Most rows of a batch as it is read, 1024 by default. Fewer when a step is slow, such as a
    /// model: threads then share the work more evenly and progress is finer.
    pub batch_rows: usize,
    /// Most bytes of a batch as it is read, 1 MiB by default; a longer document is a batch of its
    /// own. A run holds about this much for each thread, times what the steps make of it.
    pub batch_size_bytes: usize,
    /// Most bytes that steps may hold which compare all documents, 256 MiB by default; what is more
    /// goes to the work folder. With a number here `dedup_exact` works there too, and not in memory.
    pub memory_size_bytes: Option<u64>,
    /// Where what must wait for all documents is put: by default a hidden folder beside the output,
    /// else below the system's folder for temporary files. It is gone when the run is over.
    pub work: Option<PathBuf>,
    /// Goes on where an earlier run of the same plan was killed or failed: what was complete of each
    /// stage, group of files by group of files, is not done again. All rows are put aside for it.
    /// Leaves the work folder when this run fails. The output is the same, byte by byte, as that of a
    /// run that was not interrupted.
    pub resume: bool,
    /// Shares the work with other processes, which use the same [`work`](Self::work) folder. A node that
    /// was killed is started again with the same number, and goes on.
    pub node: Option<Node>,
    /// How long a node waits for others without any of them completing a group of files; as long as it
    /// takes, by default.
    pub node_timeout: Option<Duration>,
    /// About how many bytes of files are a group, the unit that is done or not when a run goes on, and
    /// that one node takes: by default 64 MiB, or less where several nodes would have too few. A longer
    /// file is a group of its own.
    pub group_size_bytes: Option<u64>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            cancel: Cancel::new(),
            progress: None,
            batch_rows: 1024,
            batch_size_bytes: 1 << 20,
            memory_size_bytes: None,
            work: None,
            resume: false,
            node: None,
            node_timeout: None,
            group_size_bytes: None,
        }
    }
}

impl RunOptions {
    /// Bytes that steps may hold which compare all documents.
    pub(crate) fn memory(&self) -> Result<u64, Error> {
        let size = self.memory_size_bytes.unwrap_or(MEMORY_SIZE);
        if size < MEMORY_SIZE_MIN {
            return Err(Error::limit(format!(
                "memory_size_bytes is {size}, the least is {MEMORY_SIZE_MIN}"
            )));
        }
        Ok(size)
    }

    /// Whether what the run does is put aside group of files by group of files.
    pub(crate) fn goes_on(&self) -> bool {
        self.resume || self.node.is_some()
    }

    /// Bytes of files in a group.
    pub(super) fn group_size(&self, reader: &Reader) -> u64 {
        let total = reader.bytes_total().unwrap_or_default();
        let nodes = self.node.map_or(0, Node::count);
        self.group_size_bytes
            .unwrap_or_else(|| stages::group_size(total, nodes))
    }

    pub(crate) fn threads(&self) -> Result<usize, Error> {
        match self.threads {
            0 => Ok(std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(THREADS_MAX)),
            threads if threads <= THREADS_MAX => Ok(threads),
            threads => Err(Error::limit(format!(
                "a run has at most THREADS_MAX = {THREADS_MAX} threads, not {threads}"
            ))),
        }
    }

    pub(crate) fn batch_limit(&self) -> Result<BatchLimit, Error> {
        let limit = BatchLimit {
            rows: self.batch_rows,
            size_bytes: self.batch_size_bytes,
        };
        for (name, value, max) in [
            ("batch_rows", limit.rows, BATCH_ROWS_MAX),
            ("batch_size_bytes", limit.size_bytes, BATCH_SIZE_MAX),
        ] {
            if !(1..=max).contains(&value) {
                return Err(Error::invalid(format!(
                    "{name} is {value}, it must be from 1 to {max}"
                )));
            }
        }
        Ok(limit)
    }
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("threads", &self.threads)
            .field("batch_rows", &self.batch_rows)
            .field("batch_size_bytes", &self.batch_size_bytes)
            .finish_non_exhaustive()
    }
}
