//! From a model's bytes to a graph.
//!
//! The nodes of a model are gone through in order, which is a topological one, and each is handed to the function of its operator in
//! the [`table`]. What a name stands for is a [`Value`](value::Value): nodes, and what is known of it. Nothing stops at the first
//! refusal: what depends on a refused node is passed over, and all that was refused is reported together.

// Models are outside data: what they say is looked at before it is believed.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arithmetic;
mod call;
mod naming;
// Axes and ranks are checked before they index; `tests/import/hostile.rs` tries what gets past that.
#[allow(clippy::indexing_slicing)]
mod ops;
mod preflight;
pub(crate) mod table;
mod value;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use abeyance_graph::Graph;
use abeyance_ir::{self as ir, Array, Attribute, Attributes, Dim, Initializer, NodeId, Shape};
use prost::Message;

use self::call::Call;
use self::naming::Names;
use self::value::{Known, Value};
use crate::error::{ImportError, Reason, Refusal};
use crate::proto::type_proto::Value as TypeValue;
use crate::proto::{
    GraphProto, ModelProto, NodeProto, TensorShapeProto, ValueInfoProto, tensor_shape_proto,
};
use crate::{element_type, layout, tensor};

/// The oldest set of operators that is read.
pub const OLDEST_OPSET: i64 = 7;
/// The newest set of operators that is read.
pub const NEWEST_OPSET: i64 = 27;

/// Memory for what is made of a model: so many bytes for each of its own, and this much in any case.
const SHARE: usize = 64;
const ALLOWANCE: usize = 64 << 20;

/// The graph of an ONNX model: [`Importer::import`] with nothing said beforehand.
///
/// # Errors
/// Everything that stands in the way, together.
pub fn import(bytes: &[u8]) -> Result<Graph, ImportError> {
    Importer::new().import(bytes)
}

/// Reads models, with what is said about them beforehand.
#[derive(Clone, Debug, Default)]
pub struct Importer {
    values: HashMap<String, Arc<Array>>,
}

impl Importer {
    /// Nothing said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what an input of the model is. It is no placeholder then: shapes, axes and sizes that a model wants fed have to be known
    /// when its graph is built ([`Reason::NeedsValue`]).
    pub fn value(mut self, input: &str, value: Array) -> Self {
        self.values.insert(input.to_owned(), Arc::new(value));
        self
    }

    /// The graph of a model, `bytes` being what its file holds:
    ///
    /// - Inputs become placeholders. A dimension with a name is one unknown size wherever that name stands, one without a name is
    ///   unknown by itself.
    /// - Initializers of floats become variables that start with their values, so that the model can be trained further; those that
    ///   are running averages are not trainable. Others are constants.
    /// - Nodes are called by what the model calls their results, with `_` for what a name may not hold. Images within the model are
    ///   `[N, H, W, C]` here; inputs and outputs are as the model has them.
    /// - The signature `predict` names inputs and outputs as the model does.
    ///
    /// # Errors
    /// The bytes are no model, the model's opset is not between [`OLDEST_OPSET`] and [`NEWEST_OPSET`], or parts of it have no
    /// counterpart or are wrong: all of these together. No bytes make it panic.
    pub fn import(&self, bytes: &[u8]) -> Result<Graph, ImportError> {
        preflight::check(bytes)?;
        let model =
            ModelProto::decode(bytes).map_err(|error| ImportError::NotAModel(error.to_string()))?;
        let opset = opset(&model)?;
        let Some(graph) = &model.graph else {
            return Err(ImportError::NotAModel("it has no graph".to_owned()));
        };
        refuse_unknown(graph)?;
        let name = naming::graph_name(graph.name());
        let built = Graph::named(&name);
        let refused = {
            // What a model is made of may be more than its bytes, but not out of all proportion.
            let budget = Cell::new(bytes.len().saturating_mul(SHARE).saturating_add(ALLOWANCE));
            let mut import = Import::new(&built, opset, graph, &self.values, &budget);
            import.run();
            import.refused
        };
        match refused.is_empty() {
            true => Ok(built),
            false => Err(ImportError::Refused(refused)),
        }
    }
}

/// The set of operators that a model is of.
fn opset(model: &ModelProto) -> Result<i64, ImportError> {
    let own = model.opset_import.iter().find(|set| matches!(set.domain(), "" | "ai.onnx"));
    // Models before opset sets existed are of the first.
    let found = own.map_or(1, |set| set.version());
    match (OLDEST_OPSET..=NEWEST_OPSET).contains(&found) {
        true => Ok(found),
        false => Err(ImportError::Opset { found, oldest: OLDEST_OPSET, newest: NEWEST_OPSET }),
    }
}

/// The operator of a node, with its domain unless that is ONNX's own.
fn operator(node: &NodeProto) -> String {
    match node.domain() {
        "" | "ai.onnx" => node.op_type().to_owned(),
        domain => format!("{domain}.{}", node.op_type()),
    }
}

/// What a node is called in messages.
fn place(node: &NodeProto) -> String {
    match node.name() {
        "" => node.output.iter().find(|name| !name.is_empty()).cloned().unwrap_or_default(),
        name => name.to_owned(),
    }
}

/// # Errors
/// Operators without a counterpart, each with all its nodes.
fn refuse_unknown(graph: &GraphProto) -> Result<(), ImportError> {
    let mut refusals: Vec<Refusal> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for node in &graph.node {
        let name = operator(node);
        if table::find(&name).is_some() {
            continue;
        }
        let index = *at.entry(name.clone()).or_insert_with(|| {
            refusals.push(Refusal {
                operator: Some(name),
                places: Vec::new(),
                reason: Reason::NoCounterpart,
            });
            refusals.len() - 1
        });
        if let Some(refusal) = refusals.get_mut(index) {
            refusal.places.push(place(node));
        }
    }
    match refusals.is_empty() {
        true => Ok(()),
        false => Err(ImportError::Refused(refusals)),
    }
}

/// What an initializer is for, by the places where it stands.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    /// At places whose values have to be known.
    known: usize,
    /// Where a running average stands.
    state: usize,
    /// Where a filter stands.
    filter: usize,
    /// Anywhere else.
    other: usize,
}

impl Uses {
    fn only(self, count: usize) -> bool {
        count > 0 && count == self.known + self.state + self.filter + self.other
    }
}

/// The graph and all those in attributes of its nodes.
fn with_branches(graph: &GraphProto) -> Vec<&GraphProto> {
    let mut graphs = vec![graph];
    let mut next = 0;
    while let Some(graph) = graphs.get(next).copied() {
        let attributes = graph.node.iter().flat_map(|node| &node.attribute);
        graphs.extend(attributes.flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)));
        next += 1;
    }
    graphs
}

/// Where each name stands.
fn uses<'m>(graphs: &[&'m GraphProto]) -> HashMap<&'m str, Uses> {
    let mut all: HashMap<&str, Uses> = HashMap::new();
    for graph in graphs {
        for node in &graph.node {
            let row = table::find(node.op_type());
            for (index, input) in node.input.iter().enumerate() {
                let uses = all.entry(input).or_default();
                match row {
                    Some(row) if row.known.contains(&index) => uses.known += 1,
                    Some(row) if row.state.contains(&index) => uses.state += 1,
                    Some(row) if row.filter == Some(index) => uses.filter += 1,
                    _ => uses.other += 1,
                }
            }
        }
        for output in &graph.output {
            all.entry(output.name()).or_default().other += 1;
        }
    }
    all
}

/// The branch of an `If` whose condition is known.
fn taken_branch<'m>(
    node: &'m NodeProto,
    inputs: &[Option<Rc<Value<'_>>>],
) -> Option<&'m GraphProto> {
    let [Some(condition)] = inputs else { return None };
    if operator(node) != "If" {
        return None;
    }
    let condition = condition.known.as_ref()?.array()?;
    let taken = match (condition.dtype, &condition.bytes[..]) {
        (ir::DType::Bool, [0]) => "else_branch",
        (ir::DType::Bool, [_]) => "then_branch",
        _ => return None,
    };
    node.attribute.iter().find(|attribute| attribute.name() == taken)?.g.as_ref()
}

struct Import<'m, 'g> {
    graph: &'g Graph,
    opset: i64,
    model: &'m GraphProto,
    given: &'m HashMap<String, Arc<Array>>,
    values: HashMap<&'m str, Rc<Value<'g>>>,
    uses: HashMap<&'m str, Uses>,
    names: Names,
    refused: Vec<Refusal>,
    /// Where in `refused` those of an operator for a reason are.
    kinds: HashMap<(Option<String>, String), usize>,
    /// All names that something in the model gives.
    given_names: HashSet<&'m str>,
    /// The nodes that give values.
    makers: HashMap<&'m str, &'m NodeProto>,
    /// The inputs that are placeholders.
    fed: HashSet<&'m str>,
    budget: &'m Cell<usize>,
}

impl<'m, 'g> Import<'m, 'g> {
    fn new(
        graph: &'g Graph,
        opset: i64,
        model: &'m GraphProto,
        given: &'m HashMap<String, Arc<Array>>,
        budget: &'m Cell<usize>,
    ) -> Self {
        let graphs = with_branches(model);
        let names = graphs.iter().flat_map(|graph| {
            let outputs = graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str));
            let inputs = graph.input.iter().map(|input| input.name());
            outputs.chain(inputs).chain(graph.initializer.iter().map(|tensor| tensor.name()))
        });
        let nodes = graphs.iter().flat_map(|graph| &graph.node);
        let makers =
            nodes.flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)));
        Self {
            uses: uses(&graphs),
            graph,
            opset,
            model,
            given,
            values: HashMap::new(),
            names: Names::default(),
            refused: Vec::new(),
            kinds: HashMap::new(),
            given_names: names.collect(),
            makers: makers.collect(),
            fed: HashSet::new(),
            budget,
        }
    }

    fn refuse(&mut self, operator: Option<String>, place: String, reason: Reason) {
        let key = (operator.clone(), reason.to_string());
        let index = *self.kinds.entry(key).or_insert(self.refused.len());
        match self.refused.get_mut(index) {
            Some(refusal) => refusal.places.push(place),
            None => self.refused.push(Refusal { operator, places: vec![place], reason }),
        }
    }

    fn run(&mut self) {
        if !self.model.sparse_initializer.is_empty() {
            let reason = Reason::Unsupported("sparse arrays are not read".to_owned());
            self.refuse(None, "sparse_initializer".to_owned(), reason);
        }
        let inputs = self.inputs();
        self.initializers(self.model);
        for node in &self.model.node {
            self.node(node);
            if self.budget.get() == 0 {
                let reason = "what the model asks to be made by here takes more memory than a model of its size can need";
                self.refuse(
                    Some(operator(node)),
                    place(node),
                    Reason::Unsupported(reason.to_owned()),
                );
                return;
            }
        }
        let outputs = self.outputs();
        if self.refused.is_empty() {
            self.sign(&inputs, &outputs);
            self.mistakes(None, "the model");
        }
    }

    /// The placeholders, with their names in the model.
    fn inputs(&mut self) -> Vec<(String, NodeId)> {
        let mut inputs = Vec::new();
        let initialized: HashSet<&str> =
            self.model.initializer.iter().map(|tensor| tensor.name()).collect();
        for input in &self.model.input {
            let name = input.name();
            // Early models name their initializers among the inputs.
            if initialized.contains(name) {
                continue;
            }
            if let Some(array) = self.given.get(name) {
                let value = Value::known(Known::Array(array.clone()));
                self.values.insert(name, Rc::new(value));
                continue;
            }
            match self.placeholder(input) {
                Ok(id) => {
                    self.values.insert(name, Rc::new(Value::plain(self.graph.any(id))));
                    inputs.push((name.to_owned(), id));
                    self.fed.insert(name);
                }
                Err(reason) => self.refuse(None, format!("input `{name}`"), reason),
            }
        }
        inputs
    }

    fn placeholder(&mut self, input: &ValueInfoProto) -> Result<NodeId, Reason> {
        let Some(TypeValue::TensorType(ty)) =
            input.r#type.as_ref().and_then(|ty| ty.value.as_ref())
        else {
            return call::unsupported("it is no tensor");
        };
        let dtype = element_type::read(ty.elem_type()).map_err(Reason::Unsupported)?;
        let Some(shape) = &ty.shape else {
            return call::unsupported("the number of its dimensions has to be known");
        };
        let shape = self.shape(shape)?;
        let name = self.names.free(self.graph, input.name(), "input");
        let attributes = Attributes::of([Attribute::DType(dtype), Attribute::Shape(shape)]);
        let id = self.graph.build(|graph| {
            graph.add_named(Some(&name), &abeyance_graph::ops::source::Placeholder, &[], attributes)
        });
        self.told()?;
        Ok(id)
    }

    fn shape(&self, shape: &TensorShapeProto) -> Result<Shape, Reason> {
        use tensor_shape_proto::dimension::Value as Size;
        let dim = |dimension: &tensor_shape_proto::Dimension| match &dimension.value {
            Some(Size::DimValue(size)) => match usize::try_from(*size) {
                Ok(size) => Ok(Dim::Known(size)),
                Err(_) => call::wrong(format!("{size} is not the size of a dimension")),
            },
            Some(Size::DimParam(name)) if naming::is_symbol(name) => {
                Ok(self.graph.build(|graph| Dim::Symbol(graph.symbols_mut().declared(name))))
            }
            // A name that cannot stand here is still one size wherever it stands.
            Some(Size::DimParam(name)) if !name.is_empty() => {
                let name = naming::symbol(name);
                Ok(self.graph.build(|graph| Dim::Symbol(graph.symbols_mut().declared(&name))))
            }
            _ => Ok(self
                .graph
                .build(|graph| Dim::Symbol(graph.symbols_mut().fresh(ir::Naming::Fed)))),
        };
        shape.dim.iter().map(dim).collect()
    }

    /// Variables and constants.
    fn initializers(&mut self, of: &'m GraphProto) {
        for initializer in &of.initializer {
            let name = initializer.name();
            let uses = self.uses.get(name).copied().unwrap_or_default();
            match tensor::read(initializer) {
                Err(reason) => self.refuse(None, format!("initializer `{name}`"), reason),
                Ok(array) => {
                    let value = match array.dtype.is_float() && !uses.only(uses.known) {
                        true => self.variable(name, array, uses),
                        false => Ok(Value::array(array)),
                    };
                    match value {
                        Ok(value) => {
                            self.values.insert(name, Rc::new(value));
                        }
                        Err(reason) => self.refuse(None, format!("initializer `{name}`"), reason),
                    }
                }
            }
        }
    }

    /// A variable that starts with an initializer's values. A filter that stands nowhere else is kept in the order of dimensions that
    /// convolutions here take, so that no run has to transpose it.
    fn variable(&mut self, name: &str, array: Array, uses: Uses) -> Result<Value<'g>, Reason> {
        let filter = array.dims.len() == 4 && uses.only(uses.filter);
        let array = match filter {
            true => layout::transposed(&array, value::TO_FILTER),
            false => array,
        };
        let shape: Shape = array.dims.iter().map(|&dim| Dim::Known(dim)).collect();
        let dtype = array.dtype;
        let attributes = Attributes::of([
            Attribute::Initializer(Initializer::Constant(Arc::new(array))),
            Attribute::DType(dtype),
            Attribute::Shape(shape),
            Attribute::Flag(!uses.only(uses.state)),
        ]);
        let name = self.names.free(self.graph, name, "initializer");
        let node = self.graph.any(self.graph.build(|graph| {
            let variable = &abeyance_graph::ops::source::Variable;
            graph.add_named(Some(&name), variable, &[], attributes)
        }));
        self.told()?;
        Ok(if filter { Value::filter(node) } else { Value::plain(node) })
    }

    /// # Errors
    /// The mistakes that the graph has remembered since the last call.
    fn told(&self) -> Result<(), Reason> {
        let mistakes = self.graph.build(|graph| graph.take_mistakes());
        let late = self.graph.check().err().map(|diagnostics| diagnostics.0).unwrap_or_default();
        let messages: Vec<String> =
            mistakes.into_iter().chain(late).map(|mistake| mistake.message).collect();
        match messages.is_empty() {
            true => Ok(()),
            false => call::wrong(messages.join("; ")),
        }
    }

    fn mistakes(&mut self, operator: Option<String>, place: &str) {
        if let Err(reason) = self.told() {
            self.refuse(operator, place.to_owned(), reason);
        }
    }

    fn node(&mut self, node: &'m NodeProto) {
        let Some(row) = table::find(&operator(node)) else {
            return self.refuse(Some(operator(node)), place(node), Reason::NoCounterpart);
        };
        let mut inputs = Vec::new();
        for name in &node.input {
            match name.as_str() {
                "" => inputs.push(None),
                name => match self.values.get(name) {
                    Some(value) => inputs.push(Some(value.clone())),
                    // What it depends on was refused, or is a mistake.
                    None if self.is_explained(name) => return,
                    None => {
                        let reason = Reason::Wrong(format!("nothing before it is called `{name}`"));
                        return self.refuse(Some(operator(node)), place(node), reason);
                    }
                },
            }
        }
        if let Some(taken) = taken_branch(node, &inputs) {
            return self.branch(node, taken);
        }
        let first_new = self.graph.ir().len();
        let scope = naming::scope(&place(node), node.op_type());
        let imported = {
            let _scope = self.graph.scope(&scope);
            let (graph, opset, budget) = (self.graph, self.opset, self.budget);
            let call = Call { graph, node, opset, inputs, budget };
            imported(&call, row).and_then(|values| self.told().map(|()| values))
        };
        match imported {
            Ok(values)
                if values.len()
                    < node
                        .output
                        .iter()
                        .rposition(|name| !name.is_empty())
                        .map_or(0, |last| last + 1) =>
            {
                let reason =
                    Reason::Unsupported(format!("its output {} is not given", values.len()));
                self.refuse(Some(operator(node)), place(node), reason);
            }
            Ok(values) => {
                for (name, value) in node.output.iter().zip(values) {
                    if !name.is_empty() {
                        self.names.rename(self.graph, &value, first_new, name);
                        self.give(node, name, Rc::new(value));
                    }
                }
            }
            Err(reason) => {
                // Mistakes that go with it have the same cause.
                let _ = self.told();
                for reason in self.traced(reason) {
                    self.refuse(Some(operator(node)), place(node), reason);
                }
            }
        }
    }

    /// Where a value has to be known that is computed: the inputs of the model that it is computed from. Shapes are known without.
    fn traced(&self, reason: Reason) -> Vec<Reason> {
        /// A value that is computed from more than this is no shape.
        const FARTHEST: usize = 256;
        let Reason::NeedsValue(name) = &reason else {
            return vec![reason];
        };
        let mut inputs: Vec<Reason> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut pending = vec![name.as_str()];
        while let Some(name) = pending.pop() {
            if !seen.insert(name) || seen.len() > FARTHEST {
                continue;
            }
            match self.makers.get(name) {
                Some(maker) if matches!(maker.op_type(), "Shape" | "Size" | "Constant") => {}
                Some(maker) => pending.extend(maker.input.iter().map(String::as_str)),
                None if self.fed.contains(name) => {
                    inputs.push(Reason::NeedsValue(name.to_owned()));
                }
                None => {}
            }
        }
        if inputs.is_empty() { vec![reason] } else { inputs }
    }

    /// Says what a name stands for from now on.
    fn give(&mut self, node: &NodeProto, name: &'m str, value: Rc<Value<'g>>) {
        if self.values.insert(name, value).is_some() {
            let reason = Reason::Wrong(format!("there is another value called `{name}`"));
            self.refuse(Some(operator(node)), place(node), reason);
        }
    }

    /// The nodes of the branch that is taken, as if they stood outside. The decoder bounds how deep branches nest.
    fn branch(&mut self, node: &'m NodeProto, taken: &'m GraphProto) {
        self.initializers(taken);
        for inner in &taken.node {
            self.node(inner);
        }
        for (name, output) in node.output.iter().zip(&taken.output) {
            match self.values.get(output.name()).cloned() {
                Some(value) => self.give(node, name, value),
                None if self.is_explained(output.name()) => {}
                None => {
                    let reason = Reason::Wrong(format!("nothing gives its `{}`", output.name()));
                    self.refuse(Some(operator(node)), place(node), reason);
                }
            }
        }
    }

    /// Whether a value is missing because of something that is reported anyway: what makes it comes before, or it is an input.
    fn is_explained(&self, name: &str) -> bool {
        !self.refused.is_empty() && self.given_names.contains(name)
    }

    /// The nodes of the outputs, each under a name of its own.
    fn outputs(&mut self) -> Vec<(String, NodeId)> {
        let mut outputs: Vec<(String, NodeId)> = Vec::new();
        for output in &self.model.output {
            let name = output.name();
            let Some(value) = self.values.get(name) else {
                if !self.is_explained(name) {
                    let reason = Reason::Wrong("nothing gives this output".to_owned());
                    self.refuse(None, format!("output `{name}`"), reason);
                }
                continue;
            };
            let value = value.clone();
            let images = value.is_images().then(|| value.as_images(self.graph));
            let tensor = value.as_plain(self.graph);
            if let Some(images) = images {
                // The name is that of the value as the model has it.
                let own = naming::sanitized(name, "output");
                if images.name() == own {
                    let other = self.names.free(self.graph, &format!("{own}/nhwc"), "output");
                    self.graph.build(|graph| graph.rename(images.id(), &other));
                }
                let own = self.names.free(self.graph, &own, "output");
                self.graph.build(|graph| graph.rename(tensor.id(), &own));
            }
            outputs.push((name.to_owned(), tensor.id()));
        }
        outputs
    }

    /// The signature `predict`, whose names are the model's as far as they can be.
    fn sign(&mut self, inputs: &[(String, NodeId)], outputs: &[(String, NodeId)]) {
        let ports = |list: &[(String, NodeId)]| -> Vec<(String, NodeId)> {
            let mut taken = HashSet::new();
            let port = |(index, (name, node)): (usize, &(String, NodeId))| {
                let name = naming::sanitized(name, "value");
                let name = if taken.contains(&name) { format!("{name}_{index}") } else { name };
                taken.insert(name.clone());
                (name, *node)
            };
            list.iter().enumerate().map(port).collect()
        };
        let mut signature = self.graph.signature("predict");
        for (name, node) in ports(inputs) {
            signature = signature.input(&name, self.graph.any(node));
        }
        for (name, node) in ports(outputs) {
            signature = signature.output(&name, self.graph.any(node));
        }
    }
}

/// The values of a node: known ones without nodes, others by its operator's function.
fn imported<'g>(call: &Call<'_, 'g>, row: &table::Row) -> call::Imported<'g> {
    let Some(known) = arithmetic::known(call)? else {
        return (row.import)(call);
    };
    if let Known::Sizes { sizes, .. } = &known {
        call.spend(size_of_val(&sizes[..]));
    }
    let is_whole = match &known {
        Known::Array(_) => true,
        Known::Sizes { sizes, .. } => !sizes.contains(&value::Size::Open),
    };
    if is_whole {
        return Ok(vec![Value::known(known)]);
    }
    // The part that is known goes with nodes that compute the whole.
    let mut values = (row.import)(call)?;
    if let Some(first) = values.first_mut() {
        first.known = Some(known);
    }
    Ok(values)
}
