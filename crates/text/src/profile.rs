//! What all filters know of one document, found once.

use crate::basic::number;
use crate::duplicates::{Duplicates, duplicates};
use crate::error::Error;
use crate::hash::Table;
use crate::limits::TEXT_SIZE_MAX;
use crate::lines::LineEnds;
use crate::ngrams::Ngrams;
use crate::sentences::sentence_ends;
use crate::unicode::count_chars;
use crate::word::Word;
use crate::words::{POISON, Splitter, Tail};

/// Makes profiles. It holds the buffers, so keep one for each thread.
///
/// ```
/// use nexus_text::{Filter, FineWebQuality, GopherQuality, Profiler};
///
/// let mut profiler = Profiler::new();
/// let mut profile = profiler.profile("Too short.")?;
/// let verdict = GopherQuality::default().judge(&mut profile);
/// assert_eq!(verdict.reason().unwrap().name(), "gopher_short_doc");
/// let verdict = FineWebQuality::default().judge(&mut profile);
/// assert_eq!(verdict.reason().unwrap().name(), "short_line_ratio");
/// # Ok::<(), nexus_text::Error>(())
/// ```
pub struct Profiler {
    buffers: Buffers,
}

/// What is used again for the next document.
struct Buffers {
    splitter: Splitter,
    words: Vec<Word>,
    line_words: Vec<Word>,
    ngrams: Ngrams,
    table: Table,
    lower: String,
}

impl Default for Profiler {
    fn default() -> Self {
        Self::new()
    }
}

impl Profiler {
    /// A profiler with empty buffers. They grow to about 15 times the largest document.
    pub fn new() -> Self {
        let buffers = Buffers {
            splitter: Splitter::new(),
            words: Vec::new(),
            line_words: Vec::new(),
            ngrams: Ngrams::default(),
            table: Table::default(),
            lower: String::new(),
        };
        Self { buffers }
    }

    /// The profile of `text`. Nothing is computed before a filter asks for it, and then once.
    ///
    /// # Errors
    /// [`LimitReached`](crate::ErrorKind::LimitReached) when the text is larger than
    /// [`TEXT_SIZE_MAX`].
    pub fn profile<'a>(&'a mut self, text: &'a str) -> Result<Profile<'a>, Error> {
        if text.len() > TEXT_SIZE_MAX {
            return Err(Error::too_large(text.len()));
        }
        Ok(Profile {
            text,
            url: None,
            clean: None,
            buffers: &mut self.buffers,
            chars: None,
            tail: None,
            has_ngrams: false,
            summary: None,
            line_ends: None,
        })
    }
}

/// What the filters know of one document. Filters share it, so each fact is found once.
pub struct Profile<'a> {
    text: &'a str,
    url: Option<&'a str>,
    /// The text that was split into words, where it is not `text`.
    clean: Option<String>,
    buffers: &'a mut Buffers,
    chars: Option<usize>,
    tail: Option<Tail>,
    has_ngrams: bool,
    summary: Option<WordSummary>,
    line_ends: Option<LineEnds>,
}

/// Counts over the words of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordSummary {
    /// All words.
    pub words: usize,
    /// Words that are not punctuation alone.
    pub spoken: usize,
    /// Code points of these.
    pub spoken_chars: usize,
    /// Words with a letter.
    pub lettered: usize,
}

impl<'a> Profile<'a> {
    /// The text itself.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Where the document comes from, if it is known.
    pub fn url(&self) -> Option<&'a str> {
        self.url
    }

    /// Says where the document comes from, for filters that ask.
    pub fn set_url(&mut self, url: Option<&'a str>) {
        self.url = url;
    }

    /// The length of the text in code points.
    pub fn chars(&mut self) -> usize {
        *self.chars.get_or_insert_with(|| count_chars(self.text))
    }

    /// The words, as spaCy's blank English tokenizer finds them, less white space. Time is linear in
    /// the text, and 16 bytes of memory are used for a word.
    pub fn words(&mut self) -> &[Word] {
        self.split();
        &self.buffers.words
    }

    /// The text of a word.
    pub fn word(&self, word: &Word) -> &str {
        &self.clean.as_deref().unwrap_or(self.text)[word.start as usize..word.end as usize]
    }

    /// Counts over the words.
    pub fn word_summary(&mut self) -> WordSummary {
        if let Some(summary) = self.summary {
            return summary;
        }
        let mut summary = WordSummary::default();
        for word in self.words() {
            let is_spoken = usize::from(!word.is_symbol());
            summary.words += 1;
            summary.spoken += is_spoken;
            summary.spoken_chars += is_spoken * word.chars as usize;
            summary.lettered += usize::from(word.has_letter());
        }
        *self.summary.insert(summary)
    }

    /// The sentences of the text as datatrove cuts it for spaCy's English sentencizer: white space
    /// belongs to the sentence behind it, but the last sentence ends with the text.
    pub fn sentences(&mut self) -> Vec<&'a str> {
        let tail = self.split();
        let mut ends = sentence_ends(self.words_text(), &self.buffers.words, tail.ends_in_gap);
        if let Some(clean) = &self.clean {
            // The peer applies positions in one text to the other.
            let starts: Vec<usize> = self.text.char_indices().map(|(at, _)| at).collect();
            for end in &mut ends {
                *end = starts
                    .get(count_chars(&clean[..*end]))
                    .copied()
                    .unwrap_or(self.text.len());
            }
        }
        ends.pop();
        ends.push(self.text.len());
        let starts = [0].into_iter().chain(ends.iter().copied());
        starts
            .zip(&ends)
            .map(|(start, &end)| &self.text[start..end])
            .collect()
    }

    pub(crate) fn line_ends(&mut self) -> LineEnds {
        *self
            .line_ends
            .get_or_insert_with(|| LineEnds::of(self.text))
    }

    pub(crate) fn duplicates(&mut self, parts: &[&str]) -> Duplicates {
        duplicates(&mut self.buffers.table, parts)
    }

    /// See [`number`].
    pub(crate) fn number(&mut self, words: &[&str]) -> (Vec<u32>, Vec<u32>) {
        number(&mut self.buffers.table, words)
    }

    pub(crate) fn table(&mut self) -> &mut Table {
        &mut self.buffers.table
    }

    /// See [`Ngrams::top`].
    pub(crate) fn top_run(&mut self, n: usize, enough: u64) -> Option<u64> {
        self.fill_ngrams();
        self.buffers.ngrams.top(n, enough)
    }

    /// See [`Ngrams::repeated`].
    pub(crate) fn repeated_runs(&mut self, n: usize, enough: u64) -> u64 {
        self.fill_ngrams();
        let text = self.clean.as_deref().unwrap_or(self.text);
        let Buffers { words, ngrams, .. } = &mut *self.buffers;
        ngrams.repeated(text, words, n, enough)
    }

    /// The number of sentences of another, short text.
    pub(crate) fn count_sentences(&mut self, line: &str) -> usize {
        let Buffers {
            splitter,
            line_words,
            ..
        } = &mut *self.buffers;
        let clean = split_clean(splitter, line, line_words);
        let text = clean.1.as_deref().unwrap_or(line);
        sentence_ends(text, line_words, clean.0.ends_in_gap)
            .len()
            .max(1)
    }

    /// Gives `found` the words of another text; gives the text that was split.
    pub(crate) fn words_of(&mut self, text: String, mut found: impl FnMut(&str, &Word)) -> String {
        let Buffers {
            splitter,
            line_words,
            ..
        } = &mut *self.buffers;
        let (_, clean) = split_clean(splitter, &text, line_words);
        let text = clean.unwrap_or(text);
        for word in &*line_words {
            found(&text, word);
        }
        text
    }

    /// The text with its ASCII letters in lower case.
    pub(crate) fn take_lower(&mut self) -> String {
        let mut lower = std::mem::take(&mut self.buffers.lower);
        lower.clear();
        lower.push_str(self.text);
        lower.make_ascii_lowercase();
        lower
    }

    /// Gives the buffer of [`take_lower`](Self::take_lower) back.
    pub(crate) fn return_lower(&mut self, lower: String) {
        self.buffers.lower = lower;
    }

    fn words_text(&self) -> &str {
        self.clean.as_deref().unwrap_or(self.text)
    }

    fn fill_ngrams(&mut self) {
        self.split();
        if !std::mem::replace(&mut self.has_ngrams, true) {
            let text = self.clean.as_deref().unwrap_or(self.text);
            let Buffers { words, ngrams, .. } = &mut *self.buffers;
            ngrams.fill(text, words);
        }
    }

    fn split(&mut self) -> Tail {
        if let Some(tail) = self.tail {
            return tail;
        }
        let Buffers {
            splitter, words, ..
        } = &mut *self.buffers;
        let (tail, clean) = split_clean(splitter, self.text, words);
        self.clean = clean;
        *self.tail.insert(tail)
    }
}

/// Splits a text, and again without [`POISON`] if that is one of its words; gives that text.
fn split_clean(
    splitter: &mut Splitter,
    text: &str,
    words: &mut Vec<Word>,
) -> (Tail, Option<String>) {
    let tail = splitter.split(text, words);
    if !tail.has_poison {
        return (tail, None);
    }
    let clean = text.replace(POISON, "");
    (splitter.split(&clean, words), Some(clean))
}
