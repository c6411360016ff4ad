//! What `sock_*` does with a socket, at once or when it is ready.

use super::address::Address;
use super::core::{Core, Counts, ROOM_SIZE};
use super::guarded;
use super::object::{Raised, Ref, Result, call_method, raise_io};
use super::{reading, writing};
use nexus_reactor::Interest;
use pyo3_ffi as ffi;
use std::ffi::c_int;
use std::io;

/// Memory of an object's, of which the first `start` bytes are done with.
pub(super) struct Buffer {
    // CPython may point from one field to another.
    view: Box<ffi::Py_buffer>,
    start: usize,
    size: usize,
}

impl Buffer {
    /// The memory of an object; none where there is no such, which is for Python to say.
    ///
    /// # Safety
    /// The object is alive.
    pub(super) unsafe fn of(object: *mut ffi::PyObject, flags: c_int) -> Option<Self> {
        // SAFETY: the caller's; zeros are a view that nobody has filled.
        unsafe {
            let mut view: Box<ffi::Py_buffer> = Box::new(std::mem::zeroed());
            if guarded::PyObject_GetBuffer(object, &raw mut *view, flags) != 0 {
                ffi::PyErr_Clear();
                return None;
            }
            let size = view.len.unsigned_abs();
            Some(Self {
                view,
                start: 0,
                size,
            })
        }
    }

    /// Uses the first bytes alone; whether there are as many, each an item.
    pub(super) fn limit(&mut self, size: usize) -> bool {
        let fits = size <= self.size && self.view.itemsize == 1;
        self.size = size;
        fits
    }

    pub(super) fn is_empty(&self) -> bool {
        self.size == 0
    }

    fn rest(&self) -> (*mut u8, usize) {
        let size = self.size - self.start;
        (self.view.buf.cast::<u8>().wrapping_add(self.start), size)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: the view is filled; the lock is held.
        unsafe { guarded::PyBuffer_Release(&raw mut *self.view) };
    }
}

/// Which operation.
pub(super) enum Kind {
    Receive(usize),
    ReceiveInto(Buffer),
    ReceiveFrom(usize),
    ReceiveFromInto(Buffer),
    SendAll(Buffer),
    SendTo(Buffer, Address),
    Accept,
    /// The end of a connect under way, to this address.
    Connect(Ref),
}

/// What an operation has brought, and whether there was room for more.
pub(super) struct Done {
    pub(super) object: Ref,
    pub(super) is_short: bool,
}

impl Done {
    fn new(object: Ref) -> Self {
        Self {
            object,
            is_short: false,
        }
    }
}

impl Kind {
    pub(super) fn interest(&self) -> Interest {
        match self {
            Self::SendAll(_) | Self::SendTo(..) | Self::Connect(_) => Interest::WRITE,
            _ => Interest::READ,
        }
    }

    /// Does it, where it need not wait. It calls Python to make what it brings, and nothing before it is sure that
    /// something is there.
    ///
    /// # Errors
    /// `OSError`, `MemoryError`.
    pub(super) fn attempt(&mut self, core: &Core, fd: c_int, socket: &Ref) -> Result<Option<Done>> {
        Counts::add(&core.counts.system_calls, 1);
        // SAFETY: there are as many bytes as the buffers say, and the lock is held.
        unsafe {
            match self {
                Self::Receive(size) => with_room(core, *size, |room, size| {
                    reading::receive(fd, room, size)?
                        .map(|count| Ok((bytes(room, count)?, count)))
                        .transpose()
                })?
                .map_or(Ok(None), |(object, count)| {
                    let is_short = count < *size;
                    Ok(Some(Done { object, is_short }))
                }),
                Self::ReceiveInto(buffer) => {
                    let (place, size) = buffer.rest();
                    let Some(count) = reading::receive(fd, place, size)? else {
                        return Ok(None);
                    };
                    let object = Ref::owned(ffi::PyLong_FromSize_t(count))?;
                    let is_short = count < size;
                    Ok(Some(Done { object, is_short }))
                }
                Self::ReceiveFrom(size) => with_room(core, *size, |room, size| {
                    let Some((count, from)) = receive_from(fd, room, size)? else {
                        return Ok(None);
                    };
                    pair(bytes(room, count)?, from.to_python()?).map(Some)
                })
                .map(|object| object.map(Done::new)),
                Self::ReceiveFromInto(buffer) => {
                    let (place, size) = buffer.rest();
                    let Some((count, from)) = receive_from(fd, place, size)? else {
                        return Ok(None);
                    };
                    let count = Ref::owned(ffi::PyLong_FromSize_t(count))?;
                    Ok(Some(Done::new(pair(count, from.to_python()?)?)))
                }
                Self::SendAll(buffer) => loop {
                    let (data, size) = buffer.rest();
                    let count = writing::send(fd, data, size)?;
                    if count == size {
                        return Ok(Some(Done::new(Ref::none())));
                    }
                    if count == 0 {
                        return Ok(None);
                    }
                    buffer.start += count;
                    Counts::add(&core.counts.system_calls, 1);
                },
                Self::SendTo(buffer, address) => {
                    let (data, size) = buffer.rest();
                    let count = retried(|| {
                        let (to, length) = (address.as_ptr(), address.size);
                        libc::sendto(fd, data.cast(), size, writing::FLAGS, to, length)
                    })?;
                    let object = count.map(|count| Ref::owned(ffi::PyLong_FromSize_t(count)));
                    Ok(object.transpose()?.map(Done::new))
                }
                Self::Accept => accept(core, fd, socket),
                Self::Connect(address) => connected(fd, address),
            }
        }
    }
}

/// An operation that waits for its socket.
pub(super) struct Operation {
    pub(super) future: Ref,
    pub(super) socket: Ref,
    pub(super) fd: c_int,
    pub(super) kind: Kind,
}

impl Operation {
    pub(super) fn future(&self) -> &Ref {
        &self.future
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = &Ref> {
        let address = match &self.kind {
            Kind::Connect(address) => Some(address),
            _ => None,
        };
        [&self.future, &self.socket].into_iter().chain(address)
    }
}

/// Lends memory: the loop's, or where that is too small, some of its own.
pub(super) fn with_room<T>(
    core: &Core,
    size: usize,
    body: impl FnOnce(*mut u8, usize) -> Result<T>,
) -> Result<T> {
    if size > ROOM_SIZE {
        let mut own: Vec<u8> = Vec::new();
        if own.try_reserve_exact(size).is_err() {
            // SAFETY: the lock is held.
            unsafe { ffi::PyErr_NoMemory() };
            return Err(Raised);
        }
        return body(own.as_mut_ptr(), size);
    }
    let mut room = core
        .with(|inner| inner.room.take())
        .unwrap_or_else(|| vec![0; ROOM_SIZE].into_boxed_slice());
    let result = body(room.as_mut_ptr(), size);
    core.with(|inner| inner.room = Some(room));
    result
}

/// # Safety
/// There are as many bytes.
pub(super) unsafe fn bytes(first: *const u8, count: usize) -> Result<Ref> {
    // SAFETY: the caller's.
    unsafe {
        let count = count.cast_signed();
        Ref::owned(ffi::PyBytes_FromStringAndSize(first.cast(), count))
    }
}

fn pair(first: Ref, second: Ref) -> Result<Ref> {
    // SAFETY: the format takes both references over, also where it fails.
    unsafe {
        let format = c"NN".as_ptr();
        Ref::owned(ffi::Py_BuildValue(
            format,
            first.into_ptr(),
            second.into_ptr(),
        ))
    }
}

/// The result of a system call, made again when a signal interrupts it; none when nothing is there.
///
/// # Errors
/// `OSError`.
pub(super) fn retried(mut call: impl FnMut() -> isize) -> Result<Option<usize>> {
    loop {
        let result = call();
        if result >= 0 {
            return Ok(Some(result.unsigned_abs()));
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock => return Ok(None),
            io::ErrorKind::Interrupted => {}
            _ => return Err(raise_io(&error)),
        }
    }
}

/// Receives a datagram of at most `size` bytes, and from whom.
///
/// # Safety
/// There is room for as many bytes.
unsafe fn receive_from(fd: c_int, room: *mut u8, size: usize) -> Result<Option<(usize, Address)>> {
    let mut from = Address::empty();
    let count = retried(|| {
        let mut length = Address::empty().size;
        // SAFETY: the caller's; the address has as much room as is said.
        let count = unsafe {
            let address = from.as_mut_ptr();
            let flags = libc::MSG_DONTWAIT;
            libc::recvfrom(fd, room.cast(), size, flags, address, &raw mut length)
        };
        from.size = length;
        count
    })?;
    Ok(count.map(|count| (count, from)))
}

/// Accepts a connection: a socket of Python's that does not block, and the address of its peer.
fn accept(core: &Core, fd: c_int, socket: &Ref) -> Result<Option<Done>> {
    let mut from = Address::empty();
    let accepted = retried(|| {
        let mut length = Address::empty().size;
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: the address has as much room as is said.
        let accepted = unsafe { libc::accept4(fd, from.as_mut_ptr(), &raw mut length, flags) };
        from.size = length;
        accepted as isize
    })?;
    let Some(accepted) = accepted else {
        return Ok(None);
    };
    // SAFETY: the objects are alive. A descriptor that no socket has taken over is closed.
    unsafe {
        let made = Ref::owned(ffi::PyLong_FromSize_t(accepted)).and_then(|number| {
            let arguments = [socket.as_ptr(), number.as_ptr()];
            call_method(&core.state().names.adopt, core.as_ptr(), &arguments)
        });
        let Ok(made) = made else {
            libc::close(accepted as c_int);
            return Err(Raised);
        };
        pair(made, from.to_python()?).map(|object| Some(Done::new(object)))
    }
}

/// Whether a connect has come to its end, and how.
fn connected(fd: c_int, address: &Ref) -> Result<Option<Done>> {
    let error = option(fd, libc::SO_ERROR).map_err(|error| raise_io(&error))?;
    match error {
        0 => return Ok(Some(Done::new(Ref::none()))),
        libc::EAGAIN | libc::EINTR | libc::EINPROGRESS | libc::EALREADY => return Ok(None),
        _ => {}
    }
    // SAFETY: the lock is held; the formats fit.
    unsafe {
        let format = c"Connect call failed %S".as_ptr();
        let text = Ref::owned(ffi::PyUnicode_FromFormat(format, address.as_ptr()))?;
        let format = c"iO".as_ptr();
        let arguments = Ref::owned(ffi::Py_BuildValue(format, error, text.as_ptr()))?;
        ffi::PyErr_SetObject(ffi::PyExc_OSError, arguments.as_ptr());
    }
    Err(Raised)
}

/// An option of a socket's that is a number.
pub(super) fn option(fd: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut size = size_of::<c_int>() as libc::socklen_t;
    let place = (&raw mut value).cast();
    // SAFETY: the number has as much room as is said.
    match unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, place, &raw mut size) } {
        0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}
