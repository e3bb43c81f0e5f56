//! One node of the model while it is imported: its inputs and attributes, and what may be appended
//! for it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use abeyance_graph::ops::source::{Constant, ConstantAttributes};
use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{Element, Expr, Graph, Tensor};
use abeyance_ir::{self as ir, Array, DType, Dim, resolve_axis};

use super::size::Size;
use super::value::{StaticValue, Value};
use crate::error::ProblemKind;
use crate::proto::{AttributeProto, NodeProto, attribute_proto::AttributeType};
use crate::tensor;

/// The values of a node's outputs: the first ones, as many as the operator supports.
pub(crate) type Imported<'g> = Result<Vec<Value<'g>>, ProblemKind>;

/// A node of the model.
pub(crate) struct Call<'m, 'g> {
    pub graph: &'g Graph,
    pub node: &'m NodeProto,
    pub opset: i64,
    /// `None` for an input that is left out.
    pub inputs: Vec<Option<Rc<Value<'g>>>>,
    /// The memory that new nodes may still take, in bytes.
    pub budget: &'m Cell<usize>,
}

/// The error of a node that is used in a way that is not imported.
pub(crate) fn unsupported<T>(what: impl Into<String>) -> Result<T, ProblemKind> {
    Err(ProblemKind::Unsupported(what.into()))
}

/// The error of a node that is wrong.
pub(crate) fn wrong<T>(what: impl Into<String>) -> Result<T, ProblemKind> {
    Err(ProblemKind::Wrong(what.into()))
}

impl<'m, 'g> Call<'m, 'g> {
    // ---- attributes ---------------------------------------------------------------------------

    /// The attribute of that name, which must be of that type.
    fn attribute(
        &self,
        name: &str,
        kind: AttributeType,
    ) -> Result<Option<&'m AttributeProto>, ProblemKind> {
        let Some(found) = self.node.attribute.iter().find(|attribute| attribute.name() == name)
        else {
            return Ok(None);
        };
        if !found.ref_attr_name().is_empty() {
            return unsupported(format!("attribute `{name}` is a parameter of a function"));
        }
        // Early models leave the type out.
        match found.r#type {
            Some(given) if given != 0 && given != i32::from(kind) => {
                wrong(format!("attribute `{name}` is not of the type {}", kind.as_str_name()))
            }
            _ => Ok(Some(found)),
        }
    }

    /// An integer.
    pub fn int(&self, name: &str) -> Result<Option<i64>, ProblemKind> {
        Ok(self.attribute(name, AttributeType::Int)?.map(AttributeProto::i))
    }

    /// An integer, or a default.
    pub fn int_or(&self, name: &str, default: i64) -> Result<i64, ProblemKind> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    /// True if an integer is other than 0, or a default.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, ProblemKind> {
        Ok(self.int_or(name, default.into())? != 0)
    }

    /// A number, or a default.
    pub fn float_or(&self, name: &str, default: f32) -> Result<f64, ProblemKind> {
        let found = self.attribute(name, AttributeType::Float)?;
        Ok(f64::from(found.map_or(default, AttributeProto::f)))
    }

    /// Integers.
    pub fn ints(&self, name: &str) -> Result<Option<&'m [i64]>, ProblemKind> {
        let found = self.attribute(name, AttributeType::Ints)?;
        Ok(found.map(|attribute| &attribute.ints[..]))
    }

    /// Numbers.
    pub fn floats(&self, name: &str) -> Result<Option<&'m [f32]>, ProblemKind> {
        let found = self.attribute(name, AttributeType::Floats)?;
        Ok(found.map(|attribute| &attribute.floats[..]))
    }

    /// Texts.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<String>>, ProblemKind> {
        let found = self.attribute(name, AttributeType::Strings)?;
        Ok(found.map(|attribute| {
            attribute.strings.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect()
        }))
    }

    /// A text, or a default.
    pub fn string_or(&self, name: &str, default: &str) -> Result<String, ProblemKind> {
        let found = self.attribute(name, AttributeType::String)?;
        Ok(match found {
            Some(attribute) => String::from_utf8_lossy(attribute.s()).into_owned(),
            None => default.to_owned(),
        })
    }

    /// An array.
    pub fn tensor_attribute(&self, name: &str) -> Result<Option<Array>, ProblemKind> {
        match self.attribute(name, AttributeType::Tensor)? {
            Some(AttributeProto { t: Some(tensor), .. }) => tensor::read(tensor).map(Some),
            Some(_) => wrong(format!("attribute `{name}` holds no array")),
            None => Ok(None),
        }
    }

    // ---- inputs -------------------------------------------------------------------------------

    /// True if there is an input at that place.
    pub fn has(&self, index: usize) -> bool {
        self.optional(index).is_some()
    }

    /// The input at that place, if there is one.
    pub fn optional(&self, index: usize) -> Option<&Rc<Value<'g>>> {
        self.inputs.get(index)?.as_ref()
    }

    /// The input at that place.
    pub fn value(&self, index: usize) -> Result<&Rc<Value<'g>>, ProblemKind> {
        match self.optional(index) {
            Some(value) => Ok(value),
            None => wrong(format!("input {index} is missing")),
        }
    }

    /// The node of an input, its dimensions as in the model.
    pub fn tensor(&self, index: usize) -> Result<Expr<'g>, ProblemKind> {
        Ok(self.value(index)?.as_plain(self.graph))
    }

    /// The node of an input, if there is one.
    pub fn optional_tensor(&self, index: usize) -> Option<Expr<'g>> {
        self.optional(index).map(|value| value.as_plain(self.graph))
    }

    /// All inputs, which must be there.
    pub fn tensors(&self) -> Result<Vec<Expr<'g>>, ProblemKind> {
        (0..self.inputs.len()).map(|index| self.tensor(index)).collect()
    }

    /// The problem of an input whose value has to be known.
    pub fn needs(&self, index: usize) -> ProblemKind {
        let name = self.node.input.get(index).cloned().unwrap_or_default();
        ProblemKind::NeedsValue(name)
    }

    /// The integers that an input holds, if there is one; they must be known.
    pub fn known_integers(&self, index: usize) -> Result<Option<Vec<i64>>, ProblemKind> {
        let Some(value) = self.optional(index) else {
            return Ok(None);
        };
        match value.known.as_ref().and_then(StaticValue::integers) {
            Some(integers) => Ok(Some(integers)),
            None => Err(self.needs(index)),
        }
    }

    /// The one integer that an input holds, if there is one; it must be known.
    pub fn known_integer(&self, index: usize) -> Result<Option<i64>, ProblemKind> {
        match self.known_integers(index)?.as_deref() {
            None => Ok(None),
            Some(&[only]) => Ok(Some(only)),
            Some(_) => wrong(format!("input {index} is not a single number")),
        }
    }

    /// The sizes that an input holds, as far as they are known.
    pub fn known_sizes(&self, index: usize) -> Result<Vec<Size>, ProblemKind> {
        match self.value(index)?.known.as_ref().and_then(StaticValue::sizes) {
            Some(sizes) => Ok(sizes),
            None => Err(self.needs(index)),
        }
    }

    /// The array that an input holds, if there is one; it must be known.
    pub fn known_array(&self, index: usize) -> Result<Option<Arc<Array>>, ProblemKind> {
        let Some(value) = self.optional(index) else {
            return Ok(None);
        };
        match value.known.as_ref().and_then(StaticValue::array) {
            Some(array) => Ok(Some(array)),
            None => Err(self.needs(index)),
        }
    }

    /// The one number that an input holds, if there is one; it must be known.
    pub fn known_number(&self, index: usize) -> Result<Option<f64>, ProblemKind> {
        match self.known_array(index)?.map(|array| tensor::reals(&array)).as_deref() {
            None => Ok(None),
            Some(&[only]) => Ok(Some(only)),
            Some(_) => wrong(format!("input {index} is not a single number")),
        }
    }

    /// Integers that are an attribute up to some opset, and an input since.
    pub fn axes(
        &self,
        name: &str,
        input_since: i64,
        input: usize,
    ) -> Result<Option<Vec<i64>>, ProblemKind> {
        if self.opset >= input_since {
            return self.known_integers(input);
        }
        Ok(self.ints(name)?.map(<[i64]>::to_vec))
    }

    // ---- shapes -------------------------------------------------------------------------------

    /// The size of a dimension that has to be known.
    pub fn size(&self, x: Expr<'g>, axis: usize) -> Result<usize, ProblemKind> {
        match x.shape().get(axis) {
            Some(Dim::Known(size)) => Ok(*size),
            Some(Dim::Symbol(_)) => {
                unsupported(format!("the size of dimension {axis} has to be known"))
            }
            None => wrong(format!("there is no dimension {axis}")),
        }
    }

    /// The dimension that an axis means, negative ones counted from the end.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, ProblemKind> {
        resolve_axis(axis, rank).map_err(|fault| ProblemKind::Wrong(fault.message))
    }

    /// The element type of a node; `f32` of one that is a mistake, which is reported already.
    pub fn dtype(&self, x: Expr<'g>) -> DType {
        x.dtype().unwrap_or(DType::F32)
    }

    /// The element type of a node, which must be a float.
    pub fn float_type(&self, x: Expr<'g>) -> Result<DType, ProblemKind> {
        match x.dtype() {
            Some(dtype) if !dtype.is_float() => {
                unsupported(format!("elements of type {dtype} are not taken, only f32 and f64"))
            }
            Some(dtype) => Ok(dtype),
            None => wrong("an input is wrong"),
        }
    }

    // ---- nodes --------------------------------------------------------------------------------

    /// The handle of a node whose elements are known to be of type `T`.
    pub fn typed<T: Element>(&self, x: Expr<'g>) -> Tensor<'g, T> {
        self.graph.any(x.id()).assume()
    }

    /// Takes bytes from the budget. Nothing stops at once: the memory of a single node is bounded
    /// by its operator.
    pub fn spend(&self, bytes: usize) {
        self.budget.set(self.budget.get().saturating_sub(bytes));
    }

    /// Appends a constant, and takes its bytes from the budget.
    pub fn constant(&self, array: Array) -> Expr<'g> {
        self.spend(array.bytes.len());
        let attributes = ConstantAttributes { value: Arc::new(array) };
        self.graph.apply(&Constant, &[], attributes).expr()
    }

    /// A dimension of which nothing is known yet.
    pub fn open_dim(&self) -> Dim {
        self.graph.build(|graph| Dim::Symbol(graph.symbols_mut().fresh(ir::Naming::Derived)))
    }

    /// A dimension of as many elements as some together.
    pub fn product(&self, dims: &[Dim]) -> Dim {
        let known: Option<Vec<usize>> = dims.iter().map(|dim| dim.known()).collect();
        let not_one: Vec<Dim> = dims.iter().copied().filter(|&dim| dim != Dim::Known(1)).collect();
        match (known, &not_one[..]) {
            (_, []) => Dim::Known(1),
            (_, &[only]) => only,
            (Some(known), _) => {
                ir::element_count(&known).map_or_else(|| self.open_dim(), Dim::Known)
            }
            (None, _) => self.open_dim(),
        }
    }
}

/// Runs code with `T` as the Rust type of a float element type.
macro_rules! with_float {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            abeyance_ir::DType::F64 => {
                type $type = f64;
                $body
            }
            _ => {
                type $type = f32;
                $body
            }
        }
    };
}
pub(crate) use with_float;

/// The one output of an operator.
pub(crate) fn one(tensor: Expr<'_>) -> Imported<'_> {
    Ok(vec![Value::plain(tensor)])
}

/// The one output of an operator, which may be images in the order used here.
pub(crate) fn ordered(tensor: Expr<'_>, is_images: bool) -> Imported<'_> {
    Ok(vec![Value::of(tensor, is_images)])
}
