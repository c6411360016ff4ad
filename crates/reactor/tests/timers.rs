//! Timers against a list that is searched.

use nexus_reactor::Timers;
use proptest::prelude::*;

#[test]
fn values_come_by_deadline_and_then_by_insertion() {
    let mut timers = Timers::default();
    for (deadline, name) in [(5, "c"), (1, "a"), (5, "d"), (3, "b"), (5, "e")] {
        timers.insert(deadline, name);
    }
    assert_eq!(timers.next_deadline(), Some(1));
    assert_eq!(timers.pop_due(0), None);
    let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(5)).collect();
    assert_eq!(due, ["a", "b", "c", "d", "e"]);
    assert!(timers.is_empty());
    assert_eq!(timers.next_deadline(), None);
}

#[test]
fn a_cancelled_value_comes_back_once_and_is_never_due() {
    let mut timers = Timers::default();
    let key = timers.insert(1, "x");
    timers.insert(2, "y");
    assert_eq!(timers.cancel(key), Some("x"));
    assert_eq!(timers.cancel(key), None);
    assert_eq!(timers.next_deadline(), Some(2));
    assert_eq!(timers.pop_due(9), Some("y"));
    assert_eq!(timers.pop_due(9), None);
}

#[test]
fn a_key_of_a_timer_that_is_gone_cancels_no_later_one() {
    let mut timers = Timers::default();
    let old = timers.insert(1, "old");
    assert_eq!(timers.pop_due(1), Some("old"));
    let new = timers.insert(1, "new");
    assert_eq!(timers.cancel(old), None);
    timers.clear();
    let again = timers.insert(1, "again");
    assert_eq!(timers.cancel(new), None);
    assert_eq!(timers.cancel(again), Some("again"));
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Cancel(usize),
    Take(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..50_u64).prop_map(Step::Insert),
        any::<usize>().prop_map(Step::Cancel),
        (0..50_u64).prop_map(Step::Take),
    ];
    proptest::collection::vec(step, 0..600)
}

proptest! {
    #[test]
    fn timers_do_what_a_searched_list_does(steps in steps()) {
        let mut timers = Timers::default();
        let mut keys = Vec::new();
        let mut list: Vec<(u64, usize)> = Vec::new();
        for step in steps {
            match step {
                Step::Insert(deadline) => {
                    list.push((deadline, keys.len()));
                    keys.push(timers.insert(deadline, keys.len()));
                }
                Step::Cancel(which) if !keys.is_empty() => {
                    let which = which % keys.len();
                    let place = list.iter().position(|&(_, value)| value == which);
                    let expected = place.map(|place| list.remove(place).1);
                    prop_assert_eq!(timers.cancel(keys[which]), expected);
                }
                Step::Cancel(_) => {}
                Step::Take(now) => {
                    let first = list.iter().filter(|entry| entry.0 <= now).min().copied();
                    list.retain(|&entry| Some(entry) != first);
                    prop_assert_eq!(timers.pop_due(now), first.map(|entry| entry.1));
                }
            }
            prop_assert_eq!(timers.len(), list.len());
            prop_assert_eq!(timers.next_deadline(), list.iter().map(|entry| entry.0).min());
            prop_assert_eq!(timers.values().count(), list.len());
        }
    }
}
