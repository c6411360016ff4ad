//! Calls of CPython's that may run Python, and so let go of the interpreter's lock.
//!
//! Before Python 3.14 a daemon thread that asks for the lock when the process exits is ended in that place by
//! `pthread_exit`, which unwinds its stack. The destructors of this crate must not run then: the lock is not
//! held. So such a thread sleeps here until the process is gone, as CPython 3.14 has it.

#![expect(non_snake_case, reason = "the functions have the names of CPython's")]

use pyo3_ffi as ffi;
use std::ffi::c_int;

/// Whoever unwinds through this sleeps for ever.
struct Sleep;

impl Drop for Sleep {
    fn drop(&mut self) {
        loop {
            // SAFETY: it waits for a signal.
            unsafe { libc::pause() };
        }
    }
}

macro_rules! guarded {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)+) => {
        $(
            /// CPython's function of this name, under guard.
            ///
            /// # Safety
            /// As CPython's.
            #[inline]
            pub(super) unsafe fn $name($($argument: $type),*) $(-> $result)? {
                // Of an ABI that may unwind: only so is the guard's destructor run.
                unsafe extern "C-unwind" {
                    fn $name($($argument: $type),*) $(-> $result)?;
                }
                let sleep = Sleep;
                // SAFETY: the caller's.
                let result = unsafe { $name($($argument),*) };
                std::mem::forget(sleep);
                result
            }
        )+
    };
}

type Object = *mut ffi::PyObject;

guarded! {
    fn PyBuffer_Release(view: *mut ffi::Py_buffer);
    fn PyContext_CopyCurrent() -> Object;
    fn PyErr_CheckSignals() -> c_int;
    fn PyEval_RestoreThread(thread: *mut ffi::PyThreadState);
    fn PyFloat_AsDouble(object: Object) -> f64;
    fn PyNumber_Long(object: Object) -> Object;
    fn PyObject_Call(callable: Object, arguments: Object, keywords: Object) -> Object;
    fn PyObject_GetAttr(object: Object, name: Object) -> Object;
    fn PyObject_GetBuffer(object: Object, view: *mut ffi::Py_buffer, flags: c_int) -> c_int;
    fn PyObject_IsTrue(object: Object) -> c_int;
    fn PyObject_SetAttr(object: Object, name: Object, value: Object) -> c_int;
    fn PyObject_Vectorcall(callable: Object, first: *const Object, count: usize, names: Object) -> Object;
    fn PyObject_VectorcallMethod(name: Object, first: *const Object, count: usize, names: Object) -> Object;
    fn PyTuple_New(count: ffi::Py_ssize_t) -> Object;
    fn Py_DecRef(object: Object);
    fn _PyObject_GC_New(class: *mut ffi::PyTypeObject) -> Object;
}

/// Lets go of a reference; only the last runs anything.
///
/// # Safety
/// The reference is the caller's, and the lock is held.
#[inline]
pub(super) unsafe fn let_go(object: Object) {
    // SAFETY: the caller's.
    unsafe {
        if ffi::Py_REFCNT(object) == 1 {
            Py_DecRef(object);
        } else {
            ffi::Py_DECREF(object);
        }
    }
}
