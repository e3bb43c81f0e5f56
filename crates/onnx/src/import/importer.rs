//! The import of a graph: the nodes of the model one after the other, and the values of their
//! names.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use abeyance_graph::Graph;
use abeyance_graph::raw::GraphExt;
use abeyance_ir::{self as ir, Array};

use super::call::{self, Call};
use super::entry::OpEntry;
use super::naming::{self, Names};
use super::size::Size;
use super::uses::{Uses, uses, with_branches};
use super::value::{StaticValue, Value};
use super::{node_name, operator, propagate, table};
use crate::error::{ImportProblem, ProblemKind};
use crate::proto::{GraphProto, NodeProto};

/// The memory of a node of a graph, about, in bytes.
const NODE_BYTES: usize = 1 << 10;

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

/// The state of an import.
pub(crate) struct Import<'m, 'g> {
    pub(super) graph: &'g Graph,
    pub(super) opset: i64,
    pub(super) model: &'m GraphProto,
    /// Values of inputs that are known beforehand.
    pub(super) input_values: &'m HashMap<String, Arc<Array>>,
    pub(super) values: HashMap<&'m str, Rc<Value<'g>>>,
    pub(super) uses: HashMap<&'m str, Uses>,
    pub(super) names: Names,
    pub(super) refused: Vec<ImportProblem>,
    /// The index in `refused` of an operator and a reason.
    pub(super) refused_indices: HashMap<(Option<String>, String), usize>,
    /// The names that something in the model defines.
    pub(super) defined_names: HashSet<&'m str>,
    /// The nodes that produce values.
    pub(super) producers: HashMap<&'m str, &'m NodeProto>,
    /// The inputs that are placeholders.
    pub(super) fed: HashSet<&'m str>,
    pub(super) budget: &'m Cell<usize>,
}

impl<'m, 'g> Import<'m, 'g> {
    pub(super) fn new(
        graph: &'g Graph,
        opset: i64,
        model: &'m GraphProto,
        input_values: &'m HashMap<String, Arc<Array>>,
        budget: &'m Cell<usize>,
    ) -> Self {
        let graphs = with_branches(model);
        let names = graphs.iter().flat_map(|graph| {
            let outputs = graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str));
            let inputs = graph.input.iter().map(|input| input.name());
            outputs.chain(inputs).chain(graph.initializer.iter().map(|tensor| tensor.name()))
        });
        let nodes = graphs.iter().flat_map(|graph| &graph.node);
        let producers =
            nodes.flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)));
        Self {
            uses: uses(&graphs),
            graph,
            opset,
            model,
            input_values,
            values: HashMap::new(),
            names: Names::default(),
            refused: Vec::new(),
            refused_indices: HashMap::new(),
            defined_names: names.collect(),
            producers: producers.collect(),
            fed: HashSet::new(),
            budget,
        }
    }

    pub(super) fn refuse(&mut self, operator: Option<String>, place: String, reason: ProblemKind) {
        let key = (operator.clone(), reason.to_string());
        let index = *self.refused_indices.entry(key).or_insert(self.refused.len());
        match self.refused.get_mut(index) {
            Some(refusal) => refusal.places.push(place),
            None => self.refused.push(ImportProblem { operator, places: vec![place], reason }),
        }
    }

    pub(super) fn run(&mut self) {
        if !self.model.sparse_initializer.is_empty() {
            let reason = ProblemKind::Unsupported("sparse arrays are not read".to_owned());
            self.refuse(None, "sparse_initializer".to_owned(), reason);
        }
        let inputs = self.inputs();
        self.initializers(self.model);
        for node in &self.model.node {
            self.node(node);
            if self.budget.get() == 0 {
                let reason = "what the model asks to be made by here takes more memory than a \
                    model of its size can need";
                self.refuse(
                    Some(operator(node)),
                    node_name(node),
                    ProblemKind::Unsupported(reason.to_owned()),
                );
                return;
            }
        }
        let outputs = self.outputs();
        if self.refused.is_empty() {
            self.add_signature(&inputs, &outputs);
            self.report_mistakes(None, "the model");
        }
    }

    /// Takes the mistakes that the graph has collected since the last call.
    ///
    /// # Errors
    /// There are some.
    pub(super) fn take_mistakes(&self) -> Result<(), ProblemKind> {
        let mistakes = self.graph.build(|graph| graph.take_mistakes());
        let others = self.graph.check().err().map(|diagnostics| diagnostics.0).unwrap_or_default();
        let messages: Vec<String> =
            mistakes.into_iter().chain(others).map(|mistake| mistake.message).collect();
        if messages.is_empty() { Ok(()) } else { call::wrong(messages.join("; ")) }
    }

    /// Reports the mistakes that the graph has collected since the last call.
    fn report_mistakes(&mut self, operator: Option<String>, place: &str) {
        if let Err(reason) = self.take_mistakes() {
            self.refuse(operator, place.to_owned(), reason);
        }
    }

    /// Imports a node, or reports why it cannot be.
    fn node(&mut self, node: &'m NodeProto) {
        let Some(entry) = table::find(&operator(node)) else {
            return self.refuse(Some(operator(node)), node_name(node), ProblemKind::NoCounterpart);
        };
        let Some(inputs) = self.inputs_of(node) else {
            return;
        };
        if let Some(taken) = taken_branch(node, &inputs) {
            return self.branch(node, taken);
        }
        let first_new = self.graph.ir().len();
        let scope = naming::scope(&node_name(node), node.op_type());
        let imported = {
            let _scope = self.graph.scope(&scope);
            let (graph, opset, budget) = (self.graph, self.opset, self.budget);
            let call = Call { graph, node, opset, inputs, budget };
            let imported = imported(&call, entry);
            call.spend(NODE_BYTES.saturating_mul(graph.ir().len() - first_new));
            imported.and_then(|values| self.take_mistakes().map(|()| values))
        };
        match imported {
            Ok(values) => self.name_outputs(node, values, first_new),
            Err(reason) => {
                // Mistakes that go with it have the same cause.
                let _ = self.take_mistakes();
                for reason in self.inputs_behind(reason) {
                    self.refuse(Some(operator(node)), node_name(node), reason);
                }
            }
        }
    }

    /// The values of a node's inputs; `None` where one is missing, which is reported once.
    fn inputs_of(&mut self, node: &'m NodeProto) -> Option<Vec<Option<Rc<Value<'g>>>>> {
        let mut inputs = Vec::new();
        for name in &node.input {
            if name.is_empty() {
                inputs.push(None);
            } else if let Some(value) = self.values.get(name.as_str()) {
                inputs.push(Some(value.clone()));
            } else {
                if !self.is_explained(name) {
                    let reason =
                        ProblemKind::Wrong(format!("nothing before it is called `{name}`"));
                    self.refuse(Some(operator(node)), node_name(node), reason);
                }
                return None;
            }
        }
        Some(inputs)
    }

    /// Gives the outputs of a node their values, and new nodes of the graph their names.
    fn name_outputs(&mut self, node: &'m NodeProto, values: Vec<Value<'g>>, first_new: usize) {
        let last = node.output.iter().rposition(|name| !name.is_empty());
        if values.len() < last.map_or(0, |last| last + 1) {
            let reason = format!("its output {} is not given", values.len());
            let reason = ProblemKind::Unsupported(reason);
            return self.refuse(Some(operator(node)), node_name(node), reason);
        }
        for (name, value) in node.output.iter().zip(values) {
            if !name.is_empty() {
                self.names.rename(self.graph, &value, first_new, name);
                self.give(node, name, Rc::new(value));
            }
        }
    }

    /// Replaces a computed value that has to be known by the inputs of the model from which it is
    /// computed. Shapes are known without.
    fn inputs_behind(&self, reason: ProblemKind) -> Vec<ProblemKind> {
        /// A value that is computed from more than this is no shape.
        const FARTHEST: usize = 256;
        let ProblemKind::NeedsValue(name) = &reason else {
            return vec![reason];
        };
        let mut inputs: Vec<ProblemKind> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut pending = vec![name.as_str()];
        while let Some(name) = pending.pop() {
            if !seen.insert(name) || seen.len() > FARTHEST {
                continue;
            }
            match self.producers.get(name) {
                Some(producer) if matches!(producer.op_type(), "Shape" | "Size" | "Constant") => {}
                Some(producer) => pending.extend(producer.input.iter().map(String::as_str)),
                None if self.fed.contains(name) => {
                    inputs.push(ProblemKind::NeedsValue(name.to_owned()));
                }
                None => {}
            }
        }
        if inputs.is_empty() { vec![reason] } else { inputs }
    }

    /// Gives a name its value.
    fn give(&mut self, node: &NodeProto, name: &'m str, value: Rc<Value<'g>>) {
        if self.values.insert(name, value).is_some() {
            let reason = ProblemKind::Wrong(format!("there is another value called `{name}`"));
            self.refuse(Some(operator(node)), node_name(node), reason);
        }
    }

    /// Imports the nodes of the branch that is taken, as if they stood outside. The decoder bounds
    /// how deep branches nest.
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
                    let reason =
                        ProblemKind::Wrong(format!("nothing gives its `{}`", output.name()));
                    self.refuse(Some(operator(node)), node_name(node), reason);
                }
            }
        }
    }

    /// Returns true if a value is missing because of a problem that is reported already, of the
    /// node that produces it or of an input.
    pub(super) fn is_explained(&self, name: &str) -> bool {
        !self.refused.is_empty() && self.defined_names.contains(name)
    }
}

/// The values of a node's outputs: known ones without nodes, others by its operator's function.
fn imported<'g>(call: &Call<'_, 'g>, entry: &OpEntry) -> call::Imported<'g> {
    let Some(known) = propagate::propagate(call)? else {
        return (entry.import)(call);
    };
    if let StaticValue::Sizes { sizes, .. } = &known {
        call.spend(size_of_val(&sizes[..]));
    }
    let is_whole = match &known {
        StaticValue::Array(_) => true,
        StaticValue::Sizes { sizes, .. } => !sizes.contains(&Size::Open),
    };
    if is_whole {
        return Ok(vec![Value::known(known)]);
    }
    // The part that is known goes with nodes that compute the whole.
    let mut values = (entry.import)(call)?;
    if let Some(first) = values.first_mut() {
        first.known = Some(known);
    }
    Ok(values)
}
