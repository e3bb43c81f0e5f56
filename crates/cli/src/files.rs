//! Graphs and checkpoints from files, and sessions of them.

use std::path::{Path, PathBuf};

use abeyance::checkpoint::{Checkpoint, Checkpoints, Restore};
use abeyance::onnx;
use abeyance::prelude::*;
use clap::Args;

use crate::failure::Failure;

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
        return Ok(Graph::load(path)?);
    }
    let failed = |error: &dyn std::fmt::Display| {
        Failure::Failed(format!("cannot read `{}`: {error}", path.display()))
    };
    let bytes = abeyance_storage::read(path, MOST_MODEL_BYTES).map_err(|error| failed(&error))?;
    onnx::import(&bytes).map_err(|error| failed(&error))
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
pub fn session(graph: &Graph, threads: &Threads, from: &From) -> Result<Session, Failure> {
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
        // What was imported has its values from the model.
        None if graph.ir().iter().any(|(_, node)| is_random_variable(node)) => {
            crate::output::note("no --checkpoint: variables have their first values");
        }
        None => {}
    }
    Ok(session)
}

fn is_random_variable(node: &abeyance::ir::Node) -> bool {
    use abeyance::ir::{Attribute, Initializer};
    node.attributes.iter().any(|attribute| {
        matches!(
            attribute,
            Attribute::Initializer(
                Initializer::Normal { .. }
                    | Initializer::TruncatedNormal { .. }
                    | Initializer::Uniform { .. }
            )
        )
    })
}
