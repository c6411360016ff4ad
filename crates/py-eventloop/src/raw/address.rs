//! Addresses of sockets, as Python's `socket` has them.

use super::object::{Ref, Result};
use pyo3_ffi as ffi;
use std::ffi::{CString, c_char, c_int, c_void};
use std::net::{Ipv4Addr, Ipv6Addr};

unsafe extern "C" {
    /// Python's text of an address is this function's.
    fn inet_ntop(
        family: c_int,
        address: *const c_void,
        text: *mut c_char,
        size: libc::socklen_t,
    ) -> *const c_char;
}

/// An address as the system has it.
#[derive(Clone, Copy)]
pub(super) struct Address {
    storage: libc::sockaddr_storage,
    pub(super) size: libc::socklen_t,
}

/// Whether this file knows the addresses of a family.
pub(super) fn is_known(family: c_int) -> bool {
    matches!(family, libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX)
}

/// A text's bytes as Rust has them; none for other objects.
///
/// # Safety
/// The object outlives the text, and the lock is held.
unsafe fn text<'a>(object: *mut ffi::PyObject) -> Option<&'a str> {
    // SAFETY: the caller's; as many bytes are there.
    unsafe {
        if ffi::PyUnicode_CheckExact(object) == 0 {
            return None;
        }
        let mut size = 0;
        let first = ffi::PyUnicode_AsUTF8AndSize(object, &raw mut size);
        if first.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        std::str::from_utf8(std::slice::from_raw_parts(
            first.cast(),
            size.unsigned_abs(),
        ))
        .ok()
    }
}

/// A number of 32 bits; none for others, and for other objects.
///
/// # Safety
/// The object is alive, and the lock is held.
unsafe fn number(object: *mut ffi::PyObject) -> Option<u32> {
    // SAFETY: the caller's.
    unsafe {
        if ffi::PyLong_CheckExact(object) == 0 {
            return None;
        }
        let mut overflow = 0;
        let value = ffi::PyLong_AsLongAndOverflow(object, &raw mut overflow);
        u32::try_from(value).ok().filter(|_| overflow == 0)
    }
}

impl Address {
    /// Room for any.
    pub(super) fn empty() -> Self {
        Self {
            // SAFETY: zeros are an address of no family.
            storage: unsafe { std::mem::zeroed() },
            size: size_of::<libc::sockaddr_storage>() as libc::socklen_t,
        }
    }

    pub(super) fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        (&raw mut self.storage).cast()
    }

    /// The address of a family that a tuple names by numbers; none where only Python can tell.
    ///
    /// # Safety
    /// The object is alive, and the lock is held.
    pub(super) unsafe fn from_python(family: c_int, address: *mut ffi::PyObject) -> Option<Self> {
        // SAFETY: the caller's; as many are there. What is written fits an address.
        unsafe {
            if ffi::PyTuple_CheckExact(address) == 0 {
                return None;
            }
            let count = ffi::PyTuple_Size(address);
            let number =
                |place| (place < count).then(|| number(ffi::PyTuple_GetItem(address, place)));
            let mut made = Self::empty();
            match (family, count) {
                (libc::AF_INET, 2) => {
                    let host: Ipv4Addr = text(ffi::PyTuple_GetItem(address, 0))?.parse().ok()?;
                    let place = &mut *(&raw mut made.storage).cast::<libc::sockaddr_in>();
                    place.sin_family = family as libc::sa_family_t;
                    place.sin_port = u16::try_from(number(1)??).ok()?.to_be();
                    place.sin_addr.s_addr = host.to_bits().to_be();
                    made.size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
                }
                (libc::AF_INET6, 2..=4) => {
                    let host: Ipv6Addr = text(ffi::PyTuple_GetItem(address, 0))?.parse().ok()?;
                    let flow = number(2).unwrap_or(Some(0))?;
                    let place = &mut *(&raw mut made.storage).cast::<libc::sockaddr_in6>();
                    place.sin6_family = family as libc::sa_family_t;
                    place.sin6_port = u16::try_from(number(1)??).ok()?.to_be();
                    place.sin6_flowinfo = (flow < 1 << 20).then_some(flow)?.to_be();
                    place.sin6_addr.s6_addr = host.octets();
                    place.sin6_scope_id = number(3).unwrap_or(Some(0))?;
                    made.size = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
                }
                _ => return None,
            }
            Some(made)
        }
    }

    /// What Python has for it.
    ///
    /// # Errors
    /// Where there is no memory, or the name of a file is no text.
    pub(super) fn to_python(self) -> Result<Ref> {
        if self.size == 0 {
            return Ok(Ref::none());
        }
        // SAFETY: the storage is larger than each kind of address; the lock is held, and the formats fit.
        unsafe {
            match c_int::from(self.storage.ss_family) {
                libc::AF_INET => {
                    let place = &*(&raw const self.storage).cast::<libc::sockaddr_in>();
                    let host = Ipv4Addr::from_bits(u32::from_be(place.sin_addr.s_addr));
                    let host = CString::new(host.to_string()).unwrap_or_default();
                    let port = c_int::from(u16::from_be(place.sin_port));
                    let format = c"si".as_ptr();
                    Ref::owned(ffi::Py_BuildValue(format, host.as_ptr(), port))
                }
                libc::AF_INET6 => {
                    let place = &*(&raw const self.storage).cast::<libc::sockaddr_in6>();
                    let host = (&raw const place.sin6_addr).cast();
                    let mut text = [0; 64];
                    let size = text.len() as libc::socklen_t;
                    inet_ntop(libc::AF_INET6, host, text.as_mut_ptr(), size);
                    let port = c_int::from(u16::from_be(place.sin6_port));
                    let flow = u32::from_be(place.sin6_flowinfo);
                    let format = c"(siII)".as_ptr();
                    let scope = place.sin6_scope_id;
                    Ref::owned(ffi::Py_BuildValue(format, text.as_ptr(), port, flow, scope))
                }
                _ => self.path(),
            }
        }
    }

    /// The name of a unix socket: a path, or bytes where it is no file's.
    fn path(&self) -> Result<Ref> {
        let start = std::mem::offset_of!(libc::sockaddr_un, sun_path);
        // SAFETY: the system has written as many bytes; the lock is held.
        unsafe {
            let place = &*(&raw const self.storage).cast::<libc::sockaddr_un>();
            let name = place.sun_path.as_ptr();
            let size = (self.size as usize).saturating_sub(start);
            if size > 0 && *name == 0 {
                return Ref::owned(ffi::PyBytes_FromStringAndSize(name, size.cast_signed()));
            }
            let length = (0..size).take_while(|&at| *name.add(at) != 0).count();
            let length = length.cast_signed();
            Ref::owned(ffi::PyUnicode_DecodeFSDefaultAndSize(name, length))
        }
    }
}
