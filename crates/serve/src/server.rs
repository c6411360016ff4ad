//! Configuring, starting, awaiting and stopping a server.

use std::collections::HashSet;
use std::env;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::num::ParseIntError;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nexus_handler::Handler;
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};

use crate::endpoint::{Endpoint, Loader};
use crate::limits::PAGE_THREADS_MAX;
use crate::route::is_endpoint_name;
use crate::signals::Signals;
use crate::state::{Phase, State};
use crate::{Error, ErrorKind, Limits, Result, Site, connection};

/// The port of the SageMaker container contract, unless `SAGEMAKER_BIND_TO_PORT` names another.
pub const DEFAULT_PORT: u16 = 8080;

/// Where the SageMaker container contract puts the model.
pub const MODEL_DIR: &str = "/opt/ml/model";

/// The port that `SAGEMAKER_BIND_TO_PORT` names, or [`DEFAULT_PORT`].
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if the variable is set to something that is no port.
pub fn port_from_env() -> Result<u16> {
    match env::var_os("SAGEMAKER_BIND_TO_PORT") {
        None => Ok(DEFAULT_PORT),
        Some(value) => parse_port(&value.to_string_lossy()),
    }
}

fn parse_port(value: &str) -> Result<u16> {
    value.parse().map_err(|error: ParseIntError| {
        let message = format!("SAGEMAKER_BIND_TO_PORT is not a port number: `{value}`");
        Error::new(ErrorKind::InvalidInput, message).with_source(error)
    })
}

/// What a server is to be; [`Server::builder`] makes one.
pub struct Builder {
    address: Option<SocketAddr>,
    endpoints: Vec<(String, Loader)>,
    site: Option<Arc<dyn Site>>,
    limits: Limits,
    threads: usize,
    signals: bool,
}

impl Builder {
    /// Listens at `address`; port 0 lets the system choose one.
    ///
    /// By default it is 127.0.0.1 and the port of [`port_from_env`]. A container listens at
    /// 0.0.0.0.
    #[must_use]
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Adds an endpoint. `loader` runs once, in the background, on a thread of its own.
    ///
    /// The first endpoint also answers `POST /invocations`.
    #[must_use]
    pub fn endpoint<L>(mut self, name: impl Into<String>, loader: L) -> Self
    where
        L: FnOnce() -> nexus_handler::Result<Box<dyn Handler>> + Send + 'static,
    {
        self.endpoints.push((name.into(), Box::new(loader)));
        self
    }

    /// Adds an endpoint whose handler is `H`, loaded from `model_dir`.
    #[must_use]
    pub fn handler<H: Handler>(self, name: impl Into<String>, model_dir: impl AsRef<Path>) -> Self {
        let model_dir = model_dir.as_ref().to_owned();
        self.endpoint(name, move || {
            let model_dir = model_dir.to_str().ok_or_else(|| {
                let path = model_dir.display();
                nexus_handler::Error::invalid_input(format!("the folder `{path}` is not UTF-8"))
            })?;
            Ok(Box::new(H::load(model_dir)?))
        })
    }

    /// Answers `GET` of other paths with the pages of `site`.
    #[must_use]
    pub fn site(mut self, site: Arc<dyn Site>) -> Self {
        self.site = Some(site);
        self
    }

    /// Keeps these limits instead of the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Reads and writes sockets on this many threads, at least 1, which is the default: it has
    /// the lowest latency, and one thread serves tens of thousands of requests a second. Handlers
    /// that are not inline run on threads of their own.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Catches SIGTERM and SIGINT (Ctrl-C): the first drains, a second one ends the drain. By
    /// default signals are left to the rest of the program.
    #[must_use]
    pub fn drain_on_signals(mut self) -> Self {
        self.signals = true;
        self
    }

    /// Binds the socket, starts loading the handlers and serves, all on threads of its own.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a configuration that cannot be, [`ErrorKind::AddressInUse`]
    /// and [`ErrorKind::Io`] if the system refuses.
    pub fn start(self) -> Result<Server> {
        self.check()?;
        let address = match self.address {
            Some(address) => address,
            None => (Ipv4Addr::LOCALHOST, port_from_env()?).into(),
        };
        let runtime = runtime(self.threads)?;
        let guard = runtime.enter();
        let (listener, address) = listen(address)?;
        let signals = if self.signals {
            Signals::catch()?
        } else {
            Signals::ignored()
        };
        drop(guard);

        let (names, loaders): (Vec<_>, Vec<_>) = self.endpoints.into_iter().unzip();
        let endpoints = names.into_iter().map(Endpoint::new).collect();
        let state = Arc::new(State::new(endpoints, self.limits, self.site));
        let serving = Arc::clone(&state);
        let thread = spawn("nexus-serve", move || {
            let result =
                runtime.block_on(connection::serve(listener, Arc::clone(&serving), signals));
            runtime.shutdown_background();
            serving.ended(result);
        })?;
        let server = Server {
            address,
            state,
            thread: Some(thread),
        };
        for (index, loader) in loaders.into_iter().enumerate() {
            let state = Arc::clone(&server.state);
            spawn("nexus-load", move || {
                state.loaded(state.endpoints[index].load(loader, &state.limits));
            })?;
        }
        Ok(server)
    }

    fn check(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidInput, message));
        if self.endpoints.is_empty() {
            return invalid("cannot start a server without an endpoint".into());
        }
        let mut seen = HashSet::new();
        for (name, _) in &self.endpoints {
            if !is_endpoint_name(name) {
                return invalid(format!(
                    "`{name}` cannot name an endpoint: expected 1 to 63 letters, digits and inner hyphens"
                ));
            }
            if !seen.insert(name) {
                return invalid(format!("two endpoints are named {name}"));
            }
        }
        if self.limits.head_size_max < HEAD_SIZE_FLOOR {
            return invalid(format!("head_size_max is below {HEAD_SIZE_FLOOR} bytes"));
        }
        let connections_max = self.limits.connections_max;
        if !(1..=CONNECTIONS_CEILING).contains(&connections_max) {
            return invalid(format!("connections_max is not 1 to {CONNECTIONS_CEILING}"));
        }
        Ok(())
    }
}

/// The least head buffer that hyper takes.
const HEAD_SIZE_FLOOR: usize = 8192;

/// More connections than one process has file descriptors for.
const CONNECTIONS_CEILING: usize = 1 << 20;

fn runtime(threads: usize) -> Result<Runtime> {
    let mut builder = match threads {
        1 => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    builder
        .worker_threads(threads)
        .max_blocking_threads(PAGE_THREADS_MAX)
        .thread_name("nexus-serve")
        .enable_all()
        .build()
        .map_err(|error| Error::io("cannot start the server's threads", error))
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let open = || {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((TcpListener::from_std(listener)?, address))
    };
    open().map_err(|error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            let message = format!("cannot listen at {address}: the address is in use");
            Error::new(ErrorKind::AddressInUse, message)
                .with_hint(
                    "stop the other program, or choose another port (0 lets the system choose)",
                )
                .with_source(error)
        }
        _ => Error::io(&format!("cannot listen at {address}"), error),
    })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(|error| Error::io(&format!("cannot start the thread {name}"), error))
}

/// A running server. Dropping it drains it and waits for its end.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Begins the configuration of a server.
    pub fn builder() -> Builder {
        Builder {
            address: None,
            endpoints: Vec::new(),
            site: None,
            limits: Limits::default(),
            threads: 1,
            signals: false,
        }
    }

    /// Where the server listens, the port being the real one.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and the address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether all handlers are loaded.
    pub fn ready(&self) -> bool {
        self.state.is_ready()
    }

    /// Waits until all handlers are loaded.
    ///
    /// # Errors
    /// [`ErrorKind::Load`] if one cannot be loaded, [`ErrorKind::Unavailable`] if `timeout` passes,
    /// [`ErrorKind::Interrupted`] if the server is stopped first.
    pub fn wait_ready(&self, timeout: Duration) -> Result<()> {
        self.state.wait_loaded(timeout).unwrap_or_else(|| {
            let seconds = timeout.as_secs_f64();
            let message = format!("the endpoints are not loaded after {seconds} s");
            Err(Error::new(ErrorKind::Unavailable, message))
        })
    }

    /// Whether the drain has begun.
    pub fn is_stopping(&self) -> bool {
        self.state.is_draining()
    }

    /// Begins the drain and returns at once: no new connections, requests in flight are answered.
    pub fn shutdown(&self) {
        self.state.advance(Phase::Draining);
    }

    /// Waits until the server has ended, at most for `timeout`: `None` if it has not.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<()>> {
        self.state.wait_ended(timeout)
    }

    /// Waits until the server has ended: after [`shutdown`](Self::shutdown), a caught signal, or a
    /// handler that cannot be loaded.
    ///
    /// # Errors
    /// [`ErrorKind::Load`] if a handler cannot be loaded, [`ErrorKind::LimitReached`] and
    /// [`ErrorKind::Interrupted`] if the drain left requests unanswered.
    pub fn wait(mut self) -> Result<()> {
        self.join();
        self.state.wait_ended(Duration::ZERO).unwrap_or_else(|| {
            Err(Error::new(
                ErrorKind::Io,
                "the server's thread ended without a result",
            ))
        })
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread says how it ended through the state.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown();
        self.join();
    }
}

#[cfg(test)]
mod tests {
    use super::parse_port;

    #[test]
    fn the_environments_port_is_checked() {
        for (value, port) in [
            ("8080", Some(8080)),
            ("0", Some(0)),
            ("65536", None),
            ("-1", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(parse_port(value).ok(), port, "{value}");
        }
    }
}
