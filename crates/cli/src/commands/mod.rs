//! One file for each command: its options, and what it does.

mod bench;
mod check;
mod client;
mod completions;
mod convert;
mod dashboard;
mod diff;
mod eval;
mod explain;
mod export;
mod info;
mod predict;
mod print;
mod serve;
mod train;

use clap::Subcommand;

use crate::error::Error;

#[derive(Subcommand)]
pub enum Command {
    /// Train a graph by its signature `train`, and evaluate it
    Train(train::Options),
    /// Evaluate a graph by its signature `evaluate`
    Eval(eval::Options),
    /// Run a graph's signature `predict` on images or arrays
    Predict(predict::Options),
    /// Print a graph as text, as a plan or as a picture
    Print(print::Options),
    /// Say whether a graph is right, and everything that is wrong with it
    Check(check::Options),
    /// Say what differs between two graphs
    Diff(diff::Options),
    /// Turn a graph into another form: binary, text or ONNX
    Convert(convert::Options),
    /// Pack a graph and its weights to be served, with golden cases
    Export(export::Options),
    /// Generate a Rust client of a signature that is served
    Client(client::Options),
    /// Show recorded trainings, and any TensorBoard log, on a page
    Dashboard(dashboard::Options),
    /// Serve models over HTTP and gRPC
    Serve(Box<serve::Options>),
    /// Count arithmetic, bytes and memory of a run by the size of the batch
    Explain(explain::Options),
    /// Time the runs of a graph
    Bench(bench::Options),
    /// Show what is in a checkpoint
    Info(info::Options),
    /// Write the completions for a shell
    Completions(completions::Options),
}

impl Command {
    pub fn run(self) -> Result<(), Error> {
        match self {
            Command::Train(options) => train::run(&options),
            Command::Eval(options) => eval::run(&options),
            Command::Predict(options) => predict::run(&options),
            Command::Print(options) => print::run(&options),
            Command::Check(options) => check::run(&options),
            Command::Diff(options) => diff::run(&options),
            Command::Convert(options) => convert::run(&options),
            Command::Export(options) => export::run(&options),
            Command::Client(options) => client::run(&options),
            Command::Dashboard(options) => dashboard::run(&options),
            Command::Serve(options) => serve::run(&options),
            Command::Explain(options) => explain::run(&options),
            Command::Bench(options) => bench::run(&options),
            Command::Info(options) => info::run(&options),
            Command::Completions(options) => completions::run(&options),
        }
    }
}
