//! Loading: by every backend, from several files, and how long what was loaded lives.

mod backends;
mod checkpoint;
mod files;
mod pieces;
#[cfg(target_os = "linux")]
mod regions;
