//! A load generator for HTTP servers that keep connections alive.
//!
//! `cargo run --release -p nexus-serve --example load -- --port 8080 --connections 32 --seconds 3`
//! sends `POST /invocations` with a body of `--size` bytes, each connection one request at a time,
//! from one thread, and prints a line of JSON: requests, errors, seconds, requests per second and
//! percentiles of the latency in microseconds. The first tenth of the time is not counted.
//!
//! With `--spin` the client asks for the answer again and again instead of sleeping until it is
//! there, so that the latency is the server's and does not hold the client's own wake-up.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

/// The most bytes of a response's head.
const HEAD_SIZE_MAX: usize = 4096;

#[derive(Clone)]
struct Plan {
    address: SocketAddr,
    path: String,
    connections: usize,
    size: usize,
    seconds: f64,
    spin: bool,
}

/// What one connection saw after the warm-up.
#[derive(Default)]
struct Seen {
    latencies_ns: Vec<u64>,
    errors: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let plan = parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let seen = runtime.block_on(run(&plan))?;
    println!("{}", report(&plan, seen));
    Ok(())
}

fn parse() -> Result<Plan, Box<dyn Error>> {
    let mut plan = Plan {
        address: (Ipv4Addr::LOCALHOST, 8080).into(),
        path: "/invocations".into(),
        connections: 1,
        size: 64,
        seconds: 2.0,
        spin: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        if option == "--spin" {
            plan.spin = true;
            continue;
        }
        let value = arguments
            .next()
            .ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--port" => plan.address.set_port(value.parse()?),
            "--path" => plan.path = value,
            "--connections" => plan.connections = value.parse()?,
            "--size" => plan.size = value.parse()?,
            "--seconds" => plan.seconds = value.parse()?,
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    Ok(plan)
}

async fn run(plan: &Plan) -> Result<Seen, Box<dyn Error>> {
    let start = Instant::now();
    let counted_from = start + Duration::from_secs_f64(plan.seconds * 0.1);
    let end = start + Duration::from_secs_f64(plan.seconds);
    let mut tasks = Vec::new();
    for _ in 0..plan.connections {
        tasks.push(tokio::spawn(converse(plan.clone(), counted_from, end)));
    }
    let mut all = Seen::default();
    for task in tasks {
        let seen = task.await??;
        all.latencies_ns.extend(seen.latencies_ns);
        all.errors += seen.errors;
    }
    Ok(all)
}

async fn converse(plan: Plan, counted_from: Instant, end: Instant) -> std::io::Result<Seen> {
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/octet-stream\r\n\
         Content-Length: {}\r\n\r\n{}",
        plan.path,
        plan.address,
        plan.size,
        "x".repeat(plan.size)
    );
    let stream = TcpStream::connect(plan.address).await?;
    stream.set_nodelay(true)?;
    let (mut seen, mut buffer) = (Seen::default(), vec![0; plan.size + HEAD_SIZE_MAX]);
    loop {
        let sent = Instant::now();
        if sent >= end {
            return Ok(seen);
        }
        write(&stream, request.as_bytes()).await?;
        let good = read_response(&stream, &mut buffer, plan.spin).await?;
        if sent >= counted_from {
            seen.latencies_ns
                .push(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX));
            seen.errors += u64::from(!good);
        }
    }
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                stream.writable().await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads one response with a `Content-Length`; tells whether its status is 200.
async fn read_response(stream: &TcpStream, buffer: &mut [u8], spin: bool) -> std::io::Result<bool> {
    let (mut filled, mut whole) = (0, None);
    while whole.is_none_or(|size| filled < size) {
        match stream.try_read(&mut buffer[filled..]) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                filled += count;
                whole = whole.or_else(|| response_size(&buffer[..filled]));
            }
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if spin => tokio::task::yield_now().await,
            Err(_) => stream.readable().await?,
        }
    }
    Ok(buffer.starts_with(b"HTTP/1.1 200"))
}

/// The size of head and body, once the head is there.
fn response_size(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let length = std::str::from_utf8(&bytes[..head])
        .ok()?
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
    Some(head + length.unwrap_or(0))
}

fn report(plan: &Plan, seen: Seen) -> serde_json::Value {
    let Seen {
        mut latencies_ns,
        errors,
    } = seen;
    latencies_ns.sort_unstable();
    let percentile_us = |share: f64| {
        let last = latencies_ns.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        latencies_ns.get(at).map_or(0.0, |&ns| ns as f64 / 1000.0)
    };
    let seconds = plan.seconds * 0.9;
    serde_json::json!({
        "requests": latencies_ns.len(),
        "errors": errors,
        "seconds": seconds,
        "requests_per_s": latencies_ns.len() as f64 / seconds,
        "p50_us": percentile_us(0.5),
        "p90_us": percentile_us(0.9),
        "p99_us": percentile_us(0.99),
    })
}
