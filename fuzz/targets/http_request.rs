//! Paths, endpoint names and reasons: what of a request is parsed or repeated here, not in hyper.

use nexus_serve::fault::Fault;
use nexus_serve::route::{Route, is_endpoint_name};

/// The first line is a path, the rest a handler's reason.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (path, reason) = text.split_once('\n').unwrap_or((&text, ""));
    if let Route::Endpoint(name) = Route::parse(path) {
        assert!(is_endpoint_name(&name), "{name}");
        let canonical = format!("/endpoints/{name}/invocations");
        assert_eq!(Route::parse(&canonical), Route::Endpoint(name.clone()));
        check(&Fault::UnknownEndpoint {
            name: name.into_owned(),
        });
    }
    check(&Fault::Model {
        status: 400,
        message: reason.to_owned(),
    });
}

/// Both shapes are one line of JSON that holds the reason.
fn check(fault: &Fault) {
    let reason = fault.to_string();
    let (container, aws) = (fault.body(), fault.to_aws());
    for body in [&container, &aws.body] {
        assert!(!body.contains('\n'), "{body}");
    }
    assert!((400..600).contains(&aws.status));
    let parsed: serde_json::Value = serde_json::from_str(&container).unwrap();
    assert_eq!(parsed["error"], reason);
    let parsed: serde_json::Value = serde_json::from_str(&aws.body).unwrap();
    let message = parsed.get("OriginalMessage").unwrap_or(&parsed["Message"]);
    assert!(reason.starts_with(message.as_str().unwrap()));
}
