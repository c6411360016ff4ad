//! How to read.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::Rules;

/// The way from the disk to memory.
///
/// Where a way is refused, by the kernel, a container or the file system, the next simpler one is
/// taken without a word: `Uring`, `Direct`, `Read`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// Chosen for each file: see [`ReadOptions`].
    #[default]
    Auto,
    /// A private memory map, whose pages are read when they are touched.
    Map,
    /// A private memory map, all of whose pages are read in at once. The fastest where the file is
    /// cached; pages that are written to are copied then, and a file that is cut later raises
    /// SIGBUS.
    Populate,
    /// Positional reads by several threads into large pages.
    Read,
    /// Reads past the page cache by several threads into large pages.
    Direct,
    /// Reads past the page cache through `io_uring`, on Linux.
    Uring,
}

impl Backend {
    /// Every backend.
    pub const ALL: [Self; 6] = [
        Self::Auto,
        Self::Map,
        Self::Populate,
        Self::Read,
        Self::Direct,
        Self::Uring,
    ];

    /// The name: `auto`, `mmap`, `populate`, `pread`, `direct` or `uring`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Map => "mmap",
            Self::Populate => "populate",
            Self::Read => "pread",
            Self::Direct => "direct",
            Self::Uring => "uring",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no backend of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownBackend(String);

impl fmt::Display for UnknownBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Backend::ALL.map(Backend::name).join(", ");
        write!(
            f,
            "cannot read with backend `{}`: there are {names}",
            self.0
        )
    }
}

impl std::error::Error for UnknownBackend {}

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        let found = Self::ALL.into_iter().find(|backend| backend.name() == name);
        found.ok_or_else(|| UnknownBackend(name.to_owned()))
    }
}

/// How [`SafeTensorsFile::open_with`](crate::SafeTensorsFile::open_with) and
/// [`load`](crate::SafeTensorsFile::load) read.
///
/// `Auto` looks at the file once. A file that is opened and not loaded is mapped, unless it lies
/// behind a network, where each touched page would be a round trip: then tensors are read when they
/// are asked for. A file that is loaded is read
///
/// - with `Read` by more threads and in larger steps, where it lies behind a network;
/// - with `Direct`, where it is large ([`DIRECT_SIZE_MIN`](crate::limits::DIRECT_SIZE_MIN)), on a
///   local disk, less than half of it is in the page cache, and [`reuse`](Self::reuse) is off;
/// - else with `Read`.
///
/// It never maps what it loads: a map is cut with its file, and its pages are copied one by one when
/// they are written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The way to read.
    pub backend: Backend,
    /// How many threads read. By default at most 4 and no more than there are processors; 8 for
    /// `Direct` and 8 behind a network, where threads wait more than they work.
    pub threads: Option<NonZeroUsize>,
    /// The file will be loaded again soon, so that it should stay in the page cache. Only `Auto`
    /// asks for it. Off by default.
    pub reuse: bool,
    /// The rules the header is read by.
    pub rules: Rules,
}

impl ReadOptions {
    /// Sets [`backend`](Self::backend).
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Sets [`threads`](Self::threads).
    #[must_use]
    pub fn threads(mut self, threads: Option<NonZeroUsize>) -> Self {
        self.threads = threads;
        self
    }

    /// Sets [`reuse`](Self::reuse).
    #[must_use]
    pub fn reuse(mut self, reuse: bool) -> Self {
        self.reuse = reuse;
        self
    }

    /// Sets [`rules`](Self::rules).
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }
}

impl From<Backend> for ReadOptions {
    fn from(backend: Backend) -> Self {
        Self::default().backend(backend)
    }
}
