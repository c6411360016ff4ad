//! Types and functions of CPython's C interface.
//!
//! Two rules hold everywhere. Whoever runs holds the interpreter's lock, but for the wait in `poll`. And nothing
//! calls Python, which letting go of an object does too, while it has a field of a [`core::Core`] borrowed:
//! what is to be let go is moved out first.

mod core;
mod guarded;
mod handle;
mod module;
mod object;
mod poll;
mod reading;
mod scheduling;
mod state;
mod transport;
mod watching;
mod writing;
