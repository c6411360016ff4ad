//! Texts without what was found to be repeated, at the beginning of a stage.

use super::{Operator, Stop, filter};
use crate::audit::Lines;
use crate::batch::{columns, lists, string_array, strings, with_columns};
use crate::report::Dropped;
use crate::stages::{CUTS, Repeats};
use crate::turnstile::Turn;
use crate::{AnyTokenizer, Error, ErrorKind, RepeatedLines, RepeatedSubstrings};
use arrow_array::{Array, RecordBatch};
use nexus_text::{Profiler, Spans};
use nexus_tokenizer::Encoding;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The reason in the audit for a document that stays.
const REPEATED: &str = "repeated";

/// Takes the ranges that stand beside each row out of its text.
pub(crate) struct CutOut {
    step: &'static str,
    unit: Unit,
    remove: bool,
    min_doc_words: usize,
    min_sentences: usize,
    dropped: Mutex<BTreeMap<&'static str, u64>>,
    tools: Mutex<Vec<Tools>>,
}

/// What ranges count.
enum Unit {
    Parts(Spans),
    Bytes,
    Tokens(AnyTokenizer),
}

/// What a thread needs to work.
#[derive(Default)]
struct Tools {
    profiler: Profiler,
    encoding: Encoding,
}

impl CutOut {
    pub(crate) fn new(repeats: &Repeats) -> Self {
        let (unit, remove, words, sentences) = match repeats {
            Repeats::Lines(settings) => {
                let RepeatedLines {
                    remove,
                    min_doc_words,
                    min_num_sentences,
                    ..
                } = *settings;
                let unit = Unit::Parts(settings.spans());
                (unit, remove, min_doc_words, min_num_sentences)
            }
            Repeats::Substrings(settings, tokenizer) => {
                let RepeatedSubstrings {
                    remove,
                    min_doc_words,
                    ..
                } = *settings;
                let unit = tokenizer.clone().map_or(Unit::Bytes, Unit::Tokens);
                (unit, remove, min_doc_words, None)
            }
        };
        Self {
            step: repeats.step(),
            unit,
            remove,
            min_doc_words: words.unwrap_or_default(),
            min_sentences: sentences.unwrap_or_default(),
            dropped: Mutex::default(),
            tools: Mutex::default(),
        }
    }

    /// The ranges in bytes, between characters and with nothing between two that meet.
    fn bytes(&self, tools: &mut Tools, text: &str, cuts: &[u32]) -> Result<Vec<[usize; 2]>, Error> {
        let mut place: Box<dyn FnMut(usize, usize) -> Option<[usize; 2]>> = match &self.unit {
            Unit::Bytes => Box::new(|start, end| Some([start, end])),
            Unit::Parts(spans) => {
                let units = spans
                    .units(&mut tools.profiler, text)
                    .map_err(Error::text)?;
                let mut end = 0;
                let ends = units.iter().map(|unit| {
                    end += unit.len();
                    end
                });
                let mut starts = vec![0];
                starts.extend(ends);
                Box::new(move |start, end| Some([*starts.get(start)?, *starts.get(end)?]))
            }
            Unit::Tokens(tokenizer) => {
                tokenizer.encode(text, &mut tools.encoding);
                let offsets = &tools.encoding.offsets;
                Box::new(|start, end| {
                    let (first, last) = (offsets.get(start)?, offsets.get(end - 1)?);
                    Some([first.0 as usize, last.1 as usize])
                })
            }
        };
        let mut ranges: Vec<[usize; 2]> = Vec::new();
        for cut in cuts.as_chunks::<2>().0 {
            let [start, end] = place(cut[0] as usize, cut[1] as usize).ok_or_else(|| {
                let message = format!(
                    "step `{}`: a document is not the one that was put aside",
                    self.step
                );
                Error::new(ErrorKind::Corrupt, message).with_hint("run again without resume")
            })?;
            let range = [
                text.ceil_char_boundary(start),
                text.floor_char_boundary(end),
            ];
            match ranges.last_mut() {
                Some(last) if last[1] >= range[0] => last[1] = last[1].max(range[1]),
                _ if range[0] < range[1] => ranges.push(range),
                _ => {}
            }
        }
        Ok(ranges)
    }

    /// Why a document that has lost something goes.
    fn reason(&self, tools: &mut Tools, text: &str) -> Result<Option<&'static str>, Error> {
        if text.trim().is_empty() {
            return Ok(Some("empty"));
        }
        let profile = tools.profiler.profile(text);
        let mut profile = profile.map_err(Error::text)?;
        if self.min_doc_words > 0 && profile.words().len() < self.min_doc_words {
            return Ok(Some("few_words"));
        }
        if self.min_sentences > 0 && profile.sentences().len() < self.min_sentences {
            return Ok(Some("few_sentences"));
        }
        Ok(None)
    }
}

/// What is left of a text. Line feeds before a part that was its last go too.
fn rest(text: &str, ranges: &[[usize; 2]], is_parts: bool) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut at = 0;
    for &[start, end] in ranges {
        rest.push_str(&text[at..start]);
        at = end;
    }
    rest.push_str(&text[at..]);
    if is_parts && at == text.len() && !text.ends_with('\n') {
        rest.truncate(rest.trim_end_matches('\n').len());
    }
    rest
}

impl Operator for CutOut {
    fn name(&self) -> &'static str {
        self.step
    }

    fn apply(&self, batch: RecordBatch, turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let Some((at, _)) = batch.schema().column_with_name(CUTS) else {
            // A trial.
            return Ok(batch);
        };
        let mut rows = batch.clone();
        rows.remove_column(at);
        let (cuts, values) = lists(&batch, CUTS, self.step)?;
        if values.is_empty() {
            return Ok(rows);
        }
        let texts = strings(&rows, columns::TEXT, self.step)?;
        let tools = self
            .tools
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut tools = tools.unwrap_or_default();
        let mut audit = Lines::of(turn, &rows);
        let mut keep = vec![true; rows.num_rows()];
        let mut changed: Vec<String> = Vec::with_capacity(texts.len());
        for (row, text) in texts.iter().enumerate() {
            let text = text.unwrap_or_default();
            let offsets = cuts.value_offsets();
            let cuts = &values.values()[offsets[row] as usize..offsets[row + 1] as usize];
            let ranges = self.bytes(&mut tools, text, cuts)?;
            if ranges.is_empty() || !self.remove {
                if !ranges.is_empty() {
                    audit.spans(row, self.step, REPEATED, &ranges);
                }
                changed.push(text.to_owned());
                continue;
            }
            let rest = rest(text, &ranges, matches!(self.unit, Unit::Parts(_)));
            let reason = self.reason(&mut tools, &rest)?;
            audit.spans(row, self.step, reason.unwrap_or(REPEATED), &ranges);
            if let Some(reason) = reason {
                keep[row] = false;
                let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
                *dropped.entry(reason).or_default() += 1;
            }
            changed.push(rest);
        }
        self.tools
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(tools);
        let texts = Arc::new(string_array(&changed)?);
        let rows = with_columns(&rows, [(columns::TEXT, texts as _)])?;
        Ok(filter(rows, keep)?)
    }

    fn dropped(&self) -> Vec<Dropped> {
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = dropped.iter();
        entries
            .map(|(reason, &count)| Dropped {
                step: self.step.to_owned(),
                reason: (*reason).to_owned(),
                count,
            })
            .collect()
    }
}
