//! The files of a folder: a package's, or a graph and a checkpoint as people keep them.

use std::fs::DirEntry;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Error, is_onnx};

/// A package's manifest, which makes a folder a package.
pub(crate) const MANIFEST: &str = "model.json";
/// A package's graph.
pub(crate) const GRAPH: &str = "graph.graph";
/// A package's graph where it is a model of ONNX.
pub(crate) const MODEL: &str = "model.onnx";
/// A package's checkpoint.
pub(crate) const WEIGHTS: &str = "weights.safetensors";
/// A package's golden cases.
pub(crate) const CASES: &str = "cases.safetensors";

/// All files of a package.
pub(crate) const FILES: [&str; 5] = [MANIFEST, GRAPH, MODEL, WEIGHTS, CASES];

/// A folder with more in it is no model's.
const MOST_ENTRIES: usize = 10_000;

/// True if a folder is a package: it has a `model.json`.
pub fn is_package(path: &Path) -> bool {
    path.join(MANIFEST).is_file()
}

/// The parts of a model in a folder.
#[derive(Debug)]
pub(crate) struct ModelFiles {
    pub(crate) graph: PathBuf,
    /// A checkpoint, or a folder of them.
    pub(crate) checkpoint: Option<PathBuf>,
    /// The manifest, if it is a package.
    pub(crate) manifest: Option<PathBuf>,
    pub(crate) cases: Option<PathBuf>,
}

/// The parts of the model in a folder.
///
/// # Errors
/// The folder cannot be read; it has no graph, or several things of which one is wanted: their
/// names.
pub(crate) fn find(folder: &Path) -> Result<ModelFiles, Error> {
    if is_package(folder) { find_package(folder) } else { find_loose(folder) }
}

fn find_package(folder: &Path) -> Result<ModelFiles, Error> {
    let part = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
    let graph = match (part(GRAPH), part(MODEL)) {
        (Some(graph), None) | (None, Some(graph)) => graph,
        (None, None) => {
            return Err(Error::file(
                folder,
                format!("the package has no `{GRAPH}` and no `{MODEL}`"),
            )
            .advise("copy the folder as a whole, or pack the model again"));
        }
        (Some(_), Some(_)) => {
            return Err(Error::file(
                folder,
                format!("the package has both `{GRAPH}` and `{MODEL}`, and one is wanted"),
            )
            .advise("copy the folder as a whole, or pack the model again"));
        }
    };
    Ok(ModelFiles {
        graph,
        checkpoint: part(WEIGHTS),
        manifest: Some(folder.join(MANIFEST)),
        cases: part(CASES),
    })
}

fn find_loose(folder: &Path) -> Result<ModelFiles, Error> {
    let (mut graphs, mut texts) = (Vec::new(), Vec::new());
    let (mut checkpoints, mut series) = (Vec::new(), Vec::new());
    for entry in entries(folder)? {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        // What links lead to counts.
        if path.is_dir() {
            if has_checkpoints(&path)? {
                checkpoints.push(path);
            }
        } else if is_onnx(&path) || has_extension(&path, "graph") {
            graphs.push(path);
        } else if has_extension(&path, "txt") && is_text_form(&path) {
            texts.push(path);
        } else if step(&name).is_some() {
            series.push(path);
        } else if has_extension(&path, "safetensors") {
            checkpoints.push(path);
        }
    }
    if graphs.is_empty() {
        graphs = texts;
    }
    // The newest counts of those that a training saves one after another.
    if !series.is_empty() {
        checkpoints.push(folder.to_owned());
    }
    let one = |mut found: Vec<PathBuf>, what: &str| match found.len() {
        0 | 1 => Ok(found.pop()),
        count => {
            found.sort();
            let named = |path: &PathBuf| match path.strip_prefix(folder) {
                Ok(inner) if !inner.as_os_str().is_empty() => format!("`{}`", inner.display()),
                _ => "the checkpoints `step-N.safetensors`".to_owned(),
            };
            let names: Vec<String> = found.iter().take(5).map(named).collect();
            let more = if count > names.len() { ", .." } else { "" };
            let names = names.join(", ");
            Err(Error::file(
                folder,
                format!("it has {count} {what}, and one is wanted: {names}{more}"),
            )
            .advise("leave one of them there, or name the file itself"))
        }
    };
    let checkpoint = one(checkpoints, "checkpoints")?;
    let graph = one(graphs, "graphs")?.ok_or_else(|| {
        Error::file(folder, "there is no model in the folder").advise(
            "a model is a package (`abeyance export` makes one), or a graph's file `*.graph` or `*.onnx` with a checkpoint \
             `*.safetensors` beside it",
        )
    })?;
    Ok(ModelFiles { graph, checkpoint, manifest: None, cases: None })
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}

/// True if a text begins as a graph's does, and not as a note of somebody's.
fn is_text_form(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(256).read_to_end(&mut head));
    let head = String::from_utf8_lossy(&head);
    read.is_ok() && head.trim_start().starts_with("graph ")
}

/// The step in the name of a checkpoint that a training saved.
fn step(name: &str) -> Option<u64> {
    name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok()
}

fn has_checkpoints(folder: &Path) -> Result<bool, Error> {
    let is_one = |entry: &DirEntry| entry.file_name().to_str().and_then(step).is_some();
    Ok(entries(folder)?.iter().any(is_one))
}

/// The entries of a folder that are not hidden.
fn entries(folder: &Path) -> Result<Vec<DirEntry>, Error> {
    let failed = |error| Error::disk("list", folder)(error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if found.len() == MOST_ENTRIES {
            return Err(Error::file(
                folder,
                format!("it has more than {MOST_ENTRIES} entries, and a model has a few"),
            ));
        }
        found.push(entry);
    }
    Ok(found)
}

/// The files of which a model may be made, with their lengths and times of change, in the order of
/// names: of a file itself, of a folder those in it and in its folders, hidden ones left out. Where
/// nothing here has changed, [`Package::load`](crate::Package::load) finds what it found before.
/// That the model is whole or any good is not asked.
///
/// # Errors
/// The file or the folder is not there or cannot be read.
pub fn files(path: &Path) -> Result<Vec<(PathBuf, u64, SystemTime)>, Error> {
    let mut found = Vec::new();
    if !path.is_dir() {
        return Ok(vec![state(path)?]);
    }
    for entry in entries(path)? {
        let path = entry.path();
        if !path.is_dir() {
            found.extend(state_if_there(&path)?);
            continue;
        }
        for entry in entries(&path)? {
            let path = entry.path();
            if !path.is_dir() {
                found.extend(state_if_there(&path)?);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn state(path: &Path) -> Result<(PathBuf, u64, SystemTime), Error> {
    let data = path.metadata().map_err(Error::disk("read", path))?;
    // Where the system keeps no times the length alone tells of a change.
    let changed = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Ok((path.to_owned(), data.len(), changed))
}

/// The length and time of a file that may be gone since the folder was listed.
fn state_if_there(path: &Path) -> Result<Option<(PathBuf, u64, SystemTime)>, Error> {
    match state(path) {
        Ok(state) => Ok(Some(state)),
        Err(Error::Disk { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
