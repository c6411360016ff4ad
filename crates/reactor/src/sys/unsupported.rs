//! A system without a poller yet.

use crate::Interest;
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) enum RawEvent {}

impl RawEvent {
    pub(crate) fn data(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn interest(&self) -> Interest {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum Poller {}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let message = "cannot make a reactor: this system has none yet, use Linux";
        Err(io::Error::new(ErrorKind::Unsupported, message))
    }

    pub(crate) fn add(&self, _fd: RawFd, _interest: Interest, _data: u64) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn modify(&self, _fd: RawFd, _interest: Interest, _data: u64) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn delete(&self, _fd: RawFd) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn wait(
        &self,
        _events: &mut Vec<RawEvent>,
        _timeout: Option<Duration>,
    ) -> io::Result<()> {
        match *self {}
    }
}
