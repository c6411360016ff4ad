//! Watched descriptors, and the wait for them.

use crate::{Interest, sys};
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

/// The largest descriptor that can be watched is one less: the table has a place for each below it.
const DESCRIPTORS_MAX: usize = 1 << 20;

/// One registration of a descriptor. It is never given again, also where the descriptor's number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    fd: u32,
    generation: u32,
}

impl Token {
    /// The descriptor.
    #[inline]
    pub fn fd(self) -> RawFd {
        self.fd as RawFd
    }

    fn from_data(data: u64) -> Self {
        Self {
            fd: data as u32,
            generation: (data >> 32) as u32,
        }
    }

    fn data(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.fd)
    }
}

/// A descriptor that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which registration. It may have ended since: ask [`Reactor::get`].
    pub token: Token,
    /// What is ready; it may be more than was asked for.
    pub interest: Interest,
}

/// Room for the events of one wait.
pub struct Events(Vec<sys::RawEvent>);

impl Events {
    /// Room for at most `count` events at once, at least one. What does not fit comes with the next wait.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count.max(1)))
    }

    /// The events of the last wait.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Event> {
        self.0.iter().map(|event| Event {
            token: Token::from_data(event.data()),
            interest: event.interest(),
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The part of a reactor that waits. It is apart, so that a thread can wait while others, under a lock of the
/// caller's, register.
#[derive(Debug)]
pub struct Poller(sys::Poller);

impl Poller {
    /// Waits until a descriptor is ready, [`Poller::wake`] is called or the time is over; without a `timeout`,
    /// for ever. One system call, and one more after a wake-up.
    ///
    /// # Errors
    /// `Interrupted` when a signal came; what the system says otherwise. Events of an earlier wait are gone.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        self.0.wait(&mut events.0, timeout)
    }

    /// Ends the wait under way, or the next one. May be called from any thread and from a signal handler. One
    /// system call.
    ///
    /// # Errors
    /// What the system says.
    pub fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}

/// What is kept for a descriptor's number.
struct Slot<T> {
    /// How many registrations of this number have ended.
    generation: u32,
    interest: Interest,
    value: Option<T>,
}

/// Watched descriptors, each with a value of its user's.
///
/// The table is indexed by the descriptors, which systems number from zero: a look-up is one load.
pub struct Reactor<T> {
    slots: Vec<Slot<T>>,
    poller: Arc<Poller>,
    count: usize,
}

impl<T> Reactor<T> {
    /// A reactor that watches nothing. Two descriptors are open until it and its pollers are dropped.
    ///
    /// # Errors
    /// When the process may open no more, and `Unsupported` on systems without a poller.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            slots: Vec::new(),
            poller: Arc::new(Poller(sys::Poller::new()?)),
            count: 0,
        })
    }

    /// The part that waits and wakes.
    #[inline]
    pub fn poller(&self) -> &Arc<Poller> {
        &self.poller
    }

    /// How many descriptors are watched.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Watches a descriptor. One system call.
    ///
    /// # Errors
    /// `AlreadyExists` when it is watched, `InvalidInput` when it is negative or 2^20 and more, `OutOfMemory`; what
    /// the system says of it otherwise (regular files cannot be watched, for one).
    pub fn register(&mut self, fd: RawFd, interest: Interest, value: T) -> io::Result<Token> {
        let number = u32::try_from(fd).map_err(|_| {
            let message = format!("cannot watch descriptor {fd}: it is negative");
            io::Error::new(ErrorKind::InvalidInput, message)
        })?;
        let place = number as usize;
        let known = self.slots.get(place);
        if known.is_some_and(|slot| slot.value.is_some()) {
            let message = format!("cannot watch descriptor {fd}: it is watched");
            return Err(io::Error::new(ErrorKind::AlreadyExists, message));
        }
        let token = Token {
            fd: number,
            generation: known.map_or(0, |slot| slot.generation),
        };
        let added = self.poller.0.add(fd, interest, token.data());
        or_else_on(added, ErrorKind::AlreadyExists, || {
            // The descriptor was left here by a duplicate of one that was closed without a word.
            self.poller.0.modify(fd, interest, token.data())
        })?;
        // The table grows for descriptors that there are, which are few.
        if let Err(error) = self.grow_to(place) {
            drop(self.poller.0.delete(fd));
            return Err(error);
        }
        let slot = &mut self.slots[place];
        slot.interest = interest;
        slot.value = Some(value);
        self.count += 1;
        Ok(token)
    }

    /// Makes a place in the table.
    fn grow_to(&mut self, place: usize) -> io::Result<()> {
        if place < self.slots.len() {
            return Ok(());
        }
        if place >= DESCRIPTORS_MAX {
            let message = format!(
                "cannot watch descriptor {place}: it is not below {DESCRIPTORS_MAX}, open fewer files"
            );
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        let more = place + 1 - self.slots.len();
        self.slots
            .try_reserve(more)
            .map_err(|_| ErrorKind::OutOfMemory)?;
        self.slots.resize_with(place + 1, || Slot {
            generation: 0,
            interest: Interest::NONE,
            value: None,
        });
        Ok(())
    }

    /// The registration of a descriptor, where it is watched.
    #[inline]
    pub fn find(&self, fd: RawFd) -> Option<Token> {
        let fd = u32::try_from(fd).ok()?;
        let slot = self.slots.get(fd as usize)?;
        slot.value.as_ref()?;
        Some(Token {
            fd,
            generation: slot.generation,
        })
    }

    fn slot(&self, token: Token) -> Option<&Slot<T>> {
        let slot = self.slots.get(token.fd as usize)?;
        (slot.generation == token.generation && slot.value.is_some()).then_some(slot)
    }

    /// The value of a registration; none when it has ended.
    #[inline]
    pub fn get(&self, token: Token) -> Option<&T> {
        self.slot(token)?.value.as_ref()
    }

    /// The same, to be changed.
    #[inline]
    pub fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        let slot = self.slots.get_mut(token.fd as usize)?;
        if slot.generation != token.generation {
            return None;
        }
        slot.value.as_mut()
    }

    /// What a registration asks for; nothing when it has ended.
    #[inline]
    pub fn interest(&self, token: Token) -> Interest {
        self.slot(token)
            .map_or(Interest::NONE, |slot| slot.interest)
    }

    /// Asks for something else, or for the same again. One system call.
    ///
    /// A descriptor that was closed and opened again without a word is watched anew.
    ///
    /// # Errors
    /// `NotFound` when the registration has ended; what the system says otherwise.
    pub fn set_interest(&mut self, token: Token, interest: Interest) -> io::Result<()> {
        if self.slot(token).is_none() {
            let message = format!("cannot watch descriptor {}: its watch has ended", token.fd);
            return Err(io::Error::new(ErrorKind::NotFound, message));
        }
        let slot = &mut self.slots[token.fd as usize];
        let (fd, data) = (token.fd(), token.data());
        let modified = self.poller.0.modify(fd, interest, data);
        or_else_on(modified, ErrorKind::NotFound, || {
            self.poller.0.add(fd, interest, data)
        })?;
        slot.interest = interest;
        Ok(())
    }

    /// Ends a registration and gives its value back; none when it had ended. One system call.
    ///
    /// A descriptor may be closed before: that the system does not know it any more is no failure.
    pub fn deregister(&mut self, token: Token) -> Option<T> {
        let slot = self.slots.get_mut(token.fd as usize)?;
        if slot.generation != token.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.interest = Interest::NONE;
        self.count -= 1;
        // Whoever closed the descriptor has removed it from the system's table too.
        drop(self.poller.0.delete(token.fd()));
        Some(value)
    }

    /// The registrations there are, by descriptor.
    pub fn iter(&self) -> impl Iterator<Item = (Token, &T)> {
        self.slots.iter().enumerate().filter_map(|(fd, slot)| {
            let token = Token {
                fd: fd as u32,
                generation: slot.generation,
            };
            Some((token, slot.value.as_ref()?))
        })
    }
}

/// `result`, or what `other` says where it failed so.
fn or_else_on(
    result: io::Result<()>,
    kind: ErrorKind,
    other: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == kind => other(),
        result => result,
    }
}
