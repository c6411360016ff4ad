//! Sentence embeddings by MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019), as a library
//! and as a [`Handler`](nexus_handler::Handler).
//!
//! The model folder is the one that Hugging Face publishes: `config.json`, `model.safetensors` and
//! `tokenizer.json`. Texts are cut at [`TOKENS_MAX`] tokens, as sentence-transformers cuts them with
//! `max_seq_length` 256; truncation and padding stated in `tokenizer.json` are not used.
//!
//! ```no_run
//! use nexus_minilm::MiniLm;
//! use std::num::NonZero;
//!
//! let model = MiniLm::open("all-MiniLM-L6-v2")?;
//! let vectors = model.embed(&["compress a file", "parse arguments"], NonZero::<usize>::MIN);
//! assert_eq!(vectors.len(), 2 * model.dimensions());
//! # Ok::<(), nexus_minilm::Error>(())
//! ```

mod encoder;
mod error;
mod handler;
mod weights;

pub use error::{Error, ErrorKind};
pub use handler::MiniLmHandler;

use encoder::Workspace;
use nexus_tokenizer::WordPiece;
use std::borrow::Borrow;
use std::mem;
use std::num::NonZero;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::thread;
use weights::Weights;

/// The longest sequence that is embedded, `[CLS]` and `[SEP]` included.
pub const TOKENS_MAX: usize = 256;

/// The longest sequence without the two special tokens.
pub const CONTENT_TOKENS_MAX: usize = TOKENS_MAX - 2;

/// The numbers that linear layers are computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// The numbers of the file.
    #[default]
    F32,
    /// Whole numbers of 8 bits with a scale for each output and each token; attention, norms and sums stay `f32`.
    Int8,
}

impl Precision {
    /// The name that [`FromStr`] takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let named = [Self::F32, Self::Int8]
            .into_iter()
            .find(|it| it.name() == name);
        named.ok_or_else(|| {
            Error::invalid(format!(
                "no precision is called `{name}`: there are `f32` and `int8`"
            ))
        })
    }
}

/// A loaded model. Clones share the weights. Those of `f32` are mapped from the file and never copied; those of
/// `int8` take a quarter of it.
#[derive(Clone)]
pub struct MiniLm {
    precision: Precision,
    weights: Arc<Weights>,
    tokenizer: Arc<WordPiece>,
    folder: Arc<Path>,
    /// The ids of `[CLS]` and `[SEP]`.
    frame: [u32; 2],
}

impl MiniLm {
    /// Opens the model in `folder`.
    ///
    /// # Errors
    /// When a file is missing or unreadable, or is not what `config.json` describes.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(folder, Precision::default())
    }

    /// As [`MiniLm::open`], to be computed in the given precision.
    ///
    /// # Errors
    /// As there.
    pub fn open_with(folder: impl AsRef<Path>, precision: Precision) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let weights = Weights::open(folder, precision)?;
        let path = folder.join("tokenizer.json");
        let tokenizer =
            WordPiece::from_file(&path).map_err(|source| Error::tokenizer(&path, source))?;
        if tokenizer.vocab_size() > weights.config.vocab_size {
            let (tokens, words) = (tokenizer.vocab_size(), weights.config.vocab_size);
            let reason = format!("it has {tokens} tokens and the model has vectors for {words}");
            return Err(Error::tokenizer(&path, reason));
        }
        if weights.config.max_position_embeddings < TOKENS_MAX {
            let reason = format!("max_position_embeddings is below {TOKENS_MAX}");
            return Err(Error::config(&folder.join("config.json"), &reason));
        }
        let (Some(cls), Some(sep)) = (tokenizer.cls_id(), tokenizer.sep_id()) else {
            return Err(Error::tokenizer(&path, "it names no [CLS] or no [SEP]"));
        };
        Ok(Self {
            precision,
            weights: Arc::new(weights),
            tokenizer: Arc::new(tokenizer),
            folder: folder.into(),
            frame: [cls, sep],
        })
    }

    /// The folder that the model was opened in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The numbers that linear layers are computed in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The length of a vector: 384.
    pub fn dimensions(&self) -> usize {
        self.weights.config.hidden_size
    }

    /// The tokenizer that made the ids the model knows.
    pub fn tokenizer(&self) -> &Arc<WordPiece> {
        &self.tokenizer
    }

    /// Embeds `texts`: one unit vector of [`MiniLm::dimensions`] numbers each, one after the other.
    ///
    /// At most `threads` threads share the texts. A text gets the same vector in any company and
    /// with any number of threads.
    #[expect(
        clippy::missing_panics_doc,
        reason = "the tokenizer's own ids are in range"
    )]
    pub fn embed<T: AsRef<str> + Sync>(&self, texts: &[T], threads: NonZero<usize>) -> Vec<f32> {
        let ids: Vec<Vec<u32>> = texts
            .iter()
            .map(|text| {
                let mut ids = self.tokenizer.encode(text.as_ref()).ids;
                ids.truncate(CONTENT_TOKENS_MAX);
                ids
            })
            .collect();
        self.embed_ids(&ids, threads)
            .expect("the tokenizer's own ids, cut to length")
    }

    /// Embeds sequences of token ids, special tokens not included, as [`MiniLm::embed`] does texts.
    ///
    /// # Errors
    /// When a sequence is longer than [`CONTENT_TOKENS_MAX`] or an id is not in the vocabulary.
    #[expect(
        clippy::missing_panics_doc,
        reason = "taking a share under the lock does not panic"
    )]
    pub fn embed_ids<S: Borrow<[u32]> + Sync>(
        &self,
        sequences: &[S],
        threads: NonZero<usize>,
    ) -> Result<Vec<f32>, Error> {
        let framed = self.frame(sequences)?;
        let mut out = vec![0.0; framed.len() * self.dimensions()];
        let passes = encoder::passes(&framed, threads.get());
        let threads = threads.get().min(passes.len()).max(1);
        let mut rest = &mut *out;
        let shares = passes.into_iter().map(|sequences| {
            let (rows, after) =
                mem::take(&mut rest).split_at_mut(sequences.len() * self.dimensions());
            rest = after;
            (sequences, rows)
        });
        let shares = Mutex::new(shares);
        let work = || {
            let mut workspace = Workspace::default();
            loop {
                let share = shares.lock().expect("taking a share does not panic").next();
                let Some((sequences, out)) = share else { break };
                encoder::encode(&self.weights, sequences, &mut workspace, out);
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                // A thread that the system refuses is not needed: the others take its share.
                drop(thread::Builder::new().spawn_scoped(scope, work));
            }
            work();
        });
        Ok(out)
    }

    /// Puts `[CLS]` and `[SEP]` around each sequence and checks lengths and ids.
    fn frame<S: Borrow<[u32]>>(&self, sequences: &[S]) -> Result<Vec<Vec<u32>>, Error> {
        let [cls, sep] = self.frame;
        let frame = |(index, ids): (usize, &S)| {
            let ids = ids.borrow();
            if ids.len() > CONTENT_TOKENS_MAX {
                let len = ids.len();
                let message = format!(
                    "cannot embed sequence {index}: {len} tokens, at most {CONTENT_TOKENS_MAX}"
                );
                return Err(Error::invalid(message));
            }
            if let Some(id) = ids
                .iter()
                .find(|&&id| id as usize >= self.weights.config.vocab_size)
            {
                return Err(Error::invalid(format!(
                    "cannot embed sequence {index}: no token has the id {id}"
                )));
            }
            Ok([&[cls], ids, &[sep]].concat())
        };
        sequences.iter().enumerate().map(frame).collect()
    }
}
