//! The command `abeyance`: a saved graph is a program, and this runs it. It trains, evaluates and
//! predicts, prints, checks, compares and converts graphs, and packs them to be served, without the
//! Rust code that built them.
//!
//! Results go to the standard output, everything else to the standard error. The exit code is 0, 1
//! with one message if something failed, 2 if the command was called wrongly, 130 if it was
//! interrupted; that of `diff` is 1 if graphs differ.

mod arrays;
mod client;
mod commands;
mod data;
mod error;
mod feeds;
mod files;
mod input_files;
mod interrupt;
mod metrics;
mod monitor;
mod npy;
mod output;
mod picture;
mod progress;
mod random_inputs;

use std::process::ExitCode;

use clap::Parser;

/// Trains, evaluates, prints, compares and converts saved graphs.
#[derive(Parser)]
#[command(name = "abeyance", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
