//! The progress of training: a bar on a terminal, lines, JSON.

use std::time::{Duration, Instant};

use abeyance::session::quantity;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::error::Error;
use crate::metrics::{self, Metrics};
use crate::output;

/// The time between two changes of the bar's text.
const REFRESH: Duration = Duration::from_millis(200);

pub struct Progress {
    bar: ProgressBar,
    is_json: bool,
    batch: usize,
    /// The time at which the bar's text changed last.
    shown: Instant,
    /// The time and the step at which measuring the speed began.
    timed: (Instant, u64),
}

impl Progress {
    /// Makes a bar for training from step `from` to step `to`.
    pub fn new((from, to): (u64, u64), batch: usize, is_json: bool) -> Self {
        let bar = ProgressBar::new(to).with_position(from);
        let template = "{wide_bar} {pos}/{len}  {msg}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.reset_eta();
        let now = Instant::now();
        Self { bar, is_json, batch, shown: now, timed: (now, from) }
    }

    /// Moves the bar: `steps` are done.
    pub fn step(&mut self, steps: u64, metrics: &Metrics) {
        self.bar.set_position(steps);
        if self.shown.elapsed() >= REFRESH {
            self.shown = Instant::now();
            let speed = quantity::count(self.speed(steps) as u64);
            self.bar.set_message(format!("{}  {speed} images/s", metrics::show(metrics)));
        }
    }

    /// Images a second since the clock started.
    pub fn speed(&self, steps: u64) -> f64 {
        let images = (steps - self.timed.1) as f64 * self.batch as f64;
        images / self.timed.0.elapsed().as_secs_f64().max(1e-9)
    }

    /// Writes the metrics after so many steps: of the batch, and of the test images where they were
    /// evaluated.
    pub fn report(
        &mut self,
        steps: u64,
        speed: f64,
        train: &Metrics,
        test: Option<&Metrics>,
    ) -> Result<(), Error> {
        let object = json!({
            "step": steps,
            "train": metrics::object(train),
            "test": test.map(metrics::object),
            "images_per_second": speed.round(),
        });
        let speed = quantity::count(speed as u64);
        let line = || {
            if self.is_json {
                return output::json(&object);
            }
            let test = test.filter(|test| !test.is_empty());
            let test =
                test.map_or_else(String::new, |test| format!("   test {}", metrics::show(test)));
            output::line(format!(
                "step {steps:6}   {}{test}   {speed} images/s",
                metrics::show(train)
            ))
        };
        self.bar.suspend(line)
    }

    /// Starts measuring the speed anew, after something else than training.
    pub fn restart(&mut self, steps: u64) {
        self.timed = (Instant::now(), steps);
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
