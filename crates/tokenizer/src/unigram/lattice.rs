//! The best cut of a text into pieces: Viterbi's algorithm over the pieces that start at each
//! character (Kudo, 2018).

use crate::Error;
use crate::limits::{TOKEN_SIZE_MAX, VOCAB_SIZE_MAX};
use crate::trie::Trie;

/// How much worse than the worst piece an unknown character is.
const UNKNOWN_PENALTY: f64 = 10.0;

/// Bytes after which the path so far is settled where all paths meet, so that memory is bounded.
const SETTLE_SIZE: usize = 1 << 12;

/// Marks a place that no path has reached.
const UNREACHED: u32 = u32::MAX;

/// The pieces of a vocabulary and their scores.
#[derive(Debug)]
pub(crate) struct Pieces {
    trie: Trie,
    scores: Vec<f64>,
    unknown: u32,
    unknown_score: f64,
    /// The piece of each byte of what is unknown, where the model has them.
    bytes: Option<Box<[Option<u32>; 256]>>,
}

/// Memory that is reused from text to text.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    places: Vec<Place>,
    path: Vec<Arc>,
}

/// The best path to a place of the text.
#[derive(Clone, Copy, Debug)]
struct Place {
    score: f64,
    /// Where its last piece starts, from the last settled place.
    start: u32,
    id: u32,
}

const NOWHERE: Place = Place {
    score: 0.0,
    start: UNREACHED,
    id: 0,
};

/// A piece and its range in the text.
#[derive(Clone, Copy, Debug)]
struct Arc {
    id: u32,
    start: usize,
    end: usize,
}

impl Pieces {
    /// Builds the lattice's tables; the id of a piece is its place in the list.
    pub(crate) fn new(
        pieces: &[(&str, f64)],
        unknown: u32,
        has_bytes: bool,
    ) -> Result<Self, Error> {
        if pieces.len() >= VOCAB_SIZE_MAX as usize {
            return Err(Error::limit(format!(
                "it has {} tokens, VOCAB_SIZE_MAX is {VOCAB_SIZE_MAX}",
                pieces.len()
            )));
        }
        let is_long = |&id: &usize| pieces[id].0.len() > TOKEN_SIZE_MAX;
        if let Some(id) = (0..pieces.len()).find(is_long) {
            return Err(Error::limit(format!(
                "the token with id {id} has {} bytes, TOKEN_SIZE_MAX is {TOKEN_SIZE_MAX}",
                pieces[id].0.len()
            )));
        }
        if unknown as usize >= pieces.len() {
            return Err(Error::corrupt(format!(
                "its unk_id {unknown} is not in the vocabulary"
            )));
        }
        let keys = pieces.iter().map(|(piece, _)| piece.as_bytes()).zip(0..);
        let trie = Trie::new(keys)?;
        let lowest = pieces.iter().map(|(_, score)| *score);
        let lowest = lowest.fold(
            f64::INFINITY,
            |low, score| if score < low { score } else { low },
        );
        let byte = |byte: usize| trie.get(format!("<0x{byte:02X}>").as_bytes());
        Ok(Self {
            bytes: has_bytes.then(|| Box::new(std::array::from_fn(byte))),
            trie,
            scores: pieces.iter().map(|(_, score)| *score).collect(),
            unknown,
            unknown_score: lowest - UNKNOWN_PENALTY,
        })
    }

    /// The id of a piece; of equal ones the last.
    pub(crate) fn id(&self, piece: &[u8]) -> Option<u32> {
        self.trie.get(piece)
    }

    /// Gives the pieces of `text` in order, with their ranges. Unknown characters side by side are one
    /// piece. Time is linear, times the size of the longest piece at most.
    pub(crate) fn encode(
        &self,
        text: &str,
        scratch: &mut Scratch,
        mut emit: impl FnMut(u32, usize, usize),
    ) {
        let bytes = text.as_bytes();
        let Scratch { places, path } = scratch;
        places.clear();
        places.push(NOWHERE);
        // `base` is settled: the place of `at` is `places[at - base]`.
        let (mut base, mut at, mut reach) = (0, 0, 0);
        let mut unknown: Option<(usize, usize)> = None;
        while at < bytes.len() {
            if at == reach && at - base >= SETTLE_SIZE {
                let score = places[at - base].score;
                self.settle(text, base, places, path, &mut unknown, &mut emit);
                (base, places[0]) = (at, Place { score, ..NOWHERE });
                places.truncate(1);
            }
            let size = crate::bpe::utf8_size(bytes[at]);
            let score = places[at - base].score;
            let mut is_known = false;
            let mut put = |id, size: usize, by: f64| {
                let end = at + size - base;
                if places.len() <= end {
                    places.resize(end + 1, NOWHERE);
                }
                let place = &mut places[end];
                let score = by + score;
                if place.start == UNREACHED || score > place.score {
                    let start = (at - base) as u32;
                    *place = Place { score, start, id };
                }
                reach = reach.max(at + size);
            };
            self.trie.prefixes(&bytes[at..], |id, length| {
                put(id, length, self.scores[id as usize]);
                is_known |= length == size;
            });
            if !is_known {
                put(self.unknown, size, self.unknown_score);
            }
            at += size;
        }
        self.settle(text, base, places, path, &mut unknown, &mut emit);
        self.flush(text, &mut unknown, &mut emit);
    }

    /// Emits the best path from `base` to the last of `places`.
    fn settle(
        &self,
        text: &str,
        base: usize,
        places: &[Place],
        path: &mut Vec<Arc>,
        unknown: &mut Option<(usize, usize)>,
        emit: &mut impl FnMut(u32, usize, usize),
    ) {
        path.clear();
        let mut end = places.len() - 1;
        while end > 0 {
            let Place { start, id, .. } = places[end];
            path.push(Arc {
                id,
                start: base + start as usize,
                end: base + end,
            });
            end = start as usize;
        }
        for &Arc { id, start, end } in path.iter().rev() {
            if id == self.unknown {
                *unknown = Some((unknown.map_or(start, |known| known.0), end));
            } else {
                self.flush(text, unknown, emit);
                emit(id, start, end);
            }
        }
    }

    /// Emits what is unknown: the piece of that text after all, or its bytes, or the unknown piece.
    fn flush(
        &self,
        text: &str,
        unknown: &mut Option<(usize, usize)>,
        emit: &mut impl FnMut(u32, usize, usize),
    ) {
        let Some((start, end)) = unknown.take() else {
            return;
        };
        let bytes = &text.as_bytes()[start..end];
        if let Some(id) = self.id(bytes) {
            return emit(id, start, end);
        }
        if let Some(ids) = &self.bytes
            && bytes.iter().all(|&byte| ids[byte as usize].is_some())
        {
            let ids = bytes.iter().filter_map(|&byte| ids[byte as usize]);
            return ids.for_each(|id| emit(id, start, end));
        }
        emit(self.unknown, start, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The best score of all cuts, by trying them.
    fn best(pieces: &[(&str, f64)], text: &str) -> f64 {
        if text.is_empty() {
            return 0.0;
        }
        let size = text.chars().next().unwrap().len_utf8();
        let lowest = pieces
            .iter()
            .map(|piece| piece.1)
            .fold(f64::INFINITY, f64::min);
        let known = pieces.iter().filter(|piece| text.starts_with(piece.0));
        let mut scores: Vec<f64> = known
            .clone()
            .map(|piece| piece.1 + best(pieces, &text[piece.0.len()..]))
            .collect();
        if known.clone().all(|piece| piece.0.len() != size) {
            scores.push(lowest - UNKNOWN_PENALTY + best(pieces, &text[size..]));
        }
        scores.into_iter().fold(f64::NEG_INFINITY, f64::max)
    }

    fn encode(pieces: &Pieces, text: &str) -> Vec<(u32, usize, usize)> {
        let mut found = Vec::new();
        let mut scratch = Scratch::default();
        pieces.encode(text, &mut scratch, |id, start, end| {
            found.push((id, start, end));
        });
        found
    }

    #[test]
    fn unknown_characters_are_one_piece_or_their_bytes() {
        let list = [
            ("<unk>", 0.0),
            ("a", -1.0),
            ("<0xC3>", -9.0),
            ("<0xA9>", -9.0),
        ];
        let pieces = Pieces::new(&list, 0, false).unwrap();
        assert_eq!(encode(&pieces, "xya"), [(0, 0, 2), (1, 2, 3)]);
        assert_eq!(encode(&pieces, ""), []);
        let pieces = Pieces::new(&list, 0, true).unwrap();
        assert_eq!(encode(&pieces, "aé"), [(1, 0, 1), (2, 1, 3), (3, 1, 3)]);
        assert_eq!(
            encode(&pieces, "aéx"),
            [(1, 0, 1), (0, 1, 4)],
            "x has no piece"
        );
    }

    #[test]
    fn settling_early_changes_nothing() {
        let list = [
            ("<unk>", 0.0),
            ("ab", -1.0),
            ("a", -2.0),
            ("b", -2.5),
            ("ba", -0.5),
        ];
        let pieces = Pieces::new(&list, 0, false).unwrap();
        let text = "abbaxyz".repeat(SETTLE_SIZE);
        let one = encode(&pieces, "abbaxyz");
        let many = encode(&pieces, &text);
        let shifted = (0..SETTLE_SIZE).flat_map(|at| {
            one.iter()
                .map(move |&(id, start, end)| (id, start + 7 * at, end + 7 * at))
        });
        assert!(many.into_iter().eq(shifted));
        assert_eq!(encode(&pieces, &"x".repeat(3 * SETTLE_SIZE)).len(), 1);
    }

    proptest! {
        #[test]
        fn the_path_is_the_best_of_all(
            pieces in prop::collection::vec(("[abé]{1,3}", -20.0..0.0f64), 0..12),
            text in "[abéx]{0,9}",
        ) {
            let mut list = vec![("<unk>", 0.0)];
            let unique: std::collections::HashMap<_, _> =
                pieces.iter().map(|(piece, score)| (piece.as_str(), *score)).collect();
            list.extend(unique);
            let pieces = Pieces::new(&list, 0, false).unwrap();
            let found = encode(&pieces, &text);
            let score: f64 = found.iter().map(|&(id, start, end)| match id {
                0 => pieces.unknown_score * text[start..end].chars().count() as f64,
                id => list[id as usize].1,
            }).sum();
            prop_assert!((score - best(&list, &text)).abs() < 1e-9);
            let ends = found.iter().map(|arc| arc.2);
            prop_assert!(found.iter().map(|arc| arc.1).eq(std::iter::once(0).chain(ends).take(found.len())));
        }
    }
}
