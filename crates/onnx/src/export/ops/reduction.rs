//! Reductions along axes, and what is said of classes.

use abeyance_graph::ops::argument::ArgumentAttributes;
use abeyance_graph::ops::cumulative::CumulativeAttributes;
use abeyance_graph::ops::reduce::ReduceAttributes;
use abeyance_graph::ops::squares::RootMeanSquareAttributes;
use abeyance_graph::ops::{
    argument, cross_entropy, cumulative, log_sum_exp, quantifier, reduce, softmax, squares,
};
use abeyance_ir::{DType, NodeId};

use super::super::attribute::{int, ints};
use super::super::entry::OpEntry;
use super::super::writer::{Lowered, Names, Writer};
use super::source::cast;

macro_rules! direct {
    ($operator:expr, $onnx:literal) => {
        OpEntry::new($operator, $onnx, |writer, id| {
            let x = writer.input(id, 0)?;
            reduced(writer, id, $onnx, &x)
        })
    };
}

/// This family's operators.
pub(crate) static ENTRIES: &[OpEntry] = &[
    direct!(&reduce::SUM, "ReduceSum"),
    direct!(&reduce::MEAN, "ReduceMean"),
    direct!(&reduce::MAX, "ReduceMax"),
    direct!(&reduce::MIN, "ReduceMin"),
    direct!(&reduce::PROD, "ReduceProd"),
    OpEntry::new(&quantifier::ANY, "Cast, ReduceMax and Cast", |writer, id| {
        quantified(writer, id, "ReduceMax")
    }),
    OpEntry::new(&quantifier::ALL, "Cast, ReduceMin and Cast", |writer, id| {
        quantified(writer, id, "ReduceMin")
    }),
    OpEntry::new(&log_sum_exp::FiniteMax, "ReduceMax, IsInf, IsNaN, Or and Where", |writer, id| {
        let x = writer.input(id, 0)?;
        let largest = match reduced(writer, id, "ReduceMax", &x)? {
            names if names.is_images() => return Err("is of images".to_owned()),
            names => names.name(),
        };
        let infinite = writer.node("IsInf", &[&largest], Vec::new());
        let nan = writer.node("IsNaN", &[&largest], Vec::new());
        let either = writer.node("Or", &[&infinite, &nan], Vec::new());
        let zero = writer.number(writer.dtype(id), 0.0);
        Ok(Names::plain(writer.node("Where", &[&either, &zero, &largest], Vec::new())))
    }),
    direct!(&squares::EUCLIDEAN_NORM, "ReduceL2"),
    OpEntry::new(&squares::WIDE_EUCLIDEAN_NORM, "Cast and ReduceL2", |writer, id| {
        let x = writer.input(id, 0)?;
        let wide = cast(writer, &x, DType::F64);
        reduced(writer, id, "ReduceL2", &wide)
    }),
    OpEntry::new(&squares::MEAN_SQUARE, "Mul and ReduceMean", mean_square),
    OpEntry::new(&squares::ROOT_MEAN_SQUARE, "Mul, ReduceMean, Add and Sqrt", |writer, id| {
        let mean = mean_square(writer, id)?.name();
        let RootMeanSquareAttributes { epsilon, .. } = writer.attributes(id);
        let epsilon = writer.number(writer.dtype(id), epsilon);
        let sum = writer.node("Add", &[&mean, &epsilon], Vec::new());
        Ok(Names::plain(writer.node("Sqrt", &[&sum], Vec::new())))
    }),
    OpEntry::new(&argument::ARGMAX, "ArgMax", |writer, id| place(writer, id, "ArgMax")),
    OpEntry::new(&argument::ARGMIN, "ArgMin", |writer, id| place(writer, id, "ArgMin")),
    OpEntry::new(&softmax::SOFTMAX, "Softmax", |writer, id| along_last(writer, id, "Softmax")),
    OpEntry::new(&softmax::LOG_SOFTMAX, "LogSoftmax", |writer, id| {
        along_last(writer, id, "LogSoftmax")
    }),
    OpEntry::new(&cumulative::CUMSUM, "CumSum", |writer, id| {
        let CumulativeAttributes { axis, exclusive, reverse } = writer.attributes(id);
        let x = writer.input(id, 0)?;
        let axis = writer.number(DType::I64, axis as f64);
        let options = vec![int("exclusive", exclusive.into()), int("reverse", reverse.into())];
        Ok(Names::plain(writer.node("CumSum", &[&x, &axis], options)))
    }),
    OpEntry::new(
        &cross_entropy::SoftmaxCrossEntropy,
        "LogSoftmax, Mul, ReduceSum and Neg",
        |writer, id| {
            let (labels, logits) = (writer.input(id, 0)?, writer.input(id, 1)?);
            let logs = writer.node("LogSoftmax", &[&logits], vec![int("axis", -1)]);
            let products = writer.node("Mul", &[&labels, &logs], Vec::new());
            let axes = writer.integers("axes", &[-1]);
            let sum = writer.node("ReduceSum", &[&products, &axes], vec![int("keepdims", 0)]);
            Ok(Names::plain(writer.node("Neg", &[&sum], Vec::new())))
        },
    ),
    OpEntry::new(
        &cross_entropy::SparseSoftmaxCrossEntropy,
        "LogSoftmax, GatherElements, Squeeze and Neg",
        |writer, id| {
            let (labels, logits) = (writer.input(id, 0)?, writer.input(id, 1)?);
            let logs = writer.node("LogSoftmax", &[&logits], vec![int("axis", -1)]);
            let last = writer.integers("axes", &[-1]);
            let column = writer.node("Unsqueeze", &[&labels, &last], Vec::new());
            let picked = writer.node("GatherElements", &[&logs, &column], vec![int("axis", -1)]);
            let row = writer.node("Squeeze", &[&picked, &last], Vec::new());
            Ok(Names::plain(writer.node("Neg", &[&row], Vec::new())))
        },
    ),
];

/// A reduction by an operator that has its axes as an attribute, or of sums as an input.
fn reduced(writer: &mut Writer<'_>, id: NodeId, operator: &str, x: &str) -> Lowered {
    let ReduceAttributes { axes, keep_dims } = reduction(writer, id);
    // No axes are all axes in ONNX.
    if axes.is_empty() {
        return Ok(Names::plain(writer.node("Identity", &[x], Vec::new())));
    }
    let keep = int("keepdims", keep_dims.into());
    Ok(Names::plain(match operator {
        "ReduceSum" => {
            let axes = writer.integers("axes", &axes);
            writer.node(operator, &[x, &axes], vec![keep])
        }
        _ => writer.node(operator, &[x], vec![ints("axes", &axes), keep]),
    }))
}

/// Axes and whether they stay, of any reduction.
fn reduction(writer: &Writer<'_>, id: NodeId) -> ReduceAttributes {
    if writer.ir.node(id).is(&squares::ROOT_MEAN_SQUARE) {
        writer.attributes::<RootMeanSquareAttributes>(id).reduce
    } else {
        writer.attributes(id)
    }
}

fn mean_square(writer: &mut Writer<'_>, id: NodeId) -> Lowered {
    let x = writer.input(id, 0)?;
    let squares = writer.node("Mul", &[&x, &x], Vec::new());
    reduced(writer, id, "ReduceMean", &squares)
}

fn quantified(writer: &mut Writer<'_>, id: NodeId, operator: &str) -> Lowered {
    let x = writer.input(id, 0)?;
    let number = cast(writer, &x, DType::I32);
    let names = reduced(writer, id, operator, &number)?;
    Ok(Names::plain(cast(writer, &names.name(), DType::Bool)))
}

fn place(writer: &mut Writer<'_>, id: NodeId, operator: &str) -> Lowered {
    let ArgumentAttributes { axis, .. } = writer.attributes(id);
    let x = writer.input(id, 0)?;
    Ok(Names::plain(writer.node(operator, &[&x], vec![int("axis", axis), int("keepdims", 0)])))
}

fn along_last(writer: &mut Writer<'_>, id: NodeId, operator: &str) -> Lowered {
    let x = writer.input(id, 0)?;
    Ok(Names::plain(writer.node(operator, &[&x], vec![int("axis", -1)])))
}
