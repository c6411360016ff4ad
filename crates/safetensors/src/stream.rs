//! Loading by a plan, all at once or with a reader that runs ahead.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use nexus_tensor::DType;

use crate::cancel::Cancel;
use crate::plan::{Cut, Progress};
use crate::raw::Pages;
use crate::{Part, Plan, Region, SafeTensorError, SafeTensorsFile, Shard, can_cast, cast};

/// The largest piece that small neighbours are read in while there is a budget.
const GROUP_SIZE_MAX: usize = 32 << 20;

/// A tensor that a plan has asked for.
#[derive(Debug)]
pub struct Loaded {
    /// Its name.
    pub name: String,
    /// Its type, after a conversion.
    pub dtype: DType,
    /// Its shape, or that of the part.
    pub shape: Vec<usize>,
    /// Its bytes.
    pub region: Region,
}

/// One tensor of a plan that has been checked against its file.
struct Entry {
    file: SafeTensorsFile,
    name: String,
    from: DType,
    to: DType,
    shape: Vec<usize>,
    part: Option<Arc<dyn Part>>,
    /// What is read.
    size: usize,
}

/// A checked plan.
pub(crate) struct Task {
    /// Tensors that are read at once: one, or whole neighbours.
    groups: VecDeque<Vec<Entry>>,
    total: u64,
    progress: Option<Progress>,
    cancel: Cancel,
}

impl Task {
    pub(crate) fn new(
        plan: &Plan,
        chosen: Vec<(&SafeTensorsFile, &str)>,
        budget_bytes: usize,
    ) -> Result<Self, SafeTensorError> {
        let limit = match budget_bytes {
            usize::MAX => usize::MAX,
            budget => (budget / 2).min(GROUP_SIZE_MAX),
        };
        let mut groups: VecDeque<Vec<Entry>> = VecDeque::new();
        let mut total = 0;
        let mut end = (std::ptr::null(), 0, 0);
        for (file, name) in chosen {
            let entry = Entry::new(plan, file, name)?;
            let range = file.byte_range(file.info(name)?);
            total += entry.size as u64;
            let (last_file, last_end, size) = end;
            let near = std::ptr::eq(last_file, file) && last_end == range.start;
            // What is converted lies in memory twice for a moment.
            let limit = if entry.from == entry.to {
                limit
            } else {
                limit.min(GROUP_SIZE_MAX)
            };
            let fits = size + range.len() <= limit;
            let whole = entry.part.is_none();
            match groups.back_mut() {
                Some(group) if near && fits && whole => {
                    end = (file, range.end, size + range.len());
                    group.push(entry);
                }
                _ => {
                    // Nobody joins a part.
                    let file = if whole { file } else { std::ptr::null() };
                    end = (file, range.end, range.len());
                    groups.push_back(vec![entry]);
                }
            }
        }
        Ok(Self {
            groups,
            total,
            progress: plan.progress.clone(),
            cancel: plan.cancel.clone(),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }

    /// Loads one group after the other. `admit` is asked with the memory that a group takes, and
    /// ends the work by a no; `give` takes what is loaded.
    pub(crate) fn run(
        mut self,
        mut admit: impl FnMut(usize) -> bool,
        mut give: impl FnMut(Loaded),
    ) -> Result<(), SafeTensorError> {
        let mut done = 0;
        while let Some(group) = self.groups.pop_front() {
            self.cancel.check()?;
            if !admit(group.iter().map(Entry::size_in_memory).sum()) {
                return Ok(());
            }
            done += group.iter().map(|entry| entry.size as u64).sum::<u64>();
            for item in load_group(group)? {
                give(item);
            }
            if let Some(progress) = &self.progress {
                progress(done, self.total);
            }
        }
        Ok(())
    }
}

impl Entry {
    fn new(plan: &Plan, file: &SafeTensorsFile, name: &str) -> Result<Self, SafeTensorError> {
        let info = file.info(name)?;
        let from = info.dtype;
        let wanted = plan.dtypes.iter().rev().find(|(of, _)| of == name);
        let to = match (wanted, plan.dtype) {
            (Some(&(_, to)), _) | (None, Some(to)) if can_cast(from, to) => to,
            (Some(&(_, to)), _) => {
                let name = name.to_owned();
                return Err(SafeTensorError::Cast { name, from, to });
            }
            _ => from,
        };
        let part: Option<Arc<dyn Part>> = match plan.cut_of(name) {
            None => None,
            Some(Cut::Part(part)) => Some(part.clone()),
            Some(&Cut::Shard(axis, rank, world)) => {
                Some(Arc::new(Shard::new(info, axis, rank, world)?))
            }
        };
        let (shape, size) = match &part {
            None => (info.shape.clone(), file.byte_range(info).len()),
            Some(part) => (part.shape().to_vec(), file.part_size(name, &**part)?),
        };
        Ok(Self {
            file: file.clone(),
            name: name.to_owned(),
            from,
            to,
            shape,
            part,
            size,
        })
    }

    /// What the loaded tensor takes.
    fn size_in_memory(&self) -> usize {
        // Types of less than a byte are not converted.
        match (self.from.size_bytes(), self.to.size_bytes()) {
            (Some(from), Some(to)) => (self.size / from).saturating_mul(to),
            _ => self.size,
        }
    }

    fn finish(self, region: Region) -> Result<Loaded, SafeTensorError> {
        let region = if self.from == self.to {
            region
        } else {
            let size = self.size_in_memory();
            let mut pages = Pages::zeroed(size)?;
            if !cast(self.from, region.as_ref(), self.to, pages.as_mut_slice()) {
                let (name, from, to) = (self.name, self.from, self.to);
                return Err(SafeTensorError::Cast { name, from, to });
            }
            Region::of_pages(pages, 0..size)
        };
        Ok(Loaded {
            name: self.name,
            dtype: self.to,
            shape: self.shape,
            region,
        })
    }
}

fn load_group(group: Vec<Entry>) -> Result<Vec<Loaded>, SafeTensorError> {
    let regions = match group.as_slice() {
        [] => Vec::new(),
        [
            Entry {
                part: Some(part),
                file,
                name,
                size,
                ..
            },
        ] => {
            vec![file.read_part(name, &**part, *size)?]
        }
        whole => {
            let names: Vec<_> = whole.iter().map(|entry| entry.name.as_str()).collect();
            whole[0].file.regions_of_neighbours(&names)?
        }
    };
    let finished = group.into_iter().zip(regions);
    finished
        .map(|(entry, region)| entry.finish(region))
        .collect()
}

/// Tensors one after the other, while a thread reads ahead. Ends after the first error.
///
/// Dropping it stops the thread. A process that was forked off has no such thread: there the stream
/// gives `Cancelled`.
pub struct Stream {
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
    process: u32,
}

struct Shared {
    state: Mutex<State>,
    /// Room in the budget, or something to take.
    changed: Condvar,
    budget: usize,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Result<Loaded, SafeTensorError>>,
    /// Bytes that are being read or ready.
    ahead: usize,
    ended: bool,
    stopped: bool,
}

impl Stream {
    pub(crate) fn start(task: Task, budget: usize) -> Result<Self, SafeTensorError> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            budget,
        });
        let ours = shared.clone();
        let reader = thread::Builder::new()
            .name("nexus-stream".into())
            .spawn(move || {
                // Also when reading panics, so that nobody waits for ever.
                let end = End(&ours);
                let loaded = task.run(|size| ours.admit(size), |item| ours.give(item));
                if let Err(error) = loaded {
                    ours.lock().ready.push_back(Err(error));
                }
                drop(end);
            })?;
        Ok(Self {
            shared,
            reader: Some(reader),
            process: std::process::id(),
        })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, size: usize) -> bool {
        let mut state = self.lock();
        while !state.stopped && state.ahead > 0 && state.ahead.saturating_add(size) > self.budget {
            state = self.wait(state);
        }
        state.ahead += size;
        !state.stopped
    }

    fn give(&self, item: Loaded) {
        self.lock().ready.push_back(Ok(item));
        self.changed.notify_all();
    }
}

struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

impl Iterator for Stream {
    type Item = Result<Loaded, SafeTensorError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.process != std::process::id() {
            return Some(Err(SafeTensorError::Cancelled));
        }
        let mut state = self.shared.lock();
        loop {
            if let Some(item) = state.ready.pop_front() {
                if let Ok(loaded) = &item {
                    state.ahead -= loaded.region.len();
                    self.shared.changed.notify_all();
                }
                return Some(item);
            }
            if state.ended {
                return None;
            }
            state = self.shared.wait(state);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return;
        }
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        if let Some(reader) = self.reader.take() {
            // A panic over there has been printed; there is nobody left to tell.
            let _ = reader.join();
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}
