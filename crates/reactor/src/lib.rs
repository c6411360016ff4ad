//! Readiness of file descriptors, timers and wake-ups: what an event loop of one thread stands on.
//!
//! A [`Reactor`] knows which descriptors are watched and what its user keeps beside each. [`Poller::wait`] asks
//! the kernel which are ready. [`Timers`] say what is due. Nothing here runs a callback, owns a thread or knows
//! Python: who calls decides what readiness means.
//!
//! Readiness is level-triggered, unless [`Interest::EDGE`] is asked for: what is not read is reported again. An
//! event names its descriptor by a [`Token`], which ends with the registration, so an event that was under way when a descriptor was closed is
//! never taken for one of the descriptor that got its number.
//!
//! ```
//! use nexus_reactor::{Events, Interest, Reactor};
//! use std::{io::Write, os::fd::AsRawFd, os::unix::net::UnixStream};
//!
//! let (source, mut target) = UnixStream::pair()?;
//! let mut reactor = Reactor::new()?;
//! let token = reactor.register(source.as_raw_fd(), Interest::READ, "the pair")?;
//! target.write_all(b"x")?;
//!
//! let mut events = Events::with_capacity(64);
//! reactor.poller().wait(&mut events, None)?;
//! let event = events.iter().next().unwrap();
//! assert_eq!(event.token, token);
//! assert!(event.interest.contains(Interest::READ));
//! assert_eq!(reactor.get(event.token), Some(&"the pair"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Linux has a poller of its own, epoll. Elsewhere [`Reactor::new`] fails as unsupported: a system gets a file
//! in `sys`, with the functions of `sys/epoll.rs`.

mod interest;
mod reactor;
mod sys;
mod timers;

pub use interest::Interest;
pub use reactor::{Event, Events, Poller, Reactor, Token};
pub use timers::{TimerKey, Timers};

#[cfg(doctest)]
#[doc = include_str!("../../../docs/eventloop.md")]
struct Docs;
