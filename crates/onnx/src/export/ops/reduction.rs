//! Reductions along axes, and what is said of classes.

use abeyance_ir::{DType, NodeId};

use super::super::attribute::{int, ints};
use super::super::table::Row;
use super::super::writer::{Held, Writer, Written};
use super::source::cast;

macro_rules! direct {
    ($name:literal, $onnx:literal) => {
        Row::new($name, $onnx, |writer, id| {
            let x = writer.input(id, 0)?;
            reduced(writer, id, $onnx, &x)
        })
    };
}

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    direct!("reduce_sum", "ReduceSum"),
    direct!("reduce_mean", "ReduceMean"),
    direct!("reduce_max", "ReduceMax"),
    direct!("reduce_min", "ReduceMin"),
    direct!("reduce_prod", "ReduceProd"),
    Row::new("reduce_any", "Cast, ReduceMax and Cast", |writer, id| {
        quantified(writer, id, "ReduceMax")
    }),
    Row::new("reduce_all", "Cast, ReduceMin and Cast", |writer, id| {
        quantified(writer, id, "ReduceMin")
    }),
    Row::new("reduce_finite_max", "ReduceMax, IsInf, IsNaN, Or and Where", |writer, id| {
        let x = writer.input(id, 0)?;
        let largest = match reduced(writer, id, "ReduceMax", &x)? {
            held if held.is_images() => return Err("is of images".to_owned()),
            held => held.name(),
        };
        let infinite = writer.node("IsInf", &[&largest], Vec::new());
        let nan = writer.node("IsNaN", &[&largest], Vec::new());
        let either = writer.node("Or", &[&infinite, &nan], Vec::new());
        let zero = writer.number(writer.dtype(id), 0.0);
        Ok(Held::plain(writer.node("Where", &[&either, &zero, &largest], Vec::new())))
    }),
    direct!("reduce_euclidean_norm", "ReduceL2"),
    Row::new("reduce_wide_euclidean_norm", "Cast and ReduceL2", |writer, id| {
        let x = writer.input(id, 0)?;
        let wide = cast(writer, &x, DType::F64);
        reduced(writer, id, "ReduceL2", &wide)
    }),
    Row::new("reduce_mean_square", "Mul and ReduceMean", mean_square),
    Row::new("reduce_root_mean_square", "Mul, ReduceMean, Add and Sqrt", |writer, id| {
        let mean = mean_square(writer, id)?.name();
        let epsilon = writer.attributes(id).real(2);
        let epsilon = writer.number(writer.dtype(id), epsilon);
        let sum = writer.node("Add", &[&mean, &epsilon], Vec::new());
        Ok(Held::plain(writer.node("Sqrt", &[&sum], Vec::new())))
    }),
    Row::new("argmax", "ArgMax", |writer, id| place(writer, id, "ArgMax")),
    Row::new("argmin", "ArgMin", |writer, id| place(writer, id, "ArgMin")),
    Row::new("softmax", "Softmax", |writer, id| along_last(writer, id, "Softmax")),
    Row::new("log_softmax", "LogSoftmax", |writer, id| along_last(writer, id, "LogSoftmax")),
    Row::new("cumsum", "CumSum", |writer, id| {
        let attributes = writer.attributes(id);
        let x = writer.input(id, 0)?;
        let axis = writer.number(DType::I64, attributes.integer(0) as f64);
        let options = vec![
            int("exclusive", attributes.flag(1).into()),
            int("reverse", attributes.flag(2).into()),
        ];
        Ok(Held::plain(writer.node("CumSum", &[&x, &axis], options)))
    }),
    Row::new("softmax_cross_entropy", "LogSoftmax, Mul, ReduceSum and Neg", |writer, id| {
        let (labels, logits) = (writer.input(id, 0)?, writer.input(id, 1)?);
        let logs = writer.node("LogSoftmax", &[&logits], vec![int("axis", -1)]);
        let products = writer.node("Mul", &[&labels, &logs], Vec::new());
        let axes = writer.integers("axes", &[-1]);
        let sum = writer.node("ReduceSum", &[&products, &axes], vec![int("keepdims", 0)]);
        Ok(Held::plain(writer.node("Neg", &[&sum], Vec::new())))
    }),
    Row::new(
        "sparse_softmax_cross_entropy",
        "LogSoftmax, GatherElements, Squeeze and Neg",
        |writer, id| {
            let (labels, logits) = (writer.input(id, 0)?, writer.input(id, 1)?);
            let logs = writer.node("LogSoftmax", &[&logits], vec![int("axis", -1)]);
            let last = writer.integers("axes", &[-1]);
            let column = writer.node("Unsqueeze", &[&labels, &last], Vec::new());
            let picked = writer.node("GatherElements", &[&logs, &column], vec![int("axis", -1)]);
            let row = writer.node("Squeeze", &[&picked, &last], Vec::new());
            Ok(Held::plain(writer.node("Neg", &[&row], Vec::new())))
        },
    ),
];

/// A reduction by an operator that has its axes as an attribute, or of sums as an input.
fn reduced(writer: &mut Writer<'_>, id: NodeId, operator: &str, x: &str) -> Written {
    let attributes = writer.attributes(id);
    let (axes, keep) = (attributes.integers(0), attributes.flag(1));
    // No axes are all axes in ONNX.
    if axes.is_empty() {
        return Ok(Held::plain(writer.node("Identity", &[x], Vec::new())));
    }
    let keep = int("keepdims", keep.into());
    Ok(Held::plain(match operator {
        "ReduceSum" => {
            let axes = writer.integers("axes", axes);
            writer.node(operator, &[x, &axes], vec![keep])
        }
        _ => writer.node(operator, &[x], vec![ints("axes", axes), keep]),
    }))
}

fn mean_square(writer: &mut Writer<'_>, id: NodeId) -> Written {
    let x = writer.input(id, 0)?;
    let squares = writer.node("Mul", &[&x, &x], Vec::new());
    reduced(writer, id, "ReduceMean", &squares)
}

fn quantified(writer: &mut Writer<'_>, id: NodeId, operator: &str) -> Written {
    let x = writer.input(id, 0)?;
    let number = cast(writer, &x, DType::I32);
    let held = reduced(writer, id, operator, &number)?;
    Ok(Held::plain(cast(writer, &held.name(), DType::Bool)))
}

fn place(writer: &mut Writer<'_>, id: NodeId, operator: &str) -> Written {
    let axis = writer.attributes(id).integer(0);
    let x = writer.input(id, 0)?;
    Ok(Held::plain(writer.node(operator, &[&x], vec![int("axis", axis), int("keepdims", 0)])))
}

fn along_last(writer: &mut Writer<'_>, id: NodeId, operator: &str) -> Written {
    let x = writer.input(id, 0)?;
    Ok(Held::plain(writer.node(operator, &[&x], vec![int("axis", -1)])))
}
