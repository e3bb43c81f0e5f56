//! A version out of its files: read, checked against its recorded cases, warmed.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use abeyance_ir::{Graph, GraphSignature, NodeId};
use abeyance_package::{Package, servable, variables};
use abeyance_session::{Session, SessionOptions};

use crate::executor::Batching;
use crate::model::{ServedSignature, Statistics, TensorSpec, Version, planned_sizes};

/// Options with which versions are loaded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loading {
    pub(super) threads: usize,
    pub(super) batching: Batching,
}

/// Loads a version of the model of that name, or of the name that its package has. It is ready when
/// it is returned: its golden cases have given what they are to give, and plans for all sizes of
/// batches are made.
///
/// # Errors
/// Why it cannot be served, for reading.
pub(super) fn load(
    path: &Path,
    checkpoint: Option<&Path>,
    name: Option<&Arc<str>>,
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
    let model: Arc<str> = match name {
        Some(name) => name.clone(),
        None => package.name.as_str().into(),
    };
    let (found, plan_bytes, parameters) = {
        let graph = package.graph.ir();
        let found: Vec<GraphSignature> = servable(&graph).cloned().collect();
        let size = |name: &str| {
            let shape = graph.find(name).and_then(|node| graph.shape(node)).unwrap_or_default();
            shape.iter().filter_map(|dim| dim.known()).product::<usize>()
        };
        let parameters = variables(&graph, &found).into_iter().map(size).sum();
        (found, plan_bytes(graph.len(), planned_sizes(loading.batching.most).len()), parameters)
    };
    let Some(default) = package.signature.as_deref() else {
        return Err("it has no signature that can be asked for: one with outputs that writes no variable\n   = help: name what goes in and comes out with `g.signature(\"predict\").input(..).output(..)` in the program that saves it".to_owned());
    };
    let options = SessionOptions::new().threads(loading.threads).plan_bytes(plan_bytes);
    let session = package.session(options).map_err(|error| said(&error))?;
    let cases = package.check(&session).map_err(|error| said(&error))?.cases;
    let signatures = served(&package.graph.ir(), &session, &found).map_err(|error| said(&error))?;
    let default = signatures.iter().position(|signature| *signature.name == *default);
    let default = default.unwrap_or(0);
    if package.is_untrained() {
        tracing::warn!(%model, version = number, "its variables have their first values, before any training: no checkpoint goes with it");
    }
    let version = Version {
        model,
        number,
        id: Version::next_id(),
        session,
        signatures,
        default,
        statistics: Statistics::new(),
        cases,
        parameters,
        since: SystemTime::now(),
    };
    version.warm(loading.batching.most, loading.threads).map_err(|error| said(&error))?;
    Ok(version)
}

/// Room for the plans of all sizes of batches and a dozen besides, at 512 bytes a node.
fn plan_bytes(nodes: usize, sizes: usize) -> usize {
    nodes.saturating_mul(512).saturating_mul(sizes + 12).saturating_add(4 << 20)
}

fn served(
    graph: &Graph,
    session: &Session,
    found: &[GraphSignature],
) -> Result<Vec<ServedSignature>, abeyance_session::Error> {
    let mut signatures = Vec::with_capacity(found.len());
    for signature in found {
        let specs = |specs: &[(Box<str>, NodeId)]| -> Vec<TensorSpec> {
            specs.iter().map(|(name, node)| TensorSpec::new(graph, name, *node)).collect()
        };
        let mixes = session.signature(&signature.name)?.batches().err();
        signatures.push(ServedSignature {
            name: signature.name.clone(),
            inputs: specs(&signature.inputs),
            outputs: specs(&signature.outputs),
            mixes: mixes.map(|why| why.to_string()),
        });
    }
    Ok(signatures)
}
