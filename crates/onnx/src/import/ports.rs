//! What a model begins and ends with: inputs, initializers, outputs, and the signature that names
//! them.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use abeyance_graph::Expr;
use abeyance_graph::ops::source::{
    Placeholder, PlaceholderAttributes, Variable, VariableAttributes,
};
use abeyance_graph::raw::GraphExt;
use abeyance_ir::{self as ir, Array, Dim, Initializer, NodeId, Shape};

use super::uses::Uses;
use super::value::{self, Known, Value};
use super::walk::Import;
use super::{call, naming};
use crate::error::Reason;
use crate::proto::type_proto::Value as TypeValue;
use crate::proto::{GraphProto, TensorShapeProto, ValueInfoProto, tensor_shape_proto};
use crate::{element_type, layout, tensor};

impl<'m, 'g> Import<'m, 'g> {
    /// The placeholders, with their names in the model.
    pub(super) fn inputs(&mut self) -> Vec<(String, NodeId)> {
        let mut inputs = Vec::new();
        let initialized: HashSet<&str> =
            self.model.initializer.iter().map(|tensor| tensor.name()).collect();
        let mut told = HashSet::new();
        for input in &self.model.input {
            let name = input.name();
            if !self.is_told_apart("input", name, &mut told) {
                continue;
            }
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
                    let value = Value::plain(Expr::new(self.graph, id));
                    self.values.insert(name, Rc::new(value));
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
        let attributes = PlaceholderAttributes { dtype, shape };
        let id =
            self.graph.build(|graph| graph.add_named(Some(&name), &Placeholder, &[], attributes));
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
    pub(super) fn initializers(&mut self, of: &'m GraphProto) {
        for initializer in &of.initializer {
            let name = initializer.name();
            let uses = self.uses.get(name).copied().unwrap_or_default();
            match tensor::read(initializer) {
                Err(reason) => self.refuse(None, format!("initializer `{name}`"), reason),
                Ok(array) => {
                    let is_variable = array.dtype.is_float() && !uses.only(uses.known);
                    let value = if is_variable {
                        self.variable(name, array, uses)
                    } else {
                        Ok(Value::array(array))
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

    /// A variable that starts with an initializer's values. A filter that stands nowhere else is
    /// kept in the order of dimensions that convolutions here take, so that no run has to transpose
    /// it.
    fn variable(&mut self, name: &str, array: Array, uses: Uses) -> Result<Value<'g>, Reason> {
        let filter = array.dims.len() == 4 && uses.only(uses.filter);
        let array = if filter { layout::transposed(&array, value::TO_FILTER) } else { array };
        let shape: Shape = array.dims.iter().map(|&dim| Dim::Known(dim)).collect();
        let dtype = array.dtype;
        let attributes = VariableAttributes {
            initial: Initializer::Constant(Arc::new(array)),
            dtype,
            shape,
            trainable: !uses.only(uses.state),
        };
        let name = self.names.free(self.graph, name, "initializer");
        let id = self.graph.build(|graph| graph.add_named(Some(&name), &Variable, &[], attributes));
        let node = Expr::new(self.graph, id);
        self.told()?;
        Ok(if filter { Value::filter(node) } else { Value::plain(node) })
    }

    /// The nodes of the outputs, each under a name of its own.
    pub(super) fn outputs(&mut self) -> Vec<(String, NodeId)> {
        let mut outputs: Vec<(String, NodeId)> = Vec::new();
        let mut told = HashSet::new();
        for output in &self.model.output {
            let name = output.name();
            if !self.is_told_apart("output", name, &mut told) {
                continue;
            }
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
                if self.graph.any(images.id()).name() == own {
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

    /// The signature `predict`, whose names are the model's.
    pub(super) fn sign(&mut self, inputs: &[(String, NodeId)], outputs: &[(String, NodeId)]) {
        let mut signature = self.graph.signature("predict");
        for (name, node) in inputs {
            signature = signature.input(name, self.graph.any(*node));
        }
        for (name, node) in outputs {
            signature = signature.output(name, self.graph.any(*node));
        }
    }

    /// True if a port has a name that no other of its kind has; if it has none of its own, that is
    /// refused. Two of one name could not be told apart by who feeds or fetches them.
    fn is_told_apart(&mut self, what: &str, name: &str, told: &mut HashSet<String>) -> bool {
        let reason = match name {
            "" => format!("an {what} has no name"),
            name if told.insert(name.to_owned()) => return true,
            _ => format!("there are two {what}s of this name"),
        };
        self.refuse(None, format!("{what} `{name}`"), Reason::Wrong(reason));
        false
    }
}
