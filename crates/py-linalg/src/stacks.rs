//! What functions of square matrices and their stacks have in common.

use crate::products::matrix_axes;
use crate::raw::Array;
use crate::raw::LinAlgError;
use crate::text::shape;
use pyo3::prelude::*;

/// A stack of square matrices.
pub(crate) struct Square {
    /// The axes before the matrices.
    pub(crate) batch: Vec<isize>,
    /// Rows and columns.
    pub(crate) n: isize,
}

impl Square {
    /// Multiplications of an operation of cubic cost.
    pub(crate) fn cube(&self) -> f64 {
        self.batch.iter().product::<isize>() as f64 * (self.n as f64).powi(3)
    }
}

/// The sizes of square matrices.
///
/// # Errors
/// `LinAlgError` for other matrices and for vectors.
pub(crate) fn square(name: &str, array: &Array) -> PyResult<Square> {
    matrix_axes(name, array)?;
    let dims = array.shape();
    let [batch @ .., m, n] = &*dims else {
        unreachable!("two axes")
    };
    if m != n {
        let found = shape(&dims);
        let message = format!("{name}: expected square matrices, found shape {found}");
        return Err(LinAlgError::new_err(message));
    }
    Ok(Square {
        batch: batch.to_vec(),
        n: *n,
    })
}

/// Does `$work` with the type that an array is computed in.
macro_rules! each {
    ($array:expr, $type:ident => $work:expr) => {
        match $array.dtype {
            $crate::raw::Dtype::F32 => {
                type $type = f32;
                $work
            }
            _ => {
                type $type = f64;
                $work
            }
        }
    };
}

pub(crate) use each;
