//! Arguments of Python's as options.

use nexus_loader::{Access, Format, OpenOptions, Shuffle, Split, Stored, Tail, Token};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

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
    Ok(OpenOptions {
        format: format.map(self::format).transpose()?,
        stored,
        field,
        access: self::access(access)?,
        ..OpenOptions::default()
    })
}

pub(super) fn access(name: &str) -> Result<Access, PyErr> {
    match name {
        "map" => Ok(Access::Map),
        "read" => Ok(Access::Read),
        _ => Err(unknown("access", name, "map or read")),
    }
}

fn format(name: &str) -> Result<Format, PyErr> {
    Ok(match name {
        "megatron" => Format::Megatron,
        "safetensors" => Format::Safetensors,
        "mds" => Format::Mds,
        "litdata" => Format::Litdata,
        "tar" => Format::Tar,
        "npy" => Format::Npy,
        "parquet" => Format::Parquet,
        "plain" => Format::Plain,
        _ => {
            let known = "megatron, safetensors, mds, litdata, tar, npy, parquet or plain";
            return Err(unknown("format", name, known));
        }
    })
}

pub(super) fn image_format(name: &str) -> Result<Format, PyErr> {
    match name {
        "folder" => Ok(Format::Folder),
        "tar" | "parquet" | "mds" | "litdata" => format(name),
        _ => Err(unknown(
            "format",
            name,
            "folder, tar, parquet, mds or litdata",
        )),
    }
}

/// Whether rows are shuffled, or how.
pub(super) enum ShuffleArgument {
    Whether(bool),
    How(String),
}

impl<'py> FromPyObject<'_, 'py> for ShuffleArgument {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(how) = value.extract() {
            return Ok(Self::How(how));
        }
        value.extract().map(Self::Whether).map_err(|_| {
            let kind = value.get_type();
            PyTypeError::new_err(format!(
                "shuffle is a bool, \"full\" or \"units\", not `{kind}`"
            ))
        })
    }
}

impl ShuffleArgument {
    pub(super) const AUTO: Self = Self::Whether(true);
}

/// How many blocks of rows are shuffled together, unless the caller says it.
const BLOCKS: u64 = 16;

/// How many units are, where the caller asks for units.
const UNITS: u64 = 8;

pub(super) fn shuffle(
    shuffle: ShuffleArgument,
    block: Option<u64>,
    window: Option<u64>,
) -> Result<Shuffle, PyErr> {
    let contradiction = |what: &str| {
        let message = format!("cannot shuffle by {what} otherwise than in windows of them");
        PyValueError::new_err(message)
    };
    Ok(match (shuffle, block, window) {
        (ShuffleArgument::Whether(false), _, _) => Shuffle::Never,
        (ShuffleArgument::Whether(true), Some(block), window) => Shuffle::Blocks {
            block,
            window: window.unwrap_or(BLOCKS),
        },
        (ShuffleArgument::Whether(true), None, None) => Shuffle::Auto,
        (ShuffleArgument::Whether(true), None, Some(window)) => Shuffle::Units { window },
        (ShuffleArgument::How(_), Some(_), _) => return Err(contradiction("blocks")),
        (ShuffleArgument::How(how), None, window) => match (how.as_str(), window) {
            ("full", None) => Shuffle::Full,
            ("full", Some(_)) => return Err(contradiction("units")),
            ("units", window) => Shuffle::Units {
                window: window.unwrap_or(UNITS),
            },
            _ => return Err(unknown("shuffle", &how, "a bool, full or units")),
        },
    })
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

pub(super) fn unknown(what: &str, name: &str, known: &str) -> PyErr {
    PyValueError::new_err(format!("cannot use {what} {name:?}: it is {known}"))
}
