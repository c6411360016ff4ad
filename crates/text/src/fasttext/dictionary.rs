//! The words, labels and n-grams of a model, and the rows of its input matrix that a text stands for.

use super::Settings;
use super::buckets::{Modulus, Pruned};
use super::reader::Reader;
use crate::error::Error;
use crate::limits::{MODEL_LABELS_MAX, MODEL_WORDS_MAX};

/// What ends a line, and the last word of every text.
const LINE_END: &[u8] = b"</s>";
/// What a label begins with.
pub(super) const LABEL_PREFIX: &[u8] = b"__label__";

/// Rows of so many words are found beforehand, unless they are too many.
const KNOWN_WORDS_MAX: usize = 1 << 16;
const KNOWN_ROWS_MAX: usize = 1 << 22;
/// Rows of a long word are handed on by about so many.
const ROWS_AT_ONCE: usize = 1 << 12;

pub(super) struct Dictionary {
    settings: Settings,
    /// The bytes of all words and labels, one behind the other.
    bytes: Vec<u8>,
    /// Where each one begins, and the end.
    starts: Vec<u32>,
    words: usize,
    /// Words by hash: open addressing; 0 is free, other values are one more than the word's number.
    slots: Vec<u32>,
    grams: Grams,
    modulus: Modulus,
    /// Where the rows of the first words are in `known_rows`.
    known: Vec<u32>,
    known_rows: Vec<u32>,
    /// Names of the labels, less [`LABEL_PREFIX`], and how often each was seen.
    pub(super) labels: Vec<(String, i64)>,
}

/// What is found of one word.
#[derive(Default)]
struct Buffers {
    rows: Vec<u32>,
    hashes: Vec<u32>,
    word: Vec<u8>,
}

/// Where the rows of n-grams are.
enum Grams {
    /// Nowhere: all were pruned.
    None,
    /// An n-gram's row is its hash modulo the number of buckets.
    All,
    /// Only these buckets are left, and have these rows.
    Some(Pruned),
}

impl Dictionary {
    pub(super) fn read(reader: &mut Reader<'_>, settings: Settings) -> Result<Self, Error> {
        let what = "the number of words";
        let size = reader.count(MODEL_WORDS_MAX, "MODEL_WORDS_MAX", what)?;
        let words = reader.count(size, what, "the number of words that are no labels")?;
        let labels = reader.count(MODEL_LABELS_MAX, "MODEL_LABELS_MAX", "the number of labels")?;
        if words + labels != size {
            return Err(Error::corrupt(format!(
                "cannot read a fastText model: {words} words and {labels} labels are not {size}"
            )));
        }
        reader.i64("the number of tokens")?;
        let pruned = reader.i64("the number of n-grams")?;
        let mut dictionary = Self {
            settings,
            bytes: Vec::new(),
            starts: vec![0],
            words,
            slots: Vec::new(),
            grams: Grams::All,
            modulus: Modulus::new(settings.buckets),
            known: Vec::new(),
            known_rows: Vec::new(),
            labels: Vec::new(),
        };
        for at in 0..size {
            dictionary.read_entry(reader, at < words)?;
        }
        dictionary.grams = match usize::try_from(pruned) {
            Err(_) => Grams::All,
            Ok(0) => Grams::None,
            Ok(count) => Grams::Some(Pruned::read(reader, count)?),
        };
        dictionary.index();
        dictionary.know();
        Ok(dictionary)
    }

    /// The number of rows that texts ask for.
    pub(super) fn rows(&self) -> usize {
        self.words
            + match &self.grams {
                Grams::All if self.settings.has_grams() => self.settings.buckets as usize,
                Grams::None | Grams::All => 0,
                Grams::Some(pruned) => pruned.rows,
            }
    }

    pub(super) fn is_pruned(&self) -> bool {
        !matches!(self.grams, Grams::All)
    }

    /// Gives `found` the rows of every word and n-gram of the text, which is one line, in their order.
    pub(super) fn rows_of(&self, text: &[u8], mut found: impl FnMut(&[u32])) {
        let (mut hashes, mut buffers) = (Vec::new(), Buffers::default());
        let is_space = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ' | 0);
        let words = text.split(is_space).filter(|word| !word.is_empty());
        for word in words.chain([LINE_END]) {
            let hash = hash(word);
            let number = self.find(word, hash);
            let is_label = match number {
                Some(number) => number >= self.words,
                None => word.starts_with(LABEL_PREFIX),
            };
            if !is_label {
                match number.and_then(|number| self.rows_of_known(number)) {
                    Some(rows) => found(rows),
                    None => self.rows_of_word(word, number, &mut buffers, &mut found),
                }
                if self.settings.word_grams > 1 {
                    hashes.push(hash);
                }
            }
            if word == LINE_END {
                break;
            }
        }
        self.word_grams_of(&hashes, &mut buffers.rows, &mut found);
    }

    fn rows_of_known(&self, number: usize) -> Option<&[u32]> {
        let (start, end) = (self.known.get(number)?, self.known.get(number + 1)?);
        Some(&self.known_rows[*start as usize..*end as usize])
    }

    /// The rows of a word: its own, if it has a number, and those of its n-grams.
    fn rows_of_word(
        &self,
        word: &[u8],
        number: Option<usize>,
        buffers: &mut Buffers,
        found: &mut impl FnMut(&[u32]),
    ) {
        buffers.rows.clear();
        buffers.rows.extend(number.map(|number| number as u32));
        if self.settings.gram_max > 0 && word != LINE_END {
            self.grams_of(word, buffers, found);
        }
        found(&buffers.rows);
        buffers.rows.clear();
    }

    /// The n-grams of characters of a word between angle brackets.
    fn grams_of(&self, word: &[u8], buffers: &mut Buffers, found: &mut impl FnMut(&[u32])) {
        let Buffers {
            rows,
            hashes,
            word: padded,
        } = buffers;
        padded.clear();
        padded.push(b'<');
        padded.extend_from_slice(word);
        padded.push(b'>');
        let is_ascii = word.is_ascii();
        for start in 0..padded.len() {
            let rest = &padded[start..];
            if is_ascii {
                self.grams_at(rest, |_| true, start == 0, hashes);
            } else if is_first(rest[0]) {
                let is_end = |at: usize| rest.get(at + 1).is_none_or(|&next| is_first(next));
                self.grams_at(rest, is_end, start == 0, hashes);
            }
            if hashes.len() >= ROWS_AT_ONCE {
                self.rows_of_hashes(hashes, rows);
                found(rows);
                rows.clear();
            }
        }
        self.rows_of_hashes(hashes, rows);
    }

    /// The n-grams that begin at the front of these bytes, where `is_end` says which of them end a character.
    #[inline]
    fn grams_at(
        &self,
        bytes: &[u8],
        is_end: impl Fn(usize) -> bool,
        is_start: bool,
        hashes: &mut Vec<u32>,
    ) {
        let (mut hash, mut length) = (HASH_START, 0);
        for (at, &byte) in bytes.iter().enumerate() {
            hash = hash_byte(hash, byte);
            if !is_end(at) {
                continue;
            }
            length += 1;
            let is_bracket = length == 1 && (is_start || at + 1 == bytes.len());
            if length >= self.settings.gram_min && !is_bracket {
                hashes.push(hash);
            }
            if length == self.settings.gram_max {
                return;
            }
        }
    }

    /// Adds the rows of n-grams to `rows`, and empties `hashes`.
    fn rows_of_hashes(&self, hashes: &mut Vec<u32>, rows: &mut Vec<u32>) {
        if let Grams::Some(pruned) = &self.grams {
            // First all that are surely not there go, without a branch: nobody could foresee it.
            let mut kept = 0;
            for at in 0..hashes.len() {
                let bucket = self.modulus.of(u64::from(hashes[at]));
                hashes[kept] = bucket;
                kept += usize::from(pruned.may_have(bucket));
            }
            let found = hashes[..kept]
                .iter()
                .filter_map(|&bucket| pruned.row(bucket));
            rows.extend(found.map(|row| self.words as u32 + row));
        } else {
            let found = hashes
                .iter()
                .filter_map(|&hash| self.row_of(u64::from(hash)));
            rows.extend(found);
        }
        hashes.clear();
    }

    fn word_grams_of(&self, hashes: &[u32], rows: &mut Vec<u32>, found: &mut impl FnMut(&[u32])) {
        // The hashes are signed where the format is at home, and so are widened with their sign.
        let wide = |hash: u32| hash as i32 as u64;
        for (at, &first) in hashes.iter().enumerate() {
            let mut hash = wide(first);
            for &next in hashes[at + 1..].iter().take(self.settings.word_grams - 1) {
                hash = hash.wrapping_mul(116_049_371).wrapping_add(wide(next));
                rows.extend(self.row_of(hash));
            }
            found(rows);
            rows.clear();
        }
    }

    #[inline]
    fn row_of(&self, hash: u64) -> Option<u32> {
        let bucket = || self.modulus.of(hash);
        let row = match &self.grams {
            Grams::All => Some(bucket()),
            Grams::Some(pruned) => pruned.row(bucket()),
            Grams::None => None,
        };
        row.map(|row| self.words as u32 + row)
    }

    /// Finds the rows of the first words, which are the most frequent ones.
    fn know(&mut self) {
        let (mut ends, mut all, mut buffers) = (vec![0], Vec::new(), Buffers::default());
        for number in 0..self.words.min(KNOWN_WORDS_MAX) {
            let add = &mut |rows: &[u32]| all.extend_from_slice(rows);
            self.rows_of_word(self.word(number), Some(number), &mut buffers, add);
            if all.len() > KNOWN_ROWS_MAX {
                break;
            }
            ends.push(all.len() as u32);
        }
        (self.known, self.known_rows) = (ends, all);
    }

    fn read_entry(&mut self, reader: &mut Reader<'_>, is_word: bool) -> Result<(), Error> {
        let word = reader.text("a word")?;
        let count = reader.i64("how often a word occurs")?;
        let kind = reader.u8("the kind of a word")?;
        if kind != u8::from(!is_word) {
            return Err(Error::corrupt(format!(
                "cannot read a fastText model: `{}` is of kind {kind} where words come before labels",
                String::from_utf8_lossy(word)
            )));
        }
        self.bytes.extend_from_slice(word);
        let end = u32::try_from(self.bytes.len())
            .map_err(|_| Error::limit("cannot read a fastText model: its words exceed 4 GiB"))?;
        self.starts.push(end);
        if !is_word {
            let name = word.strip_prefix(LABEL_PREFIX).unwrap_or(word);
            let name = std::str::from_utf8(name).map_err(|_| {
                Error::corrupt("cannot read a fastText model: the name of a label is not UTF-8")
            })?;
            self.labels.push((name.to_owned(), count));
        }
        Ok(())
    }

    fn index(&mut self) {
        let size = self.starts.len() - 1;
        self.slots = vec![0; (2 * size).next_power_of_two()];
        for at in 0..size {
            let word = self.word(at);
            let mut slot = self.first_slot(hash(word));
            // Of equal words the first counts.
            while self.slots[slot] != 0 && self.word(self.slots[slot] as usize - 1) != word {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            if self.slots[slot] == 0 {
                self.slots[slot] = at as u32 + 1;
            }
        }
    }

    fn word(&self, at: usize) -> &[u8] {
        &self.bytes[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    fn first_slot(&self, hash: u32) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn find(&self, word: &[u8], hash: u32) -> Option<usize> {
        let mut slot = self.first_slot(hash);
        loop {
            let at = (*self.slots.get(slot)?).checked_sub(1)? as usize;
            if self.word(at) == word {
                return Some(at);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}

const HASH_START: u32 = 2_166_136_261;

/// FNV-1a, with bytes widened with their sign.
#[inline]
fn hash_byte(hash: u32, byte: u8) -> u32 {
    (hash ^ (byte as i8 as u32)).wrapping_mul(16_777_619)
}

/// Whether a byte begins a character.
fn is_first(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

fn hash(word: &[u8]) -> u32 {
    word.iter()
        .fold(HASH_START, |hash, &byte| hash_byte(hash, byte))
}
