//! `Handle` and `TimerHandle`: a callback that waits, with its arguments and context.

use super::core::Core;
use super::guarded;
use super::object::{
    NO_GETTER, NO_MEMBER, NO_METHOD, OBJECT_OR_NONE, Raised, Ref, Result, Table, answer,
    call_method, getter, member, method, new_type, raised_ends_the_loop, take_raised,
};
use super::state::State;
use nexus_reactor::TimerKey;
use pyo3_ffi as ffi;
use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::ptr::{null_mut, replace};

/// Arguments that have a place in the handle; more are in a tuple.
const INLINE_MAX: usize = 2;

/// How many arguments there are, when they are in a tuple.
const MANY: usize = INLINE_MAX + 1;

/// The object of both types.
#[repr(C)]
pub(super) struct Handle {
    head: ffi::PyObject,
    /// The loop.
    core: *mut ffi::PyObject,
    /// Null when it was cancelled.
    callback: *mut ffi::PyObject,
    context: *mut ffi::PyObject,
    arguments: [*mut ffi::PyObject; INLINE_MAX],
    weak_references: *mut ffi::PyObject,
    when: f64,
    /// Where it waits for its time.
    key: Option<TimerKey>,
    count: usize,
    is_cancelled: bool,
}

impl Handle {
    /// A new handle. Without a context it has a copy of the current one.
    ///
    /// # Safety
    /// All objects are alive.
    #[inline]
    pub(super) unsafe fn make(
        core: &Core,
        class: &Ref,
        callback: *mut ffi::PyObject,
        (first, count): (*const *mut ffi::PyObject, usize),
        context: *mut ffi::PyObject,
    ) -> Result<Ref> {
        // SAFETY: the caller's. All fields are written before the object is tracked.
        unsafe {
            let context = if context.is_null() {
                Ref::owned(guarded::PyContext_CopyCurrent())?
            } else {
                Ref::new(context)
            };
            let mut arguments = [null_mut(); INLINE_MAX];
            let mut kept = count;
            if count <= INLINE_MAX {
                for (place, argument) in arguments.iter_mut().enumerate().take(count) {
                    *place_of(argument) = Ref::new(*first.add(place)).into_ptr();
                }
            } else {
                arguments[0] = tuple(first, count)?.into_ptr();
                kept = MANY;
            }
            let handle = match core.state().allocate(class) {
                Ok(handle) => handle,
                Err(raised) => {
                    for argument in arguments {
                        guarded::Py_DecRef(argument);
                    }
                    return Err(raised);
                }
            };
            (&raw mut (*handle).core).write(Ref::new(core.as_ptr()).into_ptr());
            (&raw mut (*handle).callback).write(Ref::new(callback).into_ptr());
            (&raw mut (*handle).context).write(context.into_ptr());
            (&raw mut (*handle).arguments).write(arguments);
            (&raw mut (*handle).weak_references).write(null_mut());
            (&raw mut (*handle).when).write(0.0);
            (&raw mut (*handle).key).write(None);
            (&raw mut (*handle).count).write(kept);
            (&raw mut (*handle).is_cancelled).write(false);
            ffi::PyObject_GC_Track(handle.cast());
            Ref::owned(handle.cast())
        }
    }

    /// Notes when and where a timer waits.
    ///
    /// # Safety
    /// The object is a handle.
    #[inline]
    pub(super) unsafe fn set_time(handle: *mut ffi::PyObject, when: f64, key: Option<TimerKey>) {
        let handle = handle.cast::<Self>();
        // SAFETY: the caller's.
        unsafe {
            (*handle).when = when;
            (*handle).key = key;
        }
    }

    /// Notes that a timer waits no more.
    ///
    /// # Safety
    /// The object is a handle.
    #[inline]
    pub(super) unsafe fn clear_key(handle: *mut ffi::PyObject) {
        // SAFETY: the caller's.
        unsafe { (*handle.cast::<Self>()).key = None };
    }

    /// Whether it was cancelled.
    ///
    /// # Safety
    /// The object is a handle.
    #[inline]
    pub(super) unsafe fn is_cancelled(handle: *mut ffi::PyObject) -> bool {
        // SAFETY: the caller's.
        unsafe { (*handle.cast::<Self>()).is_cancelled }
    }

    /// Lets go of the callback and its arguments: it will not be called.
    ///
    /// # Safety
    /// The object is a handle, which the caller keeps alive.
    pub(super) unsafe fn cancel(handle: *mut ffi::PyObject) {
        // SAFETY: the caller's. Each field is empty before what it had is let go, which may call anything.
        unsafe {
            let this = handle.cast::<Self>();
            if (*this).is_cancelled {
                return;
            }
            (*this).is_cancelled = true;
            if let Some(key) = (*this).key.take()
                && let Some(core) = (*this).core.cast::<Core>().as_ref()
            {
                drop(core.with(|inner| inner.timers.cancel(key)));
            }
            Self::forget_callback(this);
        }
    }

    unsafe fn forget_callback(this: *mut Self) {
        // SAFETY: the caller's; as in `cancel`.
        unsafe {
            let callback = replace(&raw mut (*this).callback, null_mut());
            let arguments = replace(&raw mut (*this).arguments, [null_mut(); INLINE_MAX]);
            (*this).count = 0;
            guarded::Py_DecRef(callback);
            for argument in arguments {
                guarded::Py_DecRef(argument);
            }
        }
    }

    /// Calls the callback in its context. What it raises is the loop's to report.
    ///
    /// # Errors
    /// `SystemExit`, `KeyboardInterrupt`, and what the loop raises when it reports.
    ///
    /// # Safety
    /// The object is a handle, which the caller keeps alive.
    #[inline]
    pub(super) unsafe fn run(handle: *mut ffi::PyObject) -> Result<()> {
        // SAFETY: the caller's.
        unsafe {
            let this = handle.cast::<Self>();
            if (*this).callback.is_null() {
                return Ok(());
            }
            // References of our own: the callback may cancel its handle.
            let context = Ref::new((*this).context);
            if ffi::PyContext_Enter(context.as_ptr()) != 0 {
                return Self::failed(handle);
            }
            let result = Self::call(this);
            if ffi::PyContext_Exit(context.as_ptr()) != 0 || result.is_err() {
                return Self::failed(handle);
            }
        }
        Ok(())
    }

    #[inline]
    unsafe fn call(this: *mut Self) -> Result<Ref> {
        // SAFETY: of `run`; the place before the arguments is free for CPython to use.
        unsafe {
            let callback = Ref::new((*this).callback);
            if (*this).count == MANY {
                let tuple = Ref::new((*this).arguments[0]);
                return Ref::owned(guarded::PyObject_Call(
                    callback.as_ptr(),
                    tuple.as_ptr(),
                    null_mut(),
                ));
            }
            let count = (*this).count;
            let mut stack = [null_mut(); 1 + INLINE_MAX];
            let mut kept = [const { None }; INLINE_MAX];
            for place in 0..count {
                let argument = Ref::new((*this).arguments[place]);
                stack[1 + place] = argument.as_ptr();
                kept[place] = Some(argument);
            }
            let count = count | ffi::PY_VECTORCALL_ARGUMENTS_OFFSET;
            let first = stack.as_ptr().add(1);
            let result = guarded::PyObject_Vectorcall(callback.as_ptr(), first, count, null_mut());
            drop(kept);
            Ref::owned(result)
        }
    }

    #[cold]
    unsafe fn failed(handle: *mut ffi::PyObject) -> Result<()> {
        if raised_ends_the_loop() {
            return Err(Raised);
        }
        let error = take_raised()?;
        // SAFETY: of `run`; the loop is alive while it runs a handle of its own.
        unsafe {
            let core = (*handle.cast::<Self>()).core;
            let Some(state) = core.cast::<Core>().as_ref().map(Core::state) else {
                return Ok(());
            };
            let name = &state.names.callback_failed;
            call_method(name, core, &[handle, error.as_ptr()])?;
        }
        Ok(())
    }
}

/// A place as a pointer, so that writing drops nothing.
fn place_of(place: &mut *mut ffi::PyObject) -> *mut *mut ffi::PyObject {
    std::ptr::from_mut(place)
}

/// # Safety
/// There are as many objects, alive.
unsafe fn tuple(first: *const *mut ffi::PyObject, count: usize) -> Result<Ref> {
    // SAFETY: the caller's; the tuple takes each reference over.
    unsafe {
        let tuple = Ref::owned(guarded::PyTuple_New(count.cast_signed()))?;
        for place in 0..count {
            let item = Ref::new(*first.add(place)).into_ptr();
            ffi::PyTuple_SetItem(tuple.as_ptr(), place.cast_signed(), item);
        }
        Ok(tuple)
    }
}

// SAFETY of all functions below: CPython calls them attached, with an object of the type.

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: CPython's; what is visited is alive or null.
    unsafe {
        let class: *mut ffi::PyObject = ffi::Py_TYPE(this).cast();
        let handle = this.cast::<Handle>();
        let fields = [class, (*handle).core, (*handle).callback, (*handle).context];
        for field in fields.into_iter().chain((*handle).arguments) {
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
    // SAFETY: CPython's; a field is empty before what it had is let go.
    unsafe {
        let handle = this.cast::<Handle>();
        Handle::forget_callback(handle);
        let core = replace(&raw mut (*handle).core, null_mut());
        let context = replace(&raw mut (*handle).context, null_mut());
        (*handle).is_cancelled = true;
        (*handle).key = None;
        guarded::Py_DecRef(context);
        guarded::Py_DecRef(core);
    }
    0
}

unsafe extern "C" fn dealloc(this: *mut ffi::PyObject) {
    // SAFETY: CPython's: nobody has the object any more. The state outlives the type's last object.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        let handle = this.cast::<Handle>();
        if !(*handle).weak_references.is_null() {
            ffi::PyObject_ClearWeakRefs(this);
        }
        clear(this);
        let class = ffi::Py_TYPE(this);
        match State::of(class) {
            Some(state) => state.release(handle),
            None => ffi::PyObject_GC_Del(this.cast()),
        }
        ffi::Py_DECREF(class.cast());
    }
}

unsafe extern "C" fn represent(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        let core = (*this.cast::<Handle>()).core;
        let Some(state) = core.cast::<Core>().as_ref().map(Core::state) else {
            return Ref::owned(ffi::PyUnicode_FromString(c"<Handle cancelled>".as_ptr()));
        };
        call_method(&state.names.represent, core, &[this])
    })
}

unsafe extern "C" fn cancel(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython's: the caller of a method keeps its object.
    answer(|| unsafe {
        Handle::cancel(this);
        Ok(Ref::none())
    })
}

unsafe extern "C" fn cancelled(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    unsafe { ffi::PyBool_FromLong(Handle::is_cancelled(this).into()) }
}

unsafe extern "C" fn run(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython's: the caller of a method keeps its object.
    answer(|| unsafe {
        Handle::run(this)?;
        Ok(Ref::none())
    })
}

unsafe extern "C" fn context(
    this: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    unsafe { or_none((*this.cast::<Handle>()).context) }
}

unsafe extern "C" fn when(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    unsafe { ffi::PyFloat_FromDouble((*this.cast::<Handle>()).when) }
}

unsafe extern "C" fn get_arguments(this: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    answer(|| unsafe {
        let handle = this.cast::<Handle>();
        let arguments = &raw const (*handle).arguments;
        if (*handle).callback.is_null() {
            Ok(Ref::none())
        } else if (*handle).count == MANY {
            Ok(Ref::new((*arguments)[0]))
        } else {
            // References of our own: the tuple's memory may set off the collector, which may cancel the handle.
            let kept = (*arguments).map(|object| (!object.is_null()).then(|| Ref::new(object)));
            let stack = kept
                .each_ref()
                .map(|object| object.as_ref().map_or(null_mut(), Ref::as_ptr));
            tuple(stack.as_ptr(), (*handle).count)
        }
    })
}

unsafe extern "C" fn get_cancelled(this: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    unsafe { ffi::PyBool_FromLong(Handle::is_cancelled(this).into()) }
}

unsafe extern "C" fn get_scheduled(this: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: CPython's.
    unsafe { ffi::PyBool_FromLong((*this.cast::<Handle>()).key.is_some().into()) }
}

unsafe extern "C" fn get_nothing(_: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    Ref::none().into_ptr()
}

unsafe fn or_none(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the caller's: it is alive or null.
    unsafe {
        let object = if object.is_null() {
            ffi::Py_None()
        } else {
            object
        };
        Ref::new(object).into_ptr()
    }
}

unsafe extern "C" fn compare(
    left: *mut ffi::PyObject,
    right: *mut ffi::PyObject,
    operation: c_int,
) -> *mut ffi::PyObject {
    // SAFETY: CPython's; both are timers when their types are the same.
    unsafe {
        if ffi::Py_TYPE(left) != ffi::Py_TYPE(right) {
            return Ref::new(ffi::Py_NotImplemented()).into_ptr();
        }
        let (a, b) = (
            (*left.cast::<Handle>()).when,
            (*right.cast::<Handle>()).when,
        );
        let answer = match operation {
            ffi::Py_LT => a < b,
            ffi::Py_LE => a <= b,
            ffi::Py_GT => a > b,
            ffi::Py_GE => a >= b,
            ffi::Py_EQ => left == right,
            _ => left != right,
        };
        ffi::PyBool_FromLong(answer.into())
    }
}

unsafe extern "C" fn hash(this: *mut ffi::PyObject) -> ffi::Py_hash_t {
    // Objects are alike when they are the same. -1 is a failure to CPython.
    let hash = (this as ffi::Py_hash_t) >> 4;
    if hash == -1 { -2 } else { hash }
}

static METHODS: Table<ffi::PyMethodDef, 6> = Table([
    method(
        c"cancel",
        ffi::PyMethodDefPointer {
            PyCFunction: cancel,
        },
        ffi::METH_NOARGS,
        c"The callback will not be called.",
    ),
    method(
        c"cancelled",
        ffi::PyMethodDefPointer {
            PyCFunction: cancelled,
        },
        ffi::METH_NOARGS,
        c"Whether it was cancelled.",
    ),
    method(
        c"_run",
        ffi::PyMethodDefPointer { PyCFunction: run },
        ffi::METH_NOARGS,
        c"Calls the callback.",
    ),
    method(
        c"get_context",
        ffi::PyMethodDefPointer {
            PyCFunction: context,
        },
        ffi::METH_NOARGS,
        c"The context of the callback.",
    ),
    method(
        c"when",
        ffi::PyMethodDefPointer { PyCFunction: when },
        ffi::METH_NOARGS,
        c"When the callback is due, in the loop's time.",
    ),
    NO_METHOD,
]);

static PLAIN_METHODS: Table<ffi::PyMethodDef, 5> = Table([
    METHODS.0[0],
    METHODS.0[1],
    METHODS.0[2],
    METHODS.0[3],
    NO_METHOD,
]);

static MEMBERS: Table<ffi::PyMemberDef, 6> = Table([
    member(
        c"__weaklistoffset__",
        ffi::Py_T_PYSSIZET,
        offset_of!(Handle, weak_references),
        ffi::Py_READONLY,
    ),
    member(
        c"_loop",
        OBJECT_OR_NONE,
        offset_of!(Handle, core),
        ffi::Py_READONLY,
    ),
    member(
        c"_callback",
        OBJECT_OR_NONE,
        offset_of!(Handle, callback),
        ffi::Py_READONLY,
    ),
    member(
        c"_context",
        OBJECT_OR_NONE,
        offset_of!(Handle, context),
        ffi::Py_READONLY,
    ),
    member(
        c"_when",
        ffi::Py_T_DOUBLE,
        offset_of!(Handle, when),
        ffi::Py_READONLY,
    ),
    NO_MEMBER,
]);

static GETTERS: Table<ffi::PyGetSetDef, 6> = Table([
    getter(c"_args", get_arguments, None),
    getter(c"_cancelled", get_cancelled, None),
    getter(c"_scheduled", get_scheduled, None),
    getter(c"_source_traceback", get_nothing, None),
    getter(c"_repr", get_nothing, None),
    NO_GETTER,
]);

/// The types `Handle` and `TimerHandle`.
///
/// # Safety
/// The module is one of this definition.
pub(super) unsafe fn new_types(module: *mut ffi::PyObject) -> Result<(Ref, Ref)> {
    let shared: [(c_int, *mut c_void); 6] = [
        (ffi::Py_tp_dealloc, dealloc as *mut c_void),
        (ffi::Py_tp_traverse, traverse as *mut c_void),
        (ffi::Py_tp_clear, clear as *mut c_void),
        (ffi::Py_tp_repr, represent as *mut c_void),
        (ffi::Py_tp_members, (&raw const MEMBERS.0).cast_mut().cast()),
        (ffi::Py_tp_getset, (&raw const GETTERS.0).cast_mut().cast()),
    ];
    let mut plain = shared.to_vec();
    plain.push((
        ffi::Py_tp_methods,
        (&raw const PLAIN_METHODS.0).cast_mut().cast(),
    ));
    let mut timer = shared.to_vec();
    timer.push((ffi::Py_tp_methods, (&raw const METHODS.0).cast_mut().cast()));
    timer.push((ffi::Py_tp_richcompare, compare as *mut c_void));
    timer.push((ffi::Py_tp_hash, hash as *mut c_void));
    let flags = ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION | ffi::Py_TPFLAGS_IMMUTABLETYPE;
    let size = size_of::<Handle>();
    // SAFETY: the slots are of these types, the tables are static.
    unsafe {
        let handle = new_type(
            module,
            c"nexus._eventloop.Handle",
            size,
            flags,
            &plain,
            null_mut(),
        )?;
        let name = c"nexus._eventloop.TimerHandle";
        let timer = new_type(module, name, size, flags, &timer, null_mut())?;
        Ok((handle, timer))
    }
}
