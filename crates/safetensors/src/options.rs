//! How a save writes.

/// By which way bytes reach the disk. All ways write the same file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriteMode {
    /// [`Direct`](Self::Direct) for durable saves of 8 MiB and more, else
    /// [`Buffered`](Self::Buffered): what measured best.
    #[default]
    Auto,
    /// Through the page cache, many tensors in a call.
    Buffered,
    /// Past the page cache by 4 threads, from 7 blocks of 2 MiB; `Buffered` where the file system
    /// cannot.
    Direct,
    /// Past the page cache by `io_uring`, from 7 blocks of 2 MiB; `Direct` where the system has no
    /// ring for us.
    Uring,
}

impl WriteMode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Buffered, Self::Direct, Self::Uring];

    /// The name that command lines and Python use: `auto`, `buffered`, `direct` or `uring`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Buffered => "buffered",
            Self::Direct => "direct",
            Self::Uring => "uring",
        }
    }

    /// The mode of this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// How [`serialize_to_file_with`](crate::serialize_to_file_with) and its kin write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// Wait until file and folder are on the disk, so that a power cut after the return cannot
    /// undo the save. Off by default: a save is atomic either way.
    pub fsync: bool,
    /// By which way the bytes go.
    pub mode: WriteMode,
    /// Pads the header with blanks so that the data begins at a multiple of so many bytes of the
    /// file: 4096 lets readers map tensors page by page. A power of two from 8 to
    /// [`ALIGN_MAX`](crate::limits::ALIGN_MAX). By default 8, as the `safetensors` crate does.
    pub align: Option<usize>,
}

impl WriteOptions {
    /// Sets [`fsync`](Self::fsync).
    #[must_use]
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// Sets [`mode`](Self::mode).
    #[must_use]
    pub fn mode(mut self, mode: WriteMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets [`align`](Self::align).
    #[must_use]
    pub fn align(mut self, align: impl Into<Option<usize>>) -> Self {
        self.align = align.into();
        self
    }
}
