//! The module's entry: a state for each interpreter that imports it.

use super::object::{Raised, Ref, Result, Table, status};
use super::state::State;
use super::{core, handle, transport};
use pyo3_ffi as ffi;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;

#[cfg(Py_3_12)]
const SLOTS: usize = 3;
#[cfg(not(Py_3_12))]
const SLOTS: usize = 2;

/// What CPython reads of a module; it writes to the head alone, under its own lock.
struct Definition(UnsafeCell<ffi::PyModuleDef>);

// SAFETY: nothing here touches it.
unsafe impl Sync for Definition {}

static SLOT_TABLE: Table<ffi::PyModuleDef_Slot, SLOTS> = Table([
    ffi::PyModuleDef_Slot {
        slot: ffi::Py_mod_exec,
        value: exec as *mut c_void,
    },
    #[cfg(Py_3_12)]
    ffi::PyModuleDef_Slot {
        slot: ffi::Py_mod_multiple_interpreters,
        value: ffi::Py_MOD_PER_INTERPRETER_GIL_SUPPORTED,
    },
    ffi::PyModuleDef_Slot {
        slot: 0,
        value: null_mut(),
    },
]);

static DEFINITION: Definition = Definition(UnsafeCell::new(ffi::PyModuleDef {
    m_base: ffi::PyModuleDef_HEAD_INIT,
    m_name: c"_eventloop".as_ptr(),
    m_doc: c"The extension module behind `nexus.eventloop`.".as_ptr(),
    m_size: size_of::<Option<Box<State>>>().cast_signed(),
    m_methods: null_mut(),
    m_slots: (&raw const SLOT_TABLE.0).cast_mut().cast(),
    m_traverse: Some(traverse),
    m_clear: None,
    m_free: Some(free),
}));

/// The definition, by which CPython finds the module of a class.
pub(super) fn definition() -> *mut ffi::PyModuleDef {
    DEFINITION.0.get()
}

/// Called by `import`.
///
/// # Safety
/// The interpreter's.
#[unsafe(no_mangle)]
#[expect(unreachable_pub, reason = "the loader finds it by its name")]
pub unsafe extern "C" fn PyInit__eventloop() -> *mut ffi::PyObject {
    // SAFETY: the definition is static.
    unsafe { ffi::PyModuleDef_Init(definition()) }
}

/// Fills a new module.
unsafe extern "C" fn exec(module: *mut ffi::PyObject) -> c_int {
    // SAFETY: CPython calls this attached, with a module that it has made.
    status(|| unsafe { fill(module) })
}

unsafe fn fill(module: *mut ffi::PyObject) -> Result<()> {
    // SAFETY: the caller's; the state's memory is zeros, which is `None`, until it is written.
    unsafe {
        let (handle, timer) = handle::new_types(module)?;
        let core = core::new_type_of_cores(module)?;
        let transport = transport::new_type_of_transports(module)?;
        add(module, c"Handle", handle.as_ptr())?;
        add(module, c"TimerHandle", timer.as_ptr())?;
        add(module, c"Core", core.as_ptr())?;
        add(module, c"StreamTransport", transport.as_ptr())?;
        let version = concat!(env!("CARGO_PKG_VERSION"), "\0");
        let version = Ref::owned(ffi::PyUnicode_FromString(version.as_ptr().cast()))?;
        add(module, c"__version__", version.as_ptr())?;
        let state = Box::new(State::new(handle, timer)?);
        ffi::PyModule_GetState(module)
            .cast::<Option<Box<State>>>()
            .write(Some(state));
    }
    Ok(())
}

unsafe fn add(module: *mut ffi::PyObject, name: &CStr, object: *mut ffi::PyObject) -> Result<()> {
    // SAFETY: the caller's.
    match unsafe { ffi::PyModule_AddObjectRef(module, name.as_ptr(), object) } {
        0 => Ok(()),
        _ => Err(Raised),
    }
}

unsafe extern "C" fn traverse(
    module: *mut ffi::PyObject,
    visit: ffi::visitproc,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: CPython's; the state is `None` until the module is filled.
    unsafe {
        let place = ffi::PyModule_GetState(module).cast::<Option<Box<State>>>();
        if let Some(Some(state)) = place.as_ref() {
            for class in [&state.handle, &state.timer, &state.socket] {
                let stop = visit(class.as_ptr(), argument);
                if stop != 0 {
                    return stop;
                }
            }
        }
    }
    0
}

/// Lets go of the state. No object of a type of this module is left, because types keep their module.
unsafe extern "C" fn free(module: *mut c_void) {
    // SAFETY: CPython's: it calls this once, attached.
    unsafe {
        let place = ffi::PyModule_GetState(module.cast()).cast::<Option<Box<State>>>();
        if let Some(place) = place.as_mut() {
            drop(place.take());
        }
    }
}
