//! The server's promises, tried over loopback with a client of the tests' own.

mod batching;
mod client;
mod contracts;
mod drain;
mod hostile;
#[path = "../../../../fuzz/mutate.rs"]
#[expect(unreachable_pub, dead_code, reason = "shared with the fuzz tests")]
mod mutate;
