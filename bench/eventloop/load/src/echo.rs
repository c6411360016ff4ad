//! The limit: echo on bare epoll. It receives what is there, sends it, and waits again.

use crate::sys::{NO_EVENTS, Poll};
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixListener;

trait Stream: Read + Write + AsRawFd {}
impl<T: Read + Write + AsRawFd> Stream for T {}

/// A connection, and what could not be sent yet.
struct Connection {
    stream: Box<dyn Stream>,
    rest: Vec<u8>,
}

const LISTENER: u64 = u64::MAX;

pub fn streams(kind: &str, address: &str) -> Result<(), Box<dyn Error>> {
    if kind == "unix" {
        let listener = UnixListener::bind(address)?;
        println!("{address}");
        return serve(listener.as_raw_fd(), || {
            let (stream, _) = listener.accept()?;
            stream.set_nonblocking(true)?;
            Ok(Box::new(stream))
        });
    }
    if kind != "tcp" {
        return Err(format!("there is no server of `{kind}`").into());
    }
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    serve(listener.as_raw_fd(), || {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    })
}

fn serve(
    listener: RawFd,
    mut accept: impl FnMut() -> std::io::Result<Box<dyn Stream>>,
) -> Result<(), Box<dyn Error>> {
    let poll = Poll::new()?;
    poll.add(listener, LISTENER, false)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut room = vec![0; 256 << 10];
    let mut events = NO_EVENTS;
    loop {
        for key in poll.wait(&mut events, -1)? {
            if key == LISTENER {
                let stream = accept()?;
                poll.add(stream.as_raw_fd(), connections.len() as u64, false)?;
                connections.push(Some(Connection {
                    stream,
                    rest: Vec::new(),
                }));
                continue;
            }
            let place = &mut connections[key as usize];
            let Some(connection) = place else { continue };
            match connection.go_on(&poll, key, &mut room) {
                Ok(true) => {}
                // Closed, or broken: the client's affair.
                Ok(false) | Err(_) => *place = None,
            }
        }
    }
}

impl Connection {
    /// Whether it goes on.
    fn go_on(&mut self, poll: &Poll, key: u64, room: &mut [u8]) -> std::io::Result<bool> {
        if !self.rest.is_empty() {
            let count = self.stream.write(&self.rest)?;
            self.rest.drain(..count);
            if self.rest.is_empty() {
                poll.wants_to_write(self.stream.as_raw_fd(), key, false)?;
            }
            return Ok(true);
        }
        let size = self.stream.read(room)?;
        let sent = match self.stream.write(&room[..size]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            sent => sent?,
        };
        if sent < size {
            self.rest.extend_from_slice(&room[sent..size]);
            poll.wants_to_write(self.stream.as_raw_fd(), key, true)?;
        }
        Ok(size > 0)
    }
}

pub fn datagrams(address: &str) -> Result<(), Box<dyn Error>> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    println!("{}", socket.local_addr()?);
    let poll = Poll::new()?;
    poll.add(socket.as_raw_fd(), 0, false)?;
    let mut room = vec![0; 64 << 10];
    let mut events = NO_EVENTS;
    loop {
        for _ in poll.wait(&mut events, -1)? {
            while let Ok((size, from)) = socket.recv_from(&mut room) {
                socket.send_to(&room[..size], from)?;
            }
        }
    }
}
