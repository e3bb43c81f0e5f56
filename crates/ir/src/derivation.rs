//! Derivations: the view of a node and of its graph that a gradient rule gets.

use std::cell::RefCell;

use smallvec::SmallVec;

use crate::{AttributeSet, Dim, Fault, Graph, NodeId, Shape, element_count, known_dims};

/// A node and the node of its cotangent.
pub type Seed = (NodeId, NodeId);

/// Appends to a graph the cotangents of some nodes from those of others ([`Seed`]), as
/// [`Derivation::differentiate`] says.
pub type Differentiate<'a> =
    &'a dyn Fn(&mut Graph, &[Seed], &[NodeId], bool) -> Result<Vec<Option<NodeId>>, Fault>;

/// A graph to which handles append, although each of them has a shared reference to it.
pub trait GraphCell {
    /// Calls `visit` once with the graph. It must not use a handle of the graph meanwhile.
    fn with_graph(&self, visit: &mut dyn FnMut(&mut Graph));
}

impl GraphCell for RefCell<Graph> {
    fn with_graph(&self, visit: &mut dyn FnMut(&mut Graph)) {
        visit(&mut self.borrow_mut());
    }
}

impl GraphCell for RefCell<&mut Graph> {
    fn with_graph(&self, visit: &mut dyn FnMut(&mut Graph)) {
        visit(&mut self.borrow_mut());
    }
}

impl GraphCell for Derivation<'_> {
    fn with_graph(&self, visit: &mut dyn FnMut(&mut Graph)) {
        visit(&mut self.graph.borrow_mut());
    }
}

/// A node to be differentiated, and the graph to which its rule appends.
pub struct Derivation<'a> {
    graph: RefCell<&'a mut Graph>,
    node: NodeId,
    cotangents: &'a [Option<NodeId>],
    wanted: &'a [bool],
    masked: bool,
    differentiate: Differentiate<'a>,
}

impl<'a> Derivation<'a> {
    /// The derivation of `node`.
    ///
    /// - `cotangents` are those of the items of its result, of which one at least is there.
    /// - `wanted` is true for the operands whose cotangents are asked for.
    /// - `masked` is true if exact zeros in the cotangent stand for elements that did not count.
    /// - `differentiate` differentiates bodies.
    pub fn new(
        graph: &'a mut Graph,
        node: NodeId,
        cotangents: &'a [Option<NodeId>],
        wanted: &'a [bool],
        masked: bool,
        differentiate: Differentiate<'a>,
    ) -> Self {
        Self { graph: RefCell::new(graph), node, cotangents, wanted, masked, differentiate }
    }

    /// The node whose rule this is, which is its result.
    pub fn result_id(&self) -> NodeId {
        self.node
    }

    /// The node of the cotangent of the result: the derivative of the loss with respect to it.
    pub fn cotangent_id(&self) -> NodeId {
        let given = self.cotangents.iter().copied().flatten().next();
        given.unwrap_or(self.node)
    }

    /// The nodes of the cotangents of the result's items. None where the loss does not depend on
    /// the item.
    pub fn cotangent_ids(&self) -> SmallVec<[Option<NodeId>; 4]> {
        self.cotangents.into()
    }

    /// Appends to `graph`, a body that is being made, the nodes that compute the cotangents of `xs`
    /// from those of `seeds`. None for one on which no seed depends.
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

    /// The node of an operand.
    pub fn operand_id(&self, index: usize) -> NodeId {
        self.graph.borrow().node(self.node).operands[index]
    }

    /// The number of operands.
    pub fn operands(&self) -> usize {
        self.graph.borrow().node(self.node).operands.len()
    }

    /// True if the cotangent of an operand is asked for.
    pub fn wanted(&self, index: usize) -> bool {
        self.wanted.get(index).copied().unwrap_or(false)
    }

    /// True if exact zeros in the cotangent stand for elements that did not count, so that zero
    /// times infinity or NaN has to stay zero.
    pub fn masked(&self) -> bool {
        self.masked
    }

    /// The node's attributes.
    pub fn attributes<A: AttributeSet>(&self) -> A {
        self.graph.borrow().node(self.node).attributes.read()
    }

    /// The shape of a node's value; that of a scalar if it has none.
    pub fn shape(&self, id: NodeId) -> Shape {
        self.graph.borrow().shape(id).unwrap_or_default()
    }

    /// The number of elements of a shape, if known.
    pub fn known_size(&self, shape: &[Dim]) -> Option<usize> {
        element_count(&known_dims(shape)?)
    }
}
