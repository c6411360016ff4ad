//! Where a result is written, and in which format.

use crate::files::Keys;
use crate::limits::{SHARD_SIZE_MAX, SHARD_SIZE_MIN};
use crate::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// A format of output files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// JSON Lines: an object a row with the columns as keys.
    Jsonl,
    /// JSON Lines, compressed by gzip, one member for each batch.
    JsonlGz,
    /// JSON Lines, compressed by Zstandard, one frame.
    JsonlZst,
    /// Parquet, its pages compressed by Zstandard.
    Parquet,
    /// An Arrow IPC file, which can be mapped.
    Arrow,
    /// An Arrow IPC stream.
    ArrowStream,
    /// The shards of `mosaicml-streaming`.
    Mds,
    /// Tar archives as `webdataset` reads them: `.txt`, `.json` and, for token ids, `.npy`.
    WebDataset,
    /// Token ids for Megatron-LM: a `.bin` and an `.idx` file.
    Megatron,
    /// Token ids and where each row starts among them, as two tensors.
    Safetensors,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 10] = [
        Self::Jsonl,
        Self::JsonlGz,
        Self::JsonlZst,
        Self::Parquet,
        Self::Arrow,
        Self::ArrowStream,
        Self::Mds,
        Self::WebDataset,
        Self::Megatron,
        Self::Safetensors,
    ];

    /// Its name in plans and in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::WebDataset => "webdataset",
            Self::Megatron => "megatron",
            other => other.ending(),
        }
    }

    /// The format of a name.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when there is none.
    ///
    /// ```
    /// use nexus_data::Format;
    /// assert_eq!(Format::from_name("jsonl.zst")?, Format::JsonlZst);
    /// assert!(Format::from_name("xml").is_err());
    /// # Ok::<(), nexus_data::Error>(())
    /// ```
    pub fn from_name(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| {
                let error = Error::invalid(format!("there is no format `{name}`"));
                error.with_hint(format!(
                    "known are {}",
                    Self::ALL.map(Self::name).join(", ")
                ))
            })
    }

    /// How its files end; those of Megatron have an `.idx` file beside them.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::JsonlGz => "jsonl.gz",
            Self::JsonlZst => "jsonl.zst",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::ArrowStream => "arrows",
            Self::Mds => "mds",
            Self::WebDataset => "tar",
            Self::Megatron => "bin",
            Self::Safetensors => "safetensors",
        }
    }

    /// Its name in reports.
    pub(crate) fn step(self) -> &'static str {
        match self {
            Self::Jsonl | Self::JsonlGz | Self::JsonlZst => "write_jsonl",
            Self::Parquet => "write_parquet",
            Self::Arrow | Self::ArrowStream => "write_arrow",
            Self::Mds => "write_mds",
            Self::WebDataset => "write_webdataset",
            Self::Megatron => "write_megatron",
            Self::Safetensors => "write_safetensors",
        }
    }

    fn ends(self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.to_ascii_lowercase();
        let stem = stem.strip_suffix(self.ending());
        // A hidden file without a name has no ending.
        stem.is_some_and(|stem| stem.len() > 1 && stem.ends_with('.'))
    }

    fn of(path: &Path) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.ends(path))
    }
}

/// The integers in which token ids are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// 16 bits without sign, for vocabularies of at most 65,536 tokens.
    U16,
    /// 32 bits: with a sign in Megatron's files, which know no other, without one elsewhere.
    #[default]
    U32,
}

impl TokenType {
    /// Its name in plans and in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::U16 => "uint16",
            Self::U32 => "uint32",
        }
    }

    /// Bytes of a token id.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::U16 => 2,
            Self::U32 => 4,
        }
    }

    /// The type of a name.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when there is none.
    pub fn from_name(name: &str) -> Result<Self, Error> {
        [Self::U16, Self::U32]
            .into_iter()
            .find(|known| known.name() == name)
            .ok_or_else(|| {
                Error::invalid(format!("there is no token type `{name}`"))
                    .with_hint("known are uint16, uint32")
            })
    }
}

/// Where a result is written: a path, and what shall be there.
///
/// A path with the ending of a format (`out.parquet`, `out.jsonl.zst`) is one file. Any other path is
/// a folder of shards, `part-00000.parquet` and so on, with a `_manifest.json` that names them, and
/// needs a format. Both appear when the run succeeds.
///
/// ```
/// use nexus_data::{Format, Output, Pipeline};
///
/// let one_file = Pipeline::read("docs").write("clean.parquet");
/// let shards = Output::new("shards").format(Format::JsonlZst).shard_size_bytes(64 << 20);
/// let folder = Pipeline::read("docs").write(shards);
/// # drop((one_file, folder));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub(crate) path: PathBuf,
    pub(crate) format: Option<Format>,
    pub(crate) shard_size_bytes: Option<u64>,
    pub(crate) token_type: Option<TokenType>,
    pub(crate) as_records: bool,
    /// Said by `write_jsonl`, which makes one file whatever its name.
    pub(crate) is_file: bool,
}

/// An [`Output`] that makes sense.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    /// `None` for one file.
    pub(crate) shard_size_bytes: Option<u64>,
    pub(crate) token_type: TokenType,
    /// The keys that records were read with, where they are written with them.
    pub(crate) as_records: Option<Keys>,
}

impl Output {
    /// An output in the format of the path's ending, if nothing else is said.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            format: None,
            shard_size_bytes: None,
            token_type: None,
            as_records: false,
            is_file: false,
        }
    }

    /// The format, whatever the path's ending.
    #[must_use]
    pub fn format(self, format: Format) -> Self {
        let format = Some(format);
        Self { format, ..self }
    }

    /// The size with which a shard is complete, 256 MiB by default (64 MiB for MDS): the row that
    /// reaches it is the shard's last.
    #[must_use]
    pub fn shard_size_bytes(self, size: u64) -> Self {
        let shard_size_bytes = Some(size);
        Self {
            shard_size_bytes,
            ..self
        }
    }

    /// How token ids are stored in Megatron and safetensors files.
    #[must_use]
    pub fn token_type(self, token_type: TokenType) -> Self {
        let token_type = Some(token_type);
        Self { token_type, ..self }
    }

    /// Writes JSON Lines as they were read: the id and the text by the keys that
    /// [`Files`](crate::Files) names, other keys beside them and not in `fields`, without `source` and
    /// `line`.
    #[must_use]
    pub fn records(self) -> Self {
        let as_records = true;
        Self { as_records, ..self }
    }

    pub(crate) fn jsonl_file(path: PathBuf) -> Self {
        let format = match Format::of(&path) {
            Some(format @ (Format::JsonlGz | Format::JsonlZst)) => format,
            _ => Format::Jsonl,
        };
        let is_file = true;
        Self {
            is_file,
            ..Self::new(path).format(format)
        }
    }

    /// Checks it; `keys` are those of the source.
    pub(crate) fn target(&self, keys: &Keys) -> Result<Target, Error> {
        let path = &self.path;
        let Some(format) = self.format.or_else(|| Format::of(path)) else {
            let message = format!("the name of the output `{}` says no format", path.display());
            let known = Format::ALL
                .map(|format| format!(".{}", format.ending()))
                .join(", ");
            return Err(Error::invalid(message).with_hint(format!(
                "give a format for a folder of shards, or a file: {known}"
            )));
        };
        let is_tokens = matches!(format, Format::Megatron | Format::Safetensors);
        if self.token_type.is_some() && !is_tokens {
            return Err(Error::invalid(format!(
                "a token type is for `megatron` and `safetensors`, not for `{}`",
                format.name()
            )));
        }
        let is_jsonl = matches!(format, Format::Jsonl | Format::JsonlGz | Format::JsonlZst);
        if self.as_records && !is_jsonl {
            return Err(Error::invalid(format!(
                "records are written as JSON Lines, not as `{}`",
                format.name()
            )));
        }
        let is_file = self.is_file || format != Format::Mds && format.ends(path);
        let shard_size_bytes = match (is_file, self.shard_size_bytes) {
            (true, None) => None,
            (true, Some(_)) => {
                let message = format!("`{}` is one file and has no shards", path.display());
                return Err(Error::invalid(message).with_hint("give the path of a folder"));
            }
            (false, None) if format == Format::Mds => Some(64 << 20),
            (false, None) => Some(256 << 20),
            (false, Some(size)) => Some(check_size(size, format)?),
        };
        Ok(Target {
            path: path.clone(),
            format,
            shard_size_bytes,
            token_type: self.token_type.unwrap_or_default(),
            as_records: self.as_records.then(|| keys.clone()),
        })
    }
}

fn check_size(size: u64, format: Format) -> Result<u64, Error> {
    // MDS counts the bytes of a shard with 32 bits; its last row may be a large one.
    let max = if format == Format::Mds {
        2 << 30
    } else {
        SHARD_SIZE_MAX
    };
    if (SHARD_SIZE_MIN..=max).contains(&size) {
        return Ok(size);
    }
    Err(Error::new(
        ErrorKind::LimitReached,
        format!("shard_size_bytes is {size}, it must be from {SHARD_SIZE_MIN} to {max}"),
    ))
}

impl From<PathBuf> for Output {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<&PathBuf> for Output {
    fn from(path: &PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<&Path> for Output {
    fn from(path: &Path) -> Self {
        Self::new(path)
    }
}

impl From<&str> for Output {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl From<String> for Output {
    fn from(path: String) -> Self {
        Self::new(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_what_is_written() {
        for (output, expected) in [
            (Output::new("a.parquet"), Ok((Format::Parquet, None))),
            (Output::new("a.JSONL.ZST"), Ok((Format::JsonlZst, None))),
            (Output::new("x/a.jsonl"), Ok((Format::Jsonl, None))),
            (Output::jsonl_file("a".into()), Ok((Format::Jsonl, None))),
            (
                Output::jsonl_file("a.jsonl.gz".into()),
                Ok((Format::JsonlGz, None)),
            ),
            (
                Output::new("a").format(Format::Arrow),
                Ok((Format::Arrow, Some(256 << 20))),
            ),
            (Output::new("a.mds"), Ok((Format::Mds, Some(64 << 20)))),
            (
                Output::new("a")
                    .format(Format::Parquet)
                    .shard_size_bytes(1 << 20),
                Ok((Format::Parquet, Some(1 << 20))),
            ),
            (Output::new("a"), Err("says no format")),
            (Output::new("parquet"), Err("says no format")),
            (Output::new(".parquet"), Err("says no format")),
            (
                Output::new("a.parquet").shard_size_bytes(1 << 20),
                Err("has no shards"),
            ),
            (
                Output::new("a")
                    .format(Format::Mds)
                    .shard_size_bytes(1 << 40),
                Err("from"),
            ),
            (
                Output::new("a.tar").token_type(TokenType::U16),
                Err("not for `webdataset`"),
            ),
        ] {
            match (output.target(&Keys::default()), expected) {
                (Ok(target), Ok(expected)) => {
                    assert_eq!((target.format, target.shard_size_bytes), expected);
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, expected) => panic!("{output:?}: {found:?}, not {expected:?}"),
            }
        }
    }
}
