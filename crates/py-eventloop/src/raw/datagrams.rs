//! Datagrams of a transport: what `python/nexus/eventloop/_datagram.py` calls for each.

use super::address::Address;
use super::core::{Core, Counts, ROOM_SIZE};
use super::object::{
    Raised, Ref, Result, answer, attribute, call_method, method, raise, take_raised,
};
use super::operation::{bytes, retried, with_room};
use super::writing::FLAGS;
use pyo3_ffi as ffi;
use std::ffi::{c_int, c_uint};

/// Datagrams of the internet that one system call receives.
const AT_ONCE: usize = 4;

/// Calls that receive before other callbacks have their turn.
const CALLS_MAX: usize = 16;

/// A datagram of the internet is smaller.
const PLACE_SIZE: usize = ROOM_SIZE / AT_ONCE;

/// What was received, and from whom.
type Datagram = (Ref, Ref);

/// The arguments of a call, of which there are so many.
unsafe fn arguments<const N: usize>(
    first: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> Result<[*mut ffi::PyObject; N]> {
    // SAFETY: the caller's; as many are there.
    unsafe {
        if count.unsigned_abs() != N {
            let message = c"datagrams: another number of arguments";
            return Err(raise(ffi::PyExc_TypeError, message));
        }
        Ok(std::array::from_fn(|place| *first.add(place)))
    }
}

/// # Errors
/// `TypeError` for what is no number.
unsafe fn number(object: *mut ffi::PyObject) -> Result<c_int> {
    // SAFETY: the caller's.
    unsafe {
        let mut overflow = 0;
        let value = ffi::PyLong_AsLongAndOverflow(object, &raw mut overflow);
        if value == -1 && !ffi::PyErr_Occurred().is_null() {
            return Err(Raised);
        }
        Ok(c_int::try_from(value).unwrap_or(-1))
    }
}

/// Receives what is there, at most [`AT_ONCE`] datagrams.
///
/// # Errors
/// `OSError`, `MemoryError`.
fn receive_several(core: &Core, fd: c_int) -> Result<Vec<Datagram>> {
    with_room(core, ROOM_SIZE, |room, _| {
        let mut from = [Address::empty(); AT_ONCE];
        // SAFETY: zeros are a message without places. Each has one of its own, and room for an address; both outlive
        // the call, and the lock is held.
        unsafe {
            let mut places: [libc::iovec; AT_ONCE] = std::array::from_fn(|at| libc::iovec {
                iov_base: room.add(at * PLACE_SIZE).cast(),
                iov_len: PLACE_SIZE,
            });
            let mut messages: [libc::mmsghdr; AT_ONCE] = std::mem::zeroed();
            let all = messages.iter_mut().zip(&mut places).zip(&mut from);
            for ((message, place), from) in all {
                message.msg_hdr.msg_name = from.as_mut_ptr().cast();
                message.msg_hdr.msg_namelen = from.size;
                message.msg_hdr.msg_iov = place;
                message.msg_hdr.msg_iovlen = 1;
            }
            let count = retried(|| {
                let flags = libc::MSG_DONTWAIT as _;
                let count = AT_ONCE as c_uint;
                let messages = messages.as_mut_ptr();
                libc::recvmmsg(fd, messages, count, flags, std::ptr::null_mut()) as isize
            })?;
            let found = messages[..count.unwrap_or(0)].iter().zip(&mut from);
            found
                .enumerate()
                .map(|(at, (message, from))| {
                    from.size = message.msg_hdr.msg_namelen;
                    let data = bytes(room.add(at * PLACE_SIZE), message.msg_len as usize)?;
                    Ok((data, from.to_python()?))
                })
                .collect()
        }
    })
}

/// Hands datagrams to a protocol, until the transport closes. Where one fails, the others come later.
///
/// # Errors
/// What the protocol raises.
///
/// # Safety
/// The transport is alive, and the lock is held.
unsafe fn deliver(
    core: &Core,
    transport: *mut ffi::PyObject,
    found: Vec<Datagram>,
) -> Result<bool> {
    let names = &core.state().names;
    // SAFETY: the caller's.
    unsafe {
        let mut found = found.into_iter();
        let mut is_first = true;
        while let Some((data, from)) = found.next() {
            if !std::mem::take(&mut is_first) {
                let closing = attribute(transport, &names.closing)?;
                if closing.as_ptr() != ffi::Py_False() {
                    return Ok(false);
                }
            }
            let protocol = attribute(transport, &names.protocol)?;
            let received = &names.datagram_received;
            let both = [data.as_ptr(), from.as_ptr()];
            if call_method(received, protocol.as_ptr(), &both).is_err() {
                let error = take_raised()?;
                for (data, from) in found {
                    let call = attribute(transport, &names.deliver)?;
                    let later = [call.as_ptr(), data.as_ptr(), from.as_ptr()];
                    call_method(&names.call_soon, core.as_ptr(), &later)?;
                }
                ffi::PyErr_SetObject(ffi::Py_TYPE(error.as_ptr()).cast(), error.as_ptr());
                return Err(Raised);
            }
        }
    }
    Ok(true)
}

/// Tells the protocol of the `OSError` that is set.
///
/// # Safety
/// The transport is alive, and the lock is held.
unsafe fn tell_error(core: &Core, transport: *mut ffi::PyObject) -> Result<()> {
    // SAFETY: the caller's.
    unsafe {
        if ffi::PyErr_ExceptionMatches(ffi::PyExc_OSError) == 0 {
            return Err(Raised);
        }
        let error = take_raised()?;
        let names = &core.state().names;
        let protocol = attribute(transport, &names.protocol)?;
        let told = [error.as_ptr()];
        call_method(&names.error_received, protocol.as_ptr(), &told)?;
    }
    Ok(())
}

// SAFETY of all functions below: CPython calls them attached, with an object of the type.

/// `(transport, descriptor)`: receives and delivers.
unsafe extern "C" fn receive(
    this: *mut ffi::PyObject,
    first: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's: the caller of a method keeps its object and the arguments.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        let [transport, fd] = arguments(first, count)?;
        let fd = number(fd)?;
        for _ in 0..CALLS_MAX {
            Counts::add(&core.counts.system_calls, 1);
            let Ok(found) = receive_several(core, fd) else {
                tell_error(core, transport)?;
                break;
            };
            let is_more = found.len() == AT_ONCE;
            if !deliver(core, transport, found)? || !is_more {
                break;
            }
        }
        Ok(Ref::none())
    })
}

/// `(transport, descriptor, family, data, address)`: whether it is sent, or an error told. Without an address it goes
/// to the peer of the socket. What is seldom is left to asyncio's method.
unsafe extern "C" fn send(
    this: *mut ffi::PyObject,
    first: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's, as above; bytes do not change.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        let [transport, fd, family, data, address] = arguments(first, count)?;
        let (fd, family) = (number(fd)?, number(family)?);
        let no = || Ref::new(ffi::Py_False());
        if ffi::PyBytes_CheckExact(data) == 0 || ffi::PyBytes_Size(data) == 0 {
            return Ok(no());
        }
        let to = if address == ffi::Py_None() {
            None
        } else {
            match Address::from_python(family, address) {
                None => return Ok(no()),
                known => known,
            }
        };
        let (place, length) = to
            .as_ref()
            .map_or((std::ptr::null(), 0), |to| (to.as_ptr(), to.size));
        let size = ffi::PyBytes_Size(data).unsigned_abs();
        let data = ffi::PyBytes_AsString(data).cast();
        Counts::add(&core.counts.system_calls, 1);
        match retried(|| libc::sendto(fd, data, size, FLAGS, place, length)) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(no()),
            Err(Raised) => tell_error(core, transport)?,
        }
        Ok(Ref::new(ffi::Py_True()))
    })
}

pub(super) const METHODS: [ffi::PyMethodDef; 2] = [
    method(
        c"_receive_datagrams",
        ffi::PyMethodDefPointer {
            PyCFunctionFast: receive,
        },
        ffi::METH_FASTCALL,
        c"Hands a transport's protocol the datagrams that are there.",
    ),
    method(
        c"_send_datagram",
        ffi::PyMethodDefPointer {
            PyCFunctionFast: send,
        },
        ffi::METH_FASTCALL,
        c"Sends a datagram of a transport; whether that is done.",
    ),
];
