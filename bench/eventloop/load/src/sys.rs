//! epoll, and nothing else of the system that the standard library lacks.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Sockets that are told of when they become ready to be read or written (edge-triggered).
pub struct Poll(OwnedFd);

/// Room for what one wait brings.
pub type Events = [libc::epoll_event; 1024];

pub const NO_EVENTS: Events = [libc::epoll_event { events: 0, u64: 0 }; 1024];

impl Poll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: a new descriptor is ours.
        unsafe {
            let fd = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Watches a socket; `edge` tells of reading and writing once for each change, else of reading while it lasts.
    pub fn add(&self, fd: RawFd, key: u64, edge: bool) -> io::Result<()> {
        let events = if edge {
            libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET
        } else {
            libc::EPOLLIN
        };
        self.control(libc::EPOLL_CTL_ADD, fd, key, events)
    }

    /// Has a socket told of while it can be written, or while it can be read.
    pub fn wants_to_write(&self, fd: RawFd, key: u64, is_so: bool) -> io::Result<()> {
        let events = if is_so { libc::EPOLLOUT } else { libc::EPOLLIN };
        self.control(libc::EPOLL_CTL_MOD, fd, key, events)
    }

    fn control(&self, what: i32, fd: RawFd, key: u64, events: i32) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: events.cast_unsigned(),
            u64: key,
        };
        // SAFETY: the event is read during the call.
        let result = unsafe { libc::epoll_ctl(self.0.as_raw_fd(), what, fd, &raw mut event) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Waits, and gives the keys of what is ready.
    pub fn wait<'a>(
        &self,
        events: &'a mut Events,
        timeout_ms: i32,
    ) -> io::Result<impl Iterator<Item = u64> + 'a> {
        let room = events.len() as i32;
        // SAFETY: there is room for as many events.
        let count =
            unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), room, timeout_ms) };
        if count < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(events[..count as usize].iter().map(|event| event.u64))
    }
}
