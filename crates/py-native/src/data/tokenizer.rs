//! The tokenizer of `nexus.data`.

use std::path::PathBuf;
use std::sync::Arc;

use nexus_tokenizer::{Tokenizer as AnyTokenizer, WordPiece};
use pyo3::exceptions::{PyFileNotFoundError, PyOSError, PyValueError};
use pyo3::prelude::*;

/// A tokenizer with the ids of Hugging Face `tokenizers` and of `tiktoken`.
///
/// >>> from pathlib import Path
/// >>> _ = Path("vocab.txt").write_text("[UNK]\nstream\n##ing\n")
/// >>> tokenizer = Tokenizer.from_file("vocab.txt")
/// >>> encoding = tokenizer.encode("Streaming")
/// >>> encoding.ids, encoding.offsets
/// ([1, 2], [(0, 6), (6, 9)])
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct Tokenizer(pub(super) Arc<AnyTokenizer>);

#[pymethods]
impl Tokenizer {
    /// Reads a `tokenizer.json`, the `vocab.txt` of an uncased model, or a `.tiktoken` file.
    #[staticmethod]
    #[pyo3(signature = (path, /))]
    fn from_file(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let read = py.detach(|| AnyTokenizer::from_file(path));
        read.map(|tokenizer| Self(Arc::new(tokenizer)))
            .map_err(|error| {
                use nexus_tokenizer::ErrorKind as Kind;
                let message = error.to_string();
                match error.kind() {
                    Kind::NotFound => PyFileNotFoundError::new_err(message),
                    Kind::Io => PyOSError::new_err(message),
                    _ => PyValueError::new_err(message),
                }
            })
    }

    /// Encodes a text, without special tokens around it.
    #[pyo3(signature = (text, /))]
    fn encode(&self, py: Python<'_>, text: &str) -> Encoding {
        py.detach(|| Encoding::new(&self.0, text))
    }

    /// Encodes texts on all cores.
    #[pyo3(signature = (texts, /))]
    fn encode_batch(&self, py: Python<'_>, texts: Vec<String>) -> Vec<Encoding> {
        py.detach(|| {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let share = texts.len().div_ceil(threads).max(1);
            std::thread::scope(|scope| {
                let encode = |texts: &[String]| -> Vec<_> {
                    texts
                        .iter()
                        .map(|text| Encoding::new(&self.0, text))
                        .collect()
                };
                let workers: Vec<_> = texts
                    .chunks(share)
                    .map(|texts| scope.spawn(move || encode(texts)))
                    .collect();
                workers
                    .into_iter()
                    .flat_map(|worker| {
                        worker
                            .join()
                            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                    })
                    .collect()
            })
        })
    }

    /// The token with this id.
    #[pyo3(signature = (id, /))]
    fn token(&self, id: u32) -> Option<String> {
        let token = self.0.token(id)?;
        Some(String::from_utf8_lossy(&token).into_owned())
    }

    /// The id of a token.
    #[pyo3(signature = (token, /))]
    fn id(&self, token: &str) -> Option<u32> {
        self.0.id(token.as_bytes())
    }

    /// The text of ids.
    #[pyo3(signature = (ids, /))]
    fn decode(&self, py: Python<'_>, ids: Vec<u32>) -> String {
        py.detach(|| self.0.decode(&ids))
    }

    /// The largest id plus one.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.0.vocab_size()
    }

    /// The id for words that the vocabulary cannot spell.
    #[getter]
    fn unk_id(&self) -> Option<u32> {
        self.0.as_word_piece().map(WordPiece::unk_id)
    }

    /// The id that stands before a text.
    #[getter]
    fn cls_id(&self) -> Option<u32> {
        self.0.as_word_piece()?.cls_id()
    }

    /// The id that stands after a text.
    #[getter]
    fn sep_id(&self) -> Option<u32> {
        self.0.as_word_piece()?.sep_id()
    }

    /// The id that fills up short texts.
    #[getter]
    fn pad_id(&self) -> Option<u32> {
        self.0.as_word_piece()?.pad_id()
    }

    fn __repr__(&self) -> String {
        format!("<nexus.data.Tokenizer of {} tokens>", self.0.vocab_size())
    }
}

/// The tokens of a text.
#[pyclass(frozen, get_all, module = "nexus.data")]
pub(crate) struct Encoding {
    ids: Vec<u32>,
    offsets: Vec<(u32, u32)>,
}

impl Encoding {
    /// Python counts characters where Rust counts bytes.
    fn new(tokenizer: &AnyTokenizer, text: &str) -> Self {
        let mut encoding = nexus_tokenizer::Encoding::default();
        tokenizer.encode_with_offsets(text, &mut encoding);
        let mut offsets = encoding.offsets;
        if !text.is_ascii() {
            let mut positions = vec![0; text.len() + 1];
            for (position, (at, c)) in (0..).zip(text.char_indices()) {
                positions[at] = position;
                positions[at + c.len_utf8()] = position + 1;
            }
            for (start, end) in &mut offsets {
                (*start, *end) = (positions[*start as usize], positions[*end as usize]);
            }
        }
        Self {
            ids: encoding.ids,
            offsets,
        }
    }
}

#[pymethods]
impl Encoding {
    fn __len__(&self) -> usize {
        self.ids.len()
    }

    fn __repr__(&self) -> String {
        format!("<nexus.data.Encoding of {} tokens>", self.ids.len())
    }
}
