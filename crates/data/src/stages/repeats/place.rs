//! Where units of documents stand.

/// Where units stand, which are asked for in order. Parts are known by their numbers.
pub(super) struct Place<'a> {
    counts: &'a [(u32, Vec<u32>)],
    /// The place of the part.
    part: usize,
    row: u32,
    /// Units before the row.
    before: u32,
}

impl<'a> Place<'a> {
    pub(super) fn new(counts: &'a [(u32, Vec<u32>)]) -> Self {
        Self {
            counts,
            part: 0,
            row: 0,
            before: 0,
        }
    }

    /// The row of a unit of a part, and its place there.
    pub(super) fn of(&mut self, part: u32, unit: u32) -> Option<(u32, u32)> {
        while self.counts.get(self.part)?.0 != part {
            (self.part, self.row, self.before) = (self.part + 1, 0, 0);
        }
        let (_, counts) = &self.counts[self.part];
        loop {
            let place = unit.checked_sub(self.before)?;
            let count = *counts.get(self.row as usize)?;
            if place < count {
                return Some((self.row, place));
            }
            self.before += count;
            self.row += 1;
        }
    }
}
