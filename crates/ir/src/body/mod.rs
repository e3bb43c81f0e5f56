//! Bodies: graphs inside of a graph, which an operator runs as often as it sees fit.
//!
//! This file has the body as data; [`copy`] appends copies of nodes of one graph to another, and
//! [`run`] is how an operator gets its bodies ready to run without knowing plans.

mod copy;
mod run;

use crate::input::is_input;
use crate::{Fault, Graph, NodeId, TensorType, Type};

pub use run::{BodyCompiler, RunBody};

/// A branch, the body of a loop, or another closed computation: a graph with inputs and outputs.
/// Whatever it uses of the graph around it comes in through an input.
///
/// The unknown dimensions of a body are those of the graph around it, with the same ids; those it
/// adds are known there too, so that no name means two things.
#[derive(Clone, Debug)]
pub struct Body {
    graph: Graph,
    inputs: Vec<NodeId>,
    outputs: Vec<NodeId>,
}

impl PartialEq for Body {
    /// True if they are one and the same.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Body {
    /// The body that computes `outputs`, nodes of `graph`. Its inputs are the graph's
    /// [`Input`](crate::Input) nodes in their order.
    pub fn new(graph: Graph, outputs: Vec<NodeId>) -> Self {
        let inputs =
            graph.iter().filter(|(_, node)| is_input(&node.operator)).map(|(id, _)| id).collect();
        Self { graph, inputs, outputs }
    }

    /// A copy without the nodes that the outputs do not depend on, all roles forward. Inputs stay,
    /// unless `optional` holds for their index and no output depends on them.
    pub fn pruned(&self, optional: impl Fn(usize) -> bool) -> Body {
        let mut graph = self.graph.emptied();
        let needed = self.graph.ancestors(self.outputs.iter().copied(), |_| false);
        let mut copies = vec![None; self.graph.len()];
        for (index, &input) in self.inputs.iter().enumerate() {
            if needed.contains(input.index()) || !optional(index) {
                graph.copy_node(&self.graph, input, &mut copies);
            }
        }
        let outputs = graph.copy_nodes(&self.graph, &self.outputs, &mut copies);
        Body::new(graph, outputs)
    }

    /// True if the outputs depend on an input.
    pub fn uses(&self, index: usize) -> bool {
        let needed = self.graph.ancestors(self.outputs.iter().copied(), |_| false);
        self.inputs.get(index).is_some_and(|input| needed.contains(input.index()))
    }

    /// The nodes. The graph's name, a `/` and a node's name together key the node's random stream.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The nodes of the values that are given to it, in the order of the operator's operands.
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// The nodes whose values are its results.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// The type of an input, its dimensions as far as they are known by now.
    pub fn input(&self, index: usize) -> Option<TensorType> {
        self.ty(*self.inputs.get(index)?)
    }

    /// The type of an output, its dimensions as far as they are known by now.
    pub fn output(&self, index: usize) -> Option<TensorType> {
        self.ty(*self.outputs.get(index)?)
    }

    fn ty(&self, id: NodeId) -> Option<TensorType> {
        let dtype = self.graph.node(id).ty.tensor()?.dtype;
        Some(TensorType::new(dtype, self.graph.shape(id)?))
    }

    /// The name of an input.
    pub fn input_name(&self, index: usize) -> &str {
        self.inputs.get(index).map_or("?", |&input| &self.graph.node(input).name)
    }

    /// True if a node of it draws from a random stream.
    pub fn is_random(&self) -> bool {
        self.graph.iter().any(|(_, node)| node.is_random())
    }

    /// True if a node of it shows a value to someone outside: see
    /// [`Signature::observes`](crate::Signature::observes).
    pub fn observes(&self) -> bool {
        self.graph.iter().any(|(_, node)| node.observes())
    }

    /// Checks that a node of `graph` can have it.
    ///
    /// # Errors
    /// The fault; none where it has been reported.
    pub(crate) fn check(&self, graph: &Graph) -> Result<(), Option<Fault>> {
        let name = self.graph.name();
        if self.graph.depth() != graph.depth() + 1
            || !self.graph.symbols().is_part_of(graph.symbols())
        {
            return Err(Some(Fault::new(format!("the body `{name}` was made for another graph"))));
        }
        if let Err(mistakes) = self.graph.check() {
            // Whoever described it has told the graph around it.
            return Err(graph
                .check()
                .is_ok()
                .then(|| Fault::new(format!("in the body `{name}`, {mistakes:?}"))));
        }
        for &output in &self.outputs {
            let node = self.graph.node(output);
            match node.ty {
                Type::Tensor(_) => {}
                Type::Invalid => return Err(None),
                Type::Operation | Type::Tuple(_) => {
                    return Err(Some(Fault::new(format!(
                        "the body `{name}` gives `{}`, which is not a tensor",
                        node.name
                    ))));
                }
            }
        }
        Ok(())
    }
}
