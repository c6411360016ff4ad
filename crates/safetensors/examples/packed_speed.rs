//! How small and how fast the packed format is on a given file.
//!
//! `cargo run --release -p nexus-safetensors --example packed_speed -- FILE [FOLDER] [RUNS]` packs
//! FILE to FOLDER (the system's temporary folder), unpacks it, as it stays in the page cache, to
//! memory that was touched before, verifies checksums, and prints medians in GB (10^9) of raw
//! bytes a second, beside a copy of the same bytes.

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use nexus_safetensors::checksum::{Checksum, Checksums};
use nexus_safetensors::packed::{Isa, PackOptions, PackedFile, pack_file};
use nexus_safetensors::{SafeTensorsFile, TensorView};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let source = PathBuf::from(arguments.next().ok_or("give a safetensors file")?);
    let folder = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let runs = arguments.next().map_or(Ok(7), |runs| runs.parse())?;
    let target = folder.join(format!("nexus-packed-{}.safetensors", std::process::id()));
    let measured = measure(&source, &target, runs);
    std::fs::remove_file(&target)?;
    measured
}

fn measure(source: &PathBuf, target: &PathBuf, runs: usize) -> Result<(), Box<dyn Error>> {
    let file = SafeTensorsFile::open(source)?;
    let names = file.names();
    let size: usize = file.header().data_len();
    let report = pack_file(source, target, &PackOptions::default())?;
    let ratio = 100.0 * report.packed_bytes as f64 / report.raw_bytes as f64;
    println!(
        "{size} bytes in {} tensors, packed {ratio:.2} %",
        names.len()
    );
    let show = |what: &str, threads: usize, mut task: Box<dyn FnMut() + '_>| {
        let mut seconds: Vec<_> = (0..=runs)
            .map(|_| {
                let start = Instant::now();
                task();
                start.elapsed().as_secs_f64()
            })
            .skip(1)
            .collect();
        seconds.sort_by(f64::total_cmp);
        let rate = |seconds: f64| size as f64 / seconds / 1e9;
        let [median, best, worst] = [runs / 2, 0, runs - 1].map(|at| rate(seconds[at]));
        println!("{what:<24} threads {threads}  {median:6.2} GB/s  ({worst:.2} to {best:.2})");
    };
    let views: Vec<(&str, TensorView<'_>)> = names
        .iter()
        .map(|name| Ok((*name, file.tensor(name)?)))
        .collect::<Result<_, nexus_safetensors::SafeTensorError>>()?;
    let mut memory: Vec<Vec<u8>> = views
        .iter()
        .map(|(_, view)| vec![1; view.data().len()])
        .collect();
    let isas = ["avx2", "portable"].map(Isa::named);
    for threads in [1, 2] {
        let count = NonZeroUsize::new(threads).ok_or("no threads")?;
        show(
            "copy",
            1,
            Box::new(|| {
                for ((_, view), memory) in views.iter().zip(&mut memory) {
                    memory.copy_from_slice(view.data());
                }
            }),
        );
        for isa in isas.into_iter().flatten() {
            let packed = PackedFile::open(target)?.with_threads(count).with_isa(isa);
            show(
                &format!("unpack {}", isa.name()),
                threads,
                Box::new(|| {
                    for ((name, _), memory) in views.iter().zip(&mut memory) {
                        packed
                            .unpack_into(name, memory)
                            .expect("a file just packed");
                    }
                }),
            );
        }
        for algorithm in [Checksum::Xxh3, Checksum::Blake3] {
            show(
                algorithm.name(),
                threads,
                Box::new(|| drop(Checksums::compute(&views, algorithm, Some(count)))),
            );
        }
        let options = PackOptions::default().threads(count);
        show(
            "pack to a file",
            threads,
            Box::new(|| drop(pack_file(source, target, &options).expect("packed before"))),
        );
    }
    let packed = PackedFile::open(target)?;
    let same = views
        .iter()
        .all(|(name, view)| packed.unpack(name).is_ok_and(|bytes| bytes == view.data()));
    println!("unpacked bytes are those of the source: {same}");
    Ok(())
}
