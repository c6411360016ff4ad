//! One Rust contestant of `./x bench linalg`; the protocol is that of `contestant.py`.
//!
//! `nexus-bench-linalg NAME THREADS`: on each line of stdin `operation n type count`, on stdout a line of JSON.

mod libraries;
mod machine;

use libraries::Library;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

/// As in `contestant.py`.
const BLOCK: Duration = Duration::from_millis(2);
const BLOCKS: usize = 3;
const ONCE: Duration = Duration::from_millis(500);

/// Numbers from -0.5 to 0.5: `SplitMix64` of a counter.
pub fn items(length: usize, seed: u64) -> Vec<f64> {
    (1..=length as u64)
        .map(|i| {
            let mut z = i
                .wrapping_add(seed << 40)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            (z >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        })
        .collect()
}

/// The operands of an order, by rows.
pub struct Operands<T> {
    pub n: usize,
    pub a: Vec<T>,
    pub b: Vec<T>,
    pub s: Vec<T>,
    pub p: Vec<T>,
    pub x: Vec<T>,
}

impl<T> Operands<T> {
    fn new(n: usize, convert: impl Fn(f64) -> T) -> Self {
        let (a, b, x) = (items(n * n, 1), items(n * n, 2), items(n, 3));
        let s: Vec<f64> = (0..n * n)
            .map(|at| f64::midpoint(a[at], a[at % n * n + at / n]))
            .collect();
        let mut p = s.clone();
        (0..n).for_each(|i| p[i * n + i] += n as f64);
        let all = |from: &[f64]| from.iter().map(|&item| convert(item)).collect();
        Self {
            n,
            a: all(&a),
            b: all(&b),
            s: all(&s),
            p: all(&p),
            x: all(&x),
        }
    }
}

/// Seconds a call: the fastest of some blocks.
fn measure(call: &mut dyn FnMut() -> f64) -> (f64, f64) {
    let begin = Instant::now();
    let check = call();
    let mut took = begin.elapsed();
    if took < ONCE {
        let begin = Instant::now();
        std::hint::black_box(call());
        took = begin.elapsed();
    }
    if took >= ONCE {
        return (took.as_secs_f64(), check);
    }
    let calls = (BLOCK.as_nanos() / took.as_nanos().max(10)).max(1) as u32;
    let blocks = if took < ONCE / 10 { BLOCKS } else { 1 };
    let block = |_| {
        let begin = Instant::now();
        (0..calls).for_each(|_| {
            std::hint::black_box(call());
        });
        begin.elapsed().as_secs_f64() / f64::from(calls)
    };
    (
        (0..blocks).map(block).fold(took.as_secs_f64(), f64::min),
        check,
    )
}

fn answer(library: &Library, line: &str) -> Result<String, String> {
    let words: Vec<&str> = line.split(' ').collect();
    let [operation, n, kind, count] = words[..] else {
        return Err("a request is `operation n type count`".to_owned());
    };
    if let Some(found) = machine::figure(operation, kind, library.threads) {
        return Ok(format!("{{\"rate\": {found}}}"));
    }
    if count != "0" {
        return Err("has no stacks".to_owned());
    }
    let n = n.parse().map_err(|_| "n is no number".to_owned())?;
    let (seconds, check) = match kind {
        "f32" => {
            let operands = Operands::new(n, |item| item as f32);
            library.f32(operation, &operands, &mut measure)
        }
        _ => {
            let operands = Operands::new(n, |item| item);
            library.f64(operation, &operands, &mut measure)
        }
    }
    .ok_or("has no such operation")?;
    let check = if check.is_finite() {
        format!("{check:e}")
    } else {
        "null".to_owned()
    };
    Ok(format!("{{\"s\": {seconds:e}, \"check\": {check}}}"))
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let threads = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let Some(library) = Library::named(&name, threads) else {
        eprintln!("error: no library is called `{name}`");
        std::process::exit(2);
    };
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let text =
            answer(&library, &line).unwrap_or_else(|why| format!("{{\"missing\": \"{why}\"}}"));
        println!("{text}");
        std::io::stdout()
            .flush()
            .expect("who asks reads the answer");
    }
}
