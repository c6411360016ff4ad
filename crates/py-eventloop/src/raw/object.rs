//! References, failures, and the ways in from Python.

use super::guarded;
use pyo3_ffi as ffi;
use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null_mut};

/// An exception is set.
#[derive(Debug)]
pub(super) struct Raised;

/// What may have set an exception.
pub(super) type Result<T> = std::result::Result<T, Raised>;

/// A reference of ours to an object.
#[derive(Debug)]
pub(super) struct Ref(NonNull<ffi::PyObject>);

impl Ref {
    /// Takes a new reference over, or the failure that no object is.
    ///
    /// # Safety
    /// It is a new reference, or null with an exception set.
    #[inline]
    pub(super) unsafe fn owned(object: *mut ffi::PyObject) -> Result<Self> {
        NonNull::new(object).map(Self).ok_or(Raised)
    }

    /// Makes a reference of ours.
    ///
    /// # Safety
    /// The object is alive, and the lock is held.
    #[inline]
    pub(super) unsafe fn new(object: *mut ffi::PyObject) -> Self {
        // SAFETY: the caller's.
        unsafe {
            ffi::Py_INCREF(object);
            Self(NonNull::new_unchecked(object))
        }
    }

    /// `None`.
    #[inline]
    pub(super) fn none() -> Self {
        // SAFETY: it is always alive.
        unsafe { Self::new(ffi::Py_None()) }
    }

    #[inline]
    pub(super) fn as_ptr(&self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    /// Gives the reference to the caller.
    #[inline]
    pub(super) fn into_ptr(self) -> *mut ffi::PyObject {
        let object = self.0.as_ptr();
        std::mem::forget(self);
        object
    }
}

impl Drop for Ref {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the reference is ours. The lock is held: the wait in `poll`, which is without it, drops none.
        unsafe { guarded::let_go(self.0.as_ptr()) };
    }
}

/// What Python gets of a function that makes an object.
#[inline]
pub(super) fn answer(body: impl FnOnce() -> Result<Ref>) -> *mut ffi::PyObject {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(object)) => object.into_ptr(),
        Ok(Err(Raised)) => null_mut(),
        Err(_) => {
            panicked();
            null_mut()
        }
    }
}

/// What Python gets of a function that only may fail.
#[inline]
pub(super) fn status(body: impl FnOnce() -> Result<()>) -> c_int {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => 0,
        Ok(Err(Raised)) => -1,
        Err(_) => {
            panicked();
            -1
        }
    }
}

#[cold]
fn panicked() {
    // SAFETY: the lock is held.
    unsafe {
        ffi::PyErr_Clear();
        let message = c"nexus.eventloop has failed: please report what standard error says";
        ffi::PyErr_SetString(ffi::PyExc_SystemError, message.as_ptr());
    }
}

/// Sets an exception.
///
/// # Safety
/// The class is one of exceptions, and the lock is held.
#[cold]
pub(super) unsafe fn raise(class: *mut ffi::PyObject, message: &CStr) -> Raised {
    // SAFETY: the caller's.
    unsafe { ffi::PyErr_SetString(class, message.as_ptr()) };
    Raised
}

/// Sets the `OSError` of a failed system call: of the class that its number has.
#[cold]
pub(super) fn raise_io(error: &std::io::Error) -> Raised {
    let text = error.to_string();
    // The number is in the exception already.
    let text = text.split(" (os error").next().unwrap_or_default();
    let text = std::ffi::CString::new(text).unwrap_or_default();
    // SAFETY: the lock is held; the text ends with a zero, and the format has a number and a text.
    unsafe {
        if let Some(number) = error.raw_os_error() {
            let made = Ref::owned(ffi::Py_BuildValue(c"is".as_ptr(), number, text.as_ptr()));
            if let Ok(arguments) = made {
                ffi::PyErr_SetObject(ffi::PyExc_OSError, arguments.as_ptr());
            }
        } else {
            ffi::PyErr_SetString(ffi::PyExc_OSError, text.as_ptr());
        }
    }
    Raised
}

/// Takes the exception that is set, with its traceback.
pub(super) fn take_raised() -> Result<Ref> {
    // SAFETY: the lock is held, an exception is set, and each reference is new.
    unsafe {
        #[cfg(Py_3_12)]
        {
            Ref::owned(ffi::PyErr_GetRaisedException())
        }
        #[cfg(not(Py_3_12))]
        {
            let (mut class, mut value, mut trace) = (null_mut(), null_mut(), null_mut());
            ffi::PyErr_Fetch(&raw mut class, &raw mut value, &raw mut trace);
            ffi::PyErr_NormalizeException(&raw mut class, &raw mut value, &raw mut trace);
            if !trace.is_null() {
                ffi::PyException_SetTraceback(value, trace);
                ffi::Py_DECREF(trace);
            }
            ffi::Py_XDECREF(class);
            Ref::owned(value)
        }
    }
}

/// Whether the exception that is set ends the loop: `SystemExit` or `KeyboardInterrupt`.
pub(super) fn raised_ends_the_loop() -> bool {
    // SAFETY: the lock is held.
    unsafe {
        ffi::PyErr_ExceptionMatches(ffi::PyExc_SystemExit) != 0
            || ffi::PyErr_ExceptionMatches(ffi::PyExc_KeyboardInterrupt) != 0
    }
}

/// An attribute of an object.
///
/// # Errors
/// `AttributeError`, and what a property raises.
///
/// # Safety
/// The object is alive, and the lock is held.
pub(super) unsafe fn attribute(object: *mut ffi::PyObject, name: &Ref) -> Result<Ref> {
    // SAFETY: the caller's.
    unsafe { Ref::owned(super::guarded::PyObject_GetAttr(object, name.as_ptr())) }
}

/// Calls a method by its name, with at most six arguments.
///
/// # Safety
/// All are alive, and the lock is held.
#[inline]
pub(super) unsafe fn call_method(
    name: &Ref,
    this: *mut ffi::PyObject,
    arguments: &[*mut ffi::PyObject],
) -> Result<Ref> {
    let mut all = [null_mut(); 8];
    all[1] = this;
    all[2..2 + arguments.len()].copy_from_slice(arguments);
    // SAFETY: the caller's; the place before the first is free for CPython to use.
    unsafe {
        let count = (1 + arguments.len()) | ffi::PY_VECTORCALL_ARGUMENTS_OFFSET;
        Ref::owned(guarded::PyObject_VectorcallMethod(
            name.as_ptr(),
            all.as_ptr().add(1),
            count,
            null_mut(),
        ))
    }
}

/// The positional arguments of a call, and the keyword that all these functions have.
pub(super) struct Arguments {
    pub(super) first: *const *mut ffi::PyObject,
    pub(super) count: usize,
    /// `context`, null when it is not given or `None`.
    pub(super) context: *mut ffi::PyObject,
}

impl Arguments {
    /// # Safety
    /// What CPython hands to a function of `METH_FASTCALL | METH_KEYWORDS`; `context` is `"context"`.
    #[inline]
    pub(super) unsafe fn new(
        first: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
        context: &Ref,
    ) -> Result<Self> {
        let count = count.unsigned_abs();
        let mut arguments = Self {
            first,
            count,
            context: null_mut(),
        };
        // SAFETY: the caller's: there are as many arguments, then one for each name.
        unsafe {
            if !names.is_null() {
                for place in 0..ffi::PyTuple_Size(names) {
                    let name = ffi::PyTuple_GetItem(names, place);
                    if name != context.as_ptr()
                        && ffi::PyUnicode_Compare(name, context.as_ptr()) != 0
                    {
                        let message = c"unexpected keyword argument: there is only `context`";
                        return Err(raise(ffi::PyExc_TypeError, message));
                    }
                    let value = *first.add(count + place.unsigned_abs());
                    if value != ffi::Py_None() {
                        arguments.context = value;
                    }
                }
            }
        }
        Ok(arguments)
    }

    /// Splits off the first `N`.
    ///
    /// # Safety
    /// The arguments are alive.
    #[inline]
    pub(super) unsafe fn split<const N: usize>(
        mut self,
        message: &CStr,
    ) -> Result<([*mut ffi::PyObject; N], Self)> {
        // SAFETY: the caller's; as many are there.
        unsafe {
            if self.count < N {
                return Err(raise(ffi::PyExc_TypeError, message));
            }
            let head = std::array::from_fn(|place| *self.first.add(place));
            self.first = self.first.add(N);
            self.count -= N;
            Ok((head, self))
        }
    }
}

/// A table that CPython reads and nobody writes to.
pub(super) struct Table<T, const N: usize>(pub(super) [T; N]);

// SAFETY: nobody writes to it.
unsafe impl<T, const N: usize> Sync for Table<T, N> {}

/// An entry of a table of methods.
pub(super) const fn method(
    name: &'static CStr,
    call: ffi::PyMethodDefPointer,
    flags: c_int,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: call,
        ml_flags: flags,
        ml_doc: doc.as_ptr(),
    }
}

/// The end of a table of methods.
pub(super) const NO_METHOD: ffi::PyMethodDef = ffi::PyMethodDef::zeroed();

/// A member that is an object, `None` where the field is null: `T_OBJECT` of `structmember.h`.
pub(super) const OBJECT_OR_NONE: c_int = 6;

/// The end of a table of members.
pub(super) const NO_MEMBER: ffi::PyMemberDef = ffi::PyMemberDef {
    name: std::ptr::null(),
    type_code: 0,
    offset: 0,
    flags: 0,
    doc: std::ptr::null(),
};

/// An entry of a table of members.
pub(super) const fn member(
    name: &'static CStr,
    type_code: c_int,
    offset: usize,
    flags: c_int,
) -> ffi::PyMemberDef {
    ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code,
        offset: offset.cast_signed(),
        flags,
        doc: std::ptr::null(),
    }
}

/// The end of a table of getters.
pub(super) const NO_GETTER: ffi::PyGetSetDef = ffi::PyGetSetDef {
    name: std::ptr::null(),
    get: None,
    set: None,
    doc: std::ptr::null(),
    closure: null_mut(),
};

/// An entry of a table of getters.
pub(super) const fn getter(
    name: &'static CStr,
    get: ffi::getter,
    set: Option<ffi::setter>,
) -> ffi::PyGetSetDef {
    ffi::PyGetSetDef {
        name: name.as_ptr(),
        get: Some(get),
        set,
        doc: std::ptr::null(),
        closure: null_mut(),
    }
}

/// Makes a type of a module.
///
/// # Safety
/// The slots fit the type, and what they point to lives as long as the process.
pub(super) unsafe fn new_type(
    module: *mut ffi::PyObject,
    name: &'static CStr,
    size: usize,
    flags: std::ffi::c_ulong,
    slots: &[(c_int, *mut std::ffi::c_void)],
    base: *mut ffi::PyObject,
) -> Result<Ref> {
    let mut table: Vec<ffi::PyType_Slot> = slots
        .iter()
        .chain(&[(0, null_mut())])
        .map(|&(slot, pfunc)| ffi::PyType_Slot { slot, pfunc })
        .collect();
    let mut spec = ffi::PyType_Spec {
        name: name.as_ptr(),
        basicsize: size as c_int,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC | flags) as std::ffi::c_uint,
        slots: table.as_mut_ptr(),
    };
    // SAFETY: the caller's; CPython copies the specification.
    unsafe { Ref::owned(ffi::PyType_FromModuleAndSpec(module, &raw mut spec, base)) }
}
