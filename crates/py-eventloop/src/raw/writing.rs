//! Writing of a transport: at once what the system takes, the rest when it can.

use super::core::{Core, Counts};
use super::guarded;
use super::object::{
    Raised, Ref, Result, call_method, raise, raise_io, raised_ends_the_loop, take_raised,
};
use super::transport::Transport;
use pyo3_ffi as ffi;
use std::ffi::{CStr, c_int};
use std::io;

/// Pieces that are written by one system call.
const PIECES_MAX: usize = 64;

/// As many writes to a lost connection are not worth a warning (asyncio's number).
const WRITES_LOST_MAX: u32 = 5;

/// It never waits, also where somebody has made the socket block. A peer that is gone is an error of the call, not
/// a signal; elsewhere Python ignores the signal.
#[cfg(target_os = "linux")]
const FLAGS: c_int = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
#[cfg(not(target_os = "linux"))]
const FLAGS: c_int = libc::MSG_DONTWAIT;

const WRITE_FAILED: &CStr = c"Fatal write error on socket transport";

/// Bytes that wait, of which the first `start` are written.
pub(super) struct Piece {
    bytes: Ref,
    start: usize,
}

impl Piece {
    fn rest(&self) -> (*mut u8, usize) {
        // SAFETY: pieces are bytes, which do not change; `start` is within.
        unsafe {
            let bytes = self.bytes.as_ptr();
            let size = ffi::PyBytes_Size(bytes).unsigned_abs();
            let data = ffi::PyBytes_AsString(bytes).cast::<u8>();
            (data.add(self.start), size - self.start)
        }
    }
}

/// How many bytes the system has taken.
///
/// # Errors
/// `OSError`.
unsafe fn send(fd: c_int, data: *const u8, size: usize) -> Result<usize> {
    loop {
        // SAFETY: the caller's: there are as many bytes.
        let count = unsafe { libc::send(fd, data.cast(), size, FLAGS) };
        if let Some(count) = taken(count)? {
            return Ok(count);
        }
    }
}

/// What a call that writes has said; none when it was interrupted.
fn taken(count: isize) -> Result<Option<usize>> {
    if count >= 0 {
        return Ok(Some(count.unsigned_abs()));
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(Some(0)),
        io::ErrorKind::Interrupted => Ok(None),
        _ => Err(raise_io(&error)),
    }
}

/// `write` of the transport.
///
/// # Errors
/// As asyncio's: of another type, after the end, during `sendfile`.
///
/// # Safety
/// The object is alive, and so is the transport during the call.
#[inline]
pub(super) unsafe fn write(this: &Transport, data: *mut ffi::PyObject) -> Result<()> {
    // SAFETY: the caller's; bytes do not change, and a view is released when what it shows is sent or copied.
    unsafe {
        if ffi::PyBytes_CheckExact(data) != 0 {
            let size = ffi::PyBytes_Size(data).unsigned_abs();
            let first = ffi::PyBytes_AsString(data).cast::<u8>();
            return write_bytes(this, first, size, Some(data));
        }
        if ffi::PyBytes_Check(data) == 0
            && ffi::PyByteArray_Check(data) == 0
            && ffi::PyMemoryView_Check(data) == 0
        {
            ffi::PyErr_Format(
                ffi::PyExc_TypeError,
                c"data argument must be a bytes-like object, not '%.200s'".as_ptr(),
                (*ffi::Py_TYPE(data)).tp_name,
            );
            return Err(Raised);
        }
        let mut view: ffi::Py_buffer = std::mem::zeroed();
        if guarded::PyObject_GetBuffer(data, &raw mut view, ffi::PyBUF_SIMPLE) != 0 {
            return Err(Raised);
        }
        let size = view.len.unsigned_abs();
        let result = write_bytes(this, view.buf.cast(), size, None);
        guarded::PyBuffer_Release(&raw mut view);
        result
    }
}

/// Writes; `object` is what has the bytes, where they do not change.
#[inline]
unsafe fn write_bytes(
    this: &Transport,
    data: *const u8,
    size: usize,
    object: Option<*mut ffi::PyObject>,
) -> Result<()> {
    // SAFETY: the caller's.
    unsafe {
        if this.has_eof.get() != 0 {
            let message = c"Cannot call write() after write_eof()";
            return Err(raise(ffi::PyExc_RuntimeError, message));
        }
        if !this.empty_waiter.get().is_null() && this.empty_waiter.get() != ffi::Py_None() {
            let message = c"unable to write; sendfile is in progress";
            return Err(raise(ffi::PyExc_RuntimeError, message));
        }
        if size == 0 {
            return Ok(());
        }
        let Some(core) = this.core().filter(|_| this.lost.get() == 0) else {
            return write_lost(this);
        };
        // Ours: what the protocol is told may let go of the loop.
        let kept = Ref::new(core.as_ptr());
        let core = &*kept.as_ptr().cast::<Core>();
        let mut count = 0;
        if this.pending_size.get() == 0 {
            Counts::add(&core.counts.system_calls, 1);
            let Ok(taken) = send(this.fd, data, size) else {
                return this.fail(core, WRITE_FAILED);
            };
            if taken == size {
                return Ok(());
            }
            count = taken;
        }
        let piece = if let Some(bytes) = object {
            Piece {
                bytes: Ref::new(bytes),
                start: count,
            }
        } else {
            let rest = (size - count).cast_signed();
            let copy = ffi::PyBytes_FromStringAndSize(data.add(count).cast(), rest);
            Piece {
                bytes: Ref::owned(copy)?,
                start: 0,
            }
        };
        (*this.pending.get()).push_back(piece);
        this.pending_size
            .set(this.pending_size.get() + size - count);
        this.sync()?;
        maybe_pause(core, this)
    }
}

#[cold]
unsafe fn write_lost(this: &Transport) -> Result<()> {
    // SAFETY: the transport is alive; the lock is held.
    unsafe {
        if this.lost.get() >= WRITES_LOST_MAX {
            let name = Ref::owned(ffi::PyUnicode_InternFromString(c"_warn_lost".as_ptr()))?;
            call_method(&name, this.as_ptr(), &[])?;
        }
    }
    this.lost.set(this.lost.get().saturating_add(1));
    Ok(())
}

/// Tells the protocol to write no more, when there is too much already.
fn maybe_pause(core: &Core, this: &Transport) -> Result<()> {
    if this.pending_size.get().cast_signed() <= this.high_water.get()
        || this.is_protocol_paused.get() != 0
    {
        return Ok(());
    }
    this.is_protocol_paused.set(1);
    tell(core, this, &core.state().names.pause_writing)
}

/// Tells the protocol to go on, when there is little enough.
fn maybe_resume(core: &Core, this: &Transport) -> Result<()> {
    if this.is_protocol_paused.get() == 0
        || this.pending_size.get().cast_signed() > this.low_water.get()
    {
        return Ok(());
    }
    this.is_protocol_paused.set(0);
    tell(core, this, &core.state().names.resume_writing)
}

fn tell(core: &Core, this: &Transport, name: &Ref) -> Result<()> {
    let protocol = this.protocol()?;
    // SAFETY: the objects are alive.
    unsafe {
        if call_method(name, protocol.as_ptr(), &[]).is_err() {
            if raised_ends_the_loop() {
                return Err(Raised);
            }
            let error = take_raised()?;
            let failed = &core.state().names.flow_failed;
            call_method(failed, this.as_ptr(), &[name.as_ptr(), error.as_ptr()])?;
        }
    }
    Ok(())
}

/// Writes what waits, as the socket is ready for it.
///
/// # Errors
/// What the transport raises when it closes or reports; what its protocol raises at the end.
pub(super) fn flush(core: &Core, this: &Transport) -> Result<()> {
    Counts::add(&core.counts.system_calls, 1);
    let Ok(count) = send_pending(this) else {
        // SAFETY: nothing is called while the list is borrowed.
        let pending = unsafe { std::mem::take(&mut *this.pending.get()) };
        this.pending_size.set(0);
        drop(pending);
        // Where this fails too, that is what is reported.
        drop(this.sync());
        return this.fail(core, WRITE_FAILED);
    };
    let mut left = count;
    while left > 0 {
        // SAFETY: as above; bytes that are let go call nothing.
        let pending = unsafe { &mut *this.pending.get() };
        let Some(first) = pending.front_mut() else {
            break;
        };
        let (_, size) = first.rest();
        if size > left {
            first.start += left;
            break;
        }
        left -= size;
        pending.pop_front();
    }
    this.pending_size.set(this.pending_size.get() - count);
    // The protocol may write more now, or close the connection.
    maybe_resume(core, this)?;
    if this.pending_size.get() == 0 {
        this.sync()?;
        let is_waited_for = !this.empty_waiter.get().is_null();
        if is_waited_for || this.is_closing.get() != 0 || this.has_eof.get() != 0 {
            // SAFETY: the transport is alive.
            unsafe { call_method(&core.state().names.drained, this.as_ptr(), &[])? };
        }
    }
    Ok(())
}

fn send_pending(this: &Transport) -> Result<usize> {
    // SAFETY: nothing is called while the list is borrowed, the pieces keep their bytes, and the kernel reads as
    // many pieces as there are.
    unsafe {
        let pending = &*this.pending.get();
        let mut pieces = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; PIECES_MAX];
        let mut count = 0;
        for (place, piece) in pieces.iter_mut().zip(pending) {
            let (data, size) = piece.rest();
            place.iov_base = data.cast();
            place.iov_len = size;
            count += 1;
        }
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = pieces.as_mut_ptr();
        message.msg_iovlen = count as _;
        loop {
            let sent = libc::sendmsg(this.fd, &raw const message, FLAGS);
            if let Some(count) = taken(sent)? {
                return Ok(count);
            }
        }
    }
}
