//! Images a second on one thread: `cargo run --release -p nexus-image --example rate -- FILE...`

use nexus_image::{
    Decoder, Filter, Frame, Hasher, Image, Limits, NearIndex, Resizer, SampleKey, Scratch,
    Transform, TransformOptions,
};
use std::time::Instant;

const ROUNDS: u32 = 5;

/// Hashes put into an index.
const HASHES: u32 = 200_000;

fn measure(name: &str, images: usize, mut run: impl FnMut(usize)) {
    (0..images).for_each(&mut run);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        (0..images).for_each(&mut run);
        best = best.min(start.elapsed().as_secs_f64());
    }
    let each = best / images as f64;
    println!(
        "{name:<28} {:8.3} ms {:8.0} a second",
        each * 1e3,
        1.0 / each
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Result<Vec<_>, _> = std::env::args().skip(1).map(std::fs::read).collect();
    let files = files?;
    let mut decoder = Decoder::default();
    let mut image = Image::new();
    measure("decode", files.len(), |at| {
        decoder.decode(&files[at], &mut image).expect("an image");
    });
    let (mut resizer, mut small) = (Resizer::new(), Image::new());
    for filter in [Filter::Bilinear, Filter::Bicubic, Filter::Lanczos] {
        measure(&format!("resize 341x256 {filter:?}"), files.len(), |_| {
            resizer
                .resize(&image, 341, 256, filter, &mut small)
                .expect("it fits");
        });
    }
    let mut hasher = Hasher::new();
    measure("phash", files.len(), |_| {
        std::hint::black_box(hasher.phash(&image));
    });
    let transform = Transform::new(TransformOptions {
        frame: Frame::Center { shorter: 256 },
        ..TransformOptions::new(224, 224)
    })?;
    let key = SampleKey::default();
    let mut tensor = vec![0.0; transform.len()];
    measure("resize, crop, normalise", files.len(), |_| {
        transform
            .apply(&image, key, &mut resizer, &mut tensor)
            .expect("it fits");
    });
    let mut bytes = vec![0; transform.len()];
    measure("resize, crop", files.len(), |_| {
        transform
            .apply_bytes(&image, key, &mut resizer, &mut bytes)
            .expect("it fits");
    });
    let mut scratch = Scratch::new(Limits::default());
    measure("all", files.len(), |at| {
        transform
            .decode(&files[at], key, &mut scratch, &mut tensor)
            .expect("an image");
    });
    for distance in [3, 6, 10] {
        let mut index = NearIndex::new(distance)?;
        let mut state = 1_u64;
        let start = Instant::now();
        for _ in 0..HASHES {
            // Numerical Recipes' generator, and a multiplication to mix its bits.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            index.insert((state ^ state >> 29).wrapping_mul(0x9E37_79B9_7F4A_7C15))?;
        }
        let each = start.elapsed().as_secs_f64() / f64::from(HASHES);
        println!(
            "insert at distance {distance:<9} {:8.3} us, {} kept",
            each * 1e6,
            index.len()
        );
    }
    Ok(())
}
