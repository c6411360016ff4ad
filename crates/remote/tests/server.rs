//! Remote files on a server of our own, which does what servers do when all is well and when not.

#![expect(clippy::single_range_in_vec_init, reason = "lists of ranges")]

#[expect(dead_code, reason = "a server for the tests of another module")]
mod serve;

use std::num::NonZero;
use std::time::Duration;

use nexus_remote::{ErrorKind, RemoteFile, RemoteOptions};
use nexus_safetensors::{Dtype, SafeTensors, TensorView, serialize};
use serve::{Behaviour, Server};

fn file() -> Vec<u8> {
    let big: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let small = [1, 2, 3, 4];
    let tensors = [
        (
            "big",
            TensorView::new(Dtype::U8, vec![4000, 5000], &big).unwrap(),
        ),
        (
            "empty",
            TensorView::new(Dtype::U8, vec![0, 7], &[]).unwrap(),
        ),
        (
            "small",
            TensorView::new(Dtype::U8, vec![4], &small).unwrap(),
        ),
    ];
    serialize(tensors, None).unwrap()
}

/// So long that only a server that never answers fails by it, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);

fn options(timeout: Duration) -> RemoteOptions {
    let mut options = RemoteOptions::default();
    options.timeout = timeout;
    options.attempts = NonZero::new(2).unwrap();
    options
}

fn open(server: &Server) -> Result<RemoteFile, nexus_remote::Error> {
    RemoteFile::open_with(&server.url(), &options(PATIENCE))
}

#[test]
fn one_request_opens_a_file_and_tensors_are_what_the_file_holds() {
    let bytes = file();
    let server = Server::start(bytes.clone(), Behaviour::default());
    let remote = open(&server).unwrap();
    assert_eq!(server.requests(), ["bytes=0-524287"]);
    let local = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(remote.size_bytes(), bytes.len() as u64);
    for (name, view) in local.iter() {
        assert_eq!(remote.info(name).unwrap().shape, view.shape());
        assert!(remote.tensor(name).unwrap() == view.data(), "{name}");
    }
    // The large tensor in pieces of 8 MiB, the small one at once, the empty one not at all.
    assert_eq!(server.requests().len(), 1 + 3 + 1);
}

#[test]
fn a_header_larger_than_the_first_answer_costs_a_second_request() {
    for head_size in [1, 8, 9, 100] {
        let server = Server::start(file(), Behaviour::default());
        let mut options = options(PATIENCE);
        options.head_size = NonZero::new(head_size).unwrap();
        let remote = RemoteFile::open_with(&server.url(), &options).unwrap();
        assert_eq!(remote.header().len(), 3);
        let expected = if head_size < 8 { 3 } else { 2 };
        assert_eq!(server.requests().len(), expected, "{head_size}");
    }
}

#[test]
fn runs_close_together_are_one_request() {
    let bytes = file();
    let server = Server::start(bytes.clone(), Behaviour::default());
    let remote = open(&server).unwrap();
    let runs = [0..10, 5000..5010, 9_000_000..9_000_001, 30..30];
    let read = remote.ranges("big", runs.clone()).unwrap();
    let local = SafeTensors::deserialize(&bytes)
        .unwrap()
        .tensor("big")
        .unwrap();
    let expected: Vec<u8> = runs
        .into_iter()
        .flat_map(|run| local.data()[run].to_vec())
        .collect();
    assert_eq!(read, expected);
    assert_eq!(server.requests().len(), 1 + 2);
    let error = remote.ranges("small", [2..5]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[test]
fn a_query_in_the_address_is_kept() {
    let server = Server::start(file(), Behaviour::default());
    RemoteFile::open_with(
        &format!("{}?signature=a%2Fb", server.url()),
        &options(PATIENCE),
    )
    .unwrap();
    assert_eq!(
        server.paths(),
        ["/models/a%20b.safetensors?signature=a%2Fb"]
    );
}

#[test]
fn what_goes_wrong_has_its_kind_and_words() {
    let truncated = file()[..1000].to_vec();
    let cases = [
        (
            Behaviour::Status(404),
            file(),
            ErrorKind::NotFound,
            "there is no such file",
        ),
        (Behaviour::Status(403), file(), ErrorKind::Denied, "refuses"),
        (Behaviour::Status(401), file(), ErrorKind::Denied, "refuses"),
        (
            Behaviour::Status(503),
            file(),
            ErrorKind::Unavailable,
            "503",
        ),
        (
            Behaviour::NoRanges,
            file(),
            ErrorKind::Unsupported,
            "does not answer range requests",
        ),
        (
            Behaviour::Short,
            file(),
            ErrorKind::Unavailable,
            "cannot read",
        ),
        (
            Behaviour::Silent,
            file(),
            ErrorKind::Unavailable,
            "cannot read",
        ),
        (
            Behaviour::WrongRange,
            file(),
            ErrorKind::Unavailable,
            "cannot read",
        ),
        (
            Behaviour::Endless,
            file(),
            ErrorKind::Corrupt,
            "more bytes came than the 524288 asked for",
        ),
        (Behaviour::Loud, file(), ErrorKind::Unavailable, "400"),
        (
            Behaviour::default(),
            truncated,
            ErrorKind::Corrupt,
            "not fully covered",
        ),
        (
            Behaviour::default(),
            b"version".to_vec(),
            ErrorKind::Corrupt,
            "header too small",
        ),
        (
            Behaviour::default(),
            Vec::new(),
            ErrorKind::Corrupt,
            "it is empty",
        ),
        (
            Behaviour::default(),
            b"<!doctype html>".to_vec(),
            ErrorKind::LimitReached,
            "header too large",
        ),
    ];
    for (behaviour, bytes, kind, words) in cases {
        let server = Server::start(bytes, behaviour);
        let patience = match behaviour {
            Behaviour::Silent => Duration::from_millis(300),
            _ => PATIENCE,
        };
        let url = format!("{}?sig=s3cret", server.url());
        let opened = RemoteFile::open_with(&url, &options(patience));
        let error = opened.expect_err(words);
        assert_eq!(error.kind(), kind, "{behaviour:?}: {error}");
        let text = error.to_string();
        assert!(text.contains(words), "{behaviour:?}: {error}");
        assert!(
            text.len() < 2000 && !text.contains(char::is_control),
            "{text}"
        );
        assert!(text.contains("safetensors"), "the address is named: {text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn an_address_that_is_none_is_invalid() {
    for url in ["", "model.safetensors", "ftp://127.0.0.1/a", "http://"] {
        let error = RemoteFile::open_with(url, &options(PATIENCE)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}: {error}");
    }
    let url = "http://me:s3cret@[::1/a?sig=s3cret";
    let error = RemoteFile::open_with(url, &options(PATIENCE)).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn a_missing_tensor_is_not_found() {
    let server = Server::start(file(), Behaviour::default());
    let error = open(&server).unwrap().tensor("no").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("tensor `no` not found"),
        "{error}"
    );
}

#[test]
fn a_server_that_does_not_listen_is_unavailable() {
    let url = Server::start(Vec::new(), Behaviour::default()).stop();
    let error = RemoteFile::open_with(&url, &options(PATIENCE)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.hint().unwrap().contains("network"));
}

#[test]
fn tls_to_a_server_without_it_is_an_error_and_no_panic() {
    let server = Server::start(file(), Behaviour::default());
    let url = server.url().replace("http:", "https:");
    let error = RemoteFile::open_with(&url, &options(PATIENCE)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[test]
fn a_file_that_changed_meanwhile_is_an_error() {
    // Told by the server (If-Match), by another tag in the answer, and by the size.
    for tag in [Some("\"a\""), Some("W/\"a\""), None] {
        let server = Server::start(file(), Behaviour::default());
        server.set_tag(tag);
        let remote = open(&server).unwrap();
        assert_eq!(remote.tensor("small").unwrap(), [1, 2, 3, 4]);
        let mut longer = file();
        longer.push(0);
        server.replace(longer);
        server.set_tag(tag.map(|tag| {
            if tag.starts_with('W') {
                "W/\"b\""
            } else {
                "\"b\""
            }
        }));
        let error = remote.tensor("small").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed, "{tag:?}: {error}");
    }
}

#[test]
fn an_error_that_passes_is_tried_again() {
    for behaviour in [
        Behaviour::FailFirst(503),
        Behaviour::FailFirst(429),
        Behaviour::ShortFirst,
    ] {
        let server = Server::start(file(), behaviour);
        assert_eq!(open(&server).unwrap().header().len(), 3, "{behaviour:?}");
        assert_eq!(server.requests().len(), 2, "{behaviour:?}");
    }
}

#[test]
fn threads_read_side_by_side() {
    let bytes = file();
    let server = Server::start(bytes.clone(), Behaviour::default());
    let remote = open(&server).unwrap();
    let local = SafeTensors::deserialize(&bytes).unwrap();
    std::thread::scope(|scope| {
        for name in ["big", "small", "big", "empty"] {
            let (remote, view) = (&remote, local.tensor(name).unwrap());
            scope.spawn(move || assert!(remote.tensor(name).unwrap() == view.data()));
        }
    });
}

#[test]
fn inside_of_a_runtime_it_is_an_error_and_no_panic() {
    let server = Server::start(file(), Behaviour::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let remote = open(&server).unwrap();
    let errors = runtime.block_on(async move {
        let errors = [
            remote.tensor("small").unwrap_err(),
            open(&server).unwrap_err(),
        ];
        drop(remote);
        errors
    });
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
}
