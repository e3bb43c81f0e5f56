//! Walks along edges: what depends on a node, and what a node depends on.

use fixedbitset::FixedBitSet;
use petgraph::graph::NodeIndex;
use petgraph::visit::{Dfs, EdgeFiltered, EdgeRef, Reversed};

use super::{Edge, Graph, NodeId};

impl Graph {
    /// The nodes that `targets` depend on by operands or order, and the targets, by index. Nodes
    /// for which `stop` holds are included, but not those before them.
    pub fn ancestors(
        &self,
        targets: impl IntoIterator<Item = NodeId>,
        stop: impl Fn(NodeId) -> bool,
    ) -> FixedBitSet {
        let filtered = EdgeFiltered::from_fn(&self.nodes, |edge| !stop(edge.target().into()));
        self.reach(Reversed(&filtered), targets)
    }

    /// The nodes that depend on `sources` by operands, and the sources, by index. Only operands are
    /// followed for which `follow(user, index)` holds.
    pub fn descendants(
        &self,
        sources: impl IntoIterator<Item = NodeId>,
        follow: impl Fn(NodeId, usize) -> bool,
    ) -> FixedBitSet {
        let filtered = EdgeFiltered::from_fn(&self.nodes, |edge| match *edge.weight() {
            Edge::Operand(index) => follow(edge.target().into(), index as usize),
            Edge::Control => false,
        });
        self.reach(&filtered, sources)
    }

    fn reach<G>(&self, graph: G, from: impl IntoIterator<Item = NodeId>) -> FixedBitSet
    where
        G: petgraph::visit::IntoNeighbors<NodeId = NodeIndex<u32>>
            + petgraph::visit::GraphRef
            + petgraph::visit::Visitable<NodeId = NodeIndex<u32>, Map = FixedBitSet>,
    {
        let mut dfs = Dfs::empty(graph);
        for id in from {
            dfs.move_to(id.into());
            while dfs.next(graph).is_some() {}
        }
        dfs.discovered
    }
}
