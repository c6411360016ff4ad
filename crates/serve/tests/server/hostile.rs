//! Bodies, heads and clients that are too large, too slow, too many or broken.

use std::net::TcpStream;
use std::time::Duration;

use crate::client::{Client, start};
use crate::mutate;
use nexus_serve::Limits;
use nexus_serve::echo::Echo;

fn limits() -> Limits {
    Limits {
        body_size_max: 1000,
        ..Limits::default()
    }
}

#[test]
fn an_announced_oversize_is_refused_before_the_body_is_sent() {
    let server = start(Echo, limits());
    for (path, message) in [
        ("/invocations", "error"),
        ("/endpoints/default/invocations", "Message"),
    ] {
        let mut client = Client::connect(server.addr());
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"
        ));
        let response = client.receive();
        assert_eq!(response.status, 413);
        assert_eq!(
            response.json()[message],
            "the body is larger than 1000 bytes"
        );
        assert_eq!(response.header("connection"), Some("close"));
    }
    let mut client = Client::connect(server.addr());
    assert_eq!(client.post("/invocations", [7; 1000]).status, 200);
}

#[test]
fn a_client_that_sends_everything_first_still_sees_the_refusal() {
    let server = start(Echo, limits());
    let mut client = Client::connect(server.addr());
    client.send_post("/invocations", vec![0; 8 << 20]);
    assert_eq!(client.receive().status, 413);
    assert!(client.is_closed());
    for path in ["/endpoints/nobody/invocations", "/ping", "/other"] {
        let mut client = Client::connect(server.addr());
        client.send_post(path, vec![0; 8 << 20]);
        assert!(client.receive().status >= 400, "{path}");
    }
}

#[test]
fn a_chunked_oversize_is_refused_at_the_byte_that_is_too_much() {
    let server = start(Echo, limits());
    let mut client = Client::connect(server.addr());
    client
        .send("POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n");
    client.send([0; 1000]);
    client.send("\r\n1\r\n0\r\n");
    assert_eq!(client.receive().status, 413);
}

#[test]
fn chunked_bodies_are_joined() {
    let server = start(Echo, limits());
    let mut client = Client::connect(server.addr());
    client.send("POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("5\r\nhello\r\n1;ext=1\r\n \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\n");
    assert_eq!(client.receive().body, b"hello world");
    assert_eq!(client.post("/invocations", "next").body, b"next");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = start(Echo, limits());
    let mut client = Client::connect(server.addr());
    for number in 0..20 {
        client.send_post("/invocations", number.to_string());
    }
    for number in 0..20 {
        assert_eq!(client.receive().body, number.to_string().as_bytes());
    }
}

#[test]
fn a_client_may_ask_before_it_sends_the_body() {
    let server = start(Echo, limits());
    let mut client = Client::connect(server.addr());
    let head = |length| {
        format!(
            "POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    client.send(head(2));
    assert_eq!(client.receive().status, 100);
    client.send("ok");
    assert_eq!(client.receive().body, b"ok");
    client.send(head(1001));
    assert_eq!(client.receive().status, 413);
}

#[test]
fn malformed_http_is_refused_and_the_connection_closed() {
    let server = start(Echo, limits());
    for (sent, status) in [
        ("nonsense\r\n\r\n".to_string(), 400),
        ("POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx".into(), 400),
        ("POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".into(), 400),
        ("POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".into(), 400),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)), 431),
        (format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(70_000)), 431),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200)), 431),
    ] {
        let mut client = Client::connect(server.addr());
        client.send(&sent);
        let found = client.try_receive().map(|response| response.status);
        assert_eq!(found, Some(status), "{}", &sent[..40.min(sent.len())]);
        assert!(client.is_closed());
    }
}

#[test]
fn a_slow_head_is_cut() {
    let limits = Limits {
        head_timeout: Duration::from_millis(50),
        ..limits()
    };
    let server = start(Echo, limits);
    for begun in ["", "POST /invocations HTTP/1.1\r\nHost:"] {
        let mut client = Client::connect(server.addr());
        client.send(begun);
        assert!(client.is_closed());
    }
}

#[test]
fn a_slow_body_is_answered_408_and_cut() {
    let limits = Limits {
        body_timeout: Duration::from_millis(50),
        ..limits()
    };
    let server = start(Echo, limits);
    let mut client = Client::connect(server.addr());
    client.send("POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nx");
    let response = client.receive();
    assert_eq!(
        (response.status, response.reason()),
        (408, "the body did not arrive in time".into())
    );
    assert!(client.is_closed());
}

#[test]
fn one_connection_too_many_is_told_so() {
    let server = start(
        Echo,
        Limits {
            connections_max: 2,
            ..limits()
        },
    );
    let mut kept: Vec<Client> = (0..2).map(|_| Client::connect(server.addr())).collect();
    for client in &mut kept {
        assert_eq!(client.post("/invocations", "x").status, 200);
    }
    let mut refused = Client::connect(server.addr());
    let response = refused.post("/invocations", "x");
    assert_eq!(
        (response.status, response.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(response.reason(), "2 connections are open already");
    assert!(refused.is_closed());
    assert_eq!(kept[0].post("/invocations", "y").body, b"y");
}

#[test]
fn a_body_that_ends_early_is_no_request() {
    let server = start(Echo, limits());
    let mut client = Client::connect(server.addr());
    client.send("POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    client.close_write();
    let status = client.try_receive().map(|response| response.status);
    assert!(matches!(status, None | Some(400)), "{status:?}");
}

#[test]
fn the_server_outlives_mutated_requests() {
    let limits = Limits {
        head_timeout: Duration::from_millis(200),
        body_timeout: Duration::from_millis(200),
        ..limits()
    };
    let server = start(Echo, limits);
    let seed = b"POST /endpoints/default/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello\
                 POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let mut rng = mutate::Rng(1);
    for _ in 0..500 {
        let mut client = Client::connect(server.addr());
        client.send(mutate::mutate(seed, &mut rng));
        // What comes back is the server's business; that it goes on is ours.
        drop(client);
    }
    let mut client = Client::connect(server.addr());
    assert_eq!(client.post("/invocations", "alive").body, b"alive");
    drop(TcpStream::connect(server.addr()).unwrap());
}
