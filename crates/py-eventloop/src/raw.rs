//! Types and functions of CPython's C interface.
//!
//! Two rules hold everywhere. Whoever uses an object holds the interpreter's lock; the wait in `poll` is without it
//! and uses none. And nothing calls Python while it has a field of a [`core::Core`] borrowed. Letting go of the last
//! reference to an object may call Python: such is moved out first, and let go when nothing is borrowed.

mod address;
mod core;
mod datagrams;
mod guarded;
mod handle;
mod module;
mod object;
mod operation;
mod poll;
mod reading;
mod scheduling;
mod sockets;
mod state;
mod streams;
mod transport;
mod waiters;
mod watching;
mod writing;
