//! How the step `tokenize` works.

use nexus_tokenizer::{Encoding, Tokenizer, WordPiece};
use std::path::PathBuf;
use std::sync::Arc;

/// How [`tokenize_file`](crate::Pipeline::tokenize_file) makes token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokenization {
    /// A `tokenizer.json`, a `vocab.txt` or a `tiktoken` file.
    pub path: PathBuf,
    /// Whether the columns `starts` and `ends` say where in the text each token stands: what `cut`
    /// needs, and what takes a part of the time.
    pub offsets: bool,
    /// A token that is put behind each document, such as `<|endoftext|>`.
    pub end: Option<String>,
}

impl Default for Tokenization {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            offsets: true,
            end: None,
        }
    }
}

impl From<PathBuf> for Tokenization {
    fn from(path: PathBuf) -> Self {
        Self {
            path,
            ..Self::default()
        }
    }
}

impl From<&std::path::Path> for Tokenization {
    fn from(path: &std::path::Path) -> Self {
        path.to_owned().into()
    }
}

impl From<&PathBuf> for Tokenization {
    fn from(path: &PathBuf) -> Self {
        path.clone().into()
    }
}

impl From<&str> for Tokenization {
    fn from(path: &str) -> Self {
        PathBuf::from(path).into()
    }
}

impl From<String> for Tokenization {
    fn from(path: String) -> Self {
        PathBuf::from(path).into()
    }
}

/// A tokenizer in memory.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyTokenizer {
    /// One of `WordPiece` alone.
    WordPiece(Arc<WordPiece>),
    /// One of any kind.
    Tokenizer(Arc<Tokenizer>),
}

impl AnyTokenizer {
    pub(crate) fn encode(&self, text: &str, encoding: &mut Encoding) {
        match self {
            Self::WordPiece(tokenizer) => tokenizer.encode_into(text, encoding),
            Self::Tokenizer(tokenizer) => tokenizer.encode_with_offsets(text, encoding),
        }
    }

    /// Appends the ids alone.
    pub(crate) fn extend(&self, text: &str, ids: &mut Vec<u32>) {
        match self {
            Self::WordPiece(tokenizer) => ids.extend(tokenizer.encode(text).ids),
            Self::Tokenizer(tokenizer) => tokenizer.extend(text, ids),
        }
    }

    /// The id of a token.
    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        match self {
            Self::WordPiece(tokenizer) => {
                (0..tokenizer.vocab_size() as u32).find(|&id| tokenizer.token(id) == Some(token))
            }
            Self::Tokenizer(tokenizer) => tokenizer.id(token.as_bytes()),
        }
    }
}

impl From<WordPiece> for AnyTokenizer {
    fn from(tokenizer: WordPiece) -> Self {
        Self::WordPiece(Arc::new(tokenizer))
    }
}

impl From<Arc<WordPiece>> for AnyTokenizer {
    fn from(tokenizer: Arc<WordPiece>) -> Self {
        Self::WordPiece(tokenizer)
    }
}

impl From<Tokenizer> for AnyTokenizer {
    fn from(tokenizer: Tokenizer) -> Self {
        Self::Tokenizer(Arc::new(tokenizer))
    }
}

impl From<Arc<Tokenizer>> for AnyTokenizer {
    fn from(tokenizer: Arc<Tokenizer>) -> Self {
        Self::Tokenizer(tokenizer)
    }
}
