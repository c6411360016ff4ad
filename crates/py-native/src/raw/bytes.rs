//! Python's `bytes`, filled in place.

use std::convert::Infallible;
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A `bytes` object of `len` bytes, which `fill` sets and returns. The object is not cleared first.
///
/// # Errors
/// What `fill` says, and `MemoryError`.
///
/// # Panics
/// When `fill` returns fewer bytes than it has got.
pub(crate) fn new_bytes<E>(
    py: Python<'_>,
    len: usize,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<&mut [u8], E> + Send,
) -> PyResult<Result<Bound<'_, PyBytes>, E>>
where
    E: Send,
{
    // SAFETY: a null pointer asks for an object of `len` bytes that are not set. It is not seen by
    // anybody else before it is returned, so that writing to it is sound.
    let (object, target) = unsafe {
        let object = ffi::PyBytes_FromStringAndSize(ptr::null(), len.cast_signed());
        let object = Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked::<PyBytes>();
        let start = ffi::PyBytes_AsString(object.as_ptr()).cast::<MaybeUninit<u8>>();
        (object, slice::from_raw_parts_mut(start, len))
    };
    let filled = py.detach(|| fill(target).map(|filled| filled.len()));
    Ok(filled.map(|filled| {
        assert_eq!(filled, len, "every byte is set");
        object
    }))
}

/// A `bytes` object with a copy of `source`, made without holding the interpreter.
pub(crate) fn copied_bytes<'py>(py: Python<'py>, source: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let copy = new_bytes(py, source.len(), |target| {
        want_large_pages(target);
        Ok::<_, Infallible>(target.write_copy_of_slice(source))
    })?;
    let Ok(copy) = copy;
    Ok(copy)
}

/// Below this, pages of 2 MiB are not worth a system call.
#[cfg(target_os = "linux")]
const LARGE_SIZE: usize = 8 << 20;

/// Asks for pages of 2 MiB: most of the time of a large copy goes into faults of small ones.
#[cfg(target_os = "linux")]
fn want_large_pages(target: &mut [MaybeUninit<u8>]) {
    const PAGE_SIZE: usize = 2 << 20;
    if target.len() < LARGE_SIZE {
        return;
    }
    let skipped = target.as_ptr().align_offset(PAGE_SIZE);
    let len = (target.len() - skipped) / PAGE_SIZE * PAGE_SIZE;
    // SAFETY: the range lies inside `target`, and advice does not change what memory holds.
    // Refusal is harmless.
    unsafe {
        libc::madvise(
            target.as_mut_ptr().add(skipped).cast(),
            len,
            libc::MADV_HUGEPAGE,
        );
    }
}

#[cfg(not(target_os = "linux"))]
fn want_large_pages(_: &mut [MaybeUninit<u8>]) {}
