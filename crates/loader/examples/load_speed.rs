//! How many rows of 2048 tokens, or images of 224 x 224, a loader gives a second:
//! `cargo run --release -p nexus-loader --example load_speed -- tokens|images PATH [ROWS]`.
//!
//! Rows are documents of a table or of MDS, and windows of other shards. Each batch of 32 is touched
//! once, as a copy to a device would.

use std::error::Error;
use std::time::Instant;

use nexus_image::{Frame, Transform, TransformOptions};
use nexus_loader::{
    Broken, Corpus, ImageOptions, ImageSet, Loader, LoaderOptions, Maker, OpenOptions, Pixels,
    Rows, Split,
};

const BATCH: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, kind, path, rest @ ..] = arguments.as_slice() else {
        return Err("name tokens or images, and a path".into());
    };
    let wanted = rest.first().map_or(Ok(50_000), |text| text.parse())?;
    let options = LoaderOptions {
        split: Split {
            batch: BATCH,
            ..Split::default()
        },
        seed: 7,
        ..LoaderOptions::default()
    };
    let start = Instant::now();
    if kind == "images" {
        let set = ImageSet::open(&[path], &ImageOptions::default())?;
        let transform = Transform::new(TransformOptions {
            frame: Frame::Center { shorter: 256 },
            ..TransformOptions::new(224, 224)
        })?;
        let loader = Loader::images(set, transform, Pixels::Floats, Broken::Fail, &options)?;
        return measure(loader, start, wanted, |batch| batch.images().len());
    }
    let corpus = Corpus::open(&[path], &OpenOptions::default())?;
    let lens = [".parquet", "mds"].iter().any(|name| path.contains(name));
    let rows = if lens {
        Rows::documents(corpus, 2048)
    } else {
        Rows::windows(corpus, 2048, 2048)
    }?;
    measure(Loader::new(rows, &options)?, start, wanted, |batch| {
        let sum = |sum: usize, bytes: &[u8; 64]| sum + usize::from(bytes[0]);
        batch.tokens().as_chunks().0.iter().fold(0, sum)
    })
}

fn measure<M: Maker>(
    mut loader: Loader<M>,
    start: Instant,
    wanted: usize,
    touch: impl Fn(&M::Batch) -> usize,
) -> Result<(), Box<dyn Error>> {
    let (mut touched, mut taken, mut delays) = (0, 0, Vec::new());
    let mut last = Instant::now();
    let opened = last - start;
    while taken < wanted {
        if let Some(batch) = loader.next_batch()? {
            touched += touch(&batch);
            delays.push(last.elapsed());
            last = Instant::now();
            taken += BATCH;
        }
    }
    let first = delays[0];
    let seconds: f64 = delays[1..]
        .iter()
        .map(std::time::Duration::as_secs_f64)
        .sum();
    delays.sort_unstable();
    println!(
        "{:.0} rows/s, opened in {opened:?}, first batch {first:?}, p50 {:?}, p99 {:?} ({touched})",
        (taken - BATCH) as f64 / seconds,
        delays[delays.len() / 2],
        delays[delays.len() * 99 / 100]
    );
    let state = loader.state();
    let start = Instant::now();
    loader.set_state(&state)?;
    let set = start.elapsed();
    loader.next_batch()?;
    println!("resumed in {set:?}, next batch after {:?}", start.elapsed());
    Ok(())
}
