//! Measures this crate on documents of one file, separated by NUL bytes, or on synthetic signatures.
//!
//! `measure minhash FILE`, `measure near FILE FOLDER THREADS`, `measure substrings FILE`,
//! `measure synthetic COUNT MEMORY_MIB THREADS FOLDER [verify]`. Peak memory: `/usr/bin/time -v`. The last line
//! of the latter is JSON for `bench/data/run.py`.

use nexus_dedup::{Clusterer, MinHasher, Options, Params, ShingleSet, Signature, Substrings};
use std::path::Path;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["minhash", file] => minhash(file),
        ["near", file, folder, threads] => near(file, folder, threads.parse()?),
        ["substrings", file] => substrings(file),
        ["synthetic", count, memory, threads, folder, ref rest @ ..] => {
            let options = Options {
                threshold: (rest == ["verify"]).then_some(0.8),
                memory_size: memory.parse::<u64>()? << 20,
                threads: threads.parse()?,
                ..Options::default()
            };
            synthetic(count.parse()?, Path::new(folder), options)
        }
        _ => Err("see the head of this file for its arguments".into()),
    }
}

fn read(file: &str) -> Result<String> {
    Ok(std::fs::read_to_string(file)?)
}

fn minhash(file: &str) -> Result<()> {
    let text = read(file)?;
    let mut hasher = MinHasher::new(Params::default())?;
    for stage in ["shingles", "signature", "document"] {
        let start = Instant::now();
        let mut count = 0;
        for document in text.split('\0') {
            count += match stage {
                "shingles" => hasher.shingles(document).len(),
                "signature" => hasher.signature(document).values().len(),
                _ => hasher.document(document).1.len(),
            };
        }
        let seconds = start.elapsed().as_secs_f64();
        let rate = text.len() as f64 / 1e6 / seconds;
        println!("{stage}: {seconds:.3} s, {rate:.0} MB/s, {count}");
    }
    Ok(())
}

fn near(file: &str, folder: &str, threads: usize) -> Result<()> {
    let text = read(file)?;
    let options = Options {
        threads,
        ..Options::default()
    };
    let clusterer = Clusterer::open(Path::new(folder), options)?;
    let mut hasher = MinHasher::new(options.params)?;
    let start = Instant::now();
    if let Some(mut shard) = clusterer.shard(0)? {
        for (row, document) in (0..).zip(text.split('\0')) {
            let (signature, set) = hasher.document(document);
            shard.add(row, &signature, Some(&set))?;
        }
        shard.commit()?;
    }
    eprintln!("signatures: {:.3} s", start.elapsed().as_secs_f64());
    let removals = clusterer.finish()?;
    eprintln!(
        "{} removed: {:.3} s",
        removals.count(),
        start.elapsed().as_secs_f64()
    );
    removals.for_each(|removal| {
        let (row, of) = (removal.document.row, removal.duplicate_of.row);
        println!("{row}\t{of}\t{}", removal.jaccard.unwrap_or(f64::NAN));
        Ok::<_, nexus_dedup::Error>(())
    })?;
    Ok(())
}

fn substrings(file: &str) -> Result<()> {
    let text = read(file)?;
    let documents: Vec<&str> = text.split('\0').collect();
    let start = Instant::now();
    let substrings = Substrings {
        memory_size: 8 << 30,
        ..Substrings::default()
    };
    let spans = substrings.of_texts(&documents)?;
    let size: usize = spans.iter().map(|span| span.end - span.start).sum();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} spans of {size} of {} bytes, {seconds:.2} s",
        spans.len(),
        text.len()
    );
    Ok(())
}

/// Signatures of random values; every tenth document is the one before it with a few rows changed.
fn synthetic(count: u32, folder: &Path, options: Options) -> Result<()> {
    let start = Instant::now();
    let clusterer = Clusterer::open(folder, options)?;
    let shards = options.threads as u32;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..shards)
            .map(|shard| {
                let clusterer = &clusterer;
                scope.spawn(move || fill(clusterer, shard, count / shards, options))
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    println!("written: {:.1} s", start.elapsed().as_secs_f64());
    let removals = clusterer.finish()?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{} of {count} removed: {seconds:.1} s", removals.count());
    println!(
        "{{\"kept\": {}, \"removed\": {}}}",
        u64::from(count) - removals.count(),
        removals.count()
    );
    Ok(())
}

fn fill(
    clusterer: &Clusterer,
    shard: u32,
    count: u32,
    options: Options,
) -> std::result::Result<(), nexus_dedup::Error> {
    let Some(mut out) = clusterer.shard(shard)? else {
        return Ok(());
    };
    let mut state = u64::from(shard) << 40;
    let mut random = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^ (z >> 29)
    };
    let rows = options.params.rows;
    let mut values = vec![0; options.params.bands * rows];
    let mut hashes = vec![0; 20];
    for row in 0..count {
        if row % 10 == 9 {
            for _ in 0..4 {
                let at = random() as usize % values.len();
                values[at] = random();
            }
            hashes[0] = random();
        } else {
            values.fill_with(&mut random);
            hashes.fill_with(&mut random);
        }
        let signature = Signature::from_values(values, rows)?;
        let set = options.threshold.map(|_| ShingleSet::new(&hashes));
        out.add(row, &signature, set.as_ref())?;
        values = signature.into_values();
    }
    out.commit()
}
