//! `abeyance convert`.

use std::path::{Path, PathBuf};

use abeyance::graph::ops::source::Variable;
use abeyance::onnx::{self, ExportError};
use abeyance::prelude::*;
use abeyance::session::quantity;
use clap::{Args, ValueEnum};

use crate::error::Error;
use crate::files;
use crate::output;

#[derive(Args)]
pub struct Options {
    /// The graph, or a model of ONNX
    from: PathBuf,
    /// The new file
    to: PathBuf,
    /// Its form; otherwise its name says it: `.graph`, `.txt` or `.onnx`
    #[arg(long, value_enum)]
    form: Option<Form>,
    /// The weights that go into a model of ONNX: a checkpoint, or a folder of which the newest is
    /// taken
    #[arg(long, value_name = "FILE|FOLDER")]
    checkpoint: Option<PathBuf>,
    /// The signature that becomes a model of ONNX
    #[arg(long, value_name = "NAME", default_value = "predict")]
    signature: String,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Form {
    /// The file form
    Binary,
    /// The text form
    Text,
    /// A model of ONNX
    Onnx,
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "graph" => Some(Form::Binary),
            "txt" => Some(Form::Text),
            "onnx" => Some(Form::Onnx),
            _ => None,
        }
    }
}

pub fn run(options: &Options) -> Result<(), Error> {
    let shown = options.to.display();
    let form = options.form.or_else(|| Form::of(&options.to)).ok_or_else(|| {
        Error::Usage(format!(
            "the form of `{shown}` is not known by its name: say `--form binary`, `--form text` or `--form onnx`"
        ))
    })?;
    if options.checkpoint.is_some() && form != Form::Onnx {
        return Err(Error::Usage(
            "a graph holds first values, not a checkpoint's: `--checkpoint` is for ONNX".to_owned(),
        ));
    }
    if options.to.exists() && !options.force {
        return Err(Error::Failed(format!(
            "`{shown}` is there already\n   = help: `--force` writes over it"
        )));
    }
    let graph = files::graph(&options.from)?;
    match form {
        Form::Binary => graph.save(&options.to)?,
        Form::Text => graph.save_text(&options.to)?,
        Form::Onnx => {
            let bytes = export(options, &graph)?;
            abeyance_storage::replace(&abeyance_storage::Disk, &options.to, |file| {
                file.write_all(&bytes)
            })
            .map_err(|error| Error::Failed(format!("cannot write `{shown}`: {error}")))?;
        }
    }
    let bytes = std::fs::metadata(&options.to).map_or(0, |data| data.len());
    output::line(format!("wrote `{shown}`, {}", quantity::bytes(bytes as f64)))
}

fn export(options: &Options, graph: &Graph) -> Result<Vec<u8>, Error> {
    files::signature(graph, &options.signature)?;
    let checkpoint = options.checkpoint.as_deref().map(files::checkpoint).transpose()?;
    // Checked as a whole first, so that what does not fit is told as such.
    if let Some(checkpoint) = &checkpoint {
        let session = Session::new(graph)?;
        Restore::new().leave_extra().apply(checkpoint, &session)?;
    }
    let value = |name: &str| checkpoint.as_ref()?.variable(name).cloned();
    let model = onnx::export(graph, &options.signature, &value);
    if checkpoint.is_some() || files::is_onnx(&options.from) {
        return model.map_err(Error::failed);
    }
    // Without its weights a model is of no use, whether it has random ones, which cannot be said,
    // or zeros.
    match model {
        Ok(model) => {
            if graph.ir().iter().any(|(_, node)| node.is(&Variable)) {
                output::note(
                    "no --checkpoint: the model has the variables' first values, before any training",
                );
            }
            Ok(model)
        }
        Err(ExportError::Refused(problems))
            if problems.iter().all(|problem| problem.operator == "variable") =>
        {
            let count: usize = problems.iter().map(|problem| problem.nodes.len()).sum();
            Err(Error::Failed(format!(
                "a model of ONNX holds its weights, and {count} variables of graph `{}` have none before training\n   = help: say which with `--checkpoint FILE|FOLDER`, as `abeyance train --checkpoint FOLDER` saves them",
                graph.name()
            )))
        }
        Err(error) => Err(Error::failed(error)),
    }
}
