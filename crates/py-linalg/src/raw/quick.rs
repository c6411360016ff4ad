//! Functions of the module that try the quick way first.
//!
//! A function of pyo3's is put behind a C function of the same name and documentation, which calls it with the
//! same arguments when the quick way has no result.

use super::{Array, Dims, INLINE_WORDS, Matrix, State};
use crate::quick;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyList};
use pyo3::{Borrowed, ffi};
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

/// An operand of few items.
#[expect(
    clippy::large_enum_variant,
    reason = "it lies on the stack during one call"
)]
enum Few<'a> {
    /// The array of a `Matrix`, of any size.
    Matrix(&'a Array),
    /// The items of a list or a NumPy array.
    Copy(Array),
}

impl<'a> Few<'a> {
    /// # Safety
    /// The object is alive during `'a`, and the thread attached.
    #[inline]
    unsafe fn of(py: Python<'a>, object: *mut ffi::PyObject) -> Option<Self> {
        // SAFETY: the caller's.
        unsafe {
            if let Some(matrix) = Matrix::of_pointer(object) {
                return Some(Self::Matrix(&matrix.array));
            }
            if ffi::PyList_CheckExact(object) != 0 {
                return nested(object).map(Self::Copy);
            }
            let object = Borrowed::from_ptr(py, object);
            if super::is_ndarray(&object) {
                let capsule = State::current(py).array_struct(&object)?;
                return super::interface::few_items(&capsule).map(Self::Copy);
            }
            None
        }
    }

    #[inline]
    fn array(&self) -> &Array {
        match self {
            Self::Matrix(array) => array,
            Self::Copy(array) => array,
        }
    }
}

/// A list of few floats, or of lists of as many each.
///
/// # Safety
/// The object is a list, and the thread attached.
unsafe fn nested(list: *mut ffi::PyObject) -> Option<Array> {
    let mut items = [0.0; INLINE_WORDS];
    // SAFETY: the caller's; a list has as many items as its size says, and nothing here runs Python code.
    unsafe {
        let count = ffi::PyList_GET_SIZE(list);
        let rows = usize::try_from(count)
            .ok()
            .filter(|&n| (1..=INLINE_WORDS).contains(&n))?;
        if ffi::PyList_CheckExact(ffi::PyList_GET_ITEM(list, 0)) == 0 {
            numbers(list, &mut items[..rows])?;
            return Array::of(&items[..rows], Dims::new([count]).ok()?).ok();
        }
        let columns = ffi::PyList_GET_SIZE(ffi::PyList_GET_ITEM(list, 0));
        let width = usize::try_from(columns).ok()?;
        let len = rows
            .checked_mul(width)
            .filter(|&n| (1..=INLINE_WORDS).contains(&n))?;
        for (index, row) in items[..len].chunks_exact_mut(width).enumerate() {
            let found = ffi::PyList_GET_ITEM(list, index.cast_signed());
            if ffi::PyList_CheckExact(found) == 0 || ffi::PyList_GET_SIZE(found) != columns {
                return None;
            }
            numbers(found, row)?;
        }
        Array::of(&items[..len], Dims::matrix(count, columns)).ok()
    }
}

/// A list of few floats, or of lists of as many each.
#[inline]
pub(crate) fn few_of_list(list: &Bound<'_, PyList>) -> Option<Array> {
    // SAFETY: it is a list, and its reference proves that the thread is attached.
    unsafe { nested(list.as_ptr()) }
}

/// The floats and small whole numbers of a list.
///
/// # Safety
/// The object is a list of as many items, and the thread attached.
unsafe fn numbers(list: *mut ffi::PyObject, places: &mut [f64]) -> Option<()> {
    for (index, place) in places.iter_mut().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            let item = ffi::PyList_GET_ITEM(list, index.cast_signed());
            if ffi::PyFloat_CheckExact(item) != 0 {
                *place = ffi::PyFloat_AS_DOUBLE(item);
            } else if ffi::PyLong_CheckExact(item) != 0 {
                let mut overflow = 0;
                let whole = ffi::PyLong_AsLongLongAndOverflow(item, &raw mut overflow);
                if overflow != 0 {
                    return None;
                }
                *place = whole as f64;
            } else {
                return None;
            }
        }
    }
    Some(())
}

/// A function of matrices with a quick way.
macro_rules! quick {
    ($name:ident, $general:ident, $count:literal, |$py:ident, $operands:ident| $work:expr) => {
        static $general: General = General::new();

        unsafe extern "C" fn $name(
            module: *mut ffi::PyObject,
            arguments: *const *mut ffi::PyObject,
            count: ffi::Py_ssize_t,
            names: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject {
            // SAFETY: CPython calls this attached, with `count` arguments that are alive during the call.
            unsafe {
                if count == $count && names.is_null() {
                    let $py = Python::assume_attached();
                    let given = std::slice::from_raw_parts(arguments, $count);
                    let answer = |$operands: [Option<&Array>; $count]| $work;
                    // Matrices alone need no copies.
                    let matrices: [Option<&Array>; $count] = std::array::from_fn(|index| {
                        Matrix::of_pointer(given[index]).map(|matrix| &matrix.array)
                    });
                    let answer = if matrices.iter().all(Option::is_some) {
                        answer(matrices)
                    } else {
                        let few: [Option<Few<'_>>; $count] =
                            std::array::from_fn(|index| Few::of($py, given[index]));
                        answer(std::array::from_fn(|index| {
                            few[index].as_ref().map(Few::array)
                        }))
                    };
                    if let Some(answer) = answer {
                        return answer.into_ptr();
                    }
                }
                $general.call(module, arguments, count, names)
            }
        }
    };
}

quick!(det, DET, 1, |py, operands| quick::det(py, operands[0]?));
quick!(inv, INV, 1, |py, operands| quick::inv(py, operands[0]?));
quick!(matmul, MATMUL, 2, |py, operands| quick::matmul(
    py,
    operands[0]?,
    operands[1]?
));
quick!(solve, SOLVE, 2, |py, operands| quick::solve(
    py,
    operands[0]?,
    operands[1]?
));

/// Puts a quick function before the one of the same name in a module.
///
/// # Errors
/// When there is none.
pub(super) fn front(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let all: [(&str, &General, ffi::PyCFunctionFastWithKeywords); 4] = [
        ("det", &DET, det),
        ("inv", &INV, inv),
        ("matmul", &MATMUL, matmul),
        ("solve", &SOLVE, solve),
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
    // SAFETY: the caller's.
    unsafe {
        let (a, b) = (Matrix::of_pointer(left)?, Matrix::of_pointer(right)?);
        let product = quick::matmul(Python::assume_attached(), &a.array, &b.array)?;
        Some(product.into_ptr())
    }
}
