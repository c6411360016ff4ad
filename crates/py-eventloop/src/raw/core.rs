//! `Core`: the base class of the loop.

use super::guarded;
use super::object::{
    NO_GETTER, NO_METHOD, Ref, Result, Table, answer, getter, new_type, raise_io, status,
};
use super::state::State;
use super::waiters::Waiters;
use super::{datagrams, poll, scheduling, sockets, watching};
use nexus_reactor::{Events, Interest, Reactor, Timers, Token};
use pyo3_ffi as ffi;
use std::cell::{Cell, UnsafeCell};
use std::collections::VecDeque;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

/// Events of one wait; more come with the next.
const EVENTS_MAX: usize = 1024;

/// Bytes of the room that transports read into, as much as asyncio asks for at once.
pub(super) const ROOM_SIZE: usize = 256 << 10;

/// What waits to be run.
pub(super) enum Entry {
    /// One of our handles.
    Handle(Ref),
    /// A handle of asyncio's: debug mode and signals make such.
    Foreign(Ref),
    /// A transport whose socket is ready.
    Ready(Ref, Interest),
    /// An operation of `sock_*` waits for a registration, which is ready to be read, or to be written.
    Operation(Token, Interest),
}

impl Entry {
    fn object(&self) -> Option<&Ref> {
        match self {
            Self::Handle(object) | Self::Foreign(object) | Self::Ready(object, _) => Some(object),
            Self::Operation(..) => None,
        }
    }
}

/// Who is told that a descriptor is ready.
pub(super) enum Watch {
    /// Callbacks of `add_reader` and `add_writer`, and operations of `sock_*`.
    Waiters(Waiters),
    /// A transport of ours.
    Transport(Ref),
}

impl Watch {
    fn objects(&self) -> impl Iterator<Item = &Ref> {
        let (waiters, transport) = match self {
            Self::Waiters(waiters) => (Some(waiters), None),
            Self::Transport(transport) => (None, Some(transport)),
        };
        let waiters = waiters.into_iter().flat_map(Waiters::objects);
        waiters.chain(transport)
    }

    /// Cancels its handles and lets go of them, which may call anything.
    pub(super) fn end(self) {
        if let Self::Waiters(Waiters { reader, writer, .. }) = self {
            for waiter in [reader, writer].into_iter().flatten() {
                waiter.end();
            }
        }
    }
}

/// What the loop has, borrowed for the time of a closure that calls nothing.
pub(super) struct Inner {
    pub(super) ready: VecDeque<Entry>,
    /// Timers of ours and of asyncio's.
    pub(super) timers: Timers<Ref>,
    /// None when the loop is closed.
    pub(super) reactor: Option<Reactor<Watch>>,
    /// None during a wait.
    pub(super) events: Option<Events>,
    /// Room for messages; none while somebody reads.
    pub(super) room: Option<Box<[u8]>>,
}

impl Inner {
    fn objects(&self) -> impl Iterator<Item = &Ref> {
        let watched = self.reactor.iter().flat_map(Reactor::iter);
        self.ready
            .iter()
            .filter_map(Entry::object)
            .chain(self.timers.values())
            .chain(watched.flat_map(|(_, watch)| watch.objects()))
    }
}

/// The object. Classes of Python inherit from it.
#[repr(C)]
pub(super) struct Core {
    head: ffi::PyObject,
    state: *const State,
    inner: UnsafeCell<Inner>,
    pub(super) is_debug: Cell<bool>,
    pub(super) is_closed: Cell<bool>,
    pub(super) is_stopping: Cell<bool>,
    /// `run_forever` is under way: a step goes on until the loop is stopped.
    pub(super) keeps_running: Cell<bool>,
    /// A subclass has a `time` of its own.
    pub(super) has_own_time: Cell<bool>,
    /// The thread waits without the lock: who adds work must wake it.
    pub(super) is_waiting: Cell<bool>,
    /// When descriptors were last asked for, in nanoseconds.
    pub(super) polled_at: Cell<u64>,
    /// Callbacks run since.
    pub(super) run_since: Cell<usize>,
    /// What `stats` tells.
    pub(super) counts: Counts,
}

/// What has happened so far. A field is added to where the thing is done.
pub(super) struct Counts {
    pub(super) steps: Cell<u64>,
    pub(super) polls: Cell<u64>,
    pub(super) callbacks: Cell<u64>,
    /// Waits, receives and sends.
    pub(super) system_calls: Cell<u64>,
    /// When the callbacks of the last step began.
    pub(super) began_at: Cell<u64>,
    /// Steps by how long their callbacks took: less than 2^place microseconds, the last also longer.
    pub(super) lag: [Cell<u64>; LAGS],
}

/// Places of the histogram; the last begins at four seconds.
pub(super) const LAGS: usize = 24;

impl Counts {
    #[inline]
    pub(super) fn add(count: &Cell<u64>, more: u64) {
        count.set(count.get() + more);
    }

    /// Notes that the callbacks of a step have ended.
    #[inline]
    pub(super) fn note_lag(&self, now: u64) {
        let microseconds = now.saturating_sub(self.began_at.get()) / 1000;
        let place = (u64::BITS - microseconds.leading_zeros()) as usize;
        Self::add(&self.lag[place.min(LAGS - 1)], 1);
    }
}

impl Core {
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut ffi::PyObject {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    #[inline]
    pub(super) fn state(&self) -> &State {
        // SAFETY: the state lives as long as the class, which the object keeps.
        unsafe { &*self.state }
    }

    /// Borrows what the loop has. The closure must not call Python, nor let go of the last reference to an
    /// object.
    #[inline]
    pub(super) fn with<T>(&self, body: impl FnOnce(&mut Inner) -> T) -> T {
        // SAFETY: the lock is held, and nothing in the closure comes back here (the rule of this module).
        body(unsafe { &mut *self.inner.get() })
    }

    /// Adds an entry, and wakes the thread that waits for one.
    #[inline]
    pub(super) fn push(&self, entry: Entry) {
        self.with(|inner| inner.ready.push_back(entry));
        if self.is_waiting.get() {
            self.wake();
        }
    }

    #[cold]
    pub(super) fn wake(&self) {
        let poller = self.with(|inner| Some(inner.reactor.as_ref()?.poller().clone()));
        if let Some(poller) = poller {
            // It cannot fail: a wake-up that is there already is as good.
            drop(poller.wake());
            self.is_waiting.set(false);
        }
    }
}

// SAFETY of all functions below: CPython calls them attached, with an object of the type or a subclass.

unsafe extern "C" fn new(
    class: *mut ffi::PyTypeObject,
    _arguments: *mut ffi::PyObject,
    _keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's. The allocator makes an object of zeros, tracked; what `traverse` reads is written before
    // anything is called.
    answer(|| unsafe {
        let reactor = Reactor::new().map_err(|error| raise_io(&error))?;
        let base = ffi::PyType_GetModuleByDef(class, super::module::definition());
        if base.is_null() {
            return Err(super::object::Raised);
        }
        let state = ffi::PyModule_GetState(base).cast::<Option<Box<State>>>();
        let state: *const State = (*state).as_deref().expect("the module is filled");
        let allocate = (*class).tp_alloc.expect("every type can be allocated");
        let object = Ref::owned(allocate(class, 0))?;
        let core = object.as_ptr().cast::<Core>();
        (&raw mut (*core).inner).write(UnsafeCell::new(Inner {
            ready: VecDeque::new(),
            timers: Timers::default(),
            reactor: Some(reactor),
            events: Some(Events::with_capacity(EVENTS_MAX)),
            room: None,
        }));
        (&raw mut (*core).state).write(state);
        Ok(object)
    })
}

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: CPython's. The collector runs only where something is called, when nothing is borrowed. An object
    // without a state is not filled yet.
    unsafe {
        let stop = visit(ffi::Py_TYPE(this).cast(), argument);
        if stop != 0 {
            return stop;
        }
        let core = &*this.cast::<Core>();
        if core.state.is_null() {
            return 0;
        }
        for object in (*core.inner.get()).objects() {
            let stop = visit(object.as_ptr(), argument);
            if stop != 0 {
                return stop;
            }
        }
    }
    0
}

/// Moves all objects out, and lets them go.
fn clear_core(core: &Core) {
    if core.state.is_null() {
        return;
    }
    let objects = core.with(|inner| {
        let reactor = inner.reactor.take();
        let ready = std::mem::take(&mut inner.ready);
        (ready, inner.timers.clear(), reactor)
    });
    drop(objects);
}

unsafe extern "C" fn clear(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: CPython's.
    clear_core(unsafe { &*this.cast::<Core>() });
    0
}

unsafe extern "C" fn dealloc(this: *mut ffi::PyObject) {
    // SAFETY: CPython's: nobody has the object any more.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        let class = ffi::Py_TYPE(this);
        let core = this.cast::<Core>();
        if !(*core).state.is_null() {
            clear_core(&*core);
            (&raw mut (*core).inner).drop_in_place();
        }
        let free = (*class).tp_free.expect("every type can be freed");
        free(this.cast());
        ffi::Py_DECREF(class.cast());
    }
}

/// A flag, as an attribute that takes any object for its truth.
macro_rules! flag {
    ($name:literal, $field:ident) => {{
        unsafe extern "C" fn get(this: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
            // SAFETY: CPython's.
            unsafe { ffi::PyBool_FromLong((*this.cast::<Core>()).$field.get().into()) }
        }
        unsafe extern "C" fn set(
            this: *mut ffi::PyObject,
            value: *mut ffi::PyObject,
            _: *mut c_void,
        ) -> c_int {
            // SAFETY: CPython's; a null value is a deletion.
            status(|| unsafe {
                let is_true = if value.is_null() {
                    0
                } else {
                    guarded::PyObject_IsTrue(value)
                };
                if is_true < 0 {
                    return Err(super::object::Raised);
                }
                (*this.cast::<Core>()).$field.set(is_true != 0);
                Ok(())
            })
        }
        getter($name, get, Some(set))
    }};
}

static GETTERS: Table<ffi::PyGetSetDef, 6> = Table([
    flag!(c"_debug", is_debug),
    flag!(c"_closed", is_closed),
    flag!(c"_stopping", is_stopping),
    flag!(c"_keeps_running", keeps_running),
    flag!(c"_has_own_time", has_own_time),
    NO_GETTER,
]);

/// The methods of all files.
static METHODS: Table<ffi::PyMethodDef, 30> = Table([
    scheduling::METHODS[0],
    scheduling::METHODS[1],
    scheduling::METHODS[2],
    scheduling::METHODS[3],
    scheduling::METHODS[4],
    scheduling::METHODS[5],
    scheduling::METHODS[6],
    scheduling::METHODS[7],
    scheduling::METHODS[8],
    scheduling::METHODS[9],
    watching::METHODS[0],
    watching::METHODS[1],
    watching::METHODS[2],
    watching::METHODS[3],
    watching::METHODS[4],
    watching::METHODS[5],
    poll::METHODS[0],
    poll::METHODS[1],
    sockets::METHODS[0],
    sockets::METHODS[1],
    sockets::METHODS[2],
    sockets::METHODS[3],
    sockets::METHODS[4],
    sockets::METHODS[5],
    sockets::METHODS[6],
    sockets::METHODS[7],
    sockets::METHODS[8],
    datagrams::METHODS[0],
    datagrams::METHODS[1],
    NO_METHOD,
]);

/// The type.
///
/// # Safety
/// The module is one of this definition.
pub(super) unsafe fn new_type_of_cores(module: *mut ffi::PyObject) -> Result<Ref> {
    let slots = [
        (ffi::Py_tp_new, new as *mut c_void),
        (ffi::Py_tp_dealloc, dealloc as *mut c_void),
        (ffi::Py_tp_traverse, traverse as *mut c_void),
        (ffi::Py_tp_clear, clear as *mut c_void),
        (ffi::Py_tp_getset, (&raw const GETTERS.0).cast_mut().cast()),
        (ffi::Py_tp_methods, (&raw const METHODS.0).cast_mut().cast()),
    ];
    let flags = ffi::Py_TPFLAGS_BASETYPE | ffi::Py_TPFLAGS_IMMUTABLETYPE;
    let name = c"nexus._eventloop.Core";
    // SAFETY: the slots are of this type, the tables are static.
    unsafe { new_type(module, name, size_of::<Core>(), flags, &slots, null_mut()) }
}
