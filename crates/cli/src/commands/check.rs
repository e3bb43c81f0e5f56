//! `abeyance check`.

use std::path::{Path, PathBuf};

use abeyance::ir::{self, Diagnostics, Location, Role};
use abeyance::prelude::*;
use abeyance::session;
use abeyance_package::{Checked, Package, Tolerance};
use clap::Args;
use serde_json::json;

use crate::failure::{self, Failure};
use crate::output::{self, Json};

#[derive(Args)]
pub struct Options {
    /// The graph, or a package, whose golden cases are run
    graph: PathBuf,
    #[command(flatten)]
    json: Json,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let checked = match abeyance_package::graph(&options.graph) {
        Err(abeyance_package::Error::Graph(mistakes)) => Err(failure::mistakes(mistakes)),
        Err(error @ abeyance_package::Error::CheckpointForGraph { .. }) => {
            Err(failure::checkpoint_for_graph(&error))
        }
        read => Ok(read?),
    };
    let (graph, session) = match checked.and_then(|graph| {
        let session = Session::new(&graph);
        Ok((graph, session.map_err(of_session)?))
    }) {
        Ok(checked) => checked,
        Err(mistakes) if options.json.json => {
            output::json(&json!({ "ok": false, "errors": objects(&mistakes) }))?;
            return Err(Failure::Differs);
        }
        Err(mistakes) => return Err(mistakes.into()),
    };
    let golden = golden(&options.graph)?;
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
        output::grouped(numbers)
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

/// Runs the golden cases of a package; `None` for what is none.
fn golden(path: &Path) -> Result<Option<Checked>, Failure> {
    if !abeyance_package::is_package(path) {
        return Ok(None);
    }
    let package = Package::load(path)?;
    let session = package.session(SessionOptions::new())?;
    Ok(Some(package.check(&session)?))
}

/// What is told of golden cases that were run.
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
        _ => format!("golden cases: {cases}, {} numbers, {how}", output::grouped(*elements as u64)),
    }
}

fn of_session(error: session::Error) -> Diagnostics {
    match error {
        session::Error::Program(mistakes) | session::Error::Request(mistakes) => {
            failure::mistakes(mistakes)
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
