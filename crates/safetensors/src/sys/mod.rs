//! System calls that the standard library lacks. All `unsafe` code of their callers is here.

#[cfg(target_os = "linux")]
pub(crate) mod link;
pub(crate) mod memory;
pub(crate) mod write;
#[cfg(target_os = "linux")]
pub(crate) mod write_ring;
