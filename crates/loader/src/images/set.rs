//! All images of a data set, as one list.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::samples::{Fields, Pictures};
use super::{folder, tar};
use crate::corpus::{self, Format};
use crate::limits::{DOCUMENTS_MAX, SHARDS_MAX};
use crate::shard;
use crate::store::{Access, Store};
use crate::{Cancel, Error};

/// How images are opened.
#[derive(Clone, Debug, Default)]
pub struct ImageOptions {
    /// The format; by default, names and indices tell it.
    pub format: Option<Format>,
    /// Where in a sample the image is: the column of MDS and Parquet, the number or name of litdata's
    /// leaf, the extension of a tar's members. By default, what is usually called so.
    pub image: Option<String>,
    /// Where the label is, likewise; an integer.
    pub label: Option<String>,
    /// How files are reached.
    pub access: Access,
    /// Ends the opening.
    pub cancel: Cancel,
}

/// Open files of images. Images are numbered through all of them.
pub struct ImageSet {
    all: Vec<Pictures>,
    /// The first image of each, and the end of the last.
    starts: Vec<u64>,
    classes: Vec<String>,
    labelled: bool,
}

impl ImageSet {
    /// Opens files, and folders of files, in this order; those of a folder by name.
    ///
    /// Costs an open and a map for each file. The headers of archives are read, and folders of images
    /// are listed; no image is read.
    ///
    /// # Errors
    /// `NotFound`, `Io`, `Corrupt` and `Unsupported` for files, `InvalidInput` where only some have
    /// labels, `LimitReached`, `Cancelled`.
    pub fn open<P: AsRef<Path>>(paths: &[P], options: &ImageOptions) -> Result<Self, Error> {
        let mut found = Vec::new();
        for path in paths {
            let path = path.as_ref();
            if is_folder(path, options)? {
                found.push((path.to_owned(), Format::Folder));
            } else {
                found.append(&mut corpus::files(path, options.format, false)?);
            }
        }
        let classes = classes(&found)?;
        let mut all = Vec::new();
        for (path, format) in found {
            options.cancel.check()?;
            let opened = open_file(&path, format, &classes, options)?;
            all.extend(opened.into_iter().filter(|one| one.samples.count() > 0));
            if all.len() > SHARDS_MAX {
                let what = format!("cannot open {} shards", all.len());
                return Err(Error::limit(what, "SHARDS_MAX", SHARDS_MAX));
            }
        }
        Self::of(all, classes)
    }

    /// Opens files that are in memory: an index first where the format has one. Names are those that
    /// the index uses.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_memory(
        format: Format,
        files: Vec<(String, Vec<u8>)>,
        options: &ImageOptions,
    ) -> Result<Self, Error> {
        let named = |(name, bytes): (String, Vec<u8>)| (Store::from_bytes(&name, bytes), name);
        let files: Vec<_> = files.into_iter().map(named).collect();
        let sibling = |name: &str| {
            let found = files.iter().find(|(_, other)| other == name);
            let missing = || Error::not_found(format!("there is no file {name:?}"));
            found.map(|(store, _)| store.clone()).ok_or_else(missing)
        };
        let first = files
            .first()
            .ok_or_else(|| Error::not_found("there is no file"))?;
        let all = open_store(format, first.0.clone(), options, &sibling)?;
        Self::of(all, Vec::new())
    }

    fn of(all: Vec<Pictures>, classes: Vec<String>) -> Result<Self, Error> {
        let Some(first) = all.first() else {
            return Err(Error::invalid("cannot load images from nothing at all")
                .with_hint("name files, or folders with images or shards"));
        };
        let labelled = first.samples.is_labelled();
        if all.iter().any(|one| one.samples.is_labelled() != labelled) {
            return Err(
                Error::invalid("cannot load images of which only some have labels")
                    .with_hint("name the field of labels, or load them one after another"),
            );
        }
        let mut starts = vec![0_u64];
        for one in &all {
            starts.push(starts[starts.len() - 1].saturating_add(one.samples.count()));
        }
        let count = starts[all.len()];
        if count > DOCUMENTS_MAX {
            let what = format!("cannot load {count} images");
            return Err(Error::limit(what, "DOCUMENTS_MAX", DOCUMENTS_MAX));
        }
        Ok(Self {
            all,
            starts,
            classes,
            labelled,
        })
    }

    /// How many images there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always an image")]
    pub fn len(&self) -> u64 {
        self.starts[self.all.len()]
    }

    /// The names of classes by their labels, where folders name them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Whether images have labels.
    pub fn is_labelled(&self) -> bool {
        self.labelled
    }

    pub(crate) fn all(&self) -> &[Pictures] {
        &self.all
    }

    pub(crate) fn starts(&self) -> &[u64] {
        &self.starts
    }

    /// The number of the file of an image, and the image's number in it.
    pub(crate) fn find(&self, image: u64) -> (usize, u64) {
        let at = self.starts.partition_point(|&start| start <= image) - 1;
        (at, image - self.starts[at])
    }

    /// What tells this data set from others, as far as it costs nothing: a hash of the sizes.
    pub(crate) fn fingerprint(&self) -> u64 {
        corpus::fingerprint(self.all.iter().map(|one| {
            let labelled = u64::from(one.samples.is_labelled());
            [one.source.store.size(), one.samples.count(), labelled]
        }))
    }
}

/// Whether a path is a folder of image files, and not of shards.
fn is_folder(path: &Path, options: &ImageOptions) -> Result<bool, Error> {
    Ok(match options.format {
        Some(format) => format == Format::Folder,
        None => {
            path.is_dir()
                && !path.join("index.json").is_file()
                && corpus::files_in(path, None, false)?.is_empty()
        }
    })
}

/// The classes of all folders together, so that they have the same numbers everywhere.
fn classes(found: &[(PathBuf, Format)]) -> Result<Vec<String>, Error> {
    let mut all = BTreeSet::new();
    for (path, format) in found {
        if *format == Format::Folder {
            all.extend(folder::classes(path)?);
        }
    }
    Ok(all.into_iter().collect())
}

fn open_file(
    path: &Path,
    format: Format,
    classes: &[String],
    options: &ImageOptions,
) -> Result<Vec<Pictures>, Error> {
    if format == Format::Folder {
        return Ok(vec![folder::open(path, classes, &options.cancel)?]);
    }
    let open = |path: &Path| Store::open(path, options.access);
    let sibling = |name: &str| {
        options.cancel.check()?;
        open(&path.with_file_name(name))
    };
    open_store(format, open(path)?, options, &sibling)
}

fn open_store(
    format: Format,
    store: Store,
    options: &ImageOptions,
    sibling: shard::Sibling<'_>,
) -> Result<Vec<Pictures>, Error> {
    let fields = Fields {
        image: options.image.as_deref(),
        label: options.label.as_deref(),
    };
    match format {
        Format::Mds => shard::open_mds_images(&store, fields, sibling),
        Format::Litdata => shard::open_litdata_images(&store, fields, sibling),
        Format::Parquet => shard::open_parquet_images(store, fields),
        Format::Tar => Ok(vec![tar::open(store, fields, &options.cancel)?]),
        _ => {
            let path = store.path().display();
            let message = format!("cannot load images of `{path}`, which is {format:?}");
            Err(Error::unsupported(message)
                .with_hint("images come from tar, Parquet, MDS, litdata, and folders of files"))
        }
    }
}

impl fmt::Debug for ImageSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageSet")
            .field("images", &self.len())
            .field("classes", &self.classes.len())
            .finish_non_exhaustive()
    }
}
