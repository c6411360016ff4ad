//! Passages of a bounded number of tokens.

use super::{Operator, Stop};
use crate::audit::Lines;
use crate::batch::{columns, list_array, lists, string_array, strings};
use crate::turnstile::Turn;
use crate::{Error, batch};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{Field, Schema};
use arrow_select::take::take;
use std::ops::Range;
use std::sync::Arc;

/// Tokens that a model puts around a passage: `[CLS]` and `[SEP]`.
pub(crate) const SPECIAL_TOKENS: usize = 2;

pub(crate) struct Cut {
    /// The most tokens of a passage, special ones left out.
    tokens_max: usize,
}

impl Cut {
    /// `max_tokens` counts the two special tokens.
    pub(crate) fn new(max_tokens: usize) -> Self {
        Self {
            tokens_max: max_tokens - SPECIAL_TOKENS,
        }
    }
}

impl Operator for Cut {
    fn name(&self) -> &'static str {
        "cut"
    }

    fn apply(&self, batch: RecordBatch, turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let texts = strings(&batch, columns::TEXT, self.name())?;
        let (ids, id_values) = lists(&batch, columns::IDS, self.name())?;
        let (starts, start_values) = lists(&batch, columns::STARTS, self.name())?;
        let (ends, end_values) = lists(&batch, columns::ENDS, self.name())?;
        if starts.offsets() != ids.offsets() || ends.offsets() != ids.offsets() {
            return Err(Error::invalid("`ids`, `starts` and `ends` differ in length").into());
        }
        let mut passages = Passages::default();
        let mut audit = Lines::of(turn, &batch);
        for (row, text) in texts.iter().enumerate() {
            let offsets = ids.value_offsets();
            let tokens = offsets[row] as usize..offsets[row + 1] as usize;
            let document = Document {
                text: text.unwrap_or_default(),
                starts: &start_values.values()[tokens.clone()],
                ends: &end_values.values()[tokens.clone()],
            };
            let ids = &id_values.values()[tokens];
            if ids.is_empty() {
                audit.dropped(row, self.name(), "no_tokens");
            }
            let mut next = 0;
            for part in 0.. {
                if next == ids.len() {
                    break;
                }
                let tokens = next..document.cut(next, self.tokens_max);
                next = tokens.end;
                passages.push(row, part, document.passage(tokens.clone()), &ids[tokens]);
            }
        }
        Ok(passages.finish(&batch)?)
    }
}

/// A document and the byte ranges of its tokens.
struct Document<'a> {
    text: &'a str,
    starts: &'a [u32],
    ends: &'a [u32],
}

/// How good a place is to cut, best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seam {
    Word,
    Punctuation,
    Space,
    Sentence,
    Line,
    Paragraph,
}

impl<'a> Document<'a> {
    /// The end of the passage that starts with token `start`: the best seam in the last third of the
    /// window, of equal ones the last; failing that, the last place between words; failing that,
    /// the window's end.
    fn cut(&self, start: usize, tokens_max: usize) -> usize {
        let end = (start + tokens_max).min(self.starts.len());
        if end == self.starts.len() {
            return end;
        }
        let third = end - tokens_max / 3;
        let best = (third.max(start + 1)..=end).max_by_key(|&at| self.seam(at));
        let best = best.filter(|&at| self.seam(at) > Seam::Word);
        let rest = || {
            (start + 1..=end)
                .rev()
                .find(|&at| self.seam(at) > Seam::Word)
        };
        best.or_else(rest).unwrap_or(end)
    }

    /// What lies between token `at` and the one before it.
    fn seam(&self, at: usize) -> Seam {
        let (before, after) = (self.ends[at - 1] as usize, self.starts[at] as usize);
        let gap = self.text.get(before..after).unwrap_or_default();
        let left = self
            .text
            .get(..before)
            .and_then(|text| text.chars().next_back());
        let right = self.text.get(after..).and_then(|text| text.chars().next());
        if gap.contains(char::is_whitespace) {
            return match gap.matches('\n').count() {
                0 if left.is_some_and(ends_sentence) => Seam::Sentence,
                0 => Seam::Space,
                1 => Seam::Line,
                _ => Seam::Paragraph,
            };
        }
        match (left, right) {
            (Some(left), _) if ends_wide_sentence(left) => Seam::Sentence,
            (Some(left), Some(right)) if is_word(left) && is_word(right) => Seam::Word,
            _ => Seam::Punctuation,
        }
    }

    /// The text of some tokens and of what no token covers after them.
    fn passage(&self, tokens: Range<usize>) -> &'a str {
        let start = if tokens.start == 0 {
            0
        } else {
            self.starts[tokens.start] as usize
        };
        let end = self
            .starts
            .get(tokens.end)
            .map_or(self.text.len(), |&start| start as usize);
        self.text.get(start..end).unwrap_or_default().trim()
    }
}

fn ends_sentence(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | ':' | ';') || ends_wide_sentence(c)
}

/// Ends of sentences in scripts that write no space after them.
fn ends_wide_sentence(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '．')
}

/// Whether two such characters side by side belong to one word. Ideographs are words of their own.
fn is_word(c: char) -> bool {
    c.is_alphanumeric()
        && !matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..)
}

#[derive(Default)]
struct Passages<'a> {
    rows: Vec<u32>,
    parts: Vec<u32>,
    texts: Vec<&'a str>,
    ids: Vec<u32>,
    lengths: Vec<usize>,
}

impl<'a> Passages<'a> {
    fn push(&mut self, row: usize, part: u32, text: &'a str, ids: &[u32]) {
        self.rows.push(row as u32);
        self.parts.push(part);
        self.texts.push(text);
        self.ids.extend_from_slice(ids);
        self.lengths.push(ids.len());
    }

    /// The document's other columns repeated for each passage, then `part`, `passage` and `ids`.
    fn finish(self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        const REPLACED: [&str; 6] = [
            columns::TEXT,
            columns::IDS,
            columns::STARTS,
            columns::ENDS,
            columns::PART,
            columns::PASSAGE,
        ];
        let rows = UInt32Array::from(self.rows);
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            if !REPLACED.contains(&field.name().as_str()) {
                fields.push(field.clone());
                let array = take(array, &rows, None);
                arrays.push(array.map_err(|error| Error::arrow("repeat a column", error))?);
            }
        }
        let ids = list_array(self.ids, self.lengths)?;
        let made: [(&str, ArrayRef); 3] = [
            (columns::PART, Arc::new(UInt32Array::from(self.parts))),
            (columns::PASSAGE, Arc::new(string_array(&self.texts)?)),
            (columns::IDS, Arc::new(ids)),
        ];
        for (name, array) in made {
            fields.push(Arc::new(Field::new(name, array.data_type().clone(), false)));
            arrays.push(array);
        }
        batch::assemble(Arc::new(Schema::new(fields)), arrays)
    }
}
