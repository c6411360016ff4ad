//! Progress, reports and estimates as people read them.

use crate::report::{Progressed, Report, StepReport, Waiting, per_second};
use std::fmt;

/// A size in the units people read: `812 B`, `4.2 MB`.
pub(crate) fn size(bytes: f64) -> String {
    let mut value = bytes;
    for unit in ["B", "kB", "MB", "GB"] {
        // What is rounded to 1000 is 1.0 of the next unit.
        if value < 999.5 {
            let digits = usize::from(unit != "B" && value < 99.95);
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// A number with commas: `1,234,567`.
pub(crate) fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A time in the units people read: `0.35 s`, `42 s`, `3:07 min`, `2:05 h`.
pub(crate) fn time(seconds: f64) -> String {
    if seconds < 9.995 {
        return format!("{seconds:.2} s");
    }
    let (whole, minutes) = (seconds.round() as u64, (seconds / 60.0).round() as u64);
    match whole {
        ..60 => format!("{whole} s"),
        60..3600 => format!("{}:{:02} min", whole / 60, whole % 60),
        _ => format!("{}:{:02} h", minutes / 60, minutes % 60),
    }
}

/// In one line: the stage, how far it is, rates, the time that is left.
impl fmt::Display for Progressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Waiting { node, groups }) = self.waiting {
            return match groups {
                0 => f.write_str("waiting for node 0, which decides and writes"),
                _ => write!(
                    f,
                    "waiting for node {node}: {groups} groups of files are missing in all"
                ),
            };
        }
        if self.stages > 1 {
            write!(f, "stage {} of {}, ", self.stage, self.stages)?;
        }
        let (read, rate) = (count(self.rows_read as f64), count(self.rows_per_second()));
        write!(f, "{read} documents, {rate}/s")?;
        if self.bytes_per_second() > 0.0 {
            write!(f, ", {}/s", size(self.bytes_per_second()))?;
        }
        if let Some(slowest) = self.slowest() {
            write!(f, ", most in {slowest}")?;
        }
        match self.seconds_left() {
            Some(seconds) => write!(f, ", {} left", time(seconds)),
            None => Ok(()),
        }
    }
}

impl Progressed {
    /// The step in which most of the time went, if there are several.
    fn slowest(&self) -> Option<&str> {
        let slowest = |a: &&StepReport, b: &&StepReport| a.seconds.total_cmp(&b.seconds);
        let step = self.steps.iter().max_by(slowest)?;
        (self.steps.len() > 1 && step.seconds > 0.0).then_some(step.name.as_str())
    }
}

/// A table of the steps with their rates, then what was dropped and set aside. Times are added up over
/// threads, so rates are those of one thread.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.steps.iter().map(|step| step.name.len());
        let width = width.max().unwrap_or(0).max("step".len());
        writeln!(
            f,
            "{:<width$} {:>13} {:>13} {:>10} {:>6} {:>11} {:>11}",
            "step", "rows in", "rows out", "time", "share", "rows/s", "bytes/s"
        )?;
        let total: f64 = self.steps.iter().map(|step| step.seconds).sum();
        for step in &self.steps {
            let is_timed = step.seconds > 0.0;
            let cell = |text: String| if is_timed { text } else { "-".to_owned() };
            writeln!(
                f,
                "{:<width$} {:>13} {:>13} {:>10} {:>6} {:>11} {:>11}",
                step.name,
                count(step.rows_in as f64),
                count(step.rows_out as f64),
                cell(time(step.seconds)),
                cell(format!("{:.0} %", 100.0 * step.seconds / total)),
                cell(count(per_second(step.rows_in, step.seconds))),
                cell(size(per_second(step.bytes_in, step.seconds))),
            )?;
        }
        for dropped in &self.dropped {
            let number = count(dropped.count as f64);
            writeln!(
                f,
                "dropped by {}: {}: {number}",
                dropped.step, dropped.reason
            )?;
        }
        for reject in &self.rejected.samples {
            writeln!(f, "set aside: {reject}")?;
        }
        let read = self.steps.first();
        let (rows, bytes) = read.map_or((0, 0), |read| (read.rows_in, read.bytes_in));
        write!(
            f,
            "{} rows, {} duplicates, {} rejected, {} files skipped, {} on {} threads: {} documents/s, {}/s",
            count(self.rows() as f64),
            count(self.duplicates as f64),
            count(self.rejected.count as f64),
            count(self.skipped.count as f64),
            time(self.seconds),
            self.threads,
            count(per_second(rows, self.seconds)),
            size(per_second(bytes, self.seconds)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let sizes = [0.0, 999.4, 999.6, 4_200_000.0, 123_456_789.0, 7e15];
        let expected = ["0 B", "999 B", "1.0 kB", "4.2 MB", "123 MB", "7000.0 TB"];
        assert_eq!(sizes.map(size), expected);
        let counts = [0.0, 999.0, 1000.0, 1_234_567.0];
        assert_eq!(counts.map(count), ["0", "999", "1,000", "1,234,567"]);
        let times = [0.0, 9.99, 9.999, 59.6, 187.0, 7500.0, 90_000.0];
        let expected = [
            "0.00 s", "9.99 s", "10 s", "1:00 min", "3:07 min", "2:05 h", "25:00 h",
        ];
        assert_eq!(times.map(time), expected);
    }

    #[test]
    fn progress_is_one_line() {
        let step = |name: &str, seconds| StepReport {
            name: name.to_owned(),
            seconds,
            ..StepReport::default()
        };
        let mut now = Progressed {
            bytes: 25_000_000,
            bytes_total: Some(100_000_000),
            stage: 1,
            stages: 2,
            rows_read: 5000,
            stage_bytes: 25_000_000,
            seconds: 10.0,
            steps: vec![step("read", 1.0), step("clean", 2.0)],
            ..Progressed::default()
        };
        let expected = "stage 1 of 2, 5,000 documents, 500/s, 2.5 MB/s, most in clean, 30 s left";
        assert_eq!(now.to_string(), expected);
        (now.stage, now.stage_bytes, now.rows_total) = (2, 0, Some(20_000));
        let expected = "stage 2 of 2, 5,000 documents, 500/s, most in clean, 30 s left";
        assert_eq!(now.to_string(), expected);
        assert_eq!(Progressed::default().to_string(), "0 documents, 0/s");
    }
}
