//! Where files are read and written: a small trait, and the local file system, which is what a pipeline
//! uses if nothing else is said. Object stores are in the crate `nexus-remote`.
//!
//! A storage blocks: its functions are called on the threads of a run, and on none of an asynchronous
//! runtime.

mod local;
mod select;

use crate::{Cancel, Error};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use crate::source::{Listing, MANIFEST};
pub use local::LocalStorage;
pub use select::Selection;

/// What is said of a path or an address, in messages and in the column `source`: of one on the web neither
/// user nor query, which may be secrets.
///
/// ```
/// use nexus_data::storage::shown;
/// assert_eq!(shown("https://me:secret@example.com/a.jsonl?token=secret".as_ref()), "https://example.com/a.jsonl");
/// assert_eq!(shown("s3://bucket/what?.jsonl".as_ref()), "s3://bucket/what?.jsonl");
/// ```
pub fn shown(path: &Path) -> Cow<'_, str> {
    let text = path.to_string_lossy();
    let is_web = text.starts_with("http:/") || text.starts_with("https:/");
    if is_web {
        Cow::Owned(without_secrets(&text))
    } else {
        text
    }
}

/// An address without user and query; any other text as it is.
pub fn without_secrets(address: &str) -> String {
    let Some(at) = address.find(":/") else {
        return address.to_owned();
    };
    let (scheme, rest) = address.split_at(at + ":/".len());
    // As a path it has lost one of its slashes.
    let (slash, rest) = rest.split_at(usize::from(rest.starts_with('/')));
    let rest = rest.split('?').next().unwrap_or_default();
    let host_end = rest.find('/').unwrap_or(rest.len());
    let from = rest[..host_end].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}{slash}{}", &rest[from..])
}

/// A file as it was when it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its path or address.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    /// What is another text when the file has changed: a time, a tag.
    pub version: String,
}

/// A place of files.
///
/// An [`io::Error`] that is made by [`Error::into_io`] ends a run: the file may be fine, but cannot be
/// had now. Any other one sets the file aside, and the run goes on.
pub trait Storage: fmt::Debug + Send + Sync {
    /// The storage as one run uses it: what waits ends soon after `cancel` is cancelled.
    fn for_run(&self, cancel: &Cancel) -> Arc<dyn Storage>;

    /// Whether `path` lies on a disk of this machine.
    fn is_local(&self, path: &Path) -> bool;

    /// Finds the files of a source: one, those below a folder, or what a pattern matches, in the
    /// order of their names.
    ///
    /// # Errors
    /// When nothing is there, or cannot be listed.
    fn list(&self, root: &Path, listing: &mut Listing) -> Result<(), Error>;

    /// Opens a file to be read from its start to its end.
    ///
    /// # Errors
    /// When it is not there any more, or has changed.
    fn open(&self, file: &StoredFile) -> io::Result<Box<dyn Read + Send>>;

    /// Opens a file to be read in parts.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    fn ranges(&self, file: &StoredFile) -> io::Result<Box<dyn Ranges>>;

    /// Begins a file that appears when it is committed.
    ///
    /// # Errors
    /// When it cannot be written there.
    fn create(&self, path: &Path) -> Result<Box<dyn NewFile>, Error>;

    /// Begins a folder that appears when it is committed, and is complete once it holds the file `mark`.
    ///
    /// # Errors
    /// When it cannot be written there, or holds files that are not a pipeline's.
    fn create_folder(&self, path: &Path, mark: &str) -> Result<Box<dyn NewFolder>, Error>;
}

/// A file whose parts are read.
pub trait Ranges: Send + Sync {
    /// Fills `buffer` with the bytes from `start` on.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the file ends before.
    fn read_at(&self, start: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// How many bytes are worth asking for at once.
    fn read_size(&self) -> usize;
}

/// A file under construction. Dropped before it is committed, it leaves nothing.
pub trait NewFile: Write + Send {
    /// Where another program or writer may put the bytes in place of [`write`](Write::write), if that is
    /// on a disk of this machine.
    fn local_path(&self) -> Option<&Path> {
        None
    }

    /// Lets the file appear, or belong to its folder.
    ///
    /// # Errors
    /// When the bytes cannot be written. The file does not appear then.
    fn commit(self: Box<Self>) -> Result<(), Error>;
}

/// A folder under construction. Dropped before it is committed, it leaves nothing.
pub trait NewFolder: Send {
    /// Begins a file in it.
    ///
    /// # Errors
    /// When it cannot be written.
    fn create(&self, name: &str) -> Result<Box<dyn NewFile>, Error>;

    /// Lets the files that are committed appear, in place of what an older run has put there.
    ///
    /// # Errors
    /// When that cannot be done. No file appears then, as far as that is in anybody's power.
    fn commit(self: Box<Self>) -> Result<(), Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_secrets() {
        for (address, expected) in [
            ("https://a.example/b", "https://a.example/b"),
            (
                "https://u:p@a.example/b@c?sig=s3cret",
                "https://a.example/b@c",
            ),
            ("http://a.example?x", "http://a.example"),
            ("https:/u:p@a.example/b?sig=s3cret", "https:/a.example/b"),
            ("a/b?c", "a/b?c"),
            ("s3://bucket/a?b@c", "s3://bucket/a?b@c"),
        ] {
            assert_eq!(shown(address.as_ref()), expected);
        }
        // Words of an error may be addresses of any kind.
        assert_eq!(without_secrets("s3://bucket/a?sig=s3cret"), "s3://bucket/a");
    }
}
