//! The graph: nodes that know their operands, and edges on `petgraph` for every walk over them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fixedbitset::FixedBitSet;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, EdgeFiltered, EdgeRef, Reversed};
use smallvec::SmallVec;

use crate::body::{MAX_DEPTH, is_input};
use crate::shape::{Origin, Symbols};
use crate::summary::Summaries;
use crate::{
    Attribute, Attributes, Call, DType, Diagnostic, Diagnostics, Dim, Effect, Fault,
    GraphSignature, Inference, Location, OperandSpec, Operator, OperatorRef, Shape, TensorType,
    Type, element_count, known_dims, near,
};

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
    fn fresh() -> Self {
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
    /// Unique in the graph; the key of random streams, of variables, of printouts.
    pub name: Arc<str>,
    /// What it computes.
    pub operator: OperatorRef,
    /// From what.
    pub operands: Operands,
    /// With which constants.
    pub attributes: Attributes,
    /// Giving what. Symbols in it may have been found equal to others since: see [`Graph::shape`].
    pub ty: Type,
    /// For what.
    pub role: Role,
    /// Made where.
    pub location: Location,
    /// By which call of the user's, if that is not said by the operator: it is one of several nodes, or has another name.
    pub call: Option<Call>,
}

impl Node {
    /// Whether its operator is this very one.
    pub fn is(&self, operator: &'static dyn Operator) -> bool {
        self.operator.is(&OperatorRef::Static(operator))
    }

    /// Whether its value comes from a random stream, its own or one that a body of it draws from.
    pub fn is_random(&self) -> bool {
        self.operator.signature().effect == Effect::Random
            || self.attributes.bodies().any(|body| body.is_random())
    }

    /// Whether it tells someone outside of a value, itself or in a body of it: see
    /// [`Signature::watches`](crate::Signature::watches).
    pub fn watches(&self) -> bool {
        self.operator.signature().watches || self.attributes.bodies().any(|body| body.watches())
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

/// A computation as data.
#[derive(Clone)]
pub struct Graph {
    id: GraphId,
    name: String,
    nodes: DiGraph<Node, Edge, u32>,
    names: HashMap<Arc<str>, NodeId>,
    suffixes: HashMap<Box<str>, u32>,
    symbols: Symbols,
    diagnostics: Vec<Diagnostic>,
    /// Nodes whose operands have unknown dimensions that stretch each other: see [`Graph::warnings`].
    crossings: Vec<NodeId>,
    context: Context,
    /// Of how many bodies it is inside: 0 for a program.
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
    /// An empty graph. The name is for printouts.
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

    /// What tells it from other graphs.
    pub fn id(&self) -> GraphId {
        self.id
    }

    /// Its name in printouts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Changes its name in printouts.
    pub fn set_name(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// The seed of first values and random nodes, unless a session is given another.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// Changes the seed.
    pub fn set_seed(&mut self, seed: Option<u64>) {
        self.seed = seed;
    }

    /// The uses that the graph is made for, in the order in which they were named.
    pub fn signatures(&self) -> &[GraphSignature] {
        &self.signatures
    }

    /// The same, to add to.
    pub(crate) fn signatures_mut(&mut self) -> &mut Vec<GraphSignature> {
        &mut self.signatures
    }

    /// The summaries and their tags.
    pub(crate) fn summary_table(&self) -> &Summaries {
        &self.summaries
    }

    /// The same, to add to.
    pub(crate) fn summary_table_mut(&mut self) -> &mut Summaries {
        &mut self.summaries
    }

    /// Of how many bodies it is inside: 0 for a program, 1 for a body of one of its nodes.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Makes it a body's graph.
    pub(crate) fn enclose(&mut self, depth: u32, symbols: Symbols) {
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
    pub fn stream(&self, id: NodeId) -> std::borrow::Cow<'_, str> {
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

    /// Whether it has no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A node. Ids come from this graph or a longer-lived copy of it, so it exists.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[NodeIndex::from(id)]
    }

    /// A node, if the graph has one of that id.
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.node_weight(id.into())
    }

    /// The node of that name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    /// The node of that name, or else what to say, with the name that may have been meant.
    ///
    /// # Errors
    /// There is none.
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

    /// The tensor of that name with elements of this type, or else what to say.
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

    /// The structure, for `petgraph`'s algorithms.
    pub fn structure(&self) -> &DiGraph<Node, Edge, u32> {
        &self.nodes
    }

    /// The unknown dimensions.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The unknown dimensions, to add to.
    pub fn symbols_mut(&mut self) -> &mut Symbols {
        &mut self.symbols
    }

    /// Makes two dimensions equal for the sake of the node that is appended next; `None` if they are two different numbers, or
    /// one of another graph.
    pub fn unify(&mut self, a: Dim, b: Dim) -> Option<Dim> {
        self.symbols.set_settler(Some(NodeId::new(self.len())));
        let unified = self.symbols.unify(a, b);
        self.symbols.set_settler(None);
        unified
    }

    /// What new nodes take over.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What new nodes take over, to change.
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

    /// The nodes that have `id` as operand, latest first; one that has it twice comes twice.
    pub fn users(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes
            .edges_directed(id.into(), Direction::Outgoing)
            .filter(|edge| matches!(edge.weight(), Edge::Operand(_)))
            .map(|edge| edge.target().into())
    }

    /// The shape of a node's value, with what is known of its dimensions by now. `None` if it has no value or is wrong.
    pub fn shape(&self, id: NodeId) -> Option<Shape> {
        let tensor = self.node(id).ty.tensor()?;
        Some(self.resolve(&tensor.shape))
    }

    /// The shape with what is known of its dimensions by now.
    pub fn resolve(&self, shape: &[Dim]) -> Shape {
        shape.iter().map(|&dim| self.symbols.resolve(dim)).collect()
    }

    /// `f32[N, 10]`, `(f32[N, 10], i64[])`, `operation` or `invalid`.
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

    /// `flat : f32[N, 784]`, for messages: a very long name is cut short.
    pub fn describe(&self, id: NodeId) -> String {
        format!("{} : {}", crate::shorten::name(&self.node(id).name), self.display_type(id))
    }

    /// How many mistakes were made so far.
    pub(crate) fn mistakes(&self) -> usize {
        self.diagnostics.len()
    }

    /// How many bytes what is said of them takes.
    pub(crate) fn said(&self) -> usize {
        let said = |diagnostic: &Diagnostic| {
            let notes: usize = diagnostic.notes.iter().map(|note| note.text.len()).sum();
            diagnostic.message.len() + notes
        };
        self.diagnostics.iter().map(said).sum()
    }

    /// The nodes at which unknown dimensions stretched each other when they were made.
    pub(crate) fn crossings(&self) -> &[NodeId] {
        &self.crossings
    }

    /// Moves the mistakes made so far out.
    pub fn take_mistakes(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.diagnostics)
    }

    /// Remembers where the symbols of a node's type first stood.
    pub(crate) fn set_origins(&mut self, node: NodeId) {
        let items = self.node(node).ty.items().to_vec();
        for (axis, &dim) in items.iter().flat_map(|item| item.shape.iter().enumerate()) {
            if let Dim::Symbol(symbol) = self.symbols.resolve(dim) {
                self.symbols.set_origin(symbol, Origin { node, axis });
            }
        }
    }

    /// Changes what a node is taken to give.
    pub(crate) fn set_type(&mut self, id: NodeId, ty: Type) {
        if let Some(node) = self.nodes.node_weight_mut(id.into()) {
            node.ty = ty;
        }
    }

    // ---- walks ------------------------------------------------------------------------------------------------

    /// The nodes that `targets` depend on by operands or order, themselves included, not going beyond nodes for which
    /// `stop` holds.
    pub fn ancestors(
        &self,
        targets: impl IntoIterator<Item = NodeId>,
        stop: impl Fn(NodeId) -> bool,
    ) -> FixedBitSet {
        let filtered = EdgeFiltered::from_fn(&self.nodes, |edge| !stop(edge.target().into()));
        self.reach(Reversed(&filtered), targets)
    }

    /// The nodes that depend on `sources` by operands for which `follow(user, place)` holds, themselves included.
    pub fn descendants(
        &self,
        sources: impl IntoIterator<Item = NodeId>,
        follow: impl Fn(NodeId, usize) -> bool,
    ) -> FixedBitSet {
        let filtered = EdgeFiltered::from_fn(&self.nodes, |edge| match *edge.weight() {
            Edge::Operand(place) => follow(edge.target().into(), place as usize),
            Edge::Control => false,
        });
        self.reach(&filtered, sources)
    }

    fn reach<G>(&self, graph: G, from: impl IntoIterator<Item = NodeId>) -> FixedBitSet
    where
        G: petgraph::visit::IntoNeighbors<NodeId = NodeIndex<u32>>
            + petgraph::visit::GraphRef
            + petgraph::visit::Visitable<NodeId = NodeIndex<u32>, Map = FixedBitSet>,
    {
        let mut dfs = Dfs::empty(graph);
        for id in from {
            dfs.move_to(id.into());
            while dfs.next(graph).is_some() {}
        }
        dfs.discovered
    }

    /// Room for so many nodes and edges in all.
    pub(crate) fn reserve(&mut self, nodes: usize, edges: usize) {
        self.nodes.reserve_exact_nodes(nodes);
        self.nodes.reserve_exact_edges(edges);
        self.names.reserve(nodes);
    }

    // ---- building ---------------------------------------------------------------------------------------------

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

    /// Appends a node. A wrong one is appended too, remembered as a diagnostic, and has the type
    /// [`Type::Invalid`]; nodes that depend on it are not reported again.
    ///
    /// A `name` is put behind the current scope and must be free there.
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

    /// Remembers a mistake that is not a node's.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Remembers a mistake of the call that is going on, under the name of what the user called.
    pub fn report_call(&mut self, mut diagnostic: Diagnostic) {
        if let Some(call) = self.context.call {
            diagnostic.message = call.say(diagnostic.message);
        }
        self.report(diagnostic);
    }

    /// All mistakes made so far.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub fn check(&self) -> Result<(), Diagnostics> {
        match self.diagnostics.is_empty() {
            true => Ok(()),
            false => Err(Diagnostics(self.diagnostics.clone())),
        }
    }

    /// The result's type; `Err(None)` where an operand is already invalid.
    fn infer(
        &mut self,
        id: NodeId,
        operator: &OperatorRef,
        operands: &[NodeId],
        attributes: &Attributes,
    ) -> Result<Type, Option<Fault>> {
        let signature = *operator.signature();
        let mut types: SmallVec<[&TensorType; 4]> = SmallVec::new();
        for &operand in operands {
            match &self.nodes[NodeIndex::from(operand)].ty {
                Type::Tensor(tensor) => types.push(tensor),
                Type::Invalid => return Err(None),
                Type::Tuple(items) if signature.unpacks && operands.len() == 1 => {
                    types.extend(items);
                }
                Type::Tuple(_) if signature.effect == Effect::Order => {}
                Type::Tuple(items) => {
                    return Err(Some(
                        Fault::new(format!(
                            "`{}` has {} results",
                            crate::shorten::name(&self.node(operand).name),
                            items.len()
                        ))
                        .help("take one of them with `item`"),
                    ));
                }
                // A group depends on operations without taking a value from them.
                Type::Operation if signature.effect == Effect::Order => {}
                Type::Operation => {
                    return Err(Some(Fault::new(format!(
                        "`{}` is an operation and has no value",
                        crate::shorten::name(&self.node(operand).name)
                    ))));
                }
            }
        }
        if signature.effect != Effect::Order && !signature.unpacks {
            check_operands(&signature, &types)?;
        }
        check_attributes(&signature, attributes, &self.symbols)?;
        self.check_place(operator)?;
        for body in attributes.bodies() {
            body.check(self)?;
        }
        if let (Effect::Write, Some(&target)) = (signature.effect, operands.first()) {
            let target = self.node(target);
            if target.operator.signature().effect != Effect::Read {
                let name = crate::shorten::name(&target.name);
                return Err(Some(Fault::new(format!("`{name}` is not a variable")).help(
                    "only variables can be assigned to; make one with `g.variable(name, initial)`",
                )));
            }
        }
        // What a rule found out about dimensions before it objected is not true: without this, one mistake would
        // bring about others.
        let mark = self.symbols.try_out(id);
        let mut cx = Inference::building(types, attributes, &mut self.symbols);
        let inferred = operator.infer(&mut cx);
        let crossing = cx.crossing;
        drop(cx);
        self.symbols.set_settler(None);
        let inferred = inferred.and_then(|ty| {
            for tensor in ty.items() {
                check_size(&self.resolve(&tensor.shape), tensor.dtype.size())?;
            }
            Ok(ty)
        });
        if inferred.is_ok() && crossing && self.context.role == Role::Forward {
            self.crossings.push(id);
        }
        inferred.map_err(|fault| {
            self.symbols.forget(mark);
            Some(fault)
        })
    }

    /// A body has no effects, and a program no inputs.
    fn check_place(&self, operator: &OperatorRef) -> Result<(), Fault> {
        let effect = operator.signature().effect;
        match (self.depth, is_input(operator)) {
            (0, true) => Err(Fault::new("an input stands in a body only")
                .help("what is given to a program is a placeholder")),
            (0, false) | (_, true) => Ok(()),
            _ if matches!(effect, Effect::Read | Effect::Write | Effect::Feed) => {
                Err(Fault::new(format!(
                    "stands in the body `{}`, which may compute but not have effects",
                    self.name
                ))
                .help("make it outside, where the body can use it, or let the body give the new value and assign that outside"))
            }
            _ => Ok(()),
        }
    }

    fn unique_name(&mut self, wanted: Option<&str>, base: &str, id: NodeId) -> Arc<str> {
        let scope = &self.context.scope;
        if let Some(wanted) = wanted {
            let full = format!("{scope}{wanted}");
            let location = self.context.location;
            if !is_name(wanted) {
                self.diagnostics.push(bad_name(wanted, location));
            } else if let Some(&other) = self.names.get(full.as_str()) {
                let diagnostic = self.taken(full, other, location);
                self.diagnostics.push(diagnostic);
            } else {
                return self.claim(full.into(), id);
            }
        }
        let plain = format!("{scope}{base}");
        let count = self.suffixes.entry(plain.as_str().into()).or_insert(0);
        loop {
            let name: Arc<str> = match *count {
                0 => plain.as_str().into(),
                count => format!("{plain}_{count}").into(),
            };
            *count += 1;
            if !self.names.contains_key(&name) {
                return self.claim(name, id);
            }
        }
    }

    /// Gives a node another name, behind the current scope. A name that is taken is a mistake, and changes nothing.
    pub fn rename(&mut self, id: NodeId, name: &str) {
        let full = format!("{}{name}", self.context.scope);
        if *self.node(id).name == *full {
            return;
        }
        let location = self.context.location;
        if !is_name(name) {
            self.diagnostics.push(bad_name(name, location));
        } else if let Some(&other) = self.names.get(full.as_str()) {
            let diagnostic = self.taken(full, other, location);
            self.diagnostics.push(diagnostic);
        } else {
            let new = self.claim(full.into(), id);
            let old = std::mem::replace(&mut self.nodes[NodeIndex::from(id)].name, new);
            self.names.remove(&old);
        }
    }

    fn taken(&self, name: String, other: NodeId, location: Location) -> Diagnostic {
        Diagnostic::new(format!("the name `{}` is taken", crate::shorten::name(&name)), location)
            .node(crate::shorten::name(&name))
            .note(self.describe(other), self.node(other).location)
            .help("give it another name, or put each in a scope of its own: `let _scope = g.scope(\"layer1\");`")
    }

    fn claim(&mut self, name: Arc<str>, id: NodeId) -> Arc<str> {
        self.names.insert(name.clone(), id);
        name
    }

    /// A scope name that no other scope of this graph has: `layer`, `layer_1`, ...; with the current scope before it
    /// and a `/` behind.
    pub fn unique_scope(&mut self, name: &str) -> String {
        let plain = format!("{}{name}", self.context.scope);
        if !is_name(name) {
            self.diagnostics.push(Diagnostic::new(
                format!("{name:?} is not a name for a scope"),
                self.context.location,
            ));
            return format!("{}scope/", self.context.scope);
        }
        // Scopes and nodes count in separate tables: `relu` the scope does not rename `relu` the node.
        let key = format!("{plain}/");
        let count = self.suffixes.entry(key.into()).or_insert(0);
        let scope = match *count {
            0 => format!("{plain}/"),
            count => format!("{plain}_{count}/"),
        };
        *count += 1;
        scope
    }

    /// The same for the names of a node's bodies, which key random streams.
    pub(crate) fn claim_body_scopes(&mut self, id: NodeId) {
        let bodies: Vec<_> = self.node(id).attributes.bodies().cloned().collect();
        for body in bodies {
            let name = body.graph().name();
            let outer = self.name.clone();
            let own = match self.depth {
                0 => name,
                _ => name.strip_prefix(&outer).map_or(name, |own| own.trim_start_matches('/')),
            };
            self.claim_scopes(own);
        }
    }

    /// Keeps [`Graph::unique_scope`] from giving out the scopes that stand before a name which it did not make.
    pub(crate) fn claim_scopes(&mut self, name: &str) {
        // Nobody nests deeper or names longer by hand; the bounds keep a hostile name, each of whose scopes is a name of its
        // own, from costing its length squared.
        let scopes = name.match_indices('/').take(MOST_SCOPES);
        for (end, _) in scopes.take_while(|&(end, _)| end < LONGEST_SCOPE) {
            let scope = &name[..end];
            let count = self.suffixes.entry(name[..=end].into()).or_insert(0);
            *count = (*count).max(1);
            let Some((plain, number)) = scope.rsplit_once('_') else {
                continue;
            };
            // The suffixes that are given out have no leading zeros.
            if number.len() < 10
                && !number.starts_with('0')
                && let Ok(number) = number.parse::<u32>()
            {
                let count = self.suffixes.entry(format!("{plain}/").into()).or_insert(0);
                *count = (*count).max(number + 1);
            }
        }
    }
}

fn bad_name(name: &str, location: Location) -> Diagnostic {
    Diagnostic::new(format!("{:?} is not a name", crate::shorten::name(name)), location).help(
        "names are letters, digits, `_`, `.` and `/`, and begin with a letter, a digit or `_`",
    )
}

/// So many of the scopes before a name that was read are kept from being given out again.
const MOST_SCOPES: usize = 8;
/// Those that are no longer than this.
const LONGEST_SCOPE: usize = 200;

/// Whether a node can be called that.
pub(crate) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_./".contains(&byte))
}

fn check_operands(signature: &crate::Signature, types: &[&TensorType]) -> Result<(), Fault> {
    if !signature.accepts(types.len()) {
        return Err(Fault::new(format!(
            "takes {} operand{}{}, not {}",
            signature.operands.len(),
            if signature.operands.len() == 1 { "" } else { "s" },
            if signature.variadic { " or more" } else { "" },
            types.len()
        )));
    }
    for (index, ty) in types.iter().enumerate() {
        let Some(spec) = signature.operand(index) else {
            continue;
        };
        if !spec.dtypes.contains(ty.dtype) {
            return Err(Fault::new(format!(
                "operand `{}` is {}, which is not one of {}",
                spec.name, ty.dtype, spec.dtypes
            )));
        }
        if spec.group == OperandSpec::APART {
            continue;
        }
        let first = (0..index)
            .find(|&other| signature.operand(other).is_some_and(|other| other.group == spec.group));
        if let Some(first) = first.and_then(|first| types.get(first))
            && first.dtype != ty.dtype
        {
            return Err(Fault::new(format!(
                "operand `{}` is {} where another is {}",
                spec.name, ty.dtype, first.dtype
            ))
            .help("convert one of them with `cast`"));
        }
    }
    Ok(())
}

fn check_attributes(
    signature: &crate::Signature,
    attributes: &Attributes,
    symbols: &Symbols,
) -> Result<(), Fault> {
    if attributes.len() != signature.attributes.len() {
        return Err(Fault::new(format!(
            "takes {} attributes, not {}",
            signature.attributes.len(),
            attributes.len()
        )));
    }
    for (spec, value) in signature.attributes.iter().zip(attributes.iter()) {
        if spec.kind != value.kind() {
            return Err(Fault::new(format!(
                "attribute `{}` is a {:?}, not a {:?}",
                spec.name,
                value.kind(),
                spec.kind
            )));
        }
        if let Attribute::Shape(shape) = value {
            if let Some(axis) = shape.iter().position(|&dim| !symbols.owns(dim)) {
                return Err(Fault::new(format!(
                    "dimension {axis} of the shape {} is an unknown size of another graph",
                    symbols.display(shape)
                ))
                .help("take it from a tensor of this graph: `dims![x.dim(0), 10]`"));
            }
            check_size(shape, 1)?;
        }
    }
    Ok(())
}

/// The most dimensions a tensor may have.
pub(crate) const MAX_RANK: usize = 32;

fn check_size(shape: &[Dim], element: usize) -> Result<(), Fault> {
    if shape.len() > MAX_RANK {
        return Err(Fault::new(format!(
            "a tensor of {} dimensions is more than the {MAX_RANK} there may be",
            shape.len()
        )));
    }
    let Some(mut dims) = known_dims(shape) else {
        return Ok(());
    };
    dims.push(element);
    match element_count(&dims) {
        Some(_) => Ok(()),
        None => Err(Fault::new(format!(
            "a tensor of {} elements is larger than any memory",
            dims[..shape.len()].iter().map(|dim| dim.to_string()).collect::<Vec<_>>().join(" x ")
        ))),
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
