//! Bodies: graphs inside of a graph, which an operator runs as often as it sees fit.

use std::sync::Arc;

use abeyance_launch::{Cost, Failure};

use crate::shape::Mark;
use crate::{
    Attribute, AttributeSet, Attributes, Concrete, Differentiability, Effect, Fault, Graph,
    Inference, LoopMemories, Lowered, Lowering, NodeId, Operator, OperatorRef, Sample, Signature,
    TensorType, Type,
};

/// Bodies may be nested this deep. Printing, differentiating and planning go down a body at a time,
/// so the bound keeps them within any thread's stack.
pub const MAX_DEPTH: u32 = 32;

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
    /// The body that computes `outputs`, nodes of `graph`. Its inputs are the graph's [`Input`]
    /// nodes in their order.
    pub fn new(graph: Graph, outputs: Vec<NodeId>) -> Self {
        let inputs =
            graph.iter().filter(|(_, node)| is_input(&node.operator)).map(|(id, _)| id).collect();
        Self { graph, inputs, outputs }
    }

    /// The same computation without the nodes that its outputs do not depend on, all roles forward.
    /// Of the inputs for which `optional` holds, those not needed are left out too.
    pub fn pruned(&self, optional: impl Fn(usize) -> bool) -> Body {
        let mut graph = self.graph.emptied();
        let needed = self.graph.ancestors(self.outputs.iter().copied(), |_| false);
        let mut copies = vec![None; self.graph.len()];
        for (place, &input) in self.inputs.iter().enumerate() {
            if needed.contains(input.index()) || !optional(place) {
                graph.copy_node(&self.graph, input, &mut copies);
            }
        }
        let outputs = graph.copy_nodes(&self.graph, &self.outputs, &mut copies);
        Body::new(graph, outputs)
    }

    /// True if the outputs depend on the input at a place.
    pub fn uses(&self, place: usize) -> bool {
        let needed = self.graph.ancestors(self.outputs.iter().copied(), |_| false);
        self.inputs.get(place).is_some_and(|input| needed.contains(input.index()))
    }

    /// The nodes. The graph's name, a `/` and a node's name together key the node's random stream.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The nodes that stand for what is given to it.
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// The nodes whose values it gives.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// The type of an input, with what is known of its dimensions by now.
    pub fn input(&self, place: usize) -> Option<TensorType> {
        self.ty(*self.inputs.get(place)?)
    }

    /// The type of an output.
    pub fn output(&self, place: usize) -> Option<TensorType> {
        self.ty(*self.outputs.get(place)?)
    }

    fn ty(&self, id: NodeId) -> Option<TensorType> {
        let dtype = self.graph.node(id).ty.tensor()?.dtype;
        Some(TensorType::new(dtype, self.graph.shape(id)?))
    }

    /// The name of an input.
    pub fn input_name(&self, place: usize) -> &str {
        self.inputs.get(place).map_or("?", |&input| &self.graph.node(input).name)
    }

    /// True if it draws from random streams.
    pub fn is_random(&self) -> bool {
        self.graph.iter().any(|(_, node)| node.is_random())
    }

    /// True if it tells someone outside of a value.
    pub fn observes(&self) -> bool {
        self.graph.iter().any(|(_, node)| node.observes())
    }

    /// What keeps it from being used by a node of `graph`; `Err(None)` where that has been
    /// reported.
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

crate::attributes! {
    /// What is given.
    pub struct InputAttributes {
        /// Element type of the value.
        dtype: DType,
        /// Shape of the value.
        shape: Shape,
    }
}

/// A value that is given to a body. Stands in bodies only.
pub struct Input;

const INPUT: &str = "input";

pub(crate) fn is_input(operator: &OperatorRef) -> bool {
    operator.signature().name == INPUT
}

impl Operator for Input {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(INPUT, "a value that is given to a body", &[])
                .attributes(InputAttributes::SPECS)
                .effect(Effect::Feed)
                .differentiability(Differentiability::None("does not depend on other nodes"))
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let InputAttributes { dtype, shape } = cx.attributes();
        cx.tensor(dtype, shape)
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Err(Fault::new("an input has no value of its own"))
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

/// A body made ready to run at certain sizes. It runs on the thread that calls; several threads may
/// run it at once.
pub trait RunBody: Send + Sync {
    /// Runs once. `input` is asked for the bytes of inputs by their place, as often as it pleases;
    /// `give` is told the bytes of every output by its place. `draw` keys random streams.
    ///
    /// # Errors
    /// A node could not be computed.
    fn run<'a>(
        &self,
        input: &dyn Fn(usize) -> &'a [u8],
        give: &mut dyn FnMut(usize, &[u8]),
        draw: u64,
    ) -> Result<(), Failure>;

    /// The work of one run.
    fn cost(&self) -> Cost;

    /// Memory for a loop that runs it again and again, the same whatever sizes the body was made
    /// ready for.
    fn memory(&self) -> &LoopMemories;
}

/// Makes bodies ready to run: what a plan offers to operators that have some.
pub trait BodyCompiler {
    /// The body for inputs of these sizes.
    ///
    /// # Errors
    /// Sizes that do not go together, a node that cannot be computed at them, too little memory.
    fn compile(&self, body: &Arc<Body>, inputs: &[Concrete<'_>])
    -> Result<Box<dyn RunBody>, Fault>;
}

impl Graph {
    /// An empty graph for a body of a node of this one. Before that node is made, [`Graph::adopt`]
    /// the finished one.
    pub fn for_body(&self, name: &str) -> Graph {
        let mut graph = Graph::new(name);
        graph.context_mut().location = self.context().location;
        graph.make_body(self.depth() + 1, self.symbols().for_body());
        graph
    }

    /// An empty graph that stands where this one does.
    fn emptied(&self) -> Graph {
        let mut graph = Graph::new(self.name());
        graph.make_body(self.depth(), self.symbols().for_body());
        graph
    }

    /// Takes over what was found out about unknown dimensions in a body of a node to come, or in
    /// the graph around this one.
    pub fn adopt(&mut self, other: &Graph) {
        self.symbols_mut().adopt(other.symbols());
    }

    /// Appends an input, with a name made from `name`.
    pub fn input(&mut self, name: &str, ty: TensorType) -> NodeId {
        let attributes = Attributes::of([Attribute::DType(ty.dtype), Attribute::Shape(ty.shape)]);
        self.add_like(name, &Input, &[], attributes)
    }

    /// Appends copies of `targets` of another graph and of whatever they depend on and `copies` (by
    /// node) does not have yet; tells the copies of `targets`. Names are kept where they are free,
    /// roles are those of the context. The other graph's unknown dimensions have to be this one's,
    /// as those of a body are.
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
    fn copy_node(&mut self, other: &Graph, id: NodeId, copies: &mut [Option<NodeId>]) {
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

    /// Gives a copy the type of its original, so that sizes which inference leaves open are the
    /// same dimensions in both: nodes behind them speak of those.
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
        self.symbols_mut().rewind(mark);
    }

    /// Appends copies of a body's nodes, with `operands` for its inputs, and tells those that
    /// compute its outputs. Names are put behind the current scope; their random streams are those
    /// names'.
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
