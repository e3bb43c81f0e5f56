//! The command `abeyance`: a saved graph is a program, and this runs it. It trains, evaluates and
//! predicts, prints, checks, compares and converts graphs, and packs them to be served, without the
//! Rust code that built them.
//!
//! Results go to the standard output, everything else to the standard error. It ends with 0, with 1
//! and one message if something failed, with 2 if it was called wrongly, with 130 if it was
//! interrupted; `diff` ends with 1 if graphs differ.

mod arrays;
mod client;
mod commands;
mod data;
mod failure;
mod feeding;
mod files;
mod given;
mod metrics;
mod output;
mod picture;
mod progress;
mod sample;
mod stop;
mod watching;

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
        Err(failure) => failure.report(),
    }
}
