//! Graphs, models and checkpoints from files, whatever their form.

use std::io::Read;
use std::path::{Path, PathBuf};

use abeyance_checkpoint::{Checkpoint, Checkpoints};
use abeyance_graph::Graph;
use abeyance_ir::{Diagnostics, Location};

use crate::folder::{self, WEIGHTS};
use crate::{Error, is_package};

/// The most bytes of a model of ONNX, where protobuf ends.
const MOST_MODEL_BYTES: u64 = 1 << 31;

/// True if a file is a model of ONNX, by its name: such files have no mark.
pub fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

/// A graph from a file, whatever its form: binary, text, or a model of ONNX. Of a folder it is the
/// one graph in it, a package's or what [`Package::load`](crate::Package::load) finds.
///
/// # Errors
/// It cannot be read, or is no graph; everything that is wrong with it. A folder has none, or
/// several.
pub fn graph(path: &Path) -> Result<Graph, Error> {
    if path.is_dir() { file(&folder::find(path)?.graph) } else { file(path) }
}

fn file(path: &Path) -> Result<Graph, Error> {
    if !is_onnx(path) {
        return Graph::load(path).map_err(|mistakes| {
            if is_checkpoint(path) {
                Error::CheckpointForGraph { path: path.to_owned() }
            } else {
                Error::Graph(without_places_here(mistakes))
            }
        });
    }
    let bytes =
        abeyance_storage::read(path, MOST_MODEL_BYTES).map_err(Error::disk("read", path))?;
    abeyance_onnx::import(&bytes).map_err(|error| Error::Disk {
        what: "read",
        path: path.to_owned(),
        error: std::io::Error::other(error),
    })
}

/// A checkpoint from a file, the newest in a folder of them, or a package's weights.
///
/// # Errors
/// It cannot be read or is damaged; the folder has none.
pub fn checkpoint(path: &Path) -> Result<Checkpoint, Error> {
    if !path.is_dir() {
        return Ok(Checkpoint::load(path)?);
    }
    let missing = || Error::NoCheckpoint { path: path.to_owned() };
    if is_package(path) {
        let weights: PathBuf = path.join(WEIGHTS);
        return if weights.is_file() { Ok(Checkpoint::load(weights)?) } else { Err(missing()) };
    }
    Checkpoints::latest_in(path)?.ok_or_else(missing)
}

/// True if a file has the head of a `safetensors` file.
fn is_checkpoint(path: &Path) -> bool {
    let mut head = [0; 9];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    // The length of a header below 2^32, and its first sign.
    read.is_ok() && head.get(4..) == Some(&[0, 0, 0, 0, b'{'])
}

/// The mistakes without the place in this file, which says nothing to whoever named the graph's.
fn without_places_here(mut mistakes: Diagnostics) -> Diagnostics {
    for mistake in &mut mistakes.0 {
        if matches!(mistake.location, Location::Source(at) if at.file() == file!()) {
            mistake.location = Location::Unknown;
        }
    }
    mistakes
}
