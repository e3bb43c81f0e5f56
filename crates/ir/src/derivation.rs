//! What a gradient rule may ask and do.

use smallvec::SmallVec;

use crate::{
    AttributeSet, Attributes, Cotangents, Dim, Fault, Graph, NodeId, OperatorRef, Shape, element_count,
    known_dims,
};

/// A node and its cotangent.
pub type Seed = (NodeId, NodeId);

/// Appends to a graph the cotangents of some nodes from those of others ([`Seed`]), as
/// [`Derivation::differentiate`] says.
pub type Differentiate<'a> =
    &'a dyn Fn(&mut Graph, &[Seed], &[NodeId], bool) -> Result<Vec<Option<NodeId>>, Fault>;

/// A node to be differentiated, and the graph to which its rule appends.
pub struct Derivation<'a> {
    graph: &'a mut Graph,
    node: NodeId,
    cotangents: &'a [Option<NodeId>],
    wanted: &'a [bool],
    masked: bool,
    differentiate: Differentiate<'a>,
}

impl<'a> Derivation<'a> {
    /// The derivation of `node`, the items of whose result have these cotangents (one at least is there); `wanted` says of
    /// which operands a cotangent is asked for, `masked` whether exact zeros in the cotangent stand for elements that
    /// did not count. `differentiate` serves for bodies.
    pub fn new(
        graph: &'a mut Graph,
        node: NodeId,
        cotangents: &'a [Option<NodeId>],
        wanted: &'a [bool],
        masked: bool,
        differentiate: Differentiate<'a>,
    ) -> Self {
        Self { graph, node, cotangents, wanted, masked, differentiate }
    }

    /// The graph.
    pub fn graph(&mut self) -> &mut Graph {
        self.graph
    }

    /// The node's result.
    pub fn result(&self) -> NodeId {
        self.node
    }

    /// The cotangent of the node's result: the derivative of the loss with respect to it.
    pub fn cotangent(&self) -> NodeId {
        let given = self.cotangents.iter().copied().flatten().next();
        given.unwrap_or(self.node)
    }

    /// The cotangents of the items of the node's result; `None` where the loss does not depend on one.
    pub fn cotangents(&self) -> SmallVec<[Option<NodeId>; 4]> {
        self.cotangents.into()
    }

    /// Appends to `graph`, a body that is being made, the nodes that compute the cotangents of `xs` from the nodes whose
    /// cotangents are known. `None` for one on which those do not depend.
    ///
    /// # Errors
    /// A node on the way has no gradient rule, or a wrong one.
    pub fn differentiate(
        &self,
        graph: &mut Graph,
        seeds: &[Seed],
        xs: &[NodeId],
    ) -> Result<Vec<Option<NodeId>>, Fault> {
        (self.differentiate)(graph, seeds, xs, self.masked)
    }

    /// An operand.
    pub fn operand(&self, index: usize) -> NodeId {
        self.graph.node(self.node).operands[index]
    }

    /// The number of operands.
    pub fn operands(&self) -> usize {
        self.graph.node(self.node).operands.len()
    }

    /// Whether the cotangent of an operand is asked for.
    pub fn wanted(&self, index: usize) -> bool {
        self.wanted.get(index).copied().unwrap_or(false)
    }

    /// Whether exact zeros in the cotangent stand for elements that did not count, so that zero times infinity or NaN
    /// has to stay zero.
    pub fn masked(&self) -> bool {
        self.masked
    }

    /// The node's attributes.
    pub fn attributes<A: AttributeSet>(&self) -> A {
        self.graph.node(self.node).attributes.read()
    }

    /// OLD
    pub fn old_attributes(&self) -> &Attributes {
        &self.graph.node(self.node).attributes
    }

    /// The shape of a node's value; that of a scalar if it has none.
    pub fn shape(&self, id: NodeId) -> Shape {
        self.graph.shape(id).unwrap_or_default()
    }

    /// The number of elements along some axes, if known.
    pub fn known_size(&self, shape: &[Dim]) -> Option<usize> {
        element_count(&known_dims(shape)?)
    }

    /// Appends a node.
    pub fn add(
        &mut self,
        operator: impl Into<OperatorRef>,
        operands: &[NodeId],
        attributes: impl Into<Attributes>,
    ) -> NodeId {
        self.graph.add(operator, operands, attributes)
    }

    /// The answer of a rule for an operator of one operand.
    pub fn only(&self, cotangent: NodeId) -> Cotangents {
        Cotangents::from_slice(&[Some(cotangent)])
    }
}
