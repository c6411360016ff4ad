//! An echo server: `cargo run --release -p nexus-serve --example echo -- --port 8080`.
//!
//! `--threads N` reads and writes sockets on N threads, `--queued` runs the handler on a worker
//! thread instead of the socket's own.

use std::error::Error;
use std::net::Ipv4Addr;

use nexus_handler::{Dispatch, Handler, from_fn};
use nexus_serve::{Server, echo::Echo};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut port, mut threads, mut queued) = (0, 1, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{option} needs a value"))
        };
        match option.as_str() {
            "--port" => port = value()?.parse()?,
            "--threads" => threads = value()?.parse()?,
            "--queued" => queued = true,
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    let server = Server::builder()
        .bind((Ipv4Addr::LOCALHOST, port).into())
        .threads(threads)
        .drain_on_signals()
        .endpoint("default", move || {
            if !queued {
                return Ok(Box::new(Echo));
            }
            let echo = from_fn(|request| Echo.handle(request));
            Ok(Box::new(
                echo.with_dispatch(Dispatch::Blocking { threads: 1 }),
            ))
        })
        .start()?;
    println!("listening at {}", server.url());
    server.wait()?;
    Ok(())
}
