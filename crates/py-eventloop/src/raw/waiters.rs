//! Who waits for a descriptor.

use super::handle::Handle;
use super::object::Ref;
use super::operation::Operation;
use nexus_reactor::Interest;
use pyo3_ffi as ffi;
use std::ffi::c_int;

/// One who waits.
pub(super) enum Waiter {
    /// A callback of `add_reader` or `add_writer`.
    Handle(Ref),
    /// An operation of `sock_*`.
    Operation(Box<Operation>),
}

impl Waiter {
    /// Cancels a handle, and lets go of it or of the operation, which may call anything.
    pub(super) fn end(self) {
        if let Self::Handle(handle) = self {
            // SAFETY: it is a handle, which the reference keeps.
            unsafe { Handle::cancel(handle.as_ptr()) };
        }
    }

    /// What Python sees of it.
    pub(super) fn object(&self) -> &Ref {
        match self {
            Self::Handle(handle) => handle,
            Self::Operation(operation) => operation.future(),
        }
    }
}

/// Those who wait for one descriptor.
#[derive(Default)]
pub(super) struct Waiters {
    pub(super) reader: Option<Waiter>,
    pub(super) writer: Option<Waiter>,
    /// The registration stays while nobody waits, and is told of what arrives once.
    pub(super) kept: Option<Kept>,
}

impl Waiters {
    pub(super) fn place(&mut self, interest: Interest) -> &mut Option<Waiter> {
        if interest == Interest::READ {
            &mut self.reader
        } else {
            &mut self.writer
        }
    }

    /// What is waited for.
    pub(super) fn interest(&self) -> Interest {
        let of = |waiter: &Option<Waiter>, interest| {
            if waiter.is_some() {
                interest
            } else {
                Interest::NONE
            }
        };
        of(&self.reader, Interest::READ) | of(&self.writer, Interest::WRITE)
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = &Ref> {
        [&self.reader, &self.writer]
            .into_iter()
            .flatten()
            .flat_map(|waiter| {
                let (handle, operation) = match waiter {
                    Waiter::Handle(handle) => (Some(handle), None),
                    Waiter::Operation(operation) => (None, Some(operation)),
                };
                let objects = operation.into_iter().flat_map(|one| one.objects());
                objects.chain(handle)
            })
    }
}

/// The socket of a registration that stays, and what is known of it.
pub(super) struct Kept {
    /// A weak reference. Another socket may get the number of a closed one.
    socket: Ref,
    /// A short read means that nothing is left. It is so of TCP; others keep the bounds of messages.
    is_stream: bool,
    /// Of its addresses.
    pub(super) family: c_int,
    /// Nothing has arrived since all was read.
    pub(super) is_drained: bool,
    /// There is more than data, now and for ever.
    pub(super) has_more: bool,
}

impl Kept {
    pub(super) fn new(socket: Ref, is_stream: bool, family: c_int) -> Self {
        Self {
            socket,
            is_stream,
            family,
            is_drained: false,
            has_more: false,
        }
    }

    /// Whether it is of this socket, which is alive.
    pub(super) fn is_of(&self, socket: *mut ffi::PyObject) -> bool {
        // SAFETY: it is a weak reference. A reference that is made is not the last one.
        unsafe {
            #[cfg(Py_3_13)]
            {
                let mut object = std::ptr::null_mut();
                ffi::PyWeakref_GetRef(self.socket.as_ptr(), &raw mut object);
                ffi::Py_XDECREF(object);
                object == socket
            }
            #[cfg(not(Py_3_13))]
            {
                ffi::PyWeakref_GetObject(self.socket.as_ptr()) == socket
            }
        }
    }

    /// A read got less than it had room for.
    pub(super) fn was_read_short(&mut self) {
        self.is_drained = self.is_stream && !self.has_more;
    }

    /// Events say that this is ready.
    pub(super) fn arrived(&mut self, ready: Interest) {
        if ready.contains(Interest::READ) {
            self.is_drained = false;
        }
        self.has_more |= ready.contains(Interest::MORE);
    }
}
