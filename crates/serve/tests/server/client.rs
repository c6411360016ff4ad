//! The tests' own HTTP client: raw bytes out, one parsed response in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use nexus_handler::Handler;
use nexus_serve::{Builder, Limits, Server};

/// No answer takes longer on any machine; a hang fails the test instead of blocking it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A server with one endpoint `default`, on a port of the system's choice, loaded.
pub(crate) fn start(handler: impl Handler, limits: Limits) -> Server {
    ready(
        Server::builder()
            .limits(limits)
            .endpoint("default", || Ok(Box::new(handler))),
    )
}

/// Starts a server on a port of the system's choice and waits until it is loaded.
pub(crate) fn ready(builder: Builder) -> Server {
    let server = builder
        .bind("127.0.0.1:0".parse().unwrap())
        .start()
        .unwrap();
    server.wait_ready(PATIENCE).unwrap();
    server
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// One response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// Connects again and again until the server's socket is closed: then the drain has begun.
    pub(crate) fn wait_until_refused(address: SocketAddr) {
        while TcpStream::connect(address).is_ok() {
            std::thread::yield_now();
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn post(&mut self, path: &str, body: impl AsRef<[u8]>) -> Response {
        self.send_post(path, body);
        self.receive()
    }

    pub(crate) fn send_post(&mut self, path: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        self.send([head.as_bytes(), body].concat());
    }

    pub(crate) fn request(&mut self, method: &str, path: &str) -> Response {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        self.receive()
    }

    /// The next response; `HEAD` responses and those without a length have no body here.
    pub(crate) fn receive(&mut self) -> Response {
        self.try_receive()
            .expect("a response before the connection closes")
    }

    /// The next response, or none if the connection is closed first.
    pub(crate) fn try_receive(&mut self) -> Option<Response> {
        let end = loop {
            if let Some(at) = self
                .unread
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break at + 4;
            }
            self.fill()?;
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_string()))
            .collect();
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        let length = response
            .header("content-length")
            .map_or(0, |value| value.parse().unwrap());
        while self.unread.len() < length {
            self.fill()?;
        }
        response.body = self.unread.drain(..length).collect();
        Some(response)
    }

    /// Whether the server closes the connection without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && self.fill().is_none()
    }

    pub(crate) fn close_write(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    fn fill(&mut self) -> Option<()> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => None,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                Some(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("cannot read from the server: {error}"),
        }
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// The reason in the body, whichever contract shaped it.
    pub(crate) fn reason(&self) -> String {
        let json = self.json();
        let reason = json
            .get("error")
            .or_else(|| json.get("Message"))
            .expect("a reason");
        let reason = reason.as_str().unwrap().to_string();
        assert!(!reason.contains('\n'), "one line: {reason}");
        reason
    }
}
