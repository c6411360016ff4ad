//! Runs that go on and runs of several nodes: their options, their outputs, what they leave and tell.

use crate::harness::{names, options};
use nexus_data::{Format, Node, Output, Pipeline, Report, RunOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A run's files, by name.
pub(crate) fn written(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            all.extend(
                written(&path)
                    .into_iter()
                    .map(|(inner, bytes)| (name.join(inner), bytes)),
            );
        } else {
            all.insert(name, std::fs::read(path).unwrap());
        }
    }
    all
}

pub(crate) fn into(pipeline: Pipeline, out: &Path, format: Format) -> Pipeline {
    let output = Output::new(out.join("shards"))
        .format(format)
        .shard_size_bytes(4096);
    pipeline
        .write(output)
        .write_rejects(out.join("rejects.jsonl"))
        .write_audit(out.join("audit.jsonl"))
}

pub(crate) fn resume(threads: usize) -> RunOptions {
    RunOptions {
        resume: true,
        group_size_bytes: Some(9000),
        ..options(threads, 7)
    }
}

/// What a report says that does not depend on time.
pub(crate) fn told(report: &Report) -> String {
    let steps = report
        .steps
        .iter()
        .map(|step| (step.name.clone(), step.rows_in, step.rows_out));
    let steps: Vec<_> = steps.collect();
    format!(
        "{steps:?} {:?} {:?} {:?} {} {} {}",
        report.rejected,
        report.dropped,
        report.skipped,
        report.duplicates,
        report.files,
        report.rows()
    )
}

/// Runs all nodes at once, each in a thread.
pub(crate) fn nodes(count: usize, pipeline: &Pipeline, work: &Path) -> Vec<Report> {
    std::thread::scope(|scope| {
        let nodes = (0..count)
            .map(|index| scope.spawn(move || pipeline.run(&node(index, count, work)).unwrap()));
        let nodes: Vec<_> = nodes.collect();
        nodes.into_iter().map(|node| node.join().unwrap()).collect()
    })
}

pub(crate) fn node(index: usize, count: usize, work: &Path) -> RunOptions {
    RunOptions {
        node: Some(Node::new(index, count).unwrap()),
        node_timeout: Some(Duration::from_mins(1)),
        work: Some(work.to_owned()),
        group_size_bytes: Some(9000),
        ..options(1 + index % 2, 7)
    }
}
