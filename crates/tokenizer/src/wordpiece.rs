//! WordPiece (Schuster and Nakajima, 2012) as BERT uses it: each word is cut from the left into the
//! longest pieces that the vocabulary holds.

use crate::Error;
use crate::added::AddedTokens;
use crate::file::{self, check_size};
use crate::limits::TEXT_SIZE_MAX;
use crate::normalize::{Ascii, Rules, Word};
use crate::parse::{self, Case, Spec, Special};
use crate::trie::Trie;
use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// What the decoder removes from the text of each token.
const CLEANED: [(&str, &str); 11] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// A WordPiece tokenizer.
///
/// It is immutable and can be shared between threads. The ids are those of Hugging Face
/// `tokenizers` with `add_special_tokens=False` and without truncation and padding.
pub struct WordPiece {
    continuing_prefix: String,
    tokens: Vec<Option<Box<str>>>,
    /// All tokens, for the start of a word.
    starts: Trie,
    /// Tokens with the continuing prefix, without it, for the rest of a word.
    continuations: Trie,
    added: AddedTokens,
    rules: Rules,
    word_chars_max: usize,
    special: Special,
}

/// The tokens of a text. Reused, it needs no further allocations.
#[derive(Clone, Debug, Default)]
pub struct Encoding {
    /// Token ids.
    pub ids: Vec<u32>,
    /// For each token its byte range in the text, as given, not as normalised.
    pub offsets: Vec<(u32, u32)>,
    word: Word,
}

impl WordPiece {
    /// Reads a `tokenizer.json`, or a `vocab.txt` (any name that ends in `.txt`) of an uncased model.
    ///
    /// Takes about 10 ms for 30 000 tokens.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) and [`Io`](crate::ErrorKind::Io) when the file
    /// cannot be read, else those of [`from_json`](Self::from_json) and
    /// [`from_vocab`](Self::from_vocab). The message names the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let read = || {
            let bytes = file::read(path)?;
            if path
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("txt"))
            {
                Self::from_vocab(&bytes, Case::Lower)
            } else {
                Self::from_json(&bytes)
            }
        };
        read().map_err(|error: Error| error.at(path))
    }

    /// Reads the bytes of a `tokenizer.json`. Its truncation and padding are ignored.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when it breaks the format,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when it has another model than WordPiece,
    /// another normaliser than `BertNormalizer`, another pre-tokeniser than `BertPreTokenizer` or
    /// added tokens that are not literal, [`LimitReached`](crate::ErrorKind::LimitReached) when it
    /// exceeds [`limits`](crate::limits).
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        check_size(json)?;
        Self::from_spec(parse::tokenizer_json(json)?)
    }

    /// Reads the bytes of a `vocab.txt`: a token a line, the line number from 0 is the id.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when it is no UTF-8 or has no `[UNK]`,
    /// [`LimitReached`](crate::ErrorKind::LimitReached) when it exceeds [`limits`](crate::limits).
    pub fn from_vocab(text: &[u8], case: Case) -> Result<Self, Error> {
        check_size(text)?;
        Self::from_spec(parse::vocab_txt(text, case)?)
    }

    pub(crate) fn from_spec(spec: Spec) -> Result<Self, Error> {
        let prefix = spec.continuing_prefix.as_bytes();
        let keys = || {
            spec.pieces
                .iter()
                .map(|(piece, id)| (piece.as_bytes(), *id))
        };
        let continuations =
            keys().filter_map(|(piece, id)| Some((piece.strip_prefix(prefix)?, id)));
        Ok(Self {
            starts: Trie::new(keys())?,
            continuations: Trie::new(continuations)?,
            added: AddedTokens::new(&spec.added)?,
            rules: Rules::new(spec.normalizer, spec.word_chars_max),
            word_chars_max: spec.word_chars_max,
            special: spec.special,
            continuing_prefix: spec.continuing_prefix,
            tokens: spec.tokens,
        })
    }

    /// Encodes `text`, without special tokens around it. Linear in the text's length.
    ///
    /// Literals of added tokens, such as `[MASK]`, get their id.
    ///
    /// # Panics
    /// When `text` is longer than [`TEXT_SIZE_MAX`].
    pub fn encode(&self, text: &str) -> Encoding {
        let mut encoding = Encoding::default();
        self.encode_into(text, &mut encoding);
        encoding
    }

    /// Encodes `text` into `encoding`, whose former tokens are removed and whose memory is reused.
    ///
    /// # Panics
    /// When `text` is longer than [`TEXT_SIZE_MAX`].
    pub fn encode_into(&self, text: &str, encoding: &mut Encoding) {
        assert!(
            text.len() <= TEXT_SIZE_MAX,
            "a text has at most {TEXT_SIZE_MAX} bytes"
        );
        encoding.ids.clear();
        encoding.offsets.clear();
        let mut at = 0;
        while let Some(found) = self.added.find(text, at) {
            self.encode_words(&text[..found.start], at, encoding);
            encoding.push(found.id, (found.start as u32, found.end as u32));
            at = found.end;
        }
        self.encode_words(text, at, encoding);
    }

    /// The text of `ids`: words with a space between them, continuing pieces without their prefix.
    ///
    /// What normalisation took away, such as upper case, is lost. Spaces before `.`, `?`, `!` and `,`
    /// and in English contractions are removed, as the decoder of Hugging Face does.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut text = String::new();
        for (at, token) in ids.iter().filter_map(|&id| self.token(id)).enumerate() {
            let piece = match token.strip_prefix(self.continuing_prefix.as_str()) {
                Some(rest) if at > 0 => Cow::Borrowed(rest),
                _ if at > 0 => Cow::Owned(format!(" {token}")),
                _ => Cow::Borrowed(token),
            };
            text.push_str(
                &CLEANED
                    .iter()
                    .fold(piece.into_owned(), |piece, (from, to)| {
                        piece.replace(from, to)
                    }),
            );
        }
        text
    }

    /// The token with this id.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize)?.as_deref()
    }

    /// The largest id plus one: the rows that an embedding table needs.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// The id for words that the vocabulary cannot spell (`[UNK]`).
    pub fn unk_id(&self) -> u32 {
        self.special.unk
    }

    /// The id that stands before a text (`[CLS]`), if the file names one.
    pub fn cls_id(&self) -> Option<u32> {
        self.special.cls
    }

    /// The id that stands after a text (`[SEP]`), if the file names one.
    pub fn sep_id(&self) -> Option<u32> {
        self.special.sep
    }

    /// The id that fills up short texts (`[PAD]`), if the file names one.
    pub fn pad_id(&self) -> Option<u32> {
        self.special.pad
    }

    /// Encodes the words of `text[from..]`.
    fn encode_words(&self, text: &str, from: usize, out: &mut Encoding) {
        let mut word = std::mem::take(&mut out.word);
        let bytes = text.as_bytes();
        let mut at = from;
        while at < bytes.len() {
            if word.is_empty()
                && let Some(end) = self.ascii_word(bytes, at)
            {
                let offset = |start, end| ((at + start) as u32, (at + end) as u32);
                let lower = |byte: &u8| self.rules.fold(*byte);
                self.encode_word(&bytes[at..end], lower, end - at, offset, out);
                at = end;
                continue;
            }
            let c = text[at..]
                .chars()
                .next()
                .expect("`at` is a character boundary inside the text");
            let end = at + c.len_utf8();
            let source = (at as u32, end as u32);
            self.rules.push(c, source, &mut word, &mut |word| {
                self.encode_normalised(word, out);
            });
            at = end;
        }
        self.rules
            .finish(&mut word, &mut |word| self.encode_normalised(word, out));
        out.word = word;
    }

    /// The end of the word at `at` when it is ASCII, and not a mere prefix of a longer one.
    #[inline]
    fn ascii_word(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let class = |byte: u8| self.rules.ascii.get(byte as usize);
        let is_letter = |byte: &u8| matches!(class(*byte), Some(Ascii::Letter));
        let end = at
            + bytes[at..]
                .iter()
                .take_while(|byte| is_letter(byte))
                .count();
        let ends = |byte: &u8| matches!(class(*byte), Some(Ascii::Space | Ascii::Punctuation));
        (end > at && bytes.get(end).is_none_or(ends)).then_some(end)
    }

    fn encode_normalised(&self, word: &Word, out: &mut Encoding) {
        // Canonical order may have moved the first character of the text behind the last one.
        let offset = |start: usize, end: usize| {
            let sources = &word.sources[start..end];
            let first = sources
                .iter()
                .map(|source| source.0)
                .min()
                .unwrap_or_default();
            let last = sources
                .iter()
                .map(|source| source.1)
                .max()
                .unwrap_or_default();
            (
                first,
                if end == word.bytes.len() {
                    last.max(word.end)
                } else {
                    last
                },
            )
        };
        self.encode_word(&word.bytes, |byte| *byte, word.chars, offset, out);
    }

    /// Cuts a word into pieces. `fold` is applied to each byte, `offset` turns a range of the word
    /// into one of the text.
    #[inline]
    fn encode_word(
        &self,
        word: &[u8],
        fold: impl Fn(&u8) -> u8,
        chars: usize,
        offset: impl Fn(usize, usize) -> (u32, u32),
        out: &mut Encoding,
    ) {
        let first = out.ids.len();
        let mut trie = &self.starts;
        let mut start = 0;
        while start < word.len() && chars <= self.word_chars_max {
            let Some((id, len)) = trie.longest(word[start..].iter().map(&fold)) else {
                break;
            };
            out.push(id, offset(start, start + len));
            start += len;
            trie = &self.continuations;
        }
        if start < word.len() {
            out.truncate(first);
            out.push(self.special.unk, offset(0, word.len()));
        }
    }
}

impl fmt::Debug for WordPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WordPiece {{ vocab_size: {} }}", self.vocab_size())
    }
}

impl Encoding {
    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    fn push(&mut self, id: u32, offset: (u32, u32)) {
        self.ids.push(id);
        self.offsets.push(offset);
    }

    fn truncate(&mut self, len: usize) {
        self.ids.truncate(len);
        self.offsets.truncate(len);
    }
}
