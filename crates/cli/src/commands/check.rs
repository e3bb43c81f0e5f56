//! `abeyance check`.

use std::path::{Path, PathBuf};

use abeyance::ir::{self, Diagnostics, Location, Role};
use abeyance::prelude::*;
use abeyance::session::{self, quantity};
use abeyance_package::{Checked, Package, Tolerance};
use clap::Args;
use serde_json::json;

use crate::error::{self, Error};
use crate::output::{self, Json};

#[derive(Args)]
pub struct Options {
    /// The graph, or a package, whose golden cases are run
    graph: PathBuf,
    #[command(flatten)]
    json: Json,
}

pub fn run(options: &Options) -> Result<(), Error> {
    let (graph, session) = match read(&options.graph)? {
        Ok(checked) => checked,
        Err(mistakes) if options.json.json => {
            output::json(&json!({ "ok": false, "errors": objects(&mistakes) }))?;
            return Err(Error::Differs);
        }
        Err(mistakes) => return Err(mistakes.into()),
    };
    let golden = golden(&options.graph)?;
    report(options, &graph, &session, golden)
}

/// Reads a graph and makes a session of it, or lists everything that is wrong with it.
fn read(path: &Path) -> Result<Result<(Graph, Session), Diagnostics>, Error> {
    use abeyance_package::Error as PackageError;
    let graph = match abeyance_package::graph(path) {
        Err(PackageError::Graph(mistakes)) => return Ok(Err(error::mistakes(mistakes))),
        Err(error @ PackageError::CheckpointForGraph { .. }) => {
            return Ok(Err(error::checkpoint_for_graph(&error)));
        }
        read => read?,
    };
    Ok(Session::new(&graph).map(|session| (graph, session)).map_err(of_session))
}

/// Writes the warnings, the parts of a graph and the outcome of its golden cases.
fn report(
    options: &Options,
    graph: &Graph,
    session: &Session,
    golden: Option<Checked>,
) -> Result<(), Error> {
    let warnings = graph.warnings();
    let ir = graph.ir();
    let count = |is: &dyn Fn(Role) -> bool| ir.iter().filter(|(_, node)| is(node.role)).count();
    let forward = count(&|role| role == Role::Forward);
    let backward = count(&|role| matches!(role, Role::Backward { .. }));
    let update = count(&|role| role == Role::Update);
    let variables = session.variables().count();
    let numbers: u128 = session.variable_types().map(|(_, _, dims)| numbers(&dims)).sum();
    let summaries: Vec<&str> = ir.summaries().iter().map(|summary| &*summary.tag).collect();
    let signatures: Vec<&str> = ir.signatures().iter().map(|signature| &*signature.name).collect();
    if options.json.json {
        return output::json(&json!({
            "ok": true, "graph": ir.name(), "nodes": ir.len(), "forward": forward, "backward": backward,
            "update": update, "variables": variables, "numbers": numbers as u64, "summaries": summaries,
            "signatures": signatures,
            "fingerprint": format!("{:016x}", session.fingerprint()),
            "golden_cases": golden.map(|checked| checked.cases),
            "warnings": warnings.iter().map(|warning| object(&warning.0)).collect::<Vec<_>>(),
        }));
    }
    for warning in &warnings {
        eprintln!("{warning}\n");
    }
    output::line(format!(
        "{}: {} nodes ({forward} forward, {backward} backward, {update} update), {variables} variables of {} numbers",
        ir.name(),
        ir.len(),
        quantity::count(u64::try_from(numbers).unwrap_or(u64::MAX))
    ))?;
    if !summaries.is_empty() {
        output::line(format!("summaries: {}", summaries.join(", ")))?;
    }
    output::line(if signatures.is_empty() {
        "no signatures: it can be printed and compared, not run".to_owned()
    } else {
        format!("signatures: {}", signatures.join(", "))
    })?;
    match golden {
        Some(checked) => output::line(said(&checked)),
        None => Ok(()),
    }
}

/// Runs the golden cases of a package; `None` if the path is not that of a package.
fn golden(path: &Path) -> Result<Option<Checked>, Error> {
    if !abeyance_package::is_package(path) {
        return Ok(None);
    }
    let package = Package::load(path)?;
    let session = package.session(SessionOptions::new())?;
    Ok(Some(package.check(&session)?))
}

/// A sentence about the golden cases that were run.
pub fn said(checked: &Checked) -> String {
    let Checked { cases, elements, within } = checked;
    let how = match within {
        None => "the same bits".to_owned(),
        Some(Tolerance { relative, absolute }) => {
            format!(
                "within {absolute:e} and {relative:e} of the recorded numbers: they are of another kind of processor"
            )
        }
    };
    match cases {
        0 => "no golden cases".to_owned(),
        _ => format!("golden cases: {cases}, {} numbers, {how}", quantity::count(*elements as u64)),
    }
}

fn of_session(error: session::Error) -> Diagnostics {
    match error {
        session::Error::Program(mistakes) | session::Error::Request(mistakes) => {
            error::mistakes(mistakes)
        }
        other => ir::Diagnostic::new(format!("{other:?}"), Location::Unknown).into(),
    }
}

fn numbers(dims: &[usize]) -> u128 {
    dims.iter().map(|&dim| dim as u128).product()
}

fn objects(mistakes: &Diagnostics) -> Vec<serde_json::Value> {
    mistakes.iter().map(object).collect()
}

fn object(mistake: &ir::Diagnostic) -> serde_json::Value {
    let place = |location: &Location| match location {
        Location::Unknown => serde_json::Value::Null,
        known => known.to_string().into(),
    };
    let notes: Vec<_> = mistake
        .notes
        .iter()
        .map(|note| json!({ "text": note.text, "place": place(&note.location) }))
        .collect();
    json!({
        "message": mistake.message, "node": mistake.node, "place": place(&mistake.location),
        "notes": notes, "help": mistake.help,
    })
}
