//! Any bytes as a file of images: refused, or batches of the shape asked for. The first byte says the
//! format; of an index and a file, the next four are the size of the index.

use nexus_image::{Transform, TransformOptions};
use nexus_loader::{
    Broken, Format, ImageOptions, ImageSet, Loader, LoaderOptions, Pixels, Shuffle,
};

/// Images that are read of one file.
const IMAGES_MAX: u64 = 16;

/// Opens and reads `data`.
///
/// # Panics
/// When an image has another size than was asked for.
pub fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    let (format, name) = match kind % 4 {
        0 => (Format::Tar, None),
        1 => (Format::Parquet, None),
        2 => (Format::Mds, Some("shard.00000.mds")),
        _ => (Format::Litdata, Some("chunk-0-0.bin")),
    };
    let files = match (name, data.split_first_chunk::<4>()) {
        (None, _) => vec![("one".to_owned(), data.to_vec())],
        (Some(_), None) => return,
        (Some(name), Some((size, rest))) => {
            let at = (u32::from_le_bytes(*size) as usize).min(rest.len());
            let (index, file) = rest.split_at(at);
            let index = ("index".to_owned(), index.to_vec());
            vec![index, (name.to_owned(), file.to_vec())]
        }
    };
    let Ok(set) = ImageSet::from_memory(format, files, &ImageOptions::default()) else {
        return;
    };
    let count = set.len().min(IMAGES_MAX);
    let options = LoaderOptions {
        shuffle: Shuffle::Never,
        threads: 0,
        ..LoaderOptions::default()
    };
    let transform = Transform::new(TransformOptions::new(3, 2)).expect("the options are sound");
    let loader = Loader::images(set, transform, Pixels::Bytes, Broken::Skip, &options);
    let Ok(mut loader) = loader else {
        return;
    };
    for _ in 0..count {
        let Ok(Some(batch)) = loader.next_batch() else {
            return;
        };
        assert_eq!(batch.images().len(), 18);
    }
}
