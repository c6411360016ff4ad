//! Pipelines over a server of our own, which does what servers do when all is well and when not. What
//! real servers answer is tested from Python, in `tests/data/test_objects.py`.

#[expect(dead_code, reason = "a server for the tests of another module")]
mod serve;

use std::num::NonZero;
use std::time::Duration;

use nexus_data::{Error, ErrorKind, Format, Output, Pipeline, Report, RunOptions};
use nexus_remote::Objects;
use serve::{Behaviour, Server};

/// So long that only a server that never answers fails by it, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);
/// For a server that never answers.
const IMPATIENCE: Duration = Duration::from_millis(200);

const ROWS: u64 = 20_000;

fn lines() -> Vec<u8> {
    let line = |row| format!("{{\"text\": \"row {row} of some more text to fill a line\"}}\n");
    (0..ROWS).flat_map(|row| line(row).into_bytes()).collect()
}

fn objects(server: &Server, timeout: Duration) -> Objects {
    let mut objects = Objects::new()
        .with_attempts(NonZero::new(3).unwrap())
        .with_timeout(timeout);
    for (key, value) in [
        ("aws_endpoint", server.origin().as_str()),
        ("aws_access_key_id", "me"),
        ("aws_secret_access_key", "s3cret"),
        ("aws_region", "here"),
    ] {
        objects = objects.with_option(key, value).unwrap();
    }
    objects
}

fn address(server: &Server, scheme: &str, name: &str) -> String {
    match scheme {
        "http" => format!("{}/{name}", server.origin()),
        _ => format!("{scheme}://bucket/{name}"),
    }
}

fn run(server: &Server, scheme: &str, name: &str, timeout: Duration) -> Result<Report, Error> {
    Pipeline::read(address(server, scheme, name))
        .storage(objects(server, timeout))
        .run(&RunOptions::default())
}

#[test]
fn an_object_is_read_whole_also_when_the_server_stumbles() {
    for scheme in ["http", "s3"] {
        for behaviour in [
            Behaviour::Sound,
            Behaviour::ShortFirst,
            Behaviour::FailFirst(500),
            Behaviour::FailFirst(503),
            Behaviour::Slow,
        ] {
            let server = Server::start(lines(), behaviour);
            let report = run(&server, scheme, "a.jsonl", PATIENCE).unwrap();
            let found = (report.rows(), report.rejected.count);
            assert_eq!(found, (ROWS, 0), "{scheme} {behaviour:?}");
        }
    }
    // A web server without ranges is good enough, as long as it does not break off.
    let server = Server::start(lines(), Behaviour::NoRanges);
    let report = run(&server, "http", "a.jsonl?token=s3cret", PATIENCE).unwrap();
    assert_eq!(report.rows(), ROWS);
    assert_eq!(server.paths(), ["/a.jsonl?token=s3cret"]);
}

#[test]
fn secrets_of_an_address_are_nowhere_in_what_a_run_writes() {
    let server = Server::start(
        [lines(), b"{\"text\": 7}\n".to_vec()].concat(),
        Behaviour::Sound,
    );
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let url = format!("{}/a.jsonl?token=s3cret", server.origin()).replace("://", "://me:s3cret@");
    let pipeline = Pipeline::read(&url)
        .storage(objects(&server, PATIENCE))
        .filter(|row| row.line() != Some(2))
        .write_jsonl(path("out.jsonl"))
        .write_rejects(path("rejects.jsonl"))
        .write_audit(path("audit.jsonl"));
    let report = pipeline.run(&RunOptions::default()).unwrap();
    assert_eq!((report.rows(), report.rejected.count), (ROWS - 1, 1));
    let shown = format!("{}/a.jsonl", server.origin());
    for name in ["out.jsonl", "rejects.jsonl", "audit.jsonl"] {
        let text = std::fs::read_to_string(path(name)).unwrap();
        assert!(text.contains(&shown), "{name}");
        assert!(!text.contains("s3cret"), "{name}");
    }
    let told = format!(
        "{pipeline:?} {:?} {report:?}",
        pipeline.explain(&RunOptions::default()).unwrap()
    );
    assert!(told.contains(&shown) && !told.contains("s3cret"), "{told}");
    for (source, storage) in [
        (url.clone(), false),
        (url.replace("a.jsonl", "a.unknown"), true),
        (url.replace("http://", "https:/"), false),
    ] {
        let pipeline = Pipeline::read(&source);
        let pipeline = if storage {
            pipeline.storage(objects(&server, PATIENCE))
        } else {
            pipeline
        };
        let error = pipeline.run(&RunOptions::default()).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("s3cret"),
            "{error:?}"
        );
    }
}

#[test]
fn what_goes_wrong_ends_the_run_with_its_kind_and_words() {
    let cases = [
        (
            "http",
            Behaviour::Status(404),
            ErrorKind::NotFound,
            "there is no such file",
        ),
        ("http", Behaviour::Status(403), ErrorKind::Denied, "refuses"),
        ("http", Behaviour::Status(401), ErrorKind::Denied, "refuses"),
        ("s3", Behaviour::Status(403), ErrorKind::Denied, "refuses"),
        (
            "http",
            Behaviour::Status(500),
            ErrorKind::Unavailable,
            "500",
        ),
        ("s3", Behaviour::Status(503), ErrorKind::Unavailable, "503"),
        (
            "http",
            Behaviour::Short,
            ErrorKind::Unavailable,
            "cut at byte",
        ),
        ("s3", Behaviour::Short, ErrorKind::Unavailable, "a.jsonl"),
        ("http", Behaviour::Change, ErrorKind::Changed, "it changed"),
        ("s3", Behaviour::Change, ErrorKind::Changed, "it changed"),
        (
            "s3",
            Behaviour::NoRanges,
            ErrorKind::Unsupported,
            "range requests",
        ),
        (
            "s3",
            Behaviour::WrongRange,
            ErrorKind::Unavailable,
            "a.jsonl",
        ),
        ("http", Behaviour::Silent, ErrorKind::Unavailable, "a.jsonl"),
        ("s3", Behaviour::Silent, ErrorKind::Unavailable, "a.jsonl"),
    ];
    for (scheme, behaviour, kind, words) in cases {
        let timeout = match behaviour {
            Behaviour::Silent => IMPATIENCE,
            _ => PATIENCE,
        };
        let server = Server::start(lines(), behaviour);
        let name = match scheme {
            "http" => "a.jsonl?token=s3cret",
            _ => "a.jsonl",
        };
        let error = run(&server, scheme, name, timeout);
        let error = error.expect_err(&format!("{scheme} {behaviour:?}"));
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{scheme} {behaviour:?}: {text}");
        assert!(text.contains(words), "{scheme} {behaviour:?}: {text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_server_that_is_gone_is_an_error() {
    let server = Server::start(lines(), Behaviour::Sound);
    let objects = objects(&server, PATIENCE);
    let url = address(&server, "http", "a.jsonl");
    server.stop();
    let pipeline = Pipeline::read(url).storage(objects);
    let error = pipeline.run(&RunOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[test]
fn a_cloud_that_refuses_is_told_in_its_words() {
    let server = Server::start(lines(), Behaviour::Refuse);
    for name in ["", "folder/", "x/*.jsonl"] {
        let error = run(&server, "s3", name, PATIENCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{name}: {error}");
        let words = "InvalidAccessKeyId: The key does not exist.";
        // A pattern is first asked after as a name, and such an answer has no words.
        assert!(
            error.to_string().contains(words) || name.contains('*'),
            "{error}"
        );
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let shards = Output::new("s3://bucket/out").format(Format::Jsonl);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "a").unwrap();
    for output in [shards, Output::new("s3://bucket/out.jsonl")] {
        let error = Pipeline::read(folder.path())
            .storage(objects(&server, PATIENCE))
            .write(output)
            .run(&RunOptions::default())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("a.txt");
    std::fs::write(&source, "a").unwrap();
    let local = |output: &str| {
        Pipeline::read(&source)
            .storage(Objects::new())
            .write(output)
    };
    for (pipeline, words) in [
        (
            local("https://a.example/b.jsonl"),
            "web servers are only read",
        ),
        (local("s3:///b.jsonl"), "names no bucket"),
        (
            local("b.jsonl").write_rejects("s3://bucket/rejects.jsonl"),
            "cannot write rejects",
        ),
        (
            Pipeline::read(&source).write("s3://bucket/b.jsonl"),
            "is no path of this machine",
        ),
        (
            Pipeline::read("s3:/bucket/b.jsonl"),
            "is no path of this machine",
        ),
    ] {
        let error = pipeline.run(&RunOptions::default()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = Objects::new().with_option("aws_regoin", "x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "object stores have no option `aws_regoin`"
    );
    let objects = Objects::new()
        .with_option("aws_secret_access_key", "s3cret")
        .unwrap();
    assert!(!format!("{objects:?}").contains("s3cret"));
}

#[test]
fn a_run_that_waits_for_a_server_can_be_cancelled() {
    let server = Server::start(lines(), Behaviour::Silent);
    let options = RunOptions::default();
    let cancel = options.cancel.clone();
    let pipeline = Pipeline::read(address(&server, "s3", "a.jsonl"))
        .storage(objects(&server, Duration::from_mins(10)));
    let running = std::thread::spawn(move || pipeline.run(&options));
    cancel.cancel();
    let error = running.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
}
