//! Nested loops over memory: where equal pieces start, in row-major order.

/// One axis that is walked: how many pieces, and how far apart they are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loop {
    pub(crate) count: usize,
    pub(crate) stride: isize,
}

/// The places that nested loops visit, outermost loop first. Each step costs one addition, and one
/// more for every loop that starts again. Holds no list of places.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    loops: Vec<Loop>,
    taken: Vec<usize>,
    next: Option<usize>,
}

impl Places {
    /// Starts at `start`. Every place that the loops lead to must be a `usize`.
    pub(crate) fn new(start: usize, loops: Vec<Loop>) -> Self {
        let empty = loops.iter().any(|axis| axis.count == 0);
        Self {
            taken: vec![0; loops.len()],
            loops,
            next: (!empty).then_some(start),
        }
    }

    /// How many places are left. Costs a few operations for each loop.
    pub(crate) fn left(&self) -> usize {
        if self.next.is_none() {
            return 0;
        }
        let axes = self.loops.iter().zip(&self.taken);
        let (total, done) = axes.fold((1_usize, 0_usize), |(total, done), (axis, taken)| {
            (total * axis.count, done * axis.count + taken)
        });
        total - done
    }
}

impl Iterator for Places {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = self.next.take()?;
        let mut at = place;
        for (axis, taken) in self.loops.iter().zip(&mut self.taken).rev() {
            *taken += 1;
            if *taken < axis.count {
                self.next = Some(at.wrapping_add_signed(axis.stride));
                break;
            }
            let back = axis.stride.wrapping_mul(axis.count.cast_signed() - 1);
            at = at.wrapping_add_signed(back.wrapping_neg());
            *taken = 0;
        }
        Some(place)
    }
}
