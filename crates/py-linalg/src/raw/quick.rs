//! Functions of the module that try the quick way first.
//!
//! A function of pyo3's is put behind a C function of the same name and documentation, which calls it with the
//! same arguments when the quick way has no result.

use super::view::{Keeper, View};
use crate::quick;
use nexus_linalg::Context;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCFunction;
use std::num::NonZero;
use std::sync::OnceLock;

/// The general function behind a quick one.
struct General(OnceLock<ffi::PyCFunctionFastWithKeywords>);

impl General {
    const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// # Safety
    /// As CPython calls functions; after [`front`].
    #[cold]
    unsafe fn call(
        &self,
        module: *mut ffi::PyObject,
        arguments: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        let general = self.0.get().expect("the module is loaded");
        // SAFETY: the caller's.
        unsafe { general(module, arguments, count, names) }
    }
}

/// How many threads a call may use; `None` for names of arguments other than `threads`, and for odd numbers.
///
/// # Safety
/// The arguments and their names are CPython's, with `count` of them before the named ones.
#[inline]
unsafe fn context_of(
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> Option<Context> {
    if names.is_null() {
        return Some(Context::default());
    }
    // SAFETY: the caller's: the names are a tuple of strings.
    unsafe {
        let is_one = ffi::PyTuple_GET_SIZE(names) == 1;
        let name = is_one.then(|| ffi::PyTuple_GET_ITEM(names, 0))?;
        let is_threads = ffi::PyUnicode_CompareWithASCIIString(name, c"threads".as_ptr()) == 0;
        let threads = *arguments.add(count);
        if !is_threads || ffi::PyLong_CheckExact(threads) == 0 {
            return None;
        }
        let mut overflow = 0;
        let threads = ffi::PyLong_AsLongLongAndOverflow(threads, &raw mut overflow);
        let threads = usize::try_from(threads).ok().and_then(NonZero::new)?;
        Some(Context::default().threads(threads))
    }
}

/// A function of these operands with a quick way.
macro_rules! quick {
    ($name:ident, $general:ident, $($operand:ident),+) => {
        static $general: General = General::new();

        unsafe extern "C" fn $name(
            module: *mut ffi::PyObject,
            arguments: *const *mut ffi::PyObject,
            count: ffi::Py_ssize_t,
            names: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject {
            const COUNT: usize = [$(stringify!($operand)),+].len();
            // SAFETY: CPython calls this attached, with `count` arguments that are alive during the call.
            unsafe {
                let py = Python::assume_attached();
                let answer = || {
                    let context = context_of(arguments, COUNT, names)?;
                    let mut given = std::slice::from_raw_parts(arguments, COUNT).iter();
                    $(
                        let mut keeper = Keeper::default();
                        let $operand = View::of(py, *given.next()?, &mut keeper)?;
                    )+
                    quick::$name(py, context, $(&$operand),+)
                };
                if count == COUNT.cast_signed() && let Some(answer) = answer() {
                    return answer.into_ptr();
                }
                $general.call(module, arguments, count, names)
            }
        }
    };
}

quick!(det, DET, a);
quick!(inv, INV, a);
quick!(matmul, MATMUL, a, b);
quick!(solve, SOLVE, a, b);
quick!(vecdot, VECDOT, a, b);

/// Puts a quick function before the one of the same name in a module.
///
/// # Errors
/// When there is none.
pub(super) fn front(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let all: [(&str, &General, ffi::PyCFunctionFastWithKeywords); 5] = [
        ("det", &DET, det),
        ("inv", &INV, inv),
        ("matmul", &MATMUL, matmul),
        ("solve", &SOLVE, solve),
        ("vecdot", &VECDOT, vecdot),
    ];
    let py = module.py();
    for (name, general, quick) in all {
        let function = module.getattr(name)?.cast_into::<PyCFunction>()?;
        // SAFETY: the object is a built-in function, whose definition is static. The new one is never freed,
        // because functions made of it point to it.
        unsafe {
            let definition = *(*function.as_ptr().cast::<ffi::PyCFunctionObject>()).m_ml;
            if definition.ml_flags != ffi::METH_FASTCALL | ffi::METH_KEYWORDS {
                return Err(PyTypeError::new_err(
                    "a function of another calling convention",
                ));
            }
            general
                .0
                .get_or_init(|| definition.ml_meth.PyCFunctionFastWithKeywords);
            let definition = Box::leak(Box::new(ffi::PyMethodDef {
                ml_meth: ffi::PyMethodDefPointer {
                    PyCFunctionFastWithKeywords: quick,
                },
                ..definition
            }));
            let home = module.name()?;
            let front = ffi::PyCFunction_NewEx(definition, module.as_ptr(), home.as_ptr());
            module.setattr(name, Bound::from_owned_ptr_or_err(py, front)?)?;
        }
    }
    Ok(())
}

/// The quick way of `a @ b`, or `None` for the general one.
///
/// # Safety
/// Both operands are alive, and the thread is attached.
#[inline]
pub(super) unsafe fn multiply(
    left: *mut ffi::PyObject,
    right: *mut ffi::PyObject,
) -> Option<*mut ffi::PyObject> {
    let (mut a, mut b) = (Keeper::default(), Keeper::default());
    // SAFETY: the caller's.
    unsafe {
        let py = Python::assume_attached();
        let a = View::of(py, left, &mut a)?;
        let b = View::of(py, right, &mut b)?;
        Some(quick::matmul(py, Context::default(), &a, &b)?.into_ptr())
    }
}
