//! Repeated substrings (Lee et al. 2021, arXiv 2107.06499) by a suffix array.

use crate::corpus::{Bits, Corpus, Read};
use crate::error::Error;
use crate::limits;
use crate::suffix::{Symbol, suffix_array};

/// A part of a document, in bytes or tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The document's place in the list.
    pub document: usize,
    /// The first element.
    pub start: usize,
    /// The element after the last.
    pub end: usize,
}

/// Finds what is repeated.
///
/// An element is in a span if it is in a run of `length` elements of one document that occurs
/// before, wholly before, in the same document or one earlier in the list. So the first occurrence
/// stays, and a text that is removed can be read elsewhere in the corpus as it was.
///
/// ```
/// use nexus_dedup::{Span, Substrings};
/// let substrings = Substrings { length: 12, ..Substrings::default() };
/// let spans = substrings.of_texts(&["All rights reserved. One.", "Two. All rights reserved."])?;
/// assert_eq!(spans, [Span { document: 1, start: 5, end: 25 }]);
/// # Ok::<(), nexus_dedup::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Substrings {
    /// Least length of what counts as repeated, in bytes or tokens.
    pub length: usize,
    /// Memory beside the documents, in bytes. At twelve bytes a byte, or twenty a token, one pass is enough; with
    /// less the corpus is cut into `c` blocks and each pair is looked at, in `c * (c - 1) / 2`
    /// passes. The result is the same. The documents may be maps of files.
    pub memory_size: u64,
}

impl Default for Substrings {
    /// 100 bytes, 1 GiB.
    fn default() -> Self {
        Self {
            length: 100,
            memory_size: 1 << 30,
        }
    }
}

impl Substrings {
    /// The repeated spans of bytes, in order, none touching the next.
    ///
    /// # Errors
    /// `InvalidInput` for a length of 0; `LimitReached` for more than
    /// [`TEXT_LEN_MAX`](limits::TEXT_LEN_MAX) elements in one pass or less memory than
    /// [`MEMORY_SIZE_MIN`](limits::MEMORY_SIZE_MIN).
    pub fn of_bytes(&self, documents: &[&[u8]]) -> Result<Vec<Span>, Error> {
        self.of_slices(documents, |text| (text, 255))
    }

    /// The same for texts: a character that is not wholly in a span stays.
    ///
    /// # Errors
    /// As [`of_bytes`](Self::of_bytes).
    pub fn of_texts(&self, documents: &[&str]) -> Result<Vec<Span>, Error> {
        let bytes: Vec<&[u8]> = documents.iter().map(|text| text.as_bytes()).collect();
        let mut spans = self.of_bytes(&bytes)?;
        for span in &mut spans {
            let text = documents[span.document];
            span.start = text.ceil_char_boundary(span.start);
            span.end = text.floor_char_boundary(span.end);
        }
        spans.retain(|span| span.start < span.end);
        Ok(spans)
    }

    /// The same for tokens.
    ///
    /// # Errors
    /// As [`of_bytes`](Self::of_bytes).
    pub fn of_tokens(&self, documents: &[&[u32]]) -> Result<Vec<Span>, Error> {
        self.of_slices(documents, ranks)
    }

    /// The same for bytes that lie elsewhere, such as in files. `sizes` are those of the documents;
    /// `read` appends what lies from one place to another in all documents behind each other. Spans are
    /// given to `visit` in order. Here the memory is for all that is held: a quarter byte for each
    /// element and 16 bytes for each document, and the rest for the passes.
    ///
    /// # Errors
    /// As [`of_bytes`](Self::of_bytes), what `read` and `visit` return, and `LimitReached` where less
    /// than half of the memory is left for the passes.
    pub fn of_byte_source<E: From<Error>>(
        &self,
        sizes: &[u32],
        read: impl Fn(usize, usize, &mut Vec<u8>) -> Result<(), E>,
        visit: impl FnMut(Span) -> Result<(), E>,
    ) -> Result<(), E> {
        self.of_source(sizes, &read, |text| (text, 255), visit)
    }

    /// The same for tokens.
    ///
    /// # Errors
    /// As [`of_byte_source`](Self::of_byte_source).
    pub fn of_token_source<E: From<Error>>(
        &self,
        sizes: &[u32],
        read: impl Fn(usize, usize, &mut Vec<u32>) -> Result<(), E>,
        visit: impl FnMut(Span) -> Result<(), E>,
    ) -> Result<(), E> {
        self.of_source(sizes, &read, ranks, visit)
    }

    fn of_source<T: Symbol, E: From<Error>>(
        &self,
        sizes: &[u32],
        read: &Read<'_, T, E>,
        prepare: impl Fn(Vec<T>) -> (Vec<T>, u32),
        visit: impl FnMut(Span) -> Result<(), E>,
    ) -> Result<(), E> {
        let corpus = Corpus::new(sizes.iter().map(|&size| size as usize), self.length, read);
        let held = corpus.len as u64 / 4 + 16 * sizes.len() as u64;
        if held > self.memory_size / 2 {
            let (len, memory_size) = (corpus.len, self.memory_size);
            let message = format!(
                "cannot find repeats in {len} elements in {memory_size} bytes of memory: {held} are held all the time, which may be half of it"
            );
            return Err(Error::limit(message).with_hint("raise the memory").into());
        }
        let passes = Self {
            memory_size: self.memory_size - held,
            ..*self
        };
        passes.find(&corpus, prepare, visit)
    }

    fn of_slices<T: Symbol>(
        &self,
        documents: &[&[T]],
        prepare: impl Fn(Vec<T>) -> (Vec<T>, u32),
    ) -> Result<Vec<Span>, Error> {
        let sizes = documents.iter().map(|document| document.len());
        let read = Corpus::<T, Error>::reader(documents);
        let corpus = Corpus::new(sizes, self.length, &read);
        let mut spans = Vec::new();
        self.find(&corpus, prepare, |span| {
            spans.push(span);
            Ok(())
        })?;
        Ok(spans)
    }

    fn find<T: Symbol, E: From<Error>>(
        &self,
        corpus: &Corpus<'_, T, E>,
        prepare: impl Fn(Vec<T>) -> (Vec<T>, u32),
        visit: impl FnMut(Span) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.length == 0 {
            return Err(Error::invalid("cannot find repeats of length 0").into());
        }
        if self.memory_size < limits::MEMORY_SIZE_MIN {
            let (is, least) = (self.memory_size, limits::MEMORY_SIZE_MIN);
            return Err(Error::limit(format!(
                "cannot find repeats in {is} bytes of memory, the least is {least}"
            ))
            .into());
        }
        let mut starts = Bits::new(corpus.len);
        for block in self.blocks(corpus.len, T::MEMORY)? {
            let (text, largest) = prepare(corpus.read(&block)?);
            repeats(&text, largest, &block, corpus, &mut starts);
        }
        corpus.spans(&starts, visit)
    }

    /// What is looked at in each pass.
    fn blocks(&self, len: usize, element: u64) -> Result<Vec<Block>, Error> {
        let fits = (self.memory_size / element) as usize;
        if len <= fits {
            if len > limits::TEXT_LEN_MAX {
                let most = limits::TEXT_LEN_MAX;
                return Err(Error::limit(format!(
                    "cannot find repeats in {len} elements at once, the most is {most}"
                ))
                .with_hint("set a smaller memory, so that the corpus is cut into blocks"));
            }
            return Ok(vec![Block {
                ranges: [(0, len), (len, len)],
                overlap: 0,
            }]);
        }
        let overlap = self.length - 1;
        let half = (fits.min(limits::TEXT_LEN_MAX) / 2).saturating_sub(overlap);
        if half <= overlap {
            let (length, memory_size) = (self.length, self.memory_size);
            return Err(Error::limit(format!(
                "cannot find repeats of length {length} in {memory_size} bytes of memory"
            )));
        }
        let cut = |at: usize| (at * half, ((at + 1) * half).min(len));
        let count = len.div_ceil(half);
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        let block = |(a, b)| Block {
            ranges: [cut(a), cut(b)],
            overlap,
        };
        Ok(pairs.map(block).collect())
    }
}

/// Two ranges of the corpus. Runs that begin in them are looked at, so each is read a little
/// further.
pub(crate) struct Block {
    pub(crate) ranges: [(usize, usize); 2],
    pub(crate) overlap: usize,
}

impl Block {
    /// How many elements of the first range are read.
    fn first_len(&self, corpus_len: usize) -> usize {
        let (start, end) = self.ranges[0];
        (end + self.overlap).min(corpus_len) - start
    }

    /// The position in the corpus of a position in the block, if runs that begin there are looked
    /// at.
    fn position(&self, at: usize, first_len: usize) -> Option<usize> {
        let [(a, a_end), (b, b_end)] = self.ranges;
        if at < first_len {
            Some(a + at).filter(|&at| at < a_end)
        } else {
            Some(b + at - first_len).filter(|&at| at < b_end)
        }
    }
}

/// Marks in `starts` where a run begins that occurs wholly before.
fn repeats<T: Symbol, E>(
    text: &[T],
    largest: u32,
    block: &Block,
    corpus: &Corpus<'_, T, E>,
    starts: &mut Bits,
) {
    let array = suffix_array(text, largest);
    let same = like_the_one_before(text, &array, corpus.length());
    let inner = corpus.inner();
    let first_len = block.first_len(corpus.len);
    let position = |at: u32| {
        block
            .position(at as usize, first_len)
            .filter(|&at| inner.get(at))
    };
    let mut group = 0;
    while group < array.len() {
        let rest = &array[group + 1..];
        let more = rest.iter().take_while(|&&at| same.get(at as usize)).count();
        let members = &array[group..=group + more];
        if more > 0
            && let Some(first) = members.iter().copied().filter_map(position).min()
        {
            for at in members.iter().copied().filter_map(position) {
                if at >= first + corpus.length() {
                    starts.set(at);
                }
            }
        }
        group += more + 1;
    }
}

/// One bit for each suffix: whether it shares `length` elements with the one before it in the
/// array. By the array of predecessors (Kärkkäinen, Manzini, Puglisi 2009), in linear time.
fn like_the_one_before<T: Symbol>(text: &[T], array: &[u32], length: usize) -> Bits {
    const NONE: u32 = u32::MAX;
    let mut before = vec![NONE; text.len()];
    for pair in array.windows(2) {
        before[pair[1] as usize] = pair[0];
    }
    let mut same = Bits::new(text.len());
    let mut shared = 0;
    for (at, &before) in before.iter().enumerate() {
        if before == NONE {
            shared = 0;
            continue;
        }
        let (a, b) = (&text[at..], &text[before as usize..]);
        // What is shared at one position is shared but for one element at the next.
        while shared < length && a.get(shared).is_some_and(|x| b.get(shared) == Some(x)) {
            shared += 1;
        }
        if shared == length {
            same.set(at);
        }
        shared = shared.saturating_sub(1);
    }
    same
}

/// Replaces tokens by their ranks, so that the alphabet is no larger than the text.
fn ranks(mut tokens: Vec<u32>) -> (Vec<u32>, u32) {
    let mut distinct = tokens.clone();
    distinct.sort_unstable();
    distinct.dedup();
    for token in &mut tokens {
        *token = distinct.partition_point(|other| other < token) as u32;
    }
    (tokens, distinct.len().saturating_sub(1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// The definition, by a table of all runs.
    fn twin(documents: &[Vec<u8>], length: usize) -> Vec<Vec<bool>> {
        let mut firsts: HashMap<&[u8], usize> = HashMap::new();
        let mut removed: Vec<Vec<bool>> = documents.iter().map(|d| vec![false; d.len()]).collect();
        let mut base = 0;
        for (document, removed) in documents.iter().zip(&mut removed) {
            for (at, run) in document.windows(length).enumerate() {
                let first = *firsts.entry(run).or_insert(base + at);
                if base + at >= first + length {
                    removed[at..at + length].fill(true);
                }
            }
            base += document.len();
        }
        removed
    }

    fn paint(documents: &[Vec<u8>], spans: &[Span]) -> Vec<Vec<bool>> {
        let mut removed: Vec<Vec<bool>> = documents.iter().map(|d| vec![false; d.len()]).collect();
        for span in spans {
            removed[span.document][span.start..span.end].fill(true);
        }
        removed
    }

    proptest! {
        #[test]
        fn spans_are_those_of_the_definition(
            documents in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..60), 0..8),
            length in 1usize..9,
            block in 40usize..90,
        ) {
            let slices: Vec<&[u8]> = documents.iter().map(Vec::as_slice).collect();
            let substrings = Substrings { length, ..Substrings::default() };
            let expected = twin(&documents, length);
            let spans = substrings.of_bytes(&slices).unwrap();
            prop_assert_eq!(&paint(&documents, &spans), &expected);
            // In blocks: less memory than the public way allows, so that small texts need several.
            let substrings = Substrings { length, memory_size: block as u64 * u8::MEMORY };
            let read = Corpus::<u8, Error>::reader(&slices);
            let corpus = Corpus::new(slices.iter().map(|each| each.len()), length, &read);
            let mut starts = Bits::new(corpus.len);
            for block in substrings.blocks(corpus.len, u8::MEMORY).unwrap() {
                repeats(&corpus.read(&block).unwrap(), 255, &block, &corpus, &mut starts);
            }
            let mut found = Vec::new();
            corpus.spans(&starts, |span| { found.push(span); Ok(()) }).unwrap();
            prop_assert_eq!(&found, &spans);
            // From elsewhere.
            let text = documents.concat();
            let sizes: Vec<u32> = documents.iter().map(|each| each.len() as u32).collect();
            let substrings = Substrings { length, ..Substrings::default() };
            let read = |from: usize, to: usize, out: &mut Vec<u8>| {
                out.extend_from_slice(&text[from..to]);
                Ok::<_, Error>(())
            };
            found.clear();
            substrings.of_byte_source(&sizes, read, |span| { found.push(span); Ok(()) }).unwrap();
            prop_assert_eq!(&found, &spans);
            let tokens: Vec<Vec<u32>> = documents
                .iter()
                .map(|document| document.iter().map(|&byte| u32::from(byte) * 7919).collect())
                .collect();
            let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
            let substrings = Substrings { length, ..Substrings::default() };
            prop_assert_eq!(substrings.of_tokens(&tokens).unwrap(), spans);
        }
    }

    #[test]
    fn a_run_of_one_byte_keeps_its_first_occurrence() {
        let text = "a".repeat(1000);
        let spans = Substrings::default().of_texts(&[&text]).unwrap();
        let (document, start, end) = (0, 100, 1000);
        assert_eq!(
            spans,
            [Span {
                document,
                start,
                end
            }]
        );
    }

    #[test]
    fn a_character_that_is_half_in_a_span_stays() {
        // The repeat begins with the second byte of both letters, which differ in the first.
        let (first, second) = (
            format!("\u{e9}{}", "x".repeat(9)),
            format!("\u{129}{}", "x".repeat(9)),
        );
        let substrings = Substrings {
            length: 10,
            ..Substrings::default()
        };
        let (document, end) = (1, 11);
        let bytes = substrings
            .of_bytes(&[first.as_bytes(), second.as_bytes()])
            .unwrap();
        assert_eq!(
            bytes,
            [Span {
                document,
                start: 1,
                end
            }]
        );
        let texts = substrings.of_texts(&[&first, &second]).unwrap();
        assert_eq!(
            texts,
            [Span {
                document,
                start: 2,
                end
            }]
        );
    }

    #[test]
    fn what_is_held_all_the_time_must_fit() {
        let sizes = vec![0; 1 << 20];
        let substrings = Substrings {
            memory_size: 16 << 20,
            ..Substrings::default()
        };
        let read = |_, _, _: &mut Vec<u32>| Ok::<_, Error>(());
        let error = substrings
            .of_token_source(&sizes, read, |_| Ok(()))
            .unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::LimitReached);
        assert_eq!(error.hint(), Some("raise the memory"));
    }

    #[test]
    fn senseless_options_are_refused() {
        use crate::ErrorKind;
        for (length, memory_size, kind) in [
            (0, 1 << 30, ErrorKind::InvalidInput),
            (100, 1, ErrorKind::LimitReached),
        ] {
            let error = Substrings {
                length,
                memory_size,
            }
            .of_bytes(&[b"x"])
            .unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
}
