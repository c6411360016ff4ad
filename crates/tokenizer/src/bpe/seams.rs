//! Where no token of the vocabulary can reach across: a pretoken is cut there before it is merged,
//! and its parts are looked up one by one. Scripts without spaces become short pieces in this way.

use super::vocab::{Vocab, fold};

const BITS: usize = 1 << 20;

/// Marks a neighbour beyond the end of a token.
const ANY: u32 = 0x100;

/// The contexts in which tokens go on: two bytes before a seam and two after it. A set of hashes, so
/// that a seam may be missed but never invented.
#[derive(Debug)]
pub(crate) struct Seams {
    bits: Box<[u64]>,
}

impl Seams {
    pub(crate) fn new(vocab: &Vocab) -> Self {
        let mut seams = Self {
            bits: vec![0; BITS / 64].into(),
        };
        for id in 0..vocab.len() as u32 {
            let token = vocab.token(id);
            for at in 1..token.len() {
                // Pieces are cut between characters only.
                if is_start(token[at]) {
                    let before = if at > 1 { token[at - 2] as u32 } else { ANY };
                    let after = token.get(at + 1).map_or(ANY, |&byte| byte as u32);
                    let bit = bit(before, token[at - 1], token[at], after);
                    seams.bits[bit / 64] |= 1 << (bit % 64);
                }
            }
        }
        seams
    }

    /// The first seam of `piece` after `from`, or its end.
    pub(crate) fn next(&self, piece: &[u8], from: usize) -> usize {
        let mut at = from + 1;
        while at < piece.len() {
            if is_start(piece[at]) && !self.may_go_on(piece, at) {
                return at;
            }
            at += 1;
        }
        piece.len()
    }

    fn may_go_on(&self, piece: &[u8], at: usize) -> bool {
        let before = if at > 1 { piece[at - 2] as u32 } else { ANY };
        let after = piece.get(at + 1).map_or(ANY, |&byte| byte as u32);
        let has = |before, after| {
            let bit = bit(before, piece[at - 1], piece[at], after);
            self.bits[bit / 64] & 1 << (bit % 64) != 0
        };
        has(before, after) || has(ANY, after) || has(before, ANY) || has(ANY, ANY)
    }
}

/// Whether a character of several bytes starts with `byte`, or is it.
fn is_start(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

fn bit(before: u32, left: u8, right: u8, after: u32) -> usize {
    let context = (before as u64) << 32 | (after as u64) << 16 | (left as u64) << 8 | right as u64;
    fold(context ^ 0x9E37_79B9_7F4A_7C15) as usize % BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seams_are_where_no_token_reaches_across() {
        let tokens = ["a", "b", "ab", "日本", "語", "語a"];
        let vocab = Vocab::new(6, tokens.iter().map(|token| token.as_bytes()).zip(0..)).unwrap();
        let seams = Seams::new(&vocab);
        let cut = |piece: &str| {
            let mut parts = Vec::new();
            let mut at = 0;
            while at < piece.len() {
                let end = seams.next(piece.as_bytes(), at);
                parts.push(piece[at..end].to_owned());
                at = end;
            }
            parts
        };
        assert_eq!(cut("日本語本日語ab"), ["日本", "語", "本", "日", "語ab"]);
        assert_eq!(cut("ba"), ["b", "a"]);
    }
}
