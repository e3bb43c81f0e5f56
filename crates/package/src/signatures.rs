//! The effects of a signature: whether it writes, and which variables it reads.

use std::collections::BTreeSet;

use abeyance_ir::{Effect, Graph, GraphSignature, NodeId};

/// The signatures that can be served: those that write no variable and give something.
pub fn servable(graph: &Graph) -> impl Iterator<Item = &GraphSignature> {
    let signatures = graph.signatures().iter();
    signatures.filter(|&known| !known.outputs.is_empty() && writes(graph, known).is_none())
}

/// The first variable that a run of a signature writes.
pub fn writes<'g>(graph: &'g Graph, signature: &GraphSignature) -> Option<&'g str> {
    needed(graph, signature).find_map(|id| {
        let node = graph.node(id);
        let is_write = node.operator.signature().effect == Effect::Write;
        let target = node.operands.first().filter(|_| is_write)?;
        Some(&*graph.node(*target).name)
    })
}

/// The variables that runs of these signatures read, by name.
pub fn variables<'g>(
    graph: &'g Graph,
    signatures: impl IntoIterator<Item = &'g GraphSignature>,
) -> BTreeSet<&'g str> {
    let mut names = BTreeSet::new();
    for signature in signatures {
        let read = needed(graph, signature).map(|id| graph.node(id));
        let read = read.filter(|node| node.operator.signature().effect == Effect::Read);
        names.extend(read.map(|node| &*node.name));
    }
    names
}

/// The signature that answers where none is asked for: `predict`, or TensorFlow's name for it, or
/// else the first that can be served.
pub(crate) fn default_signature(graph: &Graph) -> Option<&str> {
    let names: Vec<&str> = servable(graph).map(|signature| &*signature.name).collect();
    let usual = ["predict", "serving_default"].into_iter().find(|usual| names.contains(usual));
    usual.or_else(|| names.first().copied()).map(|name| match graph.find_signature(name) {
        Ok(signature) => &*signature.name,
        Err(_) => name,
    })
}

/// The nodes that a run of a signature computes: none behind what is fed.
fn needed<'g>(
    graph: &'g Graph,
    signature: &GraphSignature,
) -> impl Iterator<Item = NodeId> + use<'g> {
    let inputs = signature.inputs.iter().map(|(_, node)| *node);
    let fed: BTreeSet<NodeId> =
        inputs.chain(signature.feeds.iter().map(|(node, _)| *node)).collect();
    let reached = graph.ancestors(signature.targets(), |id| fed.contains(&id));
    let found: Vec<NodeId> =
        reached.ones().map(NodeId::new).filter(|id| graph.get(*id).is_some()).collect();
    found.into_iter()
}
