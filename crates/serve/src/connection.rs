//! Accepting connections, speaking HTTP/1.1 on them, and letting go of them in order.
//!
//! A request counts as accepted once its head has been read: it is then answered, also during a
//! drain. The drain closes the socket, reads on for [`Limits::linger`](crate::Limits::linger) so
//! that requests that are on their way arrive, answers each with `Connection: close`, closes what
//! is idle, and waits for the rest until [`Limits::drain_timeout`](crate::Limits::drain_timeout).

use std::convert::Infallible;
use std::net::TcpListener as StdListener;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::fault::Fault;
use crate::limits::{ACCEPT_PAUSE, DISCARD_SIZE_MAX, DISCARD_TIMEOUT, REFUSALS_MAX};
use crate::service;
use crate::signals::Signals;
use crate::state::{Phase, State};
use crate::{Error, ErrorKind, Result};

/// The connections of one server.
struct Connections {
    state: Arc<State>,
    /// One permit for each connection, held while it is open.
    slots: Arc<Semaphore>,
    /// One permit for each connection that is being told that there is no slot.
    refusals: Arc<Semaphore>,
}

/// Serves until the drain is done.
pub(crate) async fn serve(
    listener: TcpListener,
    state: Arc<State>,
    mut signals: Signals,
) -> Result<()> {
    let connections = Connections {
        slots: Arc::new(Semaphore::new(state.limits.connections_max)),
        refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
        state: Arc::clone(&state),
    };
    let mut phase = state.phase.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connections.admit(stream),
                // Out of file descriptors, or the client has gone: the next one may do better.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => break,
            () = signals.next() => break,
        }
    }
    state.advance(Phase::Draining);
    let listener = listener
        .into_std()
        .map_err(|error| Error::io("cannot close the socket", error))?;
    connections.admit_backlog(&listener);
    drop(listener);
    tokio::select! {
        result = connections.drain() => result,
        () = signals.next() => Err(connections.unfinished(ErrorKind::Interrupted, "a second signal")),
    }
}

impl Connections {
    /// Serves a new connection, if there is a slot for it.
    fn admit(&self, stream: TcpStream) {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            tokio::spawn(converse(stream, Arc::clone(&self.state), slot));
        } else if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
            tokio::spawn(refuse(stream, self.state.limits.connections_max, permit));
        }
    }

    /// Serves the connections that the system completed and nobody took yet.
    fn admit_backlog(&self, listener: &StdListener) {
        while let Ok((stream, _)) = listener.accept() {
            let stream = stream
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                self.admit(stream);
            }
        }
    }

    /// Waits until every connection is closed.
    async fn drain(&self) -> Result<()> {
        let limits = &self.state.limits;
        let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
        if timeout(limits.linger, self.slots.acquire_many(all))
            .await
            .is_ok()
        {
            return Ok(());
        }
        self.state.advance(Phase::Closing);
        match timeout(limits.drain_timeout, self.slots.acquire_many(all)).await {
            Ok(_) => Ok(()),
            Err(_elapsed) => Err(self.unfinished(ErrorKind::LimitReached, "the drain's deadline")),
        }
    }

    fn unfinished(&self, kind: ErrorKind, cause: &str) -> Error {
        let open = self.state.limits.connections_max - self.slots.available_permits();
        Error::new(
            kind,
            format!("{cause} closed {open} connections with requests in flight"),
        )
    }
}

/// Speaks HTTP/1.1 on one connection until it is closed.
async fn converse(stream: TcpStream, state: Arc<State>, slot: OwnedSemaphorePermit) {
    // Without it an answer may wait for the client's delayed acknowledgement; it is an optimisation.
    let _ = stream.set_nodelay(true);
    let limits = &state.limits;
    let spoken = AtomicBool::new(false);
    let service = service_fn(|request| {
        spoken.store(true, Ordering::Relaxed);
        let answer = service::answer(&state, request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head_size_max)
        .max_buf_size(limits.head_size_max)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut phase = state.phase.subscribe();
    tokio::select! {
        biased;
        // How a connection ended (reset, timeout, malformed head) concerns its client alone.
        _ = connection.as_mut() => return,
        _ = phase.wait_for(|phase| *phase == Phase::Closing) => {}
    }
    if spoken.load(Ordering::Relaxed) {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
    drop(slot);
}

/// Says that there is no slot, and closes the connection without resetting it.
async fn refuse(stream: TcpStream, connections_max: usize, permit: OwnedSemaphorePermit) {
    let fault = Fault::Model {
        status: 503,
        message: format!("{connections_max} connections are open already"),
    };
    let body = fault.body();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nretry-after: 1\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // A new socket's send buffer is empty: this short answer fits as a whole.
    if stream.try_write(answer.as_bytes()).is_err() {
        return;
    }
    let Ok(stream) = stream.into_std() else {
        return;
    };
    if stream.shutdown(std::net::Shutdown::Write).is_err() {
        return;
    }
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    let _ = timeout(DISCARD_TIMEOUT, discard(&stream)).await;
    drop(permit);
}

async fn discard(stream: &TcpStream) {
    let (mut buffer, mut size) = ([0; 4096], 0);
    while size < DISCARD_SIZE_MAX && stream.readable().await.is_ok() {
        match stream.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => size += count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
