//! Runs the fuzz target over its corpus and seeded mutations of it.

#[path = "../../../fuzz/targets/http_request.rs"]
#[expect(unreachable_pub, reason = "shared with the fuzzer")]
mod http_request;
#[path = "../../../fuzz/mutate.rs"]
#[expect(unreachable_pub, reason = "shared with other crates' fuzz tests")]
mod mutate;

#[test]
fn request_paths_and_reasons_hold_under_mutation() {
    mutate::replay("http_request", 20_000, http_request::run);
}
