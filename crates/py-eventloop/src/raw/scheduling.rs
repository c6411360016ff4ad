//! Callbacks for now, from another thread, and for later.

use super::core::{Core, Entry};
use super::guarded;
use super::handle::Handle;
use super::object::{Arguments, Raised, Ref, Result, answer, call_method, method, raise};
use pyo3_ffi as ffi;
use std::ffi::CStr;

const NANOSECONDS: f64 = 1e9;

/// The time of the monotonic clock, in nanoseconds, as Python's `time.monotonic`.
#[inline]
pub(super) fn clock() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the time is written; this clock is everywhere.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The time of the loop, in nanoseconds.
///
/// # Errors
/// Of a `time` that a subclass has.
#[inline]
pub(super) fn now(core: &Core) -> Result<u64> {
    if !core.has_own_time.get() {
        return Ok(clock());
    }
    Ok(deadline(own_time(core)?))
}

fn own_time(core: &Core) -> Result<f64> {
    // SAFETY: the lock is held.
    unsafe {
        let time = call_method(&core.state().names.time, core.as_ptr(), &[])?;
        number(time.as_ptr())
    }
}

/// The loop's seconds as the nanoseconds of timers. What is before zero is due at once, and so is NaN.
#[inline]
fn deadline(when: f64) -> u64 {
    (when * NANOSECONDS) as u64
}

unsafe fn number(object: *mut ffi::PyObject) -> Result<f64> {
    // SAFETY: the caller's.
    unsafe {
        let value = guarded::PyFloat_AsDouble(object);
        if value == -1.0 && !ffi::PyErr_Occurred().is_null() {
            return Err(Raised);
        }
        Ok(value)
    }
}

/// Raises what asyncio does where the loop is closed.
#[inline]
pub(super) fn check_open(core: &Core) -> Result<()> {
    if core.is_closed.get() {
        return closed();
    }
    Ok(())
}

#[cold]
fn closed() -> Result<()> {
    // SAFETY: the lock is held.
    Err(unsafe { raise(ffi::PyExc_RuntimeError, c"Event loop is closed") })
}

/// Calls asyncio's own method, which checks more and remembers where it was called.
#[cold]
unsafe fn in_debug(
    name: &Ref,
    this: *mut ffi::PyObject,
    first: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> Result<Ref> {
    // SAFETY: the caller's: there are as many arguments, then one for each name.
    unsafe {
        let keywords = if names.is_null() {
            0
        } else {
            ffi::PyTuple_Size(names)
        };
        let all = count.unsigned_abs() + keywords.unsigned_abs();
        let mut stack = vec![this];
        stack.extend_from_slice(std::slice::from_raw_parts(first, all));
        let count = count.unsigned_abs() + 1;
        let made = guarded::PyObject_VectorcallMethod(name.as_ptr(), stack.as_ptr(), count, names);
        Ref::owned(made)
    }
}

const CALLBACK_MISSING: &CStr = c"call_soon() needs a callback";
const TIMER_MISSING: &CStr = c"call_later() and call_at() need a time and a callback";

// SAFETY of all functions below: CPython calls them attached, with an object of the type.

unsafe extern "C" fn call_soon(
    this: *mut ffi::PyObject,
    first: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        if core.is_debug.get() {
            return in_debug(
                &core.state().names.call_soon_debug,
                this,
                first,
                count,
                names,
            );
        }
        soon(core, first, count, names)
    })
}

unsafe extern "C" fn call_soon_threadsafe(
    this: *mut ffi::PyObject,
    first: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's. A thread that waits is woken by whoever adds an entry.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        if core.is_debug.get() {
            let name = &core.state().names.call_soon_threadsafe_debug;
            return in_debug(name, this, first, count, names);
        }
        soon(core, first, count, names)
    })
}

#[inline]
unsafe fn soon(
    core: &Core,
    first: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> Result<Ref> {
    // SAFETY: the caller's.
    unsafe {
        check_open(core)?;
        let state = core.state();
        let arguments = Arguments::new(first, count, names, &state.names.context)?;
        let context = arguments.context;
        let ([callback], rest) = arguments.split(CALLBACK_MISSING)?;
        let rest = (rest.first, rest.count);
        let handle = Handle::make(core, &state.handle, callback, rest, context)?;
        core.push(Entry::Handle(Ref::new(handle.as_ptr())));
        Ok(handle)
    }
}

/// A timer for `when`, due at `deadline`.
unsafe fn at(
    core: &Core,
    when: f64,
    callback: *mut ffi::PyObject,
    rest: &Arguments,
) -> Result<Ref> {
    // SAFETY: the caller's.
    unsafe {
        let state = core.state();
        let arguments = (rest.first, rest.count);
        let timer = Handle::make(core, &state.timer, callback, arguments, rest.context)?;
        let kept = Ref::new(timer.as_ptr());
        let key = core.with(|inner| inner.timers.insert(deadline(when), kept));
        Handle::set_time(timer.as_ptr(), when, Some(key));
        if core.is_waiting.get() {
            core.wake();
        }
        Ok(timer)
    }
}

unsafe extern "C" fn call_later(
    this: *mut ffi::PyObject,
    first: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        let names_known = &core.state().names;
        if core.is_debug.get() {
            return in_debug(&names_known.call_later_debug, this, first, count, names);
        }
        let arguments = Arguments::new(first, count, names, &names_known.context)?;
        let ([delay, callback], rest) = arguments.split(TIMER_MISSING)?;
        if delay == ffi::Py_None() {
            return Err(raise(ffi::PyExc_TypeError, c"delay must not be None"));
        }
        check_open(core)?;
        let delay = number(delay)?;
        let time = if core.has_own_time.get() {
            own_time(core)?
        } else {
            clock() as f64 / NANOSECONDS
        };
        at(core, time + delay, callback, &rest)
    })
}

unsafe extern "C" fn call_at(
    this: *mut ffi::PyObject,
    first: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        let names_known = &core.state().names;
        if core.is_debug.get() {
            return in_debug(&names_known.call_at_debug, this, first, count, names);
        }
        let arguments = Arguments::new(first, count, names, &names_known.context)?;
        let ([when, callback], rest) = arguments.split(TIMER_MISSING)?;
        if when == ffi::Py_None() {
            return Err(raise(ffi::PyExc_TypeError, c"when cannot be None"));
        }
        check_open(core)?;
        at(core, number(when)?, callback, &rest)
    })
}

unsafe extern "C" fn time(_: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the lock is held.
    unsafe { ffi::PyFloat_FromDouble(clock() as f64 / NANOSECONDS) }
}

/// Adds a handle of asyncio's, or one of ours.
unsafe extern "C" fn push(
    this: *mut ffi::PyObject,
    handle: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        core.push(entry(core, Ref::new(handle)));
        Ok(Ref::none())
    })
}

/// A handle of whichever kind, as an entry of the queue.
pub(super) unsafe fn entry(core: &Core, handle: Ref) -> Entry {
    // SAFETY: the caller's: the object is alive.
    let class: *mut ffi::PyObject = unsafe { ffi::Py_TYPE(handle.as_ptr()) }.cast();
    let state = core.state();
    if class == state.handle.as_ptr() || class == state.timer.as_ptr() {
        Entry::Handle(handle)
    } else {
        Entry::Foreign(handle)
    }
}

/// Adds a timer of asyncio's.
unsafe extern "C" fn schedule(
    this: *mut ffi::PyObject,
    timer: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        let when = guarded::PyObject_GetAttr(timer, core.state().names.when.as_ptr());
        let when = number(Ref::owned(when)?.as_ptr())?;
        let kept = Ref::new(timer);
        core.with(|inner| inner.timers.insert(deadline(when), kept));
        if core.is_waiting.get() {
            core.wake();
        }
        Ok(Ref::none())
    })
}

/// How many callbacks wait to be run, and how many timers.
unsafe extern "C" fn counts(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython's; the format has two sizes.
    unsafe {
        let core = &*this.cast::<Core>();
        let (ready, timers) = core.with(|inner| (inner.ready.len(), inner.timers.len()));
        ffi::Py_BuildValue(c"nn".as_ptr(), ready.cast_signed(), timers.cast_signed())
    }
}

/// Lets go of all that waits.
unsafe extern "C" fn forget(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython's. Timers that somebody still has know that they wait no more.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        let ready = core.with(|inner| std::mem::take(&mut inner.ready));
        let timers = core.with(|inner| inner.timers.clear());
        for timer in &timers {
            if ffi::Py_TYPE(timer.as_ptr()).cast() == core.state().timer.as_ptr() {
                Handle::clear_key(timer.as_ptr());
            }
        }
        drop((ready, timers));
        Ok(Ref::none())
    })
}

/// A cancelled timer of asyncio's stays until its time; ours are gone at once.
unsafe extern "C" fn timer_handle_cancelled(
    _: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    Ref::none().into_ptr()
}

const FAST: std::ffi::c_int = ffi::METH_FASTCALL | ffi::METH_KEYWORDS;

pub(super) const METHODS: [ffi::PyMethodDef; 10] = [
    method(
        c"call_soon",
        ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: call_soon,
        },
        FAST,
        c"Calls a callback in the next step of the loop.",
    ),
    method(
        c"call_soon_threadsafe",
        ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: call_soon_threadsafe,
        },
        FAST,
        c"As call_soon, from any thread.",
    ),
    method(
        c"call_later",
        ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: call_later,
        },
        FAST,
        c"Calls a callback after some seconds.",
    ),
    method(
        c"call_at",
        ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: call_at,
        },
        FAST,
        c"Calls a callback at a time of the loop's clock.",
    ),
    method(
        c"time",
        ffi::PyMethodDefPointer { PyCFunction: time },
        ffi::METH_NOARGS,
        c"The loop's time in seconds: the monotonic clock.",
    ),
    method(
        c"_push",
        ffi::PyMethodDefPointer { PyCFunction: push },
        ffi::METH_O,
        c"Adds a handle to the ready queue.",
    ),
    method(
        c"_schedule",
        ffi::PyMethodDefPointer {
            PyCFunction: schedule,
        },
        ffi::METH_O,
        c"Adds a timer of asyncio's.",
    ),
    method(
        c"_counts",
        ffi::PyMethodDefPointer {
            PyCFunction: counts,
        },
        ffi::METH_NOARGS,
        c"How many callbacks are ready, and how many timers wait.",
    ),
    method(
        c"_forget",
        ffi::PyMethodDefPointer {
            PyCFunction: forget,
        },
        ffi::METH_NOARGS,
        c"Lets go of all callbacks and timers.",
    ),
    method(
        c"_timer_handle_cancelled",
        ffi::PyMethodDefPointer {
            PyCFunction: timer_handle_cancelled,
        },
        ffi::METH_O,
        c"Told by timers of asyncio's when they are cancelled.",
    ),
];
