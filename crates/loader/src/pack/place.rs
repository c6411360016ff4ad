//! Writing rows down.

use std::thread;

use super::Piece;
use super::plan::{Group, Plan};
use super::sort::Sorted;

/// Rows that are written at a time: their pieces stay in a core's cache.
const BLOCK_ROWS: u32 = 2048;

/// Rows of one group, and where they go.
struct Block {
    group: Group,
    /// Pieces in a row.
    width: usize,
}

/// Where rows start in the list of pieces, and the pieces: full rows first, then groups.
pub(super) fn rows(
    lengths: &[u32],
    row_len: u32,
    sorted: &Sorted,
    plan: &Plan,
    threads: usize,
) -> (Vec<u32>, Vec<Piece>) {
    let blocks: Vec<Block> = plan
        .groups()
        .flat_map(|group| blocks(plan, group))
        .collect();
    let rows = sorted.full_rows + plan.rows();
    let mut starts = vec![0_u32; rows + 1];
    let mut pieces = vec![Piece::default(); sorted.full_rows + sorted.pieces.len()];
    let (full_starts, mut free_starts) = starts[1..].split_at_mut(sorted.full_rows);
    let (full_pieces, mut free_pieces) = pieces.split_at_mut(sorted.full_rows);
    let share = plan.rows().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let mut rest = blocks.as_slice();
        let mut base = sorted.full_rows;
        while !rest.is_empty() {
            let (mut count, mut rows, mut width) = (0, 0, 0);
            while count < rest.len() && rows < share {
                rows += rest[count].group.rows as usize;
                width += rest[count].group.rows as usize * rest[count].width;
                count += 1;
            }
            let (own, others) = rest.split_at(count);
            let (own_starts, other_starts) = free_starts.split_at_mut(rows);
            let (own_pieces, other_pieces) = free_pieces.split_at_mut(width);
            (rest, free_starts, free_pieces) = (others, other_starts, other_pieces);
            let mut work =
                move || write_all(plan, &sorted.pieces, own, base, own_starts, own_pieces);
            if threads == 1 {
                work();
            } else {
                scope.spawn(work);
            }
            base += width;
        }
        write_full(lengths, row_len, full_starts, full_pieces);
    });
    (starts, pieces)
}

/// The rows of a group, some at a time.
fn blocks(plan: &Plan, group: Group) -> impl Iterator<Item = Block> {
    let width = plan.chain(group).iter().map(|part| part.each).sum();
    (0..group.rows)
        .step_by(BLOCK_ROWS as usize)
        .map(move |from| Block {
            group: group.part(from, BLOCK_ROWS),
            width,
        })
}

/// Documents that fill rows, in their own order.
fn write_full(lengths: &[u32], row_len: u32, starts: &mut [u32], pieces: &mut [Piece]) {
    if pieces.is_empty() {
        return;
    }
    let parts = lengths.iter().enumerate().flat_map(|(document, &len)| {
        let parts = if len < row_len { 0 } else { len / row_len };
        let document = document as u32;
        (0..parts).map(move |part| Piece { document, part })
    });
    for (at, ((start, place), piece)) in starts.iter_mut().zip(pieces).zip(parts).enumerate() {
        *start = at as u32 + 1;
        *place = piece;
    }
}

fn write_all(
    plan: &Plan,
    sorted: &[Piece],
    blocks: &[Block],
    mut base: usize,
    mut starts: &mut [u32],
    mut pieces: &mut [Piece],
) {
    for block in blocks {
        let rows = block.group.rows as usize;
        let (own_starts, other_starts) = starts.split_at_mut(rows);
        let (own_pieces, other_pieces) = pieces.split_at_mut(rows * block.width);
        (starts, pieces) = (other_starts, other_pieces);
        for start in own_starts {
            base += block.width;
            *start = base as u32;
        }
        let mut column = 0;
        for part in plan.chain(block.group) {
            let documents = &sorted[part.first..part.first + rows * part.each];
            let targets = own_pieces.chunks_exact_mut(block.width);
            if part.each == 1 {
                for (row, &document) in targets.zip(documents) {
                    row[column] = document;
                }
            } else {
                for (row, documents) in targets.zip(documents.chunks_exact(part.each)) {
                    row[column..column + part.each].copy_from_slice(documents);
                }
            }
            column += part.each;
        }
    }
}
