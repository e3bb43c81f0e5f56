//! Where values come from.

use abeyance_ir::{Array, DType, element_count, known_dims};

use super::super::attribute::{array, int};
use super::super::table::Row;
use super::super::writer::{Held, Writer};

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("constant", "an initializer", |writer, id| {
        let node = writer.ir.node(id);
        match node.attributes.array(0) {
            Some(value) => Ok(Held::plain(writer.initializer(&node.name, value))),
            None => Err("has no value".to_owned()),
        }
    }),
    Row::new("variable", "an initializer; a filter in ONNX's order of dimensions", |writer, id| {
        writer.variable(id)
    }),
    Row::new("placeholder", "an input", |_, _| Err("is not fed by the signature".to_owned())),
    Row::new("random_uniform", "none: refused, unless what it is for is settled", random),
    Row::new("random_normal", "none: refused, unless what it is for is settled", random),
    Row::new("truncated_normal", "none: refused, unless what it is for is settled", random),
    Row::new("fill", "ConstantOfShape", |writer, id| {
        let attributes = writer.attributes(id);
        let Some(value) = attributes.array(0) else {
            return Err("has no value".to_owned());
        };
        let one = Array { dtype: value.dtype, dims: [1][..].into(), bytes: value.bytes.clone() };
        let shape = writer.shape_vector(attributes.shape(1))?;
        Ok(Held::plain(writer.node("ConstantOfShape", &[&shape], vec![array("value", &one)])))
    }),
    Row::new("size", "Shape, ReduceProd and Cast", |writer, id| {
        let attributes = writer.attributes(id);
        let shape = writer.shape_vector(attributes.shape(1))?;
        let product = writer.node("ReduceProd", &[&shape], vec![int("keepdims", 0)]);
        Ok(Held::plain(cast(writer, &product, attributes.dtype(0))))
    }),
    Row::new("shape_of", "Shape and Concat", |writer, id| {
        let of = writer.attributes(id).shape(0);
        Ok(Held::plain(writer.shape_vector(of)?))
    }),
    Row::new("range", "Range, Cast, Mul and Add", |writer, id| {
        let attributes = writer.attributes(id);
        let (Some(start), Some(delta)) = (attributes.array(0), attributes.array(1)) else {
            return Err("has no bounds".to_owned());
        };
        let length = writer.shape_vector(attributes.shape(2))?;
        let length = writer.node("Squeeze", &[&length], Vec::new());
        let (zero, one) = (writer.number(DType::I64, 0.0), writer.number(DType::I64, 1.0));
        let places = writer.node("Range", &[&zero, &length, &one], Vec::new());
        let places = cast(writer, &places, start.dtype);
        let (start, delta) = (writer.constant("start", start), writer.constant("delta", delta));
        let steps = writer.node("Mul", &[&places, &delta], Vec::new());
        Ok(Held::plain(writer.node("Add", &[&steps, &start], Vec::new())))
    }),
    Row::new("linspace", "an initializer", |writer, id| {
        let attributes = writer.attributes(id);
        let number = |index: usize| {
            attributes.array(index).and_then(|array| crate::tensor::reals(array).first().copied())
        };
        let (Some(start), Some(stop)) = (number(0), number(1)) else {
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
        Ok(Held::plain(writer.constant("values", &value)))
    }),
];

fn random(_: &mut Writer<'_>, _: abeyance_ir::NodeId) -> super::super::writer::Written {
    Err("draws random numbers: let the signature feed what settles that none are needed, such as the probability to keep an element as 1".to_owned())
}

/// A value as another element type.
pub(crate) fn cast(writer: &mut Writer<'_>, value: &str, to: DType) -> String {
    writer.node("Cast", &[value], vec![int("to", crate::element_type::write(to).into())])
}
