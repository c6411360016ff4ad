//! Shingles: what two documents have in common is counted in runs of `n` tokens.
//!
//! A token is a run of letters (Unicode's general category L), decimal digits (Nd) and `_`, in lower
//! case by the simple mapping of one character to one. A shingle is `n` tokens in a row, joined by one
//! space, as the 64-bit xxh3 of that text. So any program with xxhash can make the same numbers.

use crate::marks::MARKS;
use std::sync::OnceLock;
use xxhash_rust::xxh3::xxh3_64;
use xxhash_rust::xxh64::xxh64;

/// The hash of a shingle's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextHash {
    Xxh3,
    Xxh64,
}

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// So many of them must be ASCII for this to pay.
const FEW: usize = 8;

/// Bytes that are copied together.
const COPY: usize = 16;

/// The scratch memory of one thread that shingles documents: some four times the longest text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shingler {
    /// Tokens in lower case with one space after each, then what an earlier text left.
    normal: Vec<u8>,
    /// Where each token starts in `normal`, and where the next would; then what was left.
    starts: Vec<u32>,
    /// How many tokens there are.
    tokens: usize,
}

impl Shingler {
    /// Puts the hash of each shingle of `text` in `out`, in order and with repeats. A text of fewer
    /// than `n` tokens has none.
    pub(crate) fn text(&mut self, text: &str, n: usize, hash: TextHash, out: &mut Vec<u64>) {
        // Lower case takes at most three bytes for two, and a token at least a byte and a break.
        self.normal
            .resize(self.normal.len().max(text.len() / 2 * 3 + 2 * COPY), 0);
        self.starts
            .resize(self.starts.len().max(text.len() / 2 + 16), 0);
        let mut state = State::default();
        let bytes = text.as_bytes();
        let mut from = 0;
        while from < bytes.len() {
            let block = bytes[from..].first_chunk::<BLOCK>();
            if let Some(block) = block.filter(|block| block[..FEW].is_ascii()) {
                from += self.block(&mut state, block);
            } else if bytes[from] < 0x80 {
                self.ascii(&mut state, bytes[from]);
                from += 1;
            } else {
                let c = text[from..]
                    .chars()
                    .next()
                    .expect("a character starts here");
                self.other(&mut state, c);
                from += c.len_utf8();
            }
        }
        self.ascii(&mut state, b' ');
        self.starts[state.token] = state.at as u32;
        self.tokens = state.token;
        self.hash(n, hash, out);
    }

    /// The same for tokens that the caller has made; they are taken as they are.
    pub(crate) fn tokens<'a>(
        &mut self,
        tokens: impl Iterator<Item = &'a str>,
        n: usize,
        hash: TextHash,
        out: &mut Vec<u64>,
    ) {
        self.normal.clear();
        self.starts.clear();
        for token in tokens {
            self.starts.push(self.normal.len() as u32);
            self.normal.extend_from_slice(token.as_bytes());
            self.normal.push(b' ');
        }
        self.tokens = self.starts.len();
        self.starts.push(self.normal.len() as u32);
        self.hash(n, hash, out);
    }

    /// Takes the ASCII that a block begins with, token by token; gives its size.
    fn block(&mut self, state: &mut State, block: &[u8; BLOCK]) -> usize {
        // Tokens are copied by more than they have, which what follows overwrites.
        let mut lower = [0; BLOCK + COPY];
        for (lower, byte) in lower.iter_mut().zip(block) {
            *lower = byte | u8::from(byte.is_ascii_uppercase()) << 5;
        }
        let size = mask(block, |byte| !byte.is_ascii()).trailing_zeros() as usize;
        let mut tokens = mask(block, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if size < BLOCK {
            tokens &= (1 << size) - 1;
        }
        if state.in_token && tokens & 1 == 0 {
            self.end(state);
        }
        while tokens != 0 {
            let start = tokens.trailing_zeros() as usize;
            let length = (tokens >> start).trailing_ones() as usize;
            if !state.in_token {
                (state.start, state.in_token) = (state.at, true);
            }
            for copied in (0..length).step_by(COPY) {
                let part = &lower[start + copied..][..COPY];
                self.normal[state.at + copied..][..COPY].copy_from_slice(part);
            }
            state.at += length;
            if start + length == size {
                break;
            }
            self.end(state);
            // The bit above the token's is clear, and carries no further.
            tokens &= tokens.wrapping_add(1 << start);
        }
        size
    }

    /// Ends a token.
    fn end(&mut self, state: &mut State) {
        self.normal[state.at] = b' ';
        self.starts[state.token] = state.start as u32;
        state.token += 1;
        state.at += 1;
        state.in_token = false;
    }

    /// Takes a byte of a token, or a break, without a branch: what is not wanted is overwritten.
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "a branch here is mispredicted at each token"
    )]
    #[inline]
    fn ascii(&mut self, state: &mut State, byte: u8) {
        let lower = LOWER[usize::from(byte)];
        let is_token = lower != b' ';
        self.normal[state.at] = lower;
        state.start = if state.in_token {
            state.start
        } else {
            state.at
        };
        self.starts[state.token] = state.start as u32;
        state.token += usize::from(state.in_token & !is_token);
        state.at += usize::from(state.in_token | is_token);
        state.in_token = is_token;
    }

    fn other(&mut self, state: &mut State, c: char) {
        let plain = PLANE.get_or_init(plane).get(c as usize).copied();
        match plain.unwrap_or(SLOW) {
            BREAK => self.ascii(state, b' '),
            SLOW if !is_token(c) => self.ascii(state, b' '),
            SLOW => self.append(state, lower(c)),
            lower => self.append(state, char::from_u32(lower.into()).unwrap_or(c)),
        }
    }

    fn append(&mut self, state: &mut State, lower: char) {
        state.start = if state.in_token {
            state.start
        } else {
            state.at
        };
        state.at += lower.encode_utf8(&mut self.normal[state.at..]).len();
        state.in_token = true;
    }

    fn hash(&self, n: usize, hash: TextHash, out: &mut Vec<u64>) {
        out.clear();
        let windows = self.starts[..=self.tokens].windows(n + 1);
        out.extend(windows.map(|window| {
            // Without the space after the last token.
            let text = &self.normal[window[0] as usize..window[n] as usize - 1];
            match hash {
                TextHash::Xxh3 => xxh3_64(text),
                TextHash::Xxh64 => xxh64(text, 0),
            }
        }));
    }
}

/// A bit for each byte of which `is` is true.
#[inline]
fn mask(block: &[u8; BLOCK], is: impl Fn(u8) -> bool) -> u64 {
    let ones = block.map(|byte| u8::from(is(byte)));
    let (mut mask, parts) = (0, ones.as_chunks::<8>().0);
    for (at, part) in parts.iter().enumerate() {
        // Moves the lowest bits of eight bytes into one byte.
        let packed = u64::from_le_bytes(*part).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= packed << (8 * at);
    }
    mask
}

/// Where the next byte goes, where the token began that it is in, if it is in one, and its number.
#[derive(Default)]
struct State {
    at: usize,
    start: usize,
    token: usize,
    in_token: bool,
}

/// An ASCII byte of a token in lower case, or a space for a break.
const LOWER: [u8; 256] = {
    let mut lower = [b' '; 256];
    let mut byte = 0u8;
    while byte < 0x80 {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            lower[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    lower
};

/// The characters of the Basic Multilingual Plane in lower case, or `BREAK`, or `SLOW`: a letter
/// that leaves the plane. 128 KiB, made in some milliseconds.
static PLANE: OnceLock<Vec<u16>> = OnceLock::new();
const BREAK: u16 = 0;
const SLOW: u16 = 1;

fn plane() -> Vec<u16> {
    let entry = |code: u32| {
        let Some(c) = char::from_u32(code).filter(|&c| is_token(c)) else {
            return BREAK;
        };
        u16::try_from(lower(c) as u32).unwrap_or(SLOW)
    };
    (0..0x1_0000).map(entry).collect()
}

/// Whether a character beyond ASCII belongs to a token.
fn is_token(c: char) -> bool {
    let code = c as u32;
    let is_mark = || {
        let after = MARKS.partition_point(|&(first, _)| first <= code);
        after > 0 && code <= MARKS[after - 1].1
    };
    c.is_alphanumeric() && !is_mark()
}

/// The simple mapping. Of the characters that the full one makes of a character, which are several for
/// `İ` alone, it is the first.
fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shingles(text: &str, n: usize) -> Vec<u64> {
        let mut out = Vec::new();
        Shingler::default().text(text, n, TextHash::Xxh3, &mut out);
        out
    }

    /// The definition, slowly.
    fn twin(text: &str, n: usize) -> Vec<u64> {
        let tokens: Vec<String> = text
            .split(|c: char| !(c == '_' || is_token(c)))
            .filter(|token| !token.is_empty())
            .map(|token| token.chars().map(lower).collect())
            .collect();
        let join = |window: &[String]| xxh3_64(window.join(" ").as_bytes());
        tokens.windows(n).map(join).collect()
    }

    #[test]
    fn a_shingle_is_the_xxh3_of_its_joined_tokens() {
        let expected = vec![xxh3_64("it_s a ÄÖ 1".to_lowercase().as_bytes())];
        assert_eq!(shingles("  It_s -- A\tÄÖ…1\n", 4), expected);
    }

    #[test]
    fn marks_and_other_numbers_end_a_token() {
        for (c, expected) in [('é', true), ('語', true), ('٣', true), ('𝟗', true)]
            .into_iter()
            .chain([
                ('ि', false),
                ('\u{301}', false),
                ('²', false),
                ('Ⅷ', false),
                ('ⓐ', false),
            ])
        {
            assert_eq!(is_token(c), expected, "{c}");
        }
        assert_eq!(lower('İ'), 'i');
        assert_eq!(shingles("a İ²b", 3), [xxh3_64(b"a i b")]);
    }

    #[test]
    fn a_text_with_fewer_than_n_tokens_has_no_shingles() {
        for text in ["", "…", "one two", "a b c d"] {
            assert_eq!(shingles(text, 5), [], "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_way_is_the_definition(text in "\\PC*|[a-cA-C _ßİΣ…\u{301}語\u{2028}]{0,80}|([a-zA-Z0-9_ .,-]{0,90}[ß… ]?){0,4}", n in 1usize..6) {
            prop_assert_eq!(shingles(&text, n), twin(&text, n));
        }
    }
}
