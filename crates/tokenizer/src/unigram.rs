//! A tokenizer of a Unigram model (Kudo, 2018), the sentence pieces of T5, XLM-R, ALBERT and
//! `DeBERTa`: added tokens, normalisation, words and the best pieces of each, one after the other. So
//! are the texts of NLLB done, whose pieces are merged.

pub(crate) mod lattice;

use crate::added::AddedTokens;
use crate::bpe::cache::{Cache, Caches, Key, LONG_SIZE_MAX, SHORT_SIZE_MAX};
use crate::bpe::{Bpe, Piece, Scratch};
use crate::decoder::Decoder;
use crate::file::{AddedToken, File};
use crate::limits::ADDED_TOKENS_MAX;
use crate::normalizer::{Aligned, Normalizers};
use crate::words::{Word, Words};
use crate::{Error, Special};
use lattice::Pieces;
use std::collections::HashMap;

/// The character that stands for a space in the pieces.
const SPACE: char = '\u{2581}';

/// How a word becomes pieces.
#[derive(Debug)]
enum Model {
    /// The best path.
    Best(Pieces),
    /// Merges; unknown characters are the unknown token.
    Merged(Box<Bpe>),
}

/// A Unigram encoder. Its caches are kept between calls, one for each thread at work.
#[derive(Debug)]
pub(crate) struct Unigram {
    model: Model,
    /// The text of each piece as the file has it.
    texts: Vec<Box<str>>,
    normalizers: Normalizers,
    words: Words,
    decoder: Decoder,
    added: Vec<AddedToken>,
    /// Found in the text as it is, and in the normalised text.
    literal: Option<AddedTokens>,
    normalized: Option<AddedTokens>,
    /// What an added token is decoded to.
    contents: HashMap<u32, Box<str>>,
    caches: Caches,
}

/// Gets the tokens of a text in order.
trait Sink {
    /// Whether ranges are asked for.
    const IS_TRACKED: bool;
    fn token(&mut self, id: u32, start: usize, end: usize);
    /// The tokens of a word, which is in a part of the text that starts at `start`.
    fn word(&mut self, model: &Unigram, word: &Word<'_>, start: usize, cache: &mut Cache);
}

struct Ids<'a>(&'a mut Vec<u32>);

struct Ranges<'a> {
    ids: &'a mut Vec<u32>,
    offsets: &'a mut Vec<(u32, u32)>,
}

impl Sink for Ids<'_> {
    const IS_TRACKED: bool = false;

    fn token(&mut self, id: u32, _: usize, _: usize) {
        self.0.push(id);
    }

    fn word(&mut self, model: &Unigram, word: &Word<'_>, _: usize, cache: &mut Cache) {
        model.encode_word(word.text, cache, self.0);
    }
}

impl Sink for Ranges<'_> {
    const IS_TRACKED: bool = true;

    fn token(&mut self, id: u32, start: usize, end: usize) {
        self.ids.push(id);
        self.offsets.push((start as u32, end as u32));
    }

    fn word(&mut self, model: &Unigram, word: &Word<'_>, start: usize, cache: &mut Cache) {
        let scratch = &mut cache.scratch;
        model.model.encode(word.text, scratch, |id, from, to| {
            let (from, to) = word.source(from, to);
            self.token(id, start + from, start + to);
        });
    }
}

impl Unigram {
    /// Builds the encoder that `file` describes.
    pub(crate) fn new(file: File<'_>) -> Result<Self, Error> {
        let model = &file.model;
        let vocab = model.vocab.as_ref();
        let pairs = vocab.map_or(&[][..], |vocab| vocab.pairs.as_slice());
        let scores = vocab.and_then(|vocab| vocab.scores.as_deref());
        let scores = scores.ok_or_else(|| {
            Error::corrupt("its Unigram vocabulary is no list of tokens and scores")
        })?;
        let unknown = model.unk_id.ok_or_else(|| {
            Error::unsupported("its unk_id is null; a Unigram model needs an unknown token")
        })?;
        let texts = pairs.iter().map(|(text, _)| text.as_ref());
        let list: Vec<_> = texts.clone().zip(scores.iter().copied()).collect();
        let pieces = Pieces::new(&list, unknown, model.byte_fallback)?;
        let texts = texts.map(Into::into).collect();
        Self::with_model(Model::Best(pieces), texts, file)
    }

    /// Builds the encoder of pieces that are merged.
    pub(crate) fn merged(bpe: Bpe, file: File<'_>) -> Result<Self, Error> {
        let text = |id| String::from_utf8_lossy(bpe.vocab.token(id)).into();
        let texts = (0..bpe.vocab.len() as u32).map(text).collect();
        Self::with_model(Model::Merged(Box::new(bpe)), texts, file)
    }

    fn with_model(model: Model, texts: Vec<Box<str>>, file: File<'_>) -> Result<Self, Error> {
        check_added(&file.added_tokens, &model)?;
        let mut made = Self {
            caches: Caches::new(texts.len()),
            texts,
            model,
            normalizers: Normalizers::new(file.normalizer.as_ref())?,
            words: Words::new(file.pre_tokenizer.as_ref())?,
            decoder: Decoder::new(file.decoder.as_ref())?,
            contents: HashMap::new(),
            literal: None,
            normalized: None,
            added: file.added_tokens,
        };
        let content = |token: &AddedToken| (token.id, made.pattern(token).into_boxed_str());
        made.contents = made.added.iter().map(content).collect();
        made.set_special(Special::Token)?;
        Ok(made)
    }

    /// Decides what literals of special tokens are.
    pub(crate) fn set_special(&mut self, special: Special) -> Result<(), Error> {
        let chosen = |normalized| {
            let tokens = self.added.iter().filter(|token| {
                token.normalized == normalized && (special == Special::Token || !token.special)
            });
            let tokens: Vec<_> = tokens
                .map(|token| AddedToken {
                    content: self.pattern(token),
                    ..token.clone()
                })
                .filter(|token| !token.content.is_empty())
                .collect();
            (!tokens.is_empty())
                .then(|| AddedTokens::new(&tokens))
                .transpose()
        };
        (self.literal, self.normalized) = (chosen(false)?, chosen(true)?);
        Ok(())
    }

    /// What is looked for to find an added token.
    fn pattern(&self, token: &AddedToken) -> String {
        if token.normalized {
            self.normalizers
                .apply(&token.content, false)
                .text
                .into_owned()
        } else {
            token.content.clone()
        }
    }

    /// Appends the ids of `text` to `out`.
    pub(crate) fn extend(&self, text: &str, out: &mut Vec<u32>) {
        let mut cache = self.cache();
        self.extend_with(text, &mut cache, out);
        self.give_back(cache);
    }

    pub(crate) fn extend_with(&self, text: &str, cache: &mut Cache, out: &mut Vec<u32>) {
        self.walk(text, cache, &mut Ids(out));
    }

    /// Appends ids and, for each, its range of bytes in `text`.
    pub(crate) fn extend_with_offsets(
        &self,
        text: &str,
        ids: &mut Vec<u32>,
        offsets: &mut Vec<(u32, u32)>,
    ) {
        let mut cache = self.cache();
        self.walk(text, &mut cache, &mut Ranges { ids, offsets });
        self.give_back(cache);
    }

    pub(crate) fn cache(&self) -> Cache {
        self.caches.take()
    }

    pub(crate) fn give_back(&self, cache: Cache) {
        self.caches.give_back(cache);
    }

    /// The text of `ids` as the file's decoder makes it; ids without a token give nothing.
    pub(crate) fn decode(&self, ids: &[u32]) -> String {
        let text = |&id: &u32| {
            let piece = || self.texts.get(id as usize);
            let text = self.contents.get(&id).or_else(piece)?;
            Some(text.to_string())
        };
        self.decoder.decode(ids.iter().filter_map(text).collect())
    }

    /// The text of a token; a space stands for U+2581.
    pub(crate) fn token(&self, id: u32) -> Option<String> {
        if let Some(content) = self.contents.get(&id) {
            return Some(content.to_string());
        }
        let text = self.texts.get(id as usize)?;
        Some(text.replace(SPACE, " "))
    }

    /// The id of an added token or of a piece; a space stands for U+2581.
    pub(crate) fn id(&self, token: &[u8]) -> Option<u32> {
        let mut added = self.added.iter();
        if let Some(added) = added.find(|added| added.content.as_bytes() == token) {
            return Some(added.id);
        }
        let text = std::str::from_utf8(token).ok()?;
        let with_marks = text.replace(' ', SPACE.encode_utf8(&mut [0; 4]));
        let piece = self.model.id(with_marks.as_bytes());
        piece.or_else(|| self.model.id(token))
    }

    /// The largest id plus one.
    pub(crate) fn vocab_size(&self) -> usize {
        let added = self.added.iter().map(|token| token.id as usize + 1);
        added.max().unwrap_or(0).max(self.texts.len())
    }

    /// Appends the ids of a word, from the cache where it came before.
    fn encode_word(&self, word: &str, cache: &mut Cache, out: &mut Vec<u32>) {
        let (bytes, first) = (word.as_bytes(), out.len());
        if bytes.len() > LONG_SIZE_MAX {
            return self.encode(word, cache, out);
        }
        let is_short = bytes.len() <= SHORT_SIZE_MAX;
        let key = is_short.then(|| Key::new(bytes, 0, bytes.len(), Piece::Pretoken));
        if key.is_some_and(|key| cache.short(key, key.hash(), out)) {
            return;
        }
        let hash = Piece::Pretoken.hash(bytes);
        if cache.long(hash, bytes, out) {
            return;
        }
        self.encode(word, cache, out);
        if !key.is_some_and(|key| cache.put_short(key, &out[first..])) {
            cache.put_long(hash, bytes, &out[first..]);
        }
    }

    fn encode(&self, word: &str, cache: &mut Cache, out: &mut Vec<u32>) {
        let scratch = &mut cache.scratch;
        self.model.encode(word, scratch, |id, _, _| out.push(id));
    }

    /// Gives the tokens of `text` to `sink`: literals that are found before normalisation, then those
    /// that are found after it, and the words between.
    fn walk<S: Sink>(&self, text: &str, cache: &mut Cache, sink: &mut S) {
        let mut at = 0;
        while let Some(found) = self.literal.as_ref().and_then(|added| added.find(text, at)) {
            self.walk_part(&text[at..found.start], at, cache, sink);
            sink.token(found.id, found.start, found.end);
            at = found.end;
        }
        self.walk_part(&text[at..], at, cache, sink);
    }

    /// [`walk`](Self::walk) of a part of the text that starts at `start`.
    fn walk_part<S: Sink>(&self, text: &str, start: usize, cache: &mut Cache, sink: &mut S) {
        if text.is_empty() {
            return;
        }
        let is_tracked = S::IS_TRACKED || start == 0 && self.words.asks_for_start();
        let normal = self.normalizers.apply(text, is_tracked);
        let mut at = 0;
        if let Some(added) = &self.normalized {
            while let Some(found) = added.find(&normal.text, at) {
                self.walk_words(&normal, (at, found.start), start, cache, sink);
                let (from, to) = normal.source(found.start, found.end);
                sink.token(found.id, start + from, start + to);
                at = found.end;
            }
        }
        self.walk_words(&normal, (at, normal.text.len()), start, cache, sink);
    }

    fn walk_words<S: Sink>(
        &self,
        normal: &Aligned<'_>,
        range: (usize, usize),
        start: usize,
        cache: &mut Cache,
        sink: &mut S,
    ) {
        let mut scratch = std::mem::take(&mut cache.scratch.words);
        let is_first = |at: usize| start + at == 0;
        self.words.cut(
            normal,
            range,
            S::IS_TRACKED,
            is_first,
            &mut scratch,
            |word| {
                sink.word(self, &word, start, cache);
            },
        );
        cache.scratch.words = scratch;
    }
}

impl Model {
    fn id(&self, piece: &[u8]) -> Option<u32> {
        match self {
            Self::Best(pieces) => pieces.id(piece),
            Self::Merged(bpe) => bpe.vocab.id(piece),
        }
    }

    /// Gives the pieces of a word and their ranges in it.
    fn encode(&self, word: &str, scratch: &mut Scratch, emit: impl FnMut(u32, usize, usize)) {
        match self {
            Self::Best(pieces) => pieces.encode(word, &mut scratch.lattice, emit),
            Self::Merged(bpe) => bpe.encode_ranges(word.as_bytes(), scratch, emit),
        }
    }
}

fn check_added(tokens: &[AddedToken], pieces: &Model) -> Result<(), Error> {
    if tokens.len() > ADDED_TOKENS_MAX {
        return Err(Error::limit(format!(
            "it has {} added tokens, ADDED_TOKENS_MAX is {ADDED_TOKENS_MAX}",
            tokens.len()
        )));
    }
    for AddedToken { id, content, .. } in tokens {
        if *id >= crate::limits::VOCAB_SIZE_MAX {
            return Err(Error::limit(format!(
                "added token `{content}` has id {id}, VOCAB_SIZE_MAX is {}",
                crate::limits::VOCAB_SIZE_MAX
            )));
        }
        match pieces.id(content.as_bytes()) {
            Some(other) if other != *id => {
                return Err(Error::corrupt(format!(
                    "added token `{content}` has id {id} and, in the vocabulary, {other}"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}
