//! Where values come from.

use abeyance_graph::ops::sequence::{LinspaceAttributes, RangeAttributes, ShapeOfAttributes};
use abeyance_graph::ops::source::{ConstantAttributes, FillAttributes, SizeAttributes};
use abeyance_graph::ops::{random, sequence, source};
use abeyance_ir::{Array, DType, element_count, known_dims};

use super::super::attribute::{array, int};
use super::super::entry::OpEntry;
use super::super::writer::{Names, Writer};

/// This family's operators.
pub(crate) static ENTRIES: &[OpEntry] = &[
    OpEntry::new(&source::Constant, "an initializer", |writer, id| {
        let ConstantAttributes { value } = writer.attributes(id);
        let node = writer.ir.node(id);
        Ok(Names::plain(writer.initializer(&node.name, &value)))
    }),
    OpEntry::new(
        &source::Variable,
        "an initializer; a filter in ONNX's order of dimensions",
        |writer, id| writer.variable(id),
    ),
    OpEntry::new(&source::Placeholder, "an input", |_, _| {
        Err("is not fed by the signature".to_owned())
    }),
    OpEntry::new(
        &random::RANDOM_UNIFORM,
        "none: refused, unless constants make it unnecessary",
        random,
    ),
    OpEntry::new(
        &random::RANDOM_NORMAL,
        "none: refused, unless constants make it unnecessary",
        random,
    ),
    OpEntry::new(
        &random::TRUNCATED_NORMAL,
        "none: refused, unless constants make it unnecessary",
        random,
    ),
    OpEntry::new(&source::Fill, "ConstantOfShape", |writer, id| {
        let FillAttributes { value, shape } = writer.attributes(id);
        let one = Array { dtype: value.dtype, dims: [1][..].into(), bytes: value.bytes.clone() };
        let shape = writer.shape_vector(&shape)?;
        Ok(Names::plain(writer.node("ConstantOfShape", &[&shape], vec![array("value", &one)])))
    }),
    OpEntry::new(&source::Size, "Shape, ReduceProd and Cast", |writer, id| {
        let SizeAttributes { dtype, of } = writer.attributes(id);
        let shape = writer.shape_vector(&of)?;
        let product = writer.node("ReduceProd", &[&shape], vec![int("keepdims", 0)]);
        Ok(Names::plain(cast(writer, &product, dtype)))
    }),
    OpEntry::new(&sequence::ShapeOf, "Shape and Concat", |writer, id| {
        let ShapeOfAttributes { of } = writer.attributes(id);
        Ok(Names::plain(writer.shape_vector(&of)?))
    }),
    OpEntry::new(&sequence::Range, "Range, Cast, Mul and Add", |writer, id| {
        let RangeAttributes { start, delta, shape } = writer.attributes(id);
        let length = writer.shape_vector(&shape)?;
        let length = writer.node("Squeeze", &[&length], Vec::new());
        let (zero, one) = (writer.number(DType::I64, 0.0), writer.number(DType::I64, 1.0));
        let places = writer.node("Range", &[&zero, &length, &one], Vec::new());
        let places = cast(writer, &places, start.dtype);
        let (start, delta) = (writer.constant("start", &start), writer.constant("delta", &delta));
        let steps = writer.node("Mul", &[&places, &delta], Vec::new());
        Ok(Names::plain(writer.node("Add", &[&steps, &start], Vec::new())))
    }),
    OpEntry::new(&sequence::Linspace, "an initializer", |writer, id| {
        let attributes: LinspaceAttributes = writer.attributes(id);
        let number = |array: &Array| crate::tensor::reals(array).first().copied();
        let (Some(start), Some(stop)) = (number(&attributes.start), number(&attributes.stop))
        else {
            return Err("has no bounds".to_owned());
        };
        let count = known_dims(&writer.shape(id)).and_then(|dims| element_count(&dims));
        let Some(count) = count.filter(|&count| count <= 1 << 24) else {
            return Err("has no known length, or one beyond 2^24".to_owned());
        };
        let step = (stop - start) / (count.max(2) - 1) as f64;
        let dtype = writer.dtype(id);
        let mut bytes = Vec::new();
        for place in 0..count {
            let last = place + 1 == count && count > 1;
            let value = if last { stop } else { start + place as f64 * step };
            bytes.extend(Array::scalar(dtype, value).bytes);
        }
        let value = Array { dtype, dims: [count][..].into(), bytes };
        Ok(Names::plain(writer.constant("values", &value)))
    }),
];

fn random(_: &mut Writer<'_>, _: abeyance_ir::NodeId) -> super::super::writer::Lowered {
    Err("draws random numbers: let the signature feed a value by which none are needed, such as 1 for the probability to keep an element".to_owned())
}

/// A value as another element type.
pub(crate) fn cast(writer: &mut Writer<'_>, value: &str, to: DType) -> String {
    writer.node("Cast", &[value], vec![int("to", crate::element_type::write(to).into())])
}
