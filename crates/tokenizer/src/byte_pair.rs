//! A tokenizer of byte-pair encoding: added tokens, normalisation, pretokens and merges, one after
//! the other.

use crate::Error;
use crate::added::AddedTokens;
use crate::bpe::cache::{Cache, Caches, Key, SHORT_SIZE_MAX};
use crate::bpe::{Bpe, NO_TOKEN, Piece, Symbols};
use crate::class::Classes;
use crate::file::AddedToken;
use crate::normal::{Normal, Normalization, Prefix};
use crate::normalizer::Normalizers;
use crate::pretoken::Pattern;
use std::borrow::Cow;
use std::collections::HashMap;

/// How many pieces are looked up together.
const TOGETHER: usize = 64;

/// What literals of special tokens in a text are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// They are the special tokens, as Hugging Face `tokenizers` does by default.
    Token,
    /// They are text as any other, as `encode_ordinary` of `tiktoken` does: for texts of strangers.
    Text,
}

/// A byte-pair encoder. Its caches are kept between calls, one for each thread at work.
#[derive(Debug)]
pub(crate) struct BytePair {
    pub(crate) bpe: Bpe,
    pub(crate) pattern: Pattern,
    pub(crate) normalization: Normalization,
    /// What else a file does to a text, before all that.
    normalizers: Option<Normalizers>,
    added: Vec<AddedToken>,
    /// Found in the text as it is, and in the normalised text.
    literal: Option<AddedTokens>,
    normalized: Option<AddedTokens>,
    contents: HashMap<u32, Box<str>>,
    classes: Classes,
    caches: Caches,
}

/// Gets the parts of a text in order.
pub(crate) trait Sink {
    /// Tokens of an added token's literal at `start..end` of the text.
    fn added(&mut self, id: u32, start: usize, end: usize);
    /// Normalised text to encode; `start` is where it stands in the text.
    fn text(&mut self, normal: &Normal<'_>, start: usize);
}

impl BytePair {
    pub(crate) fn new(
        bpe: Bpe,
        pattern: Pattern,
        normalization: Normalization,
        normalizers: Option<Normalizers>,
        added: Vec<AddedToken>,
    ) -> Result<Self, Error> {
        let mut tokenizer = Self {
            caches: Caches::new(bpe.vocab.len()),
            bpe,
            pattern,
            normalization,
            normalizers,
            added,
            literal: None,
            normalized: None,
            contents: HashMap::new(),
            classes: Classes::new(),
        };
        let content = |token: &AddedToken| (token.id, tokenizer.pattern(token).into());
        tokenizer.contents = tokenizer.added.iter().map(content).collect();
        tokenizer.set_special(Special::Token)?;
        Ok(tokenizer)
    }

    /// Decides what literals of special tokens are.
    pub(crate) fn set_special(&mut self, special: Special) -> Result<(), Error> {
        let chosen = |normalized| {
            let tokens = self.added.iter().filter(|token| {
                token.normalized == normalized
                    && !token.content.is_empty()
                    && (special == Special::Token || !token.special)
            });
            let tokens: Vec<_> = tokens
                .map(|token| AddedToken {
                    content: self.pattern(token),
                    ..token.clone()
                })
                .collect();
            (!tokens.is_empty())
                .then(|| AddedTokens::new(&tokens))
                .transpose()
        };
        (self.literal, self.normalized) = (chosen(false)?, chosen(true)?);
        Ok(())
    }

    /// Appends the ids of `text` to `out`.
    pub(crate) fn extend(&self, text: &str, out: &mut Vec<u32>) {
        let mut cache = self.cache();
        self.extend_with(text, &mut cache, out);
        self.give_back(cache);
    }

    pub(crate) fn extend_with(&self, text: &str, cache: &mut Cache, out: &mut Vec<u32>) {
        struct Ids<'a>(&'a BytePair, &'a mut Cache, &'a mut Vec<u32>);
        impl Sink for Ids<'_> {
            fn added(&mut self, id: u32, _: usize, _: usize) {
                self.2.push(id);
            }

            fn text(&mut self, normal: &Normal<'_>, _: usize) {
                self.0.encode(normal.text.as_bytes(), self.1, self.2);
            }
        }
        self.walk(text, &mut Ids(self, cache, out));
    }

    /// Appends ids and, for each, its range of bytes in `text`, widened to whole characters.
    pub(crate) fn extend_with_offsets(
        &self,
        text: &str,
        ids: &mut Vec<u32>,
        offsets: &mut Vec<(u32, u32)>,
    ) {
        struct Both<'a>(
            &'a BytePair,
            Cache,
            &'a str,
            &'a mut Vec<u32>,
            &'a mut Vec<(u32, u32)>,
        );
        impl Sink for Both<'_> {
            fn added(&mut self, id: u32, start: usize, end: usize) {
                self.3.push(id);
                self.4.push((start as u32, end as u32));
            }

            fn text(&mut self, normal: &Normal<'_>, start: usize) {
                let Self(model, cache, text, ids, offsets) = self;
                let first = ids.len();
                let bytes = normal.text.as_bytes();
                model.encode(bytes, cache, ids);
                let mut ids = ids[first..].iter();
                model
                    .pattern
                    .each(bytes, model.classes, |mut at, piece_end| {
                        while at < piece_end
                            && let Some(&id) = ids.next()
                        {
                            let end = at + model.token_size(id);
                            let (from, to) = normal.source(at, end);
                            offsets.push((
                                floor(text, start + from) as u32,
                                ceil(text, start + to) as u32,
                            ));
                            at = end;
                        }
                    });
            }
        }
        let mut both = Both(self, self.cache(), text, ids, offsets);
        self.walk(text, &mut both);
        self.give_back(both.1);
    }

    /// The bytes of an id; `None` where it has no token.
    pub(crate) fn token(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        if let Some(content) = self.contents.get(&id) {
            return Some(Cow::Borrowed(content.as_bytes()));
        }
        if let Symbols::Chars(fallback) = &self.bpe.symbols
            && id != NO_TOKEN
            && let Some(byte) = fallback.iter().position(|&other| other == id)
        {
            return Some(Cow::Owned(vec![byte as u8]));
        }
        let token = self.bpe.vocab.token(id);
        (!token.is_empty()).then_some(Cow::Borrowed(token))
    }

    /// The bytes of `ids`; ids without a token give nothing. The space that normalisation puts first
    /// is removed.
    pub(crate) fn decode(&self, ids: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for &id in ids {
            if let Some(token) = self.token(id) {
                bytes.extend_from_slice(&token);
            }
            if let Some(suffix) = self.suffix(id) {
                bytes.truncate(bytes.len() - suffix.len());
                bytes.push(b' ');
            }
        }
        if ids.last().is_some_and(|&id| self.suffix(id).is_some()) {
            bytes.pop();
        }
        if self.normalization.unifies_spaces
            && self.normalization.prefix != Prefix::Never
            && bytes.first() == Some(&b' ')
        {
            bytes.remove(0);
        }
        bytes
    }

    /// The id of an added token or of a token's bytes.
    pub(crate) fn id(&self, token: &[u8]) -> Option<u32> {
        let added = self
            .added
            .iter()
            .find(|added| added.content.as_bytes() == token);
        added
            .map(|added| added.id)
            .or_else(|| self.bpe.vocab.id(token))
    }

    /// The largest id plus one.
    pub(crate) fn vocab_size(&self) -> usize {
        let added = self.added.iter().map(|token| token.id as usize + 1);
        added.max().unwrap_or(0).max(self.bpe.vocab.len())
    }

    pub(crate) fn cache(&self) -> Cache {
        self.caches.take()
    }

    pub(crate) fn give_back(&self, cache: Cache) {
        self.caches.give_back(cache);
    }

    /// Appends the ids of a normalised text.
    fn encode(&self, text: &[u8], cache: &mut Cache, out: &mut Vec<u32>) {
        // The entries of some pieces are fetched before the first is read.
        let mut keys = [(Key::NONE, 0); TOGETHER];
        self.pattern.cut(text, self.classes, |mut start, ends| {
            for ends in ends.chunks(TOGETHER) {
                let first = start;
                for (&end, slot) in ends.iter().zip(&mut keys) {
                    *slot = if end - start <= SHORT_SIZE_MAX {
                        let key = Key::new(text, start, end - start, Piece::Pretoken);
                        (key, cache.prefetch(key))
                    } else {
                        (Key::NONE, 0)
                    };
                    start = end;
                }
                start = first;
                for (&end, &(key, hash)) in ends.iter().zip(&keys) {
                    if key == Key::NONE {
                        self.bpe.encode_long(text, start, end, cache, out);
                    } else {
                        self.bpe.encode_short(text, start, (key, hash), cache, out);
                    }
                    start = end;
                }
            }
        });
    }

    /// The bytes of a text that a token stands for.
    fn token_size(&self, id: u32) -> usize {
        match &self.bpe.symbols {
            Symbols::Chars(fallback) if fallback.contains(&id) => 1,
            _ => self.bpe.vocab.token(id).len() - self.suffix(id).map_or(0, str::len),
        }
    }

    /// The end of a word, where a token is one.
    fn suffix(&self, id: u32) -> Option<&str> {
        let Symbols::Words { suffix, .. } = &self.bpe.symbols else {
            return None;
        };
        let is_end = self.bpe.vocab.token(id).ends_with(suffix.as_bytes());
        is_end.then_some(&**suffix)
    }

    /// What is looked for to find an added token.
    fn pattern(&self, token: &AddedToken) -> String {
        match &self.normalizers {
            Some(normalizers) if token.normalized => {
                normalizers.apply(&token.content, false).text.into_owned()
            }
            _ => self.normalization.pattern(token),
        }
    }

    #[inline]
    fn normalize<'a>(&self, text: &'a str) -> Normal<'a> {
        match &self.normalizers {
            None => self.normalization.apply(text),
            Some(normalizers) => Normal::of(normalizers.apply(text, true)),
        }
    }

    /// Gives the parts of `text` to `sink`: literals that are found before normalisation, then those
    /// that are found after it, and the text between.
    #[inline]
    fn walk(&self, text: &str, sink: &mut impl Sink) {
        let mut at = 0;
        while let Some(found) = self.literal.as_ref().and_then(|added| added.find(text, at)) {
            self.walk_normalized(&text[at..found.start], at, sink);
            sink.added(found.id, found.start, found.end);
            at = found.end;
        }
        self.walk_normalized(&text[at..], at, sink);
    }

    #[inline]
    fn walk_normalized(&self, text: &str, start: usize, sink: &mut impl Sink) {
        if text.is_empty() {
            return;
        }
        let Some(added) = &self.normalized else {
            return self.walk_text(text, start, sink);
        };
        if self.normalization.is_late {
            let mut at = 0;
            while let Some(found) = added.find(text, at) {
                self.walk_text(&text[at..found.start], start + at, sink);
                sink.added(found.id, start + found.start, start + found.end);
                at = found.end;
            }
            return self.walk_text(&text[at..], start + at, sink);
        }
        let normal = self.normalize(text);
        let give = |from: usize, to: usize, sink: &mut _| {
            if from < to {
                let at = start + normal.source(from, to).0;
                let piece = self.normalization.before_cut(normal.slice(from, to), at);
                Sink::text(sink, &piece, start);
            }
        };
        let mut at = 0;
        while let Some(found) = added.find(&normal.text, at) {
            give(at, found.start, sink);
            let (from, to) = normal.source(found.start, found.end);
            sink.added(found.id, start + from, start + to);
            at = found.end;
        }
        give(at, normal.text.len(), sink);
    }

    /// Gives a text without added tokens to `sink`; `start` is where it stands.
    #[inline]
    fn walk_text(&self, text: &str, start: usize, sink: &mut impl Sink) {
        if !text.is_empty() {
            let normal = self.normalize(text);
            sink.text(&self.normalization.before_cut(normal, start), start);
        }
    }
}

fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

fn ceil(text: &str, at: usize) -> usize {
    text.ceil_char_boundary(at)
}
