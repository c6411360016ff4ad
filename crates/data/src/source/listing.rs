//! Which files a source has, in the order in which they are read.

use crate::limits::{FILES_MAX, FOLDER_DEPTH_MAX};
use crate::report::Counted;
use crate::{Error, ErrorKind, Reject};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is turned into rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Markdown,
    Html,
    JsonLines,
    Csv { delimiter: u8 },
    Parquet,
    Arrow,
    Warc,
    Tar,
}

impl Format {
    /// Whether a file is one document, and not a series of records.
    pub(crate) fn is_document(self) -> bool {
        matches!(self, Self::Text | Self::Markdown | Self::Html)
    }
}

/// How a file is compressed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

/// A file to read.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    /// `path` as the column `source` shows it.
    pub(crate) source: Arc<str>,
    /// The path below the root, with `/` between names.
    pub(crate) id: String,
    pub(crate) format: Format,
    pub(crate) compression: Compression,
    /// Bytes on disk when it was found.
    pub(crate) size: u64,
}

impl Input {
    /// The file at `path`, unless its name says that it is of no kind that is read.
    pub(crate) fn new(path: &Path, id: String, size: u64) -> Option<Self> {
        let (format, compression) = kind(&id)?;
        Some(Self {
            path: path.into(),
            source: path.to_string_lossy().into(),
            id,
            format,
            compression,
            size,
        })
    }

    pub(crate) fn reject(&self, line: Option<u64>, reason: String) -> Reject {
        Reject {
            file: self.source.to_string(),
            line,
            reason,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) inputs: Vec<Input>,
    pub(crate) skipped: Counted<String>,
    pub(crate) rejects: Vec<Reject>,
}

const KNOWN: &str = ".txt, .md, .html, .jsonl, .csv, .tsv, .warc, .wet, .tar and .arrow, each also \
                     with .gz, .zst, .bz2 or .xz, and .parquet";

/// The files that [`Pipeline::read`](crate::Pipeline::read) reads below `root`, in its order.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) and [`Unsupported`](ErrorKind::Unsupported) when there is
/// nothing to read, as a run says too.
pub fn files(root: impl AsRef<Path>) -> Result<Vec<PathBuf>, Error> {
    let listing = list(root.as_ref())?;
    Ok(listing.inputs.into_iter().map(|input| input.path).collect())
}

/// What a pipeline writes beside its shards.
pub(crate) const MANIFEST: &str = "_manifest.json";

/// Lists a file, or a folder and what is below it, sorted by name at each level.
///
/// Hidden files and folders are left out, and so are links to folders. Files of unknown kinds are
/// counted as skipped; what cannot be listed is rejected.
///
/// A path that is not there and has `*`, `?`, `[..]` or `**` in it is a pattern: what it matches is
/// listed.
pub(crate) fn list(root: &Path) -> Result<Listing, Error> {
    let metadata = match std::fs::metadata(root) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_pattern(root) => None,
        Err(error) => {
            let is_missing = error.kind() == std::io::ErrorKind::NotFound;
            let error = Error::io("read the source", root, error);
            return Err(if is_missing {
                error.with_hint("give a file or a folder that exists")
            } else {
                error
            });
        }
    };
    let mut listing = Listing::default();
    let Some(metadata) = metadata.filter(|metadata| !metadata.is_dir()) else {
        if is_pattern(root) && !root.exists() {
            listing.add_pattern(root)?;
        } else {
            listing.add_folder(root, "", 0)?;
        }
        if listing.inputs.is_empty() && listing.rejects.is_empty() {
            let skipped = listing.skipped.count;
            let message = format!(
                "the source `{}` has no file to read ({skipped} of other kinds)",
                root.display()
            );
            return Err(Error::new(ErrorKind::NotFound, message)
                .with_hint(format!("files that are read end in {KNOWN}")));
        }
        return Ok(listing);
    };
    let name = root
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    listing.add_file(root, name.unwrap_or_default(), &metadata)?;
    if listing.inputs.is_empty() {
        let message = format!("the source `{}` is of no kind that is read", root.display());
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint(format!("files that are read end in {KNOWN}")));
    }
    Ok(listing)
}

/// Whether a path may be a pattern.
fn is_pattern(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|path| path.contains(['*', '?', '[']))
}

impl Listing {
    /// Ids are places below the last folder that the pattern names.
    fn add_pattern(&mut self, pattern: &Path) -> Result<(), Error> {
        let text = pattern.to_str().unwrap_or_default();
        let wrong = |error: glob::PatternError| {
            Error::invalid(format!("the source `{text}` is no pattern: {error}"))
        };
        let named = pattern.components();
        let named: PathBuf = named
            .take_while(|part| !is_pattern(Path::new(part)))
            .collect();
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            ..glob::MatchOptions::new()
        };
        for found in glob::glob_with(text, options).map_err(wrong)? {
            let path = match found {
                Ok(path) => path,
                Err(error) => {
                    self.reject(error.path(), &format!("cannot list: {}", error.error()))?;
                    continue;
                }
            };
            let id = path.strip_prefix(&named).unwrap_or(&path);
            let id = id.to_string_lossy().into_owned();
            match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.add_folder(&path, &id, 1)?,
                Ok(metadata) => self.add_file(&path, id, &metadata)?,
                Err(error) => self.reject(&path, &format!("cannot examine: {error}"))?,
            }
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path, id: &str, depth: usize) -> Result<(), Error> {
        let read = || -> std::io::Result<Vec<_>> {
            std::fs::read_dir(folder)?
                .map(|entry| Ok(entry?.file_name()))
                .collect()
        };
        let mut names = match read() {
            Ok(names) => names,
            Err(error) => return self.reject(folder, &format!("cannot list the folder: {error}")),
        };
        names.sort();
        for name in names {
            let path = folder.join(&name);
            let name = name.to_string_lossy();
            if name.starts_with('.') || name == MANIFEST {
                continue;
            }
            let id = if id.is_empty() {
                name.into_owned()
            } else {
                format!("{id}/{name}")
            };
            match std::fs::metadata(&path) {
                // A link to a folder may lead back here.
                Ok(metadata) if metadata.is_dir() && path.is_symlink() => self.skip(&path),
                Ok(metadata) if metadata.is_dir() && depth == FOLDER_DEPTH_MAX => {
                    let reason = format!("deeper than FOLDER_DEPTH_MAX = {FOLDER_DEPTH_MAX}");
                    self.reject(&path, &reason)?;
                }
                Ok(metadata) if metadata.is_dir() => self.add_folder(&path, &id, depth + 1)?,
                Ok(metadata) => self.add_file(&path, id, &metadata)?,
                Err(error) => self.reject(&path, &format!("cannot examine: {error}"))?,
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path, id: String, metadata: &Metadata) -> Result<(), Error> {
        match Input::new(path, id, metadata.len()) {
            Some(input) if metadata.is_file() => {
                if self.inputs.len() == FILES_MAX {
                    return Err(Error::limit(format!(
                        "the source has more files than FILES_MAX = {FILES_MAX}"
                    )));
                }
                self.inputs.push(input);
            }
            _ => self.skip(path),
        }
        Ok(())
    }

    fn skip(&mut self, path: &Path) {
        self.skipped.add(path.to_string_lossy().into_owned());
    }

    #[expect(clippy::unnecessary_wraps, reason = "ends an arm beside fallible ones")]
    fn reject(&mut self, path: &Path, reason: &str) -> Result<(), Error> {
        let file = path.to_string_lossy().into_owned();
        self.rejects.push(Reject {
            file,
            line: None,
            reason: reason.to_owned(),
        });
        Ok(())
    }
}

fn kind(name: &str) -> Option<(Format, Compression)> {
    let name = name.to_ascii_lowercase();
    let (stem, ending) = name.rsplit_once('.')?;
    let compression = match ending {
        "gz" => Compression::Gzip,
        "zst" | "zstd" => Compression::Zstd,
        "bz2" => Compression::Bzip2,
        "xz" => Compression::Xz,
        "tgz" => return Some((Format::Tar, Compression::Gzip)),
        "parquet" | "pq" => return Some((Format::Parquet, Compression::None)),
        _ => Compression::None,
    };
    let ending = match compression {
        Compression::None => ending,
        _ => stem.rsplit_once('.')?.1,
    };
    let format = match ending {
        "txt" => Format::Text,
        "md" | "markdown" => Format::Markdown,
        "html" | "htm" => Format::Html,
        "jsonl" | "ndjson" => Format::JsonLines,
        "csv" => Format::Csv { delimiter: b',' },
        "tsv" => Format::Csv { delimiter: b'\t' },
        "arrow" | "arrows" | "feather" | "ipc" => Format::Arrow,
        "warc" | "wet" => Format::Warc,
        "tar" => Format::Tar,
        _ => return None,
    };
    Some((format, compression))
}
