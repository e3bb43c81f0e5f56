//! What a graph is made of: ids, nodes, edges, and the context in which nodes are appended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use petgraph::graph::NodeIndex;
use smallvec::SmallVec;

use crate::{Attributes, Call, Effect, Location, Operator, OperatorRef, Type};

/// Names a node within one graph. Ids grow with age, so operands have smaller ids than their users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// The node at a place of the graph's order.
    pub fn new(index: usize) -> Self {
        Self(index as u32)
    }

    /// Its place in the graph's order.
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

/// Tells one graph from another; a frozen copy has the id of the graph it was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GraphId(u64);

impl GraphId {
    pub(super) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        GraphId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The operands of a node, in order.
pub type Operands = SmallVec<[NodeId; 4]>;

/// What part of the program a node belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Role {
    /// What the user described.
    #[default]
    Forward,
    /// Made by the gradient rule of a forward node.
    Backward {
        /// That node.
        of: NodeId,
    },
    /// Made by an optimizer to change variables.
    Update,
}

/// A step of the computation.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name, unique in the graph: the key of random streams, variables and printouts.
    pub name: Arc<str>,
    /// Operator that computes it.
    pub operator: OperatorRef,
    /// Nodes whose values the operator takes, in the order of its signature.
    pub operands: Operands,
    /// Constants of the operator: axes, shapes, initial values.
    pub attributes: Attributes,
    /// Type of the result, as inferred when the node was appended. Symbols in it may have been
    /// found equal to others since: see [`Graph::shape`](crate::Graph::shape).
    pub ty: Type,
    /// Part of the program that it belongs to.
    pub role: Role,
    /// Line of the program that made it.
    pub location: Location,
    /// Call of the program that made it, where the operator does not say so: a call that is several
    /// nodes, or has another name.
    pub call: Option<Call>,
}

impl Node {
    /// True if its operator is this very one.
    pub fn is(&self, operator: &'static dyn Operator) -> bool {
        self.operator.is(&OperatorRef::Static(operator))
    }

    /// True if its value comes from a random stream, its own or one that a body of it draws from.
    pub fn is_random(&self) -> bool {
        self.operator.signature().effect == Effect::Random
            || self.attributes.bodies().any(|body| body.is_random())
    }

    /// True if it tells someone outside of a value, itself or in a body of it: see
    /// [`Signature::observes`](crate::Signature::observes).
    pub fn observes(&self) -> bool {
        self.operator.signature().observes || self.attributes.bodies().any(|body| body.observes())
    }
}

/// Why one node comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// It is the operand at this place.
    Operand(u32),
    /// It was asked to run before.
    Control,
}

/// What every node made from now on takes over.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Where nodes are being made.
    pub location: Location,
    /// By which call of the user's.
    pub call: Option<Call>,
    /// Prefix of names: empty, or ending in `/`.
    pub scope: String,
    /// The part of the program they belong to.
    pub role: Role,
    /// Nodes that must run before them.
    pub controls: SmallVec<[NodeId; 2]>,
}
