//! Quality filters that follow each other: one profile of each document serves them all.

use super::{Operator, Stop, filter};
use crate::audit::Lines;
use crate::batch::{Row, columns, string_array, strings, with_columns};
use crate::engine::StepMeter;
use crate::report::{Dropped, StepReport};
use crate::turnstile::Turn;
use crate::{Error, Quality};
use arrow_array::{Array, RecordBatch};
use nexus_text::{Evidence, Filter, Profiler, Reason, Verdict};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Its name in errors about columns.
const NAME: &str = "quality";

pub(crate) struct Judge {
    filters: Vec<Box<dyn Filter>>,
    meters: Vec<StepMeter>,
    needs_url: bool,
    /// By the filter's place and the reason.
    dropped: Mutex<BTreeMap<(usize, String), u64>>,
    /// The profilers that no thread has.
    profilers: Mutex<Vec<Profiler>>,
}

/// What filters have done on a batch.
struct Tally {
    counts: Vec<(usize, usize, Duration)>,
    dropped: BTreeMap<(usize, String), u64>,
}

/// Why a filter drops a document.
struct Why {
    reason: Reason,
    evidence: Option<Evidence>,
}

impl Judge {
    pub(crate) fn new<'a>(filters: impl IntoIterator<Item = &'a Quality>) -> Result<Self, Error> {
        let mut needs_url = false;
        let filters: Vec<_> = filters
            .into_iter()
            .inspect(|filter| needs_url |= matches!(filter, Quality::Url(_)))
            .map(Quality::filter)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            needs_url,
            meters: filters.iter().map(|_| StepMeter::default()).collect(),
            filters,
            dropped: Mutex::default(),
            profilers: Mutex::default(),
        })
    }

    /// The text that stays, if it is another; or the filter that drops the document, and why.
    fn judge(
        &self,
        profiler: &mut Profiler,
        (text, url): (&str, Option<&str>),
        tally: &mut Tally,
    ) -> Result<Result<Option<String>, (usize, Why)>, Error> {
        let mut changed: Option<String> = None;
        let mut at = 0;
        while at < self.filters.len() {
            let text = changed.as_deref().unwrap_or(text);
            let mut profile = profiler
                .profile(text)
                .map_err(|error| Error::limit(format!("step `{NAME}`: {error}")))?;
            profile.set_url(url);
            let mut other = None;
            while at < self.filters.len() && other.is_none() {
                let start = Instant::now();
                let verdict = self.filters[at].judge(&mut profile);
                let (rows_in, rows_out, time) = &mut tally.counts[at];
                *rows_in += 1;
                *time += start.elapsed();
                match verdict {
                    Verdict::Keep => {}
                    Verdict::KeepAs(text) => other = Some(text),
                    Verdict::Drop(reason) => {
                        let evidence = self.filters[at].evidence(&mut profile);
                        return Ok(Err((at, Why { reason, evidence })));
                    }
                }
                *rows_out += 1;
                at += 1;
            }
            changed = other.or(changed);
        }
        Ok(Ok(changed))
    }
}

/// The key `url` of a record.
fn url(batch: &RecordBatch, row: usize) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Fields {
        url: Option<String>,
    }
    let fields = Row::new(batch, row).get(columns::FIELDS)?;
    serde_json::from_str::<Fields>(fields).ok()?.url
}

impl Operator for Judge {
    fn name(&self) -> &'static str {
        NAME
    }

    fn apply(&self, batch: RecordBatch, turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let texts = strings(&batch, columns::TEXT, NAME)?;
        let free = |profilers: &Mutex<Vec<Profiler>>| {
            let mut profilers = profilers.lock().unwrap_or_else(PoisonError::into_inner);
            profilers.pop()
        };
        let mut profiler = free(&self.profilers).unwrap_or_default();
        let mut tally = Tally {
            counts: vec![(0, 0, Duration::ZERO); self.filters.len()],
            dropped: BTreeMap::new(),
        };
        let mut keep = Vec::with_capacity(texts.len());
        let mut changed: Vec<Option<String>> = Vec::with_capacity(texts.len());
        let mut audit = Lines::of(turn, &batch);
        for (row, text) in texts.iter().enumerate() {
            let text = text.unwrap_or_default();
            let url = self.needs_url.then(|| url(&batch, row)).flatten();
            let judged = self.judge(&mut profiler, (text, url.as_deref()), &mut tally)?;
            keep.push(judged.is_ok());
            changed.push(match judged {
                Ok(text) => text,
                Err((at, why)) => {
                    let step = self.filters[at].name();
                    let reason = match why.evidence {
                        None => {
                            audit.dropped(row, step, &why.reason.name());
                            why.reason.name().into_owned()
                        }
                        Some(Evidence { reason, passage }) => {
                            audit.dropped_for(row, step, &reason, &passage);
                            reason
                        }
                    };
                    *tally.dropped.entry((at, reason)).or_default() += 1;
                    None
                }
            });
        }
        let is_changed = changed.iter().any(Option::is_some);
        let text = |(changed, text): (Option<String>, Option<&str>)| {
            changed.unwrap_or_else(|| text.unwrap_or_default().to_owned())
        };
        let batch = if is_changed {
            let texts: Vec<_> = changed.into_iter().zip(texts).map(text).collect();
            let texts = Arc::new(string_array(&texts)?);
            with_columns(&batch, [(columns::TEXT, texts as _)])?
        } else {
            batch
        };
        let mut profilers = self
            .profilers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        profilers.push(profiler);
        drop(profilers);
        for (meter, (rows_in, rows_out, time)) in self.meters.iter().zip(tally.counts) {
            meter.add(rows_in, rows_out, 0, time);
        }
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, count) in tally.dropped {
            *dropped.entry(key).or_default() += count;
        }
        drop(dropped);
        Ok(filter(batch, keep)?)
    }

    fn reports(&self) -> Vec<StepReport> {
        let meters = self.filters.iter().zip(&self.meters);
        meters
            .map(|(filter, meter)| meter.report(filter.name()))
            .collect()
    }

    fn dropped(&self) -> Vec<Dropped> {
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = dropped.iter();
        entries
            .map(|((at, reason), &count)| Dropped {
                step: self.filters[*at].name().to_owned(),
                reason: reason.clone(),
                count,
            })
            .collect()
    }
}
