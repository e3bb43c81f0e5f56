//! Definitions as text: operator, operands, attributes.

use std::fmt::{self, Write};

use super::array::{FILL_LIMIT, Form, Truncation, form, write_data, write_real};
use super::names::{write_name, write_quoted, write_symbol};
use crate::{
    Array, Attribute, AttributeSpec, DefaultAttribute, Dim, Graph, Initializer, Node, TensorType,
    Type, known_dims,
};

/// The limits of all lists, where a node has one line.
const BRIEF: Truncation = Truncation { longest: 8, shown: 4 };
/// The limits of arrays, which are a graph's weights, where a person reads the graph.
const READER: Truncation = Truncation { longest: 64, shown: 8 };

/// The amount of detail that is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Everything, so that it can be read back.
    Whole,
    /// Everything but the elements of long arrays.
    Shortened,
    /// As much as fits into a line.
    Brief,
}

/// Writes definitions, in the order of the nodes.
#[derive(Clone)]
pub(super) struct Writer<'g> {
    graph: &'g Graph,
    detail: Detail,
    /// Bytes of arrays that may still be written as `fill(..)`.
    fills: usize,
}

impl<'g> Writer<'g> {
    /// Writes everything.
    pub(super) fn lossless(graph: &'g Graph) -> Self {
        Self { graph, detail: Detail::Whole, fills: FILL_LIMIT }
    }

    /// Cuts long arrays short, and nothing else.
    pub(super) fn shortened(graph: &'g Graph) -> Self {
        Self { graph, detail: Detail::Shortened, fills: FILL_LIMIT }
    }

    /// Cuts long lists short.
    pub(super) fn brief(graph: &'g Graph) -> Self {
        Self { graph, detail: Detail::Brief, fills: usize::MAX }
    }

    /// Writes operator, operands and attributes: `matmul(flat, w) transpose_b=true`.
    pub(super) fn definition(&mut self, out: &mut dyn Write, node: &Node) -> fmt::Result {
        let graph = self.graph;
        let signature = node.operator.signature();
        write_name(out, signature.name)?;
        if !node.operands.is_empty() {
            self.list(out, ['(', ')'], &node.operands, |out, &id| {
                let name = &*graph.node(id).name;
                if self.is_brief() {
                    write_name(out, &crate::shorten::name(name))
                } else {
                    write_name(out, name)
                }
            })?;
        }
        let result = node.ty.tensor();
        for (index, value) in node.attributes.iter().enumerate() {
            let spec = signature.attributes.get(index);
            let is_block = matches!(value, Attribute::Body(_));
            if is_block || spec.is_some_and(|spec| self.is_implied(spec, value, result)) {
                continue;
            }
            write!(out, " {}=", spec.map_or("?", |spec| spec.name))?;
            self.attribute(out, value, result)?;
        }
        Ok(())
    }

    /// Writes a type: `f32[N, 10]`, `operation` or `invalid`.
    pub(super) fn ty(&mut self, out: &mut dyn Write, ty: &Type) -> fmt::Result {
        match ty {
            Type::Tensor(tensor) => self.tensor(out, tensor),
            Type::Tuple(items) => {
                out.write_char('(')?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.write_str(", ")?;
                    }
                    self.tensor(out, item)?;
                }
                out.write_char(')')
            }
            Type::Operation => out.write_str("operation"),
            Type::Invalid => out.write_str("invalid"),
        }
    }

    fn tensor(&mut self, out: &mut dyn Write, tensor: &TensorType) -> fmt::Result {
        out.write_str(tensor.dtype.name())?;
        self.shape(out, &tensor.shape)
    }

    /// A writer for a body, with the same budget. [`Self::resume`] takes back what is left of it.
    pub(super) fn enter<'b>(&self, body: &'b Graph) -> Writer<'b> {
        Writer { graph: body, detail: self.detail, fills: self.fills }
    }

    /// Takes over the budget that the writer of a body has left.
    pub(super) fn resume(&mut self, body: &Writer<'_>) {
        self.fills = body.fills;
    }

    /// True if a node has one line.
    pub(super) fn is_brief(&self) -> bool {
        self.detail == Detail::Brief
    }

    /// True if the parser knows the attribute without its being written.
    fn is_implied(
        &self,
        spec: &AttributeSpec,
        value: &Attribute,
        result: Option<&TensorType>,
    ) -> bool {
        if let Some(default) = spec.default {
            return match (default, value) {
                // Equal numbers are not always the same: -0.0 has to be said where 0.0 is the
                // default.
                (DefaultAttribute::Real(default), Attribute::Real(value)) => {
                    default.to_bits() == value.to_bits() || default.is_nan() && value.is_nan()
                }
                _ => Attribute::from(default) == *value,
            };
        }
        let Some(result) = result else {
            return false;
        };
        match (spec.name, value) {
            ("dtype", Attribute::DType(dtype)) => *dtype == result.dtype,
            ("shape", Attribute::Shape(shape)) => {
                self.graph.resolve(shape) == self.graph.resolve(&result.shape)
            }
            _ => false,
        }
    }

    fn attribute(
        &mut self,
        out: &mut dyn Write,
        value: &Attribute,
        result: Option<&TensorType>,
    ) -> fmt::Result {
        match value {
            Attribute::Flag(value) => write!(out, "{value}"),
            Attribute::Integer(value) => write!(out, "{value}"),
            Attribute::Real(value) => write_real(out, *value),
            Attribute::Text(value) => write_quoted(out, value),
            Attribute::DType(value) => out.write_str(value.name()),
            Attribute::Shape(shape) => self.shape(out, shape),
            Attribute::Integers(values) => {
                self.list(out, ['[', ']'], values, |out, value| write!(out, "{value}"))
            }
            Attribute::Array(array) => self.array(out, array, result),
            Attribute::Initializer(initializer) => self.initializer(out, initializer, result),
            // Its block stands before the node's line.
            Attribute::Body(body) => write_name(out, body.graph().name()),
        }
    }

    fn initializer(
        &mut self,
        out: &mut dyn Write,
        initializer: &Initializer,
        result: Option<&TensorType>,
    ) -> fmt::Result {
        let (name, [first, second]) = match initializer {
            Initializer::Zeros => return out.write_str("zeros"),
            Initializer::Ones => return out.write_str("ones"),
            Initializer::Constant(array) => {
                out.write_str("constant(")?;
                self.array(out, array, result)?;
                return out.write_char(')');
            }
            Initializer::Normal { mean, stddev } => ("normal", [*mean, *stddev]),
            Initializer::TruncatedNormal { mean, stddev } => ("truncated_normal", [*mean, *stddev]),
            Initializer::Uniform { low, high } => ("uniform", [*low, *high]),
        };
        write!(out, "{name}(")?;
        write_real(out, first)?;
        out.write_str(", ")?;
        write_real(out, second)?;
        out.write_char(')')
    }

    /// Writes an array; `result` is the type of the node that it stands by.
    pub(super) fn array(
        &mut self,
        out: &mut dyn Write,
        array: &Array,
        result: Option<&TensorType>,
    ) -> fmt::Result {
        let form = form(array, self.fills);
        if form == Form::Filled {
            self.fills -= array.bytes.len();
        }
        let is_implied = result.is_some_and(|result| {
            result.dtype == array.dtype
                && match form {
                    Form::Listed => true,
                    _ => known_dims(&self.graph.resolve(&result.shape)) == Some(array.dims.clone()),
                }
        });
        if !is_implied {
            out.write_str(array.dtype.name())?;
            self.list(out, ['[', ']'], &array.dims, |out, dim| write!(out, "{dim}"))?;
            out.write_char(' ')?;
        }
        let truncation = match self.detail {
            Detail::Whole => None,
            Detail::Shortened => Some(READER),
            Detail::Brief => Some(BRIEF),
        };
        write_data(out, array, form, truncation)
    }

    fn shape(&mut self, out: &mut dyn Write, shape: &[Dim]) -> fmt::Result {
        let symbols = self.graph.symbols();
        self.list(out, ['[', ']'], shape, |out, &dim| match symbols.resolve(dim) {
            Dim::Known(size) => write!(out, "{size}"),
            Dim::Symbol(id) => write_symbol(out, symbols.name(id)),
        })
    }

    fn list<T>(
        &self,
        out: &mut dyn Write,
        brackets: [char; 2],
        items: &[T],
        mut item: impl FnMut(&mut dyn Write, &T) -> fmt::Result,
    ) -> fmt::Result {
        let shown =
            if self.is_brief() && items.len() > BRIEF.longest { BRIEF.shown } else { items.len() };
        out.write_char(brackets[0])?;
        for (index, value) in items.iter().take(shown).enumerate() {
            if index > 0 {
                out.write_str(", ")?;
            }
            item(out, value)?;
        }
        if shown < items.len() {
            write!(out, ", ... {} more", items.len() - shown)?;
        }
        out.write_char(brackets[1])
    }
}
