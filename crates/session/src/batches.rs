//! Batching of requests: a check that several runs of a signature can be put together in one.

use abeyance_ir::{
    Diagnostic, Dim, Effect, Graph, GraphSignature, Location, NodeId, Split, SymbolId,
};

const ALONE: &str =
    "what is fed has to be run by itself, not together with what others feed in one batch";

/// Checks that requests for a signature can be run as one batch, and its outputs cut apart again.
///
/// # Errors
/// The first reason against it: see [`SignatureRun::batches`](crate::SignatureRun::batches).
pub(crate) fn check(graph: &Graph, signature: &GraphSignature) -> Result<(), Diagnostic> {
    let refuse = |diagnostic: Diagnostic| Diagnostic {
        message: format!(
            "signature `{}` takes no batch of requests: {}",
            signature.name, diagnostic.message
        ),
        help: diagnostic.help.clone().or_else(|| Some(ALONE.to_owned())),
        ..diagnostic
    };
    let dim = common_dimension(graph, signature).map_err(refuse)?;
    let fed: Vec<(NodeId, Split)> = signature
        .inputs
        .iter()
        .map(|(_, node)| (*node, Split::along(0)))
        .chain(signature.feeds.iter().map(|(node, _)| (*node, Split::Whole)))
        .collect();
    let is_fed = |id: NodeId| fed.iter().any(|(node, _)| *node == id);
    for id in graph.ancestors(signature.targets(), is_fed).ones().map(NodeId::new) {
        let node = graph.node(id);
        if node.operator.signature().effect == Effect::Write && !is_fed(id) {
            return Err(refuse(about(graph, id, "it changes a variable".to_owned())));
        }
    }
    let splits = graph.splits(dim, signature.outputs.iter().map(|(_, node)| *node), &fed);
    for (name, node) in &signature.outputs {
        if splits.of(*node) == Some(&Split::along(0)) {
            continue;
        }
        let blamed = splits.diagnose(graph, *node).unwrap_or_else(|| {
            about(
                graph,
                *node,
                format!("the rows of the output `{name}` are not those of the inputs"),
            )
        });
        let output = format!("on which the output `{name}` depends: {}", graph.describe(*node));
        return Err(refuse(blamed.note(output, graph.node(*node).location)));
    }
    Ok(())
}

/// The unknown dimension that is the first of all inputs and outputs, and is in no other place of
/// the shapes that are fed.
fn common_dimension(graph: &Graph, signature: &GraphSignature) -> Result<SymbolId, Diagnostic> {
    let inputs = signature.inputs.iter().map(|(name, node)| ("input", name, *node));
    let outputs = signature.outputs.iter().map(|(name, node)| ("output", name, *node));
    let mut common: Option<(SymbolId, String)> = None;
    for (what, name, node) in inputs.chain(outputs) {
        let shape = graph.shape(node).unwrap_or_default();
        let (first, rest) = match shape.split_first() {
            Some((&first, rest)) => (first, rest),
            None => return Err(about(graph, node, format!("the {what} `{name}` is a scalar"))),
        };
        let Dim::Symbol(symbol) = first else {
            let message = format!("the first dimension of the {what} `{name}` has a fixed size");
            return Err(about(graph, node, message).help(
                "a batch has any number of rows: leave the first dimension open, `dims![_, ..]`",
            ));
        };
        match &common {
            Some((known, of)) if *known != symbol => {
                let message = format!(
                    "the first dimension of the {what} `{name}` is another than that of {of}"
                );
                return Err(about(graph, node, message));
            }
            Some(_) => {}
            None => common = Some((symbol, format!("the {what} `{name}`"))),
        }
        if what == "input" && rest.contains(&first) {
            let message =
                format!("another dimension of the input `{name}` has the size of the batch");
            return Err(about(graph, node, message));
        }
    }
    let Some((dim, _)) = common.filter(|_| !signature.inputs.is_empty()) else {
        return Err(Diagnostic::new("it has no inputs", Location::Unknown));
    };
    for (node, _) in &signature.feeds {
        if graph.shape(*node).unwrap_or_default().contains(&Dim::Symbol(dim)) {
            let message = "what it always feeds has as many rows as the batch".to_owned();
            return Err(about(graph, *node, message));
        }
    }
    Ok(dim)
}

/// A diagnostic about a tensor as a whole.
fn about(graph: &Graph, node: NodeId, message: String) -> Diagnostic {
    let found = graph.node(node);
    Diagnostic::new(message, found.location)
        .node(&*found.name)
        .note(graph.describe(node), Location::Unknown)
}
