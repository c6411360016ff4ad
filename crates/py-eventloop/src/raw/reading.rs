//! Reading of a transport: what its socket has, to its protocol.

use super::core::{Core, Counts, ROOM_SIZE};
use super::guarded;
use super::object::{
    Raised, Ref, Result, call_method, raise, raise_io, raised_ends_the_loop, take_raised,
};
use super::streams;
use super::transport::Transport;
use super::writing;
use nexus_reactor::Interest;
use pyo3_ffi as ffi;
use std::ffi::{CStr, c_int};
use std::io;

const READ_FAILED: &CStr = c"Fatal read error on socket transport";
const CALL_FAILED: &CStr = c"Fatal error: protocol.data_received() call failed.";

/// Reads and writes what is ready, in the context of the transport.
///
/// # Errors
/// `SystemExit`, `KeyboardInterrupt`, and what the loop raises when it reports another.
///
/// # Safety
/// The object is a transport.
#[inline]
pub(super) unsafe fn run(core: &Core, transport: &Ref, interest: Interest) -> Result<()> {
    // SAFETY: the caller's; the references keep the objects.
    unsafe {
        let this = &*transport.as_ptr().cast::<Transport>();
        // A lost connection has no context any more.
        let Some(context) = this.context() else {
            return Ok(());
        };
        if ffi::PyContext_Enter(context.as_ptr()) != 0 {
            return failed(core, transport);
        }
        let result = ready(core, this, interest);
        if ffi::PyContext_Exit(context.as_ptr()) != 0 || result.is_err() {
            return failed(core, transport);
        }
    }
    Ok(())
}

/// Has the loop report what is set.
#[cold]
fn failed(core: &Core, transport: &Ref) -> Result<()> {
    if raised_ends_the_loop() {
        return Err(Raised);
    }
    let error = take_raised()?;
    let name = &core.state().names.transport_failed;
    // SAFETY: the objects are alive.
    unsafe {
        let arguments = [transport.as_ptr(), error.as_ptr()];
        call_method(name, core.as_ptr(), &arguments)?;
    }
    Ok(())
}

#[inline]
fn ready(core: &Core, this: &Transport, ready: Interest) -> Result<()> {
    if ready.contains(Interest::READ) && this.wants_to_read() {
        if this.is_buffered.get() == 0 {
            read(core, this)?;
        } else {
            read_into(core, this)?;
        }
    }
    if ready.contains(Interest::WRITE) {
        if this.pending_size.get() > 0 && this.lost.get() == 0 {
            writing::flush(core, this)?;
        } else {
            // Nothing waits to be written any more.
            this.sync()?;
        }
    }
    Ok(())
}

/// Receives at most `size` bytes; none when nothing is there.
///
/// # Errors
/// `OSError`.
///
/// # Safety
/// There is room for as many bytes.
pub(super) unsafe fn receive(fd: c_int, room: *mut u8, size: usize) -> Result<Option<usize>> {
    loop {
        // SAFETY: the caller's: there are as many bytes to be written to.
        let count = unsafe { libc::recv(fd, room.cast(), size, libc::MSG_DONTWAIT) };
        if count >= 0 {
            return Ok(Some(count.unsigned_abs()));
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock => return Ok(None),
            io::ErrorKind::Interrupted => {}
            _ => return Err(raise_io(&error)),
        }
    }
}

fn read(core: &Core, this: &Transport) -> Result<()> {
    let mut room = core
        .with(|inner| inner.room.take())
        .unwrap_or_else(|| vec![0; ROOM_SIZE].into_boxed_slice());
    Counts::add(&core.counts.system_calls, 1);
    // SAFETY: the room is as large as it says.
    let received = unsafe { receive(this.fd, room.as_mut_ptr(), room.len()) };
    if let Ok(Some(count @ 1..)) = received
        && this.is_of_streams.get() != 0
    {
        let data = &room[..count];
        // SAFETY: the lock is held, and Python has told of which class the protocol is.
        let feed = |protocol| unsafe { streams::feed(core, &protocol, data) };
        let is_fed = this.protocol().and_then(feed);
        if !matches!(is_fed, Ok(false)) {
            core.with(|inner| inner.room = Some(room));
            return is_fed.map_or_else(|Raised| this.fail(core, CALL_FAILED), |_| Ok(()));
        }
    }
    let data = match received {
        Ok(Some(count)) if count > 0 => {
            // SAFETY: as many bytes are copied.
            unsafe {
                let bytes = room.as_ptr().cast();
                Ref::owned(ffi::PyBytes_FromStringAndSize(bytes, count.cast_signed())).map(Some)
            }
        }
        Ok(Some(_)) => Ok(None),
        Ok(None) => {
            core.with(|inner| inner.room = Some(room));
            return Ok(());
        }
        Err(raised) => Err(raised),
    };
    core.with(|inner| inner.room = Some(room));
    let Ok(data) = data else {
        return this.fail(core, READ_FAILED);
    };
    let Some(data) = data else {
        return end(core, this);
    };
    // SAFETY: the objects are alive.
    let result = unsafe {
        let protocol = this.protocol()?;
        let name = &core.state().names.data_received;
        call_method(name, protocol.as_ptr(), &[data.as_ptr()])
    };
    if result.is_err() {
        return this.fail(core, CALL_FAILED);
    }
    Ok(())
}

/// Reads into memory of the protocol's.
fn read_into(core: &Core, this: &Transport) -> Result<()> {
    let names = &core.state().names;
    // SAFETY: the protocol is kept; the buffer is released as soon as it is written to.
    unsafe {
        let protocol = this.protocol()?;
        let mut view: ffi::Py_buffer = std::mem::zeroed();
        let taken = get_buffer(&protocol, &names.get_buffer, &mut view);
        if taken.is_err() {
            return this.fail(core, c"Fatal error: protocol.get_buffer() call failed.");
        }
        Counts::add(&core.counts.system_calls, 1);
        let received = receive(this.fd, view.buf.cast(), view.len.unsigned_abs());
        guarded::PyBuffer_Release(&raw mut view);
        match received {
            Err(Raised) => this.fail(core, READ_FAILED),
            Ok(None) => Ok(()),
            Ok(Some(0)) => end(core, this),
            Ok(Some(count)) => {
                let count = Ref::owned(ffi::PyLong_FromSize_t(count))?;
                let name = &names.buffer_updated;
                if call_method(name, protocol.as_ptr(), &[count.as_ptr()]).is_err() {
                    let message = c"Fatal error: protocol.buffer_updated() call failed.";
                    return this.fail(core, message);
                }
                Ok(())
            }
        }
    }
}

/// # Safety
/// The object is alive.
unsafe fn get_buffer(protocol: &Ref, name: &Ref, view: &mut ffi::Py_buffer) -> Result<()> {
    // SAFETY: the caller's. A buffer that is taken keeps its object.
    unsafe {
        let hint = Ref::owned(ffi::PyLong_FromLong(-1))?;
        let buffer = call_method(name, protocol.as_ptr(), &[hint.as_ptr()])?;
        let flags = ffi::PyBUF_WRITABLE;
        if guarded::PyObject_GetBuffer(buffer.as_ptr(), &raw mut *view, flags) != 0 {
            return Err(Raised);
        }
        if view.len == 0 {
            guarded::PyBuffer_Release(&raw mut *view);
            let message = c"get_buffer() returned an empty buffer";
            return Err(raise(ffi::PyExc_RuntimeError, message));
        }
    }
    Ok(())
}

/// The peer sends no more.
#[cold]
fn end(core: &Core, this: &Transport) -> Result<()> {
    let names = &core.state().names;
    // SAFETY: the objects are alive.
    unsafe {
        let protocol = this.protocol()?;
        let keeps_open = call_method(&names.eof_received, protocol.as_ptr(), &[]);
        let keeps_open = keeps_open.map(|answer| guarded::PyObject_IsTrue(answer.as_ptr()));
        match keeps_open {
            Err(Raised) | Ok(..0) => {
                this.fail(core, c"Fatal error: protocol.eof_received() call failed.")
            }
            Ok(0) => {
                let close = Ref::owned(ffi::PyUnicode_InternFromString(c"close".as_ptr()))?;
                call_method(&close, this.as_ptr(), &[])?;
                Ok(())
            }
            Ok(_) => {
                this.is_reading.set(0);
                this.sync()
            }
        }
    }
}
