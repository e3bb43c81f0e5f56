//! Other dimensions for the same elements, and what is put around and beside them.

use abeyance_graph::ops::shape::{ExpandDimsAttributes, SqueezeAttributes, TransposeAttributes};
use abeyance_graph::ops::slice::PadAttributes;
use abeyance_graph::ops::tile::TileAttributes;
use abeyance_graph::ops::{pad, shape, slice, tile};
use abeyance_ir::Dim;

use super::super::attribute::{int, ints};
use super::super::entry::OpEntry;
use super::super::writer::{Lowered, Names, Writer};
use crate::layout::NHWC_TO_NCHW;

/// This family's operators.
pub(crate) static ENTRIES: &[OpEntry] = &[
    OpEntry::new(&shape::Reshape, "Reshape", |writer, id| {
        let x = writer.input(id, 0)?;
        let shape = writer.shape(id);
        let to = writer.target_vector(&shape)?;
        // Without it a 0 means the size that the dimension has before.
        let zero = shape.contains(&Dim::Known(0)).then(|| int("allowzero", 1));
        Ok(Names::plain(writer.node("Reshape", &[&x, &to], zero.into_iter().collect())))
    }),
    OpEntry::new(&shape::Transpose, "Transpose", |writer, id| {
        let TransposeAttributes { order } = writer.attributes(id);
        let rank = order.len() as i64;
        let order: Vec<i64> = order.iter().map(|axis| axis.rem_euclid(rank.max(1))).collect();
        let operand = writer.operand(id, 0)?;
        // Images that are asked for with their channels second are so already.
        if order == NHWC_TO_NCHW.map(|axis| axis as i64) && writer.names(operand).is_images() {
            return Ok(Names::plain(writer.images(operand)));
        }
        let x = writer.value(operand);
        Ok(Names::plain(writer.node("Transpose", &[&x], vec![ints("perm", &order)])))
    }),
    OpEntry::new(&shape::ExpandDims, "Unsqueeze", |writer, id| {
        let x = writer.input(id, 0)?;
        let ExpandDimsAttributes { axis } = writer.attributes(id);
        let axes = writer.integers("axes", &[axis]);
        Ok(Names::plain(writer.node("Unsqueeze", &[&x, &axes], Vec::new())))
    }),
    OpEntry::new(&shape::Squeeze, "Squeeze", |writer, id| {
        let x = writer.input(id, 0)?;
        let SqueezeAttributes { axes } = writer.attributes(id);
        if axes.is_empty() {
            return Ok(Names::plain(writer.node("Identity", &[&x], Vec::new())));
        }
        let axes = writer.integers("axes", &axes);
        Ok(Names::plain(writer.node("Squeeze", &[&x, &axes], Vec::new())))
    }),
    OpEntry::new(&shape::BroadcastTo, "Expand", |writer, id| {
        let x = writer.input(id, 0)?;
        let to = writer.shape(id);
        let to = writer.shape_vector(&to)?;
        Ok(Names::plain(writer.node("Expand", &[&x, &to], Vec::new())))
    }),
    OpEntry::new(&tile::Tile, "Tile", |writer, id| {
        let x = writer.input(id, 0)?;
        let TileAttributes { multiples } = writer.attributes(id);
        let repeats = writer.integers("repeats", &multiples);
        Ok(Names::plain(writer.node("Tile", &[&x, &repeats], Vec::new())))
    }),
    OpEntry::new(&slice::Pad, "Pad", |writer, id| {
        let x = writer.input(id, 0)?;
        padded(writer, id, &[&x])
    }),
    OpEntry::new(&pad::PadConstant, "Pad", |writer, id| {
        let (x, value) = (writer.input(id, 0)?, writer.input(id, 1)?);
        padded(writer, id, &[&x, &value])
    }),
];

/// A padding of the first input, by the second if there is one.
fn padded(writer: &mut Writer<'_>, id: abeyance_ir::NodeId, inputs: &[&str]) -> Lowered {
    let PadAttributes { before, after } = writer.attributes(id);
    if before.is_empty() {
        return Ok(Names::plain(writer.node("Identity", &inputs[..1], Vec::new())));
    }
    let pads: Vec<i64> = before.iter().chain(&after).copied().collect();
    let pads = writer.integers("pads", &pads);
    let inputs: Vec<&str> = inputs[..1]
        .iter()
        .copied()
        .chain([pads.as_str()])
        .chain(inputs[1..].iter().copied())
        .collect();
    Ok(Names::plain(writer.node("Pad", &inputs, Vec::new())))
}
