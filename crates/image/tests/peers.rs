//! The same images through Pillow, torchvision's rules and imagehash: `tests/fixtures.py` made the
//! files, and what is expected of them.

use nexus_image::{
    Decoder, Filter, Frame, Hasher, Image, Info, Layout, Resizer, SampleKey, Transform,
    TransformOptions,
};
use std::path::PathBuf;

/// How far JPEG may be from libjpeg-turbo, in levels: at most, and on average. Most of it comes from
/// colour that is stored with fewer pixels.
const JPEG_MAX: u8 = 6;
const JPEG_MEAN: f64 = 0.5;

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    std::fs::read(path.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn table(name: &str) -> Vec<Vec<String>> {
    let text = String::from_utf8(file(name)).unwrap();
    let row = |line: &str| line.split(' ').map(String::from).collect();
    text.lines().map(row).collect()
}

fn decode(name: &str) -> Image {
    let mut image = Image::new();
    Decoder::default()
        .decode(&file(name), &mut image)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    image
}

fn fnv(bytes: impl IntoIterator<Item = u8>) -> String {
    let digest = bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |value, byte| {
            (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{digest:016x}")
}

fn filter(name: &str) -> Filter {
    match name {
        "bilinear" => Filter::Bilinear,
        "bicubic" => Filter::Bicubic,
        "lanczos" => Filter::Lanczos,
        name => panic!("no filter is called {name}"),
    }
}

#[test]
fn decoded_images_are_pillows() {
    for row in table("decode.txt") {
        let [name, width, height, digest] = row.as_slice() else {
            panic!("{row:?}");
        };
        let image = decode(name);
        assert_eq!(image.width().to_string(), *width, "{name}");
        assert_eq!(image.height().to_string(), *height, "{name}");
        if digest == "-" {
            let expected = decode(&format!("expected/{name}.png"));
            let pairs = image.pixels().iter().zip(expected.pixels());
            let differences: Vec<u8> = pairs.map(|(a, b)| a.abs_diff(*b)).collect();
            let most = differences.iter().max().unwrap();
            let sum: f64 = differences.iter().copied().map(f64::from).sum();
            let mean = sum / differences.len() as f64;
            assert!(
                *most <= JPEG_MAX && mean <= JPEG_MEAN,
                "{name}: {most}, {mean}"
            );
        } else {
            assert_eq!(fnv(image.pixels().iter().copied()), *digest, "{name}");
        }
    }
}

#[test]
fn headers_tell_sizes_as_stored() {
    for row in table("decode.txt") {
        let info = Info::of(&file(&row[0])).unwrap();
        let mut sides = [info.width, info.height].map(|side| side.to_string());
        let mut expected = [row[1].clone(), row[2].clone()];
        sides.sort();
        expected.sort();
        assert_eq!(sides, expected, "{}", row[0]);
    }
}

#[test]
fn resized_images_are_pillows_bit_for_bit() {
    let image = decode("rgb.png");
    let mut target = Image::new();
    for (name, resizer) in [("fast", Resizer::new()), ("portable", Resizer::portable())] {
        let mut resizer = resizer;
        for row in table("resize.txt") {
            let (width, height) = (row[1].parse().unwrap(), row[2].parse().unwrap());
            resizer
                .resize(&image, width, height, filter(&row[0]), &mut target)
                .unwrap();
            let digest = fnv(target.pixels().iter().copied());
            assert_eq!(digest, row[3], "{name} {row:?}");
        }
    }
}

#[test]
fn tensors_are_torchvisions_bit_for_bit() {
    let image = decode("rgb.png");
    for row in table("tensor.txt") {
        let number = |at: usize| row[at].parse::<usize>().unwrap();
        for (layout, digest) in [(Layout::Chw, &row[4]), (Layout::Hwc, &row[5])] {
            let transform = Transform::new(TransformOptions {
                frame: Frame::Center { shorter: number(1) },
                filter: filter(&row[0]),
                layout,
                ..TransformOptions::new(number(2), number(3))
            })
            .unwrap();
            let mut tensor = vec![f32::NAN; transform.len()];
            transform
                .apply(
                    &image,
                    SampleKey::default(),
                    &mut Resizer::new(),
                    &mut tensor,
                )
                .unwrap();
            let bytes = tensor.iter().flat_map(|value| value.to_le_bytes());
            assert_eq!(fnv(bytes), *digest, "{row:?} {layout:?}");
        }
    }
}

#[test]
fn hashes_are_those_of_imagehash() {
    let mut hasher = Hasher::new();
    for row in table("hash.txt") {
        let image = decode(&row[0]);
        assert_eq!(format!("{:016x}", hasher.phash(&image)), row[1], "{row:?}");
        assert_eq!(format!("{:016x}", hasher.dhash(&image)), row[2], "{row:?}");
    }
}

#[test]
fn components_without_names_are_rgb_where_adobes_marker_says_so() {
    let named = file("rgb.jpg");
    let mut bytes = named.clone();
    for marker in [[0xFF, 0xC0], [0xFF, 0xDA]] {
        let at = bytes.windows(2).position(|pair| pair == marker).unwrap();
        for (number, name) in (1..).zip(b"RGB") {
            let place = bytes[at..].iter().position(|byte| byte == name).unwrap();
            bytes[at + place] = number;
        }
    }
    assert_ne!(bytes, named);
    let mut image = Image::new();
    Decoder::default().decode(&bytes, &mut image).unwrap();
    assert_eq!(image, decode("rgb.jpg"));
}
