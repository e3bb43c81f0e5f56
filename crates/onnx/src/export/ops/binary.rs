//! Functions of several tensors that broadcast.

use abeyance_graph::ops::join::ConcatAttributes;
use abeyance_graph::ops::{
    binary, comparison, cross_entropy, division, join, logical, powi, select, truncated,
};
use abeyance_ir::{Dim, NodeId};

use super::super::attribute::ints;
use super::super::entry::OpEntry;
use super::super::writer::{Lowered, Names, Writer};
use crate::layout::NHWC_TO_NCHW;

/// The operands where they broadcast, and whether they are images with their channels second: that
/// order is kept where one of them is in it and the others can be brought into it at little cost.
fn aligned(
    writer: &mut Writer<'_>,
    id: NodeId,
    count: usize,
) -> Result<(Vec<String>, bool), String> {
    let operands: Vec<NodeId> =
        (0..count).map(|place| writer.operand(id, place)).collect::<Result<_, _>>()?;
    let can_be_images = |writer: &Writer<'_>, operand: NodeId| {
        let shape = writer.shape(operand);
        match shape.len() {
            0 => true,
            1 => shape[0] == Dim::Known(1) || shape[0].known().is_some(),
            4 => true,
            _ => false,
        }
    };
    let images = operands.iter().any(|&operand| writer.names(operand).is_images())
        && operands.iter().all(|&operand| can_be_images(writer, operand));
    let mut names = Vec::new();
    for operand in operands {
        let rank = writer.shape(operand).len();
        names.push(match (images, rank) {
            (true, 4) => writer.images(operand),
            (true, 1) => {
                // A number for each channel: `[C]` as `[C, 1, 1]`.
                let vector = writer.value(operand);
                let axes = writer.integers("axes", &[1, 2]);
                writer.node("Unsqueeze", &[&vector, &axes], Vec::new())
            }
            _ => writer.value(operand),
        });
    }
    Ok((names, images))
}

fn together(
    writer: &mut Writer<'_>,
    id: NodeId,
    count: usize,
    function: impl FnOnce(&mut Writer<'_>, &[&str]) -> String,
) -> Lowered {
    let (names, images) = aligned(writer, id, count)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let result = function(writer, &names);
    Ok(if images { Names::images(result) } else { Names::plain(result) })
}

macro_rules! direct {
    ($operator:expr, $onnx:literal, $count:literal) => {
        OpEntry::new($operator, $onnx, |writer, id| {
            together(writer, id, $count, |writer, operands| {
                writer.node($onnx, operands, Vec::new())
            })
        })
    };
}

/// This family's operators.
pub(crate) static ENTRIES: &[OpEntry] = &[
    OpEntry::new(
        &binary::ADD,
        "Add; of a convolution and a number for each channel the bias of Conv",
        |writer, id| {
            if let Some(names) = writer.bias(id)? {
                return Ok(names);
            }
            together(writer, id, 2, |writer, operands| writer.node("Add", operands, Vec::new()))
        },
    ),
    direct!(&binary::SUB, "Sub", 2),
    direct!(&binary::MUL, "Mul", 2),
    direct!(&binary::DIV, "Div", 2),
    direct!(&binary::POW, "Pow", 2),
    direct!(&powi::Powi, "Pow", 2),
    OpEntry::new(&truncated::TRUNCATE_MOD, "Mod", |writer, id| {
        together(writer, id, 2, |writer, operands| {
            writer.node("Mod", operands, vec![super::super::attribute::int("fmod", 1)])
        })
    }),
    direct!(&binary::MAXIMUM, "Max", 2),
    direct!(&binary::MINIMUM, "Min", 2),
    direct!(&comparison::EQUAL, "Equal", 2),
    direct!(&comparison::GREATER, "Greater", 2),
    direct!(&comparison::GREATER_EQUAL, "GreaterOrEqual", 2),
    direct!(&comparison::LESS, "Less", 2),
    direct!(&comparison::LESS_EQUAL, "LessOrEqual", 2),
    direct!(&logical::LOGICAL_AND, "And", 2),
    direct!(&logical::LOGICAL_OR, "Or", 2),
    direct!(&logical::LOGICAL_XOR, "Xor", 2),
    direct!(&select::Select, "Where", 3),
    OpEntry::new(&comparison::NOT_EQUAL, "Equal and Not", |writer, id| {
        together(writer, id, 2, |writer, operands| {
            let equal = writer.node("Equal", operands, Vec::new());
            writer.node("Not", &[&equal], Vec::new())
        })
    }),
    OpEntry::new(&binary::MUL_NO_NAN, "Mul, Equal and Where", |writer, id| {
        together(writer, id, 2, |writer, operands| {
            let zero = writer.number(writer.dtype(id), 0.0);
            let product = writer.node("Mul", operands, Vec::new());
            let none = writer.node("Equal", &[operands[1], &zero], Vec::new());
            writer.node("Where", &[&none, &zero, &product], Vec::new())
        })
    }),
    OpEntry::new(
        &division::FLOOR_DIV,
        "Div and Floor; of integers Mod, Sub and Div",
        |writer, id| {
            let is_float = writer.dtype(id).is_float();
            together(writer, id, 2, |writer, operands| {
                if is_float {
                    let quotient = writer.node("Div", operands, Vec::new());
                    writer.node("Floor", &[&quotient], Vec::new())
                } else {
                    let rest = writer.node("Mod", operands, Vec::new());
                    let whole = writer.node("Sub", &[operands[0], &rest], Vec::new());
                    writer.node("Div", &[&whole, operands[1]], Vec::new())
                }
            })
        },
    ),
    OpEntry::new(&division::MODULO, "Mod; of floats Div, Floor, Mul and Sub", |writer, id| {
        let is_float = writer.dtype(id).is_float();
        together(writer, id, 2, |writer, operands| {
            if !is_float {
                return writer.node("Mod", operands, Vec::new());
            }
            let quotient = writer.node("Div", operands, Vec::new());
            let floor = writer.node("Floor", &[&quotient], Vec::new());
            let whole = writer.node("Mul", &[&floor, operands[1]], Vec::new());
            writer.node("Sub", &[operands[0], &whole], Vec::new())
        })
    }),
    OpEntry::new(&join::Concat, "Concat", |writer, id| {
        let ConcatAttributes { axis } = writer.attributes(id);
        let rank = writer.shape(id).len();
        let axis = if axis < 0 { axis + rank as i64 } else { axis };
        let count = writer.ir.node(id).operands.len();
        let operands: Vec<NodeId> =
            (0..count).map(|place| writer.operand(id, place)).collect::<Result<_, _>>()?;
        let images = rank == 4 && operands.iter().any(|&operand| writer.names(operand).is_images());
        let mut names = Vec::new();
        for operand in operands {
            names.push(if images { writer.images(operand) } else { writer.value(operand) });
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let axis = if images {
            NHWC_TO_NCHW.iter().position(|&at| at as i64 == axis).unwrap_or(0) as i64
        } else {
            axis
        };
        let joined =
            writer.node("Concat", &names, vec![super::super::attribute::int("axis", axis)]);
        Ok(if images { Names::images(joined) } else { Names::plain(joined) })
    }),
    OpEntry::new(
        &cross_entropy::SigmoidCrossEntropy,
        "Max, Mul, Abs, Neg, Softplus, Sub and Add",
        |writer, id| {
            let dtype = writer.dtype(id);
            together(writer, id, 2, |writer, operands| {
                // max(x, 0) - x z + log(1 + exp(-|x|))
                let [labels, x] = [operands[0], operands[1]];
                let zero = writer.number(dtype, 0.0);
                let positive = writer.node("Max", &[x, &zero], Vec::new());
                let product = writer.node("Mul", &[x, labels], Vec::new());
                let size = writer.node("Abs", &[x], Vec::new());
                let less = writer.node("Neg", &[&size], Vec::new());
                let soft = writer.node("Softplus", &[&less], Vec::new());
                let difference = writer.node("Sub", &[&positive, &product], Vec::new());
                writer.node("Add", &[&difference, &soft], Vec::new())
            })
        },
    ),
];

/// The order of dimensions that swaps the last two.
pub(crate) fn swapped(writer: &mut Writer<'_>, value: &str, rank: usize) -> String {
    let mut order: Vec<i64> = (0..rank as i64).collect();
    if rank >= 2 {
        order.swap(rank - 1, rank - 2);
    }
    writer.node("Transpose", &[value], vec![ints("perm", &order)])
}
