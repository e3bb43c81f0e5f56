//! Liveness of nodes: the fetches, and what they depend on as far as that is not fed.

use abeyance_ir::{Diagnostic, Diagnostics, Effect, Graph, Location, NodeId};
use fixedbitset::FixedBitSet;

use super::FeedShape;
use crate::Error;

/// The nodes that a plan computes or is fed.
pub(crate) struct LiveNodes {
    /// The nodes that must have a value.
    pub(crate) nodes: FixedBitSet,
    /// The nodes that are fed.
    pub(crate) fed: FixedBitSet,
}

impl LiveNodes {
    /// Walks back from the fetches. Every placeholder that is needed and not fed is reported, all
    /// together.
    pub(crate) fn new(
        graph: &Graph,
        fetches: &[NodeId],
        feeds: &[FeedShape],
    ) -> Result<Self, Error> {
        let mut fed = FixedBitSet::with_capacity(graph.len());
        for feed in feeds {
            fed.insert(feed.node.index());
        }
        let nodes = graph.ancestors(fetches.iter().copied(), |node| fed.contains(node.index()));
        let missing: Vec<Diagnostic> = nodes
            .ones()
            .map(NodeId::new)
            .filter(|&node| {
                let data = graph.node(node);
                data.operator.signature().effect == Effect::Feed
                    && data.operands.is_empty()
                    && !fed.contains(node.index())
            })
            .map(|node| unfed(graph, node, fetches))
            .collect();
        if !missing.is_empty() {
            return Err(Error::Request(Diagnostics(missing)));
        }
        Ok(Self { nodes, fed })
    }

    /// The nodes in topological order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.ones().map(NodeId::new)
    }

    /// True if a node's value is fed.
    pub(crate) fn is_fed(&self, node: NodeId) -> bool {
        self.fed.contains(node.index())
    }
}

fn unfed(graph: &Graph, node: NodeId, fetches: &[NodeId]) -> Diagnostic {
    let name = &graph.node(node).name;
    let for_what = fetches
        .iter()
        .find(|&&fetch| graph.ancestors([fetch], |_| false).contains(node.index()))
        .filter(|&&fetch| fetch != node)
        .map(|&fetch| format!(", which `{}` needs", graph.node(fetch).name))
        .unwrap_or_default();
    Diagnostic::new(format!("the placeholder `{name}` is not fed{for_what}"), Location::Unknown)
        .node(&**name)
        .note(graph.describe(node), graph.node(node).location)
        .help(format!(
            "add it to the feeds: `feeds![{} => &value]`",
            name.rsplit('/').next().unwrap_or(name)
        ))
}
