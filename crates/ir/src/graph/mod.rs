//! The graph: nodes that know their operands, and edges on `petgraph` for every walk over them.
//!
//! | file | contents |
//! | --- | --- |
//! | [`id`], [`node`] | ids; nodes, edges, and the context in which nodes are appended |
//! | [`check`] | checks of a node before it is appended |
//! | [`names`] | names, which stay unique |
//! | [`diagnose`] | diagnostics about nodes |
//! | [`signatures`], [`summaries`] | named uses of a graph; tensors that are worth watching |
//! | [`walk`] | walks along edges |

mod check;
mod diagnose;
mod id;
mod names;
mod node;
mod signatures;
mod summaries;
mod walk;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use smallvec::SmallVec;

use crate::summary::Summaries;
use crate::{
    Attributes, DType, Diagnostic, Diagnostics, Dim, GraphSignature, Location, OperatorRef, Origin,
    Shape, Symbols, TensorType, Type, near,
};

pub(crate) use check::MAX_RANK;
pub use id::{GraphId, NodeId};
pub(crate) use names::is_name;
pub use node::{Context, Edge, Node, Operands, Role};

/// The most bodies that may be nested in each other. Printing, differentiating and planning go down
/// a body at a time, so the bound keeps them within any thread's stack.
pub const MAX_DEPTH: u32 = 32;

/// A computation as data: nodes and their operands, in the order in which they were made.
#[derive(Clone)]
pub struct Graph {
    id: GraphId,
    name: String,
    nodes: DiGraph<Node, Edge, u32>,
    names: HashMap<Arc<str>, NodeId>,
    /// The next suffix to try, by name without a suffix, or by scope with its `/`.
    suffixes: HashMap<Box<str>, u32>,
    symbols: Symbols,
    diagnostics: Vec<Diagnostic>,
    /// Nodes at which unknown dimensions of two operands broadcast to each other: see
    /// [`Graph::warnings`].
    crossings: Vec<NodeId>,
    context: Context,
    /// The number of bodies that it is inside of: 0 for a program.
    depth: u32,
    seed: Option<u64>,
    signatures: Vec<GraphSignature>,
    summaries: Summaries,
}

impl Default for Graph {
    fn default() -> Self {
        Self::new("graph")
    }
}

impl Graph {
    /// An empty graph. The name prints, and in a body keys random streams.
    pub fn new(name: &str) -> Self {
        Self {
            id: GraphId::fresh(),
            name: name.to_owned(),
            nodes: DiGraph::default(),
            names: HashMap::new(),
            suffixes: HashMap::new(),
            symbols: Symbols::default(),
            diagnostics: Vec::new(),
            crossings: Vec::new(),
            context: Context::default(),
            depth: 0,
            seed: None,
            signatures: Vec::new(),
            summaries: Summaries::default(),
        }
    }

    /// The id, which no other graph has but frozen copies of this one.
    pub fn id(&self) -> GraphId {
        self.id
    }

    /// The name in printouts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the name in printouts. The default is `graph`.
    pub fn set_name(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// The seed of first values and random nodes, unless a session is given another.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// Sets the seed of first values and random nodes. By default there is none.
    pub fn set_seed(&mut self, seed: Option<u64>) {
        self.seed = seed;
    }

    /// The uses that the graph is made for, in the order in which they were named.
    pub fn signatures(&self) -> &[GraphSignature] {
        &self.signatures
    }

    /// The number of bodies that it is inside of: 0 for a program, 1 for a body of one of its
    /// nodes.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Makes this the graph of a body, inside of `depth` bodies with its own, with the symbols of
    /// the graph around it.
    pub(crate) fn make_body(&mut self, depth: u32, symbols: Symbols) {
        self.depth = depth;
        self.symbols = symbols;
        if depth > MAX_DEPTH {
            self.diagnostics.push(Diagnostic::new(
                format!("the body `{}` is nested more than {MAX_DEPTH} deep", self.name),
                self.context.location,
            ));
        }
    }

    /// The key of a node's random stream: its name, in a body behind the body's.
    pub fn random_key(&self, id: NodeId) -> std::borrow::Cow<'_, str> {
        let name = &*self.node(id).name;
        match self.depth {
            0 => name.into(),
            _ => format!("{}/{name}", self.name).into(),
        }
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// True if it has no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The node of that id, which is of this graph or of one that it was copied from.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[NodeIndex::from(id)]
    }

    /// The node of that id, if the graph has one.
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.node_weight(id.into())
    }

    /// The node of that name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    /// The node of that name.
    ///
    /// # Errors
    /// There is none: names the nearest.
    pub fn find_near(&self, name: &str) -> Result<NodeId, Diagnostic> {
        self.find(name).ok_or_else(|| {
            let message = format!("graph `{}` has no node `{name}`", self.name);
            let diagnostic = Diagnostic::new(message, Location::Unknown);
            match near(name, || self.iter().map(|(_, node)| &*node.name)) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            }
        })
    }

    /// The tensor of that name with elements of this type.
    ///
    /// # Errors
    /// There is none, or it is something else.
    pub fn find_tensor(&self, name: &str, dtype: DType) -> Result<NodeId, Diagnostic> {
        let id = self.find_near(name)?;
        match &self.node(id).ty {
            Type::Tensor(tensor) if tensor.dtype == dtype => Ok(id),
            _ => Err(Diagnostic::new(
                format!("`{name}` is not a tensor of {dtype}"),
                Location::Unknown,
            )
            .node(name)
            .note(self.describe(id), self.node(id).location)),
        }
    }

    /// All nodes in the order in which they were made, which is a topological order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes
            .raw_nodes()
            .iter()
            .enumerate()
            .map(|(index, node)| (NodeId::new(index), &node.weight))
    }

    /// The nodes and edges, for `petgraph`'s algorithms.
    pub fn structure(&self) -> &DiGraph<Node, Edge, u32> {
        &self.nodes
    }

    /// The unknown dimensions.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The unknown dimensions, to change.
    pub fn symbols_mut(&mut self) -> &mut Symbols {
        &mut self.symbols
    }

    /// Makes two dimensions equal on account of the node that is appended next, and gives the
    /// simplest of them. None if they are two different numbers, or one is another graph's.
    pub fn unify(&mut self, a: Dim, b: Dim) -> Option<Dim> {
        self.symbols.set_cause(Some(NodeId::new(self.len())));
        let unified = self.symbols.unify(a, b);
        self.symbols.set_cause(None);
        unified
    }

    /// The properties that new nodes get: location, scope, role.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The properties that new nodes get, to change.
    pub fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }

    /// The nodes that `id` was asked to run after, in the order in which they were named.
    pub fn controls(&self, id: NodeId) -> SmallVec<[NodeId; 2]> {
        let mut controls: SmallVec<[NodeId; 2]> = self
            .nodes
            .edges_directed(id.into(), Direction::Incoming)
            .filter(|edge| *edge.weight() == Edge::Control)
            .map(|edge| edge.source().into())
            .collect();
        controls.reverse();
        controls
    }

    /// The nodes that have `id` as an operand, youngest first; one that has it twice comes twice.
    pub fn users(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes
            .edges_directed(id.into(), Direction::Outgoing)
            .filter(|edge| matches!(edge.weight(), Edge::Operand(_)))
            .map(|edge| edge.target().into())
    }

    /// The shape of a node's value, with what is known of its dimensions by now. `None` if it has
    /// no value or is wrong.
    pub fn shape(&self, id: NodeId) -> Option<Shape> {
        let tensor = self.node(id).ty.tensor()?;
        Some(self.resolve(&tensor.shape))
    }

    /// The shape with what is known of its dimensions by now.
    pub fn resolve(&self, shape: &[Dim]) -> Shape {
        shape.iter().map(|&dim| self.symbols.resolve(dim)).collect()
    }

    /// The type as it prints: `f32[N, 10]`, `(f32[N, 10], i64[])`, `operation` or `invalid`.
    pub fn display_type(&self, id: NodeId) -> String {
        let display = |tensor: &TensorType| {
            format!("{}{}", tensor.dtype, self.symbols.display(&tensor.shape))
        };
        match &self.node(id).ty {
            Type::Tensor(tensor) => display(tensor),
            Type::Tuple(items) => {
                let items: Vec<String> = items.iter().map(display).collect();
                format!("({})", items.join(", "))
            }
            Type::Operation => "operation".to_owned(),
            Type::Invalid => "invalid".to_owned(),
        }
    }

    /// Name and type for messages, `flat : f32[N, 784]`. A very long name is cut short.
    pub fn describe(&self, id: NodeId) -> String {
        format!("{} : {}", crate::shorten::name(&self.node(id).name), self.display_type(id))
    }

    /// The number of mistakes made so far.
    pub(crate) fn error_count(&self) -> usize {
        self.diagnostics.len()
    }

    /// The length of the messages and notes of all mistakes, in bytes.
    pub(crate) fn diagnostic_bytes(&self) -> usize {
        let bytes = |diagnostic: &Diagnostic| {
            let notes: usize = diagnostic.notes.iter().map(|note| note.text.len()).sum();
            diagnostic.message.len() + notes
        };
        self.diagnostics.iter().map(bytes).sum()
    }

    /// The nodes at which unknown dimensions broadcast to each other when they were made.
    pub(crate) fn crossings(&self) -> &[NodeId] {
        &self.crossings
    }

    /// Takes the mistakes made so far out of the graph.
    pub fn take_mistakes(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.diagnostics)
    }

    /// Sets the origins of the symbols that first stand in a node's type.
    pub(crate) fn set_origins(&mut self, node: NodeId) {
        let items = self.node(node).ty.items().to_vec();
        for (axis, &dim) in items.iter().flat_map(|item| item.shape.iter().enumerate()) {
            if let Dim::Symbol(symbol) = self.symbols.resolve(dim) {
                self.symbols.set_origin(symbol, Origin { node, axis });
            }
        }
    }

    /// Changes the type of a node.
    pub(crate) fn set_type(&mut self, id: NodeId, ty: Type) {
        if let Some(node) = self.nodes.node_weight_mut(id.into()) {
            node.ty = ty;
        }
    }

    /// Reserves memory for this number of nodes and edges in all.
    pub(crate) fn reserve(&mut self, nodes: usize, edges: usize) {
        self.nodes.reserve_exact_nodes(nodes);
        self.nodes.reserve_exact_edges(edges);
        self.names.reserve(nodes);
    }

    /// Appends a node with a name made from the operator's.
    pub fn add(
        &mut self,
        operator: impl Into<OperatorRef>,
        operands: &[NodeId],
        attributes: impl Into<Attributes>,
    ) -> NodeId {
        self.add_named(None, operator, operands, attributes.into())
    }

    /// Appends a node with a name made from `base`.
    pub fn add_like(
        &mut self,
        base: &str,
        operator: impl Into<OperatorRef>,
        operands: &[NodeId],
        attributes: impl Into<Attributes>,
    ) -> NodeId {
        let base = if is_name(base) { base } else { "node" };
        self.append(None, Some(base), operator.into(), operands, attributes.into())
    }

    /// Appends a node, under `name` behind the current scope, or with a name made from the
    /// operator's.
    ///
    /// # Errors
    /// Operands, attributes or shapes that the operator does not take, and a name that is taken,
    /// are reported with the graph's mistakes. The node is appended nevertheless, with the type
    /// [`Type::Invalid`] or another name; nodes that depend on an invalid one are not reported.
    pub fn add_named(
        &mut self,
        name: Option<&str>,
        operator: impl Into<OperatorRef>,
        operands: &[NodeId],
        attributes: impl Into<Attributes>,
    ) -> NodeId {
        self.append(name, None, operator.into(), operands, attributes.into())
    }

    fn append(
        &mut self,
        name: Option<&str>,
        base: Option<&str>,
        operator: OperatorRef,
        operands: &[NodeId],
        attributes: Attributes,
    ) -> NodeId {
        let id = NodeId::new(self.len());
        let inferred = self.infer(id, &operator, operands, &attributes);
        let base = base.unwrap_or(operator.signature().name);
        let name = self.unique_name(name, base, id);
        let (ty, fault) = match inferred {
            Ok(ty) => (ty, None),
            Err(fault) => (Type::Invalid, fault),
        };
        for tensor in ty.items() {
            for (axis, &dim) in tensor.shape.iter().enumerate() {
                if let Dim::Symbol(symbol) = dim {
                    self.symbols.set_origin(symbol, Origin { node: id, axis });
                }
            }
        }
        self.nodes.add_node(Node {
            name,
            operator,
            operands: operands.into(),
            attributes,
            ty,
            role: self.context.role,
            location: self.context.location,
            call: self.context.call,
        });
        for (place, &operand) in operands.iter().enumerate() {
            self.nodes.add_edge(operand.into(), id.into(), Edge::Operand(place as u32));
        }
        for index in 0..self.context.controls.len() {
            let control = self.context.controls[index];
            self.nodes.add_edge(control.into(), id.into(), Edge::Control);
        }
        if let Some(fault) = fault {
            let diagnostic = self.diagnose(id, fault);
            self.diagnostics.push(diagnostic);
        }
        id
    }

    /// Adds a mistake that is not a node's.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds a mistake of the user's call that is going on, under the name of the function.
    pub fn report_call(&mut self, mut diagnostic: Diagnostic) {
        if let Some(call) = self.context.call {
            diagnostic.message = call.message(diagnostic.message);
        }
        self.report(diagnostic);
    }

    /// Checks that no mistake was made so far.
    ///
    /// # Errors
    /// All mistakes, if there are any.
    pub fn check(&self) -> Result<(), Diagnostics> {
        if self.diagnostics.is_empty() {
            Ok(())
        } else {
            Err(Diagnostics(self.diagnostics.clone()))
        }
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("name", &self.name)
            .field("nodes", &self.len())
            .finish_non_exhaustive()
    }
}
