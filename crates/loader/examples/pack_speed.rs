//! How fast documents are packed: `pack_speed [documents] [row length] [threads]`.
//!
//! Lengths are log-normal around 500 tokens, as those of web pages, and at most four rows long.

use std::time::Instant;

use nexus_loader::pack::best_fit_with;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let documents = arguments
        .next()
        .map_or(Ok(10_000_000), |text| text.parse())?;
    let row_len = arguments.next().map_or(Ok(2048), |text| text.parse())?;
    let threads = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let lengths = lengths(documents, row_len);
    let mut seconds: Vec<f64> = Vec::new();
    let mut packing = best_fit_with(&lengths, row_len, threads)?;
    for _ in 0..5 {
        let start = Instant::now();
        packing = best_fit_with(&lengths, row_len, threads)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    println!(
        "{documents} documents into {} rows of {row_len} on {threads} threads: {:.1} M documents/s at best, {:.1} in the \
         median, padding {:.4} %",
        packing.rows(),
        documents as f64 / seconds[0] / 1e6,
        documents as f64 / seconds[2] / 1e6,
        packing.padding_share() * 100.0,
    );
    Ok(())
}

fn lengths(documents: usize, row_len: usize) -> Vec<u32> {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1_u64 << 24) as f64
    };
    (0..documents)
        .map(|_| {
            let normal: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            ((500.0 * normal.exp()) as u32).clamp(1, 4 * row_len as u32)
        })
        .collect()
}
