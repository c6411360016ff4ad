//! What one interpreter has of this module: its types, memory to use again, and foreign objects to give back.
//!
//! Interpreters of one process share nothing here. A state stays in memory after its interpreter's end, because
//! an object may outlive it.

use super::exchange::Table;
use super::lent::Lent;
use super::{matrix, qmatrix, sparse};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use pyo3::{PyTypeInfo, ffi};
use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_void};
use std::ptr::{NonNull, null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// The key of the state in the interpreter's dictionary, and the name of its capsule.
const KEY: &CStr = c"nexus._linalg.state";

/// Objects whose memory is kept for the next ones.
const FREE_MAX: usize = 64;

/// The most types that there are.
const TYPES_MAX: usize = 8;

/// The most named tuples that there are.
const NAMED_MAX: usize = 32;

/// An attribute of foreign objects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name {
    ArrayStruct,
    RequiresGrad,
    IsConj,
}

/// The names of [`Name`], in its order.
const NAMES: [&CStr; 3] = [c"__array_struct__", c"requires_grad", c"is_conj"];

/// The types of one interpreter, which its lock guards.
pub(crate) struct State {
    /// The types of objects, `Matrix` first; null after the interpreter's end.
    types: [AtomicPtr<ffi::PyTypeObject>; TYPES_MAX],
    /// `nexus.linalg.LinAlgError`.
    error: AtomicPtr<ffi::PyTypeObject>,
    /// Classes of named tuples, made when they are first wanted.
    named: [AtomicPtr<ffi::PyObject>; NAMED_MAX],
    /// Memory of objects that are gone; only the thread that holds the interpreter's lock touches it.
    free: UnsafeCell<Vec<NonNull<c_void>>>,
    /// Names of attributes, made when they are first wanted.
    names: [AtomicPtr<ffi::PyObject>; NAMES.len()],
    /// The type of tensors whose table of functions is known, and the table.
    exchange: (AtomicPtr<ffi::PyTypeObject>, AtomicPtr<Table>),
    /// What threads without the lock have let go.
    dropped: Mutex<Vec<Lent>>,
    has_dropped: AtomicBool,
}

// SAFETY: `free` is touched under the interpreter's lock alone; the rest may be shared.
unsafe impl Sync for State {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl Send for State {}

thread_local! {
    /// The state of the interpreter that this thread was last seen in, by the interpreter's number, which is
    /// never given again.
    static SEEN: Cell<(i64, *const State)> = const { Cell::new((-1, null())) };
}

impl State {
    /// The state of the interpreter that this thread is attached to.
    #[inline]
    pub(crate) fn current(py: Python<'_>) -> &'static Self {
        // SAFETY: the thread is attached. States are never freed.
        unsafe {
            let id = ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get());
            let (seen, state) = SEEN.get();
            if seen == id {
                return &*state;
            }
            let state = Self::find(py).expect("the module is loaded");
            SEEN.set((id, state));
            state
        }
    }

    /// The state of this interpreter, where the module has been loaded.
    fn find(_py: Python<'_>) -> Option<&'static Self> {
        // SAFETY: the thread is attached; the capsule, if there is one, holds a state. The dictionary and what
        // is found in it are borrowed.
        unsafe {
            let dict = ffi::PyInterpreterState_GetDict(ffi::PyInterpreterState_Get());
            let capsule = ffi::PyDict_GetItemString(dict, KEY.as_ptr());
            if capsule.is_null() {
                return None;
            }
            ffi::PyCapsule_GetPointer(capsule, KEY.as_ptr())
                .cast::<Self>()
                .as_ref()
        }
    }

    /// Makes the state of this interpreter, unless there is one.
    ///
    /// # Errors
    /// When the types cannot be made.
    pub(super) fn load(py: Python<'_>) -> PyResult<&'static Self> {
        if let Some(state) = Self::find(py) {
            return Ok(state);
        }
        let state: &'static Self = Box::leak(Box::new(Self {
            types: Default::default(),
            error: AtomicPtr::default(),
            named: Default::default(),
            free: UnsafeCell::default(),
            names: Default::default(),
            exchange: Default::default(),
            dropped: Mutex::default(),
            has_dropped: AtomicBool::new(false),
        }));
        // SAFETY: the thread is attached; each new reference is kept by the state, the capsule's by the dictionary.
        unsafe {
            let error = ffi::PyErr_NewExceptionWithDoc(
                c"nexus.linalg.LinAlgError".as_ptr(),
                c"A matrix without the result that was asked for: singular, of the wrong shape, not finite."
                    .as_ptr(),
                ffi::PyExc_ValueError,
                null_mut(),
            );
            let error = Bound::from_owned_ptr_or_err(py, error)?;
            let types = [
                matrix::new_type(py)?,
                qmatrix::new_type(py)?,
                sparse::new_matrix_type(py)?,
                sparse::new_factor_type(py)?,
            ];
            let dict = ffi::PyInterpreterState_GetDict(ffi::PyInterpreterState_Get());
            let pointer = std::ptr::from_ref(state).cast_mut().cast();
            let capsule = ffi::PyCapsule_New(pointer, KEY.as_ptr(), Some(close));
            let capsule = Bound::from_owned_ptr_or_err(py, capsule)?;
            if dict.is_null() {
                let message =
                    "cannot load nexus.linalg: the interpreter has no dictionary of its own";
                return Err(PyRuntimeError::new_err(message));
            }
            if ffi::PyDict_SetItemString(dict, KEY.as_ptr(), capsule.as_ptr()) != 0 {
                return Err(PyErr::fetch(py));
            }
            state
                .error
                .store(error.into_ptr().cast(), Ordering::Release);
            for (place, class) in state.types.iter().zip(types) {
                place.store(class.into_ptr().cast(), Ordering::Release);
            }
        }
        Ok(state)
    }

    /// A type of objects by its number, borrowed.
    #[inline]
    pub(super) fn class(&self, number: usize) -> *mut ffi::PyTypeObject {
        self.types[number].load(Ordering::Relaxed)
    }

    /// The class of named tuples with this number, made by `make` the first time.
    ///
    /// # Errors
    /// Of `make`.
    pub(crate) fn named<'py>(
        &self,
        py: Python<'py>,
        number: usize,
        make: impl FnOnce() -> PyResult<Bound<'py, PyType>>,
    ) -> PyResult<Bound<'py, PyType>> {
        let place = &self.named[number];
        let known = place.load(Ordering::Acquire);
        if known.is_null() {
            let made = make()?;
            let kept = made.clone().into_ptr();
            // Making a class may let another thread in.
            let swap =
                place.compare_exchange(null_mut(), kept, Ordering::AcqRel, Ordering::Acquire);
            if swap.is_ok() {
                return Ok(made);
            }
            // SAFETY: the reference just made, which nobody else knows.
            drop(unsafe { Bound::from_owned_ptr(py, kept) });
        }
        // SAFETY: the state has a reference to the class.
        let class = unsafe { Bound::from_borrowed_ptr(py, place.load(Ordering::Acquire)) };
        Ok(class.cast_into()?)
    }

    /// An attribute of an object that may have it.
    #[inline]
    pub(crate) fn attribute<'py>(
        &self,
        object: &Bound<'py, PyAny>,
        name: Name,
    ) -> Option<Bound<'py, PyAny>> {
        let (py, place) = (object.py(), name as usize);
        // SAFETY: the thread is attached; the state keeps the name.
        unsafe {
            let mut name = self.names[place].load(Ordering::Relaxed);
            if name.is_null() {
                name = ffi::PyUnicode_InternFromString(NAMES[place].as_ptr());
                self.names[place].store(name, Ordering::Relaxed);
            }
            let found = ffi::PyObject_GetAttr(object.as_ptr(), name);
            Bound::from_owned_ptr_or_opt(py, found).or_else(|| {
                ffi::PyErr_Clear();
                None
            })
        }
    }

    /// Whether an object is a tensor of the type that was kept.
    #[inline]
    pub(crate) fn is_known_tensor(&self, object: &Bound<'_, PyAny>) -> bool {
        self.exchange(object).is_some()
    }

    /// Whether a type of tensors has been kept.
    pub(super) fn knows_exchange(&self) -> bool {
        !self.exchange.0.load(Ordering::Relaxed).is_null()
    }

    /// Keeps the table of functions of a type of tensors, unless there is one.
    pub(super) fn keep_exchange(&self, class: &Bound<'_, PyType>, table: NonNull<Table>) {
        if !self.knows_exchange() {
            self.exchange.1.store(table.as_ptr(), Ordering::Relaxed);
            let class = class.clone().into_ptr().cast();
            self.exchange.0.store(class, Ordering::Release);
        }
    }

    /// The table of functions of an object's type, where it is the one that was kept.
    #[inline]
    pub(super) fn exchange(&self, object: &Bound<'_, PyAny>) -> Option<NonNull<Table>> {
        // SAFETY: the object is alive.
        let class = unsafe { ffi::Py_TYPE(object.as_ptr()) };
        let is_known = self.exchange.0.load(Ordering::Acquire) == class;
        NonNull::new(self.exchange.1.load(Ordering::Relaxed)).filter(|_| is_known)
    }

    /// Memory for an object of `size` bytes: that of a `Matrix` may have been one before.
    #[inline]
    pub(super) fn allocate(&self, _py: Python<'_>, size: usize) -> *mut c_void {
        // SAFETY: the thread holds the lock, and nothing is called while the list is borrowed.
        unsafe {
            let known = if size == matrix::SIZE {
                (*self.free.get()).pop()
            } else {
                None
            };
            known.map_or_else(|| ffi::PyObject_Malloc(size), NonNull::as_ptr)
        }
    }

    /// Takes memory back.
    ///
    /// # Safety
    /// It is from [`State::allocate`] of this state for as many bytes, and nothing uses it any more.
    #[inline]
    pub(super) unsafe fn release(&self, _py: Python<'_>, memory: NonNull<c_void>, size: usize) {
        // SAFETY: the thread holds the lock, and nothing is called while the list is borrowed. A closed state
        // keeps no memory.
        unsafe {
            let free = &mut *self.free.get();
            let is_open = !self.class(0).is_null();
            if size == matrix::SIZE && free.len() < FREE_MAX && is_open {
                free.push(memory);
            } else {
                ffi::PyObject_Free(memory.as_ptr());
            }
        }
    }

    /// Keeps what was let go without the lock, until somebody who holds it comes by.
    pub(super) fn put_off(&self, lent: Lent) {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.push(lent);
        self.has_dropped.store(true, Ordering::Release);
    }

    /// Gives back what was let go without the lock.
    #[inline]
    pub(crate) fn give_back(&self, py: Python<'_>) {
        if self.has_dropped.load(Ordering::Relaxed) {
            self.give_back_all(py);
        }
    }

    #[cold]
    fn give_back_all(&self, py: Python<'_>) {
        let all = {
            let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
            self.has_dropped.store(false, Ordering::Release);
            std::mem::take(&mut *dropped)
        };
        for lent in all {
            lent.release(py);
        }
    }
}

/// Lets go of what a state has, when the dictionary of its interpreter goes.
unsafe extern "C" fn close(capsule: *mut ffi::PyObject) {
    // SAFETY: CPython calls this with the capsule of `load`, attached; the types are the state's own references.
    unsafe {
        let py = Python::assume_attached();
        let pointer = ffi::PyCapsule_GetPointer(capsule, KEY.as_ptr());
        let Some(state) = pointer.cast::<State>().as_ref() else {
            return;
        };
        state.give_back(py);
        let places = state.types.iter().chain([&state.error]);
        let types: Vec<_> = places
            .map(|place| place.swap(null_mut(), Ordering::AcqRel))
            .collect();
        for memory in std::mem::take(&mut *state.free.get()) {
            ffi::PyObject_Free(memory.as_ptr());
        }
        for class in types {
            ffi::Py_XDECREF(class.cast());
        }
        for place in state.named.iter().chain(&state.names) {
            ffi::Py_XDECREF(place.swap(null_mut(), Ordering::AcqRel));
        }
        ffi::Py_XDECREF(state.exchange.0.swap(null_mut(), Ordering::AcqRel).cast());
    }
}

/// `nexus.linalg.LinAlgError`.
pub(crate) struct LinAlgError;

impl LinAlgError {
    /// The error with this message.
    pub(crate) fn new_err(message: impl Into<String>) -> PyErr {
        PyErr::new::<Self, String>(message.into())
    }
}

// SAFETY: the class is an exception's, of the interpreter that the thread is attached to.
unsafe impl PyTypeInfo for LinAlgError {
    fn type_object_raw(py: Python<'_>) -> *mut ffi::PyTypeObject {
        State::current(py).error.load(Ordering::Relaxed)
    }
}
