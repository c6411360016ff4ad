//! A small HTTP/1.1 server on the loopback, written with std: one answer a connection.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// What the server does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Behaviour {
    /// Ranges, sizes and tags as they should be.
    #[default]
    Sound,
    /// Always this status.
    Status(u16),
    /// The whole file whatever was asked.
    NoRanges,
    /// Half of the bytes that are announced.
    Short,
    /// `Short` once.
    ShortFirst,
    /// This status once.
    FailFirst(u16),
    /// No answer while the client waits.
    Silent,
    /// Another range than was asked for.
    WrongRange,
    /// The range, and bytes without end behind it, as long as the client listens.
    Endless,
    /// An error that commands the terminal, and declares to be larger than any memory.
    Loud,
    /// Status 403, with the words of S3.
    Refuse,
    /// Another tag than at first, once something was read or asked after.
    Change,
    /// A sound answer, in small pieces with time between them.
    Slow,
}

pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    behaviour: Behaviour,
    stopped: AtomicBool,
    state: Mutex<State>,
}

struct State {
    bytes: Arc<[u8]>,
    tag: Option<String>,
    ranges: Vec<String>,
    paths: Vec<String>,
}

impl Server {
    pub(crate) fn start(bytes: Vec<u8>, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            behaviour,
            stopped: AtomicBool::new(false),
            state: Mutex::new(State {
                bytes: bytes.into(),
                tag: Some("\"first\"".to_owned()),
                ranges: Vec::new(),
                paths: Vec::new(),
            }),
        });
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if served.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, stream) = (Arc::clone(&served), stream.unwrap());
                // A client that has gone is no failure of the server.
                thread::spawn(move || drop(shared.answer(&stream)));
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/models/a%20b.safetensors", self.address)
    }

    /// The address without a path.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The ranges asked for so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().ranges.clone()
    }

    /// The paths asked for so far.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().paths.clone()
    }

    pub(crate) fn set_tag(&self, tag: Option<&str>) {
        self.shared.state.lock().unwrap().tag = tag.map(str::to_owned);
    }

    pub(crate) fn replace(&self, bytes: Vec<u8>) {
        self.shared.state.lock().unwrap().bytes = bytes.into();
    }

    /// Stops; gives the address at which nobody listens any more.
    pub(crate) fn stop(self) -> String {
        self.url()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Shared {
    fn answer(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split(' ');
        let is_head = words.next() == Some("HEAD");
        let path = words.next().unwrap_or_default().to_owned();
        let (mut range, mut if_match) = (None, None);
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? <= 2 {
                break;
            }
            let (name, value) = header.split_once(':').unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "range" => range = Some(value.trim().to_owned()),
                "if-match" => if_match = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let (bytes, tag, first) = {
            let mut state = self.state.lock().unwrap();
            if !is_head {
                state.ranges.push(range.clone().unwrap_or_default());
                state.paths.push(path);
            }
            let tag = state.tag.clone();
            if let Behaviour::Change = self.behaviour {
                state.tag = Some("\"second\"".to_owned());
            }
            (
                state.bytes.clone(),
                tag,
                !is_head && state.ranges.len() == 1,
            )
        };
        let status = |status| {
            write!(
                &mut &*stream,
                "HTTP/1.1 {status} no\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
        };
        let tag_line = tag
            .as_ref()
            .map_or_else(String::new, |tag| format!("etag: {tag}\r\n"));
        match self.behaviour {
            Behaviour::Status(code) => return status(code),
            Behaviour::FailFirst(code) if first => return status(code),
            Behaviour::Silent => {
                // Waits for the client to close the connection.
                return reader.read_line(&mut line).map(drop);
            }
            Behaviour::Loud => {
                let body = "\x1b[2J".repeat(5000);
                let size = u64::MAX / 4;
                let stream = &mut &*stream;
                return write!(
                    stream,
                    "HTTP/1.1 400 no\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n{body}"
                );
            }
            Behaviour::Refuse => {
                let body = "<?xml version=\"1.0\"?><Error><Code>InvalidAccessKeyId</Code>\
                            <Message>The key does not exist.</Message></Error>";
                let stream = &mut &*stream;
                return write!(
                    stream,
                    "HTTP/1.1 403 no\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
            _ if is_head => {
                return write!(
                    &mut &*stream,
                    "HTTP/1.1 200 OK\r\n{tag_line}content-length: {}\r\nlast-modified: Thu, 01 Jan \
                     2026 00:00:00 GMT\r\nconnection: close\r\n\r\n",
                    bytes.len()
                );
            }
            Behaviour::NoRanges => {
                write!(
                    &mut &*stream,
                    "HTTP/1.1 200 OK\r\n{tag_line}content-length: {}\r\nconnection: close\r\n\r\n",
                    bytes.len()
                )?;
                return (&mut &*stream).write_all(&bytes);
            }
            _ => {}
        }
        if if_match.is_some() && if_match != tag {
            return status(412);
        }
        let Some(range) = range else {
            return self.answer_whole(stream, &bytes, &tag_line, first);
        };
        let Some(mut range) = parse(&range, bytes.len()) else {
            return status(416);
        };
        if let Behaviour::WrongRange = self.behaviour {
            range.start += 1;
        }
        self.answer_range(stream, &bytes, range, &tag_line, first)
    }
}

impl Shared {
    fn answer_range(
        &self,
        stream: &TcpStream,
        bytes: &[u8],
        range: Range<usize>,
        tag_line: &str,
        first: bool,
    ) -> std::io::Result<()> {
        let body = &bytes[range.clone()];
        if let Behaviour::Endless = self.behaviour {
            let (start, last, size) = (range.start, range.end - 1, bytes.len());
            let stream = &mut &*stream;
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\n{tag_line}content-length: {}\r\ncontent-range: bytes {start}-{last}/{size}\r\n\r\n",
                u64::MAX / 4,
            )?;
            loop {
                stream.write_all(body)?;
            }
        }
        write!(
            &mut &*stream,
            "HTTP/1.1 206 Partial Content\r\n{tag_line}content-length: {}\r\ncontent-range: bytes {}-{}/{}\r\nconnection: close\r\n\r\n",
            body.len(),
            range.start,
            range.end - 1,
            bytes.len()
        )?;
        let short = matches!(self.behaviour, Behaviour::Short)
            || matches!(self.behaviour, Behaviour::ShortFirst) && first;
        let body = if short { &body[..body.len() / 2] } else { body };
        (&mut &*stream).write_all(body)
    }

    fn answer_whole(
        &self,
        mut stream: &TcpStream,
        bytes: &[u8],
        tag_line: &str,
        first: bool,
    ) -> std::io::Result<()> {
        let size = bytes.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\n{tag_line}content-length: {size}\r\nlast-modified: Thu, 01 Jan 2026 \
             00:00:00 GMT\r\nconnection: close\r\n\r\n"
        )?;
        let is_short = matches!(self.behaviour, Behaviour::Short)
            || matches!(self.behaviour, Behaviour::ShortFirst) && first;
        let body = if is_short { &bytes[..size / 2] } else { bytes };
        if let Behaviour::Slow = self.behaviour {
            for piece in body.chunks(body.len().div_ceil(4)) {
                stream.write_all(piece)?;
                thread::sleep(std::time::Duration::from_millis(30));
            }
            return Ok(());
        }
        stream.write_all(body)
    }
}

/// The part of a file of `size` bytes that `bytes=A-B` asks for.
fn parse(range: &str, size: usize) -> Option<Range<usize>> {
    let (start, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (start, last): (usize, usize) = (start.parse().ok()?, last.parse().ok()?);
    (start < size).then(|| start..size.min(last + 1))
}
