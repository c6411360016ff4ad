//! What the Python types of this module share: the layout of an object, its making and its end, and the entries of
//! tables.
//!
//! Entries are made by pyo3's own trampolines, which its macros use: panics become exceptions, errors are
//! raised. They are not part of pyo3's public surface, so its version is pinned.

use super::state::State;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict, PyTuple, PyType};
use pyo3::{Borrowed, ffi};
use std::ffi::{CStr, c_int, c_uint, c_void};
use std::mem::offset_of;
use std::ops::Deref;
use std::ptr::{NonNull, null, null_mut};

/// What the objects of a type have in them.
pub(crate) trait Class: Send + Sync + Sized + 'static {
    /// Which one of an interpreter's types this is.
    const NUMBER: usize;

    /// The first entry of the table of methods, by which objects are known, of whatever interpreter.
    fn methods() -> *const ffi::PyMethodDef;

    /// The value that an object is, where it is of this type.
    fn of<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a Self> {
        // SAFETY: the object is alive for as long as it is borrowed.
        unsafe { value(object.as_ptr()) }
    }

    /// The value as an object.
    ///
    /// # Errors
    /// `MemoryError`.
    fn into_object(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        with(py, self)
    }
}

/// The object.
#[repr(C)]
struct Object<T> {
    base: ffi::PyObject,
    weak_references: *mut ffi::PyObject,
    state: &'static State,
    value: T,
}

/// Bytes of an object.
pub(super) const fn size<T>() -> usize {
    size_of::<Object<T>>()
}

/// An object with this value.
///
/// # Errors
/// `MemoryError`.
pub(super) fn with<T: Class>(py: Python<'_>, value: T) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: the place gets the value.
    let made = unsafe {
        place(py, |place: *mut T| {
            place.write(value);
            Some(())
        })
    };
    made.ok_or_else(|| PyMemoryError::new_err("no memory for an object"))
}

/// An object whose value `fill` writes; `None` where it does not, or where there is no memory.
///
/// # Safety
/// The value is complete where `fill` succeeds, and nothing is in its place where it does not.
#[inline]
pub(super) unsafe fn place<T: Class>(
    py: Python<'_>,
    fill: impl FnOnce(*mut T) -> Option<()>,
) -> Option<Bound<'_, PyAny>> {
    let state = State::current(py);
    let memory = NonNull::new(state.allocate(py, size::<T>()))?;
    // SAFETY: the memory is an object's, which is complete when it gets its reference.
    unsafe {
        let place = memory.cast::<Object<T>>().as_ptr();
        if fill(&raw mut (*place).value).is_none() {
            state.release(py, memory, size::<T>());
            return None;
        }
        (&raw mut (*place).weak_references).write(null_mut());
        (&raw mut (*place).state).write(state);
        let object = ffi::PyObject_Init(place.cast(), state.class(T::NUMBER));
        Some(Bound::from_owned_ptr(py, object))
    }
}

/// A tuple of a class derived from `tuple`, with these items: as `tuple.__new__` makes it, without the detour of the
/// class's own `__new__`.
///
/// # Errors
/// `MemoryError`.
pub(crate) fn tuple_of<'py>(
    class: &Bound<'py, PyType>,
    items: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let arguments = PyTuple::new(py, [items])?;
    // SAFETY: `tuple` has the function, which checks its arguments.
    unsafe {
        let new = ffi::PyTuple_Type.tp_new;
        let made = new.map_or(null_mut(), |new| {
            new(class.as_type_ptr(), arguments.as_ptr(), null_mut())
        });
        Bound::from_owned_ptr_or_err(py, made)
    }
}

/// The value of an object, where it is of this type.
///
/// # Safety
/// The object is alive during `'a`.
#[inline]
pub(super) unsafe fn value<'a, T: Class>(object: *mut ffi::PyObject) -> Option<&'a T> {
    // SAFETY: the caller's. A type with this table is one of ours, of whatever interpreter, and has no subclasses.
    unsafe {
        let found = (*ffi::Py_TYPE(object)).tp_methods.cast_const();
        (found == T::methods()).then(|| &(*object.cast::<Object<T>>()).value)
    }
}

/// Frees an object.
///
/// # Safety
/// CPython's: the object is of this type, and nobody has it any more.
unsafe extern "C" fn dealloc<T: Class>(object: *mut ffi::PyObject) {
    // SAFETY: CPython calls this once, attached. A type made at run time is kept by its objects.
    unsafe {
        let py = Python::assume_attached();
        let place = object.cast::<Object<T>>();
        if !(*place).weak_references.is_null() {
            ffi::PyObject_ClearWeakRefs(object);
        }
        let class = ffi::Py_TYPE(object);
        let state = (*place).state;
        (&raw mut (*place).value).drop_in_place();
        state.release(py, NonNull::new_unchecked(object.cast()), size::<T>());
        ffi::Py_DECREF(class.cast());
        state.give_back(py);
    }
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

impl<'py, T> This<'_, 'py, T> {
    /// # Safety
    /// The object is of the type of `T`, and alive during `'a`.
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

/// Tables of a type, which live as long as the process. Both end with an entry of zeros.
pub(super) struct Tables<const METHODS: usize, const GETTERS: usize> {
    pub(super) methods: [ffi::PyMethodDef; METHODS],
    pub(super) getters: [ffi::PyGetSetDef; GETTERS],
}

// SAFETY: nobody writes to them.
unsafe impl<const METHODS: usize, const GETTERS: usize> Sync for Tables<METHODS, GETTERS> {}

/// The end of a table of getters.
pub(super) const NO_GETTER: ffi::PyGetSetDef = ffi::PyGetSetDef {
    name: null(),
    get: None,
    set: None,
    doc: null(),
    closure: null_mut(),
};

struct Members([ffi::PyMemberDef; 2]);

// SAFETY: nobody writes to them.
unsafe impl Sync for Members {}

/// Where the weak references to an object are: at one place for all types.
static MEMBERS: Members = Members([
    ffi::PyMemberDef {
        name: c"__weaklistoffset__".as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset_of!(Object<()>, weak_references).cast_signed(),
        flags: ffi::Py_READONLY,
        doc: null(),
    },
    ffi::PyMemberDef {
        name: null(),
        type_code: 0,
        offset: 0,
        flags: 0,
        doc: null(),
    },
]);

/// A new type, with these slots beside the tables and what all types have.
///
/// # Errors
/// When the interpreter has no memory.
pub(super) fn new_type<'py, T: Class, const METHODS: usize, const GETTERS: usize>(
    py: Python<'py>,
    (name, doc): (&'static CStr, &'static CStr),
    tables: &'static Tables<METHODS, GETTERS>,
    own: &[(c_int, *mut c_void)],
) -> PyResult<Bound<'py, PyAny>> {
    let shared = [
        (ffi::Py_tp_doc, doc.as_ptr().cast_mut().cast()),
        (ffi::Py_tp_dealloc, dealloc::<T> as *mut c_void),
        (
            ffi::Py_tp_methods,
            (&raw const tables.methods).cast_mut().cast(),
        ),
        (
            ffi::Py_tp_getset,
            (&raw const tables.getters).cast_mut().cast(),
        ),
        (ffi::Py_tp_members, (&raw const MEMBERS.0).cast_mut().cast()),
    ];
    let mut slots: Vec<ffi::PyType_Slot> = shared
        .iter()
        .chain(own)
        .chain(&[(0, null_mut())])
        .map(|&(slot, pfunc)| ffi::PyType_Slot { slot, pfunc })
        .collect();
    let mut flags = ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_IMMUTABLETYPE;
    if own.iter().all(|&(slot, _)| slot != ffi::Py_tp_new) {
        // Functions make the objects; what `object` makes would have no value.
        flags |= ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    }
    let mut spec = ffi::PyType_Spec {
        name: name.as_ptr(),
        basicsize: size::<T>() as c_int,
        itemsize: 0,
        flags: flags as c_uint,
        slots: slots.as_mut_ptr(),
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
        impl ::pyo3::impl_::trampoline::MethodDef<::pyo3::impl_::trampoline::$kind::Func> for Entry {
            const METH: ::pyo3::impl_::trampoline::$kind::Func = |$($argument),*| {
                // SAFETY of all entries: CPython calls them attached, with objects that are alive during the
                // call; methods and slots of one operand get an object of the type first.
                #[allow(unused_unsafe, reason = "some bodies need none")]
                unsafe { $body }
            };
        }
        ::pyo3::impl_::trampoline::$kind::<Entry>
    }};
}

/// A slot or method of one object, by a function that makes an object.
macro_rules! of_one {
    ($kind:ident, $function:path) => {
        entry!($kind, |py, this| {
            $function($crate::raw::object::This::new(py, this)).map(::pyo3::Bound::into_ptr)
        })
    };
}

/// The same with another operand.
macro_rules! of_two {
    ($function:path) => {
        entry!(binaryfunc, |py, this, other| {
            let other = ::pyo3::Borrowed::from_ptr(py, other);
            $function($crate::raw::object::This::new(py, this), &other).map(::pyo3::Bound::into_ptr)
        })
    };
}

/// A slot of an operator: either operand is of the type.
macro_rules! operator {
    ($function:path) => {
        entry!(binaryfunc, |py, left, right| {
            let (left, right) = (
                ::pyo3::Borrowed::from_ptr(py, left),
                ::pyo3::Borrowed::from_ptr(py, right),
            );
            $function(&left, &right).map(::pyo3::Bound::into_ptr)
        })
    };
}

/// `__new__`, by a function of the arguments and keywords.
macro_rules! newer {
    ($function:path) => {
        entry!(newfunc, |py, _class, arguments, keywords| {
            let (arguments, keywords) = $crate::raw::object::parts(py, arguments, keywords)?;
            $function(&arguments, keywords.as_ref()).map(::pyo3::Bound::into_ptr)
        })
    };
}

/// A getter.
macro_rules! getter {
    ($name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn get(
            this: *mut ::pyo3::ffi::PyObject,
            _: *mut ::std::ffi::c_void,
        ) -> *mut ::pyo3::ffi::PyObject {
            let get = of_one!(noargs, $function);
            // SAFETY: the interpreter's.
            unsafe { get(this, ::std::ptr::null_mut()) }
        }
        ::pyo3::ffi::PyGetSetDef {
            name: $name.as_ptr(),
            get: Some(get),
            set: None,
            doc: $doc.as_ptr(),
            closure: ::std::ptr::null_mut(),
        }
    }};
}

/// A method without arguments, with one, or with a tuple and keywords; the last kind of the class too.
macro_rules! method {
    ($name:literal, $function:path, $doc:literal) => {
        method!(
            $name,
            ::pyo3::ffi::METH_NOARGS,
            PyCFunction,
            of_one!(noargs, $function),
            $doc
        )
    };
    (one $name:literal, $function:path, $doc:literal) => {
        method!(
            $name,
            ::pyo3::ffi::METH_O,
            PyCFunction,
            of_two!($function),
            $doc
        )
    };
    (keywords $name:literal, $function:path, $doc:literal) => {
        method!(
            $name,
            ::pyo3::ffi::METH_VARARGS | ::pyo3::ffi::METH_KEYWORDS,
            PyCFunctionWithKeywords,
            entry!(cfunction_with_keywords, |py, this, arguments, keywords| {
                let (arguments, keywords) = $crate::raw::object::parts(py, arguments, keywords)?;
                let this = $crate::raw::object::This::new(py, this);
                $function(this, &arguments, keywords.as_ref()).map(::pyo3::Bound::into_ptr)
            }),
            $doc
        )
    };
    (class $name:literal, $function:path, $doc:literal) => {
        method!(
            $name,
            ::pyo3::ffi::METH_VARARGS | ::pyo3::ffi::METH_KEYWORDS | ::pyo3::ffi::METH_CLASS,
            PyCFunctionWithKeywords,
            entry!(
                cfunction_with_keywords,
                |py, _class, arguments, keywords| {
                    let (arguments, keywords) =
                        $crate::raw::object::parts(py, arguments, keywords)?;
                    $function(&arguments, keywords.as_ref()).map(::pyo3::Bound::into_ptr)
                }
            ),
            $doc
        )
    };
    ($name:literal, $flags:expr, $kind:ident, $entry:expr, $doc:literal) => {
        ::pyo3::ffi::PyMethodDef {
            ml_name: $name.as_ptr(),
            ml_meth: ::pyo3::ffi::PyMethodDefPointer { $kind: $entry },
            ml_flags: $flags,
            ml_doc: $doc.as_ptr(),
        }
    };
}

pub(super) use {entry, getter, method, newer, of_one, of_two, operator};
