//! What one interpreter has of this module: its types, names, and memory to use again.

use super::guarded;
use super::handle::Handle;
use super::object::{Raised, Ref, Result};
use pyo3_ffi as ffi;
use std::cell::UnsafeCell;
use std::ffi::CStr;

/// Handles whose memory is kept for the next ones.
const FREE_MAX: usize = 1024;

/// The state of a module, which the lock of its interpreter guards.
pub(super) struct State {
    pub(super) handle: Ref,
    pub(super) timer: Ref,
    /// `socket.socket`.
    pub(super) socket: Ref,
    /// `asyncio.StreamReader`.
    pub(super) stream_reader: Ref,
    pub(super) names: Names,
    free: UnsafeCell<Vec<*mut Handle>>,
}

macro_rules! names {
    ($($name:ident: $text:literal,)+) => {
        /// Names by which attributes are looked up.
        pub(super) struct Names {
            $(pub(super) $name: Ref,)+
        }

        impl Names {
            fn new() -> Result<Self> {
                Ok(Self { $($name: intern($text)?,)+ })
            }
        }
    };
}

names! {
    cancelled: c"_cancelled",
    scheduled: c"_scheduled",
    when: c"_when",
    run: c"_run",
    run_debug: c"_run_debug",
    time: c"time",
    context: c"context",
    call_soon_debug: c"_call_soon_debug",
    call_soon_threadsafe_debug: c"_call_soon_threadsafe_debug",
    call_later_debug: c"_call_later_debug",
    call_at_debug: c"_call_at_debug",
    callback_failed: c"_callback_failed",
    represent: c"_represent",
    data_received: c"data_received",
    fileno: c"fileno",
    get_buffer: c"get_buffer",
    buffer_updated: c"buffer_updated",
    eof_received: c"eof_received",
    pause_writing: c"pause_writing",
    resume_writing: c"resume_writing",
    fatal_error: c"_fatal_error",
    drained: c"_drained",
    flow_failed: c"_flow_failed",
    transport_failed: c"_transport_failed",
    ensure_no_transport: c"_ensure_fd_no_transport",
    create_future: c"create_future",
    done: c"done",
    set_result: c"set_result",
    set_exception: c"set_exception",
    adopt: c"_adopt",
    datagram_received: c"datagram_received",
    error_received: c"error_received",
    call_soon: c"call_soon",
    closing: c"_closing",
    protocol: c"_protocol",
    deliver: c"_deliver",
    stream_reader: c"_stream_reader_wr",
    eof: c"_eof",
    buffer: c"_buffer",
    limit: c"_limit",
    waiter: c"_waiter",
    is_cancelled: c"cancelled",
}

fn intern(text: &CStr) -> Result<Ref> {
    // SAFETY: the lock is held.
    unsafe { Ref::owned(ffi::PyUnicode_InternFromString(text.as_ptr())) }
}

fn import(module: &CStr, name: &CStr) -> Result<Ref> {
    // SAFETY: the lock is held.
    unsafe {
        let module = Ref::owned(ffi::PyImport_ImportModule(module.as_ptr()))?;
        Ref::owned(ffi::PyObject_GetAttrString(module.as_ptr(), name.as_ptr()))
    }
}

impl State {
    pub(super) fn new(handle: Ref, timer: Ref) -> Result<Self> {
        Ok(Self {
            handle,
            timer,
            socket: import(c"socket", c"socket")?,
            stream_reader: import(c"asyncio.streams", c"StreamReader")?,
            names: Names::new()?,
            free: UnsafeCell::default(),
        })
    }

    /// The state behind a type of this module; none where the collector has taken them apart.
    ///
    /// # Safety
    /// The type is one of this module, not a subclass.
    #[inline]
    pub(super) unsafe fn of<'a>(class: *mut ffi::PyTypeObject) -> Option<&'a Self> {
        // SAFETY: the caller's; a state stays in its place as long as the module, which the type keeps.
        unsafe {
            let place = ffi::PyType_GetModuleState(class).cast::<Option<Box<Self>>>();
            let Some(place) = place.as_ref() else {
                ffi::PyErr_Clear();
                return None;
            };
            place.as_deref()
        }
    }

    /// Memory for a handle, which is not tracked and has no fields yet.
    #[inline]
    pub(super) fn allocate(&self, class: &Ref) -> Result<*mut Handle> {
        // SAFETY: the lock is held, and nothing is called while the list is borrowed. What is in it is memory of
        // a handle, with the head that CPython's collector keeps before each.
        unsafe {
            if let Some(memory) = (*self.free.get()).pop() {
                ffi::PyObject_Init(memory.cast(), class.as_ptr().cast());
                return Ok(memory);
            }
            let made = guarded::_PyObject_GC_New(class.as_ptr().cast()).cast::<Handle>();
            if made.is_null() {
                Err(Raised)
            } else {
                Ok(made)
            }
        }
    }

    /// Takes the memory of a handle back.
    ///
    /// # Safety
    /// It is from [`State::allocate`], not tracked, and nobody uses it any more.
    #[inline]
    pub(super) unsafe fn release(&self, memory: *mut Handle) {
        // SAFETY: the caller's; as above.
        unsafe {
            let free = &mut *self.free.get();
            if free.len() < FREE_MAX {
                free.push(memory);
            } else {
                ffi::PyObject_GC_Del(memory.cast());
            }
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        for memory in self.free.get_mut().drain(..) {
            // SAFETY: nobody uses what is in the list.
            unsafe { ffi::PyObject_GC_Del(memory.cast()) };
        }
    }
}
