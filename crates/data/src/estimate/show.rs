//! An estimate as people read it.

use super::{Estimate, Estimated};
use crate::show::{count, size, time};
use std::fmt;

impl Estimated {
    /// The number, with its margin as a percentage where it has one.
    fn text(self, form: impl Fn(f64) -> String) -> String {
        let value = form(self.value);
        match self.margin {
            None => format!("about {value}"),
            Some(margin) if margin > 0.0 && self.value > 0.0 => {
                format!("{value} ± {:.0} %", 100.0 * margin / self.value)
            }
            Some(_) => value,
        }
    }
}

/// A line for each number, a table of the steps, and what a sample cannot know.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, bytes) = (count(self.files as f64), size(self.bytes as f64));
        let lines = [
            (
                "source",
                format!(
                    "{files} files, {bytes}, {} decompressed",
                    self.plain_bytes.text(size)
                ),
            ),
            ("documents", self.documents.text(count)),
            ("rejected", self.rejected.text(count)),
            ("kept", self.kept.text(count)),
            (
                "time",
                format!("{} on {} threads", self.seconds.text(time), self.threads),
            ),
            ("CPU time", self.cpu_seconds.text(time)),
            ("memory", self.memory_bytes.text(size)),
            ("work folder", self.work_bytes.text(size)),
            ("output", self.output_bytes.text(size)),
        ];
        for (name, text) in lines {
            writeln!(f, "{name:<12} {text}")?;
        }
        let width = self.steps.iter().map(|step| step.name.len());
        let width = width.max().unwrap_or(0).max("step".len());
        writeln!(
            f,
            "\nstage {:<width$} {:>16} {:>16} {:>16}",
            "step", "rows in", "rows out", "CPU time"
        )?;
        for step in &self.steps {
            writeln!(
                f,
                "{:>5} {:<width$} {:>16} {:>16} {:>16}",
                step.stage,
                step.name,
                count(step.rows_in.value),
                count(step.rows_out.value),
                step.cpu_seconds.text(time),
            )?;
        }
        for dropped in &self.dropped {
            let number = dropped.count.text(count);
            writeln!(
                f,
                "dropped by {}: {}: {number}",
                dropped.step, dropped.reason
            )?;
        }
        let (documents, bytes) = (
            count(self.sample_documents as f64),
            size(self.sample_bytes as f64),
        );
        let (places, seconds) = (self.places, time(self.sample_seconds));
        write!(
            f,
            "\nby {documents} documents of {places} places, {bytes}, read in {seconds}"
        )?;
        for note in &self.notes {
            write!(f, "\nnote: {note}")?;
        }
        Ok(())
    }
}
