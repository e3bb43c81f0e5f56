//! Copies of nodes from one graph to another: into a body, out of it, and without what is not
//! needed.

use crate::symbols::Mark;
use crate::{Body, Graph, NodeId, Type};

impl Graph {
    /// An empty graph for a body of a node of this one. Before that node is appended,
    /// [`Graph::adopt`] the finished body.
    pub fn for_body(&self, name: &str) -> Graph {
        let mut graph = Graph::new(name);
        graph.context_mut().location = self.context().location;
        graph.make_body(self.depth() + 1, self.symbols().for_body());
        graph
    }

    /// An empty graph in the place of this one: with its name, depth and symbols.
    pub(super) fn emptied(&self) -> Graph {
        let mut graph = Graph::new(self.name());
        graph.make_body(self.depth(), self.symbols().for_body());
        graph
    }

    /// Takes over the equalities and sizes of unknown dimensions that were found out in a body of a
    /// node to come, or in the graph around this one.
    pub fn adopt(&mut self, other: &Graph) {
        self.symbols_mut().adopt(other.symbols());
    }

    /// Appends copies of `targets` of another graph, and of all they depend on, and gives the
    /// copies of `targets`. `copies`, by node of the other graph, has the nodes that need not be
    /// copied, and gets the new ones. Names are kept where they are free, roles are those of the
    /// context.
    ///
    /// The other graph's unknown dimensions have to be this one's, as those of a body are.
    pub fn copy_nodes(
        &mut self,
        other: &Graph,
        targets: &[NodeId],
        copies: &mut Vec<Option<NodeId>>,
    ) -> Vec<NodeId> {
        copies.resize(other.len(), None);
        let known = |id: NodeId| copies.get(id.index()).is_some_and(Option::is_some);
        let needed = other.ancestors(targets.iter().copied(), known);
        for id in needed.ones().map(NodeId::new) {
            self.copy_node(other, id, copies);
        }
        targets.iter().filter_map(|target| copies.get(target.index()).copied().flatten()).collect()
    }

    /// Appends a copy of a node whose operands have been copied.
    pub(super) fn copy_node(&mut self, other: &Graph, id: NodeId, copies: &mut [Option<NodeId>]) {
        if copies.get(id.index()).is_some_and(Option::is_some) {
            return;
        }
        let copied = |id: &NodeId| copies.get(id.index()).copied().flatten();
        let node = other.node(id);
        let operands: Vec<NodeId> = node.operands.iter().filter_map(copied).collect();
        let before = self.context().clone();
        let controls = other.controls(id);
        let context = self.context_mut();
        context.controls.extend(controls.iter().filter_map(copied));
        context.location = node.location;
        context.call = node.call;
        let mark = self.symbols().mark();
        let copy =
            self.add_like(&node.name, node.operator.clone(), &operands, node.attributes.clone());
        *self.context_mut() = before;
        self.take_over_type(copy, &node.ty, mark);
        if let Some(slot) = copies.get_mut(id.index()) {
            *slot = Some(copy);
        }
    }

    /// Gives a copy the type of its original. Sizes that inference leaves open are then the same
    /// dimensions in both, which nodes behind them have in their types.
    fn take_over_type(&mut self, copy: NodeId, original: &Type, mark: Mark) {
        let inferred = self.node(copy).ty.clone();
        if inferred != Type::Invalid {
            for (inferred, original) in inferred.items().iter().zip(original.items()) {
                for (&inferred, &original) in inferred.shape.iter().zip(&original.shape) {
                    // Equal, since both are of the same operator with the same operands.
                    let _ = self.symbols_mut().unify(inferred, original);
                }
            }
            self.set_type(copy, original.clone());
            self.set_origins(copy);
        }
        self.symbols_mut().truncate(mark);
    }

    /// Appends copies of a body's nodes, with `operands` for its inputs, and gives those that
    /// compute its outputs. Their names are put behind the current scope, and key their random
    /// streams.
    pub fn inline(&mut self, body: &Body, operands: &[NodeId]) -> Vec<NodeId> {
        let mut copies = vec![None; body.graph.len()];
        for (&input, &operand) in body.inputs.iter().zip(operands) {
            if let Some(slot) = copies.get_mut(input.index()) {
                *slot = Some(operand);
            }
        }
        self.copy_nodes(&body.graph, &body.outputs, &mut copies)
    }
}
