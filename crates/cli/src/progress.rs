//! How far training has come: a bar on a terminal, lines, JSON, and a log.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::failure::Failure;
use crate::metrics::{self, Metrics};
use crate::output;

/// How often the bar's text changes.
const REFRESH: Duration = Duration::from_millis(200);

pub struct Progress {
    bar: ProgressBar,
    is_json: bool,
    log: Option<Log>,
    batch: usize,
    /// When the bar's text changed, and at which step.
    shown: (Instant, u64),
    images_per_second: f64,
}

impl Progress {
    /// Training from step `from` to step `to`. Lines in the log of steps after `from` are of another run, and go.
    pub fn new(
        (from, to): (u64, u64),
        batch: usize,
        is_json: bool,
        log: Option<&Path>,
    ) -> Result<Self, Failure> {
        let bar = ProgressBar::new(to).with_position(from);
        let template = "{wide_bar} {pos}/{len}  {msg}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.reset_eta();
        let log = log.map(|folder| Log::open(folder, from)).transpose()?;
        let shown = (Instant::now(), from);
        Ok(Self { bar, is_json, log, batch, shown, images_per_second: 0.0 })
    }

    /// A step is done, so many are.
    pub fn step(&mut self, steps: u64, metrics: &Metrics) {
        self.bar.set_position(steps);
        let elapsed = self.shown.0.elapsed();
        if elapsed >= REFRESH {
            let images = (steps - self.shown.1) as f64 * self.batch as f64;
            self.images_per_second = images / elapsed.as_secs_f64();
            self.shown = (Instant::now(), steps);
            let speed = output::grouped(self.images_per_second as u64);
            self.bar.set_message(format!("{}  {speed} images/s", metrics::show(metrics)));
        }
    }

    /// What there is to say after so many steps: of the batch, and of the test images where they were evaluated.
    pub fn report(
        &mut self,
        steps: u64,
        train: &Metrics,
        test: Option<&Metrics>,
    ) -> Result<(), Failure> {
        let object = json!({
            "step": steps,
            "train": metrics::object(train),
            "test": test.map(metrics::object),
            "images_per_second": self.images_per_second.round(),
        });
        if let Some(log) = &mut self.log {
            log.write(&object)?;
        }
        if test.is_none() {
            return Ok(());
        }
        let line = || match self.is_json {
            true => output::json(&object),
            false => {
                let test = test.filter(|test| !test.is_empty());
                let test = test
                    .map_or_else(String::new, |test| format!("   test {}", metrics::show(test)));
                output::line(format!("step {steps:6}   {}{test}", metrics::show(train)))
            }
        };
        self.bar.suspend(line)
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A file of JSON lines, one for each step reported.
struct Log {
    path: PathBuf,
    file: std::fs::File,
}

impl Log {
    fn open(folder: &Path, from: u64) -> Result<Self, Failure> {
        let path = folder.join("metrics.jsonl");
        let failed = |error| failed(&path, error);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let before = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(error)),
        };
        let is_before = |line: &&str| {
            let object: Option<serde_json::Value> = serde_json::from_str(line).ok();
            object.and_then(|object| object.get("step")?.as_u64()).is_some_and(|step| step <= from)
        };
        let kept: String = match from {
            0 => String::new(),
            _ => before.lines().filter(is_before).map(|line| format!("{line}\n")).collect(),
        };
        if kept != before {
            abeyance_storage::replace(&abeyance_storage::Disk, &path, |file| {
                file.write_all(kept.as_bytes())
            })
            .map_err(failed)?;
        }
        let file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
        Ok(Self { path, file })
    }

    fn write(&mut self, object: &serde_json::Value) -> Result<(), Failure> {
        writeln!(self.file, "{object}").map_err(|error| failed(&self.path, error))
    }
}

fn failed(path: &Path, error: std::io::Error) -> Failure {
    Failure::Failed(format!("cannot write the log `{}`: {error}", path.display()))
}
