//! The order of merges: by scanning where a pretoken is short, rank by rank where it is
//! long.

use super::Symbol;
use std::collections::BTreeMap;

/// No merge: higher than any rank.
pub(crate) const NONE: u64 = u64::MAX;

/// Up to this many symbols a scan for the lowest rank is faster than lists by rank.
const SCAN_MAX: usize = 64;

/// Marks the end of the list.
const END: u32 = u32::MAX;

/// Memory for long pretokens.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    ranks: Vec<u64>,
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
    queue.ranks.extend(first_ranks(symbols, &rank));
    if symbols.len() <= SCAN_MAX {
        by_scan(symbols, &mut queue.ranks, rank);
    } else {
        by_ranks(symbols, queue, rank);
    }
}

/// The rank of each pair of neighbours.
fn first_ranks(
    symbols: &[Symbol],
    rank: impl Fn(u32, u32, u32, u32) -> u64,
) -> impl Iterator<Item = u64> {
    symbols.windows(2).zip(1..).map(move |(pair, at)| {
        let end = symbols.get(at + 1).map_or(END, |next| next.start);
        rank(pair[0].id, pair[1].id, pair[0].start, end)
    })
}

/// For at most [`SCAN_MAX`] symbols, a bit each.
fn by_scan(
    symbols: &mut Vec<Symbol>,
    ranks: &mut Vec<u64>,
    rank: impl Fn(u32, u32, u32, u32) -> u64,
) {
    ranks.push(NONE);
    let ranks = &mut ranks[..symbols.len()];
    // A bit for each symbol that is not part of the one before it.
    let mut live = u64::MAX >> (u64::BITS as usize - symbols.len());
    let next_of = |live: u64, at: usize| {
        let rest = live & (u64::MAX - 1) << at;
        (rest != 0).then_some(rest.trailing_zeros() as usize)
    };
    loop {
        let mut lowest = (NONE, 0);
        for (at, &rank) in ranks.iter().enumerate() {
            // Equal ranks have equal tokens, so that a lower value is a lower rank.
            if rank < lowest.0 {
                lowest = (rank, at);
            }
        }
        let (value, at) = lowest;
        let Some(gone) = next_of(live, at).filter(|_| value != NONE) else {
            break;
        };
        symbols[at].id = value as u32;
        live &= !(1 << gone);
        ranks[gone] = NONE;
        let start = |at: Option<usize>| at.map_or(END, |at| symbols[at].start);
        let pair = |left: usize, right: Option<usize>| {
            right.map_or(NONE, |at| {
                let (left, right) = (&symbols[left], &symbols[at]);
                rank(left.id, right.id, left.start, start(next_of(live, at)))
            })
        };
        ranks[at] = pair(at, next_of(live, gone));
        let before = live & ((1 << at) - 1);
        if before != 0 {
            let left = before.ilog2() as usize;
            ranks[left] = pair(left, Some(at));
        }
    }
    let mut at = 0;
    symbols.retain(|_| {
        at += 1;
        live >> (at - 1) & 1 != 0
    });
}

/// A symbol that was merged into the one before it keeps its place, with this id.
const GONE: u32 = u32::MAX;

/// All pairs of the lowest rank are merged from left to right, then those of the next one. A merge
/// makes longer tokens, so never a pair of its own rank; one of a lower rank goes first.
fn by_ranks(
    symbols: &mut Vec<Symbol>,
    queue: &mut Queue,
    rank: impl Fn(u32, u32, u32, u32) -> u64,
) {
    let count = symbols.len() as u32;
    let Queue {
        ranks,
        before,
        after,
    } = queue;
    ranks.push(NONE);
    before.clear();
    before.extend((0..count).map(|at| at.wrapping_sub(1)));
    after.clear();
    after.extend((1..count).chain([END]));
    let mut places: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (&value, at) in ranks.iter().zip(0..).filter(|pair| *pair.0 != NONE) {
        places.entry((value >> 32) as u32).or_default().push(at);
    }
    while let Some((lowest, mut run)) = places.pop_first() {
        run.sort_unstable();
        for next_place in 0..run.len() {
            let at = run[next_place];
            let value = ranks[at as usize];
            // The pair may have changed since it was noted.
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
            let mut is_lower = false;
            for (left, right) in [(at, next), (before[at as usize], at)] {
                if left == END {
                    continue;
                }
                let value = symbols.get(right as usize).map_or(NONE, |right_symbol| {
                    let end = after.get(right as usize).map_or(END, |&next| start(next));
                    rank(symbols[left as usize].id, right_symbol.id, start(left), end)
                });
                ranks[left as usize] = value;
                if value != NONE {
                    let rank = (value >> 32) as u32;
                    places.entry(rank).or_default().push(left);
                    is_lower |= rank < lowest;
                }
            }
            if is_lower {
                places
                    .entry(lowest)
                    .or_default()
                    .extend(&run[next_place + 1..]);
                break;
            }
        }
    }
    symbols.retain(|symbol| symbol.id != GONE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Merges by looking at all pairs again and again.
    fn naive(text: &[u8], rank: impl Fn(&[u8]) -> Option<u32>) -> Vec<Vec<u8>> {
        let mut parts: Vec<Vec<u8>> = text.iter().map(|&byte| vec![byte]).collect();
        loop {
            let pairs = parts.windows(2).enumerate();
            let lowest = pairs
                .filter_map(|(at, pair)| Some((rank(&pair.concat())?, at)))
                .min();
            let Some((_, at)) = lowest else { return parts };
            let right = parts.remove(at + 1);
            parts[at].extend(right);
        }
    }

    proptest! {
        #[test]
        fn all_orders_of_merging_equal_the_naive_one(
            tokens in prop::collection::hash_set(prop::collection::vec(b'a'..b'd', 2..6), 0..60),
            text in prop::collection::vec(b'a'..b'd', 1..150),
        ) {
            let mut tokens: Vec<_> = tokens.into_iter().collect();
            tokens.sort_by_key(|token| crate::bpe::vocab::hash(token));
            let rank = |bytes: &[u8]| tokens.iter().position(|token| token == bytes).map(|at| at as u32);
            let expected: Vec<usize> = naive(&text, rank).iter().map(Vec::len).collect();
            let value = |_, _, start: u32, end: u32| {
                let end = (end as usize).min(text.len());
                rank(&text[start as usize..end]).map_or(NONE, |rank| u64::from(rank) << 32 | u64::from(rank))
            };
            let symbols: Vec<_> = (0..text.len() as u32).map(|start| Symbol { start, id: 1000 }).collect();
            for merge in [|symbols: &mut Vec<_>, queue: &mut Queue, value: &dyn Fn(u32, u32, u32, u32) -> u64| {
                if symbols.len() > SCAN_MAX {
                    return by_ranks(symbols, queue, value);
                }
                let mut ranks = std::mem::take(&mut queue.ranks);
                by_scan(symbols, &mut ranks, value);
            }, |symbols: &mut Vec<_>, queue: &mut Queue, value: &dyn Fn(u32, u32, u32, u32) -> u64| {
                by_ranks(symbols, queue, value);
            }] {
                let (mut merged, mut queue) = (symbols.clone(), Queue::default());
                queue.ranks = first_ranks(&merged, value).collect();
                merge(&mut merged, &mut queue, &value);
                let ends = merged.iter().skip(1).map(|symbol| symbol.start).chain([text.len() as u32]);
                let sizes: Vec<_> = merged.iter().zip(ends).map(|(symbol, end)| (end - symbol.start) as usize).collect();
                prop_assert_eq!(&sizes, &expected);
            }
        }
    }
}
