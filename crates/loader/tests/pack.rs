//! Packing: against a plain best-fit decreasing, and what it promises.

use std::collections::BTreeMap;

use nexus_loader::pack::{Packing, best_fit, best_fit_with};
use nexus_loader::{ErrorKind, limits};
use proptest::prelude::*;

/// Best-fit decreasing, document by document: how much room each row has left.
fn naive(lengths: &[u32], row_len: u32) -> Vec<u32> {
    let mut rests: Vec<u32> = lengths.iter().map(|len| len % row_len).collect();
    let full: u32 = lengths.iter().map(|len| len / row_len).sum();
    rests.retain(|&len| len > 0);
    rests.sort_unstable_by(|a, b| b.cmp(a));
    let mut rows: BTreeMap<u32, u32> = BTreeMap::new();
    for len in rests {
        let best = rows.range(len..).next().map(|(&room, _)| room);
        let room = best.unwrap_or(row_len);
        if best.is_some() {
            let count = rows.get_mut(&room).unwrap();
            *count -= 1;
            if *count == 0 {
                rows.remove(&room);
            }
        }
        *rows.entry(room - len).or_default() += 1;
    }
    *rows.entry(0).or_default() += full;
    let mut rooms: Vec<u32> = rows
        .iter()
        .flat_map(|(&room, &count)| std::iter::repeat_n(room, count as usize))
        .collect();
    rooms.sort_unstable();
    rooms
}

/// The room that is left in each row; every token of every document is in one place.
fn rooms(packing: &Packing, lengths: &[u32]) -> Vec<u32> {
    let row_len = packing.row_len() as u32;
    let mut seen = vec![0_u32; lengths.len()];
    let mut rooms: Vec<u32> = (0..packing.rows())
        .map(|row| {
            let mut room = row_len;
            for piece in packing.row(row) {
                let document = piece.document as usize;
                let start = piece.part * row_len;
                assert!(start < lengths[document], "a piece has tokens");
                let len = (lengths[document] - start).min(row_len);
                seen[document] += len;
                room = room.checked_sub(len).expect("a row is not too full");
            }
            room
        })
        .collect();
    assert_eq!(seen, lengths, "every token is in one row");
    rooms.sort_unstable();
    rooms
}

proptest! {
    #[test]
    fn it_packs_as_well_as_best_fit_decreasing_does(
        row_len in 1_u32..200,
        lengths in prop::collection::vec(0_u32..500, 0..300),
    ) {
        let packing = best_fit(&lengths, row_len as usize).unwrap();
        let left = rooms(&packing, &lengths);
        prop_assert_eq!(&left, &naive(&lengths, row_len));
        prop_assert_eq!(packing.padding(), left.iter().map(|&room| u64::from(room)).sum::<u64>());
    }

    #[test]
    fn many_equal_documents_are_packed_so_too(
        row_len in 30_u32..90,
        lengths in prop::collection::vec(prop::sample::select(vec![3_u32, 7, 10, 11, 20, 29, 61]), 0..2000),
    ) {
        let packing = best_fit(&lengths, row_len as usize).unwrap();
        prop_assert_eq!(rooms(&packing, &lengths), naive(&lengths, row_len));
    }
}

#[test]
fn documents_that_fit_are_never_cut() {
    let lengths: Vec<u32> = (0..5000).map(|at| (at * 7919) % 2049).collect();
    let packing = best_fit(&lengths, 2048).unwrap();
    for row in 0..packing.rows() {
        assert!(packing.row(row).iter().all(|piece| piece.part == 0));
    }
    assert_eq!(packing.empty_documents(), 3);
}

#[test]
fn the_same_documents_give_the_same_rows_on_any_number_of_threads() {
    let lengths: Vec<u32> = (0..30_000).map(|at| (at * 31) % 700).collect();
    for lengths in [&lengths[..], &lengths[..2], &[256; 3], &[7; 999], &[0, 0]] {
        let want = best_fit_with(lengths, 256, 1).unwrap();
        for threads in [2, 3, 7, 16] {
            let packing = best_fit_with(lengths, 256, threads).unwrap();
            assert_eq!(packing, want, "{threads} threads");
        }
        rooms(&want, lengths);
    }
}

#[test]
fn impossible_rows_are_refused() {
    let kind = |row_len| best_fit(&[1], row_len).unwrap_err().kind();
    assert_eq!(kind(0), ErrorKind::InvalidInput);
    assert_eq!(kind(limits::ROW_LEN_MAX + 1), ErrorKind::LimitReached);
    assert_eq!(best_fit(&[], 8).unwrap().rows(), 0);
}
