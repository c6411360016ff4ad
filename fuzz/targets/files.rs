//! Any bytes as a file of a kind that a pipeline reads: a function for each kind.

use nexus_data::{Pipeline, RunOptions};

/// Reads `data` as a file with the ending `ending`, twice: what cannot be read is set aside, and what
/// is read does not depend on how it is cut into batches.
///
/// # Panics
/// When a run fails, or when two runs differ.
fn read(data: &[u8], ending: &str) {
    let id = std::thread::current().id();
    let name = format!("nexus-fuzz-{}-{id:?}.{ending}", std::process::id());
    let path = std::env::temp_dir().join(name.replace(['(', ')'], ""));
    std::fs::write(&path, data).expect("a scratch file can be written");
    let mut seen = Vec::new();
    for batch_rows in [1, 1024] {
        let options = RunOptions {
            threads: 1,
            batch_rows,
            ..RunOptions::default()
        };
        let mut rows = 0;
        let report = Pipeline::read(&path).for_each(&options, |batch| {
            rows += batch.num_rows();
            Ok(())
        });
        let report = report.expect("a broken file is set aside");
        assert_eq!(report.rows(), rows as u64);
        seen.push((rows, report.rejected.count));
    }
    std::fs::remove_file(&path).expect("the scratch file is there");
    assert_eq!(
        seen[0], seen[1],
        "rows and rejects by batches of 1 and of 1024 rows"
    );
}

/// Reads `data` as a WARC file.
pub fn warc(data: &[u8]) {
    read(data, "warc");
}

/// Reads `data` as a tar archive of samples.
pub fn tar(data: &[u8]) {
    read(data, "tar");
}

/// Reads `data` as an Arrow file or stream.
pub fn arrow(data: &[u8]) {
    read(data, "arrow");
}

/// Reads `data` as a CSV file.
pub fn csv(data: &[u8]) {
    read(data, "csv");
}

/// Reads `data` as a Parquet file.
pub fn parquet(data: &[u8]) {
    read(data, "parquet");
}
