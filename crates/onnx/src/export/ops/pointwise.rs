//! Functions of each element, in whatever order its value's dimensions are.

use abeyance_ir::NodeId;

use super::super::attribute::float;
use super::super::table::Row;
use super::super::writer::{Held, Writer, Written};
use super::source::cast;

/// A function of the operand's elements, which keeps images in the order that they are in.
fn each(
    writer: &mut Writer<'_>,
    id: NodeId,
    function: impl FnOnce(&mut Writer<'_>, &str) -> String,
) -> Written {
    let operand = writer.operand(id, 0)?;
    match writer.held(operand).is_images() {
        true => {
            let x = writer.images(operand);
            Ok(Held::images(function(writer, &x)))
        }
        false => {
            let x = writer.value(operand);
            Ok(Held::plain(function(writer, &x)))
        }
    }
}

macro_rules! direct {
    ($name:literal, $onnx:literal) => {
        Row::new($name, $onnx, |writer, id| {
            each(writer, id, |writer, x| writer.node($onnx, &[x], Vec::new()))
        })
    };
}

/// A number beside the operand: `operator(number, x)`.
fn before(writer: &mut Writer<'_>, id: NodeId, operator: &str, number: f64, x: &str) -> String {
    let number = writer.number(writer.dtype(id), number);
    writer.node(operator, &[&number, x], Vec::new())
}

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    direct!("identity", "Identity"),
    direct!("stop_gradient", "Identity"),
    direct!("check_numerics", "Identity"),
    direct!("print", "Identity"),
    direct!("placeholder_with_default", "Identity"),
    direct!("custom_gradient", "Identity"),
    direct!("neg", "Neg"),
    direct!("abs", "Abs"),
    direct!("sign", "Sign"),
    direct!("exp", "Exp"),
    direct!("log", "Log"),
    direct!("sqrt", "Sqrt"),
    direct!("reciprocal", "Reciprocal"),
    direct!("tanh", "Tanh"),
    direct!("sigmoid", "Sigmoid"),
    direct!("relu", "Relu"),
    direct!("erf", "Erf"),
    direct!("sin", "Sin"),
    direct!("cos", "Cos"),
    direct!("tan", "Tan"),
    direct!("sinh", "Sinh"),
    direct!("cosh", "Cosh"),
    direct!("asinh", "Asinh"),
    direct!("acosh", "Acosh"),
    direct!("atanh", "Atanh"),
    direct!("asin", "Asin"),
    direct!("acos", "Acos"),
    direct!("atan", "Atan"),
    direct!("floor", "Floor"),
    direct!("ceil", "Ceil"),
    direct!("round", "Round"),
    direct!("softplus", "Softplus"),
    direct!("elu", "Elu"),
    direct!("is_nan", "IsNaN"),
    direct!("is_inf", "IsInf"),
    direct!("logical_not", "Not"),
    Row::new("selu", "Selu", |writer, id| {
        each(writer, id, |writer, x| {
            let attributes = vec![
                float("alpha", 1.673_263_242_354_377_2),
                float("gamma", 1.050_700_987_355_480_5),
            ];
            writer.node("Selu", &[x], attributes)
        })
    }),
    Row::new("leaky_relu", "LeakyRelu", |writer, id| {
        let alpha = writer.attributes(id).real(0);
        each(writer, id, |writer, x| writer.node("LeakyRelu", &[x], vec![float("alpha", alpha)]))
    }),
    Row::new("cast", "Cast", |writer, id| {
        let to = writer.attributes(id).dtype(0);
        each(writer, id, |writer, x| cast(writer, x, to))
    }),
    Row::new("square", "Mul", |writer, id| {
        each(writer, id, |writer, x| writer.node("Mul", &[x, x], Vec::new()))
    }),
    Row::new("rsqrt", "Sqrt and Reciprocal", |writer, id| {
        each(writer, id, |writer, x| {
            let root = writer.node("Sqrt", &[x], Vec::new());
            writer.node("Reciprocal", &[&root], Vec::new())
        })
    }),
    Row::new("expm1", "Exp and Sub", |writer, id| {
        each(writer, id, |writer, x| {
            let exp = writer.node("Exp", &[x], Vec::new());
            let one = writer.number(writer.dtype(id), 1.0);
            writer.node("Sub", &[&exp, &one], Vec::new())
        })
    }),
    Row::new("log1p", "Add and Log", |writer, id| {
        each(writer, id, |writer, x| {
            let more = before(writer, id, "Add", 1.0, x);
            writer.node("Log", &[&more], Vec::new())
        })
    }),
    Row::new("erfc", "Erf and Sub", |writer, id| {
        each(writer, id, |writer, x| {
            let erf = writer.node("Erf", &[x], Vec::new());
            before(writer, id, "Sub", 1.0, &erf)
        })
    }),
    Row::new("is_finite", "IsNaN, IsInf, Or and Not", |writer, id| {
        each(writer, id, |writer, x| {
            let nan = writer.node("IsNaN", &[x], Vec::new());
            let infinite = writer.node("IsInf", &[x], Vec::new());
            let either = writer.node("Or", &[&nan, &infinite], Vec::new());
            writer.node("Not", &[&either], Vec::new())
        })
    }),
];
