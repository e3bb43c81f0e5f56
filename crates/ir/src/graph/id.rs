//! Ids of nodes and graphs.

use std::sync::atomic::{AtomicU64, Ordering};

use petgraph::graph::NodeIndex;

/// The id of a node within one graph. Operands have smaller ids than their users, since they are
/// older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// The id of the node at an index of the graph's order.
    pub fn new(index: usize) -> Self {
        Self(index as u32)
    }

    /// Its index in the graph's order.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl From<NodeId> for NodeIndex<u32> {
    fn from(id: NodeId) -> Self {
        NodeIndex::new(id.index())
    }
}

impl From<NodeIndex<u32>> for NodeId {
    fn from(index: NodeIndex<u32>) -> Self {
        NodeId::new(index.index())
    }
}

/// The id of a graph; a frozen copy has the id of the graph it was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GraphId(u64);

impl GraphId {
    pub(super) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        GraphId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
