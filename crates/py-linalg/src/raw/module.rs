//! The module's entry: a state for each interpreter, and the functions.

use super::object::Class;
use super::state::{LinAlgError, State};
use super::{Matrix, QMatrix, quick};
use pyo3::ffi;
use pyo3::impl_::trampoline;
use pyo3::prelude::*;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

#[cfg(Py_3_12)]
const SLOTS: usize = 3;
#[cfg(not(Py_3_12))]
const SLOTS: usize = 2;

/// What CPython reads of a module; it writes to the head alone, under its own lock.
struct Definition(std::cell::UnsafeCell<ffi::PyModuleDef>);
struct Slots(std::cell::UnsafeCell<[ffi::PyModuleDef_Slot; SLOTS]>);

// SAFETY: nothing here touches them.
unsafe impl Sync for Definition {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

static SLOT_TABLE: Slots = Slots(std::cell::UnsafeCell::new([
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
]));

static DEFINITION: Definition = Definition(std::cell::UnsafeCell::new(ffi::PyModuleDef {
    m_base: ffi::PyModuleDef_HEAD_INIT,
    m_name: c"_linalg".as_ptr(),
    m_doc: c"Linear algebra: the extension module behind `nexus.linalg`.".as_ptr(),
    m_size: 0,
    m_methods: null_mut(),
    m_slots: SLOT_TABLE.0.get().cast(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
}));

/// Called by `import`.
///
/// # Safety
/// The interpreter's.
#[unsafe(no_mangle)]
#[expect(unreachable_pub, reason = "the loader finds it by its name")]
pub unsafe extern "C" fn PyInit__linalg() -> *mut ffi::PyObject {
    // SAFETY: the definition is static.
    unsafe { ffi::PyModuleDef_Init(DEFINITION.0.get()) }
}

/// Fills a new module.
unsafe extern "C" fn exec(module: *mut ffi::PyObject) -> c_int {
    // SAFETY: CPython calls this attached, with a module that it has made.
    unsafe { trampoline::module_exec(module, fill) }
}

fn fill(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let state = State::load(py)?;
    for (number, name) in [(Matrix::NUMBER, "Matrix"), (QMatrix::NUMBER, "QMatrix")] {
        // SAFETY: the state has a reference to the type.
        let class = unsafe { Bound::from_borrowed_ptr(py, state.class(number).cast()) };
        module.add(name, class)?;
    }
    module.add("LinAlgError", py.get_type::<LinAlgError>())?;
    crate::fill(module)?;
    quick::front(module)
}
