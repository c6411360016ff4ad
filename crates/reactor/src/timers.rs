//! What is due when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Below as many, entries of cancelled timers are not worth a sweep.
const SWEEP_MIN: usize = 64;

/// A timer that was inserted. It is never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    sequence: u64,
    slot: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    deadline: u64,
    /// Timers that are due at the same time come in the order of their insertion.
    sequence: u64,
    slot: u32,
}

#[derive(Debug)]
struct Slot<T> {
    sequence: u64,
    value: Option<T>,
}

/// Values by their deadlines: numbers of any unit and origin.
///
/// Inserting and taking cost O(log n). Cancelling is O(1) and gives the value back at once; what is left of it is
/// swept when it is more than half of all.
#[derive(Debug)]
pub struct Timers<T> {
    heap: BinaryHeap<Reverse<Entry>>,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            sequence: 0,
        }
    }
}

impl<T> Timers<T> {
    /// How many are neither due nor cancelled.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps a value until its deadline.
    ///
    /// # Panics
    /// With more than 2^32 timers at once.
    pub fn insert(&mut self, deadline: u64, value: T) -> TimerKey {
        let sequence = self.sequence;
        self.sequence += 1;
        let filled = Slot {
            sequence,
            value: Some(value),
        };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = filled;
            slot
        } else {
            self.slots.push(filled);
            u32::try_from(self.slots.len() - 1).expect("at most 2^32 timers")
        };
        self.heap.push(Reverse(Entry {
            deadline,
            sequence,
            slot,
        }));
        TimerKey { sequence, slot }
    }

    /// Takes a value out before its deadline; none when it is gone already.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let value = self.take(key.slot, key.sequence)?;
        let dead = self.heap.len() - self.len();
        if dead > SWEEP_MIN && dead > self.heap.len() / 2 {
            let slots = &self.slots;
            self.heap
                .retain(|Reverse(entry)| is_alive(slots, entry.slot, entry.sequence));
        }
        Some(value)
    }

    fn take(&mut self, slot: u32, sequence: u64) -> Option<T> {
        let place = self.slots.get_mut(slot as usize)?;
        if place.sequence != sequence {
            return None;
        }
        let value = place.value.take()?;
        self.free.push(slot);
        Some(value)
    }

    /// The next deadline.
    pub fn next_deadline(&mut self) -> Option<u64> {
        loop {
            let &Reverse(entry) = self.heap.peek()?;
            if is_alive(&self.slots, entry.slot, entry.sequence) {
                return Some(entry.deadline);
            }
            self.heap.pop();
        }
    }

    /// Takes the first of the values whose deadline is `now` or before.
    pub fn pop_due(&mut self, now: u64) -> Option<T> {
        if self.next_deadline()? > now {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        self.take(entry.slot, entry.sequence)
    }

    /// The values that wait, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }

    /// Takes all values out, in no order.
    pub fn clear(&mut self) -> Vec<T> {
        self.heap.clear();
        self.free.clear();
        let slots = std::mem::take(&mut self.slots);
        slots.into_iter().filter_map(|slot| slot.value).collect()
    }
}

fn is_alive<T>(slots: &[Slot<T>], slot: u32, sequence: u64) -> bool {
    slots
        .get(slot as usize)
        .is_some_and(|slot| slot.sequence == sequence && slot.value.is_some())
}
