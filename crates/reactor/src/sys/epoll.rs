//! epoll and eventfd: <https://man7.org/linux/man-pages/man7/epoll.7.html>.

use crate::Interest;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::null;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the eventfd has in place of a token.
const WAKE: u64 = u64::MAX;

/// An event as the kernel writes it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct RawEvent(libc::epoll_event);

impl RawEvent {
    /// What was given with the descriptor.
    #[inline]
    pub(crate) fn data(&self) -> u64 {
        self.0.u64
    }

    /// What is ready: an error or the peer's end is both.
    #[inline]
    pub(crate) fn interest(&self) -> Interest {
        let flags = self.0.events;
        let mut interest = Interest::NONE;
        if flags & !(libc::EPOLLOUT as u32) != 0 {
            interest = interest | Interest::READ;
        }
        if flags & !(libc::EPOLLIN as u32) != 0 {
            interest = interest | Interest::WRITE;
        }
        if flags & !((libc::EPOLLIN | libc::EPOLLOUT) as u32) != 0 {
            interest = interest | Interest::MORE;
        }
        interest
    }
}

/// One epoll instance, and the eventfd that ends its wait.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    wake: OwnedFd,
    /// Whether waits of nanoseconds are not refused (Linux 5.11; sandboxes may).
    has_pwait2: AtomicBool,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: the calls take no memory; each descriptor is new and has this owner alone.
        let (epoll, wake) = unsafe {
            let epoll = OwnedFd::from_raw_fd(checked(libc::epoll_create1(libc::EPOLL_CLOEXEC))?);
            let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK;
            let wake = OwnedFd::from_raw_fd(checked(libc::eventfd(0, flags))?);
            (epoll, wake)
        };
        let poller = Self {
            epoll,
            wake,
            has_pwait2: AtomicBool::new(true),
        };
        poller.add(poller.wake.as_raw_fd(), Interest::READ, WAKE)?;
        Ok(poller)
    }

    pub(crate) fn add(&self, fd: RawFd, interest: Interest, data: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, interest, data)
    }

    pub(crate) fn modify(&self, fd: RawFd, interest: Interest, data: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, interest, data)
    }

    pub(crate) fn delete(&self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, Interest::NONE, 0)
    }

    fn control(&self, what: i32, fd: RawFd, interest: Interest, data: u64) -> io::Result<()> {
        let mut flags = 0;
        if interest.contains(Interest::READ) {
            flags |= libc::EPOLLIN as u32;
        }
        if interest.contains(Interest::WRITE) {
            flags |= libc::EPOLLOUT as u32;
        }
        if interest.contains(Interest::EDGE) {
            flags |= (libc::EPOLLET | libc::EPOLLRDHUP | libc::EPOLLPRI) as u32;
        }
        let mut event = libc::epoll_event {
            events: flags,
            u64: data,
        };
        // SAFETY: the event is read during the call; the kernel checks the descriptor.
        checked(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), what, fd, &raw mut event) })?;
        Ok(())
    }

    /// Ends the wait under way, or the next one. May be called from any thread.
    pub(crate) fn wake(&self) -> io::Result<()> {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight bytes are read.
        let written = unsafe { libc::write(self.wake.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        let error = io::Error::last_os_error();
        // A full counter wakes as well.
        if written < 0 && error.kind() != io::ErrorKind::WouldBlock {
            return Err(error);
        }
        Ok(())
    }

    /// Fills `events` up to its capacity; wake-ups end the wait and are not in it.
    pub(crate) fn wait(
        &self,
        events: &mut Vec<RawEvent>,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        events.clear();
        let count = self.wait_raw(events, timeout)?;
        // SAFETY: the kernel has written as many events, at most the capacity.
        unsafe { events.set_len(count) };
        if let Some(place) = events.iter().position(|event| event.data() == WAKE) {
            events.swap_remove(place);
            let mut count = [0_u8; 8];
            // SAFETY: eight bytes are written. Nothing there is no failure: the counter is only emptied.
            unsafe {
                libc::read(
                    self.wake.as_raw_fd(),
                    count.as_mut_ptr().cast(),
                    count.len(),
                )
            };
        }
        Ok(())
    }

    fn wait_raw(&self, events: &mut Vec<RawEvent>, timeout: Option<Duration>) -> io::Result<usize> {
        let place = events.as_mut_ptr().cast::<libc::epoll_event>();
        let room = i32::try_from(events.capacity().max(1)).unwrap_or(i32::MAX);
        let is_exact = timeout.is_none_or(|timeout| timeout.subsec_nanos() % 1_000_000 == 0);
        if !is_exact && self.has_pwait2.load(Ordering::Relaxed) {
            let timeout = timeout.unwrap_or_default();
            let until = libc::timespec {
                tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
                tv_nsec: timeout.subsec_nanos() as libc::c_long,
            };
            // SAFETY: there is room for as many events; the time is read during the call, no signals are masked.
            let count = unsafe {
                libc::syscall(
                    libc::SYS_epoll_pwait2,
                    self.epoll.as_raw_fd(),
                    place,
                    room,
                    &raw const until,
                    null::<libc::sigset_t>(),
                    0_usize,
                )
            };
            if count >= 0 {
                return Ok(count as usize);
            }
            let error = io::Error::last_os_error();
            if !matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
                return Err(error);
            }
            self.has_pwait2.store(false, Ordering::Relaxed);
        }
        let milliseconds = timeout.map_or(-1, |timeout| {
            // Up, so that what is due when the wait ends is not found a little early.
            let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
            i32::try_from(milliseconds).unwrap_or(i32::MAX)
        });
        // SAFETY: there is room for as many events.
        let count = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), place, room, milliseconds) };
        Ok(checked(count)? as usize)
    }
}

/// The result of a system call that says -1 when it failed.
fn checked(result: i32) -> io::Result<i32> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}
