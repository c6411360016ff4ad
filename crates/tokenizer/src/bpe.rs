//! Byte-pair encoding (Sennrich, Haddow and Birch, 2016): a pretoken's symbols are merged, the pair
//! of the lowest rank first and of equal ones the leftmost, until no pair is in the table.

pub(crate) mod cache;
mod entries;
mod merge;
mod pairs;
mod seams;
mod vocab;

use cache::{Cache, Key};
pub(crate) use pairs::Pairs;
pub(crate) use seams::Seams;
pub(crate) use vocab::Vocab;

/// Marks a byte without a token.
pub(crate) const NO_TOKEN: u32 = u32::MAX;

/// The tables of one vocabulary, immutable.
#[derive(Debug)]
pub(crate) struct Bpe {
    pub(crate) vocab: Vocab,
    pub(crate) merges: Merges,
    pub(crate) symbols: Symbols,
    pub(crate) seams: Seams,
    /// Whether a pretoken that is a token is that token, whatever the merges give.
    pub(crate) takes_whole_tokens: bool,
}

/// Which pairs merge, into what, and in which order.
#[derive(Debug)]
pub(crate) enum Merges {
    /// A list of pairs, as in a `tokenizer.json`.
    Pairs(Pairs),
    /// Any two parts whose bytes together are a token; its id is the rank. As in a rank file.
    Ranks,
}

/// What a pretoken consists of before the first merge.
#[derive(Debug)]
pub(crate) enum Symbols {
    /// The token of each byte.
    Bytes(Box<[u32; 256]>),
    /// The token of each character, or else those of its bytes.
    Chars(Box<[u32; 256]>),
    /// The token of each character; `id` for others, one for several in a row where it `fuses`.
    Unknown { id: u32, fuses: bool },
    /// The token of each byte, and of the last one of a pretoken, whose text ends with `suffix`.
    Words {
        inner: Box<[u32; 256]>,
        last: Box<[u32; 256]>,
        suffix: Box<str>,
    },
}

/// What is encoded: only a whole pretoken may be a token in spite of the merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A pretoken.
    Pretoken,
    /// A part of one, cut at seams.
    Part,
}

impl Piece {
    /// The hash of a piece of this kind.
    pub(crate) fn hash(self, piece: &[u8]) -> u64 {
        match self {
            Self::Pretoken => vocab::hash(piece),
            Self::Part => !vocab::hash(piece),
        }
    }
}

/// A symbol under construction: where it starts in the pretoken, and its token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol {
    pub(crate) start: u32,
    pub(crate) id: u32,
}

/// Memory of an encoder that is reused from pretoken to pretoken.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    symbols: Vec<Symbol>,
    queue: merge::Queue,
    pub(crate) lattice: crate::unigram::lattice::Scratch,
    pub(crate) words: crate::words::Scratch,
}

impl Bpe {
    /// Appends the tokens of the short piece with this key and its hash, which starts at `start` of
    /// `text`.
    #[expect(
        clippy::inline_always,
        reason = "for each pretoken; a call costs as much"
    )]
    #[inline(always)]
    pub(crate) fn encode_short(
        &self,
        text: &[u8],
        start: usize,
        (key, hash): (Key, u64),
        cache: &mut Cache,
        out: &mut Vec<u32>,
    ) {
        if !cache.short(key, hash, out) {
            self.encode_new(&text[start..start + key.size()], (key, hash), cache, out);
        }
    }

    /// [`encode_short`](Self::encode_short) of what is not in the cache of short pieces.
    #[cold]
    #[inline(never)]
    fn encode_new(
        &self,
        piece: &[u8],
        (key, hash): (Key, u64),
        cache: &mut Cache,
        out: &mut Vec<u32>,
    ) {
        if cache.short_aside(key, hash, out) {
            return;
        }
        let first = out.len();
        // Pieces of many tokens are among the long ones.
        let hash = key.kind().hash(piece);
        if cache.long(hash, piece, out) {
            return;
        }
        self.encode(piece, key.kind(), &mut cache.scratch, out);
        if !cache.put_short(key, &out[first..]) {
            cache.put_long(hash, piece, &out[first..]);
        }
    }

    /// Appends the tokens of a pretoken of more than [`SHORT_SIZE_MAX`](cache::SHORT_SIZE_MAX) bytes.
    pub(crate) fn encode_long(
        &self,
        text: &[u8],
        start: usize,
        end: usize,
        cache: &mut Cache,
        out: &mut Vec<u32>,
    ) {
        // The end of a pretoken is a part of its last token.
        if matches!(self.symbols, Symbols::Words { .. }) && end - start > cache::LONG_SIZE_MAX {
            let piece = &text[start..end];
            return self.encode(piece, Piece::Pretoken, &mut cache.scratch, out);
        }
        // Words of alphabets come again and have few seams; runs of ideographs are the other way round.
        let is_word = text[start + 1] < 0xE3 || matches!(self.symbols, Symbols::Words { .. });
        if is_word && end - start <= cache::LONG_SIZE_MAX {
            return self.encode_word(&text[start..end], Piece::Pretoken, cache, out);
        }
        if self.takes_whole_tokens
            && let Some(id) = self.vocab.id(&text[start..end])
        {
            return out.push(id);
        }
        let upto_end = &text[..end];
        let mut at = start;
        while at < end {
            let next = self.seams.next(upto_end, at);
            if next - at <= cache::SHORT_SIZE_MAX {
                let key = Key::new(text, at, next - at, Piece::Part);
                self.encode_short(text, at, (key, key.hash()), cache, out);
            } else if next - at <= cache::LONG_SIZE_MAX {
                self.encode_word(&text[at..next], Piece::Part, cache, out);
            } else {
                self.encode(&text[at..next], Piece::Part, &mut cache.scratch, out);
            }
            at = next;
        }
    }

    fn encode_word(&self, piece: &[u8], kind: Piece, cache: &mut Cache, out: &mut Vec<u32>) {
        let hash = kind.hash(piece);
        if !cache.long(hash, piece, out) {
            let first = out.len();
            self.encode(piece, kind, &mut cache.scratch, out);
            cache.put_long(hash, piece, &out[first..]);
        }
    }

    /// Appends the tokens of `piece` to `out`. Time is n log n for n bytes.
    fn encode(&self, piece: &[u8], kind: Piece, scratch: &mut Scratch, out: &mut Vec<u32>) {
        if self.takes_whole_tokens
            && kind == Piece::Pretoken
            && let Some(id) = self.vocab.id(piece)
        {
            return out.push(id);
        }
        self.merge(piece, scratch);
        out.extend(scratch.symbols.iter().map(|symbol| symbol.id));
    }

    /// Gives the tokens of `piece` and their ranges in it.
    pub(crate) fn encode_ranges(
        &self,
        piece: &[u8],
        scratch: &mut Scratch,
        mut emit: impl FnMut(u32, usize, usize),
    ) {
        if self.takes_whole_tokens
            && let Some(id) = self.vocab.id(piece)
        {
            return emit(id, 0, piece.len());
        }
        self.merge(piece, scratch);
        for (at, symbol) in scratch.symbols.iter().enumerate() {
            let next = scratch.symbols.get(at + 1);
            let end = next.map_or(piece.len(), |next| next.start as usize);
            emit(symbol.id, symbol.start as usize, end);
        }
    }

    /// Merges the symbols of `piece`.
    fn merge(&self, piece: &[u8], scratch: &mut Scratch) {
        let Scratch { symbols, queue, .. } = scratch;
        symbols.clear();
        self.symbols(piece, symbols);
        match &self.merges {
            Merges::Pairs(pairs) => {
                merge::merge(symbols, queue, |left, right, _, _| pairs.get(left, right));
            }
            Merges::Ranks => {
                let size = piece.len() as u32;
                merge::merge(symbols, queue, |_, _, start, end| {
                    self.vocab
                        .rank(&piece[start as usize..end.min(size) as usize])
                });
            }
        }
    }

    fn symbols(&self, piece: &[u8], out: &mut Vec<Symbol>) {
        match &self.symbols {
            Symbols::Bytes(ids) => {
                out.extend(piece.iter().zip(0..).map(|(&byte, start)| Symbol {
                    start,
                    id: ids[byte as usize],
                }));
            }
            Symbols::Words { inner, last, .. } => {
                out.extend(piece.iter().zip(0..).map(|(&byte, start)| Symbol {
                    start,
                    id: inner[byte as usize],
                }));
                if let (Some(symbol), Some(&byte)) = (out.last_mut(), piece.last()) {
                    symbol.id = last[byte as usize];
                }
            }
            &Symbols::Unknown { id, fuses } => {
                let (mut at, mut was_unknown) = (0, false);
                while at < piece.len() {
                    let size = utf8_size(piece[at]).min(piece.len() - at);
                    let known = self.vocab.id(&piece[at..at + size]);
                    if known.is_some() || !was_unknown || !fuses {
                        out.push(Symbol {
                            start: at as u32,
                            id: known.unwrap_or(id),
                        });
                    }
                    was_unknown = known.is_none();
                    at += size;
                }
            }
            Symbols::Chars(fallback) => {
                let mut at = 0;
                while at < piece.len() {
                    let size = utf8_size(piece[at]).min(piece.len() - at);
                    match self.vocab.id(&piece[at..at + size]) {
                        Some(id) => out.push(Symbol {
                            start: at as u32,
                            id,
                        }),
                        None => out.extend((at..at + size).map(|at| Symbol {
                            start: at as u32,
                            id: fallback[piece[at] as usize],
                        })),
                    }
                    at += size;
                }
            }
        }
    }
}

/// The size of the character that starts with `first`.
pub(crate) fn utf8_size(first: u8) -> usize {
    match first {
        0..0xC0 => 1,
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        _ => 4,
    }
}
