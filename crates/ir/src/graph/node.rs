//! Nodes, edges, and the context in which nodes are appended.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::{Attributes, Call, Effect, Location, NodeId, Operator, OperatorRef, Type};

/// The operands of a node, in order.
pub type Operands = SmallVec<[NodeId; 4]>;

/// The part of the program that a node belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Role {
    /// The computation that the user described.
    #[default]
    Forward,
    /// The derivatives, made by gradient rules.
    Backward {
        /// The forward node whose rule made it.
        of: NodeId,
    },
    /// The changes of variables, made by an optimizer.
    Update,
}

/// A node: one use of an operator in a graph.
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
    /// Line of the user's program that made it.
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

    /// True if it shows a value to someone outside, itself or in a body of it: see
    /// [`Signature::observes`](crate::Signature::observes).
    pub fn observes(&self) -> bool {
        self.operator.signature().observes || self.attributes.bodies().any(|body| body.observes())
    }
}

/// The reason why one node comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// It is the operand of this index.
    Operand(u32),
    /// It was asked to run before: TensorFlow's control dependency.
    Control,
}

/// The properties that a graph gives to every node that is appended, until they are changed.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Line of the user's program that makes nodes.
    pub location: Location,
    /// Call of the user's program that makes nodes, where the operator does not say so.
    pub call: Option<Call>,
    /// Prefix of names: empty, or ending in `/`.
    pub scope: String,
    /// The part of the program that nodes belong to.
    pub role: Role,
    /// Nodes that must run before those that are appended.
    pub controls: SmallVec<[NodeId; 2]>,
}
