//! A model as it was found.

use std::path::{Path, PathBuf};

use abeyance_checkpoint::{Checkpoint, Restore};
use abeyance_graph::Graph;
use abeyance_session::{Session, SessionOptions};

use crate::folder::{self, GRAPH, ModelFiles, WEIGHTS};
use crate::manifest::{Manifest, name_of};
use crate::signatures::default_signature;
use crate::{
    Case, Checked, Error, Processor, Tolerance, case, check, reading, servable, variables,
};

/// A model that was packed, or its parts as people keep them.
#[derive(Debug)]
pub struct Package {
    /// The model's name: its own, or that of its file or folder. Fit to stand in an address.
    pub name: String,
    /// The graph.
    pub graph: Graph,
    /// The trained variables. `None` where they are in the graph, as a model of ONNX has them, or
    /// nowhere.
    pub checkpoint: Option<Checkpoint>,
    /// The signature that answers where none is asked for. `None` if the graph has none that can be
    /// served.
    pub signature: Option<String>,
    /// The golden cases.
    pub cases: Vec<Case>,
    /// The kind of processor that recorded the golden cases.
    pub processor: Option<Processor>,
    /// The tolerance for outputs on another kind of processor.
    pub tolerance: Tolerance,
    /// The program that packed it.
    pub made_by: Option<String>,
    /// The file or the folder that it was loaded from.
    pub path: PathBuf,
    /// The file of its graph.
    pub source: PathBuf,
    /// True if its graph came from a model of ONNX, with its weights.
    pub is_onnx: bool,
}

impl Package {
    /// Reads a model: a package's folder; a graph's file, binary or text; a model of ONNX; or a
    /// folder with exactly one of these files and at most one checkpoint or folder of checkpoints,
    /// of which the newest counts. All but packages have no golden cases.
    ///
    /// # Errors
    /// It cannot be read; a part is missing, damaged, or does not go with the others.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let found = if path.is_dir() {
            folder::find(path)?
        } else {
            ModelFiles { graph: path.to_owned(), checkpoint: None, manifest: None, cases: None }
        };
        let manifest = found.manifest.as_deref().map(Manifest::load).transpose()?;
        let graph = reading::graph(&found.graph)?;
        let is_onnx = reading::is_onnx(&found.graph);
        let checkpoint = found.checkpoint.as_deref().map(reading::checkpoint).transpose()?;
        let Some(manifest) = manifest else {
            let signature = default_signature(&graph.ir()).map(str::to_owned);
            return Ok(Self {
                name: name_of(path),
                graph,
                checkpoint,
                signature,
                cases: Vec::new(),
                processor: None,
                tolerance: Tolerance::default(),
                made_by: None,
                path: path.to_owned(),
                source: found.graph,
                is_onnx,
            });
        };
        let package = Self {
            name: manifest.name,
            graph,
            checkpoint,
            signature: Some(manifest.signature),
            cases: Vec::new(),
            processor: Some(manifest.processor),
            tolerance: manifest.tolerance,
            made_by: Some(manifest.made_by),
            path: path.to_owned(),
            source: found.graph,
            is_onnx,
        };
        package.check_parts()?;
        let cases = case::load(path, found.cases.as_deref(), manifest.cases)?;
        let signature = package.signature.as_deref().unwrap_or_default();
        case::check_fit(&package.graph.ir(), signature, &cases)
            .map_err(|reason| Error::file(&path.join(folder::CASES), reason))?;
        Ok(Self { cases, ..package })
    }

    /// True if the parts of a package go together.
    fn check_parts(&self) -> Result<(), Error> {
        let ir = self.graph.ir();
        let manifest = self.path.join(folder::MANIFEST);
        let signature = self.signature.as_deref().unwrap_or_default();
        check_servable(&ir, signature).map_err(|error| match error {
            Error::Request { message, help } => Error::File { path: manifest, message, help },
            other => other,
        })?;
        if self.is_untrained() {
            return Err(Error::file(
                &self.path,
                format!("the package has a `{GRAPH}` with variables and no `{WEIGHTS}`"),
            )
            .advise("copy the folder as a whole, or pack the model again"));
        }
        Ok(())
    }

    /// Replaces the trained variables by those of a checkpoint: a file, or the newest in a folder.
    /// Golden cases stay, so that [`Package::check`] objects if the weights are not those that the
    /// cases were recorded with.
    ///
    /// # Errors
    /// It cannot be read or is damaged; the folder has none.
    pub fn with_checkpoint(self, path: &Path) -> Result<Self, Error> {
        Ok(Self { checkpoint: Some(reading::checkpoint(path)?), ..self })
    }

    /// True if what it computes depends on variables of which nothing is known but their first
    /// values.
    pub fn is_untrained(&self) -> bool {
        let ir = self.graph.ir();
        self.checkpoint.is_none() && !self.is_onnx && !variables(&ir, servable(&ir)).is_empty()
    }

    /// A session with the weights. Only the variables that servable signatures read must be in the
    /// checkpoint: an optimizer's slots and the like may be there or not. Where the checkpoint says
    /// of which seed its training was, so is the session.
    ///
    /// # Errors
    /// The graph is wrong; the checkpoint does not fit it: everything that does not.
    pub fn session(&self, options: SessionOptions) -> Result<Session, Error> {
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(Session::with_options(&self.graph, options)?);
        };
        let options =
            if checkpoint.is_complete() { options.seed(checkpoint.seed()) } else { options };
        let session = Session::with_options(&self.graph, options)?;
        let mut comparison = Restore::new().leave_extra().compare(checkpoint, &session);
        {
            let ir = self.graph.ir();
            let mut served = servable(&ir).peekable();
            // A graph that only trains needs all it has.
            if served.peek().is_some() {
                let needed = variables(&ir, served);
                comparison.missing.retain(|name| needed.contains(name.as_str()));
            }
        }
        if !comparison.fits() {
            return Err(abeyance_checkpoint::Error::Mismatch(Box::new(comparison)).into());
        }
        Restore::new().partial().apply(checkpoint, &session)?;
        Ok(session)
    }

    /// Runs the golden cases: outputs must have the recorded bits on the kind of processor that
    /// recorded them, and be within [`Package::tolerance`] of the recorded ones elsewhere.
    ///
    /// # Errors
    /// A case cannot be run, or an output differs: the case, the output, its first element that
    /// differs, what it was and is, how many do.
    pub fn check(&self, session: &Session) -> Result<Checked, Error> {
        let is_exact = self.processor.as_ref().is_none_or(|known| *known == Processor::this());
        check::check(self, session, (!is_exact).then_some(self.tolerance))
    }
}

/// True if a graph has a signature of that name that can be served.
pub(crate) fn check_servable(graph: &abeyance_ir::Graph, name: &str) -> Result<(), Error> {
    let signature = graph.find_signature(name).map_err(|found| Error::Request {
        message: found.message.to_string(),
        help: found.help.map(|help| help.to_string()),
    })?;
    if let Some(variable) = crate::writes(graph, signature) {
        let known: Vec<String> = servable(graph).map(|known| format!("`{}`", known.name)).collect();
        let error = Error::request(format!(
            "signature `{name}` writes the variable `{variable}`, and what is served answers without learning"
        ));
        return Err(if known.is_empty() {
            error.advise("give the graph a signature `predict` that only computes")
        } else {
            error.advise(format!("those that write nothing are {}", known.join(", ")))
        });
    }
    if signature.outputs.is_empty() {
        Err(Error::request(format!("signature `{name}` has no outputs")))
    } else {
        Ok(())
    }
}
