//! The import of inputs, as placeholders, and of initializers, as variables and constants.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use abeyance_graph::Expr;
use abeyance_graph::ops::source::{
    Placeholder, PlaceholderAttributes, Variable, VariableAttributes,
};
use abeyance_graph::raw::GraphExt;
use abeyance_ir::{self as ir, Array, Dim, Initializer, NodeId, Shape};

use super::importer::Import;
use super::uses::Uses;
use super::value::{StaticValue, Value};
use super::{call, naming};
use crate::error::ProblemKind;
use crate::layout::{self, OIHW_TO_HWIO};
use crate::proto::type_proto::Value as TypeValue;
use crate::proto::{GraphProto, TensorShapeProto, ValueInfoProto, tensor_shape_proto};
use crate::{element_type, tensor};

impl<'m, 'g> Import<'m, 'g> {
    /// Imports the inputs of the model. Returns the placeholders, with their names in the model.
    pub(super) fn inputs(&mut self) -> Vec<(String, NodeId)> {
        let mut inputs = Vec::new();
        let initialized: HashSet<&str> =
            self.model.initializer.iter().map(|tensor| tensor.name()).collect();
        let mut known = HashSet::new();
        for input in &self.model.input {
            let name = input.name();
            if !self.has_unique_name("input", name, &mut known) {
                continue;
            }
            // Early models name their initializers among the inputs.
            if initialized.contains(name) {
                continue;
            }
            if let Some(array) = self.input_values.get(name) {
                let value = Value::known(StaticValue::Array(array.clone()));
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

    fn placeholder(&mut self, input: &ValueInfoProto) -> Result<NodeId, ProblemKind> {
        let Some(TypeValue::TensorType(ty)) =
            input.r#type.as_ref().and_then(|ty| ty.value.as_ref())
        else {
            return call::unsupported("it is no tensor");
        };
        let dtype = element_type::read(ty.elem_type()).map_err(ProblemKind::Unsupported)?;
        let Some(shape) = &ty.shape else {
            return call::unsupported("the number of its dimensions has to be known");
        };
        let shape = self.shape(shape)?;
        let name = self.names.free(self.graph, input.name(), "input");
        let attributes = PlaceholderAttributes { dtype, shape };
        let id =
            self.graph.build(|graph| graph.add_named(Some(&name), &Placeholder, &[], attributes));
        self.take_mistakes()?;
        Ok(id)
    }

    fn shape(&self, shape: &TensorShapeProto) -> Result<Shape, ProblemKind> {
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

    /// Imports the initializers of the model or of a branch.
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
    fn variable(&mut self, name: &str, array: Array, uses: Uses) -> Result<Value<'g>, ProblemKind> {
        let filter = array.dims.len() == 4 && uses.only(uses.filter);
        let array = if filter { layout::transposed(&array, OIHW_TO_HWIO) } else { array };
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
        self.take_mistakes()?;
        Ok(if filter { Value::filter(node) } else { Value::plain(node) })
    }

    /// Returns true if an input or output has a name that no other has, and reports it otherwise.
    /// Two of one name could not be told apart by who feeds or fetches them.
    pub(super) fn has_unique_name(
        &mut self,
        what: &str,
        name: &str,
        known: &mut HashSet<String>,
    ) -> bool {
        let reason = match name {
            "" => format!("an {what} has no name"),
            name if known.insert(name.to_owned()) => return true,
            _ => format!("there are two {what}s of this name"),
        };
        self.refuse(None, format!("{what} `{name}`"), ProblemKind::Wrong(reason));
        false
    }
}
