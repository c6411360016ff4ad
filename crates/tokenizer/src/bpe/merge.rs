//! The order of merges: by scanning where a pretoken is short, by a heap where it is long.

use super::Symbol;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// No merge: higher than any rank.
pub(crate) const NONE: u64 = u64::MAX;

/// Up to this many symbols a scan for the lowest rank is faster than a heap.
const SCAN_MAX: usize = 64;

/// Marks the end of the list.
const END: u32 = u32::MAX;

/// Memory for long pretokens.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    ranks: Vec<u64>,
    heap: Vec<Reverse<(u32, u32)>>,
    before: Vec<u32>,
    after: Vec<u32>,
}

/// Merges `symbols` in place. `rank` gives, for two neighbours and the range of bytes that they
/// cover, the rank in the upper and the merged token in the lower half, or `NONE`; the range's end
/// is `u32::MAX` for the last one.
#[inline]
pub(crate) fn merge(
    symbols: &mut Vec<Symbol>,
    queue: &mut Queue,
    rank: impl Fn(u32, u32, u32, u32) -> u64,
) {
    if symbols.len() < 2 {
        return;
    }
    queue.ranks.clear();
    queue
        .ranks
        .extend(symbols.windows(2).zip(1..).map(|(pair, at)| {
            let end = symbols.get(at + 1).map_or(END, |next| next.start);
            rank(pair[0].id, pair[1].id, pair[0].start, end)
        }));
    if symbols.len() <= SCAN_MAX {
        by_scan(symbols, &mut queue.ranks, rank);
    } else {
        by_heap(symbols, queue, rank);
    }
}

fn by_scan(
    symbols: &mut Vec<Symbol>,
    ranks: &mut Vec<u64>,
    rank: impl Fn(u32, u32, u32, u32) -> u64,
) {
    loop {
        let mut lowest = (NONE, 0);
        for (at, &rank) in ranks.iter().enumerate() {
            // Equal ranks have equal tokens, so that a lower value is a lower rank.
            if rank < lowest.0 {
                lowest = (rank, at);
            }
        }
        let (value, at) = lowest;
        if value == NONE {
            return;
        }
        symbols[at].id = value as u32;
        symbols.remove(at + 1);
        ranks.remove(at);
        let start = |at: usize| symbols.get(at).map_or(END, |symbol| symbol.start);
        if at < ranks.len() {
            ranks[at] = rank(symbols[at].id, symbols[at + 1].id, start(at), start(at + 2));
        }
        if at > 0 {
            ranks[at - 1] = rank(
                symbols[at - 1].id,
                symbols[at].id,
                start(at - 1),
                start(at + 1),
            );
        }
    }
}

/// A symbol that was merged into the one before it keeps its place, with this id.
const GONE: u32 = u32::MAX;

fn by_heap(symbols: &mut Vec<Symbol>, queue: &mut Queue, rank: impl Fn(u32, u32, u32, u32) -> u64) {
    let count = symbols.len() as u32;
    let Queue {
        ranks,
        heap,
        before,
        after,
    } = queue;
    ranks.push(NONE);
    before.clear();
    before.extend((0..count).map(|at| at.wrapping_sub(1)));
    after.clear();
    after.extend((1..count).chain([END]));
    heap.clear();
    let live = ranks.iter().zip(0..).filter(|&(&rank, _)| rank != NONE);
    heap.extend(live.map(|(&rank, at)| Reverse(((rank >> 32) as u32, at))));
    let mut pending = BinaryHeap::from(std::mem::take(heap));
    while let Some(Reverse((lowest, at))) = pending.pop() {
        let value = ranks[at as usize];
        // The pair may have changed since it was queued.
        if value == NONE || (value >> 32) as u32 != lowest {
            continue;
        }
        let gone = after[at as usize];
        let next = after[gone as usize];
        symbols[at as usize].id = value as u32;
        symbols[gone as usize].id = GONE;
        ranks[gone as usize] = NONE;
        after[at as usize] = next;
        if next != END {
            before[next as usize] = at;
        }
        let start = |at: u32| symbols.get(at as usize).map_or(END, |symbol| symbol.start);
        let pair = |left: u32, right: u32| {
            let end = after.get(right as usize).map_or(END, |&next| start(next));
            rank(
                symbols[left as usize].id,
                symbols[right as usize].id,
                start(left),
                end,
            )
        };
        let mut update = |left: u32, right: u32| {
            let value = if left == END || right == END {
                NONE
            } else {
                pair(left, right)
            };
            if left != END {
                ranks[left as usize] = value;
            }
            if value != NONE {
                pending.push(Reverse(((value >> 32) as u32, left)));
            }
        };
        update(at, next);
        update(before[at as usize], at);
    }
    *heap = pending.into_vec();
    symbols.retain(|symbol| symbol.id != GONE);
}
