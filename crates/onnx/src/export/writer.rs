//! The writer of a model: nodes with their names, initializers, and the names of values.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use abeyance_graph::ops::conv;
use abeyance_graph::ops::source::{self, VariableAttributes};
use abeyance_ir::{
    Array, AttributeSet, DType, Dim, Graph, GraphSignature, Initializer, NodeId, Shape, SymbolId,
    known_dims,
};

use super::attribute::order;
use super::constants::ConstantState;
use crate::layout::{self, HWIO_TO_OIHW, NCHW_TO_NHWC, NHWC_TO_NCHW, OIHW_TO_HWIO};
use crate::proto::{AttributeProto, NodeProto, TensorProto};
use crate::tensor;

/// The names of a node's value in the model, or a sentence that says why it has none.
pub(crate) type Lowered = Result<Names, String>;

/// The names under which the model has a value: with its dimensions as here, as NCHW, or both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(super) plain: Option<String>,
    pub(super) images: Option<String>,
}

impl Names {
    pub fn plain(name: String) -> Self {
        Self { plain: Some(name), images: None }
    }

    pub fn images(name: String) -> Self {
        Self { plain: None, images: Some(name) }
    }

    /// The name with the dimensions as here; empty where there is none.
    pub fn name(self) -> String {
        self.plain.unwrap_or_default()
    }

    /// True if the model has it as NCHW only.
    pub fn is_images(&self) -> bool {
        self.images.is_some() && self.plain.is_none()
    }
}

/// Writes the nodes of a graph as those of a model.
pub(crate) struct Writer<'a> {
    pub ir: &'a Graph,
    constants: &'a ConstantState,
    values: &'a dyn Fn(&str) -> Option<Array>,
    signature: &'a GraphSignature,
    pub nodes: Vec<NodeProto>,
    pub initializers: Vec<TensorProto>,
    names: HashMap<NodeId, Names>,
    /// The names of filters that the model has as OIHW.
    filters: HashMap<NodeId, String>,
    /// Variables that are used as filters only.
    only_filters: HashSet<NodeId>,
    /// For each node, the number of its uses.
    uses: HashMap<NodeId, usize>,
    /// For each unknown dimension, a value and its axis of that size.
    pub(super) sources: HashMap<SymbolId, (NodeId, usize)>,
    pub(super) sizes: HashMap<SymbolId, String>,
    /// Names of values that were made for one node and may be used by others.
    pub(super) shared: HashSet<String>,
    taken: HashSet<String>,
    counts: HashMap<String, usize>,
    /// The node that is being written.
    current: String,
    refused: Vec<(String, String, String)>,
}

impl<'a> Writer<'a> {
    pub fn new(
        ir: &'a Graph,
        signature: &'a GraphSignature,
        constants: &'a ConstantState,
        needed: &[NodeId],
        values: &'a dyn Fn(&str) -> Option<Array>,
    ) -> Self {
        let ports = signature.inputs.iter().chain(&signature.outputs);
        let mut writer = Writer {
            ir,
            constants,
            values,
            signature,
            nodes: Vec::new(),
            initializers: Vec::new(),
            names: HashMap::new(),
            filters: HashMap::new(),
            only_filters: HashSet::new(),
            uses: HashMap::new(),
            sources: HashMap::new(),
            sizes: HashMap::new(),
            shared: HashSet::new(),
            taken: ports.map(|(name, _)| name.to_string()).collect(),
            counts: HashMap::new(),
            current: String::new(),
            refused: Vec::new(),
        };
        writer.count_uses(needed);
        writer
    }

    fn count_uses(&mut self, needed: &[NodeId]) {
        let mut others: HashSet<NodeId> =
            self.signature.outputs.iter().map(|(_, id)| self.constants.resolve(*id)).collect();
        for &id in needed {
            let node = self.ir.node(id);
            let filter = if node.is(&conv::Conv2d) {
                Some(1)
            } else if node.is(&conv::Conv2dBackpropInput) {
                Some(0)
            } else {
                None
            };
            for (place, &operand) in self.ir.node(id).operands.iter().enumerate() {
                let operand = self.constants.resolve(operand);
                *self.uses.entry(operand).or_insert(0) += 1;
                if Some(place) == filter && self.ir.node(operand).is(&source::Variable) {
                    self.only_filters.insert(operand);
                } else {
                    others.insert(operand);
                }
            }
        }
        self.only_filters.retain(|id| !others.contains(id));
    }

    /// Writes a node by the function of its operator, or notes why it has no counterpart.
    pub fn write(&mut self, id: NodeId, lower: Option<fn(&mut Self, NodeId) -> Lowered>) {
        let node = self.ir.node(id);
        let explained = node.operands.iter().any(|&operand| {
            let operand = self.constants.resolve(operand);
            operand != id
                && !self.names.contains_key(&operand)
                && !self.filters.contains_key(&operand)
        });
        let input = self.signature.inputs.iter().find(|(_, input)| *input == id);
        let names = if let Some((name, _)) = input {
            Ok(Names::plain(name.to_string()))
        } else if let Some(value) = self.constants.value(id).cloned() {
            self.current = node.name.to_string();
            Ok(Names::plain(self.initializer(&node.name, &value)))
        } else if explained && lower.is_some() {
            // An operand has no counterpart, which is noted already.
            return;
        } else {
            self.current = node.name.to_string();
            match lower {
                Some(lower) => {
                    let first = self.nodes.len();
                    lower(self, id).map(|names| self.renamed(names, first, &node.name))
                }
                None => Err("has no counterpart in ONNX".to_owned()),
            }
        };
        match names {
            Ok(names) => {
                self.names.insert(id, names);
                for (axis, dim) in self.shape(id).into_iter().enumerate() {
                    if let Dim::Symbol(symbol) = dim {
                        self.sources.entry(symbol).or_insert((id, axis));
                    }
                }
            }
            Err(reason) => self.refused.push((
                node.operator.signature().name.to_owned(),
                node.name.to_string(),
                reason,
            )),
        }
    }

    /// Gives the result of a node the node's name.
    fn renamed(&mut self, names: Names, first: usize, name: &str) -> Names {
        let is_images = names.is_images();
        let Some(own) = names.images.clone().filter(|_| is_images).or(names.plain.clone()) else {
            return names;
        };
        let wanted = if is_images { format!("{name}/nchw") } else { name.to_owned() };
        // What others may ask for keeps the name that they know it by.
        if self.shared.contains(&own) {
            return names;
        }
        let made =
            self.nodes.iter_mut().skip(first).rev().find(|node| node.output.first() == Some(&own));
        let Some(made) = made else {
            return names;
        };
        if !self.taken.insert(wanted.clone()) {
            return names;
        }
        made.output[0] = wanted.clone();
        if is_images {
            Names { images: Some(wanted), ..names }
        } else {
            Names { plain: Some(wanted), ..names }
        }
    }

    /// The signature's outputs, each under its name.
    pub fn outputs(&mut self) -> Vec<(String, NodeId)> {
        let mut outputs = Vec::new();
        let mut done: HashSet<String> = HashSet::new();
        for (name, id) in &self.signature.outputs {
            let id = self.constants.resolve(*id);
            if !self.names.contains_key(&id) {
                continue;
            }
            self.current = self.ir.node(id).name.to_string();
            let own = self.value(id);
            outputs.push((name.to_string(), id));
            let made = self.nodes.iter().any(|node| node.output.contains(&own));
            if made && !done.contains(&own) && !done.contains(&**name) {
                for node in &mut self.nodes {
                    for other in node.input.iter_mut().chain(&mut node.output) {
                        if *other == own {
                            *other = name.to_string();
                        }
                    }
                }
                for names in self.names.values_mut() {
                    for other in [&mut names.plain, &mut names.images] {
                        if other.as_ref() == Some(&own) {
                            *other = Some(name.to_string());
                        }
                    }
                }
            } else {
                self.nodes.push(NodeProto {
                    op_type: Some("Identity".to_owned()),
                    name: Some(format!("{name}/Identity")),
                    input: vec![own],
                    output: vec![name.to_string()],
                    ..NodeProto::default()
                });
            }
            done.insert(name.to_string());
        }
        outputs
    }

    /// The nodes without a counterpart: operator, name and reason.
    pub fn refused(&self) -> &[(String, String, String)] {
        &self.refused
    }

    // ---- attributes and types ------------------------------------------------------------------

    pub fn attributes<A: AttributeSet>(&self, id: NodeId) -> A {
        self.ir.node(id).attributes.read()
    }

    pub fn operand(&self, id: NodeId, place: usize) -> Result<NodeId, String> {
        match self.ir.node(id).operands.get(place) {
            Some(&operand) => Ok(self.constants.resolve(operand)),
            None => Err(format!("operand {place} is missing")),
        }
    }

    pub fn shape(&self, id: NodeId) -> Shape {
        self.ir.shape(id).unwrap_or_default()
    }

    pub fn dtype(&self, id: NodeId) -> DType {
        self.ir.node(id).ty.tensor().map_or(DType::F32, |tensor| tensor.dtype)
    }

    /// The sizes of a value, all of which have to be known.
    pub fn known_dims(&self, id: NodeId) -> Result<Vec<usize>, String> {
        match known_dims(&self.shape(id)) {
            Some(dims) => Ok(dims.to_vec()),
            None => Err(format!("the sizes of `{}` have to be known", self.ir.describe(id))),
        }
    }

    // ---- names and nodes -----------------------------------------------------------------------

    fn fresh(&mut self, part: &str) -> String {
        let base = format!("{}/{part}", self.current);
        loop {
            let count = self.counts.entry(base.clone()).or_insert(0);
            let name = if *count == 0 { base.clone() } else { format!("{base}_{count}") };
            *count += 1;
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }

    /// Appends a node, and gives the name of its result.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        self.nodes_of(operator, inputs, attributes, 1).pop().unwrap_or_default()
    }

    /// Appends a node of several results, and gives their names.
    pub fn nodes_of(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        results: usize,
    ) -> Vec<String> {
        let output: Vec<String> = (0..results).map(|_| self.fresh(operator)).collect();
        self.nodes.push(NodeProto {
            op_type: Some(operator.to_owned()),
            name: output.first().cloned(),
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: output.clone(),
            attribute: attributes,
            ..NodeProto::default()
        });
        output
    }

    /// Adds an array, and gives its name.
    pub fn initializer(&mut self, name: &str, array: &Array) -> String {
        let name =
            if self.taken.insert(name.to_owned()) { name.to_owned() } else { self.fresh("value") };
        self.initializers.push(tensor::write(&name, array));
        name
    }

    /// Adds a constant of a node's own.
    pub fn constant(&mut self, part: &str, array: &Array) -> String {
        let name = self.fresh(part);
        self.initializers.push(tensor::write(&name, array));
        name
    }

    /// Integers as a constant vector.
    pub fn integers(&mut self, part: &str, integers: &[i64]) -> String {
        self.constant(part, &Array::new(DType::I64, &[integers.len()], integers))
    }

    /// A number of an element type.
    pub fn number(&mut self, dtype: DType, number: f64) -> String {
        self.constant("number", &Array::scalar(dtype, number))
    }

    // ---- values --------------------------------------------------------------------------------

    pub fn names(&self, id: NodeId) -> Names {
        self.names.get(&id).cloned().unwrap_or_default()
    }

    /// The name of a value with its dimensions as here.
    pub fn value(&mut self, id: NodeId) -> String {
        let names = self.names(id);
        if let Some(name) = names.plain {
            return name;
        }
        let own = match (names.images, self.filters.get(&id).cloned()) {
            (Some(images), _) => self.node("Transpose", &[&images], vec![order(NCHW_TO_NHWC)]),
            (None, Some(filter)) => self.node("Transpose", &[&filter], vec![order(OIHW_TO_HWIO)]),
            (None, None) => String::new(),
        };
        self.shared.insert(own.clone());
        self.names.entry(id).or_default().plain = Some(own.clone());
        own
    }

    /// The value of an operand.
    pub fn input(&mut self, id: NodeId, place: usize) -> Result<String, String> {
        let operand = self.operand(id, place)?;
        Ok(self.value(operand))
    }

    /// The name of images as NCHW.
    pub fn images(&mut self, id: NodeId) -> String {
        if let Some(name) = self.names(id).images {
            return name;
        }
        let plain = self.value(id);
        let name = self.node("Transpose", &[&plain], vec![order(NHWC_TO_NCHW)]);
        self.shared.insert(name.clone());
        self.names.entry(id).or_default().images = Some(name.clone());
        name
    }

    /// The name of a filter as OIHW.
    pub fn filter(&mut self, id: NodeId) -> String {
        if let Some(name) = self.filters.get(&id) {
            return name.clone();
        }
        let plain = self.value(id);
        let name = self.node("Transpose", &[&plain], vec![order(HWIO_TO_OIHW)]);
        self.shared.insert(name.clone());
        self.filters.insert(id, name.clone());
        name
    }

    /// Writes the sum of a convolution and a vector as the bias of the convolution. `None` for any
    /// other sum, and where the convolution has other uses.
    pub fn bias(&mut self, sum: NodeId) -> Result<Option<Names>, String> {
        let operands = [self.operand(sum, 0)?, self.operand(sum, 1)?];
        for [product, bias] in [operands, [operands[1], operands[0]]] {
            let vector = self.ir.node(bias);
            let is_vector = (vector.is(&source::Variable) || vector.is(&source::Constant))
                && self.shape(bias).len() == 1
                && self.shape(bias).last() == self.shape(product).last();
            let is_output =
                self.signature.outputs.iter().any(|(_, id)| self.constants.resolve(*id) == product);
            if !self.ir.node(product).is(&conv::Conv2d)
                || !is_vector
                || is_output
                || self.uses.get(&product) != Some(&1)
            {
                continue;
            }
            let Some(images) = self.names(product).images else {
                continue;
            };
            let bias = self.value(bias);
            let made =
                self.nodes.iter_mut().rev().find(|node| node.output.first() == Some(&images));
            if let Some(made) = made.filter(|made| made.input.len() == 2) {
                made.input.push(bias);
                return Ok(Some(Names::images(images)));
            }
        }
        Ok(None)
    }

    /// A variable as an initializer.
    pub fn variable(&mut self, id: NodeId) -> Lowered {
        let node = self.ir.node(id);
        let array = self.variable_value(id)?;
        let name = node.name.to_string();
        if self.only_filters.contains(&id) {
            let filter = layout::transposed(&array, HWIO_TO_OIHW);
            let name = self.initializer(&name, &filter);
            self.filters.insert(id, name);
            return Ok(Names::default());
        }
        Ok(Names::plain(self.initializer(&name, &array)))
    }

    /// The value that is given for a variable, or its first value.
    fn variable_value(&self, id: NodeId) -> Result<Array, String> {
        let node = self.ir.node(id);
        let (dims, dtype) = (self.known_dims(id)?, self.dtype(id));
        if let Some(array) = (self.values)(&node.name) {
            return if array.dtype == dtype && array.dims[..] == dims[..] {
                Ok(array)
            } else {
                Err(format!(
                    "the value given for it is {}{:?}, and it is {dtype}{dims:?}",
                    array.dtype, array.dims
                ))
            };
        }
        let filled = |number: Array| {
            let count = dims.iter().product::<usize>();
            Array { dtype, dims: dims[..].into(), bytes: number.bytes.repeat(count) }
        };
        let VariableAttributes { initial, .. } = self.attributes(id);
        match initial {
            Initializer::Zeros => Ok(filled(Array::scalar(dtype, 0.0))),
            Initializer::Ones => Ok(filled(Array::scalar(dtype, 1.0))),
            Initializer::Constant(array) if array.dims[..] == dims[..] => {
                Ok(Arc::unwrap_or_clone(array))
            }
            Initializer::Constant(array) if array.dims.is_empty() => {
                Ok(filled(Arc::unwrap_or_clone(array)))
            }
            _ => Err("has no value: its first one is random, and none was given".to_owned()),
        }
    }
}
