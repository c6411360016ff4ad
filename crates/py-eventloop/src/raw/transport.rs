//! `StreamTransport`: a connected socket and its protocol, as far as it is hot. What is seldom called is in
//! `python/nexus/eventloop/_transport.py`.

use super::core::{Core, Watch};
use super::guarded;
use super::object::{
    NO_GETTER, NO_MEMBER, NO_METHOD, OBJECT_OR_NONE, Raised, Ref, Result, Table, answer,
    call_method, getter, member, method, new_type, raise, raise_io, raised_ends_the_loop, status,
    take_raised,
};
use super::watching::reactor;
use super::writing::{self, Piece};
use nexus_reactor::{Interest, Token};
use pyo3_ffi as ffi;
use std::cell::{Cell, UnsafeCell};
use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::io;
use std::mem::offset_of;
use std::ptr::{null_mut, replace};

/// Slots of asyncio's `_FlowControlMixin`, which members of the same names hide.
const HIDDEN: usize = 4;

/// The object. It begins as one of asyncio's `_FlowControlMixin`, from which it inherits.
#[repr(C)]
pub(super) struct Transport {
    head: ffi::PyObject,
    extra: *mut ffi::PyObject,
    hidden: [*mut ffi::PyObject; HIDDEN],
    core: Cell<*mut ffi::PyObject>,
    socket: Cell<*mut ffi::PyObject>,
    protocol: Cell<*mut ffi::PyObject>,
    server: Cell<*mut ffi::PyObject>,
    /// In which its protocol is called.
    context: Cell<*mut ffi::PyObject>,
    /// What waits until all is written, for `sendfile`.
    pub(super) empty_waiter: Cell<*mut ffi::PyObject>,
    weak_references: *mut ffi::PyObject,
    pub(super) high_water: Cell<ffi::Py_ssize_t>,
    pub(super) low_water: Cell<ffi::Py_ssize_t>,
    pub(super) fd: c_int,
    /// Not zero when the connection is lost, or about to be; counts writes since.
    pub(super) lost: Cell<c_uint>,
    pub(super) is_closing: Cell<c_char>,
    pub(super) is_protocol_paused: Cell<c_char>,
    pub(super) has_eof: Cell<c_char>,
    is_paused: Cell<c_char>,
    pub(super) is_buffered: Cell<c_char>,
    /// The protocol is that of asyncio's streams.
    pub(super) is_of_streams: Cell<c_char>,
    /// It reads, unless it is paused: not before the protocol knows of it, nor after the peer's end.
    pub(super) is_reading: Cell<c_char>,
    interest: Cell<Interest>,
    token: Cell<Option<Token>>,
    /// What is not written yet, and its bytes.
    pub(super) pending: UnsafeCell<VecDeque<Piece>>,
    pub(super) pending_size: Cell<usize>,
}

impl Transport {
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut ffi::PyObject {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// The loop; none when the connection is lost.
    #[inline]
    pub(super) fn core(&self) -> Option<&Core> {
        // SAFETY: `_loop` is set once, to an object of that class, and `_forget` clears it.
        unsafe { self.core.get().cast::<Core>().as_ref() }
    }

    /// The protocol, which may be exchanged while it is called: a reference keeps it.
    ///
    /// # Errors
    /// `RuntimeError` where there is none yet, or no more.
    #[inline]
    pub(super) fn protocol(&self) -> Result<Ref> {
        // SAFETY: the field is null or has an object.
        unsafe {
            if self.protocol.get().is_null() {
                let message = c"the transport has no protocol";
                return Err(raise(ffi::PyExc_RuntimeError, message));
            }
            Ok(Ref::new(self.protocol.get()))
        }
    }

    /// The context of the protocol's calls; none when the connection is lost.
    #[inline]
    pub(super) fn context(&self) -> Option<Ref> {
        let context = self.context.get();
        // SAFETY: the field is null or has an object.
        (!context.is_null()).then(|| unsafe { Ref::new(context) })
    }

    pub(super) fn wants_to_read(&self) -> bool {
        self.is_reading.get() != 0
            && self.is_paused.get() == 0
            && self.is_closing.get() == 0
            && self.lost.get() == 0
    }

    /// Asks the reactor for what is wanted now.
    ///
    /// # Errors
    /// `OSError`.
    pub(super) fn sync(&self) -> Result<()> {
        let mut wanted = Interest::NONE;
        if self.wants_to_read() {
            wanted = Interest::READ;
        }
        if self.pending_size.get() > 0 {
            wanted = wanted | Interest::WRITE;
        }
        if wanted == self.interest.get() {
            return Ok(());
        }
        let Some(core) = self.core() else {
            return Ok(());
        };
        let mut stale = None;
        let result = core.with(|inner| self.register(inner, wanted, &mut stale));
        // Let go of outside: it may be the last reference to something.
        if let Some(stale) = stale {
            stale.end();
        }
        result.map_err(|error| raise_io(&error))?;
        self.interest.set(wanted);
        Ok(())
    }

    /// Leaves what is watched no more in `stale`.
    fn register(
        &self,
        inner: &mut super::core::Inner,
        wanted: Interest,
        stale: &mut Option<Watch>,
    ) -> io::Result<()> {
        if inner.reactor.is_none() && wanted.is_none() {
            return Ok(());
        }
        let reactor = reactor(inner)?;
        let token = self
            .token
            .get()
            .filter(|&token| reactor.get(token).is_some());
        match token {
            Some(token) if wanted.is_none() => *stale = reactor.deregister(token),
            Some(token) => reactor.set_interest(token, wanted)?,
            None if wanted.is_none() => {}
            None => {
                // A watch of somebody who has closed this descriptor without a word.
                let found = reactor.find(self.fd);
                *stale = found.and_then(|token| reactor.deregister(token));
                // SAFETY: the object is alive.
                let this = Watch::Transport(unsafe { Ref::new(self.as_ptr()) });
                self.token
                    .set(Some(reactor.register(self.fd, wanted, this)?));
            }
        }
        Ok(())
    }

    /// Has Python report what is set, and close the connection.
    ///
    /// # Errors
    /// `SystemExit` and `KeyboardInterrupt` as they are.
    #[cold]
    pub(super) fn fail(&self, core: &Core, message: &CStr) -> Result<()> {
        if raised_ends_the_loop() {
            return Err(Raised);
        }
        let error = take_raised()?;
        // SAFETY: the objects are alive.
        unsafe {
            let message = Ref::owned(ffi::PyUnicode_FromString(message.as_ptr()))?;
            let arguments = [error.as_ptr(), message.as_ptr()];
            call_method(&core.state().names.fatal_error, self.as_ptr(), &arguments)?;
        }
        Ok(())
    }
}

// SAFETY of all functions below: CPython calls them attached, with an object of the type or a subclass.

unsafe extern "C" fn new(
    class: *mut ffi::PyTypeObject,
    _arguments: *mut ffi::PyObject,
    _keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's. The allocator makes an object of zeros.
    answer(|| unsafe {
        let allocate = (*class).tp_alloc.expect("every type can be allocated");
        let object = Ref::owned(allocate(class, 0))?;
        let this = object.as_ptr().cast::<Transport>();
        (&raw mut (*this).fd).write(-1);
        (&raw mut (*this).interest).write(Cell::new(Interest::NONE));
        (&raw mut (*this).token).write(Cell::new(None));
        (&raw mut (*this).pending).write(UnsafeCell::default());
        (&raw mut (*this).pending_size).write(Cell::new(0));
        Ok(object)
    })
}

/// `(loop, socket, descriptor, server)`: what the transport is of.
unsafe extern "C" fn open(
    this: *mut ffi::PyObject,
    arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's; the fields are empty before, so nothing is let go.
    answer(|| unsafe {
        let (mut core, mut socket, mut server, mut fd) = (null_mut(), null_mut(), null_mut(), -1);
        let parsed = ffi::PyArg_ParseTuple(
            arguments,
            c"OOiO".as_ptr(),
            &raw mut core,
            &raw mut socket,
            &raw mut fd,
            &raw mut server,
        );
        if parsed == 0 {
            return Err(Raised);
        }
        let this = this.cast::<Transport>();
        let fits = is_core(this.cast(), core)?;
        if !fits || !(*this).core.get().is_null() {
            let message = c"cannot open a transport: it is open, or its loop is another kind";
            return Err(raise(ffi::PyExc_TypeError, message));
        }
        let context = Ref::owned(guarded::PyContext_CopyCurrent())?;
        (*this).context.set(context.into_ptr());
        (*this).core.set(Ref::new(core).into_ptr());
        (*this).socket.set(Ref::new(socket).into_ptr());
        (*this).server.set(Ref::new(server).into_ptr());
        (*this).fd = fd;
        Ok(Ref::none())
    })
}

/// Whether an object is a loop of this module.
unsafe fn is_core(this: *mut ffi::PyObject, object: *mut ffi::PyObject) -> Result<bool> {
    // SAFETY: the caller's; the module keeps the class.
    unsafe {
        let module = ffi::PyType_GetModuleByDef(ffi::Py_TYPE(this), super::module::definition());
        if module.is_null() {
            return Err(Raised);
        }
        let class = Ref::owned(ffi::PyObject_GetAttrString(module, c"Core".as_ptr()))?;
        Ok(ffi::PyObject_TypeCheck(object, class.as_ptr().cast()) != 0)
    }
}

/// Lets go of loop, socket, protocol, server and context: the connection is lost.
unsafe extern "C" fn forget(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        let transport = &*this.cast::<Transport>();
        drop(std::mem::take(&mut *transport.pending.get()));
        transport.pending_size.set(0);
        transport.sync()?;
        clear_objects(this.cast());
        Ok(Ref::none())
    })
}

unsafe fn clear_objects(this: *mut Transport) {
    // SAFETY: the caller's; each field is empty before what it had is let go.
    unsafe {
        let this = &*this;
        let fields = [
            &this.core,
            &this.socket,
            &this.protocol,
            &this.server,
            &this.context,
        ];
        for field in fields {
            let object = field.replace(null_mut());
            guarded::Py_DecRef(object);
        }
    }
}

unsafe extern "C" fn set_protocol(
    this: *mut ffi::PyObject,
    arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        let (mut protocol, mut is_buffered, mut is_of_streams) = (null_mut(), 0, 0);
        let parsed = ffi::PyArg_ParseTuple(
            arguments,
            c"Opp".as_ptr(),
            &raw mut protocol,
            &raw mut is_buffered,
            &raw mut is_of_streams,
        );
        if parsed == 0 {
            return Err(Raised);
        }
        let this = this.cast::<Transport>();
        (*this).is_buffered.set(c_char::from(is_buffered != 0));
        (*this).is_of_streams.set(c_char::from(is_of_streams != 0));
        let old = (*this).protocol.replace(Ref::new(protocol).into_ptr());
        guarded::Py_DecRef(old);
        Ok(Ref::none())
    })
}

unsafe extern "C" fn sync(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        (*this.cast::<Transport>()).sync()?;
        Ok(Ref::none())
    })
}

unsafe extern "C" fn clear_pending(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        let transport = &*this.cast::<Transport>();
        let pending = std::mem::take(&mut *transport.pending.get());
        transport.pending_size.set(0);
        drop(pending);
        Ok(Ref::none())
    })
}

unsafe extern "C" fn pending_size(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    unsafe { ffi::PyLong_FromSize_t((*this.cast::<Transport>()).pending_size.get()) }
}

unsafe extern "C" fn is_closing(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    unsafe { ffi::PyBool_FromLong((*this.cast::<Transport>()).is_closing.get().into()) }
}

unsafe extern "C" fn write(
    this: *mut ffi::PyObject,
    data: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's: the caller of a method keeps its object.
    answer(|| unsafe {
        writing::write(&*this.cast::<Transport>(), data)?;
        Ok(Ref::none())
    })
}

unsafe extern "C" fn get_protocol(this: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    unsafe {
        let protocol = (*this.cast::<Transport>()).protocol.get();
        Ref::new(if protocol.is_null() {
            ffi::Py_None()
        } else {
            protocol
        })
        .into_ptr()
    }
}

unsafe extern "C" fn set_reading(
    this: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    _: *mut c_void,
) -> c_int {
    // SAFETY: CPython's; a deletion is as false.
    status(|| unsafe {
        let is_true = if value.is_null() {
            0
        } else {
            guarded::PyObject_IsTrue(value)
        };
        if is_true < 0 {
            return Err(Raised);
        }
        let this = this.cast::<Transport>();
        (*this).is_reading.set(c_char::from(is_true != 0));
        (*this).sync()
    })
}

unsafe extern "C" fn get_reading(this: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    unsafe { ffi::PyBool_FromLong((*this.cast::<Transport>()).is_reading.get().into()) }
}

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: CPython's; what is visited is alive or null.
    unsafe {
        let transport = this.cast::<Transport>();
        let fields = [
            ffi::Py_TYPE(this).cast(),
            (*transport).extra,
            (*transport).core.get(),
            (*transport).socket.get(),
            (*transport).protocol.get(),
            (*transport).server.get(),
            (*transport).context.get(),
            (*transport).empty_waiter.get(),
        ];
        for field in fields {
            if !field.is_null() {
                let stop = visit(field, argument);
                if stop != 0 {
                    return stop;
                }
            }
        }
    }
    0
}

unsafe extern "C" fn clear(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: CPython's.
    unsafe {
        let transport = this.cast::<Transport>();
        clear_objects(transport);
        let extra = replace(&raw mut (*transport).extra, null_mut());
        let waiter = (*transport).empty_waiter.replace(null_mut());
        guarded::Py_DecRef(extra);
        guarded::Py_DecRef(waiter);
    }
    0
}

unsafe extern "C" fn dealloc(this: *mut ffi::PyObject) {
    // SAFETY: CPython's: nobody has the object any more, the reactor neither, which keeps what it watches.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        let transport = this.cast::<Transport>();
        if !(*transport).weak_references.is_null() {
            ffi::PyObject_ClearWeakRefs(this);
        }
        clear(this);
        (&raw mut (*transport).pending).drop_in_place();
        let class = ffi::Py_TYPE(this);
        let free = (*class).tp_free.expect("every type can be freed");
        free(this.cast());
        ffi::Py_DECREF(class.cast());
    }
}

const fn plain(
    name: &'static CStr,
    call: ffi::PyCFunction,
    flags: c_int,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    method(
        name,
        ffi::PyMethodDefPointer { PyCFunction: call },
        flags,
        doc,
    )
}

static METHODS: Table<ffi::PyMethodDef, 9> = Table([
    plain(
        c"write",
        write,
        ffi::METH_O,
        c"Sends bytes, at once where the system takes them, and the rest later.",
    ),
    plain(
        c"is_closing",
        is_closing,
        ffi::METH_NOARGS,
        c"Whether it is closed, or will be when all is written.",
    ),
    plain(
        c"get_write_buffer_size",
        pending_size,
        ffi::METH_NOARGS,
        c"Bytes that are not written yet.",
    ),
    plain(
        c"_open",
        open,
        ffi::METH_VARARGS,
        c"Sets loop, socket, descriptor and server.",
    ),
    plain(
        c"_forget",
        forget,
        ffi::METH_NOARGS,
        c"Lets go of them, and of what is not written.",
    ),
    plain(
        c"_set_protocol",
        set_protocol,
        ffi::METH_VARARGS,
        c"Sets the protocol, and whether it is a buffered one, or that of asyncio's streams.",
    ),
    plain(
        c"_sync",
        sync,
        ffi::METH_NOARGS,
        c"Asks the reactor for what is wanted now.",
    ),
    plain(
        c"_clear_pending",
        clear_pending,
        ffi::METH_NOARGS,
        c"Forgets what is not written yet.",
    ),
    NO_METHOD,
]);

const fn field(name: &'static CStr, kind: c_int, offset: usize) -> ffi::PyMemberDef {
    member(name, kind, offset, 0)
}

static MEMBERS: Table<ffi::PyMemberDef, 14> = Table([
    member(
        c"__weaklistoffset__",
        ffi::Py_T_PYSSIZET,
        offset_of!(Transport, weak_references),
        ffi::Py_READONLY,
    ),
    member(
        c"_loop",
        OBJECT_OR_NONE,
        offset_of!(Transport, core),
        ffi::Py_READONLY,
    ),
    member(
        c"_sock",
        OBJECT_OR_NONE,
        offset_of!(Transport, socket),
        ffi::Py_READONLY,
    ),
    member(
        c"_server",
        OBJECT_OR_NONE,
        offset_of!(Transport, server),
        ffi::Py_READONLY,
    ),
    field(
        c"_empty_waiter",
        OBJECT_OR_NONE,
        offset_of!(Transport, empty_waiter),
    ),
    member(
        c"_sock_fd",
        ffi::Py_T_INT,
        offset_of!(Transport, fd),
        ffi::Py_READONLY,
    ),
    field(
        c"_high_water",
        ffi::Py_T_PYSSIZET,
        offset_of!(Transport, high_water),
    ),
    field(
        c"_low_water",
        ffi::Py_T_PYSSIZET,
        offset_of!(Transport, low_water),
    ),
    field(c"_conn_lost", ffi::Py_T_UINT, offset_of!(Transport, lost)),
    field(
        c"_closing",
        ffi::Py_T_BOOL,
        offset_of!(Transport, is_closing),
    ),
    field(
        c"_protocol_paused",
        ffi::Py_T_BOOL,
        offset_of!(Transport, is_protocol_paused),
    ),
    field(c"_eof", ffi::Py_T_BOOL, offset_of!(Transport, has_eof)),
    field(c"_paused", ffi::Py_T_BOOL, offset_of!(Transport, is_paused)),
    NO_MEMBER,
]);

static GETTERS: Table<ffi::PyGetSetDef, 3> = Table([
    getter(c"_protocol", get_protocol, None),
    getter(c"_reads", get_reading, Some(set_reading)),
    NO_GETTER,
]);

/// The type, a subclass of `asyncio.Transport`, as asyncio's own with the sums of its flow control.
///
/// # Errors
/// `ImportError` when asyncio's class has other fields than it has had.
///
/// # Safety
/// The module is one of this definition.
pub(super) unsafe fn new_type_of_transports(module: *mut ffi::PyObject) -> Result<Ref> {
    let slots = [
        (ffi::Py_tp_new, new as *mut c_void),
        (ffi::Py_tp_dealloc, dealloc as *mut c_void),
        (ffi::Py_tp_traverse, traverse as *mut c_void),
        (ffi::Py_tp_clear, clear as *mut c_void),
        (ffi::Py_tp_members, (&raw const MEMBERS.0).cast_mut().cast()),
        (ffi::Py_tp_getset, (&raw const GETTERS.0).cast_mut().cast()),
        (ffi::Py_tp_methods, (&raw const METHODS.0).cast_mut().cast()),
    ];
    // SAFETY: the slots are of this type, the tables are static, and the base's fields are where they are said
    // to be: one behind the head, then those that are hidden.
    unsafe {
        let asyncio = Ref::owned(ffi::PyImport_ImportModule(c"asyncio.transports".as_ptr()))?;
        let name = c"_FlowControlMixin".as_ptr();
        let base = Ref::owned(ffi::PyObject_GetAttrString(asyncio.as_ptr(), name))?;
        let size = (*base.as_ptr().cast::<ffi::PyTypeObject>()).tp_basicsize;
        if size.unsigned_abs() != offset_of!(Transport, core) {
            let message =
                c"cannot load nexus.eventloop: asyncio.Transport has fields that it does not know";
            return Err(raise(ffi::PyExc_ImportError, message));
        }
        let flags = ffi::Py_TPFLAGS_BASETYPE;
        let name = c"nexus._eventloop.StreamTransport";
        new_type(
            module,
            name,
            size_of::<Transport>(),
            flags,
            &slots,
            base.as_ptr(),
        )
    }
}
