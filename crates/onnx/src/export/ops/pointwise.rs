//! Functions of each element, in whatever order its value's dimensions are.

use abeyance_graph::ops::activation::LeakyReluAttributes;
use abeyance_graph::ops::cast::CastAttributes;
use abeyance_graph::ops::{
    activation, cast, classify, custom_gradient, error_function, hyperbolic, inverse_trigonometric,
    logical, rounding, source, trigonometric, unary, watch,
};
use abeyance_ir::NodeId;

use super::super::attribute::float;
use super::super::entry::OpEntry;
use super::super::writer::{Lowered, Names, Writer};
use super::source::cast;

/// A function of the operand's elements, which keeps images in the order that they are in.
fn each(
    writer: &mut Writer<'_>,
    id: NodeId,
    function: impl FnOnce(&mut Writer<'_>, &str) -> String,
) -> Lowered {
    let operand = writer.operand(id, 0)?;
    if writer.names(operand).is_images() {
        let x = writer.images(operand);
        Ok(Names::images(function(writer, &x)))
    } else {
        let x = writer.value(operand);
        Ok(Names::plain(function(writer, &x)))
    }
}

macro_rules! direct {
    ($operator:expr, $onnx:literal) => {
        OpEntry::new($operator, $onnx, |writer, id| {
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
pub(crate) static ENTRIES: &[OpEntry] = &[
    direct!(&unary::IDENTITY, "Identity"),
    direct!(&unary::STOP_GRADIENT, "Identity"),
    direct!(&watch::CheckNumerics, "Identity"),
    direct!(&watch::Print, "Identity"),
    direct!(&source::PlaceholderWithDefault, "Identity"),
    direct!(&custom_gradient::CustomGradient, "Identity"),
    direct!(&unary::NEG, "Neg"),
    direct!(&unary::ABS, "Abs"),
    direct!(&unary::SIGN, "Sign"),
    direct!(&unary::EXP, "Exp"),
    direct!(&unary::LOG, "Log"),
    direct!(&unary::SQRT, "Sqrt"),
    direct!(&unary::RECIPROCAL, "Reciprocal"),
    direct!(&unary::TANH, "Tanh"),
    direct!(&unary::SIGMOID, "Sigmoid"),
    direct!(&unary::RELU, "Relu"),
    direct!(&error_function::ERF, "Erf"),
    direct!(&trigonometric::SIN, "Sin"),
    direct!(&trigonometric::COS, "Cos"),
    direct!(&trigonometric::TAN, "Tan"),
    direct!(&hyperbolic::SINH, "Sinh"),
    direct!(&hyperbolic::COSH, "Cosh"),
    direct!(&hyperbolic::ASINH, "Asinh"),
    direct!(&hyperbolic::ACOSH, "Acosh"),
    direct!(&hyperbolic::ATANH, "Atanh"),
    direct!(&inverse_trigonometric::ASIN, "Asin"),
    direct!(&inverse_trigonometric::ACOS, "Acos"),
    direct!(&inverse_trigonometric::ATAN, "Atan"),
    direct!(&rounding::FLOOR, "Floor"),
    direct!(&rounding::CEIL, "Ceil"),
    direct!(&rounding::ROUND, "Round"),
    direct!(&activation::SOFTPLUS, "Softplus"),
    direct!(&activation::ELU, "Elu"),
    direct!(&classify::IS_NAN, "IsNaN"),
    direct!(&classify::IS_INF, "IsInf"),
    direct!(&logical::LOGICAL_NOT, "Not"),
    OpEntry::new(&activation::SELU, "Selu", |writer, id| {
        each(writer, id, |writer, x| {
            let attributes = vec![
                float("alpha", 1.673_263_242_354_377_2),
                float("gamma", 1.050_700_987_355_480_5),
            ];
            writer.node("Selu", &[x], attributes)
        })
    }),
    OpEntry::new(&activation::LeakyRelu, "LeakyRelu", |writer, id| {
        let LeakyReluAttributes { alpha } = writer.attributes(id);
        each(writer, id, |writer, x| writer.node("LeakyRelu", &[x], vec![float("alpha", alpha)]))
    }),
    OpEntry::new(&cast::Cast, "Cast", |writer, id| {
        let CastAttributes { dtype: to } = writer.attributes(id);
        each(writer, id, |writer, x| cast(writer, x, to))
    }),
    OpEntry::new(&unary::SQUARE, "Mul", |writer, id| {
        each(writer, id, |writer, x| writer.node("Mul", &[x, x], Vec::new()))
    }),
    OpEntry::new(&unary::RSQRT, "Sqrt and Reciprocal", |writer, id| {
        each(writer, id, |writer, x| {
            let root = writer.node("Sqrt", &[x], Vec::new());
            writer.node("Reciprocal", &[&root], Vec::new())
        })
    }),
    OpEntry::new(&unary::EXPM1, "Exp and Sub", |writer, id| {
        each(writer, id, |writer, x| {
            let exp = writer.node("Exp", &[x], Vec::new());
            let one = writer.number(writer.dtype(id), 1.0);
            writer.node("Sub", &[&exp, &one], Vec::new())
        })
    }),
    OpEntry::new(&unary::LOG1P, "Add and Log", |writer, id| {
        each(writer, id, |writer, x| {
            let more = before(writer, id, "Add", 1.0, x);
            writer.node("Log", &[&more], Vec::new())
        })
    }),
    OpEntry::new(&error_function::ERFC, "Erf and Sub", |writer, id| {
        each(writer, id, |writer, x| {
            let erf = writer.node("Erf", &[x], Vec::new());
            before(writer, id, "Sub", 1.0, &erf)
        })
    }),
    OpEntry::new(&classify::IS_FINITE, "IsNaN, IsInf, Or and Not", |writer, id| {
        each(writer, id, |writer, x| {
            let nan = writer.node("IsNaN", &[x], Vec::new());
            let infinite = writer.node("IsInf", &[x], Vec::new());
            let either = writer.node("Or", &[&nan, &infinite], Vec::new());
            writer.node("Not", &[&either], Vec::new())
        })
    }),
];
