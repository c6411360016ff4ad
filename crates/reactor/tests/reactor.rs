//! The reactor on sockets of this machine.
#![cfg(target_os = "linux")]

use nexus_reactor::{Event, Events, Interest, Reactor};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const NOW: Option<Duration> = Some(Duration::ZERO);

fn events<T>(reactor: &Reactor<T>, timeout: Option<Duration>) -> Vec<Event> {
    let mut events = Events::with_capacity(16);
    reactor.poller().wait(&mut events, timeout).unwrap();
    assert_eq!(events.len(), events.iter().count());
    events.iter().collect()
}

#[test]
fn readiness_is_reported_until_it_is_used() {
    let (mut source, mut target) = UnixStream::pair().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let token = reactor
        .register(source.as_raw_fd(), Interest::READ, ())
        .unwrap();
    assert!(events(&reactor, NOW).is_empty());
    target.write_all(b"x").unwrap();
    for _ in 0..2 {
        let ready = events(&reactor, None);
        assert_eq!(ready.len(), 1);
        assert_eq!(ready[0].token, token);
        assert_eq!(ready[0].interest, Interest::READ);
    }
    source.read_exact(&mut [0]).unwrap();
    assert!(events(&reactor, NOW).is_empty());
}

#[test]
fn interest_changes_and_is_kept() {
    let (source, _target) = UnixStream::pair().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let token = reactor
        .register(source.as_raw_fd(), Interest::READ, 7)
        .unwrap();
    assert_eq!(reactor.find(source.as_raw_fd()), Some(token));
    let both = Interest::READ | Interest::WRITE;
    reactor.set_interest(token, both).unwrap();
    assert_eq!(reactor.interest(token), both);
    assert_eq!(events(&reactor, NOW)[0].interest, Interest::WRITE);
    reactor
        .set_interest(token, both.without(Interest::WRITE))
        .unwrap();
    assert!(events(&reactor, NOW).is_empty());
    *reactor.get_mut(token).unwrap() = 8;
    assert_eq!(reactor.deregister(token), Some(8));
    assert_eq!(reactor.deregister(token), None);
    assert_eq!(reactor.get(token), None);
    assert!(reactor.is_empty());
}

#[test]
fn a_closed_peer_is_both() {
    let (source, target) = UnixStream::pair().unwrap();
    let mut reactor = Reactor::new().unwrap();
    reactor
        .register(source.as_raw_fd(), Interest::READ, ())
        .unwrap();
    drop(target);
    assert_eq!(
        events(&reactor, None)[0].interest,
        Interest::READ | Interest::WRITE | Interest::MORE
    );
}

#[test]
fn what_arrives_at_an_edge_is_reported_once() {
    let (source, mut target) = UnixStream::pair().unwrap();
    let mut reactor = Reactor::new().unwrap();
    let edge = Interest::READ | Interest::EDGE;
    reactor.register(source.as_raw_fd(), edge, ()).unwrap();
    for _ in 0..2 {
        target.write_all(b"x").unwrap();
        assert_eq!(events(&reactor, NOW)[0].interest, Interest::READ);
        assert!(events(&reactor, NOW).is_empty());
    }
}

#[test]
fn an_event_under_way_does_not_reach_the_next_owner_of_its_descriptor() {
    let mut reactor = Reactor::new().unwrap();
    let (source, mut target) = UnixStream::pair().unwrap();
    let fd = source.as_raw_fd();
    let old = reactor.register(fd, Interest::READ, "old").unwrap();
    target.write_all(b"x").unwrap();
    let under_way = events(&reactor, None);
    assert_eq!(reactor.deregister(old), Some("old"));
    let new = reactor.register(fd, Interest::READ, "new").unwrap();
    assert_ne!(old, new);
    assert_eq!(old.fd(), new.fd());
    assert_eq!(reactor.get(under_way[0].token), None);
    assert!(reactor.set_interest(old, Interest::NONE).is_err());
    assert_eq!(reactor.get(new), Some(&"new"));
}

#[test]
fn a_descriptor_closed_without_a_word_is_watched_anew() {
    let mut reactor = Reactor::new().unwrap();
    let (source, target) = UnixStream::pair().unwrap();
    let fd = source.as_raw_fd();
    let token = reactor.register(fd, Interest::READ, ()).unwrap();
    drop((source, target));
    assert_eq!(reactor.find(fd), Some(token));
    // The number may be another test's by now; that the old registration can be ended is what counts.
    assert_eq!(reactor.deregister(token), Some(()));
    assert_eq!(reactor.iter().count(), 0);
}

#[test]
fn what_cannot_be_watched_is_an_error() {
    let mut reactor = Reactor::new().unwrap();
    let kind = |result: std::io::Result<_>| result.unwrap_err().kind();
    assert_eq!(
        kind(reactor.register(-1, Interest::READ, ())),
        ErrorKind::InvalidInput
    );
    let file = File::open("/proc/self/exe").unwrap();
    // The table would have a place for each number below.
    let absent = reactor.register(i32::MAX - 1, Interest::READ, ());
    assert_eq!(absent.unwrap_err().raw_os_error(), Some(libc::EBADF));
    let regular = reactor.register(file.as_raw_fd(), Interest::READ, ());
    assert_eq!(kind(regular), ErrorKind::PermissionDenied);
    let (source, _target) = UnixStream::pair().unwrap();
    reactor
        .register(source.as_raw_fd(), Interest::READ, ())
        .unwrap();
    let twice = reactor.register(source.as_raw_fd(), Interest::READ, ());
    assert_eq!(kind(twice), ErrorKind::AlreadyExists);
}

#[test]
fn a_wake_up_from_another_thread_ends_the_wait() {
    let reactor = Reactor::<()>::new().unwrap();
    let poller = reactor.poller().clone();
    let thread = std::thread::spawn(move || poller.wake().unwrap());
    assert!(events(&reactor, None).is_empty());
    thread.join().unwrap();
}

#[test]
fn wake_ups_before_a_wait_end_it_once() {
    let reactor = Reactor::<()>::new().unwrap();
    for _ in 0..3 {
        reactor.poller().wake().unwrap();
    }
    assert!(events(&reactor, None).is_empty());
    let start = Instant::now();
    assert!(events(&reactor, Some(Duration::from_millis(2))).is_empty());
    assert!(start.elapsed() >= Duration::from_millis(2));
}

#[test]
fn a_wait_is_not_shorter_than_asked_for() {
    let reactor = Reactor::<()>::new().unwrap();
    for nanoseconds in [1, 300_000, 1_000_000, 1_500_000] {
        let timeout = Duration::from_nanos(nanoseconds);
        let start = Instant::now();
        assert!(events(&reactor, Some(timeout)).is_empty());
        assert!(start.elapsed() >= timeout);
    }
}

#[test]
fn what_does_not_fit_comes_with_the_next_wait() {
    let mut reactor = Reactor::new().unwrap();
    let pairs: Vec<_> = (0..5).map(|_| UnixStream::pair().unwrap()).collect();
    for (number, (source, _)) in pairs.iter().enumerate() {
        reactor
            .register(source.as_raw_fd(), Interest::WRITE, number)
            .unwrap();
    }
    let mut room = Events::with_capacity(2);
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 5 {
        reactor.poller().wait(&mut room, NOW).unwrap();
        assert!(!room.is_empty());
        for event in room.iter() {
            seen.insert(reactor.deregister(event.token).unwrap());
        }
    }
}
