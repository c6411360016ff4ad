//! Queues and workers: batches form, overflow is refused, failures stay alone.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::client::{Client, start};
use nexus_handler::{Dispatch, Handler, Request, Response, Result};
use nexus_serve::{Limits, Server};

/// Reports the size of each batch, then waits for permission to answer it.
struct Gated {
    sizes: Mutex<Sender<usize>>,
    open: Mutex<Receiver<()>>,
    dispatch: Dispatch,
}

impl Gated {
    fn new(dispatch: Dispatch) -> (Self, Receiver<usize>, Sender<()>) {
        let (sizes, seen) = channel();
        let (permit, open) = channel();
        (
            Self {
                sizes: Mutex::new(sizes),
                open: Mutex::new(open),
                dispatch,
            },
            seen,
            permit,
        )
    }

    fn pass(&self, size: usize) {
        let _ = self.sizes.lock().unwrap().send(size);
        let _ = self.open.lock().unwrap().recv();
    }
}

impl Handler for Gated {
    fn handle(&self, request: Request) -> Result<Response> {
        self.pass(1);
        Ok(Response::new(request.into_body()))
    }

    fn handle_batch(&self, requests: Vec<Request>) -> Vec<Result<Response>> {
        self.pass(requests.len());
        requests
            .into_iter()
            .map(|request| Ok(Response::new(request.into_body())))
            .collect()
    }

    fn dispatch(&self) -> Dispatch {
        self.dispatch
    }
}

/// Sends `body` on a connection of its own and waits until the server has it.
fn ask(server: &Server, body: &str) -> Client {
    let mut client = Client::connect(server.addr());
    client.send_post("/invocations", body);
    client
}

/// Asks health on a fresh connection. The server has one socket thread and sockets become readable
/// in the order of their bytes, so what was sent before is in the queue afterwards.
fn settle(server: &Server) {
    for _ in 0..3 {
        assert_eq!(
            Client::connect(server.addr())
                .request("GET", "/ping")
                .status,
            200
        );
    }
}

#[test]
fn what_waits_while_a_batch_runs_is_the_next_batch() {
    let (handler, sizes, permit) = Gated::new(Dispatch::Batched { max_requests: 4 });
    let server = start(handler, Limits::default());
    let mut first = ask(&server, "first");
    assert_eq!(sizes.recv().unwrap(), 1);
    let mut rest: Vec<Client> = (0..6).map(|n| ask(&server, &n.to_string())).collect();
    settle(&server);
    for _ in 0..3 {
        permit.send(()).unwrap();
    }
    assert_eq!(first.receive().body, b"first");
    for (n, client) in rest.iter_mut().enumerate() {
        assert_eq!(client.receive().body, n.to_string().as_bytes());
    }
    assert_eq!(sizes.iter().take(2).collect::<Vec<_>>(), [4, 2]);
}

#[test]
fn a_full_queue_is_answered_503() {
    let (handler, sizes, permit) = Gated::new(Dispatch::Blocking { threads: 1 });
    let server = start(
        handler,
        Limits {
            queue_len_max: 2,
            ..Limits::default()
        },
    );
    let mut taken = ask(&server, "a");
    assert_eq!(sizes.recv().unwrap(), 1);
    let mut waiting = [ask(&server, "b"), ask(&server, "c")];
    settle(&server);
    let mut client = Client::connect(server.addr());
    let response = client.post("/endpoints/default/invocations", "d");
    assert_eq!(
        (response.status, response.header("x-amzn-errortype")),
        (503, Some("ServiceUnavailable"))
    );
    assert_eq!(response.reason(), "2 requests are waiting already");
    let response = client.post("/invocations", "d");
    assert_eq!(
        (response.status, response.header("retry-after")),
        (503, Some("1"))
    );
    for _ in 0..3 {
        permit.send(()).unwrap();
    }
    assert_eq!(taken.receive().body, b"a");
    assert!(
        waiting
            .iter_mut()
            .all(|client| client.receive().status == 200)
    );
}

#[test]
fn a_client_that_goes_away_gives_up_its_place() {
    let (handler, sizes, permit) = Gated::new(Dispatch::Blocking { threads: 1 });
    let server = start(
        handler,
        Limits {
            queue_len_max: 1,
            ..Limits::default()
        },
    );
    let mut taken = ask(&server, "a");
    assert_eq!(sizes.recv().unwrap(), 1);
    drop(ask(&server, "b"));
    settle(&server);
    let mut next = ask(&server, "c");
    settle(&server);
    permit.send(()).unwrap();
    permit.send(()).unwrap();
    assert_eq!(taken.receive().body, b"a");
    assert_eq!(next.receive().body, b"c");
}

#[test]
fn an_answer_that_takes_too_long_is_given_up() {
    let (handler, sizes, permit) = Gated::new(Dispatch::Blocking { threads: 1 });
    let limits = Limits {
        answer_timeout: Duration::from_millis(20),
        ..Limits::default()
    };
    let server = start(handler, limits);
    let mut client = ask(&server, "a");
    assert_eq!(sizes.recv().unwrap(), 1);
    let response = client.receive();
    assert_eq!(
        (response.status, response.reason()),
        (504, "the handler did not answer in 0.02 s".into())
    );
    permit.send(()).unwrap();
}

/// Waits until `count` calls run at the same time.
struct Together {
    running: Arc<(Mutex<usize>, Condvar)>,
    count: usize,
}

impl Handler for Together {
    fn handle(&self, _: Request) -> Result<Response> {
        let (running, changed) = &*self.running;
        let mut now = running.lock().unwrap();
        *now += 1;
        changed.notify_all();
        let _all = changed.wait_while(now, |now| *now < self.count).unwrap();
        Ok(Response::text("together"))
    }

    fn dispatch(&self) -> Dispatch {
        Dispatch::Blocking {
            threads: self.count,
        }
    }
}

#[test]
fn blocking_handlers_overlap_on_their_threads() {
    let server = start(
        Together {
            running: Arc::default(),
            count: 3,
        },
        Limits::default(),
    );
    let mut clients: Vec<Client> = (0..3).map(|_| ask(&server, "")).collect();
    assert!(
        clients
            .iter_mut()
            .all(|client| client.receive().body == b"together")
    );
}

/// Panics when a batch holds the word.
struct Fragile {
    gate: Gated,
}

impl Handler for Fragile {
    fn handle(&self, request: Request) -> Result<Response> {
        assert_ne!(request.body().as_ref(), b"panic", "asked to");
        Ok(Response::new(request.into_body()))
    }

    fn handle_batch(&self, requests: Vec<Request>) -> Vec<Result<Response>> {
        let panics = requests
            .iter()
            .any(|request| request.body().as_ref() == b"panic");
        let short = requests
            .iter()
            .any(|request| request.body().as_ref() == b"short");
        self.gate.pass(requests.len());
        assert!(!panics, "asked to");
        let answers = requests
            .into_iter()
            .map(|request| Ok(Response::new(request.into_body())));
        answers.skip(usize::from(short)).collect()
    }

    fn dispatch(&self) -> Dispatch {
        Dispatch::Batched { max_requests: 8 }
    }
}

/// One batch of `orders`, formed while a first request, which is alone, is held back.
fn answer_together(orders: &[&str]) -> Vec<u16> {
    let (gate, sizes, permit) = Gated::new(Dispatch::Inline);
    let hold = Arc::new((Mutex::new(false), Condvar::new()));
    let held = Arc::clone(&hold);
    let server = start(
        Held {
            inner: Fragile { gate },
            held,
        },
        Limits::default(),
    );
    let mut first = ask(&server, "hold");
    // The worker has taken the first request once the queue gives it to `handle`.
    let (taken, changed) = &*hold;
    drop(
        changed
            .wait_while(taken.lock().unwrap(), |taken| !*taken)
            .unwrap(),
    );
    let mut clients: Vec<Client> = orders.iter().map(|order| ask(&server, order)).collect();
    settle(&server);
    *taken.lock().unwrap() = false;
    changed.notify_all();
    assert_eq!(first.receive().status, 200);
    assert_eq!(sizes.recv().unwrap(), orders.len());
    permit.send(()).unwrap();
    clients
        .iter_mut()
        .map(|client| client.receive().status)
        .collect()
}

/// Holds a request `hold` back until it is told to go on.
struct Held {
    inner: Fragile,
    held: Arc<(Mutex<bool>, Condvar)>,
}

impl Handler for Held {
    fn handle(&self, request: Request) -> Result<Response> {
        if request.body().as_ref() == b"hold" {
            let (taken, changed) = &*self.held;
            *taken.lock().unwrap() = true;
            changed.notify_all();
            drop(
                changed
                    .wait_while(taken.lock().unwrap(), |taken| *taken)
                    .unwrap(),
            );
        }
        self.inner.handle(request)
    }

    fn handle_batch(&self, requests: Vec<Request>) -> Vec<Result<Response>> {
        self.inner.handle_batch(requests)
    }

    fn dispatch(&self) -> Dispatch {
        self.inner.dispatch()
    }
}

#[test]
fn a_panic_in_a_batch_fails_only_the_request_at_fault() {
    assert_eq!(answer_together(&["a", "panic", "b"]), [200, 500, 200]);
}

#[test]
fn a_wrong_number_of_answers_fails_the_batch() {
    assert_eq!(answer_together(&["a", "short"]), [500, 500]);
}
