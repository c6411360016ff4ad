//! Progress on stderr: bars on a terminal, JSON lines for programs, nothing in a pipe.

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use nexus_data::Progressed;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What `--progress` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// Bars if stderr is a terminal, else nothing.
    Auto,
    /// One JSON object per line.
    Json,
    /// Nothing.
    None,
}

/// The progress of a job that goes through named stages.
pub(crate) struct Progress {
    mode: ProgressMode,
    /// Whether a line now and then is welcome, in a pipe too.
    speaks: bool,
    stage: Mutex<Option<Stage>>,
}

struct Stage {
    name: String,
    start: Instant,
    bar: Option<ProgressBar>,
}

/// A stage that ends sooner shows no bar.
const QUIET: Duration = Duration::from_millis(300);

/// What the whole bar of a data pipeline counts.
const PARTS: u64 = 1000;

impl Progress {
    pub(crate) fn new(mode: ProgressMode) -> Self {
        let silent = mode == ProgressMode::Auto && !std::io::stderr().is_terminal();
        Self {
            speaks: mode != ProgressMode::None,
            mode: if silent { ProgressMode::None } else { mode },
            stage: Mutex::default(),
        }
    }

    /// Says that `done` of `total` (if known) units of `name` are done.
    pub(crate) fn update(&self, name: &str, done: u64, total: Option<u64>) {
        match self.mode {
            ProgressMode::None => {}
            ProgressMode::Json => {
                let line = serde_json::json!({"stage": name, "done": done, "total": total});
                // A reader that has gone does not end the work.
                let _ = writeln!(std::io::stderr(), "{line}");
            }
            ProgressMode::Auto => self.draw(name, done, total),
        }
    }

    /// Shows a data pipeline: which stage of how many, rates and the time that is left.
    pub(crate) fn show(&self, now: &Progressed) {
        let name = match now.stages {
            0 | 1 => "run".to_owned(),
            stages => format!("stage {}/{stages}", now.stage),
        };
        match self.mode {
            ProgressMode::None => {}
            ProgressMode::Json => {
                let steps: Vec<_> = (now.steps.iter())
                    .map(|step| {
                        serde_json::json!({
                            "name": step.name, "rows_in": step.rows_in, "rows_out": step.rows_out,
                            "bytes_in": step.bytes_in, "seconds": step.seconds,
                        })
                    })
                    .collect();
                let line = serde_json::json!({
                    "stage": name, "done": now.bytes, "total": now.bytes_total,
                    "number": now.stage, "stages": now.stages, "rows": now.rows,
                    "rows_read": now.rows_read, "rows_total": now.rows_total,
                    "rows_per_second": now.rows_per_second(),
                    "bytes_per_second": now.bytes_per_second(),
                    "seconds": now.seconds, "seconds_left": now.seconds_left(), "steps": steps,
                });
                let _ = writeln!(std::io::stderr(), "{line}");
            }
            ProgressMode::Auto => {
                // A stage of which nobody knows how long it is has no length here either.
                let done = now.fraction().map(|part| (part * PARTS as f64) as u64);
                self.draw(&name, done.unwrap_or(0), done.map(|_| PARTS));
                let current = self.stage.lock().expect("drawing does not panic");
                if let Some(bar) = current.as_ref().and_then(|stage| stage.bar.as_ref()) {
                    bar.set_style(style(done.is_some(), "{msg}"));
                    bar.set_message(now.to_string());
                }
            }
        }
    }

    /// Says what the job waits for, in a line of its own.
    pub(crate) fn say(&self, text: &str) {
        let line = match self.mode {
            ProgressMode::Json => serde_json::json!({ "waiting": text }).to_string(),
            _ => text.to_owned(),
        };
        if self.speaks {
            self.finish();
            // A reader that has gone does not end the work.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    fn draw(&self, name: &str, done: u64, total: Option<u64>) {
        let mut current = self.stage.lock().expect("drawing does not panic");
        if current.as_ref().is_none_or(|stage| stage.name != name) {
            clear(current.take());
            *current = Some(Stage {
                name: name.to_owned(),
                start: Instant::now(),
                bar: None,
            });
        }
        let Some(stage) = current.as_mut() else {
            return;
        };
        if stage.bar.is_none() && stage.start.elapsed() < QUIET {
            return;
        }
        let bar = stage
            .bar
            .get_or_insert_with(|| new_bar(name, total, stage.start));
        bar.set_position(done);
    }

    /// Removes the bar, if one is drawn.
    pub(crate) fn finish(&self) {
        clear(self.stage.lock().expect("drawing does not panic").take());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn clear(stage: Option<Stage>) {
    if let Some(bar) = stage.and_then(|stage| stage.bar) {
        bar.finish_and_clear();
    }
}

fn style(is_bounded: bool, text: &str) -> ProgressStyle {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let meter = match (is_bounded, plain) {
        (true, true) => "{bar:30}",
        (true, false) => "{bar:30.cyan}",
        (false, _) => "{spinner}",
    };
    let template = format!("{{prefix:>9}} {meter} {text}");
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(&template).expect("a fixed template");
    style.with_key("rate", rate)
}

fn new_bar(name: &str, total: Option<u64>, start: Instant) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
    bar.set_style(match total {
        Some(_) => style(true, "{pos}/{len} {rate}, {eta} left"),
        None => style(false, "{pos}, {rate}"),
    });
    bar.set_prefix(name.to_owned());
    bar.with_elapsed(start.elapsed())
}
