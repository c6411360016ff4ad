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

/// `size` in the units people read: `"812 B"`, `"4.2 MB"`.
pub(crate) fn human_size(size: u64) -> String {
    let mut value = size as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" {
                format!("{size} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}
