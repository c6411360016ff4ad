//! One type for all tokenizers, whatever their model and file.

use crate::around::Around;
use crate::batch::{self, Batch, BatchOptions, Id};
use crate::bpe::cache::Cache;
use crate::byte_pair::{BytePair, Special};
use crate::file::{self, File, check_size};
use crate::limits::TEXT_SIZE_MAX;
use crate::tiktoken::{self, Tiktoken};
use crate::unigram::Unigram;
use crate::{Encoding, Error, WordPiece, from_file, parse};
use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// A tokenizer: byte-pair encoding (byte-level, or sentence pieces with byte fallback), Unigram
/// sentence pieces or [`WordPiece`], from a `tokenizer.json` or a rank file of `tiktoken`.
///
/// It is immutable and shared between threads; what it learns of words is cached inside, bounded by
/// [`limits`](crate::limits). The ids are those of Hugging Face `tokenizers` with
/// `add_special_tokens=False`, without truncation and padding, or those of `tiktoken`.
///
/// ```
/// use nexus_tokenizer::Tokenizer;
///
/// # let alphabet: Vec<String> = (0..=255u8).map(|byte| match byte {
/// #     b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => (byte as char).to_string(),
/// #     _ => String::new(),
/// # }).collect();
/// # let mut next = 0x100;
/// # let mut vocab = String::new();
/// # for (id, token) in alphabet.iter().enumerate() {
/// #     let token = if token.is_empty() { next += 1; char::from_u32(next - 1).unwrap().to_string() } else { token.clone() };
/// #     vocab += &format!("{}:{id},", serde_json::to_string(&token).unwrap());
/// # }
/// # let json = format!(r#"{{"added_tokens":[{{"id":258,"content":"<|end|>","special":true}}],
/// #   "pre_tokenizer":{{"type":"ByteLevel","add_prefix_space":false}},
/// #   "model":{{"type":"BPE","vocab":{{{vocab}"th":256,"the":257}},"merges":["t h","th e"]}}}}"#);
/// let tokenizer = Tokenizer::from_bytes(json.as_bytes())?;
/// let ids = tokenizer.encode("the<|end|>");
/// assert_eq!(ids, [257, 258]);
/// assert_eq!(tokenizer.decode(&ids), "the<|end|>");
/// # Ok::<(), nexus_tokenizer::Error>(())
/// ```
pub struct Tokenizer {
    model: Model,
    /// That it cannot be told matters only when it is asked for.
    around: Result<Around, Error>,
}

enum Model {
    WordPiece(Box<WordPiece>),
    BytePair(Box<BytePair>),
    Unigram(Box<Unigram>),
}

impl Tokenizer {
    /// Reads a `tokenizer.json`; a rank file of `tiktoken` with its usual name, such as
    /// `cl100k_base.tiktoken`; or a `vocab.txt` (any name that ends in `.txt`) of an uncased model.
    ///
    /// Takes 10 to 200 ms, about 100 ns a token and merge.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) and [`Io`](crate::ErrorKind::Io) when the file
    /// cannot be read, [`Unsupported`](crate::ErrorKind::Unsupported) when a rank file has an unknown
    /// name, else those of [`from_bytes`](Self::from_bytes). The message names the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        let read = || match extension.to_ascii_lowercase().as_str() {
            "tiktoken" => {
                let name = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default();
                let encoding = Tiktoken::of_name(name).ok_or_else(|| {
                    Error::unsupported("a rank file does not say how it cuts a text, and its name is not one of r50k_base, p50k_base, p50k_edit, cl100k_base, o200k_base and o200k_harmony; name the encoding with `from_tiktoken`")
                })?;
                Self::from_tiktoken(&file::read(path)?, encoding)
            }
            "txt" => Ok(WordPiece::from_vocab(&file::read(path)?, crate::Case::Lower)?.into()),
            _ => Self::from_bytes(&file::read(path)?),
        };
        read().map_err(|error: Error| error.at(path))
    }

    /// Reads the bytes of a `tokenizer.json`. Its truncation and padding are ignored.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when it breaks the format,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when it asks for what this crate lacks (the
    /// message says what is supported), [`LimitReached`](crate::ErrorKind::LimitReached) when it
    /// exceeds [`limits`](crate::limits).
    pub fn from_bytes(json: &[u8]) -> Result<Self, Error> {
        check_size(json)?;
        let file = File::parse(json)?;
        let around = Around::new(file.post_processor.as_ref());
        let model = match file.model.r#type.as_deref() {
            Some("BPE") if from_file::has_unknown(&file)? => {
                let pieces = from_file::pieces(&file)?;
                Model::Unigram(Box::new(Unigram::merged(pieces, file)?))
            }
            Some("BPE") => Model::BytePair(Box::new(from_file::byte_pair(file)?)),
            // Old files do not say that they are of a BPE.
            None if file.model.merges.is_some() => {
                Model::BytePair(Box::new(from_file::byte_pair(file)?))
            }
            Some("Unigram") => Model::Unigram(Box::new(Unigram::new(file)?)),
            Some("WordPiece") => {
                Model::WordPiece(Box::new(WordPiece::from_spec(parse::of_file(file)?)?))
            }
            other => {
                let other = other.unwrap_or("null");
                return Err(Error::unsupported(format!(
                    "its model is {other}; supported are BPE, Unigram and WordPiece"
                )));
            }
        };
        Ok(Self { model, around })
    }

    /// Reads the bytes of a rank file: a line for each token, in base 64, and its rank.
    ///
    /// Special tokens in a text are text, as for `encode_ordinary`; see
    /// [`with_special`](Self::with_special).
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when a line is malformed or the token of a byte is
    /// missing, [`LimitReached`](crate::ErrorKind::LimitReached) when it exceeds
    /// [`limits`](crate::limits).
    pub fn from_tiktoken(ranks: &[u8], encoding: Tiktoken) -> Result<Self, Error> {
        check_size(ranks)?;
        let model = Model::BytePair(Box::new(tiktoken::byte_pair(ranks, encoding)?));
        Ok(Self {
            model,
            around: Ok(Around::default()),
        })
    }

    /// Decides whether literals of special tokens in a text are those tokens or text.
    ///
    /// The default is [`Special::Token`] for a `tokenizer.json` and [`Special::Text`] for a rank file.
    /// Added tokens that are not special stay tokens.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a WordPiece that is to take them as text.
    pub fn with_special(mut self, special: Special) -> Result<Self, Error> {
        match &mut self.model {
            Model::BytePair(model) => model.set_special(special)?,
            Model::Unigram(model) => model.set_special(special)?,
            Model::WordPiece(_) if special == Special::Token => {}
            Model::WordPiece(_) => {
                return Err(Error::unsupported(
                    "a WordPiece takes special tokens in a text as tokens only",
                ));
            }
        }
        Ok(self)
    }

    /// The ids of `text`, without special tokens around it. Time is at most n log n for n bytes.
    ///
    /// # Panics
    /// When `text` is longer than [`TEXT_SIZE_MAX`].
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.extend(text, &mut ids);
        ids
    }

    /// [`encode`](Self::encode) into `ids`, whose former content is removed and whose memory is reused.
    ///
    /// # Panics
    /// When `text` is longer than [`TEXT_SIZE_MAX`].
    pub fn encode_into(&self, text: &str, ids: &mut Vec<u32>) {
        ids.clear();
        self.extend(text, ids);
    }

    /// Appends the ids of `text` to `ids`.
    ///
    /// # Panics
    /// When `text` is longer than [`TEXT_SIZE_MAX`].
    pub fn extend(&self, text: &str, ids: &mut Vec<u32>) {
        check_text(text);
        match &self.model {
            Model::BytePair(model) => model.extend(text, ids),
            Model::Unigram(model) => model.extend(text, ids),
            Model::WordPiece(model) => ids.extend(model.encode(text).ids),
        }
    }

    /// Encodes `text` into `encoding`: ids and the range of each in `text`, in bytes.
    ///
    /// A token of a part of a character has the range of the whole character.
    ///
    /// # Panics
    /// When `text` is longer than [`TEXT_SIZE_MAX`].
    pub fn encode_with_offsets(&self, text: &str, encoding: &mut Encoding) {
        check_text(text);
        match &self.model {
            Model::BytePair(model) => {
                encoding.ids.clear();
                encoding.offsets.clear();
                model.extend_with_offsets(text, &mut encoding.ids, &mut encoding.offsets);
            }
            Model::Unigram(model) => {
                encoding.ids.clear();
                encoding.offsets.clear();
                model.extend_with_offsets(text, &mut encoding.ids, &mut encoding.offsets);
            }
            Model::WordPiece(model) => model.encode_into(text, encoding),
        }
    }

    /// Encodes many texts with several threads. The result does not depend on their number.
    ///
    /// Memory is that of the result, a cache that the threads share and, for each, a smaller one of its
    /// own and about 1 MiB, see [`limits`](crate::limits).
    ///
    /// # Panics
    /// When a text is longer than [`TEXT_SIZE_MAX`].
    pub fn encode_batch<T: AsRef<str> + Sync>(&self, texts: &[T], threads: NonZeroUsize) -> Batch {
        let encoder = Framed {
            tokenizer: self,
            around: &Around::default(),
        };
        let stop = AtomicBool::new(false);
        let batch = batch::encode(&encoder, texts, threads, &stop, Batch::default());
        batch.unwrap_or_default()
    }

    /// [`encode_batch`](Self::encode_batch) with options, into ids of 32 or 16 bits; `None` when
    /// `options.stop` was set.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the vocabulary has larger ids than `I` holds,
    /// and those of [`around`](Self::around) when special tokens are asked for.
    ///
    /// # Panics
    /// When a text is longer than [`TEXT_SIZE_MAX`].
    pub fn encode_batch_with<I: Id, T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: BatchOptions<'_>,
    ) -> Result<Option<Batch<I>>, Error> {
        let size = self.vocab_size();
        if size > I::MAX as usize + 1 {
            return Err(Error::unsupported(format!(
                "its ids go up to {}, which {} bits do not hold; use 32 bits",
                size - 1,
                8 * size_of::<I>()
            )));
        }
        self.run_batch(texts, options, Batch::default())
    }

    /// The number of tokens of each of many texts; `None` when `options.stop` was set. Keeps no ids.
    ///
    /// # Errors
    /// Those of [`around`](Self::around) when special tokens are asked for.
    ///
    /// # Panics
    /// When a text is longer than [`TEXT_SIZE_MAX`].
    pub fn count_batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: BatchOptions<'_>,
    ) -> Result<Option<Vec<usize>>, Error> {
        self.run_batch(texts, options, Vec::with_capacity(texts.len()))
    }

    fn run_batch<T: AsRef<str> + Sync, J: batch::Joined>(
        &self,
        texts: &[T],
        options: BatchOptions<'_>,
        joined: J,
    ) -> Result<Option<J>, Error> {
        let none = Around::default();
        let encoder = Framed {
            tokenizer: self,
            around: if options.adds_special {
                self.frame()?
            } else {
                &none
            },
        };
        let BatchOptions { threads, stop, .. } = options;
        Ok(batch::encode(&encoder, texts, threads, stop, joined))
    }

    /// The special tokens that the file's post-processor puts before and after a text, such as `[CLS]`
    /// and `[SEP]`. None for a rank file.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) and [`Corrupt`](crate::ErrorKind::Corrupt) when
    /// the post-processor is none of those that this crate knows.
    pub fn around(&self) -> Result<(&[u32], &[u32]), Error> {
        let frame = self.frame()?;
        Ok((&frame.before, &frame.after))
    }

    fn frame(&self) -> Result<&Around, Error> {
        self.around.as_ref().map_err(Error::clone)
    }

    /// The number of tokens of `text`.
    ///
    /// # Panics
    /// When `text` is longer than [`TEXT_SIZE_MAX`].
    pub fn count(&self, text: &str) -> usize {
        self.encode(text).len()
    }

    /// The text of `ids`, special tokens included; of a Unigram model as the decoder of its file makes
    /// it. Bytes that are no UTF-8 become U+FFFD, ids without
    /// a token nothing.
    pub fn decode(&self, ids: &[u32]) -> String {
        match &self.model {
            Model::WordPiece(model) => model.decode(ids),
            Model::Unigram(model) => model.decode(ids),
            Model::BytePair(_) => {
                let bytes = self.decode_bytes(ids);
                String::from_utf8(bytes)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
            }
        }
    }

    /// The bytes of `ids`: for byte-pair encoding those of [`decode`](Self::decode) without
    /// replacement, else those of its text.
    pub fn decode_bytes(&self, ids: &[u32]) -> Vec<u8> {
        match &self.model {
            Model::WordPiece(model) => model.decode(ids).into_bytes(),
            Model::Unigram(model) => model.decode(ids).into_bytes(),
            Model::BytePair(model) => model.decode(ids),
        }
    }

    /// The bytes of the token with this id.
    pub fn token(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        match &self.model {
            Model::WordPiece(model) => model.token(id).map(|token| Cow::Borrowed(token.as_bytes())),
            Model::BytePair(model) => model.token(id),
            Model::Unigram(model) => model.token(id).map(|token| Cow::Owned(token.into_bytes())),
        }
    }

    /// The id of the token of these bytes, added tokens included. Linear for a WordPiece.
    pub fn id(&self, token: &[u8]) -> Option<u32> {
        match &self.model {
            Model::WordPiece(model) => (0..model.vocab_size() as u32).find(|&id| {
                model
                    .token(id)
                    .is_some_and(|other| other.as_bytes() == token)
            }),
            Model::BytePair(model) => model.id(token),
            Model::Unigram(model) => model.id(token),
        }
    }

    /// The largest id plus one: the rows that an embedding table needs.
    pub fn vocab_size(&self) -> usize {
        match &self.model {
            Model::WordPiece(model) => model.vocab_size(),
            Model::BytePair(model) => model.vocab_size(),
            Model::Unigram(model) => model.vocab_size(),
        }
    }

    /// The WordPiece, where this is one.
    pub fn as_word_piece(&self) -> Option<&WordPiece> {
        match &self.model {
            Model::WordPiece(model) => Some(model),
            Model::BytePair(_) | Model::Unigram(_) => None,
        }
    }
}

/// A tokenizer and the special tokens around a text.
struct Framed<'a> {
    tokenizer: &'a Tokenizer,
    around: &'a Around,
}

impl batch::Encoder for Framed<'_> {
    fn append(&self, text: &str, cache: Option<&mut Cache>, out: &mut Vec<u32>) {
        check_text(text);
        out.extend_from_slice(&self.around.before);
        match (&self.tokenizer.model, cache) {
            (Model::BytePair(model), Some(cache)) => model.extend_with(text, cache, out),
            (Model::Unigram(model), Some(cache)) => model.extend_with(text, cache, out),
            _ => self.tokenizer.extend(text, out),
        }
        out.extend_from_slice(&self.around.after);
    }

    fn take(&self) -> Option<Cache> {
        match &self.tokenizer.model {
            Model::BytePair(model) => Some(model.cache()),
            Model::Unigram(model) => Some(model.cache()),
            Model::WordPiece(_) => None,
        }
    }

    fn give_back(&self, cache: Option<Cache>) {
        match (&self.tokenizer.model, cache) {
            (Model::BytePair(model), Some(cache)) => model.give_back(cache),
            (Model::Unigram(model), Some(cache)) => model.give_back(cache),
            _ => {}
        }
    }
}

impl From<WordPiece> for Tokenizer {
    fn from(model: WordPiece) -> Self {
        let around = Around {
            before: model.cls_id().into_iter().collect(),
            after: model.sep_id().into_iter().collect(),
        };
        Self {
            around: Ok(around),
            model: Model::WordPiece(Box::new(model)),
        }
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = match &self.model {
            Model::WordPiece(_) => "WordPiece",
            Model::BytePair(_) => "BPE",
            Model::Unigram(_) => "Unigram",
        };
        write!(
            f,
            "Tokenizer {{ model: {model}, vocab_size: {} }}",
            self.vocab_size()
        )
    }
}

fn check_text(text: &str) {
    assert!(
        text.len() <= TEXT_SIZE_MAX,
        "a text has at most {TEXT_SIZE_MAX} bytes"
    );
}
