//! `abeyance export`.

use std::path::PathBuf;

use abeyance::ir::GraphSignature;
use abeyance::prelude::*;
use abeyance::session::{SignatureRun, Value, quantity};
use abeyance_package::{Case, Package, Packing, Tolerance, Written};
use clap::Args;
use serde_json::json;

use crate::commands::check::said;
use crate::data::{Data, Inputs};
use crate::error::Error;
use crate::files::{self, From, Threads};
use crate::input_files;
use crate::output::{self, Json};
use crate::random_inputs::{self, Sizes};

/// More cases than this say no more, and a server runs all of them before it lets a model answer.
const MOST_CASES: usize = 1000;

/// No larger model of ONNX is read; protobuf ends there.
const MOST_MODEL_BYTES: u64 = 1 << 31;

#[derive(Args)]
pub struct Options {
    /// The graph, a model of ONNX, or a package that is packed again
    graph: PathBuf,
    #[command(flatten)]
    from: From,
    /// The package's folder; a package that is there is replaced
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// The signature that answers where none is asked for; otherwise `predict`, or the first that
    /// writes nothing
    #[arg(long, value_name = "NAME")]
    signature: Option<String>,
    /// Name of the model where it is served; otherwise that of the graph's file
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Golden inputs: NumPy arrays, PNG images or IDX files as `predict --input` takes them, a case
    /// for each example
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "cases")]
    case: Vec<String>,
    /// Take images in these files as negatives: MNIST's digits are white on black
    #[arg(long, requires = "case")]
    invert: bool,
    /// Golden cases without files: the first test images where the graph reads such, otherwise
    /// made-up inputs
    #[arg(long, value_name = "N", default_value_t = 4)]
    cases: usize,
    /// Where the test images are: `mnist`, or a folder of four IDX files
    #[arg(long, value_name = "mnist|FOLDER")]
    data: Option<String>,
    /// How far floats may be from the recorded ones on another kind of processor, relative to these
    #[arg(long, value_name = "RELATIVE", default_value_t = Tolerance::default().relative)]
    tolerance: f64,
    /// How far floats may be from the recorded ones in any case, for numbers near 0
    #[arg(long, value_name = "ABSOLUTE", default_value_t = Tolerance::default().absolute)]
    absolute_tolerance: f64,
    #[command(flatten)]
    sizes: Sizes,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    json: Json,
}

pub fn run(options: &Options) -> Result<(), Error> {
    let model = files::model(&options.graph, &options.from)?;
    let graph = &model.graph;
    let signature = match (&options.signature, &model.signature) {
        (Some(name), _) | (None, Some(name)) => name.as_str(),
        (None, None) => "predict",
    };
    let found = files::signature(graph, signature)?;
    refuse_to_write(graph, &found)?;
    let name = options.name.as_deref().unwrap_or(&model.name);
    let bytes = if model.is_onnx {
        Some(abeyance_storage::read(&model.source, MOST_MODEL_BYTES).map_err(|error| {
            Error::Failed(format!("cannot read `{}`: {error}", model.source.display()))
        })?)
    } else {
        None
    };

    let session = files::session(&model, &options.threads)?;
    let run = session.signature(signature)?;
    let Golden { cases, from } = golden(options, graph, &run)?;
    let tolerance = Tolerance { relative: options.tolerance, absolute: options.absolute_tolerance };
    let mut packing = Packing::new(name, graph, signature).tolerance(tolerance);
    if let Some(bytes) = &bytes {
        packing = packing.onnx(bytes);
    }
    if let Some(checkpoint) = &model.checkpoint {
        packing = packing.checkpoint(checkpoint);
    }
    for inputs in cases {
        packing = packing.case(Case::record(&run, inputs)?);
    }
    let Written { files: written, left_out } = abeyance_package::write(&options.output, &packing)?;

    // Once more from the files, as whoever serves it will.
    let package = Package::load(&options.output)?;
    let packed = package.session(SessionOptions::new().threads(options.threads.threads))?;
    let checked = package.check(&packed)?;
    if options.json.json {
        let files = written.iter().map(|(file, bytes)| json!({ "file": file, "bytes": bytes }));
        return output::json(&json!({
            "folder": options.output, "name": name, "signature": signature,
            "files": files.collect::<Vec<_>>(), "left_out": left_out,
            "golden_cases": checked.cases, "golden_inputs": from, "numbers": checked.elements,
        }));
    }
    for (file, bytes) in &written {
        let path = options.output.join(file);
        output::line(format!("wrote `{}`, {}", path.display(), quantity::bytes(*bytes as f64)))?;
    }
    if !left_out.is_empty() {
        output::line(format!("left out: {}", shortened(&left_out)))?;
    }
    output::line(format!("model `{name}` answers by signature `{signature}`"))?;
    output::line(match checked.cases {
        0 => said(&checked),
        _ => format!("{}: {from}", said(&checked)),
    })
}

/// Says early that a signature writes, before anything is run.
fn refuse_to_write(graph: &Graph, signature: &GraphSignature) -> Result<(), Error> {
    let ir = graph.ir();
    let Some(variable) = abeyance_package::writes(&ir, signature) else {
        return Ok(());
    };
    let known: Vec<String> =
        abeyance_package::servable(&ir).map(|known| format!("`{}`", known.name)).collect();
    let help = if known.is_empty() {
        "the program that saves the graph names one that only computes, such as `predict`"
            .to_owned()
    } else {
        format!("`--signature` names one that writes nothing: {}", known.join(", "))
    };
    Err(Error::Failed(format!(
        "signature `{}` writes the variable `{variable}`, and what is served answers without learning\n   = help: {help}",
        signature.name
    )))
}

/// The names of what only training needs: a few of them, and how many there are.
fn shortened(names: &[String]) -> String {
    const MOST: usize = 4;
    let shown: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > MOST { ", .." } else { "" };
    let variables = if names.len() == 1 { "variable" } else { "variables" };
    format!(
        "{} {variables} that no signature reads that can be served: {}{more}",
        names.len(),
        shown.join(", ")
    )
}

/// Inputs of golden cases.
struct Golden {
    cases: Vec<Vec<(String, Value)>>,
    /// Where they come from.
    from: String,
}

fn golden(options: &Options, graph: &Graph, run: &SignatureRun<'_>) -> Result<Golden, Error> {
    let signature = run.signature();
    if !options.case.is_empty() {
        let (inputs, _) = input_files::inputs(&options.case, options.invert, graph, signature)?;
        let cases = match input_files::examples(run, &inputs) {
            Some(count) => {
                refuse_many(count)?;
                (0..count).map(|at| input_files::part(&inputs, at..at + 1)).collect()
            }
            None => vec![inputs],
        };
        return Ok(Golden { cases, from: "inputs from files".to_owned() });
    }
    refuse_many(options.cases)?;
    if let Some(golden) = test_images(options, graph, signature)? {
        return Ok(golden);
    }
    let made_up = |seed| random_inputs::inputs(graph, signature, 1, &options.sizes, seed as u64);
    let cases = (0..options.cases).map(made_up).collect::<Result<_, _>>()?;
    Ok(Golden { cases, from: "made-up inputs".to_owned() })
}

fn refuse_many(count: usize) -> Result<(), Error> {
    if count > MOST_CASES {
        Err(Error::Failed(format!(
            "{count} golden cases are more than the {MOST_CASES} there may be: each is run whenever the model is loaded"
        )))
    } else {
        Ok(())
    }
}

/// The first test images, if the signature takes such and they are there; if they are asked for,
/// what is in the way is an error.
fn test_images(
    options: &Options,
    graph: &Graph,
    signature: &GraphSignature,
) -> Result<Option<Golden>, Error> {
    let is_asked_for = options.data.is_some();
    // Without an input of that name there is no need to read any.
    if signature.input("images").is_none() && !is_asked_for || options.cases == 0 {
        return Ok(None);
    }
    let data = Data { data: options.data.clone().unwrap_or_else(|| "mnist".to_owned()) };
    let taken = data.load().and_then(|data| {
        let inputs = Inputs::new(graph, signature, &data.test)?;
        let batches = data.test.sequential(1).take(options.cases);
        let named = |(name, value): (&str, Value)| (name.to_owned(), value);
        let cases: Vec<Vec<(String, Value)>> =
            batches.map(|batch| inputs.of_view(&batch).into_iter().map(named).collect()).collect();
        Ok(Golden {
            from: format!(
                "the first test images of `{}`",
                options.data.as_deref().unwrap_or("mnist")
            ),
            cases,
        })
    });
    match taken {
        Ok(golden) => Ok(Some(golden)),
        Err(error) if is_asked_for => Err(error),
        Err(error) => {
            output::note(format!("no test images: {}", error.brief()));
            Ok(None)
        }
    }
}
