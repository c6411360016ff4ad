//! What happens to a text before it is cut: composition (NFC), and the spaces of sentence pieces.

use crate::file::AddedToken;
use crate::normalizer::Aligned;
use crate::unicode;
use std::borrow::Cow;
use unicode_normalization::char::compose;
use unicode_normalization::{IsNormalized, is_nfc_quick};

/// The character that stands for a space in sentence pieces. Here a space stands for itself, and for
/// this character too, since the models do not know one from the other.
const SPACE: &str = "\u{2581}";

/// How a text is normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Normalization {
    /// Canonical composition, Unicode Standard Annex 15.
    pub(crate) composes: bool,
    /// U+2581 becomes a space.
    pub(crate) unifies_spaces: bool,
    pub(crate) prefix: Prefix,
    /// Added tokens are found before: a pre-tokeniser normalises.
    pub(crate) is_late: bool,
}

/// When a space is put before the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    Never,
    /// Before what stands between added tokens that are literal.
    Always,
    /// Before what stands between added tokens, unless there is one.
    WhereMissing,
    /// Before the start of the text only, unless there is one.
    AtStart,
}

/// A normalised part of a text.
#[derive(Debug)]
pub(crate) struct Normal<'a> {
    pub(crate) text: Cow<'a, str>,
    /// For each byte of `text` its range in the part; none where nothing changed but by `shift`.
    sources: Option<Vec<(u32, u32)>>,
    shift: usize,
}

impl Normalization {
    /// Nothing is changed.
    pub(crate) const NONE: Self = Self {
        composes: false,
        unifies_spaces: false,
        prefix: Prefix::Never,
        is_late: false,
    };

    /// Normalises a part of a text between added tokens.
    #[inline]
    pub(crate) fn apply(self, text: &str) -> Normal<'_> {
        if self == Self::NONE {
            return Normal {
                text: Cow::Borrowed(text),
                sources: None,
                shift: 0,
            };
        }
        self.change(text)
    }

    fn change(self, text: &str) -> Normal<'_> {
        let mut normal = Normal {
            text: Cow::Borrowed(text),
            sources: None,
            shift: 0,
        };
        if self.composes && !text.is_ascii() && is_nfc_quick(text.chars()) != IsNormalized::Yes {
            normal.rewrite(|text, emit| compose_all(text, emit));
        }
        if self.unifies_spaces && text.contains(SPACE) {
            normal.rewrite(|text, emit| {
                for (at, c) in text.char_indices() {
                    emit(if c == '\u{2581}' { ' ' } else { c }, at, at + c.len_utf8());
                }
            });
        }
        if self.prefix == Prefix::Always {
            normal.prepend();
        }
        normal
    }

    /// Puts a space before a piece of normalised text that is cut at `at` of the whole text.
    #[inline]
    pub(crate) fn before_cut(self, mut normal: Normal<'_>, at: usize) -> Normal<'_> {
        let adds = match self.prefix {
            Prefix::Never | Prefix::Always => false,
            Prefix::WhereMissing => !normal.text.starts_with(' '),
            Prefix::AtStart => at == 0 && !normal.text.starts_with(' '),
        };
        if adds {
            normal.prepend();
        }
        normal
    }

    /// What is looked for to find an added token. The space that a normaliser puts first belongs to it.
    pub(crate) fn pattern(self, token: &AddedToken) -> String {
        if !token.normalized || self.is_late {
            return token.content.clone();
        }
        let prefix = match self.prefix {
            Prefix::Always => Prefix::Always,
            _ => Prefix::Never,
        };
        let normal = Self { prefix, ..self };
        normal.apply(&token.content).text.into_owned()
    }
}

impl<'a> Normal<'a> {
    /// What a file's normalisers made of a text.
    pub(crate) fn of(aligned: Aligned<'a>) -> Self {
        let sources = (!aligned.is_as_it_was()).then(|| {
            let source = |at| {
                let (from, to) = aligned.source(at, at + 1);
                (from as u32, to as u32)
            };
            (0..aligned.text.len()).map(source).collect()
        });
        Self {
            text: aligned.text,
            sources,
            shift: 0,
        }
    }
}

impl Normal<'_> {
    /// The range of the part that bytes `start..end` of the normalised text come from.
    pub(crate) fn source(&self, start: usize, end: usize) -> (usize, usize) {
        let Some(sources) = &self.sources else {
            // The space that was put first counts as the first character.
            let end = end.max(self.shift + 1) - self.shift;
            return (start.saturating_sub(self.shift), end);
        };
        let range = sources.get(start..end).unwrap_or_default();
        let first = range.iter().map(|source| source.0).min().unwrap_or(0);
        let last = range.iter().map(|source| source.1).max().unwrap_or(first);
        (first as usize, last as usize)
    }

    /// Bytes `start..end`, a range of characters.
    pub(crate) fn slice(&self, start: usize, end: usize) -> Normal<'_> {
        let identity = || {
            (start..end).map(|at| {
                let (from, to) = self.source(at, at + 1);
                (from as u32, to as u32)
            })
        };
        Normal {
            text: Cow::Borrowed(&self.text[start..end]),
            sources: Some(identity().collect()),
            shift: 0,
        }
    }

    fn prepend(&mut self) {
        let mut text = String::with_capacity(self.text.len() + 1);
        text.push(' ');
        text.push_str(&self.text);
        self.text = Cow::Owned(text);
        match &mut self.sources {
            Some(sources) => {
                let first = sources.first().copied().unwrap_or_default();
                sources.insert(0, first);
            }
            None => self.shift += 1,
        }
    }

    /// Replaces the text by the characters that `rewrite` emits with their ranges in it.
    fn rewrite(&mut self, rewrite: impl Fn(&str, &mut dyn FnMut(char, usize, usize))) {
        let mut text = String::with_capacity(self.text.len());
        let mut sources = Vec::with_capacity(self.text.len());
        rewrite(&self.text, &mut |c, start, end| {
            text.push(c);
            let (from, to) = self.source(start, end);
            sources.extend(std::iter::repeat_n((from as u32, to as u32), c.len_utf8()));
        });
        self.text = Cow::Owned(text);
        self.sources = Some(sources);
        self.shift = 0;
    }
}

/// A decomposed character, its combining class and its range in the text.
struct Part {
    c: char,
    class: u8,
    start: usize,
    end: usize,
}

/// Emits the canonical composition of `text`. Time is linear but for the ordering of runs of marks.
fn compose_all(text: &str, emit: &mut dyn FnMut(char, usize, usize)) {
    let mut parts: Vec<Part> = Vec::new();
    for (at, c) in text.char_indices() {
        unicode::decompose(c, |c| {
            let class = unicode::combining_class(c, unicode::is_mark(c));
            parts.push(Part {
                c,
                class,
                start: at,
                end: at + c.len_utf8(),
            });
        });
        // The range is that of the character in the text, not of its part.
        let size = c.len_utf8();
        for part in parts.iter_mut().rev().take_while(|part| part.start == at) {
            part.end = at + size;
        }
    }
    for run in parts.chunk_by_mut(|_, next| next.class != 0) {
        run.sort_by_key(|part| part.class);
    }
    let mut starter: Option<usize> = None;
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        if let Some(at) = starter {
            let last = &out[out.len() - 1];
            let is_blocked = out.len() - 1 > at && (last.class >= part.class || last.class == 0);
            let composed = compose(out[at].c, part.c).filter(|&c| !unicode::is_undecomposed(c));
            if let Some(c) = composed
                && !is_blocked
            {
                let starter = &mut out[at];
                starter.c = c;
                starter.start = starter.start.min(part.start);
                starter.end = starter.end.max(part.end);
                continue;
            }
        }
        if part.class == 0 {
            starter = Some(out.len());
        }
        out.push(part);
    }
    for part in out {
        emit(part.c, part.start, part.end);
    }
}
