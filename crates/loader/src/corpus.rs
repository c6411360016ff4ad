//! All shards of a data set, as one list of documents.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::limits::{DOCUMENTS_MAX, SHARDS_MAX};
use crate::shard::{self, Shard, Span};
use crate::store::{Access, Store};
use crate::unpack::{Cache, Reached};
use crate::{Cancel, Error, Stored};

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Megatron's `.bin` and `.idx`.
    Megatron,
    /// safetensors.
    Safetensors,
    /// mosaicml-streaming's `index.json` and shards.
    Mds,
    /// litdata's `index.json` and chunks.
    Litdata,
    /// The tar archives of `WebDataset`.
    Tar,
    /// The `.npy` arrays of `NumPy`.
    Npy,
    /// Parquet.
    Parquet,
    /// A folder of image files, a class each folder below; for images alone.
    Folder,
    /// Nothing but tokens.
    Plain,
}

/// How shards are opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The format; by default, names and indices tell it.
    pub format: Option<Format>,
    /// The type of stored tokens, where the format does not say it.
    pub stored: Option<Stored>,
    /// Where in a sample the tokens are: the tensor of safetensors, the column of MDS and Parquet, the
    /// number or name of litdata's leaf, the extension of a tar's members.
    pub field: Option<String>,
    /// How files are reached.
    pub access: Access,
    /// Ends the opening, and what looks at all documents.
    pub cancel: Cancel,
}

/// Open shards. Documents are numbered through all of them.
pub struct Corpus {
    shards: Vec<Shard>,
    /// The first document of each shard, and the end of the last.
    starts: Vec<u64>,
    cancel: Cancel,
}

impl Corpus {
    /// Opens files, and folders of files, in this order; those of a folder by name.
    ///
    /// Costs an open and a map for each file. Of documents, only those of archives are looked at;
    /// nothing is unpacked but MDS arrays whose index does not say their type.
    ///
    /// # Errors
    /// `NotFound`, `Io`, `Corrupt` and `Unsupported` for files, `InvalidInput` where the type of
    /// tokens must be named, `LimitReached`, `Cancelled`.
    pub fn open<P: AsRef<Path>>(paths: &[P], options: &OpenOptions) -> Result<Arc<Self>, Error> {
        let mut shards = Vec::new();
        for path in paths {
            let path = path.as_ref();
            for (path, format) in files(path, options.format, options.stored.is_some())? {
                options.cancel.check()?;
                shards.append(&mut open_file(&path, format, options)?);
                check_shards(shards.len())?;
            }
        }
        Self::of(shards, options)
    }

    /// Opens files that are in memory: an index first where the format has one. Names are those
    /// that the index uses.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_memory(
        format: Format,
        files: Vec<(String, Vec<u8>)>,
        options: &OpenOptions,
    ) -> Result<Arc<Self>, Error> {
        let files: Vec<_> = files
            .into_iter()
            .map(|(name, bytes)| (Store::from_bytes(&name, bytes), name))
            .collect();
        let sibling = |name: &str| {
            let found = files.iter().find(|(_, other)| other == name);
            let missing = || Error::not_found(format!("there is no file {name:?}"));
            found.map(|(store, _)| store.clone()).ok_or_else(missing)
        };
        let field = options.field.as_deref();
        let mut stores = files.iter().map(|(store, _)| store.clone());
        let missing = || Error::not_found("there is no file");
        let first = stores.next().ok_or_else(missing)?;
        let shards = match format {
            Format::Parquet => shard::open_parquet(first, field, options.stored)?,
            Format::Megatron => vec![shard::open_megatron(
                first,
                stores.next().ok_or_else(missing)?,
            )?],
            Format::Mds => shard::open_mds(&first, field, options.stored, &sibling)?,
            Format::Litdata => shard::open_litdata(&first, field, &sibling)?,
            _ => std::iter::once(first)
                .chain(stores)
                .map(|store| match format {
                    Format::Safetensors => shard::open_safetensors_bytes(store, field),
                    Format::Tar => shard::open_tar(store, options),
                    Format::Npy => shard::open_npy(store),
                    _ => shard::open_plain(store, options.stored),
                })
                .collect::<Result<_, _>>()?,
        };
        Self::of(shards, options)
    }

    fn of(shards: Vec<Shard>, options: &OpenOptions) -> Result<Arc<Self>, Error> {
        if shards.is_empty() {
            let message = "cannot load from no shard at all";
            return Err(Error::invalid(message).with_hint("name files, or folders with shards"));
        }
        check_shards(shards.len())?;
        let mut starts = vec![0_u64];
        for shard in &shards {
            let end = starts[starts.len() - 1].saturating_add(shard.documents.count());
            starts.push(end);
        }
        let documents = starts[shards.len()];
        if documents > DOCUMENTS_MAX {
            let what = format!("cannot load {documents} documents");
            return Err(Error::limit(what, "DOCUMENTS_MAX", DOCUMENTS_MAX));
        }
        let cancel = options.cancel.clone();
        Ok(Arc::new(Self {
            shards,
            starts,
            cancel,
        }))
    }

    /// How many documents there are.
    pub fn documents(&self) -> u64 {
        self.starts[self.shards.len()]
    }

    /// How many files of tokens there are.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// How many tokens a document has. Unpacks the shard that it is in, if that is packed.
    ///
    /// # Errors
    /// `Corrupt` where the document does not lie in its file.
    ///
    /// # Panics
    /// When there is no such document.
    pub fn document_len(&self, document: u64) -> Result<u64, Error> {
        let (number, at) = self.find(document);
        let shard = &self.shards[number];
        Ok(shard.span(&*shard.source.look()?, at)?.len)
    }

    /// How many tokens each document has; costs a look at each.
    ///
    /// # Errors
    /// `Corrupt` where a document does not lie in its file, `LimitReached` where one is longer than
    /// 32 bits say, `Cancelled`.
    pub fn document_lens(&self) -> Result<Vec<u32>, Error> {
        let mut lens = Vec::new();
        for shard in &self.shards {
            lens.append(&mut shard.document_lens(&self.cancel)?);
        }
        Ok(lens)
    }

    /// Whether a shard must be unpacked.
    pub(crate) fn is_packed(&self) -> bool {
        self.shards
            .iter()
            .any(|shard| shard.source.packed.is_some())
    }

    /// The first document of each shard, and the end of the last.
    pub(crate) fn starts(&self) -> &[u64] {
        &self.starts
    }

    /// The type that all shards share, or the smallest one that holds what they hold.
    pub(crate) fn natural(&self) -> crate::Token {
        let mut types = self.shards.iter().map(|shard| shard.stored);
        let first = types.next().map(Stored::natural);
        let same = first.filter(|&first| types.all(|stored| stored.natural() == first));
        same.unwrap_or(crate::Token::I64)
    }

    /// The bytes that a document lies in, the type of its tokens, and where it lies.
    pub(crate) fn document(
        &self,
        document: u64,
        cache: &Cache,
    ) -> Result<(Reached<'_>, Stored, Span), Error> {
        let (number, at) = self.find(document);
        let shard = &self.shards[number];
        let store = shard.source.reach(number, cache)?;
        let span = shard.span(&store, at)?;
        Ok((store, shard.stored, span))
    }

    /// The number of the shard of a document, and the document's number in it.
    fn find(&self, document: u64) -> (usize, u64) {
        assert!(document < self.documents(), "there is such a document");
        let at = self.starts.partition_point(|&start| start <= document) - 1;
        (at, document - self.starts[at])
    }

    /// What ends a look at all documents.
    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    pub(crate) fn all(&self) -> &[Shard] {
        &self.shards
    }

    /// What tells this data set from others, as far as it costs nothing: a hash of the sizes.
    pub(crate) fn fingerprint(&self) -> u64 {
        fingerprint(self.shards.iter().map(|shard| {
            let item = shard.stored.size() as u64;
            [shard.source.store.size(), shard.documents.count(), item]
        }))
    }
}

/// A hash of what is known of shards.
pub(crate) fn fingerprint(shards: impl Iterator<Item = [u64; 3]>) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for number in shards.flatten() {
        hash = (hash ^ number).wrapping_mul(0x0000_0100_0000_01B3);
        hash ^= hash >> 29;
    }
    hash
}

impl std::fmt::Debug for Corpus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Corpus")
            .field("shards", &self.shards())
            .field("documents", &self.documents())
            .finish()
    }
}

fn check_shards(count: usize) -> Result<(), Error> {
    if count > SHARDS_MAX {
        let what = format!("cannot open {count} shards");
        return Err(Error::limit(what, "SHARDS_MAX", SHARDS_MAX));
    }
    Ok(())
}

/// The files that a path stands for, and their formats. `plain` says that any file may be one of
/// nothing but tokens.
pub(crate) fn files(
    path: &Path,
    format: Option<Format>,
    plain: bool,
) -> Result<Vec<(PathBuf, Format)>, Error> {
    let index = path.join("index.json");
    if index.is_file() {
        return Ok(vec![(index.clone(), format_of(&index, format, plain)?)]);
    }
    if !path.is_dir() {
        return Ok(vec![(path.to_owned(), format_of(path, format, plain)?)]);
    }
    let found = files_in(path, format, plain)?;
    if found.is_empty() {
        let message = format!("cannot find shards in the folder `{}`", path.display());
        return Err(Error::not_found(message).with_hint(
            "shards are known by their names; the format \"plain\" takes all files of a folder",
        ));
    }
    Ok(found)
}

/// The shards in a folder, by name.
pub(crate) fn files_in(
    folder: &Path,
    format: Option<Format>,
    plain: bool,
) -> Result<Vec<(PathBuf, Format)>, Error> {
    let failed = |error| Error::io("list", folder, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let twin = extension(&path) == "bin" && path.with_extension("idx").is_file();
        let known = format.is_some() || known(&path).is_some();
        if path.is_file() && known && !twin {
            found.push((path.clone(), format_of(&path, format, plain)?));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

fn extension(path: &Path) -> &str {
    path.extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or("")
}

fn known(path: &Path) -> Option<Format> {
    Some(match extension(path) {
        "idx" => Format::Megatron,
        "bin" if path.with_extension("idx").is_file() => Format::Megatron,
        "safetensors" => Format::Safetensors,
        "tar" => Format::Tar,
        "npy" => Format::Npy,
        "parquet" => Format::Parquet,
        _ => return None,
    })
}

fn format_of(path: &Path, format: Option<Format>, plain: bool) -> Result<Format, Error> {
    if let Some(format) = format.or_else(|| known(path)) {
        return Ok(format);
    }
    if path.file_name().is_some_and(|name| name == "index.json") {
        let value: serde_json::Value = shard_index(path)?;
        return match (value.get("shards"), value.get("chunks")) {
            (Some(_), _) => Ok(Format::Mds),
            (_, Some(_)) => Ok(Format::Litdata),
            _ => Err(Error::unsupported(format!(
                "cannot load by the index `{}`: it names no shards and no chunks",
                path.display()
            ))),
        };
    }
    if plain || !path.exists() {
        return Ok(Format::Plain);
    }
    let message = format!("cannot know the format of `{}`", path.display());
    Err(Error::unsupported(message)
        .with_hint("name the stored type of a file of nothing but tokens, such as uint16"))
}

fn shard_index(path: &Path) -> Result<serde_json::Value, Error> {
    shard::parse_json(&Store::open(path, Access::Read)?)
}

fn open_file(path: &Path, format: Format, options: &OpenOptions) -> Result<Vec<Shard>, Error> {
    let field = options.field.as_deref();
    let open = |path: &Path| Store::open(path, options.access);
    let sibling = |name: &str| {
        options.cancel.check()?;
        open(&path.with_file_name(name))
    };
    let shard = match format {
        Format::Mds => return shard::open_mds(&open(path)?, field, options.stored, &sibling),
        Format::Litdata => return shard::open_litdata(&open(path)?, field, &sibling),
        Format::Parquet => return shard::open_parquet(open(path)?, field, options.stored),
        Format::Megatron => {
            let index = open(&path.with_extension("idx"))?;
            shard::open_megatron(index, open(&path.with_extension("bin"))?)
        }
        Format::Safetensors => shard::open_safetensors(path, field, options.access),
        Format::Tar => shard::open_tar(open(path)?, options),
        Format::Npy => shard::open_npy(open(path)?),
        Format::Plain => shard::open_plain(open(path)?, options.stored),
        Format::Folder => {
            let message = format!("cannot load tokens from images in `{}`", path.display());
            return Err(Error::unsupported(message));
        }
    }?;
    Ok(vec![shard])
}
