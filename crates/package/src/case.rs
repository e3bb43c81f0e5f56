//! Golden cases: recorded inputs with their outputs.

use std::collections::BTreeMap;
use std::path::Path;

use abeyance_checkpoint::Checkpoint;
use abeyance_ir::{Array, Dim, Graph, NodeId, near};
use abeyance_session::{Feed, SignatureRun, Value};

use crate::Error;
use crate::folder::CASES;

/// A run of a signature: what was fed by the names of inputs, and what came by the names of
/// outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// A value for each input.
    pub inputs: Vec<(String, Value)>,
    /// A value for each output.
    pub outputs: Vec<(String, Value)>,
}

impl Case {
    /// Runs a signature on these inputs and records what it gives.
    ///
    /// # Errors
    /// As [`SignatureRun::run`]. Another run gives something else, as where dropout is at work:
    /// that can never be checked.
    pub fn record(run: &SignatureRun<'_>, inputs: Vec<(String, Value)>) -> Result<Self, Error> {
        let signature = run.signature();
        let names = signature.outputs.iter().map(|(name, _)| name.to_string());
        let values = run.run(feeds(run, &inputs)?)?;
        let again = run.run(feeds(run, &inputs)?)?;
        let pairs = values.iter().zip(&again).zip(&signature.outputs);
        for ((value, again), (name, _)) in pairs {
            if value.to_array() != again.to_array() {
                return Err(Error::request(format!(
                    "the output `{name}` of signature `{}` is another in each run, so it cannot be recorded",
                    signature.name
                ))
                .advise("a signature to be served draws no random numbers that reach its outputs"));
            }
        }
        Ok(Self { inputs, outputs: names.zip(values).collect() })
    }

    /// The case's inputs, for a run.
    pub(crate) fn feeds<'a>(
        &'a self,
        run: &SignatureRun<'_>,
    ) -> Result<Vec<Feed<'a>>, abeyance_session::Error> {
        feeds(run, &self.inputs)
    }
}

fn feeds<'a>(
    run: &SignatureRun<'_>,
    inputs: &'a [(String, Value)],
) -> Result<Vec<Feed<'a>>, abeyance_session::Error> {
    inputs.iter().map(|(name, value)| run.feed_value(name, value)).collect()
}

/// The file that holds cases: tensors `0/input/NAME`, `0/output/NAME` and so on.
pub(crate) fn to_file(cases: &[Case]) -> Checkpoint {
    let mut arrays: Vec<(String, Array)> = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let named = |kind: &str, (name, value): &(String, Value)| {
            (format!("{number}/{kind}/{name}"), value.to_array())
        };
        arrays.extend(case.inputs.iter().map(|input| named("input", input)));
        arrays.extend(case.outputs.iter().map(|output| named("output", output)));
    }
    Checkpoint::of_arrays(arrays)
}

/// Loads a file of cases, with a package in `folder` that says how many there are.
pub(crate) fn load(folder: &Path, file: Option<&Path>, count: usize) -> Result<Vec<Case>, Error> {
    let Some(file) = file else {
        return match count {
            0 => Ok(Vec::new()),
            _ => Err(Error::file(
                folder,
                format!("the package says it has {count} golden cases, and has no `{CASES}`"),
            )
            .advise("copy the folder as a whole, or pack the model again")),
        };
    };
    let read = Checkpoint::load(file)?;
    let mut cases: BTreeMap<usize, Case> = BTreeMap::new();
    for (name, array) in read.variables() {
        let Some((number, is_input, port)) = parse(name) else {
            return Err(Error::file(
                file,
                format!("{name:?} is no part of a case: `0/input/NAME` or `0/output/NAME` is"),
            ));
        };
        let case =
            cases.entry(number).or_insert_with(|| Case { inputs: Vec::new(), outputs: Vec::new() });
        let ports = if is_input { &mut case.inputs } else { &mut case.outputs };
        ports.push((port.to_owned(), Value::from(array)));
    }
    // As many different numbers as there are cases, so the last tells whether one is left out.
    let is_whole = cases.last_key_value().is_none_or(|(&last, _)| last + 1 == cases.len());
    if !is_whole || cases.len() != count {
        let found = cases.len();
        return Err(Error::file(
            file,
            format!(
                "it has {found} golden cases, numbered up to {last}, and the package says it has {count}, numbered from 0",
                last = cases.last_key_value().map_or(0, |(&last, _)| last)
            ),
        ));
    }
    Ok(cases.into_values().collect())
}

/// The number of the case, whether it is an input, and which: of `0/input/images`.
fn parse(name: &str) -> Option<(usize, bool, &str)> {
    let mut parts = name.splitn(3, '/');
    let (number, kind, port) = (parts.next()?, parts.next()?, parts.next()?);
    // Written in one way only, or two names would be one; and none that has no successor.
    let parsed: u32 = number.parse().ok()?;
    let is_plain = parsed.to_string() == number && !port.is_empty();
    let is_input = match kind {
        "input" => true,
        "output" => false,
        _ => return None,
    };
    is_plain.then_some((parsed as usize, is_input, port))
}

/// True if cases are of a signature: each has a value of the right element type and shape for every
/// input and every output, and nothing else.
///
/// # Errors
/// What is wrong with which.
pub(crate) fn check_fit(graph: &Graph, signature: &str, cases: &[Case]) -> Result<(), String> {
    let Ok(signature) = graph.find_signature(signature) else {
        return Err(format!("the graph has no signature `{signature}`"));
    };
    for (number, case) in cases.iter().enumerate() {
        let kinds = [
            ("input", &case.inputs, &signature.inputs),
            ("output", &case.outputs, &signature.outputs),
        ];
        for (kind, values, ports) in kinds {
            let about = |name: &str| {
                format!("golden case {number}, {kind} `{name}` of signature `{}`", signature.name)
            };
            for (name, value) in values {
                let port = ports.iter().find(|(known, _)| **known == **name);
                let Some((_, node)) = port else {
                    let known = || ports.iter().map(|(known, _)| &**known);
                    let near = near(name, known)
                        .map_or_else(String::new, |near| format!("; it has `{near}`"));
                    return Err(format!("{}: there is no such {kind}{near}", about(name)));
                };
                fits(graph, *node, value).map_err(|reason| format!("{}: {reason}", about(name)))?;
            }
            let is_there = |port: &str| values.iter().any(|(name, _)| **name == *port);
            if let Some((missing, _)) = ports.iter().find(|(port, _)| !is_there(port)) {
                return Err(format!("{}: it is missing", about(missing)));
            }
            if values.len() != ports.len() {
                return Err(format!("golden case {number} has an {kind} twice"));
            }
        }
    }
    Ok(())
}

fn fits(graph: &Graph, node: NodeId, value: &Value) -> Result<(), String> {
    let dtype = graph.node(node).ty.tensor().map(|ty| ty.dtype);
    let shape = graph.shape(node).unwrap_or_default();
    let dims = value.shape();
    let is_like =
        |(wanted, found): (&Dim, &usize)| wanted.known().is_none_or(|size| size == *found);
    let fits = dtype == Some(value.dtype())
        && shape.len() == dims.len()
        && shape.iter().zip(dims).all(is_like);
    if fits {
        Ok(())
    } else {
        Err(format!(
            "it is {}{dims:?}, and the graph's is {}",
            value.dtype(),
            graph.display_type(node)
        ))
    }
}
