//! What each path, method and failure is answered, for containers and for AWS clients.

use std::sync::{Arc, mpsc};

use crate::client::{Client, PATIENCE, ready, start};
use nexus_handler::{Dispatch, Error, ErrorKind, Handler, Request, Response, Result, from_fn};
use nexus_serve::echo::Echo;
use nexus_serve::{Limits, Page, Server, Site};

/// Does what the body says.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a handler")]
fn obey(request: Request) -> Result<Response> {
    match request.body().as_ref() {
        b"json" => request
            .expect_content_type("application/json")
            .map(|()| Response::json("{}")),
        b"bad" => Err(Error::invalid_input("bad\nJSON")),
        b"missing" => Err(Error::new(ErrorKind::NotFound, "no such row")),
        b"fail" => Err(Error::internal("out of luck")),
        b"teapot" => Ok(Response::text("short and stout").with_status(418)),
        b"created" => Ok(Response::text("made").with_status(201)),
        b"status" => Ok(Response::text("").with_status(99)),
        b"header" => Ok(Response::text("").with_content_type("a\r\nb: c")),
        b"accept" => Ok(Response::text(request.accept().unwrap_or("none"))),
        b"attributes" => Ok(Response::text("").with_custom_attributes("trace=1")),
        b"panic" => panic!("asked to"),
        other => Err(Error::invalid_input(format!(
            "unknown order of {} bytes",
            other.len()
        ))),
    }
}

#[test]
fn paths_and_methods_are_answered_by_contract() {
    let server = start(Echo, Limits::default());
    let mut client = Client::connect(server.addr());
    for (method, path, status, allow) in [
        ("GET", "/ping", 200, None),
        ("HEAD", "/ping", 200, None),
        ("POST", "/ping", 405, Some("GET, HEAD")),
        ("GET", "/invocations", 405, Some("POST")),
        ("PUT", "/endpoints/default/invocations", 405, Some("POST")),
        ("GET", "/", 404, None),
        ("POST", "/other", 404, None),
        ("POST", "/endpoints/default/other", 404, None),
        ("POST", "/endpoints/nobody/invocations", 400, None),
        ("POST", "/endpoints/%2e%2e/invocations", 400, None),
        ("OPTIONS", "*", 404, None),
    ] {
        let response = client.request(method, path);
        assert_eq!(
            (response.status, response.header("allow")),
            (status, allow),
            "{method} {path}"
        );
        if status >= 400 {
            assert_eq!(response.header("content-type"), Some("application/json"));
            response.reason();
        }
    }
}

#[test]
fn a_containers_answers_are_the_handlers() {
    let inline = from_fn(obey).with_dispatch(Dispatch::Inline);
    let batched = from_fn(obey).with_dispatch(Dispatch::Batched { max_requests: 4 });
    for server in [
        start(inline, Limits::default()),
        start(from_fn(obey), Limits::default()),
        start(batched, Limits::default()),
    ] {
        let mut client = Client::connect(server.addr());
        for (order, status, reason) in [
            (
                "json",
                415,
                "expected content type application/json, found none",
            ),
            ("bad", 400, "bad\nJSON"),
            ("missing", 404, "no such row"),
            ("fail", 500, "out of luck"),
            (
                "panic",
                500,
                "the handler panicked; its message is on the server's standard error",
            ),
            ("status", 500, "the handler's status is outside 200 to 999"),
            (
                "header",
                500,
                "the handler's content type is no header value",
            ),
        ] {
            let response = client.post("/invocations", order);
            assert_eq!(response.status, status, "{order}");
            assert_eq!(response.json()["error"], reason, "{order}");
            assert!(!response.body.contains(&b'\n'));
        }
        for (order, status, body) in [
            ("teapot", 418, "short and stout"),
            ("created", 201, "made"),
            ("accept", 200, "none"),
        ] {
            let response = client.post("/invocations", order);
            assert_eq!(
                (response.status, response.body),
                (status, body.into()),
                "{order}"
            );
        }
    }
}

#[test]
fn an_endpoints_answers_are_shaped_as_sagemakers() {
    let server = start(from_fn(obey), Limits::default());
    let mut client = Client::connect(server.addr());
    for (path, order, status, code, original) in [
        (
            "/endpoints/default/invocations",
            "bad",
            424,
            "ModelError",
            Some((400, "bad\nJSON")),
        ),
        (
            "/endpoints/default/invocations",
            "fail",
            424,
            "ModelError",
            Some((500, "out of luck")),
        ),
        (
            "/endpoints/default/invocations",
            "teapot",
            424,
            "ModelError",
            Some((418, "short and stout")),
        ),
        (
            "/endpoints/nobody/invocations",
            "bad",
            400,
            "ValidationError",
            None,
        ),
        (
            "/endpoints/a_b/invocations",
            "bad",
            400,
            "ValidationError",
            None,
        ),
        (
            "/endpoints/default/other",
            "bad",
            404,
            "UnknownOperationException",
            None,
        ),
    ] {
        let response = client.post(path, order);
        assert_eq!(response.status, status, "{order}");
        assert_eq!(response.header("x-amzn-errortype"), Some(code), "{order}");
        assert_eq!(response.header("x-amzn-requestid").map(str::len), Some(36));
        let json = response.json();
        assert!(json["Message"].is_string(), "{json}");
        if let Some((status, message)) = original {
            assert_eq!(json["OriginalStatusCode"], status);
            assert_eq!(json["OriginalMessage"], message);
        }
    }
    let response = client.post("/endpoints/default/invocations", "attributes");
    assert_eq!(response.status, 200);
    assert_eq!(
        response.header("x-amzn-invoked-production-variant"),
        Some("AllTraffic")
    );
    assert_eq!(
        response.header("x-amzn-sagemaker-custom-attributes"),
        Some("trace=1")
    );
    assert_eq!(response.header("x-amzn-errortype"), None);
}

#[test]
fn headers_reach_the_handler_and_come_back() {
    let server = start(Echo, Limits::default());
    let mut client = Client::connect(server.addr());
    client.send(
        "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 3\r\n\
         X-Amzn-SageMaker-Custom-Attributes: c=d\r\n\r\n1,2",
    );
    let response = client.receive();
    assert_eq!(response.header("content-type"), Some("text/csv"));
    assert_eq!(
        response.header("x-amzn-sagemaker-custom-attributes"),
        Some("c=d")
    );
    assert_eq!(response.body, b"1,2");
    let untyped = client.post("/invocations", "?");
    assert_eq!(
        untyped.header("content-type"),
        Some("application/octet-stream")
    );

    client.send(
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nAccept: \xff\r\nContent-Length: 0\r\n\r\n",
    );
    let response = client.receive();
    assert_eq!(
        (response.status, response.reason()),
        (400, "the header Accept is not visible ASCII".into())
    );
}

#[test]
fn nothing_is_ready_before_everything_is_loaded() {
    let (open, gate) = mpsc::channel::<()>();
    let server = Server::builder()
        .bind("127.0.0.1:0".parse().unwrap())
        .endpoint("fast", || Ok(Box::new(Echo)))
        .endpoint("slow", move || {
            gate.recv().unwrap();
            Ok(Box::new(Echo))
        })
        .start()
        .unwrap();
    let mut client = Client::connect(server.addr());
    assert!(!server.ready());
    assert_eq!(client.request("GET", "/ping").status, 503);
    let response = client.post("/endpoints/slow/invocations", "x");
    assert_eq!(
        (response.status, response.header("x-amzn-errortype")),
        (503, Some("ServiceUnavailable"))
    );
    assert_eq!(response.header("retry-after"), Some("1"));
    open.send(()).unwrap();
    server.wait_ready(PATIENCE).unwrap();
    assert!(server.ready());
    assert_eq!(client.request("GET", "/ping").status, 200);
    assert_eq!(client.post("/endpoints/slow/invocations", "x").body, b"x");
    assert_eq!(client.post("/invocations", "x").body, b"x");
}

#[test]
fn a_model_that_does_not_load_ends_the_server_with_the_reason() {
    struct Picky;
    impl Handler for Picky {
        fn load(model_dir: &str) -> Result<Self> {
            Err(Error::new(
                ErrorKind::NotFound,
                format!("no model.safetensors in {model_dir}"),
            ))
        }
        fn handle(&self, _: Request) -> Result<Response> {
            unreachable!("it never loads")
        }
    }
    let address = "127.0.0.1:0".parse().unwrap();
    let server = Server::builder()
        .bind(address)
        .handler::<Picky>("a", "/m")
        .start()
        .unwrap();
    let failed = server.wait_ready(PATIENCE).unwrap_err();
    assert_eq!(failed.kind(), nexus_serve::ErrorKind::Load);
    assert_eq!(
        server.wait().unwrap_err().to_string(),
        "cannot load endpoint a: no model.safetensors in /m"
    );

    let server = Server::builder()
        .bind(address)
        .endpoint("a", || panic!("asked to"))
        .start()
        .unwrap();
    assert_eq!(
        server.wait().unwrap_err().to_string(),
        "cannot load endpoint a: its loader panicked"
    );
}

#[test]
fn a_wrong_configuration_is_refused_with_the_reason() {
    let builder = || Server::builder().bind("127.0.0.1:0".parse().unwrap());
    let echo = || Ok(Box::new(Echo) as Box<dyn Handler>);
    let limits = |connections_max, head_size_max| Limits {
        connections_max,
        head_size_max,
        ..Limits::default()
    };
    for (builder, reason) in [
        (builder(), "cannot start a server without an endpoint"),
        (
            builder().endpoint("a_b", echo),
            "`a_b` cannot name an endpoint: expected 1 to 63 letters, digits and inner hyphens",
        ),
        (
            builder().endpoint("a", echo).endpoint("a", echo),
            "two endpoints are named a",
        ),
        (
            builder().endpoint("a", echo).limits(limits(0, 8192)),
            "connections_max is not 1 to 1048576",
        ),
        (
            builder().endpoint("a", echo).limits(limits(1, 100)),
            "head_size_max is below 8192 bytes",
        ),
    ] {
        let error = builder.start().err().unwrap();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (nexus_serve::ErrorKind::InvalidInput, reason)
        );
    }
}

#[test]
fn a_port_in_use_is_named_with_a_hint() {
    let server = start(Echo, Limits::default());
    let second = Server::builder()
        .bind(server.addr())
        .endpoint("a", || Ok(Box::new(Echo)))
        .start();
    let error = second.err().unwrap();
    assert_eq!(error.kind(), nexus_serve::ErrorKind::AddressInUse);
    assert_eq!(
        error.to_string(),
        format!("cannot listen at {}: the address is in use", server.addr())
    );
    assert!(error.hint().unwrap().contains("another port"));
}

#[test]
fn pages_are_shown_at_paths_that_no_contract_claims() {
    struct Pages;
    impl Site for Pages {
        fn get(&self, path: &str, query: &str) -> Option<Page> {
            match path {
                "/" => Some(Page::html(format!("<p>{query}"))),
                "/odd" => Some(Page {
                    status: 1,
                    ..Page::html("")
                }),
                "/panic" => panic!("asked to"),
                _ => None,
            }
        }
    }
    let server = ready(
        Server::builder()
            .endpoint("a", || Ok(Box::new(Echo)))
            .site(Arc::new(Pages)),
    );
    let mut client = Client::connect(server.addr());
    let page = client.request("GET", "/?q=a%20b");
    assert_eq!(
        (page.status, page.body.as_slice()),
        (200, b"<p>q=a%20b".as_slice())
    );
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    for (method, path, status) in [
        ("GET", "/none", 404),
        ("POST", "/", 405),
        ("GET", "/odd", 500),
        ("GET", "/panic", 500),
        ("GET", "/ping", 200),
    ] {
        assert_eq!(
            client.request(method, path).status,
            status,
            "{method} {path}"
        );
    }
}
