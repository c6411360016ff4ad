//! Results on stdout, as text or as JSON.

use crate::failure::Failure;
use serde::Serialize;
use std::io::{self, Write};

/// Where results go.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints `value` as one line of JSON, or as the text that `text` makes of it.
    pub(crate) fn print<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        let line = if self.json {
            serde_json::to_string(value).expect("results are JSON")
        } else {
            printable(text(value).trim_end())
        };
        match writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush()) {
            // The reader has seen enough, as in `nexus ... | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::new(
                format!("cannot write to stdout: {error}"),
                "check where it leads",
            )),
            Ok(()) => Ok(()),
        }
    }
}

/// Text for a terminal. Names come from foreign files: what would command the terminal is shown as
/// an escape.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// `count` with its noun: `"1 tensor"`, `"2 tensors"`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// `size` in the units people read: `"812 B"`, `"4.2 MB"`.
pub(crate) fn human_size(size: u64) -> String {
    if size < 1000 {
        return format!("{size} B");
    }
    let mut value = size as f64 / 1000.0;
    for unit in ["kB", "MB", "GB"] {
        // What is rounded to 1000.0 is 1.0 of the next unit.
        if value < 999.95 {
            return format!("{value:.1} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_are_written_as_people_write_them() {
        let sizes = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (4_200_000_000, "4.2 GB"),
            (7_000_000_000_000_000, "7000.0 TB"),
        ];
        for (size, expected) in sizes {
            assert_eq!(human_size(size), expected, "{size}");
        }
        let counts = [0, 1, 2].map(|count| counted(count, "tensor"));
        assert_eq!(counts, ["0 tensors", "1 tensor", "2 tensors"]);
    }
}
