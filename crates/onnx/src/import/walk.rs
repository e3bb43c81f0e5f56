//! The nodes of a model one after the other, and what their names stand for.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use abeyance_graph::Graph;
use abeyance_graph::raw::GraphExt;
use abeyance_ir::{self as ir, Array};

use super::call::{self, Call};
use super::naming::{self, Names};
use super::uses::{Uses, uses, with_branches};
use super::value::{self, Known, Value};
use super::{arithmetic, operator, place, table};
use crate::error::{Reason, Refusal};
use crate::proto::{GraphProto, NodeProto};

/// About what a node of a graph takes.
const NODE: usize = 1 << 10;

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

/// A model on its way to a graph.
pub(crate) struct Import<'m, 'g> {
    pub(super) graph: &'g Graph,
    pub(super) opset: i64,
    pub(super) model: &'m GraphProto,
    pub(super) given: &'m HashMap<String, Arc<Array>>,
    pub(super) values: HashMap<&'m str, Rc<Value<'g>>>,
    pub(super) uses: HashMap<&'m str, Uses>,
    pub(super) names: Names,
    pub(super) refused: Vec<Refusal>,
    /// Where in `refused` those of an operator for a reason are.
    pub(super) kinds: HashMap<(Option<String>, String), usize>,
    /// All names that something in the model gives.
    pub(super) given_names: HashSet<&'m str>,
    /// The nodes that give values.
    pub(super) makers: HashMap<&'m str, &'m NodeProto>,
    /// The inputs that are placeholders.
    pub(super) fed: HashSet<&'m str>,
    pub(super) budget: &'m Cell<usize>,
}

impl<'m, 'g> Import<'m, 'g> {
    pub(super) fn new(
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

    pub(super) fn refuse(&mut self, operator: Option<String>, place: String, reason: Reason) {
        let key = (operator.clone(), reason.to_string());
        let index = *self.kinds.entry(key).or_insert(self.refused.len());
        match self.refused.get_mut(index) {
            Some(refusal) => refusal.places.push(place),
            None => self.refused.push(Refusal { operator, places: vec![place], reason }),
        }
    }

    pub(super) fn run(&mut self) {
        if !self.model.sparse_initializer.is_empty() {
            let reason = Reason::Unsupported("sparse arrays are not read".to_owned());
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

    /// # Errors
    /// The mistakes that the graph has remembered since the last call.
    pub(super) fn told(&self) -> Result<(), Reason> {
        let mistakes = self.graph.build(|graph| graph.take_mistakes());
        let late = self.graph.check().err().map(|diagnostics| diagnostics.0).unwrap_or_default();
        let messages: Vec<String> =
            mistakes.into_iter().chain(late).map(|mistake| mistake.message).collect();
        if messages.is_empty() { Ok(()) } else { call::wrong(messages.join("; ")) }
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
            let imported = imported(&call, row);
            call.spend(NODE.saturating_mul(graph.ir().len() - first_new));
            imported.and_then(|values| self.told().map(|()| values))
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

    /// Where a value has to be known that is computed: the inputs of the model that it is computed
    /// from. Shapes are known without.
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

    /// The nodes of the branch that is taken, as if they stood outside. The decoder bounds how deep
    /// branches nest.
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

    /// True if a value is missing because of something that is reported anyway: what makes it comes
    /// before, or it is an input.
    pub(super) fn is_explained(&self, name: &str) -> bool {
        !self.refused.is_empty() && self.given_names.contains(name)
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
