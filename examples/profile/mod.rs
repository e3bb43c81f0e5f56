//! The examples' profile: where the time of the last steps of a training went.

use std::path::PathBuf;

use abeyance::prelude::*;
use clap::Parser;

/// The steps at the end that are traced.
const STEPS: usize = 10;

/// Traces some steps, if asked to.
#[derive(Parser)]
#[command(about = "Trains a network on MNIST")]
pub struct Profile {
    /// Print which nodes took most time in the last ten steps, and write when each ran into this
    /// file, for ui.perfetto.dev
    #[arg(long = "trace", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the plan of a training step, what is computed together and what it costs, and stop
    #[arg(long)]
    pub explain: bool,
    #[arg(skip)]
    trace: Trace,
}

impl Profile {
    /// How to make a step after which so many are left.
    pub fn options(&mut self, left: usize) -> RunOptions<'_> {
        if self.file.is_some() && left < STEPS {
            RunOptions::new().trace(&mut self.trace)
        } else {
            RunOptions::new()
        }
    }

    /// Prints the table and writes the file.
    pub fn save(&self) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        println!("{}", self.trace);
        self.trace.save(file)?;
        println!("wrote {}", file.display());
        Ok(())
    }
}
