//! Many texts at once: threads take runs of texts, and results are joined in order.

use crate::bpe::cache::Cache;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Bytes of text that a thread takes at a time: their ids stay near the processor until they are
/// joined.
const RUN_SIZE: usize = 1 << 18;

/// The ids of many texts in one array, as 32 or 16 bits each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<I = u32> {
    /// The ids of all texts, one after the other.
    pub ids: Vec<I>,
    /// For each text where its ids end in `ids`; they start where those of the text before end.
    pub ends: Vec<usize>,
}

/// An integer that ids are stored as: `u32` for all vocabularies, `u16` for those of up to 65 536
/// tokens.
pub trait Id: Copy + Send + sealed::Id {}

impl Id for u32 {}
impl Id for u16 {}

pub(crate) mod sealed {
    /// How an id is stored.
    pub trait Id: Sized {
        /// The largest id.
        const MAX: u32;

        /// Appends ids, none of which is above [`MAX`](Self::MAX).
        fn append(ids: &[u32], out: &mut Vec<Self>);
    }

    impl Id for u32 {
        const MAX: u32 = u32::MAX;

        fn append(ids: &[u32], out: &mut Vec<Self>) {
            out.extend_from_slice(ids);
        }
    }

    impl Id for u16 {
        const MAX: u32 = u16::MAX as u32;

        fn append(ids: &[u32], out: &mut Vec<Self>) {
            out.extend(ids.iter().map(|&id| id as u16));
        }
    }
}

/// How many texts are encoded at once.
#[derive(Clone, Copy, Debug)]
pub struct BatchOptions<'a> {
    /// How many threads encode.
    pub threads: NonZeroUsize,
    /// Whether the special tokens that the file puts around a text are put around each.
    pub adds_special: bool,
    /// The work ends when it is set; it is looked at after each text.
    pub stop: &'a AtomicBool,
}

/// What the runs of a batch become, in order.
pub(crate) trait Joined: Send {
    /// Makes room for the ids of so many texts, which have so many bytes in all.
    fn reserve(&mut self, texts: usize, size: usize);
    /// Adds the ids of a run and, for each of its texts, where its ids end.
    fn add(&mut self, ids: &[u32], ends: &[usize]);
}

/// Bytes of text for each id that room is made for: too much costs addresses, too little copies.
const BYTES_PER_ID: usize = 3;

impl<I: Id> Joined for Batch<I> {
    fn reserve(&mut self, texts: usize, size: usize) {
        self.ends.reserve(texts);
        // What is refused may not be needed, and is asked for again if it is.
        let _ = self.ids.try_reserve(size / BYTES_PER_ID);
    }

    fn add(&mut self, ids: &[u32], ends: &[usize]) {
        let base = self.ids.len();
        I::append(ids, &mut self.ids);
        self.ends.extend(ends.iter().map(|end| base + end));
    }
}

/// The number of ids of each text.
impl Joined for Vec<usize> {
    fn reserve(&mut self, texts: usize, _: usize) {
        self.reserve(texts);
    }

    fn add(&mut self, _: &[u32], ends: &[usize]) {
        let starts = std::iter::once(&0).chain(ends);
        self.extend(ends.iter().zip(starts).map(|(end, start)| end - start));
    }
}

impl<I> Default for Batch<I> {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            ends: Vec::new(),
        }
    }
}

impl<I> Batch<I> {
    /// The number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The ids of each text.
    pub fn iter(&self) -> impl Iterator<Item = &[I]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.ids[start..end])
    }
}

/// Who encodes: what a text becomes, and the caches of the threads.
pub(crate) trait Encoder: Sync {
    /// Appends the ids of `text` to `out`.
    fn append(&self, text: &str, cache: Option<&mut Cache>, out: &mut Vec<u32>);
    /// A cache for a thread.
    fn take(&self) -> Option<Cache>;
    /// Keeps it for the next call.
    fn give_back(&self, cache: Option<Cache>);
}

/// Joins the ids of `texts` to `joined`, run by run. Gives `None` when `stop` was set before the end,
/// which is looked at after each text.
pub(crate) fn encode<T: AsRef<str> + Sync, J: Joined>(
    encoder: &impl Encoder,
    texts: &[T],
    threads: NonZeroUsize,
    stop: &AtomicBool,
    mut joined: J,
) -> Option<J> {
    joined.reserve(
        texts.len(),
        texts.iter().map(|text| text.as_ref().len()).sum(),
    );
    let runs = runs(texts);
    let next = AtomicUsize::new(0);
    let queue = Queue(Mutex::new(Waiting {
        joined,
        next: 0,
        runs: BTreeMap::new(),
    }));
    let work = || {
        let mut cache = encoder.take();
        let mut run = Run::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(range) = runs.get(number) else { break };
            let texts = &texts[range.clone()];
            run.clear();
            for text in texts {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                encoder.append(text.as_ref(), cache.as_mut(), &mut run.ids);
                run.ends.push(run.ids.len());
            }
            run = queue.put(number, run);
        }
        encoder.give_back(cache);
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.get().min(runs.len()) {
            scope.spawn(work);
        }
        work();
    });
    let waiting = queue.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    (!stop.load(Ordering::Relaxed)).then_some(waiting.joined)
}

/// The ids of a run of texts.
#[derive(Default)]
struct Run {
    ids: Vec<u32>,
    ends: Vec<usize>,
}

impl Run {
    fn clear(&mut self) {
        self.ids.clear();
        self.ends.clear();
    }
}

/// Joins runs in order; those that are done before their turn wait.
struct Queue<J>(Mutex<Waiting<J>>);

struct Waiting<J> {
    joined: J,
    next: usize,
    runs: BTreeMap<usize, Run>,
}

impl<J: Joined> Queue<J> {
    /// Takes a run, and gives memory for the next one: that of the run where it has been joined.
    fn put(&self, number: usize, run: Run) -> Run {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { joined, next, runs } = &mut *waiting;
        if number != *next {
            runs.insert(number, run);
            return Run::default();
        }
        joined.add(&run.ids, &run.ends);
        *next += 1;
        while let Some(run) = runs.remove(next) {
            joined.add(&run.ids, &run.ends);
            *next += 1;
        }
        run
    }
}

/// Runs of texts of about [`RUN_SIZE`] bytes.
fn runs<T: AsRef<str>>(texts: &[T]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, text) in texts.iter().enumerate() {
        size += text.as_ref().len();
        if size >= RUN_SIZE || at + 1 == texts.len() {
            runs.push(start..at + 1);
            (start, size) = (at + 1, 0);
        }
    }
    runs
}
