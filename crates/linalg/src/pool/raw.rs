//! Handing a borrowed function to threads that outlive the call.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{
    AtomicPtr, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};

/// Turns of a loop before a thread sleeps: some ten microseconds.
const SPINS: usize = 4000;

/// Workers, each with a place where its next job is put.
pub(super) struct Pool {
    workers: Vec<Worker>,
    /// The process that the workers belong to.
    process: u32,
}

struct Worker {
    place: Arc<AtomicPtr<Job<'static>>>,
    thread: Thread,
}

/// A function that several threads call, and who is still at it.
struct Job<'a> {
    work: &'a (dyn Fn() + Sync),
    caller: Thread,
    /// Workers that have the job, or may still take it.
    pending: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Pool {
    pub(super) const fn new() -> Self {
        Self {
            workers: Vec::new(),
            process: 0,
        }
    }

    /// Calls `work` here and on up to `others` workers.
    pub(super) fn share(&mut self, others: usize, work: &(dyn Fn() + Sync)) {
        let process = std::process::id();
        if self.process != process {
            // The workers stayed behind a fork.
            self.workers.clear();
            self.process = process;
        }
        while self.workers.len() < others {
            match Worker::start() {
                Some(worker) => self.workers.push(worker),
                // A thread that the system refuses is not needed.
                None => break,
            }
        }
        let workers = &self.workers[..others.min(self.workers.len())];
        let job = Job {
            work,
            caller: thread::current(),
            pending: AtomicUsize::new(workers.len()),
            panic: Mutex::new(None),
        };
        let shared: *mut Job<'static> = ptr::from_ref(&job).cast_mut().cast();
        for worker in workers {
            worker
                .place
                .store(shared, std::sync::atomic::Ordering::Release);
            worker.thread.unpark();
        }
        let own = catch_unwind(AssertUnwindSafe(work));
        // Who has not begun by now is not needed any more.
        for worker in workers {
            if !worker.place.swap(ptr::null_mut(), AcqRel).is_null() {
                job.pending.fetch_sub(1, Relaxed);
            }
        }
        wait_until(|| job.pending.load(Acquire) == 0);
        let others = job
            .panic
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(panic) = own.err().or(others) {
            resume_unwind(panic);
        }
    }
}

impl Worker {
    fn start() -> Option<Self> {
        let place = Arc::new(AtomicPtr::new(ptr::null_mut()));
        let own = place.clone();
        let name = thread::Builder::new().name("nexus-linalg".to_owned());
        let handle = name.spawn(move || serve(&own)).ok()?;
        Some(Self {
            place,
            thread: handle.thread().clone(),
        })
    }
}

/// What a worker does for all its life.
fn serve(place: &AtomicPtr<Job<'static>>) {
    loop {
        wait_until(|| !place.load(Relaxed).is_null());
        let job = place.swap(ptr::null_mut(), AcqRel);
        if job.is_null() {
            continue;
        }
        // SAFETY: `share` put the job there and stays until `pending`, which counts this worker, is zero:
        // the job and what it borrows live until the subtraction below. Who takes it from the place, this
        // worker or `share`, is one of the two, because both swap.
        let job = unsafe { &*job };
        let result = catch_unwind(AssertUnwindSafe(job.work));
        if let Err(panic) = result {
            *job.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        let caller = job.caller.clone();
        job.pending.fetch_sub(1, AcqRel);
        // The job may be gone from here on.
        caller.unpark();
    }
}

fn wait_until(is_so: impl Fn() -> bool) {
    for _ in 0..SPINS {
        if is_so() {
            return;
        }
        std::hint::spin_loop();
    }
    while !is_so() {
        thread::park();
    }
}
