//! `nexus data`: plans that are run, or only estimated.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with a plan and its input.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let lines: String = (0..100)
        .map(|number| format!("{{\"text\": \"text number {number}\"}}\n"))
        .collect::<Vec<_>>()
        .concat();
    write("in.jsonl", &(lines + "bad\n"));
    write(
        "plan.toml",
        "source.path = 'in.jsonl'\nsteps = [{op = 'min_chars', chars = 14}]\nsink.write = 'out.parquet'\n",
    );
    folder
}

fn nexus(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
    command.args(["data"]).args(arguments.split_whitespace());
    command.current_dir(folder).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_dry_run_says_what_a_run_would_do_and_writes_nothing() {
    let folder = folder();
    let text = stdout(&nexus(folder.path(), "run plan.toml --dry-run"));
    for part in [
        "source       1 files, ",
        "documents    100\n",
        "rejected     1\n",
        "kept         90\n",
        "write_parquet",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = stdout(&nexus(
        folder.path(),
        "run plan.toml --dry-run --sample 1MiB --threads 3 --json",
    ));
    let estimate: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(estimate["kept"]["value"], 90.0);
    assert_eq!(
        (&estimate["is_whole"], &estimate["threads"]),
        (&true.into(), &3.into())
    );
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    for arguments in [
        "run plan.toml --sample 1MiB",
        "run plan.toml --dry-run --resume",
    ] {
        assert_eq!(
            nexus(folder.path(), arguments).status.code(),
            Some(2),
            "{arguments}"
        );
    }
}

#[test]
fn a_run_ends_with_a_table_of_its_steps() {
    let folder = folder();
    let output = nexus(folder.path(), "run plan.toml --threads 1");
    let text = stdout(&output);
    assert!(output.stderr.is_empty());
    let steps: Vec<Vec<&str>> = text
        .lines()
        .take(4)
        .map(|line| line.split_whitespace().take(3).collect())
        .collect();
    assert_eq!(
        steps,
        [
            ["step", "rows", "in"],
            ["read", "101", "100"],
            ["min_chars", "100", "90"],
            ["write_parquet", "90", "90"],
        ]
    );
    assert!(text.contains("set aside: in.jsonl:101: bad JSON"), "{text}");
    assert!(
        text.contains("90 rows, 0 duplicates, 1 rejected, 0 files skipped, "),
        "{text}"
    );
}

#[test]
fn progress_for_programs_has_stages_rates_and_steps() {
    let folder = folder();
    let output = nexus(folder.path(), "run plan.toml --progress json");
    stdout(&output);
    let lines = String::from_utf8(output.stderr).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["stage"], &last["number"], &last["stages"]),
        (&"run".into(), &1.into(), &1.into())
    );
    assert_eq!(
        (&last["rows"], &last["rows_read"]),
        (&90.into(), &100.into())
    );
    assert_eq!(
        (&last["done"], &last["seconds_left"]),
        (&last["total"], &0.0.into())
    );
    assert!(last["rows_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(last["steps"][1]["name"], "min_chars");
}
