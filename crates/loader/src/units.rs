//! An order of units that are unpacked as a whole: units in a keyed order, rows within windows of a
//! few units.

use std::ops::Range;
use std::sync::Arc;

use crate::order::Permutation;

/// Where each unit's rows start, and the end of the last.
pub(crate) type Starts = Arc<[u64]>;

/// The order of one epoch. Takes 16 bytes for each unit.
#[derive(Clone, Debug)]
pub(crate) struct Units {
    starts: Starts,
    order: Permutation,
    /// The first place of each unit in the keyed order, and the end of the last.
    places: Vec<u64>,
    window: u64,
    key: u64,
}

impl Units {
    pub(crate) fn new(starts: Starts, window: u64, keys: (u64, u64)) -> Self {
        let order = Permutation::new(starts.len() as u64 - 1, keys.0);
        let mut places = Vec::with_capacity(starts.len());
        places.push(0);
        for at in 0..order.len() {
            let unit = order.get(at) as usize;
            places.push(places[at as usize] + starts[unit + 1] - starts[unit]);
        }
        Self {
            starts,
            order,
            places,
            window,
            key: keys.1,
        }
    }

    /// The row at a position.
    pub(crate) fn get(&self, position: u64) -> u64 {
        let number = self.unit_at(position) / self.window;
        let Range { start, end } = self.window(number);
        let key = self.key ^ number.wrapping_mul(0x9E37_79B9);
        let place = start + Permutation::new(end - start, key).get(position - start);
        let at = self.unit_at(place);
        let unit = self.order.get(at) as usize;
        self.starts[unit] + place - self.places[at as usize]
    }

    /// Which units of the next window are to be unpacked by the time that these positions are read,
    /// so that its units come one by one while this window is read.
    pub(crate) fn upcoming(&self, positions: Range<u64>) -> impl Iterator<Item = u64> {
        let last = positions.end.max(1) - 1;
        let number = self.unit_at(last) / self.window;
        let Range { start, end } = self.window(number);
        let next = (number + 1) * self.window..self.order.len().min((number + 2) * self.window);
        let count = next.end.saturating_sub(next.start);
        let due = |position: u64| {
            let done = u128::from(position.clamp(start, end) - start);
            (u128::from(count) * done / u128::from(end - start)) as u64
        };
        let due = due(positions.start)..due(positions.end);
        due.map(move |at| self.order.get(next.start + at))
    }

    /// The place in the keyed order of the unit that holds a position.
    fn unit_at(&self, position: u64) -> u64 {
        self.places.partition_point(|&start| start <= position) as u64 - 1
    }

    /// The positions of a window.
    fn window(&self, number: u64) -> Range<u64> {
        let first = (number * self.window) as usize;
        let last = self.places.len() - 1;
        let end = first.saturating_add(self.window as usize).min(last);
        self.places[first]..self.places[end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_comes_once_and_a_window_reads_its_units_alone() {
        let sizes = [5_u64, 0, 3, 8, 1, 0, 0, 13, 2, 7];
        let mut starts = vec![0];
        for size in sizes {
            starts.push(starts[starts.len() - 1] + size);
        }
        let starts: Starts = starts.into();
        for window in [1, 2, 3, 10, 99] {
            let units = Units::new(starts.clone(), window, (7, 8));
            let rows: Vec<u64> = (0..39).map(|at| units.get(at)).collect();
            let mut sorted = rows.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..39).collect::<Vec<_>>(), "window {window}");
            let unit = |row: u64| starts.partition_point(|&start| start <= row) - 1;
            for number in 0..10_u64.div_ceil(window) {
                let Range { start, end } = units.window(number);
                let mut seen: Vec<_> = (start..end).map(|at| unit(rows[at as usize])).collect();
                seen.sort_unstable();
                seen.dedup();
                assert!(seen.len() as u64 <= window, "window {window}: {seen:?}");
            }
        }
    }

    #[test]
    fn the_next_window_is_announced_unit_by_unit() {
        let starts: Starts = (0..=12).map(|at| at * 10).collect();
        let units = Units::new(starts, 4, (1, 2));
        let announced: Vec<Vec<u64>> = (0..8)
            .map(|batch| units.upcoming(batch * 10..batch * 10 + 10).collect())
            .collect();
        let want: Vec<Vec<u64>> = (4..12).map(|at| vec![units.order.get(at)]).collect();
        assert_eq!(announced, want);
        assert_eq!(units.upcoming(0..40).count(), 4, "other ranks read between");
        assert_eq!(
            units.upcoming(30..50).count(),
            1,
            "of the window of the last position"
        );
        assert_eq!(units.upcoming(80..120).count(), 0, "nothing follows");
    }
}
