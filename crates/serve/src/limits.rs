//! The bounds on everything that a client can drive.

use std::time::Duration;

/// The most bytes of an endpoint's name; AWS's own bound.
pub(crate) const NAME_SIZE_MAX: usize = 63;

/// The most bytes of a model's failing body that a `ModelError` repeats.
pub(crate) const ORIGINAL_MESSAGE_SIZE_MAX: usize = 4096;

/// The most bytes of a refused body that are read and dropped, so that the client, which writes
/// before it reads, gets to see the refusal.
pub(crate) const DISCARD_SIZE_MAX: usize = 64 << 20;

/// How long a refused body is read and dropped.
pub(crate) const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// The most connections beyond [`Limits::connections_max`] that are told so at the same time; more
/// are closed without a word.
pub(crate) const REFUSALS_MAX: usize = 64;

/// How long the server pauses when the system has no file descriptor for the next connection.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The most threads that render pages.
pub(crate) const PAGE_THREADS_MAX: usize = 4;

/// The most pages that are rendered or wait for a thread; more are refused.
pub(crate) const PAGES_MAX: usize = 64;

/// The bounds of one server. A request that reaches one is answered by the limit's name.
///
/// ```
/// use nexus_serve::Limits;
///
/// let limits = Limits { body_size_max: 64 << 10, ..Limits::default() };
/// assert_eq!(limits.connections_max, 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a request's body; more is answered 413. 6 291 456, SageMaker's own bound.
    pub body_size_max: usize,
    /// The most bytes of a request's head (request line and headers); more is answered 431. 64 KiB;
    /// at least 8 KiB.
    pub head_size_max: usize,
    /// The most connections at a time; one more is answered 503 and closed. 1024.
    pub connections_max: usize,
    /// The most requests that wait for a handler's worker; one more is answered 503. 1024.
    pub queue_len_max: usize,
    /// How long a connection may take to send the next request's head, idle time included; then it
    /// is closed. 30 s.
    pub head_timeout: Duration,
    /// How long a request's body may take; then it is answered 408. 30 s.
    pub body_timeout: Duration,
    /// How long a handler's worker may take, queueing included; then the request is answered 504.
    /// 60 s, SageMaker's own bound. Inline handlers are not cut.
    pub answer_timeout: Duration,
    /// How long kept-alive connections are still read when a drain begins, so that a request that
    /// is on its way is answered. 100 ms.
    pub linger: Duration,
    /// How long a drain waits for requests in flight. 25 s: SageMaker kills after 30 s.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_size_max: 6_291_456,
            head_size_max: 64 << 10,
            connections_max: 1024,
            queue_len_max: 1024,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_mins(1),
            linger: Duration::from_millis(100),
            drain_timeout: Duration::from_secs(25),
        }
    }
}
