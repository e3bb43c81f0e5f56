//! A version out of its files: read, checked against its recorded cases, warmed.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use abeyance_ir::{Effect, Graph, GraphSignature, NodeId};
use abeyance_package::Package;
use abeyance_session::{Session, SessionOptions};

use crate::executor::Batching;
use crate::model::{Port, Served, Statistics, Version, planned_sizes};

/// How versions are loaded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loading {
    pub(super) threads: usize,
    pub(super) batching: Batching,
}

/// Loads a version. It is ready when it comes: its recorded cases have given what they are to give, and plans for all sizes of batches are
/// made.
///
/// # Errors
/// Why it cannot be served, for reading.
pub(super) fn load(
    path: &Path,
    checkpoint: Option<&Path>,
    model: &Arc<str>,
    number: u64,
    loading: Loading,
) -> Result<Version, String> {
    let said = |error: &dyn std::fmt::Display| {
        let message = error.to_string();
        message.strip_prefix("error: ").unwrap_or(&message).to_owned()
    };
    let mut package = Package::load(path).map_err(|error| said(&error))?;
    if let Some(checkpoint) = checkpoint {
        package = package.with_checkpoint(checkpoint).map_err(|error| said(&error))?;
    }
    let (found, plan_bytes) = {
        let graph = package.graph().ir();
        let found: Vec<GraphSignature> = graph
            .signatures()
            .iter()
            .filter(|signature| !writes(&graph, signature) && !signature.outputs.is_empty())
            .cloned()
            .collect();
        (found, plan_bytes(graph.len(), found_sizes(loading)))
    };
    if found.is_empty() {
        return Err("it has no signature that can be asked for: one with outputs that writes no variable\n   = help: name what goes in and comes out with `g.signature(\"predict\").input(..).output(..)` in the program that saves it".to_owned());
    }
    let options = SessionOptions::new().threads(loading.threads).plan_bytes(plan_bytes);
    let session = package.session(options).map_err(|error| said(&error))?;
    let cases = package.check(&session).map_err(|error| said(&error))?.cases;
    let signatures = served(&package.graph().ir(), &session, &found).map_err(|error| said(&error))?;
    let named = |name: &str| signatures.iter().position(|signature| *signature.name == *name);
    let default = match package.signature() {
        Some(name) => named(name).ok_or_else(|| {
            format!("its signature `{name}` cannot be asked for: it is missing, or writes variables")
        })?,
        None => named("predict").or_else(|| named("serving_default")).unwrap_or(0),
    };
    let version = Version {
        model: model.clone(),
        number,
        id: Version::next_id(),
        session,
        signatures,
        default,
        statistics: Statistics::new(),
        cases,
        parameters: package.parameters(),
        since: SystemTime::now(),
        path: path.to_owned(),
    };
    version.warm(loading.batching.most, loading.threads).map_err(|error| said(&error))?;
    Ok(version)
}

fn found_sizes(loading: Loading) -> usize {
    planned_sizes(loading.batching.most).len()
}

/// Room for the plans of all sizes of batches and a dozen besides, at 512 bytes a node.
fn plan_bytes(nodes: usize, sizes: usize) -> usize {
    nodes.saturating_mul(512).saturating_mul(sizes + 12).saturating_add(4 << 20)
}

/// Whether a run of a signature would change variables.
fn writes(graph: &Graph, signature: &GraphSignature) -> bool {
    let cut: Vec<_> = signature.inputs.iter().map(|(_, node)| *node).collect();
    let needed = graph.ancestors(signature.targets(), |node| cut.contains(&node));
    let effect = |place| graph.node(NodeId::new(place)).operator.signature().effect;
    needed.ones().any(|place| effect(place) == Effect::Write)
}

fn served(
    graph: &Graph,
    session: &Session,
    found: &[GraphSignature],
) -> Result<Vec<Served>, abeyance_session::Error> {
    let mut signatures = Vec::with_capacity(found.len());
    for signature in found {
        let ports = |ports: &[(Box<str>, NodeId)]| -> Vec<Port> {
            ports.iter().map(|(name, node)| Port::new(graph, name, *node)).collect()
        };
        let mixes: Option<String> = session.signature(&signature.name).err().map(|e| e.to_string());
        signatures.push(Served {
            name: signature.name.clone(),
            inputs: ports(&signature.inputs),
            outputs: ports(&signature.outputs),
            mixes: mixes.map(|why| why.to_string()),
        });
    }
    Ok(signatures)
}
