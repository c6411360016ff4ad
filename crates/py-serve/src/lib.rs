//! The extension module `nexus._serve`: a server and the handlers that it runs.

mod builtin;
mod callable;
mod server;

use pyo3::prelude::*;

/// `nexus._serve`.
#[pymodule]
mod _serve {
    #[pymodule_export]
    use super::server::Server;

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the Python name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    const BUILTINS: &[&str] = super::builtin::NAMES;
}
