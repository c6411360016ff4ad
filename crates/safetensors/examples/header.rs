//! A header with many tensors: ours against the `safetensors` crate 0.8.0, in turn, medians.
//!
//! `cargo run --release -p nexus-safetensors --example header -- 100000`

use std::hint::black_box;
use std::time::{Duration, Instant};

use nexus_safetensors::{Dtype, Metadata, SafeTensors, TensorInfo, TensorView, serialize};

const ROUNDS: usize = 9;

fn main() {
    let count = std::env::args().nth(1).map_or(100_000, |text| {
        text.parse().expect("the argument is a number of tensors")
    });
    let data = [0_u8; 16];
    let names: Vec<String> = (0..count).map(name).collect();
    let ours = || {
        names.iter().map(|name| {
            let tensor = TensorView::new(Dtype::F32, vec![4], &data);
            (name, tensor.expect("16 bytes"))
        })
    };
    let theirs = || {
        names.iter().map(|name| {
            let dtype = safetensors::Dtype::F32;
            let tensor = safetensors::tensor::TensorView::new(dtype, vec![4], &data);
            (name, tensor.expect("16 bytes"))
        })
    };
    let file = serialize(ours(), None).expect("a file");
    let (header_size, _) = SafeTensors::read_metadata(&file).expect("sound");
    println!("{count} tensors, header of {header_size} bytes, {ROUNDS} rounds");
    let open = || SafeTensors::deserialize(&file).expect("sound");
    let open_theirs = || safetensors::SafeTensors::deserialize(&file).expect("sound");
    compare(
        "open",
        || drop(black_box(open())),
        || drop(black_box(open_theirs())),
    );
    let unsorted = unsorted(&names);
    for (what, file) in [
        ("open + sorted names", &file),
        ("the same, listed unsorted", &unsorted),
    ] {
        compare(
            what,
            || {
                let tensors = SafeTensors::deserialize(file).expect("sound");
                black_box(tensors.names());
            },
            || {
                let tensors = safetensors::SafeTensors::deserialize(file).expect("sound");
                let mut names = tensors.names();
                names.sort_unstable();
                black_box(names);
            },
        );
    }
    compare(
        "open + every tensor by name",
        || {
            let tensors = open();
            for name in &names {
                drop(black_box(tensors.tensor(name)));
            }
        },
        || {
            let tensors = open_theirs();
            for name in &names {
                drop(black_box(tensors.tensor(name)));
            }
        },
    );
    compare(
        "serialize",
        || drop(black_box(serialize(ours(), None))),
        || drop(black_box(safetensors::serialize(theirs(), None))),
    );
}

/// A file that lists its tensors by their numbers, as scripts do.
fn unsorted(names: &[String]) -> Vec<u8> {
    let info = |(at, name): (usize, &String)| {
        let info = TensorInfo {
            dtype: Dtype::F32,
            shape: vec![4],
            data_offsets: (at * 16, at * 16 + 16),
        };
        (name.clone(), info)
    };
    let infos = names.iter().enumerate().map(info).collect();
    let metadata = Metadata::new(None, infos).expect("sound");
    let json = serde_json::to_vec(&metadata).expect("writable");
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend(json);
    file.resize(file.len() + metadata.data_len(), 0);
    file
}

fn name(at: usize) -> String {
    let (layer, expert) = (at / 512, at % 512);
    format!("model.layers.{layer}.mlp.experts.{expert}.down_proj.weight_scale")
}

fn compare(what: &str, ours: impl Fn(), theirs: impl Fn()) {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        times.0.push(time(&ours));
        times.1.push(time(&theirs));
    }
    let (ours, theirs) = (median(times.0), median(times.1));
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    println!(
        "{what:<28} ours {ours:>10.2?}   safetensors 0.8.0 {theirs:>10.2?}   ratio {ratio:.2}"
    );
}

fn time(work: impl Fn()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
