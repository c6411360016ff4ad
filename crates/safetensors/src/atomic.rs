//! Replacing a file in one step: write a temporary file, then rename it.
//!
//! Where the system can, the temporary file has no name until it is whole, so that a program that is
//! killed leaves nothing. Elsewhere it is a sibling of the target from the start.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::SafeTensorError;
use crate::limits::{SYMLINKS_MAX, TEMPORARY_NAMES_MAX};
#[cfg(target_os = "linux")]
use crate::sys::link::{can_be_named, link};

/// A file that is to take the place of another. Dropped before [`commit`](Self::commit), it leaves
/// no trace.
#[derive(Debug)]
pub(crate) struct Replacement {
    target: PathBuf,
    /// `None` while the file has no name.
    temporary: Option<Temporary>,
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
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(SafeTensorError::file("examine", path)(error)),
        };
        let (temporary, file) = match create_unnamed(folder_of(&target)) {
            Some(file) => (None, file),
            None => Temporary::create(folder_of(&target), old.as_ref())
                .map(|(temporary, file)| (Some(temporary), file))
                .map_err(SafeTensorError::file("create", path))?,
        };
        if let Some(old) = &old {
            inherit(&file, old)
                .map_err(SafeTensorError::file("set the owner and mode of", path))?;
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

    /// Closes the file, with its bytes on the disk where `fsync` asks for it.
    pub(crate) fn close(self, fsync: bool) -> Result<Closed, SafeTensorError> {
        let Self {
            target,
            temporary,
            mut file,
        } = self;
        let temporary = match temporary {
            Some(temporary) => temporary,
            None => Temporary::name(folder_of(&target), &mut file)
                .map_err(SafeTensorError::file("name", &target))?,
        };
        if fsync {
            file.sync_all()
                .map_err(SafeTensorError::file("sync", &target))?;
        }
        Ok(Closed { target, temporary })
    }

    /// Gives the written file its name.
    pub(crate) fn commit(self, fsync: bool) -> Result<(), SafeTensorError> {
        let target = self.close(fsync)?.rename()?;
        if fsync {
            sync_folder(&target)?;
        }
        Ok(())
    }
}

/// A whole file that waits for its name. Dropped, it leaves no trace.
#[derive(Debug)]
pub(crate) struct Closed {
    target: PathBuf,
    temporary: Temporary,
}

impl Closed {
    /// Puts it in the place of the target, whose path is returned.
    pub(crate) fn rename(self) -> Result<PathBuf, SafeTensorError> {
        let Self { target, temporary } = self;
        temporary
            .rename(&target)
            .map_err(SafeTensorError::file("replace", &target))?;
        Ok(target)
    }
}

/// A new name is safe when its folder is. Where folders cannot be opened, they need no sync.
pub(crate) fn sync_folder(target: &Path) -> Result<(), SafeTensorError> {
    match File::open(folder_of(target)) {
        Ok(folder) => folder
            .sync_all()
            .map_err(SafeTensorError::file("sync the folder of", target)),
        Err(_) => Ok(()),
    }
}

/// Gives a new file the owner, the group and the mode of the one it replaces, as far as the system
/// lets this process.
#[cfg(unix)]
fn inherit(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    let new = file.metadata()?;
    let mut mode = old.mode() & 0o7777;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        // Only root gives files away. An owner may choose among the groups that it is in.
        let kept = fchown(file, Some(old.uid()), Some(old.gid()))
            .or_else(|_| fchown(file, None, Some(old.gid())));
        if kept.is_err() && new.gid() != old.gid() {
            // What the old group was allowed, this other group is not: it gets the rights of all.
            mode = mode & !0o070 | (mode & 0o007) << 3;
        }
    }
    // After the owner, because a change of owner clears bits of the mode.
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn inherit(file: &File, old: &Metadata) -> io::Result<()> {
    file.set_permissions(old.permissions())
}

/// A file that is gone when it is closed, unless it is named. For the umask it is a new file; with
/// the mode of the file that it replaces it can only be reached by name.
fn create_unnamed(folder: &Path) -> Option<File> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_TMPFILE)
            .open(folder)
            .ok()
            .filter(can_be_named)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        None
    }
}

/// A file that disappears when dropped under its own name.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    fn create(folder: &Path, old: Option<&Metadata>) -> io::Result<(Self, File)> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // Never wider than the old file, not even for a moment; for a new one the umask decides.
        #[cfg(unix)]
        if let Some(old) = old {
            use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
            options.mode(old.mode() & 0o700);
        }
        #[cfg(not(unix))]
        let _ = old;
        Self::at_free_name(folder, |path| options.open(path))
    }

    /// Gives an unnamed file a name. Where the system refuses, a copy gets it.
    fn name(folder: &Path, file: &mut File) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Ok((temporary, ())) = Self::at_free_name(folder, |path| link(file, path)) {
            return Ok(temporary);
        }
        let old = file.metadata()?;
        let (temporary, mut copy) = Self::create(folder, Some(&old))?;
        io::Seek::rewind(file)?;
        io::copy(file, &mut copy)?;
        inherit(&copy, &old)?;
        *file = copy;
        Ok(temporary)
    }

    /// Makes a file at a name that no file has.
    fn at_free_name<T>(
        folder: &Path,
        make: impl Fn(&Path) -> io::Result<T>,
    ) -> io::Result<(Self, T)> {
        /// Tells the saves of one process apart; other processes have another number.
        static SAVES: AtomicU32 = AtomicU32::new(0);

        let process = std::process::id();
        for _ in 0..TEMPORARY_NAMES_MAX {
            let save = SAVES.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".nexus-{process}-{save}.tmp"));
            match make(&path) {
                Ok(made) => {
                    let renamed = false;
                    return Ok((Self { path, renamed }, made));
                }
                // Left by a process of the same number that was killed, or in use in a container.
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
