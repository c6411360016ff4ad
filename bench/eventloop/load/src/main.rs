//! The load of `./x bench eventloop`, and the servers that are its limit.
//!
//!     nexus-bench-eventloop load KIND ADDRESS SIZE CONNECTIONS WARM_MS MEASURED_MS [PID]
//!     nexus-bench-eventloop echo KIND ADDRESS
//!     nexus-bench-eventloop idle ADDRESS CONNECTIONS
//!
//! A kind is `tcp`, `unix`, `udp` or `tls`; TLS has no server here.

mod client;
mod echo;
mod link;
mod sys;

use std::error::Error;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let Err(error) = run(&words) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn run(words: &[&str]) -> Result<(), Box<dyn Error>> {
    match words {
        [
            "load",
            kind,
            address,
            size,
            connections,
            warm,
            measured,
            pid @ ..,
        ] => {
            let plan = client::Plan {
                kind,
                address,
                size: size.parse()?,
                connections: connections.parse()?,
                warm: Duration::from_millis(warm.parse()?),
                measured: Duration::from_millis(measured.parse()?),
                server: pid.first().map(|pid| pid.parse()).transpose()?,
            };
            println!("{}", client::run(&plan)?);
            Ok(())
        }
        ["echo", "udp", address] => echo::datagrams(address),
        ["echo", kind, address] => echo::streams(kind, address),
        ["idle", address, connections] => idle(address, connections.parse()?),
        _ => Err("see the head of main.rs for the words".into()),
    }
}

/// Keeps connections open until standard input ends.
fn idle(address: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let open: Result<Vec<_>, _> = (0..count).map(|_| TcpStream::connect(address)).collect();
    let open = open?;
    println!("{}", open.len());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
