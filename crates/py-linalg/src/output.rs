//! Results as Python objects: numbers, `Matrix`, or the kind that `like` names.

use crate::raw::{Array, Matrix, State, import, learn, tuple_of};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyModule, PyTuple, PyType};

/// A result. An array without axes is a number.
pub(crate) struct Part(pub(crate) Array);

impl Part {
    /// A number, a `Matrix`, or what `like` is.
    pub(crate) fn into_python(
        self,
        py: Python<'_>,
        like: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let array = self.0;
        if array.rank() == 0 {
            return Ok(crate::text::nested(py, &array)?.unbind());
        }
        let Some(like) = like.filter(|like| !like.is_none() && Matrix::of(like).is_none()) else {
            return Ok(Matrix::new(array).into_object(py)?.unbind());
        };
        if like.is_instance_of::<PyList>() {
            return Ok(crate::text::nested(py, &array)?.unbind());
        }
        if let Some(made) = import(like, &array)? {
            return Ok(made.unbind());
        }
        learn(like)?;
        let lent = Matrix::lent(array).into_object(py)?;
        Ok(importer(like)?.call1((lent,))?.unbind())
    }
}

/// The function `from_dlpack` of the library that `like` is, or whose array it is.
pub(crate) fn importer<'py>(like: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(library) = like.cast::<PyModule>() {
        return library.getattr("from_dlpack").map_err(|_| {
            let name = library
                .name()
                .map_or_else(|_| "?".to_owned(), |name| name.to_string());
            PyTypeError::new_err(format!("like is a library without `from_dlpack`: {name}"))
        });
    }
    let class = like.get_type();
    let module: String = class.getattr("__module__")?.extract()?;
    let root = module.split('.').next().unwrap_or_default();
    let library = like.py().import("sys")?.getattr("modules")?.get_item(root);
    let function = library.and_then(|library| library.getattr("from_dlpack"));
    function.map_err(|_| {
        PyTypeError::new_err(format!(
            "like is a list, a Matrix or an array of a library with `from_dlpack`, or the library, not {module}.{}",
            class
                .name()
                .map_or_else(|_| "?".to_owned(), |name| name.to_string())
        ))
    })
}

/// A named tuple of results.
pub(crate) struct Named {
    /// Which one of an interpreter's classes.
    number: usize,
    name: &'static str,
    fields: &'static [&'static str],
}

pub(crate) static EIGH: Named = Named::new(0, "EighResult", &["eigenvalues", "eigenvectors"]);
pub(crate) static EIG: Named = Named::new(5, "EigResult", &["eigenvalues", "eigenvectors"]);
pub(crate) static ITERATION: Named = Named::new(
    16,
    "IterationResult",
    &["x", "info", "iterations", "residual"],
);
pub(crate) static LSTSQ: Named = Named::new(1, "LstsqResult", &["x", "rank", "singular_values"]);
pub(crate) static QR: Named = Named::new(2, "QRResult", &["Q", "R"]);
pub(crate) static SLOGDET: Named = Named::new(3, "SlogdetResult", &["sign", "logabsdet"]);
pub(crate) static SVD: Named = Named::new(4, "SVDResult", &["U", "S", "Vh"]);
pub(crate) static EINSUM_PATH: Named = Named::new(6, "EinsumPathResult", &["path", "cost"]);
pub(crate) static LDL: Named = Named::new(7, "LDLResult", &["L", "D", "perm"]);
pub(crate) static LU: Named = Named::new(8, "LUResult", &["P", "L", "U"]);
pub(crate) static LU_FACTOR: Named = Named::new(9, "LUFactorResult", &["lu", "piv"]);
pub(crate) static POLAR: Named = Named::new(10, "PolarResult", &["U", "P"]);
pub(crate) static SCHUR: Named = Named::new(11, "SchurResult", &["T", "Z"]);

impl Named {
    const fn new(number: usize, name: &'static str, fields: &'static [&'static str]) -> Self {
        Self {
            number,
            name,
            fields,
        }
    }

    /// The name of the class.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The class, made the first time.
    ///
    /// # Errors
    /// When the interpreter has no memory.
    pub(crate) fn class<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyType>> {
        State::current(py).named(py, self.number, || {
            let make = py.import("collections")?.getattr("namedtuple")?;
            let class = make.call1((self.name, self.fields))?;
            class.setattr("__module__", "nexus.linalg")?;
            Ok(class.cast_into()?)
        })
    }

    /// A tuple of this class.
    pub(crate) fn of(&self, py: Python<'_>, parts: Vec<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        let parts = PyTuple::new(py, parts)?;
        Ok(tuple_of(&self.class(py)?, &parts)?.unbind())
    }
}
