//! The shapes of all live nodes with numbers for every dimension, inferred from the feeds.

use std::borrow::Cow;
use std::collections::HashMap;

use abeyance_ir::{
    Attribute, Attributes, Bindings, Body, Concrete, DType, Diagnostic, Dim, Dims, Fault, Graph,
    Inference, Location, NodeId, SymbolId, TensorType, Type, element_count, known_dims,
};
use fixedbitset::FixedBitSet;
use smallvec::SmallVec;

use super::FeedShape;
use super::needed::LiveNodes;
use crate::Error;

/// Types with numbers for all dimensions.
pub(crate) struct Shapes<'a> {
    graph: &'a Graph,
    bindings: Bindings,
    /// By the symbol that stands for its class: the node that gave it its size.
    resolved_by: HashMap<SymbolId, NodeId>,
    /// By node, its sizes; `None` where they are not needed or there is no value.
    dims: Vec<Option<Dims>>,
    /// By node with several results, the sizes of each.
    tuples: HashMap<NodeId, Vec<Dims>>,
}

impl<'a> Shapes<'a> {
    /// Binds unknown dimensions to the sizes that are fed, and in a body to those `outside` of it,
    /// then infers every needed node's shape again with numbers.
    pub(crate) fn new(
        graph: &'a Graph,
        needed: &LiveNodes,
        feeds: &[FeedShape],
        outside: Option<&Shapes<'_>>,
    ) -> Result<Self, Error> {
        let mut shapes = Self {
            graph,
            bindings: Bindings::new(graph.symbols()),
            resolved_by: HashMap::new(),
            dims: vec![None; graph.len()],
            tuples: HashMap::new(),
        };
        if let Some(outside) = outside {
            let symbols = graph.symbols();
            shapes.bindings.adopt(symbols, &outside.bindings, outside.graph.symbols());
        }
        for feed in feeds {
            shapes.bind_feed(feed)?;
        }
        let closure = shapes.with_origins(needed);
        for node in closure.ones().map(NodeId::new) {
            if !needed.is_fed(node) {
                shapes.infer(node, needed.nodes.contains(node.index()))?;
            }
        }
        Ok(shapes)
    }

    /// The sizes of a node's value; none for a scalar, or where there is no value.
    pub(crate) fn dims(&self, node: NodeId) -> &[usize] {
        self.dims[node.index()].as_deref().unwrap_or(&[])
    }

    /// The types of all items of a node's value, with these sizes.
    pub(crate) fn items(&self, node: NodeId) -> SmallVec<[Concrete<'_>; 3]> {
        let dims = |place: usize| match self.tuples.get(&node) {
            Some(items) => items.get(place).map_or(&[][..], |dims| dims),
            None => self.dims(node),
        };
        let items = self.graph.node(node).ty.items().iter().enumerate();
        items.map(|(place, item)| Concrete::new(item.dtype, dims(place))).collect()
    }

    /// The type of a node's value, with these sizes; of a tuple the first item.
    pub(crate) fn concrete(&self, node: NodeId) -> Concrete<'_> {
        let tensor = self.graph.node(node).ty.tensor();
        Concrete::new(tensor.map_or(DType::F32, |tensor| tensor.dtype), self.dims(node))
    }

    /// Attributes with numbers in place of symbols.
    pub(crate) fn attributes(&self, node: NodeId) -> Cow<'_, Attributes> {
        let attributes = &self.graph.node(node).attributes;
        let symbolic = attributes
            .iter()
            .any(|value| matches!(value, Attribute::Shape(shape) if known_dims(shape).is_none()));
        if !symbolic {
            return Cow::Borrowed(attributes);
        }
        Cow::Owned(Attributes::of(attributes.iter().map(|value| match value {
            Attribute::Shape(shape) => Attribute::Shape(
                shape.iter().map(|&dim| self.bindings.resolve(self.graph.symbols(), dim)).collect(),
            ),
            other => other.clone(),
        })))
    }

    /// Binds the dimensions of a fed node to the sizes of its feed.
    fn bind_feed(&mut self, feed: &FeedShape) -> Result<(), Error> {
        let graph = self.graph;
        let name = &graph.node(feed.node).name;
        let Some(shape) = graph.shape(feed.node) else {
            return Err(Error::request(format!("`{name}` is an operation and cannot be fed")));
        };
        if shape.len() != feed.dims.len() {
            let message = format!(
                "`{name}` has {} dimensions and was fed an array of shape {:?}",
                shape.len(),
                &feed.dims[..]
            );
            return Err(self.refuse_feed(feed, message));
        }
        for (axis, (&dim, &size)) in shape.iter().zip(&feed.dims).enumerate() {
            if let Err(before) = self.bindings.bind(graph.symbols(), dim, size) {
                return Err(self.feed_contradiction(feed, axis, dim, before, size));
            }
            if let Dim::Symbol(symbol) = graph.symbols().resolve(dim) {
                self.resolved_by.entry(symbol).or_insert(feed.node);
            }
        }
        self.dims[feed.node.index()] = Some(feed.dims.clone());
        Ok(())
    }

    fn refuse_feed(&self, feed: &FeedShape, message: String) -> Error {
        let node = self.graph.node(feed.node);
        let diagnostic = Diagnostic::new(message, Location::Unknown)
            .node(&*node.name)
            .note(self.graph.describe(feed.node), node.location);
        Error::Request(diagnostic.into())
    }

    /// The error of a feed that gives a dimension another size than it had `before`.
    fn feed_contradiction(
        &self,
        feed: &FeedShape,
        axis: usize,
        dim: Dim,
        before: usize,
        size: usize,
    ) -> Error {
        let graph = self.graph;
        let name = &graph.node(feed.node).name;
        let fed = |is: String| {
            let dims = &feed.dims[..];
            let message =
                format!("`{name}` was fed an array of shape {dims:?}: dimension {axis} is {is}");
            self.refuse_feed(feed, message)
        };
        let Dim::Symbol(symbol) = graph.symbols().resolve(dim) else {
            return fed(format!("{before}, not {size}"));
        };
        let other = self.resolved_by.get(&symbol).copied().unwrap_or(feed.node);
        let symbol = graph.symbols().name(symbol);
        if other == feed.node {
            return fed(format!("{size} where another {symbol} is {before}"));
        }
        let message = format!(
            "the dimension {symbol} is {before} in what was fed to `{}` and {size} in what was fed to `{name}`",
            graph.node(other).name,
        );
        let diagnostic = super::about(graph, message, &[other, feed.node])
            .help("both must have the same size: feed batches that belong together");
        Error::Request(diagnostic.into())
    }

    /// The needed nodes, and those whose shapes say how large a dimension is that the needed nodes
    /// mention: a gradient may need the size of something whose value it does not need.
    fn with_origins(&self, needed: &LiveNodes) -> FixedBitSet {
        let graph = self.graph;
        let mut closure = needed.nodes.clone();
        if graph.symbols().is_empty() {
            return closure;
        }
        let mut stack: Vec<NodeId> = closure.ones().map(NodeId::new).collect();
        while let Some(node) = stack.pop() {
            if needed.is_fed(node) {
                continue;
            }
            let data = graph.node(node);
            let mut visit = |other: NodeId, stack: &mut Vec<NodeId>| {
                if !closure.put(other.index()) {
                    stack.push(other);
                }
            };
            for &operand in &data.operands {
                visit(operand, &mut stack);
            }
            let shapes = data.attributes.iter().filter_map(|value| match value {
                Attribute::Shape(shape) => Some(&shape[..]),
                _ => None,
            });
            let own = data.ty.items().iter().map(|tensor| &tensor.shape[..]);
            let mut inner = Vec::new();
            for body in data.attributes.bodies() {
                mentioned(body, &mut inner);
            }
            for &dim in shapes.chain(own).flatten().chain(&inner) {
                if let Dim::Symbol(symbol) = self.bindings.resolve(graph.symbols(), dim)
                    && let Some(origin) = graph.symbols().origin(symbol)
                {
                    visit(origin.node, &mut stack);
                }
            }
        }
        closure
    }

    fn infer(&mut self, node: NodeId, needed: bool) -> Result<(), Error> {
        let graph = self.graph;
        let data = graph.node(node);
        let declared = data.ty.items();
        if declared.is_empty() {
            return Ok(());
        }
        let mut operands: SmallVec<[TensorType; 3]> = SmallVec::new();
        for &operand in &data.operands {
            let tuple = self.tuples.get(&operand);
            for (place, tensor) in graph.node(operand).ty.items().iter().enumerate() {
                let dims = match tuple {
                    Some(items) => items.get(place),
                    None => self.dims[operand.index()].as_ref(),
                };
                operands.push(TensorType {
                    dtype: tensor.dtype,
                    shape: match dims {
                        Some(dims) => dims.iter().map(|&dim| Dim::Known(dim)).collect(),
                        None => tensor.shape.clone(),
                    },
                });
            }
        }
        let fault = |fault: Fault| Error::Request(graph.diagnose(node, fault).into());
        let mut cx =
            Inference::planning(&operands, &data.attributes, graph.symbols(), &self.bindings);
        let inferred = match data.operator.infer(&mut cx) {
            Ok(inferred) => inferred,
            Err(error) => return Err(fault(error)),
        };
        drop(cx);
        let is_tuple = matches!(data.ty, Type::Tuple(_));
        let mut items = Vec::new();
        for (inferred, declared) in inferred.items().iter().zip(declared) {
            match self.resolve_dims(node, inferred, declared, needed)? {
                Some(dims) if is_tuple => items.push(dims),
                Some(dims) => self.dims[node.index()] = Some(dims),
                None => return Ok(()),
            }
        }
        if is_tuple {
            self.tuples.insert(node, items);
        }
        Ok(())
    }

    /// The sizes of one item of a node's value; `None` where they are not known and need not be.
    fn resolve_dims(
        &mut self,
        node: NodeId,
        inferred: &TensorType,
        declared: &TensorType,
        needed: bool,
    ) -> Result<Option<Dims>, Error> {
        let graph = self.graph;
        let mut dims = Dims::new();
        for (axis, (&found, &wanted)) in inferred.shape.iter().zip(&declared.shape).enumerate() {
            let size = match self.bindings.resolve(graph.symbols(), found) {
                Dim::Known(size) => size,
                Dim::Symbol(_) => match self.bindings.resolve(graph.symbols(), wanted) {
                    Dim::Known(size) => size,
                    Dim::Symbol(symbol) if needed => {
                        return Err(self.undetermined(node, axis, symbol));
                    }
                    Dim::Symbol(_) => return Ok(None),
                },
            };
            if let Err(before) = self.bindings.bind(graph.symbols(), wanted, size) {
                return Err(self.contradiction(node, axis, wanted, before, size));
            }
            if let Dim::Symbol(symbol) = graph.symbols().resolve(wanted) {
                self.resolved_by.entry(symbol).or_insert(node);
            }
            dims.push(size);
        }
        // Of all sizes but 0, as while building: what is made of some of them fits then, too.
        let mut bytes = dims.clone();
        bytes.push(declared.dtype.size());
        if element_count(&bytes).is_none() {
            let fault = Fault::new(format!(
                "its result of sizes {:?} is larger than any memory",
                &dims[..]
            ));
            return Err(Error::Request(graph.diagnose(node, fault).into()));
        }
        Ok(Some(dims))
    }

    fn undetermined(&self, node: NodeId, axis: usize, symbol: SymbolId) -> Error {
        let graph = self.graph;
        let name = graph.symbols().name(symbol);
        let mut diagnostic = super::about(
            graph,
            format!(
                "dimension {axis} of `{}` is {name}, whose size no feed gives",
                graph.node(node).name
            ),
            &[node],
        );
        if let Some(origin) = graph.symbols().origin(symbol) {
            diagnostic = diagnostic.note(
                format!(
                    "{name} is dimension {} of `{}`",
                    origin.axis,
                    graph.node(origin.node).name
                ),
                graph.node(origin.node).location,
            );
        }
        Error::Request(diagnostic.help("feed a tensor that has this dimension").into())
    }

    fn contradiction(
        &self,
        node: NodeId,
        axis: usize,
        dim: Dim,
        before: usize,
        size: usize,
    ) -> Error {
        let graph = self.graph;
        let Dim::Symbol(symbol) = graph.symbols().resolve(dim) else {
            let fault =
                Fault::new(format!("dimension {axis} of its result is {size}, not {before}"));
            return Error::Request(graph.diagnose(node, fault).into());
        };
        let other = self.resolved_by.get(&symbol).copied().unwrap_or(node);
        Error::Request(
            super::about(
                graph,
                format!(
                    "the dimension {} is {before} in `{}` and {size} in `{}`",
                    graph.symbols().name(symbol),
                    graph.node(other).name,
                    graph.node(node).name
                ),
                &[other, node],
            )
            .into(),
        )
    }
}

/// The unknown dimensions that a body's types and attributes contain.
fn mentioned(body: &Body, dims: &mut Vec<Dim>) {
    for (_, node) in body.graph().iter() {
        let own = node.ty.items().iter().map(|item| &item.shape);
        let shapes = node.attributes.iter().filter_map(|value| match value {
            Attribute::Shape(shape) => Some(shape),
            _ => None,
        });
        let all = own.chain(shapes).flatten();
        dims.extend(all.filter(|dim| dim.known().is_none()));
        for inner in node.attributes.bodies() {
            mentioned(inner, dims);
        }
    }
}
