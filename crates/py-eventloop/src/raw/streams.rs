//! Streams: what arrives goes into the buffer of asyncio's `StreamReader`, without a call of Python's.

use super::core::Core;
use super::guarded;
use super::object::{Raised, Ref, Result, attribute, call_method};
use pyo3_ffi as ffi;
use std::ptr::{null, null_mut};

/// Does what `StreamReader.feed_data` does. Whether that is done: not where the reader is gone, of another class or at
/// its end, and not where its transport is to be paused.
///
/// # Errors
/// What an attribute or the future of a waiting task raises; `BufferError`, `MemoryError`.
///
/// # Safety
/// The protocol is asyncio's `StreamReaderProtocol`, and the lock is held.
pub(super) unsafe fn feed(core: &Core, protocol: &Ref, data: &[u8]) -> Result<bool> {
    let state = core.state();
    let names = &state.names;
    // SAFETY: the caller's; the references keep the objects. The buffer is as large as it was made.
    unsafe {
        let weak = attribute(protocol.as_ptr(), &names.stream_reader)?;
        if weak.as_ptr() == ffi::Py_None() {
            return Ok(false);
        }
        let reader = guarded::PyObject_Vectorcall(weak.as_ptr(), null(), 0, null_mut());
        let reader = Ref::owned(reader)?;
        if ffi::Py_TYPE(reader.as_ptr()) != state.stream_reader.as_ptr().cast() {
            return Ok(false);
        }
        let has_ended = attribute(reader.as_ptr(), &names.eof)?;
        let buffer = attribute(reader.as_ptr(), &names.buffer)?;
        let limit = attribute(reader.as_ptr(), &names.limit)?;
        if has_ended.as_ptr() != ffi::Py_False()
            || ffi::PyByteArray_CheckExact(buffer.as_ptr()) == 0
            || ffi::PyLong_CheckExact(limit.as_ptr()) == 0
        {
            return Ok(false);
        }
        let mut overflow = 0;
        let limit = ffi::PyLong_AsLongAndOverflow(limit.as_ptr(), &raw mut overflow);
        let before = ffi::PyByteArray_Size(buffer.as_ptr());
        let after = before + data.len().cast_signed();
        if overflow != 0 || after as i64 > limit.saturating_mul(2) {
            return Ok(false);
        }
        let waiter = attribute(reader.as_ptr(), &names.waiter)?;
        if ffi::PyByteArray_Resize(buffer.as_ptr(), after) != 0 {
            return Err(Raised);
        }
        let end = ffi::PyByteArray_AsString(buffer.as_ptr()).offset(before);
        std::ptr::copy_nonoverlapping(data.as_ptr(), end.cast(), data.len());
        if waiter.as_ptr() == ffi::Py_None() {
            return Ok(true);
        }
        let none = ffi::Py_None();
        if guarded::PyObject_SetAttr(reader.as_ptr(), names.waiter.as_ptr(), none) != 0 {
            return Err(Raised);
        }
        let is_cancelled = call_method(&names.is_cancelled, waiter.as_ptr(), &[])?;
        if guarded::PyObject_IsTrue(is_cancelled.as_ptr()) == 0 {
            call_method(&names.set_result, waiter.as_ptr(), &[none])?;
        }
    }
    Ok(true)
}
