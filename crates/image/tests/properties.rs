//! What holds for any image, key or hash: paths agree, draws repeat, the index finds what a search
//! through all finds.

use nexus_image::{
    Filter, Frame, Image, Layout, Near, NearIndex, Resizer, SampleKey, Transform, TransformOptions,
};
use proptest::prelude::*;

fn image(width: usize, height: usize, seed: u64) -> Image {
    let mut state = seed;
    let pixels = (0..width * height * 3).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    });
    Image::from_rgb(width, height, pixels.collect()).unwrap()
}

fn any_filter() -> impl Strategy<Value = Filter> {
    prop_oneof![
        Just(Filter::Bilinear),
        Just(Filter::Bicubic),
        Just(Filter::Lanczos)
    ]
}

proptest! {
    #[test]
    fn simd_and_portable_code_give_the_same_bytes(
        (width, height) in (1..90_usize, 1..90_usize),
        (to_width, to_height) in (1..90_usize, 1..90_usize),
        filter in any_filter(),
        seed in any::<u64>(),
    ) {
        let source = image(width, height, seed);
        let (mut fast, mut slow) = (Image::new(), Image::new());
        Resizer::new().resize(&source, to_width, to_height, filter, &mut fast).unwrap();
        Resizer::portable().resize(&source, to_width, to_height, filter, &mut slow).unwrap();
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn a_resizer_that_was_used_before_gives_the_same_bytes(
        sizes in prop::collection::vec((1..40_usize, 1..40_usize, 1..40_usize, 1..40_usize), 1..6),
        filter in any_filter(),
    ) {
        let mut resizer = Resizer::new();
        let (mut used, mut fresh) = (Image::new(), Image::new());
        for (width, height, to_width, to_height) in sizes {
            let source = image(width, height, 7);
            resizer.resize(&source, to_width, to_height, filter, &mut used).unwrap();
            Resizer::new().resize(&source, to_width, to_height, filter, &mut fresh).unwrap();
            prop_assert_eq!(&used, &fresh);
        }
    }

    #[test]
    fn a_random_crop_is_a_part_of_the_resized_image(
        (width, height) in (1..60_usize, 1..60_usize),
        sample in any::<u64>(),
        flip in any::<bool>(),
    ) {
        let source = image(width, height, 3);
        let (side, shorter) = (12, 17);
        let transform = Transform::new(TransformOptions {
            frame: Frame::Random { shorter },
            flip: f64::from(u8::from(flip)),
            layout: Layout::Hwc,
            ..TransformOptions::new(side, side)
        }).unwrap();
        let mut resizer = Resizer::new();
        let mut tensor = vec![0; transform.len()];
        let key = SampleKey { seed: 1, epoch: 2, sample };
        if width.max(height) * shorter / width.min(height) > 16_384 {
            return Ok(());
        }
        transform.apply_bytes(&source, key, &mut resizer, &mut tensor).unwrap();
        let (full_width, full_height) = if width <= height {
            (shorter, shorter * height / width)
        } else {
            (shorter * width / height, shorter)
        };
        let mut full = Image::new();
        resizer.resize(&source, full_width, full_height, Filter::Bilinear, &mut full).unwrap();
        let rows: Vec<&[u8]> = full.pixels().chunks_exact(full_width * 3).collect();
        let mut expected: Vec<Vec<u8>> = tensor.chunks_exact(side * 3).map(<[u8]>::to_vec).collect();
        if flip {
            for row in &mut expected {
                *row = row.as_chunks::<3>().0.iter().rev().flatten().copied().collect();
            }
        }
        let found = (0..=full_height - side).any(|top| (0..=full_width - side).any(|left| {
            let parts = rows[top..top + side].iter().map(|row| &row[left * 3..][..side * 3]);
            parts.eq(expected.iter().map(Vec::as_slice))
        }));
        prop_assert!(found);
    }

    #[test]
    fn the_index_keeps_what_a_search_through_all_keeps(
        seeds in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 1..200),
        distance_max in 0..=19_u32,
    ) {
        let mut index = NearIndex::new(distance_max).unwrap();
        let mut kept: Vec<u64> = Vec::new();
        for (at, &(a, b, c)) in seeds.iter().enumerate() {
            // Half of the hashes are an earlier one with few bits changed.
            let hash = if at % 2 == 1 { kept[a as usize % kept.len()] ^ (a & b & c) } else { a };
            let near = kept.iter().enumerate().find_map(|(number, &other)| {
                let distance = (hash ^ other).count_ones();
                (distance <= distance_max).then_some(Near { number, distance })
            });
            if near.is_none() {
                kept.push(hash);
            }
            prop_assert_eq!(index.insert(hash).unwrap(), near);
        }
        prop_assert_eq!(index.hashes(), &kept[..]);
    }
}

#[test]
fn draws_repeat_for_a_key_and_differ_for_others() {
    let source = image(64, 48, 9);
    let transform = Transform::new(TransformOptions {
        frame: Frame::RandomResized {
            area: (0.08, 1.0),
            aspect: (0.75, 4.0 / 3.0),
        },
        flip: 0.5,
        ..TransformOptions::new(16, 16)
    })
    .unwrap();
    let draw = |seed, epoch, sample| {
        let mut tensor = vec![0; transform.len()];
        let key = SampleKey {
            seed,
            epoch,
            sample,
        };
        transform
            .apply_bytes(&source, key, &mut Resizer::new(), &mut tensor)
            .unwrap();
        tensor
    };
    assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
    let all = [
        draw(1, 2, 3),
        draw(2, 2, 3),
        draw(1, 3, 3),
        draw(1, 2, 4),
        draw(3, 2, 1),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other != one), "{at}");
    }
}

#[test]
fn about_half_of_the_samples_are_mirrored() {
    let source = Image::from_rgb(2, 1, vec![0, 0, 0, 255, 255, 255]).unwrap();
    let transform = Transform::new(TransformOptions {
        flip: 0.5,
        ..TransformOptions::new(2, 1)
    })
    .unwrap();
    let mut resizer = Resizer::new();
    let mut tensor = [0; 6];
    let mut flips = 0;
    for sample in 0..2000 {
        let key = SampleKey {
            seed: 5,
            epoch: 0,
            sample,
        };
        transform
            .apply_bytes(&source, key, &mut resizer, &mut tensor)
            .unwrap();
        flips += usize::from(tensor[0] == 255);
    }
    assert!((900..1100).contains(&flips), "{flips}");
}
