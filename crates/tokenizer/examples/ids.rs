//! Encodes texts from a file and writes their ids, to compare and to measure tokenizers:
//! `ids TOKENIZER TEXTS [IDS] [THREADS] [ROUNDS] [OFFSETS]`.
//!
//! Texts end with a zero byte each. For each text, `IDS` (`-` for none) gets the number of ids and
//! the ids, 32 bits little-endian; `OFFSETS` gets start and end of each id, in bytes. Wall seconds of loading and of each round go to standard error.

use nexus_tokenizer::{Encoding, Tokenizer};
use std::io::Write;
use std::num::NonZeroUsize;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument =
        |at: usize, default: &str| arguments.get(at).map_or(default.to_owned(), Clone::clone);
    let start = Instant::now();
    let tokenizer = Tokenizer::from_file(argument(0, "tokenizer.json"))?;
    eprintln!("load {:.4}", start.elapsed().as_secs_f64());
    let texts = std::fs::read_to_string(argument(1, "texts"))?;
    let texts: Vec<&str> = texts.split_terminator('\0').collect();
    let threads: NonZeroUsize = argument(3, "1").parse()?;
    for round in 0..argument(4, "1").parse::<u32>()? {
        let start = Instant::now();
        let batch = tokenizer.encode_batch(&texts, threads);
        eprintln!(
            "round {:.4} ids {}",
            start.elapsed().as_secs_f64(),
            batch.ids.len()
        );
        if round > 0 || argument(2, "-") == "-" {
            continue;
        }
        let mut out = std::io::BufWriter::new(std::fs::File::create(argument(2, "-"))?);
        for ids in batch.iter() {
            out.write_all(&(ids.len() as u32).to_le_bytes())?;
            for id in ids {
                out.write_all(&id.to_le_bytes())?;
            }
        }
    }
    if let Some(path) = arguments.get(5) {
        let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
        let mut encoding = Encoding::default();
        for text in texts {
            tokenizer.encode_with_offsets(text, &mut encoding);
            for (start, end) in &encoding.offsets {
                out.write_all(&start.to_le_bytes())?;
                out.write_all(&end.to_le_bytes())?;
            }
        }
    }
    Ok(())
}
