//! Graphs and checkpoints from files, and sessions of them.

use std::path::{Path, PathBuf};

use abeyance::checkpoint::Checkpoint;
use abeyance::ir::{self, GraphSignature};
use abeyance::prelude::*;
use abeyance_package::Package;
pub use abeyance_package::is_onnx;
use clap::Args;

use crate::error::Error;

/// The option for the number of threads.
#[derive(Args)]
pub struct Threads {
    /// Threads; 0 for one on each core. They do not change results
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
}

/// The option for the values of variables.
#[derive(Args)]
pub struct From {
    /// Take variables from this checkpoint, or from the newest in this folder
    #[arg(long, value_name = "FILE|FOLDER")]
    pub checkpoint: Option<PathBuf>,
}

/// Reads a graph from a file of any form, or from a package.
pub fn graph(path: &Path) -> Result<Graph, Error> {
    Ok(abeyance_package::graph(path)?)
}

/// Reads a graph with its weights: those of the checkpoint that is named, or else of its package.
pub fn model(path: &Path, from: &From) -> Result<Package, Error> {
    let package = Package::load(path)?;
    Ok(match &from.checkpoint {
        Some(checkpoint) => package.with_checkpoint(checkpoint)?,
        None => package,
    })
}

/// The signature of that name.
///
/// # Errors
/// The graph has none of that name.
pub fn signature(graph: &Graph, name: &str) -> Result<GraphSignature, Error> {
    let ir = graph.ir();
    if !ir.signatures().is_empty() {
        return Ok(ir.find_signature(name).map_err(ir::Diagnostics::from)?.clone());
    }
    Err(Error::Failed(format!(
        "graph `{}` has no signatures: nothing says what is fed to it and fetched\n   = help: the program that saves it names them; without, it can be printed, checked, compared and converted",
        graph.name()
    )))
}

/// Reads a checkpoint from a file, the newest in a folder, or the weights of a package.
pub fn checkpoint(path: &Path) -> Result<Checkpoint, Error> {
    Ok(abeyance_package::checkpoint(path)?)
}

/// Makes a session with a model's weights, for runs that train nothing: values that only training
/// needs may be missing or left over.
pub fn session(model: &Package, threads: &Threads) -> Result<Session, Error> {
    let session = model.session(SessionOptions::new().threads(threads.threads))?;
    if model.checkpoint.is_none() && session.variables().next().is_some() {
        crate::output::note(if model.is_onnx {
            "no --checkpoint: variables have the values of the model"
        } else {
            "no --checkpoint: variables have their first values, before any training"
        });
    }
    Ok(session)
}
