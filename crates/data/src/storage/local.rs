//! The file system of this machine.

use super::{NewFile, NewFolder, Ranges, Storage, StoredFile};
use crate::atomic::{AtomicFile, AtomicFolder};
use crate::limits::FOLDER_DEPTH_MAX;
use crate::source::{Listing, MANIFEST};
use crate::storage::{Selection, shown};
use crate::{Cancel, Error, ErrorKind};
use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The local file system.
///
/// Hidden files and folders are left out, and so are links to folders. What cannot be listed is
/// rejected. A path that is not there and has `*`, `?`, `[..]` or `**` in it is a pattern: what it matches
/// is listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalStorage;

/// Schemes of addresses that storages elsewhere know.
const SCHEMES: [&str; 10] = [
    "s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "http", "https",
];

impl LocalStorage {
    /// Refuses an address: here it would be a folder that is not there.
    fn check(path: &Path) -> Result<(), Error> {
        let text = path.to_string_lossy();
        let scheme = text.split_once(":/").map(|(scheme, _)| scheme);
        if !scheme.is_some_and(|scheme| SCHEMES.contains(&scheme)) {
            return Ok(());
        }
        let message = format!("`{}` is no path of this machine", shown(path));
        let error = Error::new(ErrorKind::Unsupported, message);
        Err(if text.contains("://") {
            error.with_hint(
                "give the pipeline a storage that knows the address: `Objects` of nexus-remote",
            )
        } else {
            error.with_hint("give an address as text: a path loses one of its slashes")
        })
    }
}

impl Storage for LocalStorage {
    fn for_run(&self, _cancel: &Cancel) -> Arc<dyn Storage> {
        Arc::new(*self)
    }

    fn is_local(&self, _path: &Path) -> bool {
        true
    }

    fn list(&self, root: &Path, listing: &mut Listing) -> Result<(), Error> {
        Self::check(root)?;
        match std::fs::metadata(root) {
            Ok(metadata) if metadata.is_dir() => add_folder(listing, root, "", 0),
            Ok(metadata) => {
                let name = root.file_name().unwrap_or_default();
                add_file(
                    listing,
                    root,
                    name.to_string_lossy().into_owned(),
                    &metadata,
                )
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("read the source", root, error))
            }
            Err(_) if is_pattern(root) => add_pattern(listing, root),
            Err(error) => Err(Error::io("read the source", root, error)
                .with_hint("give a file or a folder that exists")),
        }
    }

    fn open(&self, file: &StoredFile) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(&file.path)?))
    }

    fn ranges(&self, file: &StoredFile) -> io::Result<Box<dyn Ranges>> {
        Ok(Box::new(LocalRanges(File::open(&file.path)?)))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn NewFile>, Error> {
        Self::check(path)?;
        Ok(Box::new(AtomicFile::create(path)?))
    }

    fn create_folder(&self, path: &Path, mark: &str) -> Result<Box<dyn NewFolder>, Error> {
        Self::check(path)?;
        Ok(Box::new(AtomicFolder::create(path, mark)?))
    }
}

struct LocalRanges(File);

impl Ranges for LocalRanges {
    #[cfg(unix)]
    fn read_at(&self, start: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, start)
    }

    #[cfg(not(unix))]
    fn read_at(&self, start: u64, buffer: &mut [u8]) -> io::Result<()> {
        use std::io::Seek;
        let mut file = self.0.try_clone()?;
        file.seek(io::SeekFrom::Start(start))?;
        file.read_exact(buffer)
    }

    fn read_size(&self) -> usize {
        1 << 18
    }
}

impl NewFile for AtomicFile {
    fn local_path(&self) -> Option<&Path> {
        Some(self.temporary())
    }

    fn commit(self: Box<Self>) -> Result<(), Error> {
        Self::commit(*self)
    }
}

impl NewFolder for AtomicFolder {
    fn create(&self, name: &str) -> Result<Box<dyn NewFile>, Error> {
        Ok(Box::new(AtomicFile::create(&self.temporary().join(name))?))
    }

    fn commit(self: Box<Self>) -> Result<(), Error> {
        Self::commit(*self)
    }
}

fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(Selection::is_pattern)
}

/// Ids are places below the last folder that the pattern names.
fn add_pattern(listing: &mut Listing, pattern: &Path) -> Result<(), Error> {
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
    let mut folders: HashSet<PathBuf> = HashSet::new();
    for found in glob::glob_with(text, options).map_err(wrong)? {
        let path = match found {
            Ok(path) => path,
            Err(error) => {
                listing.reject(error.path(), format!("cannot list: {}", error.error()));
                continue;
            }
        };
        // All that is below a folder came with it, and may match too.
        if path.ancestors().any(|folder| folders.contains(folder)) {
            continue;
        }
        let id = path.strip_prefix(&named).unwrap_or(&path);
        let id = id.to_string_lossy().into_owned();
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                add_folder(listing, &path, &id, 1)?;
                folders.insert(path);
            }
            Ok(metadata) => add_file(listing, &path, id, &metadata)?,
            Err(error) => listing.reject(&path, format!("cannot examine: {error}")),
        }
    }
    Ok(())
}

fn add_folder(listing: &mut Listing, folder: &Path, id: &str, depth: usize) -> Result<(), Error> {
    let read = || -> io::Result<Vec<_>> {
        std::fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name()))
            .collect()
    };
    let mut names = match read() {
        Ok(names) => names,
        Err(error) => {
            listing.reject(folder, format!("cannot list the folder: {error}"));
            return Ok(());
        }
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
            Ok(metadata) if metadata.is_dir() && path.is_symlink() => listing.skip(&path),
            Ok(metadata) if metadata.is_dir() && depth == FOLDER_DEPTH_MAX => {
                let reason = format!("deeper than FOLDER_DEPTH_MAX = {FOLDER_DEPTH_MAX}");
                listing.reject(&path, reason);
            }
            Ok(metadata) if metadata.is_dir() => add_folder(listing, &path, &id, depth + 1)?,
            Ok(metadata) => add_file(listing, &path, id, &metadata)?,
            Err(error) => listing.reject(&path, format!("cannot examine: {error}")),
        }
    }
    Ok(())
}

fn add_file(
    listing: &mut Listing,
    path: &Path,
    id: String,
    metadata: &Metadata,
) -> Result<(), Error> {
    if !metadata.is_file() {
        listing.skip(path);
        return Ok(());
    }
    let file = StoredFile {
        path: path.to_owned(),
        size: metadata.len(),
        version: format!("{:?}", metadata.modified().ok()),
    };
    listing.file(file, id)
}
