//! Which files a source has, in the order in which they are read.

use crate::files::Keys;
use crate::limits::FILES_MAX;
use crate::report::Counted;
use crate::source::images;
use crate::storage::{LocalStorage, Storage, StoredFile, shown};
use crate::{Error, ErrorKind, Reject};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is turned into rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Markdown,
    Html,
    Image,
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
        matches!(self, Self::Text | Self::Markdown | Self::Html | Self::Image)
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
    /// Bytes when it was found.
    pub(crate) size: u64,
    /// What tells it from what may be there later.
    pub(crate) version: String,
    pub(crate) storage: Arc<dyn Storage>,
    /// The column of tables that holds images; none where images are not read.
    pub(crate) images: Option<Arc<str>>,
    /// What records call the text and the id.
    pub(crate) keys: Keys,
}

impl Input {
    pub(crate) fn reads_images(&self) -> bool {
        self.images.is_some()
    }

    /// The file as its storage knows it.
    pub(super) fn stored(&self) -> StoredFile {
        StoredFile {
            path: self.path.clone(),
            size: self.size,
            version: self.version.clone(),
        }
    }

    pub(crate) fn reject(&self, line: Option<u64>, reason: String) -> Reject {
        Reject::new(self.source.to_string(), line, reason)
    }
}

/// The files of a source, as a [`Storage`] finds them. Files of kinds that are not read are counted.
#[derive(Debug)]
pub struct Listing {
    storage: Arc<dyn Storage>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) skipped: Counted<String>,
    pub(crate) rejects: Vec<Reject>,
    /// As [`Input::images`].
    images: Option<Arc<str>>,
    /// As [`Input::keys`].
    keys: Keys,
}

const KNOWN: &str = ".txt, .md, .html, .jsonl, .csv, .tsv, .warc, .wet, .tar and .arrow, each also \
                     with .gz, .zst, .bz2 or .xz, and .parquet; where a step asks for images, .jpg, .png and \
                     .webp too";

/// The files that [`Pipeline::read`](crate::Pipeline::read) reads below `root`, in its order.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) and [`Unsupported`](ErrorKind::Unsupported) when there is
/// nothing to read, as a run says too.
pub fn files(root: impl AsRef<Path>) -> Result<Vec<PathBuf>, Error> {
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage);
    let listing = list(root.as_ref(), &storage, None, &Keys::default())?;
    Ok(listing.inputs.into_iter().map(|input| input.path).collect())
}

/// The file that a pipeline writes beside its shards. It is no source.
pub const MANIFEST: &str = "_manifest.json";

/// Lists a file, or a folder and what is below it, sorted by name at each level. Images are read where
/// `images` names the column that holds them in tables.
pub(crate) fn list(
    root: &Path,
    storage: &Arc<dyn Storage>,
    images: Option<&str>,
    keys: &Keys,
) -> Result<Listing, Error> {
    let mut listing = Listing::new(storage, images, keys);
    storage.list(root, &mut listing)?;
    if !listing.inputs.is_empty() || !listing.rejects.is_empty() {
        return Ok(listing);
    }
    let name = shown(root);
    let hint = format!("files that are read end in {KNOWN}");
    let skipped = &listing.skipped;
    if skipped.count == 1 && skipped.samples == [name.as_ref()] {
        let message = format!("the source `{name}` is of no kind that is read");
        return Err(Error::new(ErrorKind::Unsupported, message).with_hint(hint));
    }
    let message = format!(
        "the source `{name}` has no file to read ({} of other kinds)",
        skipped.count
    );
    Err(Error::new(ErrorKind::NotFound, message).with_hint(hint))
}

impl Listing {
    pub(crate) fn new(storage: &Arc<dyn Storage>, images: Option<&str>, keys: &Keys) -> Self {
        Self {
            storage: storage.clone(),
            inputs: Vec::new(),
            skipped: Counted::default(),
            rejects: Vec::new(),
            images: images.map(Arc::from),
            keys: keys.clone(),
        }
    }

    /// Adds a file; `id` is its place below the root, with `/` between names.
    ///
    /// # Errors
    /// [`LimitReached`](ErrorKind::LimitReached) when there are too many.
    pub fn file(&mut self, file: StoredFile, id: String) -> Result<(), Error> {
        let StoredFile {
            path,
            size,
            version,
        } = file;
        let is_read = |format| format != Format::Image || self.images.is_some();
        let Some((format, compression)) = kind(&id).filter(|kind| is_read(kind.0)) else {
            self.skip(&path);
            return Ok(());
        };
        if self.inputs.len() == FILES_MAX {
            return Err(Error::limit(format!(
                "the source has more files than FILES_MAX = {FILES_MAX}"
            )));
        }
        self.inputs.push(Input {
            source: shown(&path).into(),
            path,
            id,
            format,
            compression,
            size,
            version,
            storage: self.storage.clone(),
            images: self.images.clone(),
            keys: self.keys.clone(),
        });
        Ok(())
    }

    /// Counts a file that is not read.
    pub fn skip(&mut self, path: &Path) {
        self.skipped.add(shown(path).into_owned());
    }

    /// Sets aside what cannot be listed.
    pub fn reject(&mut self, path: &Path, reason: String) {
        let file = shown(path).into_owned();
        self.rejects.push(Reject::new(file, None, reason));
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
        ending if images::is_image(ending) => Format::Image,
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
