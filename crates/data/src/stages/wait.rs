//! Waiting for other nodes.

use super::Shared;
use crate::{Error, ErrorKind, Node, Progressed, Waiting};
use std::time::{Duration, Instant};

/// The first pause between two looks, and the longest.
const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The longest time in which nobody looks whether the run is cancelled.
const NAP: Duration = Duration::from_millis(50);

/// Looks again and again until `look` gives something. Else it says for whom it waits: groups of files
/// that are missing, or none where node 0 decides or writes.
pub(super) fn wait<T>(
    node: Node,
    shared: &Shared,
    now: &Progressed,
    mut look: impl FnMut() -> Result<Result<T, Vec<usize>>, Error>,
) -> Result<T, Error> {
    let mut pause = PAUSE;
    let mut news = (Instant::now(), usize::MAX);
    loop {
        let missing = match look()? {
            Ok(found) => return Ok(found),
            Err(missing) => missing,
        };
        if missing.len() != news.1 {
            (news, pause) = ((Instant::now(), missing.len()), PAUSE);
        }
        let other = missing.first().map_or(0, |&group| node.of_group(group));
        if let Some(progress) = &shared.progress {
            let groups = missing.len() as u64;
            let waiting = Some(Waiting {
                node: other,
                groups,
            });
            progress.update(Progressed {
                waiting,
                ..now.clone()
            });
        }
        if let Some(limit) = shared.node_timeout
            && news.0.elapsed() >= limit
        {
            return Err(gone(node, &missing, limit));
        }
        let end = Instant::now() + pause;
        while let Some(left) = end.checked_duration_since(Instant::now())
            && !left.is_zero()
        {
            if shared.cancel.is_cancelled() {
                return Err(Error::cancelled());
            }
            std::thread::sleep(left.min(NAP));
        }
        pause = (pause * 3 / 2).min(PAUSE_MAX);
    }
}

/// Who has not been heard of.
fn gone(node: Node, missing: &[usize], limit: Duration) -> Error {
    let seconds = limit.as_secs_f64();
    let what = if missing.is_empty() {
        "node 0 has not decided or not written".to_owned()
    } else {
        let mut nodes: Vec<_> = missing.iter().map(|&group| node.of_group(group)).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let shown: Vec<_> = nodes.iter().take(16).map(ToString::to_string).collect();
        let more = if nodes.len() > shown.len() {
            ", ..."
        } else {
            ""
        };
        let groups = missing.len();
        let names = shown.join(", ");
        format!("{groups} groups of files are missing, of the nodes {names}{more}")
    };
    let message = format!("node {node} has waited {seconds} s without news: {what}");
    Error::new(ErrorKind::TimedOut, message)
        .with_hint("start the nodes that do not run again, then this one: nothing is lost")
}
