//! Images: the same tensors as one by one, from every kind of file; and what is broken is named.

mod samples;
mod tar;

use std::fs;
use std::path::{Path, PathBuf};

use nexus_image::{Frame, Limits, SampleKey, Scratch, Transform, TransformOptions};
use nexus_loader::{
    Broken, Error, ErrorKind, Format, ImageOptions, ImageSet, Images, Loader, LoaderOptions,
    Pixels, Shuffle, Split, Tail,
};
use samples::samples;
use tar::tar;

const NAMES: [&str; 5] = ["rgb.jpg", "rgb.png", "lossy.webp", "grey.jpg", "s420.jpg"];

fn files() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/tests/files");
    NAMES
        .map(|name| fs::read(folder.join(name)).unwrap())
        .into()
}

fn transform() -> Transform {
    let options = TransformOptions {
        frame: Frame::RandomResized {
            area: (0.2, 1.0),
            aspect: (0.75, 1.33),
        },
        flip: 0.5,
        ..TransformOptions::new(16, 12)
    };
    Transform::new(options).unwrap()
}

/// What image `row` is in an epoch, made by itself.
fn expected(row: u64, epoch: u64) -> Vec<u8> {
    let transform = transform();
    let mut tensor = vec![0.0; transform.len()];
    let key = SampleKey {
        seed: 5,
        epoch,
        sample: row,
    };
    let mut scratch = Scratch::new(Limits::default());
    let file = &files()[row as usize % NAMES.len()];
    transform
        .decode(file, key, &mut scratch, &mut tensor)
        .unwrap();
    tensor.into_iter().flat_map(f32::to_ne_bytes).collect()
}

fn options(threads: usize) -> LoaderOptions {
    LoaderOptions {
        split: Split {
            batch: 2,
            tail: Tail::Keep,
            ..Split::default()
        },
        seed: 5,
        threads,
        ..LoaderOptions::default()
    }
}

fn loader(set: ImageSet, threads: usize) -> Loader<Images> {
    let options = options(threads);
    Loader::images(set, transform(), Pixels::Floats, Broken::Fail, &options).unwrap()
}

/// Reads an epoch and checks each image; the rows and their labels in order.
fn read(loader: &mut Loader<Images>) -> Vec<(u64, i64)> {
    let mut all = Vec::new();
    while let Some(batch) = loader.next_batch().unwrap() {
        let images = batch.images().chunks_exact(16 * 12 * 3 * 4);
        assert_eq!(images.len(), batch.len());
        for (&row, image) in batch.rows().iter().zip(images) {
            assert!(image == expected(row, batch.epoch()), "image {row}");
        }
        let labels = batch.labels().unwrap().iter().copied();
        all.extend(batch.rows().iter().copied().zip(labels));
    }
    all
}

fn check(set: impl Fn() -> ImageSet) {
    let mut first = loader(set(), 0);
    let (order, next) = (read(&mut first), read(&mut first));
    let mut sorted = order.clone();
    sorted.sort_unstable();
    let labels = |row: u64| row as i64 * 10;
    assert_eq!(
        sorted,
        (0..5).map(|row| (row, labels(row))).collect::<Vec<_>>()
    );
    let mut second = loader(set(), 3);
    assert_eq!(second.next_batch().unwrap().unwrap().len(), 2);
    let state = second.state();
    let mut third = loader(set(), 1);
    third.set_state(&state).unwrap();
    assert_eq!(read(&mut third), order[2..]);
    assert_eq!(read(&mut third), next);
}

fn archive(files: &[Vec<u8>]) -> Vec<u8> {
    let members: Vec<(String, Vec<u8>)> = files
        .iter()
        .enumerate()
        .flat_map(|(at, file)| {
            let extension = NAMES[at].rsplit('.').next().unwrap();
            let image = (format!("a/{at}.{extension}"), file.clone());
            [
                image,
                (format!("a/{at}.cls"), format!("{at}0").into_bytes()),
            ]
        })
        .collect();
    let members: Vec<_> = members
        .iter()
        .map(|(n, b)| (n.as_str(), b.as_slice()))
        .collect();
    tar(&members)
}

fn of_tar(files: &[Vec<u8>]) -> Result<ImageSet, Error> {
    let files = vec![("images.tar".to_owned(), archive(files))];
    ImageSet::from_memory(Format::Tar, files, &ImageOptions::default())
}

#[test]
fn archives_are_read() {
    check(|| of_tar(&files()).unwrap());
}

/// Samples of an image and a label of 64 bits, `fixed` without the size of the label.
fn columns(fixed: bool) -> Vec<u8> {
    let sample = |(at, file): (usize, &Vec<u8>)| {
        let mut sample = Vec::new();
        if !fixed {
            sample.extend(8_u32.to_le_bytes());
        }
        sample.extend((file.len() as u32).to_le_bytes());
        sample.extend((at as i64 * 10).to_le_bytes());
        sample.extend(file);
        sample
    };
    let files = files();
    samples(
        "",
        &files.iter().enumerate().map(sample).collect::<Vec<_>>(),
    )
}

#[test]
fn mds_shards_are_read_plain_and_packed() {
    for packed in [false, true] {
        check(|| {
            let shard = columns(true);
            let size = shard.len();
            let stored = if packed {
                zstd::bulk::compress(&shard, 1).unwrap()
            } else {
                shard
            };
            let (name, zip) = if packed {
                let zip = format!(r#"{{"basename":"s.zstd","bytes":{}}}"#, stored.len());
                ("s.zstd", zip)
            } else {
                ("s.mds", "null".to_owned())
            };
            let index = format!(
                r#"{{"version":2,"shards":[{{"column_encodings":["int","jpeg"],"column_names":["label","image"],"column_sizes":[8,null],"compression":"zstd","format":"mds","raw_data":{{"basename":"s.mds","bytes":{size},"hashes":{{}}}},"samples":5,"zip_data":{zip}}}]}}"#
            );
            let files = vec![
                ("index.json".to_owned(), index.into_bytes()),
                (name.to_owned(), stored),
            ];
            ImageSet::from_memory(Format::Mds, files, &ImageOptions::default()).unwrap()
        });
    }
}

#[test]
fn litdata_chunks_are_read() {
    check(|| {
        let index = r#"{"chunks":[{"chunk_bytes":9,"chunk_size":5,"dim":null,"filename":"c.bin"}],"config":{"compression":null,"data_format":["int","image:png"],"data_spec":"","encryption":null}}"#;
        let files = vec![
            ("index.json".to_owned(), index.as_bytes().to_vec()),
            ("c.bin".to_owned(), columns(false)),
        ];
        ImageSet::from_memory(Format::Litdata, files, &ImageOptions::default()).unwrap()
    });
}

/// A folder for each class, named by its label.
fn folder(root: &Path) -> PathBuf {
    for (at, (name, file)) in NAMES.iter().zip(files()).enumerate() {
        let class = root.join(format!("class{at}")).join("below");
        fs::create_dir_all(&class).unwrap();
        fs::write(class.join(name), file).unwrap();
        fs::write(class.join("notes.txt"), "no image").unwrap();
    }
    root.to_owned()
}

#[test]
fn folders_of_classes_are_read() {
    let root = tempfile::tempdir().unwrap();
    let set = ImageSet::open(&[folder(root.path())], &ImageOptions::default()).unwrap();
    assert_eq!(
        set.classes(),
        ["class0", "class1", "class2", "class3", "class4"]
    );
    let mut all = read(&mut loader(set, 2));
    all.sort_unstable();
    assert_eq!(all, (0..5).map(|row| (row, row as i64)).collect::<Vec<_>>());
}

#[test]
fn images_without_labels_have_none() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("x.jpg"), &files()[0]).unwrap();
    let set = ImageSet::open(&[root.path()], &ImageOptions::default()).unwrap();
    let batch = loader(set, 0).next_batch().unwrap().unwrap();
    assert_eq!((batch.len(), batch.labels()), (1, None));
}

#[test]
fn bytes_are_given_as_they_are() {
    let set = of_tar(&files()).unwrap();
    let never = LoaderOptions {
        shuffle: Shuffle::Never,
        ..options(1)
    };
    let squeezed = Transform::new(TransformOptions::new(9, 7)).unwrap();
    let mut loader =
        Loader::images(set, squeezed.clone(), Pixels::Bytes, Broken::Fail, &never).unwrap();
    let batch = loader.next_batch().unwrap().unwrap();
    let mut wanted = vec![0; squeezed.len()];
    let mut scratch = Scratch::new(Limits::default());
    squeezed
        .decode_bytes(&files()[1], SampleKey::default(), &mut scratch, &mut wanted)
        .unwrap();
    assert_eq!(batch.images()[squeezed.len()..], wanted);
}

#[test]
fn a_broken_image_is_named_or_left_out() {
    let mut broken = files();
    broken[1].truncate(30);
    broken[3] = b"GIF89a".to_vec();
    let load = |broken_images: &[Vec<u8>], how| {
        let never = LoaderOptions {
            shuffle: Shuffle::Never,
            ..options(2)
        };
        let set = of_tar(broken_images).unwrap();
        Loader::images(set, transform(), Pixels::Floats, how, &never).unwrap()
    };
    let error = load(&broken, Broken::Fail).next_batch().unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        text.contains(r#"the member "a/1.png" of `images.tar`"#),
        "{text}"
    );
    let mut loader = load(&broken, Broken::Skip);
    let mut seen = Vec::new();
    while let Some(batch) = loader.next_batch().unwrap() {
        assert_eq!(batch.labels().unwrap().len(), batch.len());
        seen.push((batch.rows().to_vec(), batch.skipped().to_vec()));
    }
    let wanted = [(vec![0], vec![1]), (vec![2], vec![3]), (vec![4], vec![])];
    assert_eq!(seen, wanted);
    assert_eq!(loader.left_out(), 2);
    let nothing = vec![b"GIF89a".to_vec(); 5];
    let mut loader = load(&nothing, Broken::Skip);
    assert!(
        loader.next_batch().unwrap().is_none(),
        "empty batches are passed over"
    );
    assert_eq!(loader.left_out(), 5);
}

#[test]
fn samples_without_image_or_label_are_errors() {
    let jpeg = &files()[0];
    let open = |members: &[(&str, &[u8])], label: Option<&str>| {
        let options = ImageOptions {
            label: label.map(str::to_owned),
            ..ImageOptions::default()
        };
        let files = vec![("x.tar".to_owned(), tar(members))];
        ImageSet::from_memory(Format::Tar, files, &options)
    };
    let image: (&str, &[u8]) = ("a.jpg", jpeg);
    for (members, label, wanted) in [
        (vec![("a.cls", &b"1"[..])], None, "has no image"),
        (vec![image, ("a.cls", b"x")], None, "is no number"),
        (
            vec![image, ("a.cls", b"1"), ("b.jpg", jpeg)],
            None,
            "has no label",
        ),
        (
            vec![image, ("b.jpg", jpeg), ("b.cls", b"1")],
            None,
            "before \"b\" have no label",
        ),
        (vec![image], Some("cls"), "has no label"),
        (vec![image, ("a.png", b"")], None, "several images"),
        (vec![], None, "nothing at all"),
    ] {
        let error = match open(&members, label) {
            Err(error) => error.to_string(),
            Ok(set) => {
                let options = options(0);
                let made = Loader::images(set, transform(), Pixels::Floats, Broken::Fail, &options);
                made.unwrap_err().to_string()
            }
        };
        assert!(
            error.contains(wanted) || error.contains("a step takes"),
            "{wanted}: {error}"
        );
    }
}
