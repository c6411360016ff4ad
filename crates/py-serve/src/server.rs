//! The Python class `Server`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nexus_handler::Handler;
use nexus_serve::{Error, ErrorKind, MODEL_DIR, Server as NativeServer};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTimeoutError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::builtin::{NAMES, builtin};
use crate::callable::Callable;

/// How long Python's signal handlers, Ctrl-C among them, wait at most while a call waits.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

/// A server with one endpoint.
#[pyclass(frozen, module = "nexus._serve")]
pub(crate) struct Server {
    native: Mutex<Option<Arc<NativeServer>>>,
    url: String,
    name: String,
    /// The process whose threads serve. A forked child has a copy of this object and no threads.
    process: u32,
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (handler, /, *, name, host, port, model_dir))]
    fn new(
        py: Python<'_>,
        handler: &Bound<'_, PyAny>,
        name: String,
        host: &str,
        port: u16,
        model_dir: Option<PathBuf>,
    ) -> PyResult<Self> {
        let load = loader(handler, model_dir)?;
        let native = py.detach(|| {
            let address = resolve(host, port)?;
            let builder = NativeServer::builder()
                .bind(address)
                .endpoint(name.clone(), load);
            builder.start().map_err(|error| to_python(&error))
        })?;
        let url = native.url();
        let native = Mutex::new(Some(Arc::new(native)));
        Ok(Self {
            native,
            url,
            name,
            process: process::id(),
        })
    }

    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    fn ready(&self) -> bool {
        self.native()
            .is_some_and(|native| native.ready() && !native.is_stopping())
    }

    fn wait_ready(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let native = self
            .native()
            .ok_or_else(|| PyRuntimeError::new_err("the endpoint is stopped"))?;
        let timeout = Duration::try_from_secs_f64(timeout)
            .map_err(|error| PyValueError::new_err(format!("the timeout cannot be: {error}")))?;
        let begin = Instant::now();
        loop {
            let left = timeout.saturating_sub(begin.elapsed());
            match py.detach(|| native.wait_ready(left.min(SIGNAL_CHECK))) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Unavailable && left > SIGNAL_CHECK => {
                    py.check_signals()?;
                }
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    let seconds = timeout.as_secs_f64();
                    let message = format!("the endpoint is not ready after {seconds} s");
                    return Err(PyTimeoutError::new_err(message));
                }
                Err(error) => return Err(to_python(&error)),
            }
        }
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let Some(native) = self.native() else {
            return Ok(());
        };
        native.shutdown();
        let ended = loop {
            if let Some(ended) = py.detach(|| native.wait_timeout(SIGNAL_CHECK)) {
                break ended;
            }
            py.check_signals()?;
        };
        self.lock().take();
        match ended {
            // Who waited for the endpoint has been told already; it is stopped now either way.
            Err(error) if error.kind() != ErrorKind::Load => Err(to_python(&error)),
            _ => Ok(()),
        }
    }
}

impl Server {
    /// The native server, unless it is stopped or belongs to the process that this one was forked
    /// from.
    fn native(&self) -> Option<Arc<NativeServer>> {
        if self.process != process::id() {
            return None;
        }
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<NativeServer>>> {
        self.native.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let native = self
            .native
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(native) = native else { return };
        if self.process != process::id() {
            // The threads to wait for are not in this process.
            std::mem::forget(native);
            return;
        }
        // Requests in flight may need the interpreter to end, so it must not be held meanwhile.
        let mut native = Some(native);
        if Python::try_attach(|py| py.detach(|| drop(native.take()))).is_none() {
            std::mem::forget(native);
        }
    }
}

type Loader = Box<dyn FnOnce() -> nexus_handler::Result<Box<dyn Handler>> + Send>;

fn loader(handler: &Bound<'_, PyAny>, model_dir: Option<PathBuf>) -> PyResult<Loader> {
    if let Ok(name) = handler.extract::<String>() {
        if !NAMES.contains(&name.as_str()) {
            let known = NAMES.join(", ");
            let message = format!("no built-in handler is named `{name}`; there are: {known}");
            return Err(PyValueError::new_err(message));
        }
        let model_dir = model_dir.unwrap_or_else(|| MODEL_DIR.into());
        let Some(model_dir) = model_dir.to_str().map(str::to_owned) else {
            let message = format!("the folder `{}` is not UTF-8", model_dir.display());
            return Err(PyValueError::new_err(message));
        };
        return Ok(Box::new(move || builtin(&name, &model_dir)));
    }
    if !handler.is_callable() {
        return Err(PyTypeError::new_err(
            "the handler is neither a name nor callable",
        ));
    }
    if model_dir.is_some() {
        return Err(PyValueError::new_err("model_dir is for built-in handlers"));
    }
    let callable = Callable::new(handler.clone().unbind());
    Ok(Box::new(move || Ok(Box::new(callable))))
}

fn resolve(host: &str, port: u16) -> PyResult<SocketAddr> {
    let mut found = (host, port).to_socket_addrs().map_err(|error| {
        PyOSError::new_err(format!("cannot resolve the host `{host}`: {error}"))
    })?;
    found
        .next()
        .ok_or_else(|| PyOSError::new_err(format!("the host `{host}` has no address")))
}

/// The built-in exception that people catch for this, the hint included.
fn to_python(error: &Error) -> PyErr {
    let message = match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    };
    match error.kind() {
        ErrorKind::InvalidInput => PyValueError::new_err(message),
        ErrorKind::AddressInUse | ErrorKind::Io => PyOSError::new_err(message),
        _ => PyRuntimeError::new_err(message),
    }
}
