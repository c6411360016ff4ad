//! System calls that the standard library lacks. All `unsafe` code of their callers is here.

pub(crate) mod memory;
pub(crate) mod write;
#[cfg(target_os = "linux")]
pub(crate) mod write_ring;
