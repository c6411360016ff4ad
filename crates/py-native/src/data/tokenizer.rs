//! The tokenizer of `nexus.data`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::ScopedJoinHandle;

use arrow_buffer::Buffer;
use nexus_tensor::DType;
use nexus_tokenizer::limits::TEXT_SIZE_MAX;
use nexus_tokenizer::{Batch, BatchOptions, Id, Special, Tokenizer as AnyTokenizer, WordPiece};
use pyo3::exceptions::{PyFileNotFoundError, PyOSError, PyValueError};
use pyo3::prelude::*;

use super::ragged::Ragged;
use super::texts::Texts;
use crate::interrupt::until_signal;
use crate::raw::{Memory, Tensor};

/// Fewer bytes of text are encoded before Ctrl-C matters.
const SHORT_SIZE: usize = 1 << 18;

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
    /// Reads a `tokenizer.json`, the `vocab.txt` of an uncased model, or a `.tiktoken` file. `special`
    /// says whether literals of special tokens in a text are those tokens (`"token"`, the default of a
    /// `tokenizer.json`) or text (`"text"`, that of a `.tiktoken` file).
    #[staticmethod]
    #[pyo3(signature = (path, /, *, special = None))]
    fn from_file(py: Python<'_>, path: PathBuf, special: Option<&str>) -> PyResult<Self> {
        let special = match special {
            None => None,
            Some("token") => Some(Special::Token),
            Some("text") => Some(Special::Text),
            Some(other) => {
                let message = format!("cannot use special {other:?}: it is token or text");
                return Err(PyValueError::new_err(message));
            }
        };
        let read = py.detach(|| {
            let tokenizer = AnyTokenizer::from_file(path)?;
            match special {
                Some(special) => tokenizer.with_special(special),
                None => Ok(tokenizer),
            }
        });
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

    /// Encodes a text, without special tokens around it unless they are asked for.
    #[pyo3(signature = (text, /, *, add_special_tokens = false))]
    fn encode(&self, py: Python<'_>, text: &str, add_special_tokens: bool) -> PyResult<Encoding> {
        let around = self.around(add_special_tokens)?;
        check_size(text)?;
        Ok(py.detach(|| Encoding::new(&self.0, text, around)))
    }

    /// Encodes texts on all cores, with the place of each token. Ctrl-C ends the call.
    #[pyo3(signature = (texts, /, *, add_special_tokens = false))]
    fn encode_batch(
        &self,
        texts: &Bound<'_, PyAny>,
        add_special_tokens: bool,
    ) -> PyResult<Vec<Encoding>> {
        let around = self.around(add_special_tokens)?;
        over_texts(texts, (add_special_tokens, None), |texts, options| {
            let share = texts.len().div_ceil(options.threads.get()).max(1);
            let encode = |texts: &[&str]| -> Vec<_> {
                // What is done when a signal comes is thrown away.
                let wanted = texts.iter().take_while(|_| !options.stop.load(Relaxed));
                let encode = |text: &&str| Encoding::new(&self.0, text, around);
                wanted.map(encode).collect()
            };
            Ok(std::thread::scope(|scope| {
                let spawn = |texts| scope.spawn(move || encode(texts));
                let workers: Vec<_> = texts.chunks(share).map(spawn).collect();
                let join = |worker: ScopedJoinHandle<'_, Vec<Encoding>>| {
                    let part = worker.join();
                    part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                };
                workers.into_iter().flat_map(join).collect()
            }))
        })
    }

    /// The ids of texts as one array, without a Python object for each: on all cores, or so many
    /// threads. Texts are a column of Arrow's, or an iterable of `str`, `bytes` and paths of files;
    /// they are not copied. Ctrl-C ends the call.
    #[pyo3(signature = (texts, /, *, dtype = "uint32", add_special_tokens = false, threads = None))]
    fn encode_ragged(
        &self,
        texts: &Bound<'_, PyAny>,
        dtype: &str,
        add_special_tokens: bool,
        threads: Option<NonZeroUsize>,
    ) -> PyResult<Ragged> {
        let with = (add_special_tokens, threads);
        match dtype {
            "uint32" => self.encode_as(texts, with).map(Ragged::of_long),
            "uint16" => self.encode_as(texts, with).map(Ragged::of_short),
            _ => {
                let message = format!("cannot use dtype {dtype:?}: it is uint32 or uint16");
                Err(PyValueError::new_err(message))
            }
        }
    }

    /// The number of tokens of each text, as `int64`; texts are those of `encode_ragged`.
    #[pyo3(signature = (texts, /, *, add_special_tokens = false, threads = None))]
    fn count_batch(
        &self,
        texts: &Bound<'_, PyAny>,
        add_special_tokens: bool,
        threads: Option<NonZeroUsize>,
    ) -> PyResult<Tensor> {
        let counts: Vec<i64> =
            over_texts(texts, (add_special_tokens, threads), |texts, options| {
                let counts = self.0.count_batch(texts, options)?.unwrap_or_default();
                Ok(counts.into_iter().map(|count| count as i64).collect())
            })?;
        let shape = vec![counts.len()];
        let memory = Memory::of_buffer(Buffer::from_vec(counts));
        Tensor::new(DType::I64, shape, memory)
    }

    /// The number of tokens of a text.
    #[pyo3(signature = (text, /, *, add_special_tokens = false))]
    fn count(&self, py: Python<'_>, text: &str, add_special_tokens: bool) -> PyResult<usize> {
        let (before, after) = self.around(add_special_tokens)?;
        check_size(text)?;
        Ok(py.detach(|| before.len() + self.0.count(text) + after.len()))
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

impl Tokenizer {
    fn encode_as<I: Id>(
        &self,
        texts: &Bound<'_, PyAny>,
        with: (bool, Option<NonZeroUsize>),
    ) -> PyResult<Batch<I>> {
        over_texts(texts, with, |texts, options| {
            Ok(self
                .0
                .encode_batch_with(texts, options)?
                .unwrap_or_default())
        })
    }

    /// The special tokens around a text, if they are asked for.
    fn around(&self, adds_special: bool) -> PyResult<(&[u32], &[u32])> {
        if !adds_special {
            return Ok((&[], &[]));
        }
        let around = self.0.around();
        around.map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

/// Refuses a text whose places do not fit into 32 bits.
fn check_size(text: &str) -> PyResult<()> {
    let size = text.len();
    if size > TEXT_SIZE_MAX {
        let message = format!("cannot encode a text of {size} bytes: the limit is {TEXT_SIZE_MAX}");
        return Err(PyValueError::new_err(message));
    }
    Ok(())
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Does `work` on texts without holding the interpreter, until it is done or a signal ends it.
fn over_texts<T: Send>(
    texts: &Bound<'_, PyAny>,
    (adds_special, threads): (bool, Option<NonZeroUsize>),
    work: impl Fn(&[&str], BatchOptions<'_>) -> Result<T, nexus_tokenizer::Error> + Send + Sync,
) -> PyResult<T> {
    let (py, texts) = (texts.py(), Texts::new(texts)?);
    let views = py.detach(|| texts.views()).map_err(PyValueError::new_err)?;
    let size: usize = views.iter().map(|text| text.len()).sum();
    let run = |stop: &AtomicBool| {
        let options = BatchOptions {
            threads: threads.unwrap_or_else(cores),
            adds_special,
            stop,
        };
        work(&views, options)
    };
    let done = if size < SHORT_SIZE {
        py.detach(|| run(&AtomicBool::new(false)))
    } else {
        until_signal(py, |stop| run(&stop))?
    };
    done.map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The tokens of a text.
#[pyclass(frozen, get_all, module = "nexus.data")]
pub(crate) struct Encoding {
    ids: Vec<u32>,
    offsets: Vec<(u32, u32)>,
}

impl Encoding {
    /// Python counts characters where Rust counts bytes.
    fn new(tokenizer: &AnyTokenizer, text: &str, (before, after): (&[u32], &[u32])) -> Self {
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
        // Special tokens stand for no text.
        encoding.ids.splice(..0, before.iter().copied());
        encoding.ids.extend_from_slice(after);
        offsets.splice(..0, before.iter().map(|_| (0, 0)));
        offsets.extend(after.iter().map(|_| (0, 0)));
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
