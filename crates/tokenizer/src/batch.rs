//! Many texts at once: threads take runs of texts and their results are joined in order.

use crate::bpe::cache::Cache;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of text that a thread takes at a time.
const RUN_SIZE: usize = 1 << 20;

/// The ids of many texts in one array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The ids of all texts, one after the other.
    pub ids: Vec<u32>,
    /// For each text where its ids end in `ids`; they start where those of the text before end.
    pub ends: Vec<usize>,
}

impl Batch {
    pub(crate) fn new<T: AsRef<str> + Sync>(
        texts: &[T],
        threads: NonZeroUsize,
        encode: impl Fn(&str, Option<&mut Cache>, &mut Vec<u32>) + Sync,
        take: impl Fn() -> Option<Cache> + Sync,
        give_back: impl Fn(Option<Cache>) + Sync,
    ) -> Self {
        let runs = runs(texts);
        if threads.get() == 1 || runs.len() < 2 {
            let mut cache = take();
            let batch = Self::of_texts(texts, |text, ids| encode(text, cache.as_mut(), ids));
            give_back(cache);
            return batch;
        }
        let next = AtomicUsize::new(0);
        let done: Vec<Mutex<Self>> = runs.iter().map(|_| Mutex::default()).collect();
        let work = || {
            let mut cache = take();
            while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let texts = &texts[run.1.clone()];
                let batch = Self::of_texts(texts, |text, ids| encode(text, cache.as_mut(), ids));
                if let Ok(mut slot) = done[run.0].lock() {
                    *slot = batch;
                }
            }
            give_back(cache);
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.get().min(runs.len()) {
                scope.spawn(work);
            }
            work();
        });
        let done = done
            .into_iter()
            .map(|slot| slot.into_inner().unwrap_or_default());
        Self::join(done.collect())
    }

    /// The number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The ids of each text.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.ids[start..end])
    }

    /// The ids of texts, one after the other.
    fn of_texts<T: AsRef<str>>(texts: &[T], mut encode: impl FnMut(&str, &mut Vec<u32>)) -> Self {
        let size: usize = texts.iter().map(|text| text.as_ref().len()).sum();
        let mut batch = Self {
            ids: Vec::with_capacity(size / 3),
            ends: Vec::with_capacity(texts.len()),
        };
        for text in texts {
            encode(text.as_ref(), &mut batch.ids);
            batch.ends.push(batch.ids.len());
        }
        batch
    }

    fn join(parts: Vec<Self>) -> Self {
        let mut whole = Self {
            ids: Vec::with_capacity(parts.iter().map(|part| part.ids.len()).sum()),
            ends: Vec::with_capacity(parts.iter().map(Self::len).sum()),
        };
        for part in parts {
            let base = whole.ids.len();
            whole.ids.extend_from_slice(&part.ids);
            whole.ends.extend(part.ends.iter().map(|end| base + end));
        }
        whole
    }
}

/// Numbered runs of texts of about [`RUN_SIZE`] bytes.
fn runs<T: AsRef<str>>(texts: &[T]) -> Vec<(usize, std::ops::Range<usize>)> {
    let mut runs = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, text) in texts.iter().enumerate() {
        size += text.as_ref().len();
        if size >= RUN_SIZE || at + 1 == texts.len() {
            runs.push((runs.len(), start..at + 1));
            (start, size) = (at + 1, 0);
        }
    }
    runs
}
