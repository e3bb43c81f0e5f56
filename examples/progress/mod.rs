//! The examples' display: a bar on a terminal, and a line every so often.

use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub fn new(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        let style =
            ProgressStyle::with_template("{bar:40} {pos}/{len} steps, {per_sec}, {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        println!("  step   train accuracy  loss/100   test accuracy  loss/100");
        Self { bar }
    }

    /// Accuracy and cross entropy per 100 images, of the training batch and of the test digits.
    pub fn line(&self, step: usize, train: (f32, f32), test: (f32, f32)) {
        let line = || {
            println!(
                "{step:6}   {:14.4} {:9.3}   {:13.4} {:9.3}",
                train.0, train.1, test.0, test.1
            );
        };
        self.bar.suspend(line);
    }

    pub fn step(&self) {
        self.bar.inc(1);
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Prints a graph or a plan. A reader that has seen enough, such as `head`, is no failure.
#[allow(dead_code)] // of interest where there is an option for it
pub fn print(text: &dyn std::fmt::Display) -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write;
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
