//! What a gradient rule may ask and do.

use crate::{
    Attributes, Cotangents, Dim, Graph, NodeId, OperatorRef, Shape, element_count, known_dims,
};

/// A node to be differentiated, and the graph to which its rule appends.
pub struct Derivation<'a> {
    graph: &'a mut Graph,
    node: NodeId,
    cotangent: NodeId,
    wanted: &'a [bool],
    masked: bool,
}

impl<'a> Derivation<'a> {
    /// The derivation of `node`, whose result has this cotangent; `wanted` says of which operands a cotangent is
    /// asked for, `masked` whether exact zeros in the cotangent stand for elements that did not count.
    pub fn new(
        graph: &'a mut Graph,
        node: NodeId,
        cotangent: NodeId,
        wanted: &'a [bool],
        masked: bool,
    ) -> Self {
        Self { graph, node, cotangent, wanted, masked }
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
        self.cotangent
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
    pub fn attributes(&self) -> &Attributes {
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
        attributes: Attributes,
    ) -> NodeId {
        self.graph.add(operator, operands, attributes)
    }

    /// The answer of a rule for an operator of one operand.
    pub fn only(&self, cotangent: NodeId) -> Cotangents {
        Cotangents::from_slice(&[Some(cotangent)])
    }
}
