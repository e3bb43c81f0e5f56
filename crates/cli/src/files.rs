//! Graphs and checkpoints from files, and sessions of them.

use std::path::{Path, PathBuf};

use abeyance::checkpoint::Checkpoint;
use abeyance::ir::{self, GraphSignature};
use abeyance::prelude::*;
use abeyance_package::Package;
pub use abeyance_package::is_onnx;
use clap::Args;

use crate::failure::Failure;

/// Where a session runs.
#[derive(Args)]
pub struct Threads {
    /// Threads; 0 for one on each core. They do not change results
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
}

/// Which variables a session starts with.
#[derive(Args)]
pub struct From {
    /// Take variables from this checkpoint, or from the newest in this folder
    #[arg(long, value_name = "FILE|FOLDER")]
    pub checkpoint: Option<PathBuf>,
}

/// A graph from a file, whatever its form, or a package's.
pub fn graph(path: &Path) -> Result<Graph, Failure> {
    Ok(abeyance_package::graph(path)?)
}

/// A graph with its weights: those of the checkpoint that is named, or else what lies with it in a
/// folder.
pub fn model(path: &Path, from: &From) -> Result<Package, Failure> {
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
pub fn signature(graph: &Graph, name: &str) -> Result<GraphSignature, Failure> {
    let ir = graph.ir();
    if !ir.signatures().is_empty() {
        return Ok(ir.find_signature(name).map_err(ir::Diagnostics::from)?.clone());
    }
    Err(Failure::Failed(format!(
        "graph `{}` has no signatures: nothing says what is fed to it and fetched\n   = help: the program that saves it names them; without, it can be printed, checked, compared and converted",
        graph.name()
    )))
}

/// A checkpoint from a file, the newest in a folder, or a package's weights.
pub fn checkpoint(path: &Path) -> Result<Checkpoint, Failure> {
    Ok(abeyance_package::checkpoint(path)?)
}

/// A session with a model's weights, for runs that train nothing: what only training needs may be
/// in the checkpoint or not.
pub fn session(model: &Package, threads: &Threads) -> Result<Session, Failure> {
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
