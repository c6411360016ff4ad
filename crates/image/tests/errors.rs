//! Every way to fail, once: the kind, and a message that says what and where.

use nexus_image::{
    Decoder, ErrorKind, Filter, Frame, Image, Info, Limits, NearIndex, Resizer, SampleKey, Scratch,
    Transform, TransformOptions, limits,
};
use std::path::PathBuf;

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    std::fs::read(path.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn check_decode(bytes: &[u8], limits: Limits, kind: ErrorKind, words: &[&str]) {
    let error = Decoder::new(limits)
        .decode(bytes, &mut Image::new())
        .unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{error} lacks {word}");
    }
}

#[test]
fn other_formats_are_unsupported() {
    let words = ["9 bytes", "GIF89aab", "no JPEG, PNG or WebP"];
    check_decode(
        b"GIF89aabc",
        Limits::default(),
        ErrorKind::Unsupported,
        &words,
    );
    check_decode(b"", Limits::default(), ErrorKind::Unsupported, &["0 bytes"]);
    assert_eq!(Info::of(b"BM").unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn files_that_are_cut_off_are_corrupt() {
    for (name, words) in [
        (
            "s420.jpg",
            ["JPEG of 40x27 pixels", "before the end marker"],
        ),
        (
            "progressive.jpg",
            ["JPEG of 40x27 pixels", "before the end marker"],
        ),
        ("rgb.png", ["PNG of 97x70 pixels", "bytes"]),
        ("lossy.webp", ["WebP", "bytes"]),
        ("lossless.webp", ["WebP", "bytes"]),
    ] {
        let bytes = file(name);
        let half = bytes.len() * 3 / 4;
        let at = if name.ends_with("jpg") {
            format!("byte {half}")
        } else {
            format!("{half} bytes")
        };
        let words = [words[0], words[1], &at];
        check_decode(
            &bytes[..half],
            Limits::default(),
            ErrorKind::Corrupt,
            &words,
        );
    }
}

#[test]
fn no_start_of_a_file_is_decoded() {
    for name in ["s420.jpg", "restart.jpg", "palette4.png", "lossless.webp"] {
        let bytes = file(name);
        for end in 0..bytes.len() - 12 {
            let result = Decoder::default().decode(&bytes[..end], &mut Image::new());
            assert!(result.is_err(), "{name} up to {end}");
        }
    }
}

#[test]
fn a_checksum_that_does_not_match_is_corrupt() {
    let mut bytes = file("rgb.png");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    check_decode(&bytes, Limits::default(), ErrorKind::Corrupt, &["PNG"]);
}

#[test]
fn rare_kinds_of_jpeg_are_unsupported() {
    let whole = file("s420.jpg");
    let frame = whole.windows(2).position(|pair| pair == [0xFF, 0xC0]);
    let frame = frame.unwrap();
    for (offset, byte, word) in [
        (1, 0xC9, "arithmetic"),
        (1, 0xC3, "lossless"),
        (1, 0xC5, "hierarchical"),
        (4, 12, "8 bits"),
        (9, 2, "components"),
    ] {
        let mut bytes = whole.clone();
        bytes[frame + offset] = byte;
        let words = [&format!("at byte {frame}"), word];
        check_decode(&bytes, Limits::default(), ErrorKind::Unsupported, &words);
    }
}

#[test]
fn each_limit_is_named_when_it_is_reached() {
    let all = Limits::default();
    let width = Limits {
        width_max: 39,
        ..all
    };
    let height = Limits {
        height_max: 26,
        ..all
    };
    let pixels = Limits {
        pixels_max: 40 * 27 - 1,
        ..all
    };
    let decoded = Limits {
        decoded_size_max: 40 * 27 * 3 - 1,
        ..all
    };
    for name in ["s420.jpg", "rgba.png", "lossy.webp"] {
        for (limits, word) in [
            (width, "width_max is 39"),
            (height, "height_max is 26"),
            (pixels, "pixels_max is 1079"),
            (decoded, "decoded_size_max is 3239"),
        ] {
            let words = [
                word,
                if word.starts_with('d') {
                    "bytes"
                } else {
                    "40x27"
                },
            ];
            check_decode(&file(name), limits, ErrorKind::LimitReached, &words);
        }
    }
    let stored = Limits {
        decoded_size_max: 40 * 27 * 7 - 1,
        ..all
    };
    let progressive = file("progressive.jpg");
    let kept = Limits {
        decoded_size_max: 40 * 27 * 9 - 1,
        ..all
    };
    check_decode(&progressive, kept, ErrorKind::LimitReached, &["9720 bytes"]);
    check_decode(
        &file("rgba.png"),
        stored,
        ErrorKind::LimitReached,
        &["7560 bytes"],
    );
}

#[test]
fn a_frame_that_is_larger_than_its_file_says_is_refused() {
    let mut bytes = file("lossy_alpha.webp");
    let at = bytes.windows(4).position(|kind| kind == b"VP8 ").unwrap();
    bytes[at + 14..at + 18].copy_from_slice(&[0xFF, 0x3F, 0xFF, 0x3F]);
    let words = ["16383x16383", "pixels_max"];
    check_decode(&bytes, Limits::default(), ErrorKind::LimitReached, &words);
}

#[test]
fn impossible_options_are_invalid() {
    let sound = TransformOptions::new(8, 6);
    for (options, kind, word) in [
        (
            TransformOptions { width: 0, ..sound },
            ErrorKind::InvalidInput,
            "0x6",
        ),
        (
            TransformOptions { flip: 1.5, ..sound },
            ErrorKind::InvalidInput,
            "1.5",
        ),
        (
            TransformOptions {
                std: [1.0, 0.0, 1.0],
                ..sound
            },
            ErrorKind::InvalidInput,
            "deviation",
        ),
        (
            TransformOptions {
                frame: Frame::Random { shorter: 7 },
                ..sound
            },
            ErrorKind::InvalidInput,
            "shorter side is 7",
        ),
        (
            TransformOptions {
                frame: Frame::RandomResized {
                    area: (0.5, 0.1),
                    aspect: (1.0, 1.0),
                },
                ..sound
            },
            ErrorKind::InvalidInput,
            "(0.5, 0.1)",
        ),
        (
            TransformOptions {
                height: limits::TARGET_SIDE_MAX + 1,
                ..sound
            },
            ErrorKind::LimitReached,
            "TARGET_SIDE_MAX",
        ),
    ] {
        let error = Transform::new(options).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(word), "{error} lacks {word}");
    }
}

#[test]
fn buffers_and_images_of_other_sizes_are_invalid() {
    let transform = Transform::new(TransformOptions::new(8, 6)).unwrap();
    let mut scratch = Scratch::new(Limits::default());
    let key = SampleKey::default();
    let bytes = file("s420.jpg");
    let error = transform
        .decode(&bytes, key, &mut scratch, &mut [0.0; 143])
        .unwrap_err();
    assert!(error.to_string().contains("into 143 numbers"), "{error}");
    let error = transform
        .apply(&Image::new(), key, &mut Resizer::new(), &mut [0.0; 144])
        .unwrap_err();
    assert!(error.to_string().contains("0x0"), "{error}");
    let error = Image::from_rgb(2, 2, vec![0; 11]).unwrap_err();
    assert!(error.to_string().contains("11 bytes"), "{error}");
    let image = Image::from_rgb(1, 1, vec![0; 3]).unwrap();
    let error = Resizer::new()
        .resize(&image, 3, 0, Filter::Bicubic, &mut Image::new())
        .unwrap_err();
    assert!(error.to_string().contains("3x0"), "{error}");
}

#[test]
fn a_long_image_that_would_become_too_long_reaches_a_limit() {
    let image = Image::from_rgb(1, 400, vec![0; 1200]).unwrap();
    let transform = Transform::new(TransformOptions {
        frame: Frame::Center { shorter: 48 },
        ..TransformOptions::new(48, 48)
    })
    .unwrap();
    let mut tensor = vec![0.0; transform.len()];
    let error = transform
        .apply(
            &image,
            SampleKey::default(),
            &mut Resizer::new(),
            &mut tensor,
        )
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitReached);
    assert!(error.to_string().contains("48x19200"), "{error}");
}

#[test]
fn distances_that_no_index_serves_reach_a_limit() {
    let error = NearIndex::new(limits::DISTANCE_MAX + 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitReached);
    assert!(error.to_string().contains("DISTANCE_MAX is 19"), "{error}");
}
