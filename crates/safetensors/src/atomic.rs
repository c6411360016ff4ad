//! Replacing a file in one step: write a temporary sibling, then rename it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::SafeTensorError;
use crate::limits::{SYMLINKS_MAX, TEMPORARY_NAMES_MAX};

/// A file that is to take the place of another. Dropped before [`commit`](Self::commit), it leaves
/// no trace.
pub(crate) struct Replacement {
    target: PathBuf,
    temporary: Temporary,
    file: File,
}

impl Replacement {
    /// Creates the temporary file beside the file that `path` leads to.
    pub(crate) fn create(path: &Path) -> Result<Self, SafeTensorError> {
        let target = follow_links(path).map_err(SafeTensorError::file("follow", path))?;
        let old = match fs::symlink_metadata(&target) {
            Ok(old) if !old.is_file() => {
                return Err(SafeTensorError::NotRegularFile(path.to_owned()));
            }
            Ok(old) => Some(old.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(SafeTensorError::file("examine", path)(error)),
        };
        let (temporary, file) = Temporary::create(folder_of(&target), old.as_ref())
            .map_err(SafeTensorError::file("create", path))?;
        if let Some(old) = old {
            file.set_permissions(old)
                .map_err(SafeTensorError::file("set the mode of", path))?;
        }
        Ok(Self {
            target,
            temporary,
            file,
        })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the written file its name.
    pub(crate) fn commit(self, fsync: bool) -> Result<(), SafeTensorError> {
        let Self {
            target,
            temporary,
            file,
        } = self;
        if fsync {
            file.sync_all()
                .map_err(SafeTensorError::file("sync", &target))?;
        }
        temporary
            .rename(&target)
            .map_err(SafeTensorError::file("replace", &target))?;
        if fsync {
            // The name is safe when the folder is. Where folders cannot be opened, they need no sync.
            if let Ok(folder) = File::open(folder_of(&target)) {
                folder
                    .sync_all()
                    .map_err(SafeTensorError::file("sync the folder of", &target))?;
            }
        }
        Ok(())
    }
}

/// A file that disappears when dropped under its own name.
struct Temporary {
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    fn create(folder: &Path, old: Option<&Permissions>) -> io::Result<(Self, File)> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // Never wider than the old file, not even for a moment; for a new one the umask decides.
        #[cfg(unix)]
        if let Some(old) = old {
            use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
            options.mode(old.mode() & 0o777);
        }
        #[cfg(not(unix))]
        let _ = old;
        let process = std::process::id();
        for attempt in 0..TEMPORARY_NAMES_MAX {
            let path = folder.join(format!(".nexus-{process}-{attempt}.tmp"));
            match options.open(&path) {
                Ok(file) => {
                    return Ok((
                        Self {
                            path,
                            renamed: false,
                        },
                        file,
                    ));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        let message = format!("all {TEMPORARY_NAMES_MAX} temporary names are taken");
        Err(io::Error::new(io::ErrorKind::AlreadyExists, message))
    }

    fn rename(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // The save has failed already; a file that cannot be removed either is not the news.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The path at the end of a chain of symbolic links, which need not exist.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..SYMLINKS_MAX {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            // Not a link, or not there: the chain ends here.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other(format!(
        "more than {SYMLINKS_MAX} symbolic links"
    )))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
