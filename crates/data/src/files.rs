//! The files that a pipeline reads, and what their records call the text and the id.

use crate::Error;
use crate::batch::columns;
use std::path::PathBuf;
use std::sync::Arc;

/// Files that [`Pipeline::read`](crate::Pipeline::read) reads: a file, a folder or a pattern of paths, and
/// which key of a record, or column of a table, is the text and which the id.
///
/// ```
/// use nexus_data::{Files, Pipeline, RunOptions};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// std::fs::write(folder.join("a.jsonl"), r#"{"content": "One text.", "sha": "f00d"}"#)?;
/// let files = Files::new(folder).text("content").id("sha");
/// let report = Pipeline::read(files).run(&RunOptions::default())?;
/// assert_eq!((report.rows(), report.rejected.count), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub(crate) path: PathBuf,
    pub(crate) keys: Keys,
}

impl Files {
    /// What lies at a path, with the keys `text` and `id`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            keys: Keys::default(),
        }
    }

    /// Takes texts from the key or column of this name, `text` by default. A key `text` beside it is like
    /// any other then.
    #[must_use]
    pub fn text(mut self, key: impl Into<String>) -> Self {
        self.keys.text = key.into().into();
        self
    }

    /// Takes ids from the key or column of this name, `id` by default.
    #[must_use]
    pub fn id(mut self, key: impl Into<String>) -> Self {
        self.keys.id = key.into().into();
        self
    }
}

impl<P: Into<PathBuf>> From<P> for Files {
    fn from(path: P) -> Self {
        Self::new(path)
    }
}

/// What records call the text and the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) text: Arc<str>,
    pub(crate) id: Arc<str>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            text: columns::TEXT.into(),
            id: columns::ID.into(),
        }
    }
}

impl Keys {
    /// Those that are not as usual, each with what it stands for.
    pub(crate) fn unusual(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let both = [(columns::TEXT, &*self.text), (columns::ID, &*self.id)];
        both.into_iter().filter(|(usual, key)| usual != key)
    }

    /// Refuses names that cannot be told apart.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Self { text, id } = self;
        if text == id {
            let message = format!("the key `{text}` cannot be the text and the id of a record");
            return Err(Error::invalid(message).with_hint("give one of them another name"));
        }
        Ok(())
    }
}
