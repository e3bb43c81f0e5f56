//! Graphs and checkpoints from files, and sessions of them.

use std::io::Read;
use std::path::{Path, PathBuf};

use abeyance::checkpoint::{Checkpoint, Checkpoints, Restore};
use abeyance::ir::{self, Diagnostic, Diagnostics, GraphSignature, Location};
use abeyance::onnx;
use abeyance::prelude::*;
use clap::Args;

use crate::failure::{self, Failure};

/// No larger model is read; protobuf ends there.
const MOST_MODEL_BYTES: u64 = 1 << 31;

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

/// A graph from a file, whatever its form.
pub fn graph(path: &Path) -> Result<Graph, Failure> {
    if !is_onnx(path) {
        return Ok(load(path)?);
    }
    let failed = |error: &dyn std::fmt::Display| {
        Failure::Failed(format!("cannot read `{}`: {error}", path.display()))
    };
    let bytes = abeyance_storage::read(path, MOST_MODEL_BYTES).map_err(|error| failed(&error))?;
    onnx::import(&bytes).map_err(|error| failed(&error))
}

/// A graph from a file of one of its own forms.
pub fn load(path: &Path) -> Result<Graph, Diagnostics> {
    Graph::load(path).map_err(|mistakes| match is_checkpoint(path) {
        true => {
            let message = format!("`{}` is a checkpoint, and a graph is wanted", path.display());
            let help =
                "name the graph that it was trained with, and this file behind `--checkpoint`";
            Diagnostic::new(message, Location::Unknown).help(help).into()
        }
        false => failure::mistakes(mistakes),
    })
}

/// Whether a file has the head of a `safetensors` file.
fn is_checkpoint(path: &Path) -> bool {
    let mut head = [0; 9];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    // The length of a header below 2^32, and its first sign.
    read.is_ok() && head.get(4..) == Some(&[0, 0, 0, 0, b'{'])
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

/// Whether a file is a model of ONNX, by its name: such files have no mark.
pub fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

/// A checkpoint from a file, or the newest in a folder.
pub fn checkpoint(path: &Path) -> Result<Checkpoint, Failure> {
    match path.is_dir() {
        false => Ok(Checkpoint::load(path)?),
        true => Checkpoints::latest_in(path)?.ok_or_else(|| {
            let path = path.display();
            Failure::Failed(format!(
                "there is no checkpoint in the folder `{path}`\n   = help: `abeyance train --checkpoint {path}` saves some there"
            ))
        }),
    }
}

/// A session with a checkpoint's variables, for runs that train nothing: what only training needs may be in the checkpoint or not.
pub fn session(
    graph: &Graph,
    path: &Path,
    threads: &Threads,
    from: &From,
) -> Result<Session, Failure> {
    let checkpoint = from.checkpoint.as_deref().map(self::checkpoint).transpose()?;
    let mut options = SessionOptions::new().threads(threads.threads);
    if let Some(checkpoint) = &checkpoint
        && checkpoint.is_complete()
    {
        options = options.seed(checkpoint.seed());
    }
    let session = Session::with_options(graph, options)?;
    match &checkpoint {
        Some(checkpoint) => Restore::new().leave_extra().apply(checkpoint, &session)?,
        None if session.variables().next().is_none() => {}
        None => crate::output::note(match is_onnx(path) {
            true => "no --checkpoint: variables have the values of the model",
            false => "no --checkpoint: variables have their first values, before any training",
        }),
    }
    Ok(session)
}
