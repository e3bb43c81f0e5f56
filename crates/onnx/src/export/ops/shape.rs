//! Other dimensions for the same elements, and what is put around and beside them.

use abeyance_ir::Dim;

use super::super::attribute::{int, ints};
use super::super::table::Row;
use super::super::writer::{Held, Writer, Written};

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("reshape", "Reshape", |writer, id| {
        let x = writer.input(id, 0)?;
        let shape = writer.shape(id);
        let to = writer.target_vector(&shape)?;
        // Without it a 0 means the size that the dimension has before.
        let zero = shape.contains(&Dim::Known(0)).then(|| int("allowzero", 1));
        Ok(Held::plain(writer.node("Reshape", &[&x, &to], zero.into_iter().collect())))
    }),
    Row::new("transpose", "Transpose", |writer, id| {
        let order = writer.attributes(id).integers(0);
        let rank = order.len() as i64;
        let order: Vec<i64> = order.iter().map(|axis| axis.rem_euclid(rank.max(1))).collect();
        let operand = writer.operand(id, 0)?;
        // Images that are asked for with their channels second are so already.
        if order == super::super::writer::TO_ONNX && writer.held(operand).is_images() {
            return Ok(Held::plain(writer.images(operand)));
        }
        let x = writer.value(operand);
        Ok(Held::plain(writer.node("Transpose", &[&x], vec![ints("perm", &order)])))
    }),
    Row::new("expand_dims", "Unsqueeze", |writer, id| {
        let x = writer.input(id, 0)?;
        let axes = writer.integers("axes", &[writer.attributes(id).integer(0)]);
        Ok(Held::plain(writer.node("Unsqueeze", &[&x, &axes], Vec::new())))
    }),
    Row::new("squeeze", "Squeeze", |writer, id| {
        let x = writer.input(id, 0)?;
        let axes = writer.attributes(id).integers(0);
        if axes.is_empty() {
            return Ok(Held::plain(writer.node("Identity", &[&x], Vec::new())));
        }
        let axes = writer.integers("axes", axes);
        Ok(Held::plain(writer.node("Squeeze", &[&x, &axes], Vec::new())))
    }),
    Row::new("broadcast_to", "Expand", |writer, id| {
        let x = writer.input(id, 0)?;
        let to = writer.shape(id);
        let to = writer.shape_vector(&to)?;
        Ok(Held::plain(writer.node("Expand", &[&x, &to], Vec::new())))
    }),
    Row::new("tile", "Tile", |writer, id| {
        let x = writer.input(id, 0)?;
        let repeats = writer.integers("repeats", writer.attributes(id).integers(0));
        Ok(Held::plain(writer.node("Tile", &[&x, &repeats], Vec::new())))
    }),
    Row::new("pad", "Pad", |writer, id| {
        let x = writer.input(id, 0)?;
        padded(writer, id, &[&x])
    }),
    Row::new("pad_constant", "Pad", |writer, id| {
        let (x, value) = (writer.input(id, 0)?, writer.input(id, 1)?);
        padded(writer, id, &[&x, &value])
    }),
];

/// A padding of the first input, by the second if there is one.
fn padded(writer: &mut Writer<'_>, id: abeyance_ir::NodeId, inputs: &[&str]) -> Written {
    let attributes = writer.attributes(id);
    if attributes.integers(0).is_empty() {
        return Ok(Held::plain(writer.node("Identity", &inputs[..1], Vec::new())));
    }
    let pads: Vec<i64> =
        attributes.integers(0).iter().chain(attributes.integers(1)).copied().collect();
    let pads = writer.integers("pads", &pads);
    let inputs: Vec<&str> = inputs[..1]
        .iter()
        .copied()
        .chain([pads.as_str()])
        .chain(inputs[1..].iter().copied())
        .collect();
    Ok(Held::plain(writer.node("Pad", &inputs, Vec::new())))
}
