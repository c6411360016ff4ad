//! The rules of the handler's types.

use std::error::Error as _;

use nexus_handler::{Bytes, Dispatch, Error, ErrorKind, Handler, Request, Response, from_fn};

#[test]
fn each_kind_has_its_status() {
    for (kind, status) in [
        (ErrorKind::InvalidInput, 400),
        (ErrorKind::NotFound, 404),
        (ErrorKind::NotAcceptable, 406),
        (ErrorKind::TooLarge, 413),
        (ErrorKind::UnsupportedMediaType, 415),
        (ErrorKind::LimitReached, 429),
        (ErrorKind::Internal, 500),
        (ErrorKind::Unsupported, 501),
        (ErrorKind::Unavailable, 503),
        (ErrorKind::TimedOut, 504),
    ] {
        assert_eq!(Error::new(kind, "").status(), status, "{kind:?}");
        assert_eq!(ErrorKind::from_status(status), Some(kind));
    }
    assert_eq!(ErrorKind::from_status(418), None);
}

#[test]
fn content_type_is_compared_without_case_and_parameters() {
    for (sent, accepted) in [
        (Some("application/json"), true),
        (Some("Application/JSON; charset=utf-8"), true),
        (Some(" application/json "), true),
        (Some("application/jsonl"), false),
        (Some("text/plain"), false),
        (Some(""), false),
        (None, false),
    ] {
        let mut request = Request::new("{}");
        if let Some(sent) = sent {
            request = request.with_content_type(sent);
        }
        match request.expect_content_type("application/json") {
            Ok(()) => assert!(accepted, "{sent:?}"),
            Err(error) => {
                assert!(!accepted, "{sent:?}");
                assert_eq!(error.kind(), ErrorKind::UnsupportedMediaType);
            }
        }
    }
}

#[test]
fn a_clone_shares_the_body() {
    let request = Request::new(vec![7; 1024])
        .with_custom_attributes("trace=1")
        .with_accept("*/*");
    let clone = request.clone();
    assert_eq!(clone, request);
    assert_eq!(clone.body().as_ptr(), request.body().as_ptr());
    assert_eq!(clone.into_body(), Bytes::from(vec![7; 1024]));
}

#[test]
fn a_batch_is_answered_in_order_and_one_failure_is_alone() {
    let parity = from_fn(|request| match request.body()[0] % 2 {
        0 => Ok(Response::new(request.into_body())),
        _ => Err(Error::invalid_input("odd")),
    });
    let answers = parity.handle_batch((0..4u8).map(|n| Request::new(vec![n])).collect());
    let bodies: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().ok().map(|r| r.body()[0]))
        .collect();
    assert_eq!(bodies, [Some(0), None, Some(2), None]);
}

#[test]
fn a_handler_of_a_closure_has_nothing_to_load() {
    fn load<H: Handler>(_: &H) -> Result<H, Error> {
        H::load("model")
    }
    let handler = from_fn(|_| Ok(Response::new(""))).with_dispatch(Dispatch::Inline);
    assert_eq!(handler.dispatch(), Dispatch::Inline);
    assert_eq!(
        load(&handler).err().map(|error| error.kind()),
        Some(ErrorKind::Unsupported)
    );
}

#[test]
fn an_error_keeps_its_source() {
    let source = "x".parse::<u8>().unwrap_err();
    let error = Error::internal("cannot read the model").with_source(source.clone());
    assert_eq!(error.to_string(), "cannot read the model");
    assert_eq!(error.source().unwrap().to_string(), source.to_string());
}

#[test]
fn a_boxed_handler_is_called_as_any_other() {
    let handler: Box<dyn Handler> = Box::new(from_fn(|_| {
        Ok(Response::json("[]")
            .with_status(202)
            .with_custom_attributes("a=b"))
    }));
    let answer = handler.handle(Request::default()).unwrap();
    assert_eq!(
        (answer.status(), answer.content_type()),
        (202, Some("application/json"))
    );
    assert_eq!(answer.custom_attributes(), Some("a=b"));
    assert_eq!(handler.dispatch(), Dispatch::Blocking { threads: 1 });
}
