//! Arguments of Python's as options.

use nexus_loader::{
    Access, Format, LoaderOptions, OpenOptions, Shuffle, Split, Stored, Tail, Token,
};
use pyo3::PyErr;
use pyo3::exceptions::PyValueError;

/// What rows are made of.
pub(super) enum Kind {
    /// Side by side, this many tokens from start to start.
    Windows(usize),
    Documents,
    Packed,
}

impl Kind {
    pub(super) fn new(name: &str, stride: usize) -> Result<Self, PyErr> {
        match name {
            "windows" => Ok(Self::Windows(stride)),
            "documents" => Ok(Self::Documents),
            "packed" => Ok(Self::Packed),
            _ => Err(unknown("kind", name, "windows, documents or packed")),
        }
    }
}

/// What a loader is asked for.
pub(super) struct Given {
    pub(super) split: Split,
    pub(super) shuffle: Shuffle,
    pub(super) token: Option<Token>,
    pub(super) seed: u64,
    pub(super) position_ids: bool,
    pub(super) cu_seqlens: bool,
    pub(super) pad_id: i64,
    pub(super) threads: usize,
    pub(super) prefetch: usize,
}

impl From<Given> for LoaderOptions {
    fn from(given: Given) -> Self {
        Self {
            split: given.split,
            shuffle: given.shuffle,
            seed: given.seed,
            token: given.token,
            positions: given.position_ids,
            cu_seqlens: given.cu_seqlens,
            pad: given.pad_id,
            threads: given.threads,
            ahead: given.prefetch,
        }
    }
}

pub(super) fn open(
    format: Option<&str>,
    stored: Option<&str>,
    field: Option<String>,
    access: &str,
) -> Result<OpenOptions, PyErr> {
    let known = "uint8, int8, uint16, int16, uint32, int32, uint64 or int64";
    let stored = stored
        .map(|name| Stored::of_numpy(name).ok_or_else(|| unknown("stored type", name, known)))
        .transpose()?;
    let access = match access {
        "map" => Access::Map,
        "read" => Access::Read,
        _ => return Err(unknown("access", access, "map or read")),
    };
    Ok(OpenOptions {
        format: format.map(self::format).transpose()?,
        stored,
        field,
        access,
    })
}

fn format(name: &str) -> Result<Format, PyErr> {
    Ok(match name {
        "megatron" => Format::Megatron,
        "safetensors" => Format::Safetensors,
        "mds" => Format::Mds,
        "litdata" => Format::Litdata,
        "tar" => Format::Tar,
        "npy" => Format::Npy,
        "plain" => Format::Plain,
        _ => {
            let known = "megatron, safetensors, mds, litdata, tar, npy or plain";
            return Err(unknown("format", name, known));
        }
    })
}

pub(super) fn shuffle(shuffle: bool, block: Option<u64>, window: u64) -> Shuffle {
    match block {
        _ if !shuffle => Shuffle::Never,
        None => Shuffle::Full,
        Some(block) => Shuffle::Blocks { block, window },
    }
}

/// `(rank, world)` and `(worker, workers)`.
pub(super) fn split(
    batch: usize,
    (rank, world): (u64, u64),
    (worker, workers): (u64, u64),
    tail: &str,
) -> Result<Split, PyErr> {
    let tail = match tail {
        "drop" => Tail::Drop,
        "keep" => Tail::Keep,
        "pad" => Tail::Pad,
        _ => return Err(unknown("tail", tail, "drop, keep or pad")),
    };
    Ok(Split {
        batch,
        rank,
        world,
        worker,
        workers,
        tail,
    })
}

pub(super) fn token(name: &str) -> Result<Token, PyErr> {
    let known = "uint16, uint32, int32 or int64";
    Token::of_numpy(name).ok_or_else(|| unknown("dtype", name, known))
}

fn unknown(what: &str, name: &str, known: &str) -> PyErr {
    PyValueError::new_err(format!("cannot use {what} {name:?}: it is {known}"))
}
