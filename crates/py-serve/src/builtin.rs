//! The handlers that Python names instead of writing.

use nexus_handler::{Error, ErrorKind, Handler, Result};
use nexus_minilm::MiniLmHandler;
use nexus_serve::echo::Echo;

/// The names that [`builtin`] knows.
pub(crate) const NAMES: &[&str] = &["echo", "minilm"];

/// Loads the handler of that name from `model_dir`.
pub(crate) fn builtin(name: &str, model_dir: &str) -> Result<Box<dyn Handler>> {
    match name {
        "echo" => Ok(Box::new(Echo::load(model_dir)?)),
        "minilm" => Ok(Box::new(MiniLmHandler::load(model_dir)?)),
        _ => Err(Error::new(
            ErrorKind::NotFound,
            format!("no built-in handler is named `{name}`"),
        )),
    }
}
