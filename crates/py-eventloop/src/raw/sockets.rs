//! `sock_recv` and its like: tried at once, else a future that is done when the socket is ready.
//!
//! The registration of a socket stays while nobody waits, so that the next operation costs no system call to wait.
//! It is edge-triggered: one that somebody has closed elsewhere, while the file lives on in another process, wakes
//! the loop once for what arrives, and not for ever.

use super::address::{self, Address};
use super::core::{Core, Inner, Watch};
use super::object::{
    Raised, Ref, Result, answer, call_method, method, raise_io, raised_ends_the_loop, take_raised,
};
use super::operation::{Buffer, Done, Kind, Operation, option};
use super::waiters::{Kept, Waiter, Waiters};
use super::watching::reactor;
use nexus_reactor::{Interest, Token};
use pyo3_ffi as ffi;
use std::ffi::{CStr, c_int};
use std::io;
use std::ptr::null_mut;

/// What is let go of after the loop's fields are borrowed no more.
#[derive(Default)]
pub(super) struct Stale {
    watch: Option<Watch>,
    waiter: Option<Waiter>,
}

impl Stale {
    fn end(self) {
        if let Some(watch) = self.watch {
            watch.end();
        }
        if let Some(waiter) = self.waiter {
            waiter.end();
        }
    }
}

/// Those who wait for a registration.
fn waiters(inner: &mut Inner, token: Token) -> Option<&mut Waiters> {
    match inner.reactor.as_mut()?.get_mut(token)? {
        Watch::Waiters(waiters) => Some(waiters),
        Watch::Transport(_) => None,
    }
}

/// The registration that is kept for a socket.
fn kept(inner: &mut Inner, fd: c_int, socket: *mut ffi::PyObject) -> Option<&mut Kept> {
    let token = inner.reactor.as_ref()?.find(fd)?;
    let kept = waiters(inner, token)?.kept.as_mut()?;
    kept.is_of(socket).then_some(kept)
}

/// Has an operation wait. What it takes the place of is left in `stale`.
fn put(
    inner: &mut Inner,
    operation: &mut Option<Box<Operation>>,
    fresh: &mut Option<Kept>,
    stale: &mut Stale,
) -> io::Result<()> {
    let Some(waiting) = operation.as_ref() else {
        return Ok(());
    };
    let (fd, socket) = (waiting.fd, waiting.socket.as_ptr());
    let interest = waiting.kind.interest();
    let reactor = reactor(inner)?;
    if let Some(token) = reactor.find(fd) {
        let Some(Watch::Waiters(waiters)) = reactor.get_mut(token) else {
            return Err(io::Error::other("the descriptor is used by a transport"));
        };
        let is_kept = waiters.kept.is_some();
        if waiters.kept.as_ref().is_none_or(|kept| kept.is_of(socket)) {
            let is_drained = interest == Interest::READ;
            if let Some(kept) = waiters.kept.as_mut().filter(|_| is_drained) {
                kept.is_drained = true;
            }
            let now = reactor.interest(token);
            // Callbacks may wait for a descriptor that was closed and opened again: they are watched anew.
            if !is_kept || !now.contains(interest) {
                reactor.set_interest(token, now | interest)?;
            }
            if let Some(Watch::Waiters(waiters)) = reactor.get_mut(token) {
                let place = waiters.place(interest);
                stale.waiter = std::mem::replace(place, operation.take().map(Waiter::Operation));
            }
            return Ok(());
        }
        stale.watch = reactor.deregister(token);
    }
    let token = reactor.register(
        fd,
        interest | Interest::EDGE,
        Watch::Waiters(Waiters::default()),
    )?;
    if let Some(Watch::Waiters(waiters)) = reactor.get_mut(token) {
        waiters.kept = fresh.take();
        *waiters.place(interest) = operation.take().map(Waiter::Operation);
    }
    Ok(())
}

/// Takes the operation that waits, where it is one, and `future` is its own.
fn take(
    inner: &mut Inner,
    token: Token,
    interest: Interest,
    future: Option<*mut ffi::PyObject>,
) -> Option<Box<Operation>> {
    let place = waiters(inner, token)?.place(interest);
    match place.take() {
        Some(Waiter::Operation(operation))
            if future.is_none_or(|future| operation.future.as_ptr() == future) =>
        {
            Some(operation)
        }
        other => {
            *place = other;
            None
        }
    }
}

/// Ends the watch of an operation that was taken, unless the registration stays.
fn release(inner: &mut Inner, token: Token, stale: &mut Stale) {
    let Some(waiters) = waiters(inner, token) else {
        return;
    };
    if waiters.kept.is_some() {
        return;
    }
    let left = waiters.interest();
    if let Some(reactor) = inner.reactor.as_mut()
        && (left.is_none() || reactor.set_interest(token, left).is_err())
    {
        // Where it fails, the descriptor was closed without a word: its other callback will not be called either.
        stale.watch = reactor.deregister(token);
    }
}

fn release_now(core: &Core, token: Token) {
    let mut stale = Stale::default();
    core.with(|inner| release(inner, token, &mut stale));
    stale.end();
}

/// Goes on with the operation that waits, as its socket is ready.
///
/// # Errors
/// `SystemExit`, `KeyboardInterrupt`.
pub(super) fn run(core: &Core, token: Token, interest: Interest) -> Result<()> {
    let Some(operation) = core.with(|inner| take(inner, token, interest, None)) else {
        return Ok(());
    };
    // SAFETY: the lock is held; the reference keeps the future.
    unsafe {
        let future = Ref::new(operation.future.as_ptr());
        if go_on(core, token, operation).is_err() {
            if raised_ends_the_loop() {
                return Err(Raised);
            }
            // A future of somebody's own, that fails.
            ffi::PyErr_WriteUnraisable(future.as_ptr());
        }
    }
    Ok(())
}

fn go_on(core: &Core, token: Token, mut operation: Box<Operation>) -> Result<()> {
    let names = &core.state().names;
    let future = operation.future.as_ptr();
    // SAFETY: the objects are alive: the operation is ours now.
    unsafe {
        let is_done = call_method(&names.done, future, &[])?;
        if is_done.as_ptr() == ffi::Py_True() {
            release_now(core, token);
            return Ok(());
        }
        let Operation {
            kind, socket, fd, ..
        } = &mut *operation;
        let (name, object) = match kind.attempt(core, *fd, socket) {
            Ok(None) => {
                let interest = kind.interest();
                let left = core.with(|inner| {
                    let Some(waiters) = waiters(inner, token) else {
                        return Some(operation);
                    };
                    let place = waiters.place(interest);
                    if place.is_some() {
                        return Some(operation);
                    }
                    *place = Some(Waiter::Operation(operation));
                    if let Some(kept) = waiters.kept.as_mut()
                        && interest == Interest::READ
                    {
                        kept.is_drained = true;
                    }
                    None
                });
                drop(left);
                return Ok(());
            }
            Ok(Some(Done { object, is_short })) => {
                if is_short {
                    core.with(|inner| {
                        if let Some(kept) =
                            waiters(inner, token).and_then(|waiters| waiters.kept.as_mut())
                        {
                            kept.was_read_short();
                        }
                    });
                }
                (&names.set_result, object)
            }
            Err(Raised) => {
                if raised_ends_the_loop() {
                    return Err(Raised);
                }
                (&names.set_exception, take_raised()?)
            }
        };
        release_now(core, token);
        call_method(name, future, &[object.as_ptr()])?;
    }
    Ok(())
}

/// Whether this file's operations are for a socket: one of Python's own class, not in debug mode.
fn is_ours(core: &Core, socket: *mut ffi::PyObject) -> bool {
    // SAFETY: the object is alive.
    let class: *mut ffi::PyObject = unsafe { ffi::Py_TYPE(socket) }.cast();
    !core.is_debug.get() && class == core.state().socket.as_ptr()
}

/// The descriptor of a socket; -1 where it is closed.
unsafe fn number(core: &Core, socket: *mut ffi::PyObject) -> Result<c_int> {
    // SAFETY: the caller's.
    unsafe {
        let number = call_method(&core.state().names.fileno, socket, &[])?;
        Ok(ffi::PyLong_AsLong(number.as_ptr()) as c_int)
    }
}

/// What asyncio's own method is for.
fn not_ours() -> Ref {
    // SAFETY: it is always alive.
    unsafe { Ref::new(ffi::Py_NotImplemented()) }
}

/// A count of bytes that is given as a whole number above zero.
unsafe fn count(object: *mut ffi::PyObject) -> Option<usize> {
    // SAFETY: the caller's.
    unsafe {
        if ffi::PyLong_CheckExact(object) == 0 {
            return None;
        }
        let mut overflow = 0;
        let value = ffi::PyLong_AsLongAndOverflow(object, &raw mut overflow);
        usize::try_from(value)
            .ok()
            .filter(|&value| value > 0 && overflow == 0)
    }
}

/// Does it now, or makes the future of it.
unsafe fn start(core: &Core, socket: *mut ffi::PyObject, fd: c_int, mut kind: Kind) -> Result<Ref> {
    let known = core.with(|inner| kept(inner, fd, socket).map(|kept| kept.is_drained));
    let is_read = kind.interest() == Interest::READ;
    let must_wait = matches!(kind, Kind::Connect(_)) || is_read && known == Some(true);
    // SAFETY: the caller's: whoever calls a method keeps its objects.
    unsafe {
        let socket = Ref::new(socket);
        if !must_wait && let Some(done) = kind.attempt(core, fd, &socket)? {
            if done.is_short && known.is_some() {
                core.with(|inner| {
                    if let Some(kept) = kept(inner, fd, socket.as_ptr()) {
                        kept.was_read_short();
                    }
                });
            }
            return Ok(done.object);
        }
        let names = &core.state().names;
        let mut fresh = None;
        if known.is_none() {
            let number = Ref::owned(ffi::PyLong_FromLong(fd.into()))?;
            let name = &names.ensure_no_transport;
            call_method(name, core.as_ptr(), &[number.as_ptr()])?;
            let ask = |name| option(fd, name).map_err(|error| raise_io(&error));
            let is_stream = ask(libc::SO_PROTOCOL)? == libc::IPPROTO_TCP;
            let family = ask(libc::SO_DOMAIN)?;
            let weak = Ref::owned(ffi::PyWeakref_NewRef(socket.as_ptr(), null_mut()))?;
            fresh = Some(Kept::new(weak, is_stream, family));
        }
        let future = call_method(&names.create_future, core.as_ptr(), &[])?;
        let mut operation = Some(Box::new(Operation {
            future: Ref::new(future.as_ptr()),
            socket,
            fd,
            kind,
        }));
        let mut stale = Stale::default();
        let result = core.with(|inner| put(inner, &mut operation, &mut fresh, &mut stale));
        stale.end();
        drop((operation, fresh));
        result.map_err(|error| raise_io(&error))?;
        Ok(future)
    }
}

/// The arguments of a method, one of which is a socket; none where asyncio's own is for them.
macro_rules! operation {
    ($name:ident, $count:literal, |$core:ident, $fd:ident, $arguments:ident| $kind:expr) => {
        unsafe extern "C" fn $name(
            this: *mut ffi::PyObject,
            first: *mut *mut ffi::PyObject,
            count: ffi::Py_ssize_t,
        ) -> *mut ffi::PyObject {
            // SAFETY: CPython's: it calls this attached, with as many arguments as it says.
            answer(|| unsafe {
                let $core = &*this.cast::<Core>();
                if count != $count || !is_ours($core, *first) {
                    return Ok(not_ours());
                }
                let $arguments = std::slice::from_raw_parts(first, $count);
                let $fd = number($core, $arguments[0])?;
                if $fd < 0 {
                    return Ok(not_ours());
                }
                let kind: Option<Kind> = $kind;
                let Some(kind) = kind else {
                    return Ok(not_ours());
                };
                start($core, $arguments[0], $fd, kind)
            })
        }
    };
}

operation!(receive, 2, |_core, _fd, arguments| count(arguments[1])
    .map(Kind::Receive));
operation!(receive_into, 2, |_core, _fd, arguments| {
    writable(arguments[1]).map(Kind::ReceiveInto)
});
operation!(receive_from, 2, |core, fd, arguments| {
    count(arguments[1])
        .filter(|_| has_known_address(core, fd, arguments[0]))
        .map(Kind::ReceiveFrom)
});
operation!(receive_from_into, 3, |core, fd, arguments| {
    writable(arguments[1])
        .zip(count(arguments[2]))
        .and_then(|(mut buffer, size)| buffer.limit(size).then_some(buffer))
        .filter(|_| has_known_address(core, fd, arguments[0]))
        .map(Kind::ReceiveFromInto)
});
operation!(send_all, 2, |_core, _fd, arguments| {
    Buffer::of(arguments[1], ffi::PyBUF_SIMPLE).map(Kind::SendAll)
});
operation!(send_to, 3, |core, fd, arguments| {
    Buffer::of(arguments[1], ffi::PyBUF_SIMPLE)
        .zip(Address::from_python(
            family(core, fd, arguments[0]),
            arguments[2],
        ))
        .map(|(buffer, address)| Kind::SendTo(buffer, address))
});
operation!(accept, 1, |core, fd, arguments| {
    has_known_address(core, fd, arguments[0]).then_some(Kind::Accept)
});
operation!(connected, 2, |_core, _fd, arguments| {
    Some(Kind::Connect(Ref::new(arguments[1])))
});

unsafe fn writable(object: *mut ffi::PyObject) -> Option<Buffer> {
    // SAFETY: the caller's.
    let buffer = unsafe { Buffer::of(object, ffi::PyBUF_WRITABLE)? };
    (!buffer.is_empty()).then_some(buffer)
}

/// The family of a socket's addresses.
fn family(core: &Core, fd: c_int, socket: *mut ffi::PyObject) -> c_int {
    core.with(|inner| kept(inner, fd, socket).map(|kept| kept.family))
        .unwrap_or_else(|| option(fd, libc::SO_DOMAIN).unwrap_or(libc::AF_UNSPEC))
}

fn has_known_address(core: &Core, fd: c_int, socket: *mut ffi::PyObject) -> bool {
    address::is_known(family(core, fd, socket))
}

/// `(socket, future)`: nobody waits for the operation of this future any more.
unsafe extern "C" fn abandon(
    this: *mut ffi::PyObject,
    first: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's: it calls this attached, with as many arguments as it says.
    answer(|| unsafe {
        let core = &*this.cast::<Core>();
        if count == 2 {
            let (socket, future) = (*first, *first.add(1));
            let fd = number(core, socket)?;
            let taken = core.with(|inner| take_of(inner, fd, future));
            if let Some((token, operation)) = taken {
                release_now(core, token);
                drop(operation);
            }
        }
        Ok(Ref::none())
    })
}

/// Takes the operation of a future; the descriptor is -1 where the socket is closed.
fn take_of(
    inner: &mut Inner,
    fd: c_int,
    future: *mut ffi::PyObject,
) -> Option<(Token, Box<Operation>)> {
    let reactor = inner.reactor.as_ref()?;
    let tokens: Vec<Token> = if fd < 0 {
        reactor.iter().map(|(token, _)| token).collect()
    } else {
        reactor.find(fd).into_iter().collect()
    };
    tokens.into_iter().find_map(|token| {
        [Interest::READ, Interest::WRITE]
            .into_iter()
            .find_map(|interest| take(inner, token, interest, Some(future)))
            .map(|operation| (token, operation))
    })
}

const fn entry(
    name: &'static CStr,
    call: ffi::PyCFunctionFast,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    let call = ffi::PyMethodDefPointer {
        PyCFunctionFast: call,
    };
    method(name, call, ffi::METH_FASTCALL, doc)
}

/// Each answers what it has done, a future of it, or `NotImplemented` where asyncio's own method is for the arguments.
pub(super) const METHODS: [ffi::PyMethodDef; 9] = [
    entry(c"_receive", receive, c"`sock_recv`."),
    entry(c"_receive_into", receive_into, c"`sock_recv_into`."),
    entry(c"_receive_from", receive_from, c"`sock_recvfrom`."),
    entry(
        c"_receive_from_into",
        receive_from_into,
        c"`sock_recvfrom_into`.",
    ),
    entry(c"_send_all", send_all, c"`sock_sendall`."),
    entry(c"_send_to", send_to, c"`sock_sendto`."),
    entry(c"_accept", accept, c"`sock_accept`."),
    entry(
        c"_connected",
        connected,
        c"The end of a connect under way, to an address.",
    ),
    entry(
        c"_abandon",
        abandon,
        c"Nobody waits for the operation of a socket and a future.",
    ),
];
