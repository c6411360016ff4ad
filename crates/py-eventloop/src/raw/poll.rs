//! The step of the loop: wait, see what is ready and due, run it.

use super::core::{Core, Counts, Entry, Watch};
use super::guarded;
use super::handle::Handle;
use super::object::{Raised, Ref, Result, answer, call_method, method, raise, raise_io};
use super::reading;
use super::scheduling::{clock, entry, now};
use nexus_reactor::{Event, Interest};
use pyo3_ffi as ffi;
use std::io::ErrorKind;
use std::time::Duration;

/// While callbacks are ready, descriptors are asked for only now and then: after so many nanoseconds,
const POLL_EVERY_NS: u64 = 250_000;

/// or so many callbacks.
const POLL_EVERY_CALLBACKS: usize = 1024;

/// The longest wait, as asyncio's.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// Runs steps until the loop is stopped; one step outside of `run_forever`.
fn run_once(core: &Core) -> Result<()> {
    let mut is_first = true;
    loop {
        step(core, is_first)?;
        is_first = false;
        // SAFETY: the lock is held. Handlers of signals run here, where no callback is half done.
        if unsafe { guarded::PyErr_CheckSignals() } != 0 {
            return Err(Raised);
        }
        if core.is_stopping.get() || !core.keeps_running.get() {
            core.counts.note_lag(clock());
            return Ok(());
        }
    }
}

fn step(core: &Core, is_first: bool) -> Result<()> {
    Counts::add(&core.counts.steps, 1);
    // A `time` of Python's is asked first: it may let another thread run, which adds a callback and wakes nobody,
    // as nobody waits. From here to the wait nothing calls Python.
    let own_time = if core.has_own_time.get() {
        Some(now(core)?)
    } else {
        None
    };
    let (is_busy, next) = core.with(|inner| {
        let is_busy = !inner.ready.is_empty();
        (is_busy, inner.timers.next_deadline())
    });
    let must_not_wait = is_busy || core.is_stopping.get();
    let time = clock();
    if !is_first {
        core.counts.note_lag(time);
    }
    core.counts.began_at.set(time);
    let is_due = is_first
        || !is_busy
        || core.run_since.get() >= POLL_EVERY_CALLBACKS
        || time.saturating_sub(core.polled_at.get()) >= POLL_EVERY_NS;
    if is_due {
        let timeout = if must_not_wait {
            Some(Duration::ZERO)
        } else if let Some(next) = next {
            let left = next.saturating_sub(own_time.unwrap_or_else(clock));
            Some(Duration::from_nanos(left).min(WAIT_MAX))
        } else {
            None
        };
        poll(core, timeout)?;
        let time = if must_not_wait { time } else { clock() };
        core.polled_at.set(time);
        core.counts.began_at.set(time);
        core.run_since.set(0);
    }
    if next.is_some() {
        take_due(core)?;
    }
    run_ready(core)
}

/// Asks which descriptors are ready, and adds what they stand for to the queue.
fn poll(core: &Core, timeout: Option<Duration>) -> Result<()> {
    let taken = core.with(|inner| {
        let poller = inner.reactor.as_ref()?.poller().clone();
        Some((poller, inner.events.take()?))
    });
    let Some((poller, mut events)) = taken else {
        if core.with(|inner| inner.reactor.is_none()) {
            let message = c"cannot wait: the selector of the event loop is closed";
            // SAFETY: the lock is held.
            return Err(unsafe { raise(ffi::PyExc_RuntimeError, message) });
        }
        // A step within a step: nothing to wait for.
        return Ok(());
    };
    Counts::add(&core.counts.polls, 1);
    Counts::add(&core.counts.system_calls, 1);
    let result = if timeout == Some(Duration::ZERO) {
        poller.wait(&mut events, timeout)
    } else {
        core.is_waiting.set(true);
        // SAFETY: the lock is held and given back; what is used between belongs to this function.
        let thread = unsafe { ffi::PyEval_SaveThread() };
        let result = poller.wait(&mut events, timeout);
        // SAFETY: as above.
        unsafe { guarded::PyEval_RestoreThread(thread) };
        core.is_waiting.set(false);
        result
    };
    core.with(|inner| {
        if result.is_ok() {
            for event in events.iter() {
                add_ready(inner, event);
            }
        }
        inner.events = Some(events);
    });
    match result {
        // Handlers of signals run at the end of the step.
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(raise_io(&error)),
        _ => Ok(()),
    }
}

#[inline]
fn add_ready(inner: &mut super::core::Inner, event: Event) {
    let Some(reactor) = inner.reactor.as_ref() else {
        return;
    };
    let Some(watch) = reactor.get(event.token) else {
        return;
    };
    let ready = event.interest & reactor.interest(event.token);
    // SAFETY: the lock is held, the objects are alive.
    unsafe {
        match watch {
            Watch::Transport(transport) if !ready.is_none() => {
                let transport = Ref::new(transport.as_ptr());
                inner.ready.push_back(Entry::Ready(transport, ready));
            }
            Watch::Transport(_) => {}
            Watch::Handles { reader, writer } => {
                for (handle, kind) in [(reader, Interest::READ), (writer, Interest::WRITE)] {
                    if let Some(handle) = handle
                        && ready.contains(kind)
                    {
                        let handle = Ref::new(handle.as_ptr());
                        inner.ready.push_back(Entry::Handle(handle));
                    }
                }
            }
        }
    }
}

/// Adds the timers that are due to the queue.
fn take_due(core: &Core) -> Result<()> {
    let time = now(core)?;
    while let Some(timer) = core.with(|inner| inner.timers.pop_due(time)) {
        // SAFETY: the timer is alive; entries say which kind of handle it is.
        unsafe {
            let entry = entry(core, timer);
            match &entry {
                Entry::Handle(timer) => Handle::clear_key(timer.as_ptr()),
                Entry::Foreign(timer) => {
                    let name = core.state().names.scheduled.as_ptr();
                    if guarded::PyObject_SetAttr(timer.as_ptr(), name, ffi::Py_False()) != 0 {
                        return Err(Raised);
                    }
                }
                Entry::Ready(..) => {}
            }
            core.with(|inner| inner.ready.push_back(entry));
        }
    }
    Ok(())
}

/// Runs what is ready now; what is added meanwhile waits for the next step.
fn run_ready(core: &Core) -> Result<()> {
    let count = core.with(|inner| inner.ready.len());
    core.run_since.set(core.run_since.get() + count);
    Counts::add(&core.counts.callbacks, count as u64);
    for _ in 0..count {
        let Some(entry) = core.with(|inner| inner.ready.pop_front()) else {
            break;
        };
        // SAFETY: the entry's object is alive, and of the kind that the entry says.
        unsafe {
            match entry {
                Entry::Ready(transport, ready) => reading::run(core, &transport, ready)?,
                Entry::Handle(handle) if core.is_debug.get() => run_debug(core, &handle)?,
                Entry::Handle(handle) => Handle::run(handle.as_ptr())?,
                Entry::Foreign(handle) => run_foreign(core, &handle)?,
            }
        }
    }
    Ok(())
}

/// Lets Python run a handle and say so when it takes long.
#[cold]
unsafe fn run_debug(core: &Core, handle: &Ref) -> Result<()> {
    // SAFETY: the caller's.
    unsafe {
        call_method(
            &core.state().names.run_debug,
            core.as_ptr(),
            &[handle.as_ptr()],
        )?;
    }
    Ok(())
}

#[cold]
unsafe fn run_foreign(core: &Core, handle: &Ref) -> Result<()> {
    // SAFETY: the caller's.
    unsafe {
        if core.is_debug.get() {
            return run_debug(core, handle);
        }
        let names = &core.state().names;
        let cancelled = guarded::PyObject_GetAttr(handle.as_ptr(), names.cancelled.as_ptr());
        if guarded::PyObject_IsTrue(Ref::owned(cancelled)?.as_ptr()) == 0 {
            call_method(&names.run, handle.as_ptr(), &[])?;
        }
    }
    Ok(())
}

// SAFETY of all functions below: CPython calls them attached, with an object of the type.

unsafe extern "C" fn run_once_method(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's: the caller of a method keeps its object.
    answer(|| unsafe {
        run_once(&*this.cast::<Core>())?;
        Ok(Ref::none())
    })
}

/// What the fields of `Stats` are made of, in their order.
unsafe extern "C" fn stats(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython's; the formats have as many numbers, and the last takes the reference over.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        let (ready, timers) = core.with(|inner| (inner.ready.len(), inner.timers.len()));
        let counts = &core.counts;
        let lag = Ref::owned(guarded::PyTuple_New(counts.lag.len().cast_signed()))?;
        for (place, count) in counts.lag.iter().enumerate() {
            let count = Ref::owned(ffi::PyLong_FromUnsignedLongLong(count.get()))?;
            ffi::PyTuple_SetItem(lag.as_ptr(), place.cast_signed(), count.into_ptr());
        }
        Ref::owned(ffi::Py_BuildValue(
            c"KKKKKKN".as_ptr(),
            ready as u64,
            timers as u64,
            counts.callbacks.get(),
            counts.steps.get(),
            counts.polls.get(),
            counts.system_calls.get(),
            lag.into_ptr(),
        ))
    })
}

pub(super) const METHODS: [ffi::PyMethodDef; 2] = [
    method(
        c"_run_once",
        ffi::PyMethodDefPointer {
            PyCFunction: run_once_method,
        },
        ffi::METH_NOARGS,
        c"One step of the loop; in `run_forever`, all until it is stopped.",
    ),
    method(
        c"_stats",
        ffi::PyMethodDefPointer { PyCFunction: stats },
        ffi::METH_NOARGS,
        c"What has happened so far, as a tuple.",
    ),
];
