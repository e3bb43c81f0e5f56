//! Packing a model.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use abeyance_checkpoint::Checkpoint;
use abeyance_graph::Graph;
use abeyance_ir::known_dims;
use abeyance_storage::{Disk, Storage, replace_folder};

use crate::folder::{CASES, FILES, GRAPH, MANIFEST, MODEL, WEIGHTS};
use crate::manifest::{FORMAT, Manifest, name_error};
use crate::package::check_servable;
use crate::{Case, Error, Processor, Tolerance, case, is_package, servable, variables};

/// The content of a package.
#[derive(Debug)]
pub struct Packing<'a> {
    name: &'a str,
    graph: &'a Graph,
    signature: &'a str,
    model: Option<&'a [u8]>,
    checkpoint: Option<&'a Checkpoint>,
    cases: Vec<Case>,
    tolerance: Tolerance,
}

impl<'a> Packing<'a> {
    /// A graph under a name that addresses can hold, and the signature that answers where none is
    /// asked for.
    pub fn new(name: &'a str, graph: &'a Graph, signature: &'a str) -> Self {
        let tolerance = Tolerance::default();
        Self { name, graph, signature, model: None, checkpoint: None, cases: Vec::new(), tolerance }
    }

    /// Packs the bytes of the model of ONNX that the graph was imported from instead of the graph.
    pub fn onnx(mut self, model: &'a [u8]) -> Self {
        self.model = Some(model);
        self
    }

    /// Packs the values of the variables that servable signatures read. The rest, such as an
    /// optimizer's slots, is left out.
    pub fn checkpoint(mut self, checkpoint: &'a Checkpoint) -> Self {
        self.checkpoint = Some(checkpoint);
        self
    }

    /// Adds a golden case, of the signature that answers where none is asked for.
    pub fn case(mut self, case: Case) -> Self {
        self.cases.push(case);
        self
    }

    /// How far outputs may be from the recorded ones on another kind of processor; otherwise
    /// [`Tolerance::default`].
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The weights, and the names of what is left out of the checkpoint.
    fn weights(&self) -> Result<(Option<Checkpoint>, Vec<String>), Error> {
        let ir = self.graph.ir();
        let needed: BTreeSet<&str> = variables(&ir, servable(&ir));
        let Some(checkpoint) = self.checkpoint else {
            return match needed.first() {
                Some(first) if self.model.is_none() => Err(Error::request(format!(
                    "graph `{}` has variables, `{first}` among them, and without a checkpoint they have no values",
                    ir.name()
                ))
                .advise("name what a training has saved: `--checkpoint FILE|FOLDER`")),
                _ => Ok((None, Vec::new())),
            };
        };
        for &name in &needed {
            let ty = ir.find(name).and_then(|node| ir.node(node).ty.tensor());
            let wanted = ty.and_then(|ty| Some((ty.dtype, known_dims(&ty.shape)?)));
            let (Some(array), Some((dtype, dims))) = (checkpoint.variable(name), wanted) else {
                return Err(Error::request(format!(
                    "the checkpoint has no value for the variable `{name}` of graph `{}`",
                    ir.name()
                )));
            };
            if array.dtype != dtype || array.dims != dims {
                return Err(Error::request(format!(
                    "the variable `{name}` of graph `{}` is {dtype}{:?}, and the checkpoint has {}{:?}",
                    ir.name(),
                    &dims[..],
                    array.dtype,
                    &array.dims[..]
                )));
            }
        }
        let left_out = checkpoint.variables().map(|(name, _)| name);
        let left_out = left_out.filter(|name| !needed.contains(name)).map(str::to_owned).collect();
        let weights = checkpoint.only(|name| needed.contains(name));
        Ok((Some(weights).filter(|_| !needed.is_empty()), left_out))
    }
}

/// The files that were written, and the variables that were left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The files and their lengths.
    pub files: Vec<(&'static str, usize)>,
    /// The names of the checkpoint's variables that were left out, since no servable signature
    /// reads them.
    pub left_out: Vec<String>,
}

/// Packs a model: writes its folder as a whole or not at all. A package that is there is replaced.
///
/// # Errors
/// The graph is wrong; the signature writes, the name fits no address, a case or the checkpoint
/// does not fit; there is something at `folder` that is no package; what the disk objects to.
pub fn write(folder: &Path, packing: &Packing<'_>) -> Result<Written, Error> {
    write_on(&Disk, folder, packing)
}

/// Packs a model as [`write()`] does, on another storage than the disk itself: one that fails, for
/// tests.
///
/// # Errors
/// As [`write()`].
pub fn write_on(
    storage: &dyn Storage,
    folder: &Path,
    packing: &Packing<'_>,
) -> Result<Written, Error> {
    check_place(folder)?;
    if let Some(reason) = name_error(packing.name).or_else(|| packing.tolerance.error()) {
        return Err(Error::request(reason));
    }
    packing.graph.check().map_err(Error::Graph)?;
    let ir = packing.graph.ir();
    check_servable(&ir, packing.signature)?;
    case::check_fit(&ir, packing.signature, &packing.cases).map_err(Error::request)?;
    let (weights, left_out) = packing.weights()?;
    let manifest = Manifest {
        format: FORMAT,
        name: packing.name.to_owned(),
        signature: packing.signature.to_owned(),
        processor: Processor::this(),
        tolerance: packing.tolerance,
        cases: packing.cases.len(),
        made_by: concat!("abeyance ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let manifest = manifest.to_bytes().map_err(|error| Error::request(error.to_string()))?;
    let mut files = vec![(MANIFEST, manifest)];
    files.push(match packing.model {
        Some(model) => (MODEL, model.to_vec()),
        None => (GRAPH, ir.to_bytes().map_err(Error::Graph)?),
    });
    if let Some(weights) = weights {
        files.push((WEIGHTS, weights.to_bytes()?));
    }
    if !packing.cases.is_empty() {
        files.push((CASES, case::to_file(&packing.cases).to_bytes()?));
    }
    // What a link leads to is replaced, not the link.
    let place = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    replace_folder(storage, &place, |filling| {
        files.iter().try_for_each(|(name, bytes)| filling.file(name, |file| file.write_all(bytes)))
    })
    .map_err(Error::disk("write", folder))?;
    let files = files.iter().map(|(name, bytes)| (*name, bytes.len())).collect();
    Ok(Written { files, left_out })
}

/// True if a package may be written there: there is nothing, an empty folder, or a package with
/// nothing else in it.
fn check_place(folder: &Path) -> Result<(), Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::disk("write", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::disk("list", folder))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    if names.is_empty() {
        return Ok(());
    }
    let help = "name another folder, or one that is not there yet";
    if !is_package(folder) {
        return Err(Error::file(folder, "it is no package, and is not written over").advise(help));
    }
    match names.iter().find(|name| !FILES.contains(&name.as_str())) {
        Some(other) => Err(Error::file(
            folder,
            format!("`{other}` in it is no part of a package, and would be lost"),
        )
        .advise(format!("move it away, or {help}"))),
        None => Ok(()),
    }
}
