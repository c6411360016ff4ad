//! Orders: permutations that are fair, keyed, and the same for ever.

use std::collections::HashMap;

use nexus_loader::{Order, Permutation, Shuffle};
use proptest::prelude::*;

fn all(order: &Order, rows: u64) -> Vec<u64> {
    (0..rows).map(|at| order.get(at)).collect()
}

proptest! {
    #[test]
    fn every_row_comes_once(rows in 1_u64..2000, seed: u64, epoch: u64, block in 1_u64..300, window in 1_u64..9) {
        for shuffle in [Shuffle::Never, Shuffle::Full, Shuffle::Blocks { block, window }] {
            let mut seen = all(&Order::new(shuffle, rows, seed, epoch), rows);
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..rows).collect::<Vec<_>>(), "{:?}", shuffle);
        }
    }

    #[test]
    fn large_ranges_stay_inside(len in (1_u64 << 40)..(1_u64 << 62), key: u64, at: u64) {
        prop_assert!(Permutation::new(len, key).get(at % len) < len);
    }

    #[test]
    fn a_window_reads_few_blocks(seed: u64) {
        let (rows, block, window) = (10_000, 50, 4);
        let order = Order::new(Shuffle::Blocks { block, window }, rows, seed, 0);
        for start in (0..rows).step_by(200) {
            let mut blocks: Vec<u64> = (start..start + 200).map(|at| order.get(at) / block).collect();
            blocks.sort_unstable();
            blocks.dedup();
            prop_assert_eq!(blocks.len(), 4);
        }
    }
}

#[test]
fn every_order_of_four_is_about_equally_likely() {
    let mut counts: HashMap<Vec<u64>, u32> = HashMap::new();
    let trials = 24_000;
    for key in 0..trials {
        let order = Permutation::new(4, key);
        *counts
            .entry((0..4).map(|at| order.get(at)).collect())
            .or_default() += 1;
    }
    assert_eq!(counts.len(), 24);
    // 1000 each, with a standard deviation of 31.
    let (least, most) = (
        counts.values().min().unwrap(),
        counts.values().max().unwrap(),
    );
    assert!(*least > 850 && *most < 1150, "{least} to {most}");
}

#[test]
fn places_and_neighbours_are_spread_evenly() {
    let (len, trials) = (100_u64, 20_000);
    let mut first = vec![0_u32; 100];
    let mut distance = vec![0_u32; 100];
    for key in 0..trials {
        let order = Permutation::new(len, key);
        first[order.get(0) as usize] += 1;
        distance[((order.get(51) + len - order.get(50)) % len) as usize] += 1;
    }
    let chi_square = |counts: &[u32]| {
        let mean = trials as f64 / counts.len() as f64;
        let squares = counts
            .iter()
            .map(|&count| (f64::from(count) - mean).powi(2));
        squares.sum::<f64>() / mean
    };
    // 99 and 98 degrees of freedom: above 160 once in ten thousand keys' worth of luck.
    assert!(chi_square(&first) < 160.0, "{}", chi_square(&first));
    assert!(
        chi_square(&distance[1..]) < 160.0,
        "{}",
        chi_square(&distance[1..])
    );
}

#[test]
fn epochs_and_seeds_differ() {
    let order = |seed, epoch| all(&Order::new(Shuffle::Full, 64, seed, epoch), 64);
    assert_eq!(order(3, 5), order(3, 5));
    assert_ne!(order(3, 5), order(3, 6));
    assert_ne!(order(3, 5), order(5, 3));
}

#[test]
fn orders_never_change_between_versions() {
    let order = Order::new(Shuffle::Full, 10, 1, 2);
    assert_eq!(all(&order, 10), FULL);
    let order = Order::new(
        Shuffle::Blocks {
            block: 3,
            window: 2,
        },
        10,
        1,
        2,
    );
    assert_eq!(all(&order, 10), BLOCKS);
}

// Written down when the order was made: a resumed run depends on them.
const FULL: [u64; 10] = [3, 5, 4, 6, 9, 2, 1, 7, 0, 8];
const BLOCKS: [u64; 10] = [8, 7, 0, 2, 1, 6, 5, 9, 3, 4];
