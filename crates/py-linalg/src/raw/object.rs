//! Objects of Python that hold one value, and the entries of their tables.
//!
//! Entries are made by pyo3's own trampolines, which its macros use: panics become exceptions, errors are
//! raised. They are not part of pyo3's public surface, so its version is pinned.

use super::state::State;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict, PyTuple};
use pyo3::{Borrowed, ffi};
use std::ffi::{CStr, c_int, c_uint};
use std::mem::offset_of;
use std::ops::Deref;
use std::ptr::null_mut;

/// Values that are objects of Python: immutable, of any thread.
pub(crate) trait Class: Send + Sync + Sized + 'static {
    /// Which one of an interpreter's classes.
    const NUMBER: usize;

    /// The value that an object is, where it is of this class.
    fn of<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a Self> {
        let class = State::current(object.py()).class(Self::NUMBER);
        // SAFETY: the object is alive for as long as it is borrowed, and of a class that has no subclasses.
        unsafe {
            (!class.is_null() && ffi::Py_TYPE(object.as_ptr()) == class)
                .then(|| &(*object.as_ptr().cast::<Object<Self>>()).value)
        }
    }

    /// The value as an object.
    ///
    /// # Errors
    /// `MemoryError`.
    fn into_object(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        const {
            assert!(
                align_of::<Self>() <= 16,
                "what Python's memory is aligned to"
            );
        };
        let class = State::current(py).class(Self::NUMBER);
        // SAFETY: the memory is an object's, which is complete when it gets its reference.
        unsafe {
            let place = ffi::PyObject_Malloc(size_of::<Object<Self>>()).cast::<Object<Self>>();
            if place.is_null() {
                return Err(PyMemoryError::new_err("no memory for an object"));
            }
            (&raw mut (*place).value).write(self);
            (&raw mut (*place).weak_references).write(null_mut());
            Ok(Bound::from_owned_ptr(
                py,
                ffi::PyObject_Init(place.cast(), class),
            ))
        }
    }
}

/// The object.
#[repr(C)]
struct Object<T> {
    base: ffi::PyObject,
    weak_references: *mut ffi::PyObject,
    value: T,
}

/// The object whose method is called.
pub(crate) struct This<'a, 'py, T> {
    pub(crate) object: Borrowed<'a, 'py, PyAny>,
    value: &'a T,
}

impl<T> Clone for This<'_, '_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for This<'_, '_, T> {}

impl<'py, T: Class> This<'_, 'py, T> {
    /// # Safety
    /// The object is of this class, and alive during `'a`.
    pub(super) unsafe fn new(py: Python<'py>, object: *mut ffi::PyObject) -> Self {
        // SAFETY: the caller's.
        unsafe {
            Self {
                object: Borrowed::from_ptr(py, object),
                value: &(*object.cast::<Object<T>>()).value,
            }
        }
    }
}

impl<T> Deref for This<'_, '_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value
    }
}

/// Frees an object.
unsafe extern "C" fn dealloc<T: Class>(object: *mut ffi::PyObject) {
    // SAFETY: CPython calls this once, attached, with an object that nobody has any more. A type made at run
    // time is kept by its objects.
    unsafe {
        let place = object.cast::<Object<T>>();
        if !(*place).weak_references.is_null() {
            ffi::PyObject_ClearWeakRefs(object);
        }
        let class = ffi::Py_TYPE(object);
        (&raw mut (*place).value).drop_in_place();
        ffi::PyObject_Free(object.cast());
        ffi::Py_DECREF(class.cast());
    }
}

/// What a class is made of. The tables end with an entry of zeros and live as long as the process.
pub(super) struct Specification {
    pub(super) name: &'static CStr,
    pub(super) doc: &'static CStr,
    pub(super) methods: *const ffi::PyMethodDef,
    pub(super) getters: *const ffi::PyGetSetDef,
}

/// The end of a table of getters.
pub(super) const NO_GETTER: ffi::PyGetSetDef = ffi::PyGetSetDef {
    name: std::ptr::null(),
    get: None,
    set: None,
    doc: std::ptr::null(),
    closure: null_mut(),
};

/// Where the weak references of an object are.
struct Members([ffi::PyMemberDef; 2]);

// SAFETY: nobody writes to them.
unsafe impl Sync for Members {}

static MEMBERS: Members = Members([
    ffi::PyMemberDef {
        name: c"__weaklistoffset__".as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset_of!(Object<()>, weak_references).cast_signed(),
        flags: ffi::Py_READONLY,
        doc: std::ptr::null(),
    },
    ffi::PyMemberDef {
        name: std::ptr::null(),
        type_code: 0,
        offset: 0,
        flags: 0,
        doc: std::ptr::null(),
    },
]);

/// A new class without a constructor: functions make its objects.
///
/// # Errors
/// When the interpreter has no memory.
///
/// # Safety
/// The tables and `slots` are for objects of `T`.
pub(super) unsafe fn new_type<'py, T: Class>(
    py: Python<'py>,
    class: &Specification,
    slots: &[ffi::PyType_Slot],
) -> PyResult<Bound<'py, PyAny>> {
    let slot = |slot: c_int, pfunc| ffi::PyType_Slot { slot, pfunc };
    let free: unsafe extern "C" fn(*mut ffi::PyObject) = dealloc::<T>;
    let mut all = vec![
        slot(ffi::Py_tp_doc, class.doc.as_ptr().cast_mut().cast()),
        slot(ffi::Py_tp_dealloc, free as *mut _),
        slot(ffi::Py_tp_methods, class.methods.cast_mut().cast()),
        slot(ffi::Py_tp_getset, class.getters.cast_mut().cast()),
        slot(ffi::Py_tp_members, (&raw const MEMBERS.0).cast_mut().cast()),
    ];
    all.extend(slots.iter().map(|own| slot(own.slot, own.pfunc)));
    all.push(slot(0, null_mut()));
    let flags = ffi::Py_TPFLAGS_DEFAULT
        | ffi::Py_TPFLAGS_IMMUTABLETYPE
        | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    let mut spec = ffi::PyType_Spec {
        name: class.name.as_ptr(),
        basicsize: size_of::<Object<T>>() as c_int,
        itemsize: 0,
        flags: flags as c_uint,
        slots: all.as_mut_ptr(),
    };
    // SAFETY: the specification is complete; CPython copies the slots and keeps the tables, which are static.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec)) }
}

/// The arguments of a call.
///
/// # Safety
/// CPython's: a tuple, and a dictionary or nothing.
pub(super) unsafe fn parts(
    py: Python<'_>,
    arguments: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> PyResult<(Bound<'_, PyTuple>, Option<Bound<'_, PyDict>>)> {
    // SAFETY: the caller's.
    unsafe {
        let arguments = Bound::from_borrowed_ptr(py, arguments).cast_into()?;
        let keywords = Bound::from_borrowed_ptr_or_opt(py, keywords);
        let keywords = keywords.map(Bound::cast_into).transpose()?;
        Ok((arguments, keywords))
    }
}

/// A function of a trampoline, for a closure.
macro_rules! entry {
    ($kind:ident, |$($argument:ident),*| $body:expr) => {{
        struct Entry;
        impl pyo3::impl_::trampoline::MethodDef<pyo3::impl_::trampoline::$kind::Func> for Entry {
            const METH: pyo3::impl_::trampoline::$kind::Func = |$($argument),*| {
                // SAFETY of all entries: CPython calls them attached, with objects that are alive during the
                // call; methods and slots of one operand get an object of their type first.
                #[allow(unused_unsafe, reason = "some bodies need none")]
                unsafe { $body }
            };
        }
        pyo3::impl_::trampoline::$kind::<Entry>
    }};
}

/// A slot or method of one object, by a function that makes an object.
macro_rules! of_one {
    ($kind:ident, $function:path) => {
        entry!($kind, |py, this| {
            $function(This::new(py, this)).map(pyo3::Bound::into_ptr)
        })
    };
}

/// The same with another operand.
macro_rules! of_two {
    ($function:path) => {
        entry!(binaryfunc, |py, this, other| {
            let other = pyo3::Borrowed::from_ptr(py, other);
            $function(This::new(py, this), &other).map(pyo3::Bound::into_ptr)
        })
    };
}

/// A slot of an operator: either operand is of the type.
macro_rules! operator {
    ($function:path) => {
        entry!(binaryfunc, |py, left, right| {
            let (left, right) = (
                pyo3::Borrowed::from_ptr(py, left),
                pyo3::Borrowed::from_ptr(py, right),
            );
            $function(&left, &right).map(pyo3::Bound::into_ptr)
        })
    };
}

/// A getter.
macro_rules! getter {
    ($name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn get(
            this: *mut pyo3::ffi::PyObject,
            _: *mut std::ffi::c_void,
        ) -> *mut pyo3::ffi::PyObject {
            let get = of_one!(noargs, $function);
            // SAFETY: the interpreter's.
            unsafe { get(this, std::ptr::null_mut()) }
        }
        pyo3::ffi::PyGetSetDef {
            name: $name.as_ptr(),
            get: Some(get),
            set: None,
            doc: $doc.as_ptr(),
            closure: std::ptr::null_mut(),
        }
    }};
}

/// A method without arguments, with one, or with a tuple and keywords.
macro_rules! method {
    ($name:literal, $function:path, $doc:literal) => {
        method!(
            $name,
            pyo3::ffi::METH_NOARGS,
            PyCFunction,
            of_one!(noargs, $function),
            $doc
        )
    };
    (one $name:literal, $function:path, $doc:literal) => {
        method!(
            $name,
            pyo3::ffi::METH_O,
            PyCFunction,
            of_two!($function),
            $doc
        )
    };
    (keywords $name:literal, $function:path, $doc:literal) => {
        method!(
            $name,
            pyo3::ffi::METH_VARARGS | pyo3::ffi::METH_KEYWORDS,
            PyCFunctionWithKeywords,
            entry!(cfunction_with_keywords, |py, this, arguments, keywords| {
                let (arguments, keywords) = $crate::raw::object::parts(py, arguments, keywords)?;
                $function(This::new(py, this), &arguments, keywords.as_ref())
                    .map(pyo3::Bound::into_ptr)
            }),
            $doc
        )
    };
    ($name:literal, $flags:expr, $kind:ident, $entry:expr, $doc:literal) => {
        pyo3::ffi::PyMethodDef {
            ml_name: $name.as_ptr(),
            ml_meth: pyo3::ffi::PyMethodDefPointer { $kind: $entry },
            ml_flags: $flags,
            ml_doc: $doc.as_ptr(),
        }
    };
}

pub(super) use {entry, getter, method, of_one, of_two, operator};
