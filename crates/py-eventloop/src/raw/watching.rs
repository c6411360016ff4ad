//! `add_reader`, `add_writer`, and their ends.

use super::core::{Core, Inner, Watch};
use super::guarded;
use super::handle::Handle;
use super::object::{
    Raised, Ref, Result, answer, call_method, method, raise, raise_io, raised_ends_the_loop,
};
use super::scheduling::check_open;
use super::waiters::{Waiter, Waiters};
use nexus_reactor::{Interest, Reactor};
use pyo3_ffi as ffi;
use std::io;
use std::ptr::null_mut;

const MISSING: &std::ffi::CStr = c"add_reader() and add_writer() need a file and a callback";

/// The reactor, where the loop is open.
pub(super) fn reactor(inner: &mut Inner) -> io::Result<&mut Reactor<Watch>> {
    inner
        .reactor
        .as_mut()
        .ok_or_else(|| io::Error::other("the event loop is closed"))
}

/// Puts a handle in its place. Who was there is left in `stale`.
fn put(
    inner: &mut Inner,
    fd: i32,
    interest: Interest,
    handle: Ref,
    stale: &mut Option<Waiters>,
) -> io::Result<()> {
    let reactor = reactor(inner)?;
    let Some(token) = reactor.find(fd) else {
        let mut waiters = Waiters::default();
        *waiters.place(interest) = Some(Waiter::Handle(handle));
        // A refused descriptor is not busy with anything that calls: the handle is new and somebody has it.
        reactor.register(fd, interest, Watch::Waiters(waiters))?;
        return Ok(());
    };
    let Some(Watch::Waiters(waiters)) = reactor.get_mut(token) else {
        return Err(io::Error::other("the descriptor is used by a transport"));
    };
    // Callbacks are called as long as something is there: a registration for operations becomes one for both.
    let wanted = waiters.interest() | interest;
    reactor.set_interest(token, wanted)?;
    if let Some(Watch::Waiters(waiters)) = reactor.get_mut(token) {
        let mut old = Waiters {
            kept: waiters.kept.take(),
            ..Waiters::default()
        };
        let place = waiters.place(interest);
        *old.place(interest) = place.replace(Waiter::Handle(handle));
        *stale = Some(old);
    }
    Ok(())
}

/// Takes who waits from his place. Where that fails, all that watched the descriptor is left in `stale`.
fn take(
    inner: &mut Inner,
    fd: i32,
    interest: Interest,
    stale: &mut Option<Watch>,
) -> io::Result<Option<Waiter>> {
    let Some(reactor) = inner.reactor.as_mut() else {
        return Ok(None);
    };
    let Some(token) = reactor.find(fd) else {
        return Ok(None);
    };
    let Some(Watch::Waiters(waiters)) = reactor.get_mut(token) else {
        return Ok(None);
    };
    let taken = waiters.place(interest).take();
    if taken.is_none() || waiters.kept.is_some() {
        return Ok(taken);
    }
    let left = waiters.interest();
    if left.is_none() {
        *stale = reactor.deregister(token);
    } else if let Err(error) = reactor.set_interest(token, left) {
        // The descriptor was closed without a word: its other callback will not be called either.
        *stale = reactor.deregister(token);
        if let Some(Watch::Waiters(waiters)) = stale {
            *waiters.place(interest) = taken;
        }
        return Err(error);
    }
    Ok(taken)
}

/// The number of a file: an integer itself, or what its `fileno` says, as Python's selectors have it.
unsafe fn number_of_file(core: &Core, file: *mut ffi::PyObject) -> Result<Ref> {
    // SAFETY: the caller's.
    unsafe {
        number(core, file).map_err(|Raised| {
            if !raised_ends_the_loop() {
                ffi::PyErr_Clear();
                let format = c"Invalid file object: %R".as_ptr();
                ffi::PyErr_Format(ffi::PyExc_ValueError, format, file);
            }
            Raised
        })
    }
}

/// # Safety
/// The object is alive.
unsafe fn number(core: &Core, file: *mut ffi::PyObject) -> Result<Ref> {
    // SAFETY: the caller's.
    unsafe {
        if ffi::PyLong_Check(file) != 0 {
            return Ok(Ref::new(file));
        }
        let answer = call_method(&core.state().names.fileno, file, &[])?;
        Ref::owned(guarded::PyNumber_Long(answer.as_ptr()))
    }
}

/// A number as a descriptor that can be watched.
unsafe fn checked(number: &Ref) -> Result<i32> {
    // SAFETY: the caller's; the format has one object.
    unsafe {
        let mut overflow = 0;
        let value = ffi::PyLong_AsLongAndOverflow(number.as_ptr(), &raw mut overflow);
        if overflow < 0 || (overflow == 0 && value < 0) {
            let format = c"Invalid file descriptor: %S".as_ptr();
            ffi::PyErr_Format(ffi::PyExc_ValueError, format, number.as_ptr());
            return Err(Raised);
        }
        i32::try_from(value)
            .ok()
            .filter(|_| overflow == 0)
            .ok_or_else(|| {
                let message = c"cannot watch the descriptor: its number is more than a C int";
                raise(ffi::PyExc_OverflowError, message)
            })
    }
}

unsafe fn add(
    this: *mut ffi::PyObject,
    first: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    interest: Interest,
) -> Result<Ref> {
    // SAFETY: the caller's.
    unsafe {
        let core = &*this.cast::<Core>();
        check_open(core)?;
        if count < 2 {
            return Err(raise(ffi::PyExc_TypeError, MISSING));
        }
        let fd = checked(&number_of_file(core, *first)?)?;
        let rest = (first.add(2), count.unsigned_abs() - 2);
        let class = &core.state().handle;
        let handle = Handle::make(core, class, *first.add(1), rest, null_mut())?;
        let kept = Ref::new(handle.as_ptr());
        let mut stale = None;
        let result = core.with(|inner| put(inner, fd, interest, kept, &mut stale));
        if let Some(stale) = stale {
            Watch::Waiters(stale).end();
        }
        result.map_err(|error| raise_io(&error))?;
        Ok(handle)
    }
}

unsafe fn remove(
    this: *mut ffi::PyObject,
    file: *mut ffi::PyObject,
    interest: Interest,
) -> Result<Ref> {
    // SAFETY: the caller's.
    unsafe {
        let core = &*this.cast::<Core>();
        let mut was_there = false;
        if !core.is_closed.get() {
            let number = number_of_file(core, file)?;
            let fd = checked(&number).or_else(|raised| {
                // A closed file has the number -1, under which nothing is watched; nor is it under one too large.
                let is_overflow = ffi::PyErr_ExceptionMatches(ffi::PyExc_OverflowError) != 0;
                if number.as_ptr() == file && !is_overflow {
                    return Err(raised);
                }
                ffi::PyErr_Clear();
                Ok(-1)
            })?;
            let mut stale = None;
            let old = core.with(|inner| take(inner, fd, interest, &mut stale));
            if let Some(stale) = stale {
                stale.end();
            }
            if let Some(old) = old.map_err(|error| raise_io(&error))? {
                old.end();
                was_there = true;
            }
        }
        Ref::owned(ffi::PyBool_FromLong(was_there.into()))
    }
}

// SAFETY of all functions below: CPython calls them attached, with an object of the type.

unsafe extern "C" fn add_reader(
    this: *mut ffi::PyObject,
    first: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe { add(this, first, count, Interest::READ) })
}

unsafe extern "C" fn add_writer(
    this: *mut ffi::PyObject,
    first: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe { add(this, first, count, Interest::WRITE) })
}

unsafe extern "C" fn remove_reader(
    this: *mut ffi::PyObject,
    file: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe { remove(this, file, Interest::READ) })
}

unsafe extern "C" fn remove_writer(
    this: *mut ffi::PyObject,
    file: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe { remove(this, file, Interest::WRITE) })
}

/// What is watched: a list of descriptors, each with what is asked for, and its handles.
unsafe extern "C" fn watched(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's; the format has two numbers and two objects.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        let rows: Vec<_> = core.with(|inner| {
            let Some(reactor) = &inner.reactor else {
                return Vec::new();
            };
            let copy = |waiter: &Option<Waiter>| {
                waiter
                    .as_ref()
                    .map_or_else(Ref::none, |waiter| Ref::new(waiter.object().as_ptr()))
            };
            let row = |(token, watch): (nexus_reactor::Token, &Watch)| {
                let interest = match watch {
                    Watch::Waiters(waiters) => waiters.interest(),
                    Watch::Transport(_) => reactor.interest(token),
                };
                let events = i32::from(interest.contains(Interest::READ))
                    + 2 * i32::from(interest.contains(Interest::WRITE));
                let (reader, writer) = match watch {
                    Watch::Waiters(waiters) => (copy(&waiters.reader), copy(&waiters.writer)),
                    Watch::Transport(transport) => (Ref::new(transport.as_ptr()), Ref::none()),
                };
                (token.fd(), events, reader, writer)
            };
            reactor.iter().map(row).collect()
        });
        let list = Ref::owned(ffi::PyList_New(0))?;
        for (fd, events, reader, writer) in rows {
            if events == 0 {
                continue;
            }
            let row = Ref::owned(ffi::Py_BuildValue(
                c"iiOO".as_ptr(),
                fd,
                events,
                reader.as_ptr(),
                writer.as_ptr(),
            ))?;
            if ffi::PyList_Append(list.as_ptr(), row.as_ptr()) != 0 {
                return Err(Raised);
            }
        }
        Ok(list)
    })
}

/// Closes the reactor.
unsafe extern "C" fn close_reactor(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        drop(core.with(|inner| inner.reactor.take()));
        Ok(Ref::none())
    })
}

pub(super) const METHODS: [ffi::PyMethodDef; 6] = [
    method(
        c"_add_reader",
        ffi::PyMethodDefPointer {
            PyCFunctionFast: add_reader,
        },
        ffi::METH_FASTCALL,
        c"Calls a callback whenever a file can be read.",
    ),
    method(
        c"_add_writer",
        ffi::PyMethodDefPointer {
            PyCFunctionFast: add_writer,
        },
        ffi::METH_FASTCALL,
        c"Calls a callback whenever a file can be written.",
    ),
    method(
        c"_remove_reader",
        ffi::PyMethodDefPointer {
            PyCFunction: remove_reader,
        },
        ffi::METH_O,
        c"Ends `_add_reader`; whether there was one.",
    ),
    method(
        c"_remove_writer",
        ffi::PyMethodDefPointer {
            PyCFunction: remove_writer,
        },
        ffi::METH_O,
        c"Ends `_add_writer`; whether there was one.",
    ),
    method(
        c"_watched",
        ffi::PyMethodDefPointer {
            PyCFunction: watched,
        },
        ffi::METH_NOARGS,
        c"What is watched: descriptor, events, reader, writer.",
    ),
    method(
        c"_close_reactor",
        ffi::PyMethodDefPointer {
            PyCFunction: close_reactor,
        },
        ffi::METH_NOARGS,
        c"Closes the descriptors of the reactor.",
    ),
];
