//! Ending: what is accepted is answered, nothing new is, and there is a deadline.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::client::{Client, PATIENCE, start};
use nexus_handler::{Handler, Request, Response, from_fn};
use nexus_serve::echo::Echo;
use nexus_serve::{ErrorKind, Limits, Server};

/// A handler that says when it has a request and answers when it is allowed to.
fn gated() -> (impl Handler, Receiver<()>, Sender<()>) {
    let (arrive, arrived) = channel();
    let (permit, open) = channel::<()>();
    let ends = Mutex::new((arrive, open));
    let handler = from_fn(move |request: Request| {
        let ends = ends.lock().unwrap();
        let _ = ends.0.send(());
        let _ = ends.1.recv();
        Ok(Response::new(request.into_body()))
    });
    (handler, arrived, permit)
}

#[test]
fn a_request_in_flight_is_answered_during_the_drain() {
    let (handler, arrived, permit) = gated();
    let server = start(handler, Limits::default());
    let mut busy = Client::connect(server.addr());
    busy.send_post("/invocations", "in flight");
    arrived.recv().unwrap();
    let mut queued = Client::connect(server.addr());
    queued.send_post("/invocations", "queued");
    assert_eq!(
        Client::connect(server.addr())
            .request("GET", "/ping")
            .status,
        200
    );
    let mut idle = Client::connect(server.addr());
    assert_eq!(idle.request("GET", "/ping").status, 200);

    server.shutdown();
    assert!(idle.is_closed());
    assert!(server.wait_timeout(Duration::ZERO).is_none());
    permit.send(()).unwrap();
    permit.send(()).unwrap();
    for (client, body) in [(&mut busy, "in flight"), (&mut queued, "queued")] {
        let response = client.receive();
        assert_eq!(
            (response.status, response.body.as_slice()),
            (200, body.as_bytes())
        );
        assert_eq!(response.header("connection"), Some("close"));
        assert!(client.is_closed());
    }
    let address = server.addr();
    server.wait().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_body_that_is_half_sent_is_still_read() {
    let server = start(Echo, Limits::default());
    let mut client = Client::connect(server.addr());
    client.send("POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(client.receive().status, 100);
    server.shutdown();
    client.send("ok");
    assert_eq!(client.receive().body, b"ok");
    server.wait().unwrap();
}

#[test]
fn connections_that_never_spoke_do_not_hold_the_drain() {
    let server = start(
        Echo,
        Limits {
            head_timeout: PATIENCE * 2,
            ..Limits::default()
        },
    );
    let mut silent = Client::connect(server.addr());
    let mut begun = Client::connect(server.addr());
    begun.send("POST /invoc");
    assert_eq!(
        Client::connect(server.addr())
            .request("GET", "/ping")
            .status,
        200
    );
    server.shutdown();
    assert!(silent.is_closed());
    assert!(begun.is_closed());
    server.wait_timeout(PATIENCE).unwrap().unwrap();
}

#[test]
fn the_drain_has_a_deadline() {
    let (handler, arrived, _permit) = gated();
    let limits = Limits {
        drain_timeout: Duration::from_millis(20),
        ..Limits::default()
    };
    let server = start(handler, limits);
    let mut client = Client::connect(server.addr());
    client.send_post("/invocations", "never answered");
    arrived.recv().unwrap();
    server.shutdown();
    let error = server.wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitReached);
    assert_eq!(
        error.to_string(),
        "the drain's deadline closed 1 connections with requests in flight"
    );
    assert!(client.is_closed());
}

#[test]
fn stopping_before_ready_is_told_to_who_waits() {
    let (_open, gate) = channel::<()>();
    let server = Server::builder()
        .bind("127.0.0.1:0".parse().unwrap())
        .endpoint("slow", move || {
            let _ = gate.recv();
            Ok(Box::new(Echo))
        })
        .start()
        .unwrap();
    assert_eq!(
        server.wait_ready(Duration::ZERO).unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    server.shutdown();
    assert_eq!(
        server.wait_ready(PATIENCE).unwrap_err().kind(),
        ErrorKind::Interrupted
    );
    server.wait().unwrap();
}

/// Clients that send one request after the other while the server is told to stop: each request
/// whose connection stood is answered.
#[test]
fn a_drain_under_load_loses_no_request() {
    let server = start(
        Echo,
        Limits {
            linger: Duration::from_secs(5),
            ..Limits::default()
        },
    );
    let address = server.addr();
    let (report, served) = channel();
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (mut client, report) = (Client::connect(address), report.clone());
            std::thread::spawn(move || {
                for count in 0_u32.. {
                    let response = client.post("/invocations", count.to_string());
                    assert_eq!(response.body, count.to_string().as_bytes());
                    let _ = report.send(());
                    if response.header("connection") == Some("close") {
                        return;
                    }
                }
            })
        })
        .collect();
    served.iter().take(500).for_each(drop);
    server.shutdown();
    for client in clients {
        client.join().unwrap();
    }
    server.wait().unwrap();
}

/// Not a test of its own: the program that the tests below send signals to.
#[test]
fn child_server() {
    if std::env::var_os("NEXUS_SERVE_TEST_CHILD").is_none() {
        return;
    }
    let (handler, _arrived, permit) = gated();
    // Leaking keeps the gate closed: requests stay in flight until the drain's deadline.
    std::mem::forget(permit);
    let server = Server::builder()
        .bind("127.0.0.1:0".parse().unwrap())
        .drain_on_signals()
        .endpoint("echo", || Ok(Box::new(Echo)))
        .endpoint("stuck", || Ok(Box::new(handler)))
        .start()
        .unwrap();
    server.wait_ready(PATIENCE).unwrap();
    println!("\nlistening at {}", server.addr());
    let outcome = server.wait().map_err(|error| error.kind());
    std::process::exit(match outcome {
        Ok(()) => 0,
        Err(ErrorKind::Interrupted) => 3,
        Err(_) => 1,
    });
}

/// Runs this file's `child_server` in a process of its own.
fn spawn_child() -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "drain::child_server", "--nocapture"])
        .env("NEXUS_SERVE_TEST_CHILD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .map_while(std::result::Result::ok)
        .find_map(|line| line.strip_prefix("listening at ").map(str::to_owned))
        .expect("the child listens");
    (child, address.parse().unwrap())
}

fn send_signal(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[test]
fn a_signal_drains_and_the_program_ends_well() {
    for signal in ["-TERM", "-INT"] {
        let (mut child, address) = spawn_child();
        let mut client = Client::connect(address);
        client.send("POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        assert_eq!(client.receive().status, 100);
        send_signal(&child, signal);
        Client::wait_until_refused(address);
        client.send("ok");
        assert_eq!(client.receive().body, b"ok");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn a_second_signal_ends_the_drain() {
    let (mut child, address) = spawn_child();
    let mut client = Client::connect(address);
    client.send("POST /endpoints/stuck/invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(client.receive().status, 100);
    client.send("ok");
    send_signal(&child, "-TERM");
    Client::wait_until_refused(address);
    send_signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(client.is_closed());
}
